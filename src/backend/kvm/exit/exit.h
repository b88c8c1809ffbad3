/* SPDX-License-Identifier: BSD-2-Clause */
/* The exits of KVM_RUN, and the core's answers. */
#ifndef VKVM_EXIT_H
#define VKVM_EXIT_H

#include "kvm/vcpu/vcpu.h"

/* ------------------------------------------------------------------ run.c */

int vkvm_vp_run(void *opaque, struct backend_run *run);

/* ------------------------------------------------------------------ exit.c */

void exit_translate(struct vcpu *vcpu, struct backend_run *run);

/* ------------------------------------------------------------------ describe.c */

void exit_describe_registers(const struct vcpu *vcpu, enum vsm_log_level level, const char *what);

/* ------------------------------------------------------------------ violation.c */

/* Translates an access that the event thread stopped at its instruction. */
void violation_exit(struct vcpu *vcpu, struct backend_run *run, const struct violation *violation);
/* Translates a stopped access of KVM's emulator, which treats the closed page as MMIO. */
void violation_mmio(struct vcpu *vcpu, struct backend_run *run);

/* ------------------------------------------------------------------ answer.c */

int vkvm_vp_answer(void *opaque, struct backend_run *run, enum backend_answer answer);

/* ------------------------------------------------------------------ undo.c */

/* enter_finish(), then restores the registers. */
int undo_exit(struct vcpu *vcpu, const struct vcpu_snapshot *snapshot);
/* As undo_exit(), but keeps registers that the core has set since the exit. */
int undo_exit_but_keep_set(struct vcpu *vcpu, const struct vcpu_snapshot *snapshot);
/*
 * Keeps the groups that are dirty in @set; of the general registers, those that differ from
 * @before.
 */
void undo_keep_set(struct vcpu *vcpu, const struct vcpu_state *set,
		   const struct vcpu_state *before);

/* ------------------------------------------------------------------ port_io.c */

bool io_is_hypercall(struct vcpu *vcpu);
/* Whether an OUT of one byte to VKVM_HYPERCALL_PORT is at RIP. */
bool io_hypercall_is_next(struct vcpu *vcpu);
/* Undoes port I/O (BACKEND_RETRY); sets io.string and io.repeat of @run. */
int io_undo(struct vcpu *vcpu, struct backend_run *run);

/* ------------------------------------------------------------------ debug.c */

int vkvm_vp_debug(void *opaque, uint8_t vtl, const struct backend_debug *debug);
/* Sets the core's breakpoints and steps in KVM. kvm_run must have the registers of the entry. */
int debug_before_run(struct vcpu *vcpu);
/* Ends the step: otherwise KVM would report one when it completes an instruction later. */
int debug_after_run(struct vcpu *vcpu);
/* KVM_EXIT_DEBUG: a stop for the debugger, or an exception of the guest. */
void exit_debug(struct vcpu *vcpu, struct backend_run *run);

/* ------------------------------------------------------------------ register_write.c */

void register_write_find(struct vkvm_backend *backend);
int vkvm_vp_cr_intercept(void *opaque, uint8_t vtl, uint64_t control, uint64_t cr0_mask,
			 uint64_t cr4_mask);
void register_write_exit(struct vcpu *vcpu, struct backend_run *run);
/* @answer is RETRY or NATIVE. After NATIVE, register_write_resume() must follow the next entry. */
int register_write_answer(struct vcpu *vcpu, const struct backend_run *run,
			  enum backend_answer answer);
int register_write_resume(struct vcpu *vcpu);

/* ------------------------------------------------------------------ doorbell.c */

int vkvm_doorbell(void *opaque, const struct backend_doorbell *doorbell, bool on);

/* ------------------------------------------------------------------ hold.c */

void hold_init(struct vkvm_backend *backend);
void hold_destroy(struct vkvm_backend *backend);
void vkvm_hold(void *opaque);
void vkvm_release(void *opaque);
void vkvm_disable(void *opaque);
/* vp_run(), vp_answer() and vp_load(), which wait while the VPs are held. */
int hold_vp_run(void *opaque, struct backend_run *run);
int hold_vp_answer(void *opaque, struct backend_run *run, enum backend_answer answer);
int hold_vp_load(void *opaque, uint8_t vtl, uint32_t groups);
bool hold_vp_can_inject(void *opaque, uint8_t vtl);
int hold_finish_all(void *opaque);

#endif
