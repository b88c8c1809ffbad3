/* SPDX-License-Identifier: BSD-2-Clause */
#include "abi.h"
#include "array.h"

#include "probe.h"

/* Without an item that engine uffd requires, vsm_partition_create() fails. */
#define NO_PROTECTION "without the kernel part nothing runs, as no page could be protected"

#define FEATURE(id_, title_, number_, need_, purpose_, cost_, remedy_)                             \
	{                                                                                          \
		.id = id_, .title = title_, .purpose = purpose_, .cost = cost_, .remedy = remedy_, \
		.need = need_, .after = PROBE_AFTER_UFFD, .check = check_uffd_feature,             \
		.number = number_                                                                  \
	}

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
	FEATURE("memory.uffd_fault_flags", "userfaultfd: reports write-protect faults",
		UFFD_FEATURE_PAGEFAULT_FLAG_WP, PROBE_REQUIRED,
		"distinguishes a denied write from an absent page", NO_PROTECTION,
		"Linux 5.7 or newer with CONFIG_HAVE_ARCH_USERFAULTFD_WP."),
	FEATURE("memory.uffd_write_protect_shared", "userfaultfd: write-protects shared memory",
		UFFD_FEATURE_WP_HUGETLBFS_SHMEM, PROBE_REQUIRED,
		"no-write protection of guest RAM, which is a memfd", NO_PROTECTION,
		"Linux 5.19 or newer with CONFIG_PTE_MARKER_UFFD_WP."),
	FEATURE("memory.uffd_minor_shared", "userfaultfd: minor faults on shared memory",
		UFFD_FEATURE_MINOR_SHMEM, PROBE_REQUIRED,
		"no-access protection: the page stays in the memfd, the VTL's mapping "
		"of it is removed",
		NO_PROTECTION, "Linux 5.14 or newer with CONFIG_HAVE_ARCH_USERFAULTFD_MINOR."),
	FEATURE("memory.uffd_thread_id", "userfaultfd: names the thread", UFFD_FEATURE_THREAD_ID,
		PROBE_REQUIRED, "identifies the VP that made the access, to stop it", NO_PROTECTION,
		"Linux 4.14 or newer."),
	FEATURE("memory.uffd_poison", "userfaultfd: poison", UFFD_FEATURE_POISON, PROBE_OPTIONAL,
		"an alternative way to end KVM's own access to a no-access page",
		"nothing: mprotect(2) is used instead", "Linux 6.6 or newer."),
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
