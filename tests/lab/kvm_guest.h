/* SPDX-License-Identifier: BSD-2-Clause */
/* A KVM backend without the core, and tiny 64-bit guests on it. GVA = GPA in the first gigabyte and
 * in the one below 4 GiB; pages are large except in [4 MiB, 6 MiB). An exception or interrupt ends
 * in an OUT to PORT_TRAP, with the vector and then the CPU's frame at RSP. */
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
	struct backend_memory map[GUEST_FILES]; /* the first `files` are used */
	uint32_t files;
};

void guest_create(struct guest *guest, uint8_t vtls, uint32_t vps, uint64_t ram_size);
/* As guest_create(), with @engine (enum vsm_engine). Returns 0, or -errno without a guest. */
int guest_create_with(struct guest *guest, uint8_t engine, uint8_t vtls, uint32_t vps,
		      uint64_t ram_size);
/* As guest_create_with(), with engine uffd and System Management Mode. */
int guest_create_smm(struct guest *guest, uint8_t vtls, uint32_t vps, uint64_t ram_size);
void guest_destroy(struct guest *guest);
/* Appends memory from a new file to the map. Returns 0 or -errno. */
int guest_memory_add(struct guest *guest, uint64_t gpa, uint64_t size, uint8_t **host);
/* As guest_memory_add(), with the properties of @memory. */
int guest_memory_add_as(struct guest *guest, uint64_t gpa, uint64_t size,
			struct backend_memory memory, uint8_t **host);
/* Removes the memory that was added last. */
int guest_memory_remove(struct guest *guest);

/* Sets all registers of the VTL: 64-bit mode, CPL 0, RIP at @rip. */
void guest_start(struct guest *guest, uint32_t vp, uint8_t vtl, uint64_t rip);
/* As guest_start() for VTL0 of VP 0. Returns its registers, which the caller may change. */
struct vcpu_state *guest_start_with(struct guest *guest, uint64_t rip, uint64_t rdi, uint64_t rax);
/* Returns registers that the caller may change. */
struct vcpu_state *guest_edit(struct guest *guest, uint32_t vp, uint8_t vtl, uint32_t groups);
const struct vcpu_state *guest_get(struct guest *guest, uint32_t vp, uint8_t vtl, uint32_t groups);
/* RIP of @vtl of VP 0. */
uint64_t guest_rip(struct guest *guest, uint8_t vtl);
/* The quadword of RAM at @gpa. */
uint64_t guest_word(const struct guest *guest, uint64_t gpa);
/* Gives VTL0 the rights @access to @pages pages at @gpa. Returns 0 or -errno. */
int guest_protect(struct guest *guest, uint64_t gpa, uint64_t pages, uint8_t access);
/* Whether a page of VTL0 without a right refuses the access, for reading, writing and kernel execution. */
bool guest_denies_every_right(struct guest *guest);

/* One vp_run without interrupts and deadline. */
struct backend_run guest_run(struct guest *guest, uint32_t vp, uint8_t vtl);
/* As guest_run(), repeated while it returns BACKEND_EXIT_INTERRUPTED. */
struct backend_run guest_run_on(struct guest *guest, uint32_t vp, uint8_t vtl);
/* Runs VTL0 of VP 0 from @rip on, a RDMSR or WRMSR of @msr with @value in EDX:EAX. */
struct backend_run guest_run_msr(struct guest *guest, uint64_t rip, uint32_t msr, uint64_t value);
/* Answers the exit and continues the guest. */
struct backend_run guest_answer(struct guest *guest, uint32_t vp, struct backend_run *run,
				enum backend_answer answer);
/* Returns the vector of the exception or interrupt, or -1. @frame gets the CPU's frame. */
int guest_trap(struct guest *guest, uint32_t vp, const struct backend_run *run, uint64_t frame[6]);

bool guest_is_done(const struct backend_run *run);

/* The number of log lines with the word "refuses". */
extern unsigned int guest_refusals;
extern bool guest_quiet;
/* The newest error that was logged. */
extern char guest_error[512];

#endif
