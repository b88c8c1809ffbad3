/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A backend and tiny 64-bit guests on it, without the core: what the tests of src/backend/kvm share.
 *
 * All of the first gigabyte is mapped one to one, by large pages but for [4 MiB, 6 MiB), which has a
 * table of its own, and so is the gigabyte that ends at 4 GiB. Every exception and interrupt ends in an
 * OUT to PORT_TRAP with the vector on top of the stack, below it what the CPU pushed.
 */
#ifndef KVM_GUEST_H
#define KVM_GUEST_H

#include <stdbool.h>
#include <stdint.h>

#include "core/backend.h"
#include "guest_layout.h"
#include "kvm/kvm.h"

enum {
	STUBS = 0x20000,
};

#define GUEST_FILES 4u

struct guest {
	const struct backend_ops *ops;
	void *backend;
	struct backend_features features;
	uint8_t *ram;
	uint64_t ram_size;
	uint32_t vp_count;
	void *vp[4];
	struct vcpu_state *state[4];
	uint8_t vtl_count;
	struct backend_file file[GUEST_FILES];
	struct backend_memory map[GUEST_FILES]; /* [files] */
	uint32_t files;
};

void guest_create(struct guest *guest, uint8_t vtls, uint32_t vps, uint64_t ram_size);
/* The same with an engine that is named (enum vsm_engine). 0, or -errno and there is no guest. */
int guest_create_with(struct guest *guest, uint8_t engine, uint8_t vtls, uint32_t vps,
		      uint64_t ram_size);
void guest_destroy(struct guest *guest);
/* Memory of a file of its own, behind all that there is. 0 or -errno. */
int guest_memory_add(struct guest *guest, uint64_t gpa, uint64_t size, uint8_t **host);
/* Removes what was added last. */
int guest_memory_remove(struct guest *guest);

/* The VTL starts at @rip in 64-bit mode at CPL 0, everything else at a known value. */
void guest_start(struct guest *guest, uint32_t vp, uint8_t vtl, uint64_t rip);
/* VTL0 of VP 0 starts so with two operands; returns its registers, to change. */
struct vcpu_state *guest_start_with(struct guest *guest, uint64_t rip, uint64_t rdi, uint64_t rax);
/* The registers, to change. */
struct vcpu_state *guest_edit(struct guest *guest, uint32_t vp, uint8_t vtl, uint32_t groups);
const struct vcpu_state *guest_get(struct guest *guest, uint32_t vp, uint8_t vtl, uint32_t groups);

/* One vp_run without interrupts and deadline. */
struct backend_run guest_run(struct guest *guest, uint32_t vp, uint8_t vtl);
/* The same, again while it is interrupted for no reason of its own. */
struct backend_run guest_run_on(struct guest *guest, uint32_t vp, uint8_t vtl);
/* Answers the exit and runs on. */
struct backend_run guest_answer(struct guest *guest, uint32_t vp, struct backend_run *run,
				enum backend_answer answer);
/* The vector of the exception or interrupt that ended in this exit, else -1; @frame: the stack above it. */
int guest_trap(struct guest *guest, uint32_t vp, const struct backend_run *run, uint64_t frame[6]);

/* Whether the guest has reached its OUT to PORT_DONE. */
bool guest_is_done(const struct backend_run *run);

/* Times that KVM or the CPU refused registers; and whether the log is not printed. */
extern unsigned int guest_refusals;
extern bool guest_quiet;

#endif
