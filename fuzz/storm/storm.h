/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A whole partition under attack: one thread for each VP and one for the VMM, VTLs 0 to 2, on the
 * sim backend. VTL0 is hostile; VTL1 and VTL2 protect their pages and otherwise obey the TLFS.
 *
 * No read, register or device access of VTL0 returns bytes of a secret page, and a locked page
 * always reads as VTL1 wrote it, whatever overlays VTL0 places. VTL1's pages and private registers
 * are unchanged at the end of each round, also after save and restore; a reset erases them.
 *
 * An input is `struct storm_config`, then operations, of which each VP and the VMM gets a part.
 */
#ifndef FUZZ_STORM_H
#define FUZZ_STORM_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

#include "core/core.h"
#include "sim/sim_guest.h"

enum {
	STORM_VPS = 4,
	STORM_OPS = 96, /* operations of one thread in one round */
	STORM_RAM = 2 << 20,
	STORM_PAGES = 4, /* of each kind */
	STORM_MAPS = 8,	 /* mappings that devices hold at the same time */
};

/* GPAs. VTL0 may use every other address. */
enum {
	STORM_OWN = 0x10000,	 /* + 0x4000 * VP: parameters of VTL0 */
	STORM_SECRET = 0x40000,	 /* NO_ACCESS for VTL0 */
	STORM_LOCKED = 0x50000,	 /* read and execute for VTL0 */
	STORM_TOGGLED = 0x60000, /* rights change all the time */
	STORM_ALIAS = STORM_RAM, /* no memory, except as mapped by storm_remap() */
	STORM_PRIVATE = 0x80000, /* + 0x8000 * VTL + 0x2000 * VP: parameters of a higher VTL */
};

#define STORM_SECRET_BYTE 0xa7u
#define STORM_LOCKED_BYTE 0x5cu
#define STORM_WORD(byte)  (UINT64_C(0x0101010101010101) * (byte))

#define STORM_REQUIRE(condition)                                                               \
	do {                                                                                   \
		if (!(condition)) {                                                            \
			fprintf(stderr, "storm: %s:%d: %s\n", __FILE__, __LINE__, #condition); \
			abort();                                                               \
		}                                                                              \
	} while (0)

struct storm_config {
	uint8_t vps;	/* modulo STORM_VPS, plus 1 */
	uint8_t flags;	/* enum storm_flag */
	uint8_t before; /* overlays that VTL0 places before the locks, one bit each */
	uint8_t rounds; /* modulo 3, plus 1 */
};

enum storm_flag {
	STORM_VTL2 = 1u << 0,
	STORM_MBEC = 1u << 1,
	STORM_RESET = 1u << 2, /* reset between rounds; otherwise save and restore */
};

struct storm_op {
	uint8_t kind;
	uint8_t a;
	uint16_t b;
	uint32_t c;
	uint64_t value;
};

struct storm_map {
	struct vsm_dma_map *map; /* NULL: none */
	volatile uint8_t *at;
	uint32_t size;
	bool write;
};

struct storm {
	struct vsm_partition *partition;
	struct storm_map map[STORM_MAPS]; /* belongs to the VMM's thread */
	const struct ram_file *file;	  /* RAM is this file, from .offset on */
	uint64_t offset;
	struct storm_config config;
	uint32_t vps;
	uint8_t max_vtl;
	const uint8_t *data; /* operations that are left */
	size_t size;
	struct vcpu_state vtl1[STORM_VPS]; /* private registers of VTL1 at the start */
	atomic_bool stop;
	atomic_uint running; /* VP threads */
	atomic_bool reset_seen;
};

/* world.c: only while no VP runs. */
void storm_create(struct storm *storm);
void storm_check(struct storm *storm);
/* Replaces the partition by one that is restored from its saved state. */
void storm_move(struct storm *storm);
void storm_reset(struct storm *storm);
/* Whether the data contains eight consecutive bytes of a secret page. */
bool storm_shows_secret(const void *data, size_t size);

struct storm_vp {
	struct storm *storm;
	struct vsm_vp *vp;
	const uint8_t *data;
	size_t size;
	pthread_t thread;
};
void *storm_vp_thread(void *opaque);
/* higher.c: sets the next instruction of a VTL above 0. The caller owns the VP. */
void storm_higher_vtl(struct vsm_vp *vp, const struct storm_op *op);
/* Writes parameters at @gpa and makes a hypercall the next instruction. The caller owns the VP. */
void storm_hypercall(struct vsm_vp *vp, uint64_t control, uint64_t gpa, const void *input,
		     size_t size);
/* As storm_hypercall(), with HvCallGetVpRegisters or HvCallSetVpRegisters of one register. */
void storm_register_call(struct vsm_vp *vp, bool set, uint64_t gpa, uint32_t vp_index,
			 uint8_t input_vtl, uint32_t name, uint64_t value);

/* host.c */
void storm_host(struct storm *storm, const struct storm_op *op);
void storm_map_early(struct storm *storm);
void storm_unmap_all(struct storm *storm);

/* remap.c */
void storm_remap(struct storm *storm, const struct storm_op *op);
void storm_map_back(struct storm *storm);

/* round.c */
void storm_run(const uint8_t *data, size_t size);
/* False if the bytes end before an operation. */
bool storm_next_op(const uint8_t **data, size_t *size, struct storm_op *op);

#endif
