/* SPDX-License-Identifier: BSD-2-Clause */
/* Common definitions of the sim backend. */
#ifndef SIM_INTERNAL_H
#define SIM_INTERNAL_H

#include "sim/sim.h"

#define SIM_XSAVE_SIZE	   832u
#define SIM_MSR_INTERCEPTS 512u /* limit of MSRs that VTLs above a VTL intercept */
#define SIM_RUN_TICKS	   100u /* duration of one entry */

/* A range of RAM with the rights that each VTL is denied, one byte for each page. */
struct sim_region {
	uint64_t gpn;
	uint64_t pages;
	uint8_t *host;
	bool readonly;
	bool smm;		   /* VTL0: only in System Management Mode */
	_Atomic uint64_t *written; /* one bit for each page, if writes are logged */
	/* [pages], stored XOR denied_default: zero at first, so that unused parts take no memory */
	uint8_t *denied[CORE_VTL_MAX];
	uint8_t denied_default[CORE_VTL_MAX];
};

struct sim_overlay {
	uint64_t gpn;
	uint32_t page;
	uint8_t access;
	bool used;
};

struct sim_msr_intercept {
	uint32_t msr;
	bool read;
	bool write;
};

#define SIM_DOORBELLS 256u

struct sim_backend {
	const struct vsm_log *log;
	struct sim_options options;
	uint8_t vtl_count;
	uint32_t vp_count;
	_Atomic uint64_t clock;
	_Atomic uint64_t clock_step;
	_Atomic bool disabled;
	struct sim_calls calls;
	struct {
		_Atomic uint32_t countdown; /* calls until one fails; 0: none fails */
		bool all;		    /* later calls fail, too */
		int error;
	} fail[SIM_CALL_COUNT];

	pthread_mutex_t doorbell_lock;
	struct backend_doorbell doorbell[SIM_DOORBELLS]; /* guarded by doorbell_lock */
	uint32_t doorbell_count;			 /* guarded by doorbell_lock */

	/* Guards all fields below: shared by accesses of VPs, exclusive for changes and hold(). */
	pthread_rwlock_t lock;
	bool held;		   /* between hold() and release(); read without the lock */
	struct sim_region *region; /* [region_count], by GPA */
	uint32_t region_count;
	uint8_t *overlay_memory;
	uint32_t overlay_pages;
	struct sim_overlay *overlay[CORE_VTL_MAX]; /* [overlay_pages], by overlay page */
	struct sim_msr_intercept msr[CORE_VTL_MAX][SIM_MSR_INTERCEPTS];
	uint32_t msr_count[CORE_VTL_MAX];
};

struct sim_vp {
	struct sim_backend *backend;
	uint32_t index;
	uint32_t apic_id;
	struct cpuid_leaf leaf[16];
	size_t leaf_count;
	struct vsm_cpuid *chosen; /* CPUID of the VMM's choice, or NULL */
	size_t chosen_count;
	struct vcpu_state cpu[CORE_VTL_MAX];
	uint8_t xsave[CORE_VTL_MAX][SIM_XSAVE_SIZE];
	struct sim_vtl vtl[CORE_VTL_MAX];
	uint64_t cr_control[CORE_VTL_MAX];
	uint64_t cr0_mask[CORE_VTL_MAX];
	uint64_t cr4_mask[CORE_VTL_MAX];
	struct backend_debug debug[CORE_VTL_MAX];
	uint64_t io_data;
	bool answer_wanted; /* the last exit needs vp_answer() */

	pthread_mutex_t lock;
	pthread_cond_t wake;
	bool kicked; /* guarded by `lock` */
};

/* sim.c: 0, or the error with which this call fails. */
int sim_call_error(struct sim_backend *sim, enum sim_call call);

/* sim_memory.c */
void sim_hold(void *opaque);
void sim_release(void *opaque);
void sim_disable(void *opaque);
int sim_memory_set(void *opaque, const struct backend_memory *map, size_t count,
		   const struct gpa_range *gone, size_t gone_count);
int sim_protect(void *opaque, uint8_t vtl, const struct gpa_range *ranges, size_t count,
		uint8_t access);
int sim_overlay_memory(void *opaque, uint32_t pages, void **host);
int sim_overlay_map(void *opaque, uint8_t vtl, uint64_t gpn, uint32_t page, uint8_t access);
int sim_overlay_unmap(void *opaque, uint8_t vtl, uint64_t gpn);
int sim_memory_dirty(void *opaque, const struct backend_memory *run, uint64_t *bitmap);
/* The caller has held the lock for reading since before the write. */
void sim_note_written(struct sim_backend *sim, uint64_t gpa);
void sim_memory_destroy(struct sim_backend *sim);

/* sim_doorbell.c */
int sim_doorbell(void *opaque, const struct backend_doorbell *doorbell, bool on);
/* Signals the eventfd for a write of VTL0. False: there is none, and the write exits. */
bool sim_doorbell_signal(struct sim_backend *sim, bool port, uint64_t address, uint64_t value,
			 uint8_t size);

/* sim_debug.c */
int sim_vp_debug(void *opaque, uint8_t vtl, const struct backend_debug *debug);
/* Called before an action: checks for a breakpoint at RIP, or INT3. True: @run is filled. */
bool sim_debug_before(struct sim_vp *vp, struct backend_run *run);
/* Called after @action: checks for a watchpoint or a step. */
void sim_debug_after(struct sim_vp *vp, const struct sim_action *action, struct backend_run *run);

/* sim_cpu.c */
int sim_vp_run(void *opaque, struct backend_run *run);
int sim_vp_answer(void *opaque, struct backend_run *run, enum backend_answer answer);
bool sim_vp_can_inject(void *opaque, uint8_t vtl);
/* Marks the action of @vtl as done or skipped, if the core has changed RIP since it began. */
void sim_update_action(struct sim_vp *vp, uint8_t vtl);

enum sim_page {
	SIM_PAGE_OK,
	SIM_PAGE_DENIED,
	SIM_PAGE_NONE, /* no memory, or a write to ROM: MMIO */
};

/* The page that @vtl has at @gpa (@smm: in SMM); checks all rights of @access. Lock held. */
enum sim_page sim_page(struct sim_backend *sim, uint8_t vtl, bool smm, uint64_t gpa, uint8_t access,
		       uint8_t **host);

#endif
