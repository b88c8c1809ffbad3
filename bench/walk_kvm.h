/* SPDX-License-Identifier: BSD-2-Clause */
/* Translations by KVM_TRANSLATE, for comparison. */
#ifndef BENCH_WALK_KVM_H
#define BENCH_WALK_KVM_H

#include <stdint.h>
#include <vsm/walk.h>

#include "raw_kvm.h"

/*
 * @context must map 0x1000 to itself. Returns NULL, or an error text; call raw_kvm_destroy() in both
 * cases.
 */
const char *walk_kvm_open(struct raw_kvm *kvm, void *ram, uint64_t size,
			  const struct vsm_walk_context *context);

/* ~0: no translation. */
uint64_t walk_kvm_translate(const struct raw_kvm *kvm, uint64_t gva);

#endif
