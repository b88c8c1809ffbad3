/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What the optional kernel part (kernel/) gives to this backend: the engine attr, and exits on writes of
 * control registers and descriptor tables.
 */
#ifndef VKVM_ATTR_H
#define VKVM_ATTR_H

#include "../../../../kernel/kvm_vsm.h"
#include "kvm/engine/engine.h"

/* Linux 6.8. */
#ifndef KVM_EXIT_MEMORY_FAULT
#define KVM_EXIT_MEMORY_FAULT 39
#endif

/* register_exit.c */
void register_exit_find(struct vkvm_backend *backend);
int vkvm_vp_cr_intercept(void *opaque, uint8_t vtl, uint64_t control, uint64_t cr0_mask,
			 uint64_t cr4_mask);
void register_exit(struct vcpu *vcpu, struct backend_run *run);
/* RETRY or NATIVE. After the latter register_exit_resume() follows the next entry. */
int register_exit_answer(struct vcpu *vcpu, const struct backend_run *run,
			 enum backend_answer answer);
int register_exit_resume(struct vcpu *vcpu);

/* attr_exit.c */
/* Whether the entry that ended with EFAULT met a restriction that is in force. */
bool attr_refused(struct vcpu *vcpu);
/* That refusal, in the core's words. */
void attr_exit(struct vcpu *vcpu, struct backend_run *run);

/* attr_engine.c: what is denied to a VTL at @gpa now, enum gpa_access. */
uint8_t attr_denied(struct vkvm_backend *backend, uint8_t vtl, uint64_t gpa);

/*
 * The engine's books and overlays, which the engine nested shares: functions of struct engine_ops, and their start
 * and end.
 */
int attr_start(struct vkvm_backend *backend, const struct restriction_ops *restrictions);
void attr_stop(struct vkvm_backend *backend);
int attr_window_init(struct vkvm_backend *backend, struct region *region, uint8_t vtl);
void attr_window_destroy(struct vkvm_backend *backend, struct region *region, uint8_t vtl);
int attr_protect(struct vkvm_backend *backend, uint8_t vtl, const struct gpa_range *ranges,
		 size_t count, uint8_t access);
int attr_overlay_map(struct vkvm_backend *backend, struct region *region, uint8_t vtl,
		     uint64_t page, uint32_t overlay, uint8_t access);
int attr_overlay_unmap(struct vkvm_backend *backend, struct region *region, uint8_t vtl,
		       uint64_t page);
int attr_overlay_window(struct vkvm_backend *backend, uint8_t vtl);
int attr_overlay_slot(struct vkvm_backend *backend, uint8_t vtl, uint64_t gpn, uint32_t overlay,
		      uint8_t access);
uint8_t attr_page_denied(const struct region *region, uint8_t vtl, uint64_t page);

#endif
