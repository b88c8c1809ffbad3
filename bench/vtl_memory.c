/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A loop in VTL0 that reads a word of each 64 bytes of a gibibyte; its time depends on the size of
 * KVM's mappings.
 *
 * The floor is the same loop in a partition without VTLs, and for that partition (memory.no-vtls)
 * the same loop by the host.
 */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "vtl_world.h"
#include "bench.h"
#include "core/core.h"
#include "exits.h"
#include "kvm/backend.h"

#define ROUNDS	 5
#define FIRST	 (64 * MIB)
#define SIZE	 (1024 * MIB)
#define PAGES	 (SIZE / 4096)
#define PERCENT	 (PAGES / 100)
#define WAIT_MAX 100u /* tenths of a second until large pages are restored */

struct state {
	struct world off;
	struct world on;
};

static double read_in(struct world *world)
{
	struct timespec a;
	struct timespec b;
	uint32_t result;

	world_go(world, world_read, FIRST + SIZE, 1);
	must(vsm_vp_set_registers(world->vp, 0, (const uint32_t[]){HV_X64_REGISTER_RDI},
				  &(const union hv_register_value){.reg128 = {.low = FIRST}},
				  1) == 1,
	     "registers");
	clock_gettime(CLOCK_MONOTONIC, &a);
	must(world_run(world, &result) == WORLD_LOOPED, "the guest's loop");
	clock_gettime(CLOCK_MONOTONIC, &b);
	return (double)(b.tv_sec - a.tv_sec) * 1e3 + (double)(b.tv_nsec - a.tv_nsec) / 1e6;
}

static double read_by_host(const struct world *world)
{
	struct timespec a;
	struct timespec b;

	clock_gettime(CLOCK_MONOTONIC, &a);
	for (uint64_t at = FIRST; at < FIRST + SIZE; at += 64)
		bench_keep(*(volatile const uint64_t *)(world->ram + at));
	clock_gettime(CLOCK_MONOTONIC, &b);
	return (double)(b.tv_sec - a.tv_sec) * 1e3 + (double)(b.tv_nsec - a.tv_nsec) / 1e6;
}

/* Of VTL0; below 0: KVM's count cannot be read. */
static long large_pages(const struct world *world)
{
	const struct vkvm_backend *backend = world->partition->backend;
	char path[80];
	long pages = -1;
	FILE *file;

	snprintf(path, sizeof(path), "/sys/kernel/debug/kvm/%d-%d/pages_2m", (int)getpid(),
		 backend->vm[0].fd);
	file = fopen(path, "r");
	if (!file)
		return -1;
	if (fscanf(file, "%ld", &pages) != 1)
		pages = -1;
	fclose(file);
	return pages;
}

static void report_large_pages(struct bench *bench, const char *name, const struct world *world)
{
	const long pages = large_pages(world);
	char text[80];

	snprintf(text, sizeof(text), "%s: 2M mappings (%u cover the area)", name,
		 (unsigned int)(SIZE / (2 * MIB)));
	if (pages < 0)
		bench_skip(bench, text, "KVM's counts cannot be read");
	else
		bench_figure(bench, text, (double)pages, "pages", 0, 0);
}

static void measure(struct bench *bench, struct state *state, const char *name, bool off)
{
	double value[ROUNDS];
	double floor[ROUNDS];

	read_in(&state->on);
	read_in(&state->off);
	for (unsigned int i = 0; i < ROUNDS; i++) {
		value[i] = read_in(off ? &state->off : &state->on);
		floor[i] = off ? read_by_host(&state->off) : read_in(&state->off);
	}
	bench_figure(bench, name, bench_median(value, ROUNDS), "ms", bench_median(floor, ROUNDS),
		     0);
	report_large_pages(bench, name, off ? &state->off : &state->on);
}

/* @stride: distance of the pages. */
static void protect(struct state *state, uint32_t flags, uint64_t count, uint64_t stride)
{
	uint64_t gpns[WORLD_LIST];
	uint32_t result;

	for (uint64_t done = 0; done < count; done += WORLD_LIST) {
		for (uint64_t i = 0; i < WORLD_LIST; i++) {
			const uint64_t page = done + i < count ? done + i : count - 1;

			gpns[i] = FIRST / 4096 + page * stride;
		}
		world_put_list(&state->on, false, flags, gpns);
		world_put_list(&state->on, true, flags, gpns);
		world_go(&state->on, world_call_loop, 3, 1);
		must(world_run(&state->on, &result) == WORLD_LOOPED, "protecting pages");
	}
}

/* Large pages return only when they are accessed some time later. */
static void wait_for_large_pages(struct state *state)
{
	const struct timespec tenth = {.tv_nsec = 100000000};

	for (unsigned int i = 0; i < WAIT_MAX; i++) {
		nanosleep(&tenth, NULL);
		if (i % 10 == 9)
			read_in(&state->on);
		if (large_pages(&state->on) >= (long)(SIZE / (2 * MIB)))
			return;
	}
}

int main(int argc, char **argv)
{
	struct bench bench = bench_begin(argc, argv);
	const uint32_t read_only = 0xf & ~HV_MAP_GPA_WRITABLE;
	struct state state = {0};

	must(!world_create_of(&state.off, 0, FIRST + SIZE), "making a partition");
	must(!world_create_of(&state.on, 1, FIRST + SIZE), "making a partition");
	must(world_enter(&state.on), "entering VTL1");
	memset(state.off.ram + FIRST, 1, SIZE);
	memset(state.on.ram + FIRST, 1, SIZE);
	measure(&bench, &state, "memory.no-vtls", true);
	measure(&bench, &state, "memory.vtl1", false);
	protect(&state, read_only, PERCENT, 1);
	measure(&bench, &state, "memory.1%-in-a-row", false);
	protect(&state, 0xf, PERCENT, 1);
	protect(&state, read_only, PERCENT, 100);
	measure(&bench, &state, "memory.1%-scattered", false);
	protect(&state, 0xf, PERCENT, 100);
	wait_for_large_pages(&state);
	measure(&bench, &state, "memory.unprotected-again", false);
	world_destroy(&state.on);
	world_destroy(&state.off);
	return bench_end(&bench);
}
