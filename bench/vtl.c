/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What VTLs cost on a real KVM: run it in the rig, or on a host with VMX or SVM.
 *
 * The floor of whatever enters a guest is the least that KVM can do: an exit for an OUT, and back. It is
 * measured on vCPUs of the same kind in the same process. The floor of a protection is the bare ioctl on
 * as many pages, mapped in the same way.
 */
#include <linux/userfaultfd.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "../tests/rig/kvm_guest.h"
#include "../tests/rig/vtl_world.h"
#include "bench.h"
#include "kvm/uffd.h"

#define PROTECT_PAGES 65536u
#define PROTECT_GPA   (16 * MIB)

/* What the bare vCPUs do. */
__asm__(".pushsection .rodata\n"
	".globl guest_code, guest_code_end, g_exits\n"
	"guest_code:\n"
	"g_exits: out %al, $0x7e; jmp g_exits\n"
	"guest_code_end:\n"
	".popsection");

struct state {
	struct world world;
	struct guest guest;
	int exits[2]; /* vCPUs of two virtual machines that do nothing but exit */
	uint64_t pages;
	int uffd;
	uint8_t *bare;
};

static void must(bool ok, const char *what)
{
	if (ok)
		return;
	fprintf(stderr, "%s failed\n", what);
	exit(1);
}

/* ------------------------------------------------------------------ switches */

static void loop(struct state *state, const uint8_t *place, uint64_t n)
{
	uint32_t result;

	world_go(&state->world, place, 0, n);
	must(world_run(&state->world, &result) == WORLD_LOOPED, "the guest's loop");
}

static void calls(void *opaque, uint64_t n)
{
	loop(opaque, world_call_loop, n);
}

static void calls_with_sse(void *opaque, uint64_t n)
{
	loop(opaque, world_sse_loop, n);
}

static void hypercalls(void *opaque, uint64_t n)
{
	loop(opaque, world_hypercall_loop, n);
}

static void one_exit(void *opaque, uint64_t n)
{
	const struct state *state = opaque;

	while (n--)
		must(!ioctl(state->exits[0], KVM_RUN, 0), "KVM_RUN");
}

static void two_exits(void *opaque, uint64_t n)
{
	const struct state *state = opaque;

	while (n--)
		must(!ioctl(state->exits[0], KVM_RUN, 0) && !ioctl(state->exits[1], KVM_RUN, 0),
		     "KVM_RUN");
}

/*
 * Each turn: VTL0 stores, VTL1's handler copies the message and returns, VTL0 stores again. VTL1 tells when
 * they are over, and is sent on without giving the right back.
 */
static void violations(void *opaque, uint64_t n)
{
	static const uint32_t name[] = {HV_X64_REGISTER_RIP, HV_X64_REGISTER_R15,
					HV_X64_REGISTER_RDI};
	const union hv_register_value value[] = {
		{.reg64 = world_address(world_resume)}, {.reg64 = n}, {.reg64 = WORLD_SECRET}};
	struct state *state = opaque;
	struct world *world = &state->world;
	uint32_t result;

	world_go(world, world_violate, 0, n);
	if (vsm_vp_set_registers(world->vp, 1, name + 1, value + 1, 2) != 2)
		must(false, "setting registers of VTL1");
	must(world_run(world, &result) == WORLD_INTERCEPTED, "the guest's violation");
	world_settle(world);
	must(vsm_vp_set_registers(world->vp, 1, name, value, 3) == 3, "sending VTL1 on");
}

/* ------------------------------------------------------------------ protections */

static void protections(void *opaque, uint64_t n)
{
	struct state *state = opaque;
	const struct gpa_range range = {.gpn = PROTECT_GPA / 4096, .pages = state->pages};
	const struct backend_ops *ops = state->guest.ops;

	while (n--) {
		must(!ops->protect(state->guest.backend, 0, &range, 1, GPA_ALL & ~GPA_WRITE),
		     "protect");
		must(!ops->protect(state->guest.backend, 0, &range, 1, GPA_ALL), "unprotect");
	}
}

static void bare_protections(void *opaque, uint64_t n)
{
	struct state *state = opaque;
	struct uffdio_writeprotect request = {
		.range = {.start = (uintptr_t)state->bare, .len = state->pages * 4096}};

	while (n--) {
		request.mode = UFFDIO_WRITEPROTECT_MODE_WP;
		must(!ioctl(state->uffd, UFFDIO_WRITEPROTECT, &request), "UFFDIO_WRITEPROTECT");
		request.mode = 0;
		must(!ioctl(state->uffd, UFFDIO_WRITEPROTECT, &request), "UFFDIO_WRITEPROTECT");
	}
}

static void make_bare_memory(struct state *state)
{
	int fd = memfd_create("bare", MFD_CLOEXEC);
	size_t size = PROTECT_PAGES * 4096ul;

	must(fd >= 0 && !ftruncate(fd, (off_t)size), "memfd");
	state->bare = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	must(state->bare != MAP_FAILED, "mmap");
	close(fd);
	madvise(state->bare, size, MADV_HUGEPAGE);
	state->uffd = uffd_open(NULL);
	must(state->uffd >= 0 && !uffd_register(state->uffd, state->bare, size, false),
	     "userfaultfd");
	memset(state->bare, 1, size);
}

static void bench_protections(struct bench *bench, struct state *state)
{
	static const struct {
		const char *name;
		uint64_t pages;
	} sizes[] = {
		{"protect+unprotect.1", 1},
		{"protect+unprotect.64", 64},
		{"protect+unprotect.512", 512},
		{"protect+unprotect.65536", 65536},
	};

	make_bare_memory(state);
	memset(state->guest.ram + PROTECT_GPA, 1, PROTECT_PAGES * 4096ul);
	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		state->pages = sizes[i].pages;
		bench_against(bench, sizes[i].name, protections, bare_protections, state, 0);
	}
}

static void make_exits(struct state *state)
{
	guest_create(&state->guest, 2, 1, PROTECT_GPA + PROTECT_PAGES * 4096ul);
	for (uint8_t vtl = 0; vtl < 2; vtl++) {
		const struct kvm_vp *vp = state->guest.vp[0];

		guest_start(&state->guest, 0, vtl, GUEST(g_exits));
		guest_run_on(&state->guest, 0, vtl);
		/* As bare as can be: no registers travel. */
		vp->vcpu[vtl].run->kvm_valid_regs = 0;
		vp->vcpu[vtl].run->immediate_exit = 0;
		state->exits[vtl] = vp->vcpu[vtl].fd;
	}
}

int main(int argc, char **argv)
{
	struct bench bench = bench_begin(argc, argv);
	struct state state = {0};

	make_exits(&state);
	must(!world_create(&state.world, 1, NULL), "making a partition");
	must(world_enter(&state.world), "entering VTL1");
	bench_against(&bench, "vtl.call+return", calls, two_exits, &state, 0);
	bench_against(&bench, "vtl.call+return.sse", calls_with_sse, two_exits, &state, 0);
	bench_against(&bench, "vtl.violation", violations, two_exits, &state, 0);
	bench_against(&bench, "hypercall", hypercalls, one_exit, &state, 0);
	bench_protections(&bench, &state);
	world_destroy(&state.world);
	return bench_end(&bench);
}
