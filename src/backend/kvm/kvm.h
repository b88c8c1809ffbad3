/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The KVM backend: one KVM virtual machine per VTL, in one process, on an unmodified kernel.
 * docs/backend-kvm.md says how it works and what it cannot do.
 */
#ifndef KVM_H
#define KVM_H

#include "core/backend.h"

extern const struct backend_ops kvm_ops;

#endif
