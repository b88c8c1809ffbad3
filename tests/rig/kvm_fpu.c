/* SPDX-License-Identifier: BSD-2-Clause */
/* FPU registers that the VTLs of a VP share in KVM, with the optional kernel part. */
#include <stdlib.h>
#include <string.h>

#include <vsm/vsm.h>

#include "core/x64.h"
#include "kvm_guest.h"
#include "tap.h"

#define MMIO UINT64_C(0xfeb00000)

__asm__(".pushsection .rodata\n"
	".globl guest_code, guest_code_end, g_put, g_get, g_mmio\n"
	"guest_code:\n"
	"g_put: movq %rdi, %xmm5; out %al, $0x10\n"
	"g_get: movq %xmm5, %rax; out %al, $0x10\n"
	"g_mmio: mov (%rdi), %rbx; movq %xmm5, %rax; out %al, $0x10\n"
	"guest_code_end:\n"
	".popsection");

static uint64_t xmm5(const struct vcpu_state *state)
{
	uint64_t value;

	memcpy(&value, state->xsave + X64_XSAVE_XMM0 + 5 * 16, sizeof(value));
	return value;
}

static void set_xmm5(struct vcpu_state *state, uint64_t value)
{
	uint64_t used;

	memcpy(&used, state->xsave + X64_XSAVE_BV, sizeof(used));
	used |= X64_XFEATURE_SSE;
	memcpy(state->xsave + X64_XSAVE_BV, &used, sizeof(used));
	memcpy(state->xsave + X64_XSAVE_XMM0 + 5 * 16, &value, sizeof(value));
}

static struct backend_run go(struct guest *guest, uint8_t vtl, uint64_t rip, uint64_t rdi)
{
	struct vcpu_state *state = guest_edit(guest, 0, vtl, VCPU_GPR);

	state->rip = rip;
	state->gpr[GPR_RDI] = rdi;
	return guest_run_on(guest, 0, vtl);
}

static bool put(struct guest *guest, uint8_t vtl, uint64_t value)
{
	const struct backend_run run = go(guest, vtl, GUEST(g_put), value);

	return guest_is_done(&run);
}

static uint64_t rax(struct guest *guest, uint8_t vtl)
{
	return guest_get(guest, 0, vtl, VCPU_GPR)->gpr[GPR_RAX];
}

static uint64_t get(struct guest *guest, uint8_t vtl)
{
	const struct backend_run run = go(guest, vtl, GUEST(g_get), 0);

	return guest_is_done(&run) ? rax(guest, vtl) : 0;
}

static void test_guests(struct guest *guest, bool shared)
{
	check(put(guest, 0, 0x1111) && (get(guest, 1) == 0x1111) == shared,
	      "VTL1 %s the value that VTL0 wrote", shared ? "reads" : "does not read");
	check(put(guest, 1, 0x2222) && (get(guest, 0) == 0x2222) == shared,
	      "VTL0 %s the value that VTL1 wrote", shared ? "reads" : "does not read");
}

static void test_files(struct guest *guest)
{
	check(xmm5(guest_get(guest, 0, 0, VCPU_FPU)) == 0x2222 && put(guest, 1, 0x3333) &&
		      xmm5(guest_get(guest, 0, 0, VCPU_FPU)) == 0x3333,
	      "the FPU registers of a register file are invalid after another VTL has run");
	set_xmm5(guest_edit(guest, 0, 1, VCPU_FPU), 0x4444);
	check(xmm5(guest_get(guest, 0, 0, VCPU_FPU)) == 0x4444 && get(guest, 0) == 0x4444,
	      "a value set for one VTL is loaded when another VTL runs first");
	check(put(guest, 0, 0x5555) && get(guest, 1) == 0x5555,
	      "a set value is loaded once, not again when that VTL runs");
	set_xmm5(guest_edit(guest, 0, 0, VCPU_FPU), 0x6666);
	set_xmm5(guest_edit(guest, 0, 1, VCPU_FPU), 0x7777);
	check(get(guest, 0) == 0x7777 && get(guest, 1) == 0x7777,
	      "the last value set applies, by whichever VTL's register file");
}

static void test_open_exit(struct guest *guest)
{
	const uint64_t data = 0x123456789abcdef0;
	struct backend_run run;

	put(guest, 1, 0x8888);
	run = go(guest, 0, GUEST(g_mmio), MMIO);
	check(run.exit == BACKEND_EXIT_MMIO, "VTL0 reads a device");
	memcpy(run.mmio.data, &data, sizeof(data));
	set_xmm5(guest_edit(guest, 0, 1, VCPU_FPU), 0x9999);
	run = guest_answer(guest, 0, &run, BACKEND_DONE);
	check(guest_is_done(&run) && rax(guest, 0) == 0x9999 &&
		      guest_get(guest, 0, 0, VCPU_GPR)->gpr[GPR_RBX] == data,
	      "VTL0 gets the MMIO data, and the XMM5 set for VTL1");
}

static void test_many(struct guest *guest)
{
	bool ok = true;

	for (uint64_t i = 1; i < 300 && ok; i++)
		ok = put(guest, i % 3 == 1, i) && get(guest, i % 3 != 1) == i &&
		     (i % 7 || xmm5(guest_get(guest, 0, i % 2, VCPU_FPU)) == i);
	check(ok, "299 writes by one VTL are read by the other");
}

static void make(struct guest *guest, uint8_t engine)
{
	if (guest_create_with(guest, engine, 2, 1, 16 * MIB))
		exit(1);
	guest_start(guest, 0, 0, GUEST(g_get));
	guest_start(guest, 0, 1, GUEST(g_get));
}

int main(void)
{
	struct guest guest;

	make(&guest, VSM_ENGINE_AUTO);
	check(guest.features.fpu_shared, "the VTLs of a VP share FPU registers");
	test_guests(&guest, true);
	test_files(&guest);
	test_open_exit(&guest);
	test_many(&guest);
	guest_destroy(&guest);

	make(&guest, VSM_ENGINE_UFFD);
	check(!guest.features.fpu_shared, "with engine uffd each VTL has its own FPU registers");
	test_guests(&guest, false);
	guest_destroy(&guest);
	return checks_end();
}
