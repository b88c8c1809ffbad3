/* SPDX-License-Identifier: BSD-2-Clause */
/* KVM_TRANSLATE, for comparison. */
#ifndef BENCH_WALK_KVM_H
#define BENCH_WALK_KVM_H

#include <stdint.h>
#include <vsm/walk.h>

struct walk_kvm {
	int kvm, vm, vcpu;
};

/* A vCPU on @ram at GPA 0 with the registers of @context. NULL with a reason on failure. */
const char *walk_kvm_open(struct walk_kvm *kvm, void *ram, uint64_t size,
			  const struct vsm_walk_context *context);

/* The GPA of @gva, or ~0. */
uint64_t walk_kvm_translate(const struct walk_kvm *kvm, uint64_t gva);

void walk_kvm_close(const struct walk_kvm *kvm);

#endif
