/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The sim backend's interface (sim/sim.h) on the KVM backend: an action becomes an instruction that a vCPU
 * executes, so that the core's tests run unchanged on real hardware. The instruction has
 * SIM_INSTRUCTION_LENGTH bytes, and an OUT that exits follows it. Descriptor tables in memory outside of the
 * core's map deliver interrupts and exceptions, whose effects are undone after the exit. The test controls
 * time.
 */
#ifndef SIM_ON_KVM_H
#define SIM_ON_KVM_H

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

#include "core/core.h"
#include "kvm/kvm.h"
#include "sim/sim.h"

#define HIDDEN_VPS   512u
#define HIDDEN_GPA   UINT64_C(0x3f000000) /* GVA = GPA in every test's page tables */
#define HIDDEN_GDT   0x0000u
#define HIDDEN_IDT   0x1000u
#define HIDDEN_STUBS 0x2000u /* 16 bytes for each vector */
#define HIDDEN_PML4  0x3000u
#define HIDDEN_PDPT  0x4000u
#define HIDDEN_CODE  0x5000u
#define HIDDEN_TSS   0x10000u /* 128 bytes for each VP */
#define HIDDEN_STACK 0x20000u /* a page for each VP */
#define HIDDEN_SIZE  (HIDDEN_STACK + HIDDEN_VPS * CORE_PAGE_SIZE)

#define VECTOR_NMI 2u
#define TRAP_PORT  0xeeu

/* Ends a test that cannot be executed, with the reason. */
#define REQUIRE(condition)                                                              \
	do {                                                                            \
		if (!(condition)) {                                                     \
			fprintf(stderr, "%s:%d: %s\n", __FILE__, __LINE__, #condition); \
			abort();                                                        \
		}                                                                       \
	} while (0)

struct host {
	void *kvm;
	const struct vsm_log *log;
	bool threads;
	uint32_t vp_count;
	uint8_t *hidden;
	struct backend_file file; /* of the hidden memory */
	pthread_mutex_t map_lock;
	struct backend_memory *map; /* [map_count]; guarded by map_lock */
	size_t map_count;
	_Atomic uint64_t clock;
	_Atomic uint64_t clock_step;
};

/* Descriptor tables of the test while those of this file are loaded. */
struct tables {
	bool replaced;
	struct hv_x64_table_register idtr;
	struct hv_x64_table_register gdtr;
	struct hv_x64_segment_register tr;
};

struct host_vp {
	struct host *host;
	void *kvm;
	uint32_t index;
	struct vcpu_state *state;
	struct sim_vtl vtl[CORE_VTL_MAX];
	struct tables tables[CORE_VTL_MAX];
	uint64_t before[CORE_VTL_MAX][GPR_COUNT]; /* general registers before load_operands() */
	uint64_t loaded[CORE_VTL_MAX][GPR_COUNT]; /* general registers after load_operands() */

	pthread_mutex_t lock;
	pthread_cond_t wake;
	bool kicked; /* guarded by lock */
};

/* sim_on_kvm.c */
struct vcpu_state *host_get(struct host_vp *vp, uint8_t vtl, uint32_t groups);
struct vcpu_state *host_edit(struct host_vp *vp, uint8_t vtl, uint32_t groups);
void host_enter(struct host_vp *vp, struct backend_run *run);
void host_prepare(struct host *host);
/* 16 bytes of memory at @gpa, or NULL. */
uint8_t *host_memory(struct host *host, uint64_t gpa);

/* sim_on_kvm_cpu.c */
int host_vp_run(void *opaque, struct backend_run *run);
/* Detects that the core has ended the action of @vtl by changing RIP, as for a completed hypercall. */
void host_settle(struct host_vp *vp, uint8_t vtl);
void host_finish(struct host_vp *vp, uint8_t vtl);

#endif
