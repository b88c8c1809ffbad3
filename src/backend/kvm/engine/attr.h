/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Accesses that a restriction of KVM's own refuses, and the interface of the optional kernel part (kernel/).
 */
#ifndef VKVM_ATTR_H
#define VKVM_ATTR_H

#include "kvm/vcpu/vcpu.h"
#include "kvm_vsm.h"

/* Whether the entry that ended with EFAULT met a restriction that is in force. */
bool attr_refused(struct vcpu *vcpu);
/* That refusal, in the core's words. */
void attr_exit(struct vcpu *vcpu, struct backend_run *run);

#endif
