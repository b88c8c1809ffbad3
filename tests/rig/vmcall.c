/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Hypercalls by VMCALL and VMMCALL. If KVM forwards them, the instruction of the CPU's vendor is a hypercall
 * in ring 0 of every protected mode, and raises #UD in other modes (TLFS "Legal Hypercall Environments"). The
 * instruction of the other vendor raises #UD (#GP in ring 3), and KVM does not patch it.
 */
#include <cpuid.h>
#include <fcntl.h>
#include <linux/kvm.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <vsm/hv/hv.h>
#include <vsm/vsm.h>

#include "tap.h"

enum {
	PML4 = 0x1000,
	PDPT = 0x2000,
	DIRECTORY = 0x3000,
	GDT = 0x4000,
	TSS = 0x5000,
	IDT = 0x6000,
	CODE = 0x8000,	     /* below 64 KiB: real mode reaches it, too */
	HANDLER = 0x9000,    /* handler of #UD */
	HANDLER_GP = 0x9010, /* handler of #GP, in long mode only */
	STACK = 0xc000,
	RAM = 2 << 20,
	PORT_BACK = 0x10,
	PORT_FAULT = 0x16,
	PORT_GP = 0x1d,
	EXCEPTION_UD = 6,
	EXCEPTION_GP = 13,
};

enum mode {
	MODE_64,
	MODE_COMPATIBILITY,
	MODE_32,
	MODE_64_USER,
	MODE_REAL,
	MODE_COUNT,
};

static const char *const mode_name[] = {
	[MODE_64] = "64-bit mode",	     [MODE_COMPATIBILITY] = "compatibility mode",
	[MODE_32] = "32-bit protected mode", [MODE_64_USER] = "ring 3",
	[MODE_REAL] = "real mode",
};

struct machine {
	struct vsm_partition *partition;
	struct vsm_vp *vp;
	uint8_t *ram;
};

static void put64(struct machine *machine, uint64_t gpa, uint64_t value)
{
	memcpy(machine->ram + gpa, &value, sizeof(value));
}

static bool create(struct machine *machine)
{
	static const uint8_t handler[] = {0xe7, PORT_FAULT, 0xf4};
	static const uint8_t handler_gp[] = {0xe7, PORT_GP, 0xf4};
	struct vsm_config config;
	void *ram = NULL;

	vsm_config_init(&config);
	config.max_vtl = 1;
	config.log.fn = tap_log;
	config.log.max_level = VSM_LOG_INFO;
	if (vsm_partition_create(&config, &machine->partition) ||
	    vsm_memory_add(machine->partition, 0, RAM, -1, 0, &ram))
		return false;
	machine->vp = vsm_partition_vp(machine->partition, 0);
	machine->ram = ram;
	put64(machine, PML4, PDPT | 7);
	put64(machine, PDPT, DIRECTORY | 7);
	put64(machine, DIRECTORY, 0xe7);
	put64(machine, GDT + 0x08, 0x00af9b000000ffff); /* 64-bit code */
	put64(machine, GDT + 0x10, 0x00cf93000000ffff);
	put64(machine, GDT + 0x18, 0x00cf9b000000ffff); /* 32-bit code */
	put64(machine, TSS + 4, STACK);
	/* The I/O map begins beyond the limit: no port is allowed (SDM 1, "I/O Permission Bit Map"). QEMU
	 * reads no map. */
	put64(machine, TSS + 0x60, UINT64_C(0xffff) << 48);
	memcpy(machine->ram + HANDLER, handler, sizeof(handler));
	memcpy(machine->ram + HANDLER_GP, handler_gp, sizeof(handler_gp));
	return true;
}

static void set(struct machine *machine, uint32_t name, union hv_register_value value)
{
	if (vsm_vp_set_registers(machine->vp, 0, &name, &value, 1) != 1)
		printf("# register %#x cannot be set\n", name);
}

static void set64(struct machine *machine, uint32_t name, uint64_t value)
{
	set(machine, name, (union hv_register_value){.reg128 = {.low = value}});
}

static uint64_t get64(struct machine *machine, uint32_t name)
{
	union hv_register_value value = {.reg128 = {0}};

	vsm_vp_get_registers(machine->vp, 0, &name, &value, 1);
	return value.reg64;
}

static void set_segment(struct machine *machine, uint32_t name, uint16_t selector, uint32_t limit,
			uint16_t attributes)
{
	set(machine, name,
	    (union hv_register_value){
		    .segment = {.limit = limit, .selector = selector, .attributes = attributes}});
}

/* The gate of #UD has 16 or 8 bytes, in real mode it is a far address; long mode also has one of #GP. */
static void put_handler(struct machine *machine, enum mode mode)
{
	memset(machine->ram + IDT, 0, 0x1000);
	if (mode == MODE_REAL)
		memcpy(machine->ram + IDT + EXCEPTION_UD * 4, &(uint32_t){HANDLER}, 4);
	else if (mode == MODE_32)
		put64(machine, IDT + EXCEPTION_UD * 8,
		      (HANDLER & 0xffff) | UINT64_C(0x18) << 16 | UINT64_C(0x8e00) << 32);
	else
		for (unsigned int gp = 0; gp < 2; gp++)
			put64(machine, IDT + (gp ? EXCEPTION_GP : EXCEPTION_UD) * 16,
			      (gp ? HANDLER_GP : HANDLER) | UINT64_C(8) << 16 |
				      UINT64_C(0x8e00) << 32);
}

static void set_mode(struct machine *machine, enum mode mode)
{
	const bool long_mode = mode != MODE_32 && mode != MODE_REAL;
	const bool user = mode == MODE_64_USER;
	const uint16_t privilege = user ? 0x60 : 0;

	set64(machine, HV_X64_REGISTER_CR4, 0x620);
	set64(machine, HV_X64_REGISTER_CR3, PML4);
	set64(machine, HV_X64_REGISTER_EFER, long_mode ? 0xd00 : 0);
	set64(machine, HV_X64_REGISTER_CR0,
	      long_mode		  ? 0x80010033
	      : mode == MODE_REAL ? 0x10
				  : 0x33);
	if (mode == MODE_REAL)
		set_segment(machine, HV_X64_REGISTER_CS, 0, 0xffff, 0x9b);
	else if (mode == MODE_32 || mode == MODE_COMPATIBILITY)
		set_segment(machine, HV_X64_REGISTER_CS, 0x18, 0xffffffff, 0xc09b);
	else
		set_segment(machine, HV_X64_REGISTER_CS, user ? 0xb : 8, 0xffffffff,
			    0xa09b | privilege);
	for (uint32_t name = HV_X64_REGISTER_SS; name <= HV_X64_REGISTER_DS; name++)
		set_segment(machine, name,
			    user		? 0x13
			    : mode == MODE_REAL ? 0
						: 0x10,
			    mode == MODE_REAL ? 0xffff : 0xffffffff,
			    mode == MODE_REAL ? 0x93 : 0xc093 | privilege);
	set(machine, HV_X64_REGISTER_TR,
	    (union hv_register_value){
		    .segment = {.base = TSS, .limit = 0x67, .selector = 0x28, .attributes = 0x8b}});
	set(machine, HV_X64_REGISTER_GDTR,
	    (union hv_register_value){.table = {.limit = 0x1f, .base = GDT}});
	set(machine, HV_X64_REGISTER_IDTR,
	    (union hv_register_value){.table = {.limit = 0xfff, .base = IDT}});
	set64(machine, HV_X64_REGISTER_RFLAGS, user ? 0x3002 : 2); /* ring 3 may use ports */
	set64(machine, HV_X64_REGISTER_RSP, STACK);
	put_handler(machine, mode);
}

/* @control: NotifyLongSpinWait (fast) or an unknown call. */
static void set_call(struct machine *machine, enum mode mode, uint32_t control)
{
	const bool long_mode = mode == MODE_64 || mode == MODE_64_USER;

	set64(machine, HV_X64_REGISTER_RAX, long_mode ? UINT64_C(0x1234567887654321) : control);
	set64(machine, HV_X64_REGISTER_RCX, long_mode ? control : 0);
	set64(machine, HV_X64_REGISTER_RDX, 0);
	set64(machine, HV_X64_REGISTER_R8, 0);
	set64(machine, HV_X64_REGISTER_RBX, 0);
	set64(machine, HV_X64_REGISTER_RBP, 0xbbbb);
	set64(machine, HV_X64_REGISTER_RSI, 0);
	set64(machine, HV_X64_REGISTER_RDI, 0);
}

/* Returns the port of the next OUT, or -1; *value is the value written. */
static int run(struct machine *machine, uint32_t *value)
{
	const struct vsm_exit *exit;

	for (;;) {
		if (vsm_vp_run(machine->vp, &exit))
			return -1;
		if (exit->reason == VSM_EXIT_INTERRUPTED)
			continue;
		if (exit->reason != VSM_EXIT_IO || !exit->io.write)
			return -1;
		*value = 0;
		memcpy(value, exit->io.data, exit->io.size);
		return exit->io.port;
	}
}

/* Completes an exit in progress, so that registers can be set. */
static void finish_exit(struct machine *machine)
{
	const struct vsm_exit *exit;

	do {
		vsm_vp_kick(machine->vp);
	} while (!vsm_vp_run(machine->vp, &exit) && exit->reason != VSM_EXIT_INTERRUPTED);
}

static int make_call(struct machine *machine, enum mode mode, const uint8_t instruction[3],
		     uint32_t control, uint32_t *value)
{
	const uint8_t code[] = {instruction[0], instruction[1], instruction[2],
				0xe7,		PORT_BACK,	0xf4};

	finish_exit(machine);
	memcpy(machine->ram + CODE, code, sizeof(code));
	set_mode(machine, mode);
	set_call(machine, mode, control);
	set64(machine, HV_X64_REGISTER_RIP, CODE);
	return run(machine, value);
}

static void test_own(struct machine *machine, const char *name, const uint8_t instruction[3])
{
	for (enum mode mode = MODE_64; mode <= MODE_32; mode++) {
		uint32_t value = UINT32_MAX;
		int port = make_call(machine, mode, instruction, 0x10008, &value);

		check(port == PORT_BACK && value == 0 &&
			      get64(machine, HV_X64_REGISTER_RBP) == 0xbbbb,
		      "%s in %s is a hypercall, and execution continues after it", name,
		      mode_name[mode]);
		port = make_call(machine, mode, instruction, 0x17fff, &value);
		check(port == PORT_BACK && value == HV_STATUS_INVALID_HYPERCALL_CODE,
		      "%s in %s: an unknown call has its status", name, mode_name[mode]);
	}
	for (enum mode mode = MODE_64_USER; mode < MODE_COUNT; mode++) {
		uint32_t value = UINT32_MAX;
		int port = make_call(machine, mode, instruction, 0x10008, &value);

		check(port == PORT_FAULT, "%s in %s is #UD", name, mode_name[mode]);
	}
}

static void test_other(struct machine *machine, const char *name, const uint8_t instruction[3])
{
	for (enum mode mode = MODE_64; mode < MODE_COUNT; mode++) {
		uint32_t value = UINT32_MAX;
		int port = make_call(machine, mode, instruction, 0x10008, &value);

		/* KVM's emulator checks the privilege first. */
		check((port == PORT_FAULT || (mode == MODE_64_USER && port == PORT_GP)) &&
			      !memcmp(machine->ram + CODE, instruction, 3),
		      "%s, of the other vendor, in %s is %s and is not patched", name,
		      mode_name[mode], port == PORT_GP ? "#GP" : "#UD");
	}
}

/* The CPU checks the privilege for a port before the OUT exits (docs/backend-kvm.md). */
static void test_page_in_ring_3(struct machine *machine)
{
	static const uint8_t out[3] = {0xe6, 0x7e, 0x90};
	uint32_t value;

	check(make_call(machine, MODE_64_USER, out, 0x10008, &value) == PORT_FAULT,
	      "the hypercall page's OUT in ring 3 is #UD with an IOPL that permits the port");
	finish_exit(machine);
	set_mode(machine, MODE_64_USER);
	set64(machine, HV_X64_REGISTER_RFLAGS, 2);
	set64(machine, HV_X64_REGISTER_RIP, CODE);
	check(run(machine, &value) == PORT_GP, "... and #GP with an IOPL that does not");
}

/* Whether KVM forwards the instruction, which is an option of its build. */
static bool is_forwarded(void)
{
	int fd = open("/dev/kvm", O_RDWR | O_CLOEXEC);
	int flags = fd < 0 ? 0 : ioctl(fd, KVM_CHECK_EXTENSION, KVM_CAP_XEN_HVM);

	if (fd >= 0)
		close(fd);
	return flags > 0 && (flags & KVM_XEN_HVM_CONFIG_INTERCEPT_HCALL);
}

int main(void)
{
	static const uint8_t vmcall[3] = {0x0f, 0x01, 0xc1};
	static const uint8_t vmmcall[3] = {0x0f, 0x01, 0xd9};
	struct machine machine;
	unsigned int a, b, c, d;

	if (!is_forwarded()) {
		printf("1..0 # SKIP this KVM does not forward VMCALL (CONFIG_KVM_XEN)\n");
		return 0;
	}
	__cpuid(0, a, b, c, d);
	if (!create(&machine)) {
		printf("Bail out! no partition\n");
		return 1;
	}
	if (b == signature_INTEL_ebx) {
		test_own(&machine, "VMCALL", vmcall);
		test_other(&machine, "VMMCALL", vmmcall);
	} else {
		test_own(&machine, "VMMCALL", vmmcall);
		test_other(&machine, "VMCALL", vmcall);
	}
	test_page_in_ring_3(&machine);
	vsm_partition_destroy(machine.partition);
	return checks_end();
}
