/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The KVM backend: one KVM virtual machine per VTL, in one process, on an unmodified kernel, or with the
 * optional kernel part.
 * docs/backend-kvm.md says how it works and what it cannot do.
 */
#ifndef VKVM_H
#define VKVM_H

#include "core/backend.h"

/* backend_config.options of this backend; NULL: all zero. */
struct vkvm_options {
	uint8_t engine;	  /* enum vsm_engine */
	bool no_selftest; /* engine nested: this is the self-test */
};

extern const struct backend_ops vkvm_ops;

#endif
