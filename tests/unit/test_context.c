/* SPDX-License-Identifier: BSD-2-Clause */
/* RESET, INIT (SDM 3A table 10-1), initial contexts (TLFS "HvCallEnableVpVtl"), and the x87, SSE
 * and AVX registers, which are valid only with their bit of XSTATE_BV (SDM 1, 13.4). */
#include "hypercall_test.h"

#include <stdio.h>

#include "core/vp/fpu.h"
#include "core/vp/cpu_registers.h"
#include "needs.h"

#include "fixture.h"

static int setup(void **state)
{
	return fixture(1, 2);
}

static void reset_gives_the_state_of_the_manual(void **state)
{
	const struct vcpu_state *cpu;
	uint32_t leaf[4];

	memset(vcpu_edit(vp, 0, VCPU_ALL)->gpr, 0xff, sizeof(uint64_t[GPR_COUNT]));
	regs_reset(vp, 0, false);
	cpu = vcpu_get(vp, 0, VCPU_ALL);
	partition->ops->vp_cpuid(vp->backend, 1, 0, leaf);
	for (unsigned int i = 0; i < GPR_COUNT; i++)
		assert_int_equal(cpu->gpr[i], i == GPR_RDX ? leaf[0] : 0);
	assert_int_equal(cpu->rip, 0xfff0);
	assert_int_equal(cpu->rflags, 2);
	assert_int_equal(cpu->cr0, 0x60000010);
	assert_int_equal(cpu->cr2 | cpu->cr3 | cpu->cr4 | cpu->efer, 0);
	assert_int_equal(cpu->segment[SEGMENT_CS].selector, 0xf000);
	assert_int_equal(cpu->segment[SEGMENT_CS].base, 0xffff0000);
	for (unsigned int i = 0; i < SEGMENT_COUNT; i++)
		assert_int_equal(cpu->segment[i].limit, 0xffff);
	assert_int_equal(cpu->gdtr.limit, 0xffff);
	assert_int_equal(cpu->idtr.base, 0);
	assert_int_equal(cpu->dr6, 0xffff0ff0);
	assert_int_equal(cpu->dr7, 0x400);
	assert_int_equal(cpu->xcr0, 1);
	assert_int_equal(cpu->msr[VCPU_MSR_PAT], UINT64_C(0x0007040600070406));
	/* x87 control 0x40, tags 0x5555 (abridged: all in use), MXCSR 0x1f80. */
	assert_int_equal(cpu->xsave[0], 0x40);
	assert_int_equal(cpu->xsave[4], 0xff);
	assert_int_equal(cpu->xsave[24] | cpu->xsave[25] << 8, 0x1f80);
	assert_int_equal(cpu->xsave[512], 3);
}

static void init_keeps_caches_fpu_and_msrs(void **state)
{
	struct vcpu_state *cpu = vcpu_edit(vp, 0, VCPU_ALL);

	cpu->cr0 = 0x80000011;
	cpu->xcr0 = 7;
	cpu->msr[VCPU_MSR_LSTAR] = 0x1234;
	cpu->xsave[0] = 0x77;
	cpu->xsave[160] = 0x99;
	cpu->xsave[512] = 3;
	vp->mtrr.def_type = 0xc06;
	regs_reset(vp, 0, true);
	assert_int_equal(cpu->cr0, 0x10);
	assert_int_equal(cpu->rip, 0xfff0);
	assert_int_equal(cpu->xcr0, 7);
	assert_int_equal(cpu->msr[VCPU_MSR_LSTAR], 0x1234);
	assert_int_equal(cpu->xsave[0], 0x77);
	assert_int_equal(cpu->xsave[160], 0x99);
	assert_int_equal(vp->mtrr.def_type, 0xc06);
}

static void contexts_of_real_kernels_are_accepted(void **state)
{
	struct hv_initial_vp_context context = guest_context(0x20000, 0x8fff);

	/* Null data segments and LDTR, zero limits, RFLAGS with IF, PCID bits, unaligned RSP. */
	context.ds = context.es = context.fs = context.gs = context.ldtr =
		(struct hv_x64_segment_register){0};
	context.cs = (struct hv_x64_segment_register){.selector = 8, .attributes = 0x309b};
	context.ss = (struct hv_x64_segment_register){.selector = 16, .attributes = 0x1093};
	context.tr = (struct hv_x64_segment_register){.limit = 0x67, .attributes = 0x8b};
	context.rflags = 0x246;
	context.cr3 |= 1;
	context.cr4 |= X64_CR4_PCIDE;
	context.rip = UINT64_C(0xffffffff81000000);
	assert_int_equal(regs_check_context(partition, 1, &context), HV_STATUS_SUCCESS);
	/* A null task register, and EFER.LMA clear. */
	context.tr = (struct hv_x64_segment_register){0};
	context.efer &= ~X64_EFER_LMA;
	assert_int_equal(regs_check_context(partition, 1, &context), HV_STATUS_SUCCESS);
	regs_load_context(vp, 1, &context);
	assert_true(vcpu_get(vp, 1, VCPU_SYSTEM)->efer & X64_EFER_LMA);
	assert_int_equal(vcpu_get(vp, 1, VCPU_SYSTEM)->segment[SEGMENT_TR].attributes, 0x8b);
	assert_int_equal(vcpu_get(vp, 1, VCPU_SYSTEM)->segment[SEGMENT_CS].attributes, 0x309b);
	assert_int_equal(vcpu_get(vp, 1, VCPU_GPR)->rip, context.rip);
}

#define BAD(change)                                                         \
	do {                                                                \
		struct hv_initial_vp_context c = guest_context(0x20000, 0); \
		change;                                                     \
		assert_int_equal(regs_check_context(partition, 1, &c),      \
				 HV_STATUS_INVALID_REGISTER_VALUE);         \
	} while (0)

static void contexts_that_no_cpu_can_be_in_are_refused(void **state)
{
	struct hv_initial_vp_context real = guest_context(0x20000, 0);

	BAD(c.rip = UINT64_C(1) << 60);
	BAD(c.rflags = X64_RFLAGS_VM);
	BAD(c.rflags = UINT64_C(1) << 40);
	BAD(c.cr0 |= UINT64_C(1) << 40);
	BAD(c.cr0 &= ~(uint64_t)X64_CR0_PE);
	BAD(c.cr0 |= X64_CR0_NW);
	BAD(c.cr3 |= UINT64_C(1) << 50);
	BAD(c.cr4 |= UINT64_C(1) << 30);
	BAD(c.cr4 &= ~(uint64_t)X64_CR4_PAE);
	BAD(c.efer |= 1 << 20);
	BAD(c.pat = 0x0203);
	BAD(c.cs.attributes = 0xe09b);
	BAD(c.tr.attributes = 0x89); /* available, not busy */
	BAD(c.fs.base = UINT64_C(1) << 60);
	BAD(c.ds.base = UINT64_C(1) << 32);
	BAD(c.gdtr.base = UINT64_C(1) << 60);
	/* Only VTL0 may start in real mode (TLFS "HvCallEnableVpVtl"), and only with CS.L clear. */
	real.cr0 = X64_CR0_ET;
	real.efer = 0;
	real.cr4 = 0;
	assert_int_equal(regs_check_context(partition, 0, &real), HV_STATUS_INVALID_REGISTER_VALUE);
	real.cs.attributes = 0x9b;
	assert_int_equal(regs_check_context(partition, 0, &real), HV_STATUS_SUCCESS);
	assert_int_equal(regs_check_context(partition, 1, &real), HV_STATUS_INVALID_REGISTER_VALUE);
}

static char logged[512];
static enum vsm_log_level logged_level;

static void keep_line(void *opaque, const struct vsm_log_record *record)
{
	snprintf(logged, sizeof(logged), "%s", record->text);
	logged_level = record->level;
}

static void the_log_names_the_register_of_a_refused_context(void **state)
{
	partition->log = (struct vsm_log){keep_line, NULL, VSM_LOG_DEBUG};
	BAD(c.tr.attributes = 0x89);
	assert_string_equal(logged, "VTL1: initial VP context: INVALID_REGISTER_VALUE: tr");
	assert_int_equal(logged_level, VSM_LOG_WARN);
	/* Only a debug line: the VMM made no error, and a guest can repeat the call at will. */
	BAD(c.cr4 &= ~(uint64_t)X64_CR4_PAE);
	assert_non_null(strstr(logged, ": cr4: long mode needs PAE"));
	assert_int_equal(logged_level, VSM_LOG_DEBUG);
	BAD((c.cr0 = X64_CR0_ET, c.efer = 0, c.cr4 = 0));
	assert_non_null(strstr(logged, "only VTL0 may use real mode"));
	BAD(c.fs.base = UINT64_C(1) << 60);
	assert_non_null(strstr(logged, ": fs"));
}

/* The CPU checks the limit of CS except in 64-bit mode: the first fetch would fault. */
static void code_beyond_the_limit_of_its_segment_is_refused(void **state)
{
	struct hv_initial_vp_context context = guest_context(0x20000, 0x8000);

	context.cs.limit = 0xffff;
	assert_int_equal(regs_check_context(partition, 1, &context), HV_STATUS_SUCCESS);
	context.cs.attributes = 0x409b;
	assert_int_equal(regs_check_context(partition, 1, &context),
			 HV_STATUS_INVALID_REGISTER_VALUE);
	context.efer = 0;
	context.cr0 &= ~(uint64_t)X64_CR0_PG;
	assert_int_equal(regs_check_context(partition, 1, &context),
			 HV_STATUS_INVALID_REGISTER_VALUE);
	context.rip = 0xffff;
	assert_int_equal(regs_check_context(partition, 1, &context), HV_STATUS_SUCCESS);
}

static struct vcpu_state *stale_fpu(void)
{
	struct vcpu_state *cpu = vcpu_edit(vp, 0, VCPU_FPU);

	/* Each component is in its initial state, with stale bytes in its area. */
	memset(cpu->xsave, 0x5a, cpu->xsave_size);
	memset(cpu->xsave + 512, 0, 64);
	return cpu;
}

static uint32_t word(const struct vcpu_state *cpu, unsigned int at, unsigned int size)
{
	uint32_t value = 0;

	memcpy(&value, cpu->xsave + at, size);
	return value;
}

static void p08_components_in_their_initial_state_read_their_initial_values(void **state)
{
	struct hv_x64_fp_control_status_register fp;
	struct hv_x64_xmm_control_status_register xmm;
	struct hv_x64_fp_register st;
	const struct vcpu_state *cpu = stale_fpu();
	uint8_t value[16];
	const uint8_t zero[16] = {0};

	fpu_get_xmm(cpu, 3, value);
	assert_memory_equal(value, zero, 16);
	assert_true(fpu_get_ymm_high(cpu, 3, value));
	assert_memory_equal(value, zero, 16);
	fpu_get_st(cpu, 3, &st);
	assert_memory_equal(&st, zero, 16);
	fpu_get_control(cpu, &fp);
	assert_int_equal(fp.control, 0x37f);
	assert_int_equal(fp.tag | fp.status, 0);
	fpu_get_xmm_control(cpu, &xmm);
	assert_int_equal(xmm.mxcsr, 0x1f80);
	assert_int_equal(xmm.last_rdp, 0);
}

static void p08_setting_one_register_gives_its_neighbours_their_initial_values(void **state)
{
	const struct hv_x64_fp_register st = {.mantissa = 1, .exponent_sign = 2};
	const uint8_t value[16] = {1, 2, 3};
	struct vcpu_state *cpu = stale_fpu();

	fpu_set_xmm(cpu, 0, value);
	assert_int_equal(cpu->xsave[512], 2);
	assert_int_equal(word(cpu, 24, 4), 0x1f80);
	assert_int_equal(word(cpu, 160 + 16, 4), 0);

	cpu = stale_fpu();
	fpu_set_ymm_high(cpu, 0, value);
	assert_int_equal(cpu->xsave[512], 4);
	assert_int_equal(word(cpu, 24, 4), 0x1f80);
	assert_int_equal(word(cpu, 576 + 16, 4), 0);

	cpu = stale_fpu();
	fpu_set_st(cpu, 1, &st);
	assert_int_equal(cpu->xsave[512], 1);
	assert_int_equal(word(cpu, 0, 2), 0x37f);
	assert_int_equal(word(cpu, 4, 1), 0);
	assert_int_equal(word(cpu, 32, 4), 0);
	assert_int_equal(word(cpu, 48, 4), 1);
}

static void p08_a_valid_mxcsr_is_kept_when_another_component_becomes_valid(void **state)
{
	const uint8_t value[16] = {1};
	struct vcpu_state *cpu = stale_fpu();

	cpu->xsave[512] = 4; /* AVX is in use: MXCSR is valid, the XMM registers are not */
	cpu->xsave[24] = 0xa0;
	cpu->xsave[25] = 0x1f;
	fpu_set_xmm(cpu, 0, value);
	assert_int_equal(word(cpu, 24, 2), 0x1fa0);
	assert_int_equal(word(cpu, 160 + 16, 4), 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(reset_gives_the_state_of_the_manual),
		TEST(init_keeps_caches_fpu_and_msrs),
		TEST_NEEDS(NEED_SIM_CPU, contexts_of_real_kernels_are_accepted),
		TEST(contexts_that_no_cpu_can_be_in_are_refused),
		TEST(the_log_names_the_register_of_a_refused_context),
		TEST(code_beyond_the_limit_of_its_segment_is_refused),
		TEST(p08_components_in_their_initial_state_read_their_initial_values),
		TEST(p08_setting_one_register_gives_its_neighbours_their_initial_values),
		TEST(p08_a_valid_mxcsr_is_kept_when_another_component_becomes_valid),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
