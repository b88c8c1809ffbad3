/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * VTL0 and VTL1 in 32-bit protected mode on a real KVM: hypercalls by EDX:EAX, EBX:ECX and EDI:ESI (TLFS
 * "Hypercall Inputs"), VTL call and return by the 32-bit stubs of the hypercall page (with EDX 0: it is half
 * of the control word).
 */
#include <stdio.h>
#include <string.h>

#include <vsm/hv/hv.h>
#include <vsm/vsm.h>

#include "flat_context.h"
#include "tap.h"

/* clang-format off */
#define MSR(number, low) "mov $" #number ", %ecx; mov $" #low ", %eax; xor %edx, %edx; wrmsr\n"
/* EBP has the address of the page: all other registers belong to the calling convention. */
#define CALL(page, control_low, control_high, input, output) \
	"mov $" #control_low ", %eax; mov $" #control_high ", %edx; xor %ebx, %ebx; mov $" #input ", %ecx\n" \
	"xor %edi, %edi; mov $" #output ", %esi; mov $" #page ", %ebp; call *%ebp\n"
#define OUTPUT(port) "out %eax, $" #port "; mov %edx, %eax; out %eax, $" #port "\n"

__asm__(".pushsection .rodata\n"
	".globl code_32, code_32_end, code_32_vtl1\n"
	".code32\n"
	"code_32:\n"
	MSR(0x40000000, 1)
	MSR(0x40000001, 0x40001)
	CALL(0x40000, 0x0d, 0, 0x9000, 0)
	OUTPUT(0x20)
	CALL(0x40000, 0x0f, 0, 0x9100, 0)
	OUTPUT(0x21)
	/* An unknown call: its status is in EAX, and EDX is 0. */
	CALL(0x40000, 0x7fff, 0, 0, 0)
	OUTPUT(0x22)
	"xor %eax, %eax; xor %edx, %edx; mov $0x40060, %ebp; mov $0x600d, %esi; call *%ebp\n"
	"mov %edi, %eax; mov %esp, %edx\n"
	OUTPUT(0x23)
	"xor %eax, %eax; xor %edx, %edx; mov $0x40060, %ebp; call *%ebp\n"
	"mov %edi, %eax; xor %edx, %edx\n"
	OUTPUT(0x24)
	"hlt\n"
	"code_32_vtl1:\n"
	MSR(0x40000000, 1)
	MSR(0x40000001, 0x41001)
	"mov %esi, %eax; mov %esp, %edx\n"
	OUTPUT(0x30)
	CALL(0x41000, 0x10008, 0, 0, 0)
	OUTPUT(0x31)
	/* GetVpRegisters of one register: the rep count 1 is above the code, the completed count above the
	 * status. */
	CALL(0x41000, 0x50, 1, 0x9300, 0x9400)
	OUTPUT(0x32)
	"mov $0x1234abcd, %edi; mov $1, %eax; xor %edx, %edx; mov $0x41080, %ebp; call *%ebp\n"
	"1: inc %edi; mov $1, %eax; xor %edx, %edx; mov $0x41080, %ebp; call *%ebp; jmp 1b\n"
	"code_32_end:\n"
	".code64\n"
	".popsection");
/* clang-format on */

extern const uint8_t code_32[], code_32_end[], code_32_vtl1[];

enum {
	GDT = 0x5000,
	TSS = 0x7000,
	INPUTS = 0x9000,
	OUTPUT = 0x9400,
	CODE = 0x10000,
	STACK0 = 0x38000,
	STACK1 = 0x3c000,
	RAM = 2 << 20,
};

/* IDTR.limit is 0, so an exception is a shutdown, which run() returns. */
static struct hv_initial_vp_context context(const uint8_t *code, uint64_t rsp)
{
	struct hv_initial_vp_context value =
		flat_context(FLAT_CODE_32, CODE + (uint64_t)(code - code_32), rsp, GDT, TSS);

	value.cr0 = 0x11;
	return value;
}

static void put_inputs(uint8_t *ram)
{
	static const uint64_t descriptors[] = {0, 0x00cf9b000000ffff, 0x00cf93000000ffff};
	const struct hv_enable_partition_vtl_input partition = {
		.partition_id = HV_PARTITION_ID_SELF, .target_vtl = 1};
	const struct hv_enable_vp_vtl_input vp = {
		.partition_id = HV_PARTITION_ID_SELF,
		.vp_index = HV_VP_INDEX_SELF,
		.target_vtl = 1,
		.context = context(code_32_vtl1, STACK1),
	};
	const struct hv_vp_registers_input registers = {.partition_id = HV_PARTITION_ID_SELF,
							.vp_index = HV_VP_INDEX_SELF};
	const uint32_t name = HV_REGISTER_VSM_CODE_PAGE_OFFSETS;

	memcpy(ram + GDT, descriptors, sizeof(descriptors));
	memcpy(ram + CODE, code_32, (size_t)(code_32_end - code_32));
	memcpy(ram + INPUTS, &partition, sizeof(partition));
	memcpy(ram + INPUTS + 0x100, &vp, sizeof(vp));
	memcpy(ram + INPUTS + 0x300, &registers, sizeof(registers));
	memcpy(ram + INPUTS + 0x300 + sizeof(registers), &name, sizeof(name));
}

/* Returns the port of the next OUT, and EAX and EDX in @value. */
static int run(struct vsm_vp *vp, uint32_t value[2])
{
	const struct vsm_exit *exit;
	int port = 0;

	for (unsigned int i = 0; i < 2;) {
		if (vsm_vp_run(vp, &exit))
			return -1000;
		if (exit->reason == VSM_EXIT_INTERRUPTED)
			continue;
		if (exit->reason != VSM_EXIT_IO || !exit->io.write || exit->io.size != 4)
			return -(int)exit->reason;
		memcpy(&value[i++], exit->io.data, 4);
		port = exit->io.port;
	}
	return port;
}

static void test(struct vsm_vp *vp, const uint8_t *ram)
{
	static const struct {
		int port;
		uint32_t eax;
		uint32_t edx;
		const char *what;
	} steps[] = {
		{0x20, 0, 0, "VTL0 enables VTL1 for the partition"},
		{0x21, 0, 0, "VTL0 enables a 32-bit VTL1 on its VP"},
		{0x22, 2, 0, "an unknown call has its status in EAX"},
		{0x30, 0x600d, STACK1, "VTL0 calls VTL1: ESI is shared, ESP is not"},
		{0x31, 0, 0, "VTL1 makes a fast hypercall"},
		{0x32, 0, 1, "VTL1 makes a rep call: EDX has the number of elements done"},
		{0x23, 0x1234abcd, STACK0, "VTL1 returns: EDI is shared, ESP is not"},
		{0x24, 0x1234abce, 0, "a second VTL call and return do the same"},
	};
	uint32_t value[2] = {0};
	uint32_t offsets;

	for (size_t i = 0; i < sizeof(steps) / sizeof(steps[0]); i++) {
		int port = run(vp, value);

		check(port == steps[i].port && value[0] == steps[i].eax && value[1] == steps[i].edx,
		      "%s (%#x: %#x, %#x)", steps[i].what, (unsigned int)port, value[0], value[1]);
	}
	memcpy(&offsets, ram + OUTPUT, sizeof(offsets));
	check((offsets & 0xfff) == 0x60 && (offsets >> 12 & 0xfff) == 0x80,
	      "a 32-bit VTL gets the offsets of the stubs for 32-bit code (%#x)", offsets);
}

int main(void)
{
	struct vsm_partition *partition;
	struct vsm_config config;
	void *ram = NULL;
	const struct hv_initial_vp_context vtl0 = context(code_32, STACK0);

	vsm_config_init(&config);
	config.max_vtl = 1;
	config.log.fn = tap_log;
	config.log.max_level = VSM_LOG_INFO;
	if (vsm_partition_create(&config, &partition) ||
	    vsm_memory_add(partition, 0, RAM, -1, 0, &ram) ||
	    !flat_start(vsm_partition_vp(partition, 0), &vtl0)) {
		printf("Bail out! no partition\n");
		return 1;
	}
	put_inputs(ram);
	test(vsm_partition_vp(partition, 0), ram);
	vsm_partition_destroy(partition);
	return checks_end();
}
