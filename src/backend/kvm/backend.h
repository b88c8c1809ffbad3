/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What the files of the KVM backend share.
 *
 * Legend for fields: c set at creation; o touched only by the thread that owns the VP; a atomic; M
 * changed only within memory_*, overlay_* and protect of backend_ops, which the core serialises; E
 * guarded by engine.lock; T guarded by table_lock; E T: a writer holds both locks, a reader either
 * of them, or it is within M.
 *
 * Engine uffd must not hold engine.lock over an ioctl that waits for vCPUs to leave KVM_RUN (memory
 * slots): such a vCPU may wait for the event thread, which takes the lock.
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

/*
 * out 0x7e, al: at its exit RIP is after the instruction on every CPU
 * (KVM_X86_QUIRK_OUT_7E_INC_RIP).
 */
#define VKVM_HYPERCALL_PORT   0x7eu
#define VKVM_HYPERCALL_LENGTH 2u

struct msr_area;

struct vkvm_vm {
	int fd;
	struct nested_vm nested;
	pthread_mutex_t msr_lock;
	struct msr_area *msr_area; /* msr_lock: [MSR_AREA_COUNT] */
};

/* Whether VPs are kept out of the backend (exit/hold.c). */
struct hold {
	_Atomic bool holding;  /* a: cleared under `lock` */
	_Atomic bool disabled; /* a: set under `lock`; `holding` then stays set */
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
	struct backend_features features; /* c, except for vp_set_cpuid() before any VP runs */
	/* c: CPUID that all vCPUs have in common, without the core's leaves and the APIC id */
	struct kvm_cpuid2 *cpuid;
	int64_t tsc_offset; /* the partition's TSC minus the host's; no VP runs while it changes */
	bool tsc_offset_known;
	_Atomic bool tsc_invariant_shown; /* a */
	_Atomic int int3; /* a: whether INT3 exits, once breakpoint_check() has found it */
	uint32_t msr_index[VCPU_MSR_COUNT]; /* c: the MSRs that this host has */
	uint8_t msr_place[VCPU_MSR_COUNT];  /* c: enum vcpu_msr of each MSR of msr_index */
	uint32_t msr_count;
	/* offset of the count of exits in KVM's statistics, found with the first vCPU; 0: none */
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
