/* SPDX-License-Identifier: BSD-2-Clause */
/* The KVM backend: docs/backend-kvm.md. */
#ifndef VKVM_H
#define VKVM_H

#include "core/backend.h"

/* backend_config.options of this backend; NULL: all zero. */
struct vkvm_options {
	uint8_t engine;	  /* enum vsm_engine */
	bool no_selftest; /* engine nested: this partition is its self-test */
};

extern const struct backend_ops vkvm_ops;

#endif
