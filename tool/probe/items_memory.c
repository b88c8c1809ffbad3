/* SPDX-License-Identifier: BSD-2-Clause */
#include "abi.h"
#include "array.h"

#include "probe.h"

/* Without an item that engine uffd requires, vsm_partition_create() fails. */
#define NO_PROTECTION "without the kernel part nothing runs, as no page could be protected"

static const struct probe_item items[] = {
	{
		.id = "memory.userfaultfd",
		.title = "userfaultfd",
		.purpose = "protects the pages of one VTL from another, while vCPUs run",
		.cost = NO_PROTECTION,
		.remedy =
			"A kernel with CONFIG_USERFAULTFD; in a container, a seccomp profile that "
			"lets userfaultfd(2) through.",
		.need = PROBE_REQUIRED,
		.check = check_uffd,
	},
	{
		.id = "memory.uffd_fault_flags",
		.title = "userfaultfd: reports write-protect faults",
		.purpose = "distinguishes a denied write from an absent page",
		.cost = NO_PROTECTION,
		.remedy = "Linux 5.7 or newer with CONFIG_HAVE_ARCH_USERFAULTFD_WP.",
		.need = PROBE_REQUIRED,
		.after = PROBE_AFTER_UFFD,
		.check = check_uffd_feature,
		.number = UFFD_FEATURE_PAGEFAULT_FLAG_WP,
	},
	{
		.id = "memory.uffd_write_protect_shared",
		.title = "userfaultfd: write-protects shared memory",
		.purpose = "no-write protection of guest RAM, which is a memfd",
		.cost = NO_PROTECTION,
		.remedy = "Linux 5.19 or newer with CONFIG_PTE_MARKER_UFFD_WP.",
		.need = PROBE_REQUIRED,
		.after = PROBE_AFTER_UFFD,
		.check = check_uffd_feature,
		.number = UFFD_FEATURE_WP_HUGETLBFS_SHMEM,
	},
	{
		.id = "memory.uffd_minor_shared",
		.title = "userfaultfd: minor faults on shared memory",
		.purpose = "no-access protection: the page stays in the memfd, the VTL's mapping "
			   "of it is removed",
		.cost = NO_PROTECTION,
		.remedy = "Linux 5.14 or newer with CONFIG_HAVE_ARCH_USERFAULTFD_MINOR.",
		.need = PROBE_REQUIRED,
		.after = PROBE_AFTER_UFFD,
		.check = check_uffd_feature,
		.number = UFFD_FEATURE_MINOR_SHMEM,
	},
	{
		.id = "memory.uffd_thread_id",
		.title = "userfaultfd: names the thread",
		.purpose = "identifies the VP that made the access, to stop it",
		.cost = NO_PROTECTION,
		.remedy = "Linux 4.14 or newer.",
		.need = PROBE_REQUIRED,
		.after = PROBE_AFTER_UFFD,
		.check = check_uffd_feature,
		.number = UFFD_FEATURE_THREAD_ID,
	},
	{
		.id = "memory.uffd_poison",
		.title = "userfaultfd: poison",
		.purpose = "an alternative way to end KVM's own access to a no-access page",
		.cost = "nothing: mprotect(2) is used instead",
		.remedy = "Linux 6.6 or newer.",
		.need = PROBE_OPTIONAL,
		.after = PROBE_AFTER_UFFD,
		.check = check_uffd_feature,
		.number = UFFD_FEATURE_POISON,
	},
	{
		.id = "memory.huge_pages",
		.title = "huge pages for shared memory",
		.purpose = "2 MiB mappings of guest RAM: fewer TLB misses",
		.cost = "guest RAM is mapped in 4 KiB pages: slower, otherwise the same",
		.remedy = "As root: echo advise > "
			  "/sys/kernel/mm/transparent_hugepage/shmem_enabled; at each boot by a "
			  "line in "
			  "/etc/tmpfiles.d/vsm.conf: w "
			  "/sys/kernel/mm/transparent_hugepage/shmem_enabled - - - - advise",
		.need = PROBE_OPTIONAL,
		.check = check_shmem_thp,
	},
	{
		.id = "memory.mappings",
		.title = "number of mappings",
		.purpose = "each overlay page splits a mapping in three",
		.cost = "a guest can have fewer overlay pages",
		.remedy = "As root: sysctl vm.max_map_count=65530; at each boot by that line, "
			  "without "
			  "sysctl, in /etc/sysctl.d/vsm.conf",
		.need = PROBE_OPTIONAL,
		.check = check_map_count,
		.want = 65530,
	},
};

const struct probe_group probe_group_memory = {
	.title = "Memory protection",
	.items = items,
	.count = ARRAY_SIZE(items),
};
