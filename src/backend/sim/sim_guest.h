/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Actions of a guest for tests. Each executes one instruction in the active VTL of the VP, in one
 * call of vsm_vp_run().
 */
#ifndef SIM_GUEST_H
#define SIM_GUEST_H

#include "sim/sim.h"

enum guest_outcome {
	GUEST_DONE,    /* the instruction was executed */
	GUEST_FAULT,   /* the guest took an exception: sim_state() */
	GUEST_STOPPED, /* pending: a higher VTL was entered by an intercept, or the VP blocks */
	GUEST_EXIT,    /* vsm_vp_run() returned an exit for the VMM */
};

/* Sets an action for the active VTL and runs. *value: the value that was read. */
enum guest_outcome guest_do(struct vsm_vp *vp, struct sim_action action, uint64_t *value);

enum guest_outcome guest_read(struct vsm_vp *vp, uint64_t gva, uint8_t size, uint64_t *value);
enum guest_outcome guest_write(struct vsm_vp *vp, uint64_t gva, uint8_t size, uint64_t value);
enum guest_outcome guest_execute(struct vsm_vp *vp, uint64_t gva, bool user);
enum guest_outcome guest_rdmsr(struct vsm_vp *vp, uint32_t msr, uint64_t *value);
enum guest_outcome guest_wrmsr(struct vsm_vp *vp, uint32_t msr, uint64_t value);
enum guest_outcome guest_halt(struct vsm_vp *vp);
enum guest_outcome guest_nop(struct vsm_vp *vp);
/* Runs the VP without a new action. Returns GUEST_DONE or GUEST_EXIT. */
enum guest_outcome guest_run(struct vsm_vp *vp);

/* A hypercall of a 64-bit caller: RCX, RDX, R8 as given; *result is RAX. */
enum guest_outcome guest_hypercall(struct vsm_vp *vp, uint64_t control, uint64_t input,
				   uint64_t output, uint64_t *result);
/*
 * A hypercall with parameters in memory: stores @input at GUEST_PARAMETER_GPA, and copies @output
 * from the page after it; both copies ignore rights. Returns the result value.
 */
uint64_t guest_call(struct vsm_vp *vp, uint64_t control, const void *input, size_t input_size,
		    void *output, size_t output_size);
/* Pages that the helpers use: parameters of guest_call() (two), page tables (two). */
#define GUEST_PARAMETER_GPA 0x1000u
#define GUEST_TABLES_GPA    0x3000u

enum guest_outcome guest_vtl_call(struct vsm_vp *vp);
enum guest_outcome guest_vtl_return(struct vsm_vp *vp, bool fast);

/* Access to registers, without a run of the VP. */
void guest_set_long_mode(struct vsm_vp *vp, uint8_t vtl);
uint64_t guest_gpr(struct vsm_vp *vp, uint8_t vtl, unsigned int gpr);
void guest_set_gpr(struct vsm_vp *vp, uint8_t vtl, unsigned int gpr, uint64_t value);

/* The host address of RAM; ignores rights and overlays. */
uint8_t *guest_ram(struct vsm_partition *partition, uint64_t gpa);

/* A saved state, {0} at first, to which guest_save_write() appends for vsm_partition_save(). */
struct guest_saved {
	uint8_t *bytes; /* to be freed by the caller */
	size_t size;
};
int guest_save_write(void *saved, const void *data, size_t size);

/* A 64-bit context with flat segments and identity-mapped memory. */
struct hv_initial_vp_context guest_context(uint64_t rip, uint64_t rsp);

/*
 * A partition on the sim backend: @ram bytes at 0, page tables at GUEST_TABLES_GPA that map GVA to
 * the same GPA, every VP runs in VTL0 in 64-bit mode at CPL 0 with RFLAGS.IF set and its APIC
 * enabled. NULL options: defaults. Aborts the test if it cannot be made.
 */
struct vsm_partition *guest_partition(uint32_t vps, uint8_t max_vtl, uint64_t ram,
				      const struct sim_options *options);

/*
 * Enables @vtl for the partition and on VP 0 from the active VTL, as a loader does; then on all
 * other VPs from @vtl.
 */
void guest_enable_vtl(struct vsm_partition *partition, uint8_t vtl);
void guest_enable_vtl_mbec(struct vsm_partition *partition, uint8_t vtl);

#endif
