/* SPDX-License-Identifier: BSD-2-Clause */
/* Exits of accesses that KVM refuses, and the interface of the optional kernel part (kernel/). */
#ifndef VKVM_ATTR_H
#define VKVM_ATTR_H

#include "kvm/vcpu/vcpu.h"
#include "kvm_vsm.h"

/* Whether the exit reports a refused access (KVM_EXIT_MEMORY_FAULT) that is still denied. */
bool attr_refused(struct vcpu *vcpu);
/* Translates an exit for which attr_refused() is true. */
void attr_exit(struct vcpu *vcpu, struct backend_run *run);

#endif
