/* SPDX-License-Identifier: BSD-2-Clause */
/* Intercepts of MSRs, ports and control registers (TLFS "Secure Register Intercepts", InstallIntercept). */
#include "tests.h"

#include <vsm/hv/hv.h>

#include "kit/apic.h"
#include "kit/cpu.h"
#include "kit/hypercall.h"
#include "kit/memory.h"
#include "kit/x64.h"
#include "ops.h"

/* VMware's backdoor. If a VMM has it, an access without the magic number in EAX has no effect. */
#define PORT 0x5658

struct control {
	uint64_t bits;
	uint64_t cr4_mask;
	uint16_t status;
};

static void set_control(void *argument)
{
	struct control *control = argument;

	register_set_u64(HV_VP_INDEX_SELF, 0, HV_X64_REGISTER_CR_INTERCEPT_CR4_MASK,
			 control->cr4_mask);
	control->status = register_set_u64(HV_VP_INDEX_SELF, 0,
					   HV_X64_REGISTER_CR_INTERCEPT_CONTROL, control->bits);
}

static uint16_t watch(uint64_t bits, uint64_t cr4_mask)
{
	struct control control = {bits, cr4_mask, 0};

	vtl_run(set_control, &control);
	return control.status;
}

static const struct hv_x64_msr_intercept_message *last_msr(void)
{
	return (const void *)last_intercept()->payload;
}

static void watched_write(uint64_t bit, uint32_t msr, uint64_t value)
{
	const uint64_t before = rdmsr(msr);
	const uint32_t count = intercepts();

	if (watch(bit, 0) != HV_STATUS_SUCCESS) {
		tap_skip("this host cannot intercept writes of each of these MSRs");
		return;
	}
	on_intercept(vtl_skip, NULL);
	op_wrmsr(msr, value);
	on_intercept(NULL, NULL);
	if (expect_equal(intercepts(), count + 1)) {
		check_header(last_intercept(), HV_MESSAGE_TYPE_X64_MSR_INTERCEPT, op_wrmsr_at,
			     op_wrmsr_end, HV_INTERCEPT_ACCESS_WRITE);
		expect_equal(last_msr()->header.instruction_length_cr8, 2);
		expect_equal(last_msr()->msr_number, msr);
		expect_equal((uint32_t)last_msr()->rax, (uint32_t)value);
		expect_equal((uint32_t)last_msr()->rdx, (uint32_t)(value >> 32));
	}
	expect_equal(rdmsr(msr), before);
	expect_equal(watch(0, 0), HV_STATUS_SUCCESS);
	op_wrmsr(msr, before);
	expect_equal(intercepts(), count + 1);
}

static void msr_writes_are_stopped(void)
{
	watched_write(HV_CR_INTERCEPT(MSR_LSTAR_WRITE), MSR_LSTAR, 0x1234560000);
	watched_write(HV_CR_INTERCEPT(MSR_STAR_WRITE), MSR_STAR, 0x0023001000000000);
	watched_write(HV_CR_INTERCEPT(MSR_SFMASK_WRITE), MSR_SFMASK, 0x700);
	watched_write(HV_CR_INTERCEPT(MSR_EFER_WRITE), MSR_EFER, rdmsr(MSR_EFER) ^ 1);
	watched_write(HV_CR_INTERCEPT(MSR_SYSENTER_EIP_WRITE), MSR_SYSENTER_CS + 2, 0x1000);
	watched_write(HV_CR_INTERCEPT(APIC_BASE_MSR_WRITE), MSR_APIC_BASE,
		      rdmsr(MSR_APIC_BASE) ^ APIC_BASE_X2APIC);
}

static void write_for_it(struct vtl_service *service, const struct hv_message *message)
{
	expect_equal(
		register_set_u64(HV_VP_INDEX_SELF, input_vtl(0), HV_X64_REGISTER_LSTAR, 0xabc000),
		HV_STATUS_SUCCESS);
	vtl_skip(service, message);
}

static void vtl1_finishes_the_write(void)
{
	if (watch(HV_CR_INTERCEPT(MSR_LSTAR_WRITE), 0) != HV_STATUS_SUCCESS) {
		tap_skip("this host cannot intercept writes of LSTAR");
		return;
	}
	on_intercept(write_for_it, NULL);
	op_wrmsr(MSR_LSTAR, 0x1000);
	on_intercept(NULL, NULL);
	expect_equal(watch(0, 0), HV_STATUS_SUCCESS);
	expect_equal(rdmsr(MSR_LSTAR), 0xabc000);
}

static void write_lstar(void *argument)
{
	op_wrmsr(MSR_LSTAR, 0x777000);
}

static void gp_instead(void)
{
	const uint64_t before = rdmsr(MSR_LSTAR);
	struct fault fault;

	if (watch(HV_CR_INTERCEPT(MSR_LSTAR_WRITE), 0) != HV_STATUS_SUCCESS) {
		tap_skip("this host cannot intercept writes of LSTAR");
		return;
	}
	on_intercept(vtl_inject_gp, NULL);
	expect(catch_fault(&fault, write_lstar, NULL));
	on_intercept(NULL, NULL);
	expect_equal(watch(0, 0), HV_STATUS_SUCCESS);
	expect_equal(fault.vector, VECTOR_GP);
	expect_equal(fault.rip, (uint64_t)op_wrmsr_at);
	expect_equal(rdmsr(MSR_LSTAR), before);
}

/* P20: a bit that the host cannot intercept must be refused; accepted bits must work. */
static void accepted_bits_work(void)
{
	const uint16_t status = watch(HV_CR_INTERCEPT(CR4_WRITE), CR4_PGE);
	const uint64_t cr4 = read_cr4();
	const uint32_t count = intercepts();
	const struct hv_x64_intercept_message_header *header;

	if (status != HV_STATUS_SUCCESS) {
		tap_skip("this host cannot intercept writes of control registers");
		return;
	}
	on_intercept(vtl_skip, NULL);
	write_cr4(cr4 ^ CR4_PGE);
	on_intercept(NULL, NULL);
	expect_equal(watch(0, 0), HV_STATUS_SUCCESS);
	expect_equal(intercepts(), count + 1);
	header = (const void *)last_intercept()->payload;
	expect_equal(last_intercept()->message_type, HV_MESSAGE_TYPE_REGISTER_INTERCEPT);
	expect_equal(header->instruction_length_cr8, 3);
	expect_equal(read_cr4(), cr4);
}

struct table_pointer {
	uint16_t limit;
	uint64_t base;
} __attribute__((packed));

static void accepted_tables_work(void)
{
	const uint16_t status = watch(HV_CR_INTERCEPT(IDTR_WRITE), 0);
	const struct table_pointer odd = {0x7ff, (uint64_t)cpu_idt};
	const uint32_t count = intercepts();
	struct table_pointer now;

	if (status != HV_STATUS_SUCCESS) {
		tap_skip("this host cannot intercept writes of descriptor-table registers");
		return;
	}
	on_intercept(vtl_skip, NULL);
	__asm__ volatile("lidt %0" : : "m"(odd) : "memory");
	on_intercept(NULL, NULL);
	expect_equal(watch(0, 0), HV_STATUS_SUCCESS);
	expect_equal(intercepts(), count + 1);
	__asm__ volatile("sidt %0" : "=m"(now) : : "memory");
	expect_equal(now.limit, sizeof(cpu_idt) - 1);
}

struct installation {
	uint32_t type, access;
	uint64_t parameter;
	uint16_t status;
};

static void install_in_vtl1(void *argument)
{
	struct installation *installation = argument;
	const struct hv_install_intercept_input input = {
		.partition_id = HV_PARTITION_ID_SELF,
		.access_type_mask = installation->access,
		.intercept_type = installation->type,
		.intercept_parameters = installation->parameter,
	};

	installation->status = hypercall(HV_CALL_INSTALL_INTERCEPT, &input, sizeof(input), NULL, 0);
}

static uint16_t install(uint32_t type, uint32_t access, uint64_t parameter)
{
	struct installation installation = {type, access, parameter, 0};

	vtl_run(install_in_vtl1, &installation);
	return installation.status;
}

static void ports_are_stopped(void)
{
	const uint32_t count = intercepts();
	const struct hv_x64_io_port_intercept_message *io;

	if (install(HV_INTERCEPT_TYPE_X64_IO_PORT,
		    HV_INTERCEPT_ACCESS_MASK_READ | HV_INTERCEPT_ACCESS_MASK_WRITE,
		    PORT) != HV_STATUS_SUCCESS) {
		tap_skip("this hypervisor has no port intercepts");
		return;
	}
	on_intercept(vtl_skip, NULL);
	op_out(PORT, 0x12345678);
	io = (const void *)last_intercept()->payload;
	expect_equal(intercepts(), count + 1);
	check_header(last_intercept(), HV_MESSAGE_TYPE_X64_IO_PORT_INTERCEPT, op_out_at, op_out_end,
		     HV_INTERCEPT_ACCESS_WRITE);
	expect_equal(io->header.instruction_length_cr8, 1);
	expect_equal(io->port_number, PORT);
	expect_equal(io->access_info & 7, 4);
	expect_equal((uint32_t)io->rax, 0x12345678);
	/* A skipped IN must not change RAX. */
	expect_equal((uint32_t)op_in(PORT, 0), 0x5a5a5a5a);
	on_intercept(NULL, NULL);
	expect_equal(intercepts(), count + 2);
	check_header(last_intercept(), HV_MESSAGE_TYPE_X64_IO_PORT_INTERCEPT, op_in_at, op_in_end,
		     HV_INTERCEPT_ACCESS_READ);
	expect_equal(install(HV_INTERCEPT_TYPE_X64_IO_PORT, 0, PORT), HV_STATUS_SUCCESS);
	op_out(PORT, 1);
	expect_equal(intercepts(), count + 2);
}

static void answer(struct vtl_service *service, const struct hv_message *message)
{
	service->gpr[GPR_RAX] = 0xfeedface;
	vtl_skip(service, message);
}

static void vtl1_answers_in(void)
{
	if (install(HV_INTERCEPT_TYPE_X64_IO_PORT, HV_INTERCEPT_ACCESS_MASK_READ, PORT) !=
	    HV_STATUS_SUCCESS) {
		tap_skip("this hypervisor has no port intercepts");
		return;
	}
	on_intercept(answer, NULL);
	expect_equal((uint32_t)op_in(PORT, 0), 0xfeedface);
	on_intercept(NULL, NULL);
	expect_equal(install(HV_INTERCEPT_TYPE_X64_IO_PORT, 0, PORT), HV_STATUS_SUCCESS);
}

static void vtl0_installs_nothing(void)
{
	struct installation installation = {HV_INTERCEPT_TYPE_X64_IO_PORT,
					    HV_INTERCEPT_ACCESS_MASK_READ, PORT, 0};

	install_in_vtl1(&installation); /* run in VTL0 */
	expect_equal(installation.status, HV_STATUS_ACCESS_DENIED);
}

static const struct tap_case cases[] = {
	{"writes of MSRs that VTL1 watches are stopped at the instruction, and can be skipped",
	 msr_writes_are_stopped},
	{"VTL1 performs a write by setting the register and RIP", vtl1_finishes_the_write},
	{"VTL1 turns a write into a general-protection fault", gp_instead},
	{"writes of CR4 are intercepted if CrInterceptControl accepts the bit (P20)",
	 accepted_bits_work},
	{"LIDT is intercepted before it has an effect, if CrInterceptControl accepts its bit "
	 "(P15, P20)",
	 accepted_tables_work},
	{"IN and OUT of a port that VTL1 watches are stopped", ports_are_stopped},
	{"VTL1 answers an IN", vtl1_answers_in},
	{"VTL0 cannot install intercepts", vtl0_installs_nothing},
};

TAP_TOPIC(topic_intercept, needs_vtl1, cases);
