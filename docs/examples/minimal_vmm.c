/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A complete virtual machine monitor on libvsm: one processor, 2 MiB of RAM, a console at a port.
 *
 *     cc -o minimal_vmm minimal_vmm.c $(pkg-config --cflags --libs vsm)
 *
 * Its guest is some 70 bytes of 16-bit code, which prints the hypervisor's signature from CPUID and the
 * number of its VP from the VP_INDEX MSR, and requests a reset by the RESET MSR. vsm_vp_run() takes the
 * place of KVM_RUN; the library implements the Hyper-V interface.
 */
#include <stdio.h>
#include <string.h>

#include <vsm/hv/hv.h>
#include <vsm/vsm.h>

enum {
	RAM_SIZE = 2 << 20,
	CODE = 0x1000,
	CONSOLE = 0xe9, /* the port at which Bochs and QEMU have a console */
};

/* The guest. After a reset, a processor is in real mode with all segments but CS at 0. */
extern const char guest_begin[];
extern const char guest_end[];
__asm__(".pushsection .rodata\n"
	".code16\n"
	"guest_begin:\n"
	"	movl $0x40000000, %eax\n" /* HV_CPUID_VENDOR_AND_MAX_FUNCTION */
	"	cpuid\n"
	"	movl %ebx, 0x2000\n" /* the name is in EBX, ECX and EDX */
	"	movl %ecx, 0x2004\n"
	"	movl %edx, 0x2008\n"
	"	movw $0x2000, %si\n"
	"	movw $12, %cx\n"
	"	movw $0xe9, %dx\n"
	"	rep outsb\n"
	"	movb $10, %al\n"
	"	outb %al, %dx\n"
	"	movl $0x40000002, %ecx\n" /* HV_X64_MSR_VP_INDEX */
	"	rdmsr\n"
	"	addb $48, %al\n"
	"	movw $0xe9, %dx\n"
	"	outb %al, %dx\n"
	"	movb $10, %al\n"
	"	outb %al, %dx\n"
	"	movl $0x40000003, %ecx\n" /* HV_X64_MSR_RESET */
	"	movl $1, %eax\n"
	"	xorl %edx, %edx\n"
	"	wrmsr\n"
	"1:	hlt\n"
	"	jmp 1b\n"
	"guest_end:\n"
	".code64\n"
	".popsection");

/* The library prints nothing itself. */
static void print_log(void *opaque, const struct vsm_log_record *record)
{
	(void)opaque;
	fprintf(stderr, "%s: %s\n", vsm_log_level_name(record->level), record->text);
}

/* Sets CS to 0 and RIP to the entry point; other registers keep their values after a reset. */
static int set_registers(struct vsm_vp *vp)
{
	static const uint32_t names[] = {HV_X64_REGISTER_CS, HV_X64_REGISTER_RIP};
	const union hv_register_value values[] = {
		/* Type 11: code, readable and accessed. */
		{.segment = {.limit = 0xffff,
			     .attributes =
				     HV_X64_SEGMENT_PRESENT | HV_X64_SEGMENT_NON_SYSTEM | 11}},
		{.reg128 = {.low = CODE}},
	};

	return vsm_vp_set_registers(vp, 0, names, values, 2) == 2 ? 0 : -1;
}

/* One device; reads of other ports return all ones, as without a device. */
static void port_io(const struct vsm_exit *exit)
{
	const size_t size = (size_t)exit->io.size * exit->io.count;

	if (!exit->io.write)
		memset(exit->io.data, 0xff, size);
	else if (exit->io.port == CONSOLE)
		fwrite(exit->io.data, 1, size, stdout);
}

/* quoted in docs/adopt.md: */
/* Runs the guest to its end. 0: it requested a reset. */
static int run(struct vsm_vp *vp)
{
	const struct vsm_exit *exit;

	while (!vsm_vp_run(vp, &exit)) {
		switch (exit->reason) {
		case VSM_EXIT_IO:
			port_io(exit);
			break;
		case VSM_EXIT_MMIO:
			if (!exit->mmio.write)
				memset(exit->mmio.data, 0xff, exit->mmio.size);
			break;
		case VSM_EXIT_INTERRUPTED:
		case VSM_EXIT_EOI: /* there is no I/O APIC */
			break;
		case VSM_EXIT_RESET:
			puts("the guest requested a reset");
			return 0;
		default: /* SHUTDOWN, CRASH, ERROR */
			fprintf(stderr, "the guest stopped for reason %d\n", (int)exit->reason);
			return -1;
		}
	}
	return -1;
}
/* end of quote */

int main(void)
{
	struct vsm_partition *partition;
	struct vsm_config config;
	void *ram;
	int error;

	vsm_config_init(&config); /* one VP, VTLs 0 to 2 on offer */
	config.log.fn = print_log;
	config.log.max_level = VSM_LOG_WARN;
	error = vsm_partition_create(&config, &partition);
	if (error)
		return 1; /* print_log() has printed the reason */
	error = vsm_memory_add(partition, 0, RAM_SIZE, -1, 0, &ram);
	if (!error) {
		memcpy((char *)ram + CODE, guest_begin, (size_t)(guest_end - guest_begin));
		error = set_registers(vsm_partition_vp(partition, 0));
	}
	if (!error)
		error = run(vsm_partition_vp(partition, 0));
	vsm_partition_destroy(partition);
	return error ? 1 : 0;
}
