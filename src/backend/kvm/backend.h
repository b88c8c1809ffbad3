/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The KVM backend: what its files share.
 *
 * Legend for fields: c set at creation; o touched only by the thread that owns the VP; a atomic; M
 * changed only within memory_*, overlay_* and protect, which the core serialises; E guarded by
 * engine.lock; T guarded by table_lock. Order of locks: table_lock is innermost, and engine.lock is
 * never held over an ioctl that waits for vCPUs to leave KVM_RUN (memslots): one of them may be
 * waiting for the event thread, which needs engine.lock.
 */
#ifndef VKVM_BACKEND_H
#define VKVM_BACKEND_H

#include <linux/kvm.h>
#include <pthread.h>
#include <stdatomic.h>

#include "core/array.h"
#include "core/backend.h"
#include "kvm/engine/engine.h"
#include "kvm/engine/nested_state.h"
#include "kvm/host/host.h"
#include "kvm/engine/guard.h"
#include "kvm/memory/memory.h"

/* out 0x7e, al. Only for this port KVM exits with RIP after the instruction on every CPU. */
#define VKVM_HYPERCALL_PORT   0x7eu
#define VKVM_HYPERCALL_LENGTH 2u

struct msr_area;

/* One VTL of the partition. */
struct vkvm_vm {
	int fd;
	struct nested_vm nested;
	pthread_mutex_t msr_lock;
	struct msr_area *msr_area; /* msr_lock: [MSR_AREA_COUNT] */
};

/* Whether VPs are kept out of the backend (exit/hold.c). */
struct hold {
	_Atomic bool holding; /* a: cleared under `lock` */
	pthread_mutex_t lock;
	pthread_cond_t wake;
};

struct vkvm_backend {
	const struct backend_ops *ops; /* c */
	const struct vsm_log *log;     /* c */
	int kvm;		       /* c */
	uint8_t vtl_count;	       /* c */
	uint32_t vp_count;	       /* c */
	uint32_t run_size;	       /* c */
	bool no_selftest;	       /* c */
	bool smm; /* c: VTL0 has System Management Mode, and its virtual machine a second address space */
	struct capability can;		  /* c */
	struct backend_features features; /* c */
	/* c: CPUID that all vCPUs have in common, without the core's leaves and the APIC id */
	struct kvm_cpuid2 *cpuid;
	int64_t tsc_offset; /* the partition's TSC minus the host's; no VP runs while it changes */
	bool tsc_offset_known;
	_Atomic bool tsc_invariant_shown;   /* a */
	uint32_t msr_index[VCPU_MSR_COUNT]; /* c: the MSRs that this host has */
	uint8_t msr_place[VCPU_MSR_COUNT];  /* c: enum vcpu_msr of each MSR of msr_index */
	uint32_t msr_count;
	/* c: offset of the count of exits in KVM's statistics, 0: there is none */
	uint64_t count_offset;

	struct vkvm_vm vm[VKVM_VTL_MAX];
	struct engine engine;
	pthread_rwlock_t table_lock;
	struct vkvm_region **region; /* E T, changed under M: [region_count] */
	uint32_t region_count;
	struct vkvm_slot *slot; /* E T, changed under M: [slot_count], by GPA */
	uint32_t slot_count;
	struct hold hold;
	struct guard guard;
	struct overlay_memory overlay;
	_Atomic(struct vkvm_vp *) *vp; /* a: [vp_count] */
};

/* ------------------------------------------------------------------ vm.c */

int vkvm_vm_create(struct vkvm_backend *backend, uint8_t vtl);
void vkvm_vm_destroy(struct vkvm_vm *vm);

#endif
