/* SPDX-License-Identifier: BSD-2-Clause */
/* A guest with two VTLs on a real KVM, by the public API only: VTL0 enables VTL1, which protects a
 * page from VTL0. The guest reports each step by an OUT. */
#ifndef VTL_WORLD_H
#define VTL_WORLD_H

#include <stdbool.h>
#include <stdint.h>

#include <vsm/hv/hv.h>
#include <vsm/vsm.h>

enum {
	WORLD_HYPERCALL0 = 0x40000,
	WORLD_HYPERCALL1 = 0x41000,
	WORLD_MESSAGES = 0x42000, /* SIM page of VTL1 */
	WORLD_MESSAGE = 0x43000,  /* where VTL1 copies the message */
	WORLD_SECRET = 0x400000,
	WORLD_RAM = 32 << 20,
	WORLD_LIST = 510, /* pages of a list of protections: the maximum of one hypercall */
};

/* Ports by which the guest reports what it has done; the result is in the data. */
enum world_step {
	WORLD_ENABLED_PARTITION = 0x20,
	WORLD_ENABLED_VP,
	WORLD_RETURNED, /* VTL0 has returned from its first VTL call */
	WORLD_STORED,
	WORLD_LOOPED,
	WORLD_SPUN, /* one iteration of world_spin */
	WORLD_CONFIGURED = 0x30,
	WORLD_PROTECTED,
	WORLD_INTERCEPTED = 0x40,
	WORLD_GRANTED,
	WORLD_TICKED, /* VTL1's handler of SINT1 has begun */
	WORLD_FAULT1 = 0xee,
	WORLD_FAULT0 = 0xef,
};

/* Labels at which VTL0 can start. Loops except world_spin count R15 down. */
extern const uint8_t world_code[], world_code_end[];
extern const uint8_t world_begin[], world_store[], world_call_loop[], world_hypercall_loop[];
extern const uint8_t world_violate[], world_sse_loop[], world_avx_loop[], world_registers[];
extern const uint8_t world_spin[], world_read[];
extern const uint8_t world_resume[]; /* the end of VTL1's handler of a violation */

struct world {
	struct vsm_partition *partition;
	struct vsm_vp *vp;
	uint8_t *ram;
};

/* Returns 0 or -errno. */
int world_create(struct world *world, uint32_t vps, const struct vsm_log *log);
/* As world_create(), with one VP, VTLs up to @max_vtl and @ram_size bytes of RAM, at most 2 GiB. */
int world_create_of(struct world *world, uint8_t max_vtl, uint64_t ram_size);
void world_destroy(struct world *world);
/* Completes an open exit without a further instruction, so that registers may be read and set. */
void world_finish_exit(struct world *world);
/* The GVA of code at @place. */
uint64_t world_address(const uint8_t *place);
/* Sets RIP of VTL0 to @place, RSP to its initial value, RDI to WORLD_SECRET, and R14 and R15. */
void world_go(struct world *world, const uint8_t *place, uint64_t r14, uint64_t r15);
/* Sets CR0.EM of VTL1 to @em; while it is set, VTL1 cannot use the FPU. */
void world_set_em(struct world *world, bool em);
/* Enables AVX in both VTLs. */
void world_allow_avx(struct world *world);
/* Sets one of two lists of WORLD_LIST pages. At each VTL call with 3 in R14, VTL1 sets VTL0's
 * rights to both lists, and R13 to the statuses of both hypercalls (0: success). */
void world_put_list(struct world *world, bool second, uint32_t flags, const uint64_t *gpns);
/* Returns the world_step that the guest reports, or the negated reason of another exit. */
int world_run(struct world *world, uint32_t *result);
/* Runs a new world until VTL0's first VTL call has returned. Returns whether each step succeeded. */
int world_enter(struct world *world);

#endif
