/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A table of items (items_*.c), each with a check, and the findings. Nothing here changes the host.
 */
#ifndef VSM_TOOL_PROBE_PROBE_H
#define VSM_TOOL_PROBE_PROBE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "env.h"

/* Effect of a missing item on the verdict. */
enum probe_need {
	PROBE_REQUIRED, /* VSM does not work */
	PROBE_WANTED,	/* VSM works with restrictions */
	PROBE_OPTIONAL, /* slower or less convenient; the verdict is unchanged */
};

enum probe_status {
	PROBE_OK,
	PROBE_MISSING,
	PROBE_UNKNOWN, /* could not be checked, for lack of a prerequisite or of a file; counts as missing */
	PROBE_SKIPPED, /* not checked, by the user's choice; does not count */
	PROBE_BUSY,    /* unknown, as the host is too busy; the verdict may be unknown then */
};

/* The exit status of `vsm probe`. */
enum probe_verdict {
	PROBE_READY = 0,
	PROBE_DEGRADED = 1,
	PROBE_UNABLE = 2,
	PROBE_NOT_KNOWN = 3, /* depends on items for which the host was too busy */
};

enum probe_kvm_kind {
	PROBE_KVM_NONE,
	PROBE_KVM_VMX,
	PROBE_KVM_SVM,
	PROBE_KVM_PVM, /* kvm_pvm: without VMX or SVM, by KVM's instruction emulator */
	PROBE_KVM_OTHER,
};

enum probe_engine {
	PROBE_ENGINE_UNKNOWN, /* the self-tests were not run, or the host was too busy for them */
	PROBE_ENGINE_NONE,
	PROBE_ENGINE_SLOW, /* userfaultfd, by closing pages: KVM makes the accesses itself */
	PROBE_ENGINE_UFFD, /* userfaultfd: the vCPU stops at the instruction */
	PROBE_ENGINE_ATTR, /* the optional kernel part: as userfaultfd, and for execution */
};

/* What must be open before an item can be checked; otherwise it is PROBE_UNKNOWN. */
enum probe_after {
	PROBE_AFTER_NOTHING,
	PROBE_AFTER_KVM,
	PROBE_AFTER_VM,
	PROBE_AFTER_UFFD,
	PROBE_AFTER_VM_UFFD,
};

struct probe;
struct probe_finding;
struct selftest;

typedef void probe_check_fn(struct probe *probe, struct probe_finding *finding);
typedef void selftest_fn(struct selftest *test);

struct probe_item {
	const char *id; /* "group.name"; its meaning never changes */
	const char *title;
	const char *purpose;
	const char *cost;
	const char *remedy;
	enum probe_need need;
	enum probe_after after;
	probe_check_fn *check;
	/* Parameters of the check: */
	int64_t number;	       /* a KVM capability or a userfaultfd feature bit */
	int64_t want;	       /* least value, or mask of required bits */
	selftest_fn *selftest; /* runs in a child process, for a bounded time */
};

struct probe_group {
	const char *title;
	const struct probe_item *items;
	size_t count;
};

extern const struct probe_group probe_group_host;
extern const struct probe_group probe_group_kvm;
extern const struct probe_group probe_group_memory;
extern const struct probe_group probe_group_live;

extern const struct probe_group *const probe_groups[];
extern const size_t probe_group_count;

struct probe_finding {
	const struct probe_item *item;
	enum probe_status status;
	bool has_value;
	int64_t value; /* a count, a mask, a size: depends on the item */
	char found[512];
	char remedy[448]; /* remedy on this host; the item's own text by default */
};

struct probe_host {
	char kernel[66];
	char machine[66];
	char vendor[16];
	char hypervisor[64]; /* CPUID signatures of the hypervisor below, "" on bare metal */
	int kernel_major, kernel_minor;
	unsigned int cpus;
	bool vmx, svm;
	bool nested; /* the hypervisor bit of CPUID: a machine inside a machine */
	bool hyperv; /* the hypervisor below presents the Hyper-V interface */
	uint64_t memory, memory_available; /* bytes */
	enum probe_kvm_kind kind;
	unsigned int uid;
};

#define PROBE_MAX_FINDINGS 64

struct probe {
	/* Set by the caller. */
	struct probe_env *env;
	bool live;		 /* run the self-tests */
	unsigned int timeout_ms; /* for the first try of each self-test */
	/* Filled by probe_run(). */
	struct probe_host host;
	int kvm, vm, uffd; /* file descriptors, or -errno of the failed open */
	uint64_t uffd_features;
	size_t count;
	struct probe_finding finding[PROBE_MAX_FINDINGS];
	enum probe_verdict verdict;
	enum probe_engine engine;
};

/* The caller sets env, live and timeout_ms and zeroes the rest. */
void probe_run(struct probe *probe);

const struct probe_finding *probe_find(const struct probe *probe, const char *id);

/* For checks, as the two functions below. */
void probe_found(struct probe_finding *finding, enum probe_status status, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

void probe_remedy(struct probe_finding *finding, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

void probe_value(struct probe_finding *finding, int64_t value);

const char *probe_status_name(enum probe_status status);
/* Whether the kernel part does the work of @item, which is then not needed. */
bool probe_is_replaced(const struct probe *probe, const struct probe_item *item);
const char *probe_need_name(enum probe_need need);
const char *probe_verdict_name(enum probe_verdict verdict);
const char *probe_engine_name(enum probe_engine engine);
const char *probe_kind_name(enum probe_kvm_kind kind);

void probe_host_read(struct probe *probe);

probe_check_fn check_virtualization, check_kernel, check_kvm_kind, check_ram;	/* host.c */
probe_check_fn check_kvm_device, check_kvm_api, check_kvm_vm, check_capability, /* kvm.c */
	check_capability_bits, check_xen;
probe_check_fn check_uffd, check_uffd_feature, check_shmem_thp, check_map_count; /* memory.c */
probe_check_fn check_live;							 /* live.c */

#endif
