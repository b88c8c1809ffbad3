/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What KVM_RUN returns with, and how the core answers it.
 */
#ifndef VKVM_EXIT_H
#define VKVM_EXIT_H

#include "kvm/vcpu/vcpu.h"

/* ------------------------------------------------------------------ run.c */

int vkvm_vp_run(void *opaque, struct backend_run *run);

/* ------------------------------------------------------------------ exit.c */

/* What KVM_RUN came back with, in the core's words. */
void exit_translate(struct vcpu *vcpu, struct backend_run *run);

/* ------------------------------------------------------------------ describe.c */

void exit_describe_registers(const struct vcpu *vcpu, enum vsm_log_level level, const char *what);

/* ------------------------------------------------------------------ violation.c */

/* An access that the event thread stopped, at the instruction. */
void violation_exit(struct vcpu *vcpu, struct backend_run *run, const struct violation *violation);
/* KVM's emulator was refused RAM and takes it for MMIO. */
void violation_mmio(struct vcpu *vcpu, struct backend_run *run);

/* ------------------------------------------------------------------ answer.c */

int vkvm_vp_answer(void *opaque, struct backend_run *run, enum backend_answer answer);

/* ------------------------------------------------------------------ undo.c */

/* Has KVM finish the exit and what follows of its instruction, without effect. *goes_on is set if anything did. */
int undo_finish(struct vcpu *vcpu, bool *goes_on);
/* The same, and puts the registers back. */
int undo_exit(struct vcpu *vcpu, const struct vcpu_snapshot *snapshot);
/* The same, but registers that the core has set since the exit stay as they were set. */
int undo_but_set(struct vcpu *vcpu, const struct vcpu_snapshot *snapshot);
/* Puts general registers that differ between @set and @before on those that KVM has. */
void undo_keep_set(struct vcpu *vcpu, const struct vcpu_state *set,
		   const struct vcpu_state *before);

/* ------------------------------------------------------------------ port_io.c */

/* Whether an exit of KVM_EXIT_IO is the hypercall instruction. */
bool io_is_hypercall(struct vcpu *vcpu);
/* RETRY of port I/O; io.string and io.repeat of @run say what it was. */
int io_take_back(struct vcpu *vcpu, struct backend_run *run);

/* ------------------------------------------------------------------ register_write.c */

void register_write_find(struct vkvm_backend *backend);
int vkvm_vp_cr_intercept(void *opaque, uint8_t vtl, uint64_t control, uint64_t cr0_mask,
			 uint64_t cr4_mask);
void register_write_exit(struct vcpu *vcpu, struct backend_run *run);
/* RETRY or NATIVE. After the latter register_write_resume() follows the next entry. */
int register_write_answer(struct vcpu *vcpu, const struct backend_run *run,
			  enum backend_answer answer);
int register_write_resume(struct vcpu *vcpu);

#endif
