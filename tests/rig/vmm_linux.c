/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Linux on the reference VMM's machine, as an independent test of loader, ACPI tables, serial port, clock,
 * I/O APIC and power. The processors are plain KVM vCPUs with KVM's local APICs (split irqchip), without
 * libvsm. Usage: vmm_linux KERNEL [BUSYBOX]; BUSYBOX is statically linked.
 */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>
#include <asm/kvm_para.h>
#include <linux/kvm.h>
#include "machine/machine.h"
#include "raw_kvm.h"
#include "tap.h"

#define PROCESSORS   2
#define MEMORY	     (256ull << 20)
#define CONSOLE_SIZE (256u << 10)
#define SECONDS	     500

struct processor {
	struct raw_vcpu *vcpu;
	pthread_t thread;
};

struct board {
	struct vmm_machine machine;
	struct vmm_config config;
	struct processor processor[PROCESSORS];
	struct raw_kvm raw;
	/* console, console_size and stop are guarded by the lock of the ports */
	char console[CONSOLE_SIZE];
	size_t console_size;
	enum vmm_stop stop;
	atomic_bool stopped;
	atomic_int trouble; /* reason of an unhandled exit, or a negative errno */
};

static struct board board;

static int write_memory(void *opaque, uint64_t gpa, const void *data, size_t size)
{
	(void)opaque;
	if (gpa > MEMORY || size > MEMORY - gpa)
		return -EFAULT;
	memcpy(board.raw.ram + gpa, data, size);
	return 0;
}

static enum vsm_ioapic_delivery msi(void *opaque, uint64_t address, uint32_t data)
{
	const struct kvm_msi message = {.address_lo = (uint32_t)address,
					.address_hi = (uint32_t)(address >> 32),
					.data = data};
	const int taken = ioctl(board.raw.vm, KVM_SIGNAL_MSI, &message);

	(void)opaque;
	if (taken > 0)
		return VSM_IOAPIC_ACCEPTED;
	return taken == 0 ? VSM_IOAPIC_MERGED : VSM_IOAPIC_REFUSED;
}

static void stop(void *opaque, enum vmm_stop what, int status)
{
	(void)opaque;
	(void)status;
	board.stop = what;
	atomic_store(&board.stopped, true);
}

static void console(void *opaque, uint8_t byte)
{
	(void)opaque;
	if (board.console_size < sizeof(board.console) - 1)
		board.console[board.console_size++] = (char)byte;
}

static void no_flush(void *opaque, uint64_t gpa)
{
	(void)opaque;
	(void)gpa;
}

static void no_test(void *opaque, const struct vmm_hv_test_request *request)
{
	(void)opaque;
	(void)request;
}

/* ---- the initrd: a cpio archive of the "newc" format ---- */

static size_t put_entry(uint8_t *at, const char *name, uint32_t mode, uint32_t major,
			uint32_t minor, const void *data, size_t size)
{
	const size_t name_size = strlen(name) + 1;
	size_t used = (size_t)sprintf(
		(char *)at, "070701%08x%08x%08x%08x%08x%08x%08x%08x%08x%08x%08x%08x%08x", 1, mode,
		0, 0, 1, 0, (unsigned int)size, 0, 0, major, minor, (unsigned int)name_size, 0);

	memcpy(at + used, name, name_size);
	used = (used + name_size + 3) & ~(size_t)3;
	if (size)
		memcpy(at + used, data, size);
	return (used + size + 3) & ~(size_t)3;
}

static const char *make_initrd(const char *busybox)
{
	static const char script[] = "#!/bin/busybox sh\n"
				     "/bin/busybox mount -t proc proc /proc\n"
				     "echo USER-SPACE-SAYS-HELLO\n"
				     "/bin/busybox cat /proc/interrupts\n"
				     "/bin/busybox date -u +DATE-%Y\n"
				     "/bin/busybox poweroff -f\n";
	static const char path[] = "initrd.cpio";
	const struct vmm_file_limit limit = {16u << 20, "expected", NULL, false};
	struct vmm_file file = {0};
	uint8_t *archive;
	size_t used = 0;
	FILE *out;

	if (vmm_file_read(&file, busybox, &limit, NULL))
		return NULL;
	archive = calloc(1, file.size + 65536);
	if (!archive)
		return NULL;
	used += put_entry(archive + used, "bin", S_IFDIR | 0755, 0, 0, NULL, 0);
	used += put_entry(archive + used, "proc", S_IFDIR | 0755, 0, 0, NULL, 0);
	used += put_entry(archive + used, "dev", S_IFDIR | 0755, 0, 0, NULL, 0);
	used += put_entry(archive + used, "dev/console", S_IFCHR | 0600, 5, 1, NULL, 0);
	used += put_entry(archive + used, "bin/busybox", S_IFREG | 0755, 0, 0, file.data,
			  file.size);
	used += put_entry(archive + used, "init", S_IFREG | 0755, 0, 0, script, sizeof(script) - 1);
	used += put_entry(archive + used, "TRAILER!!!", 0, 0, 0, NULL, 0);
	vmm_file_free(&file);
	out = fopen(path, "wb");
	if (!out || fwrite(archive, 1, used, out) != used || fclose(out)) {
		free(archive);
		return NULL;
	}
	free(archive);
	return path;
}

/* KVM's clock and the TSC deadline timer need no PIT for calibration. The test covers no other paravirtual
 * feature of KVM. */
static struct raw_kvm_cpuid cpuid_of(uint32_t id)
{
	struct raw_kvm_cpuid cpuid;

	raw_kvm_get_cpuid(&board.raw, &cpuid);
	for (uint32_t i = 0; i < cpuid.head.nent; i++) {
		struct kvm_cpuid_entry2 *entry = &cpuid.entry[i];

		if (entry->function == 1) {
			entry->ebx = (entry->ebx & 0xffff) | PROCESSORS << 16 | id << 24;
			entry->ecx |= 1u << 24 | 1u << 31; /* TSC deadline, hypervisor */
			entry->edx |= 1u << 28;
		} else if (entry->function == 0xb || entry->function == 0x1f) {
			entry->edx = id;
		} else if (entry->function == 0x40000001) {
			entry->eax &= 1u << KVM_FEATURE_CLOCKSOURCE |
				      1u << KVM_FEATURE_CLOCKSOURCE2 |
				      1u << KVM_FEATURE_CLOCKSOURCE_STABLE_BIT;
			entry->edx = 0;
		}
	}
	return cpuid;
}

static struct kvm_segment segment(const struct vmm_segment *from)
{
	const uint16_t attributes = from->attributes;

	return (struct kvm_segment){.base = from->base,
				    .limit = from->limit,
				    .selector = from->selector,
				    .type = attributes & 15,
				    .s = attributes >> 4 & 1,
				    .dpl = attributes >> 5 & 3,
				    .present = attributes >> 7 & 1,
				    .avl = attributes >> 12 & 1,
				    .l = attributes >> 13 & 1,
				    .db = attributes >> 14 & 1,
				    .g = attributes >> 15 & 1};
}

static void set_boot_state(struct raw_vcpu *vcpu, const struct vmm_boot_state *state)
{
	const struct kvm_regs regs = {.rsi = state->gpr[VMM_RSI],
				      .rsp = state->gpr[VMM_RSP],
				      .rip = state->rip,
				      .rflags = state->rflags};
	struct kvm_sregs sregs = raw_kvm_sregs(vcpu);

	sregs.cs = segment(&state->cs);
	sregs.ds = sregs.es = sregs.fs = sregs.gs = sregs.ss = segment(&state->data);
	sregs.tr = segment(&state->tr);
	sregs.ldt = segment(&state->ldtr);
	sregs.gdt = (struct kvm_dtable){.base = state->gdtr.base, .limit = state->gdtr.limit};
	sregs.idt = (struct kvm_dtable){0};
	sregs.cr0 = state->cr0;
	sregs.cr3 = state->cr3;
	sregs.cr4 = state->cr4;
	sregs.efer = state->efer;
	raw_kvm_set_sregs(vcpu, &sregs);
	raw_kvm_set_regs(vcpu, &regs);
}

static void create_processors(const struct vmm_boot_state *state)
{
	for (uint32_t i = 0; i < PROCESSORS; i++) {
		const struct raw_kvm_cpuid cpuid = cpuid_of(i);

		board.processor[i].vcpu = raw_kvm_add_vcpu(&board.raw, &cpuid);
	}
	set_boot_state(board.processor[0].vcpu, state);
}

static void handle_exit(struct kvm_run *run)
{
	switch (run->exit_reason) {
	case KVM_EXIT_IO:
		vmm_machine_port(&board.machine, run->io.port, run->io.size, run->io.count,
				 run->io.direction == KVM_EXIT_IO_OUT,
				 (uint8_t *)run + run->io.data_offset);
		break;
	case KVM_EXIT_MMIO:
		vmm_machine_mmio(&board.machine, run->mmio.phys_addr, run->mmio.len,
				 run->mmio.is_write, run->mmio.data);
		break;
	case KVM_EXIT_IOAPIC_EOI:
		vmm_machine_eoi(&board.machine, run->eoi.vector);
		break;
	default:
		atomic_store(&board.trouble, (int)run->exit_reason);
		atomic_store(&board.stopped, true);
	}
}

static void *run_processor(void *opaque)
{
	struct processor *processor = opaque;

	while (!atomic_load(&board.stopped)) {
		if (ioctl(processor->vcpu->fd, KVM_RUN, 0) == 0) {
			handle_exit(processor->vcpu->run);
		} else if (errno != EINTR && errno != EAGAIN) {
			atomic_store(&board.trouble, -errno);
			atomic_store(&board.stopped, true);
		}
	}
	return NULL;
}

static void wake(int signal)
{
	(void)signal;
}

static void run_all(void)
{
	struct sigaction action = {.sa_handler = wake};

	sigaction(SIGUSR1, &action, NULL);
	for (int i = 0; i < PROCESSORS; i++)
		pthread_create(&board.processor[i].thread, NULL, run_processor,
			       &board.processor[i]);
	for (int i = 0; i < SECONDS * 10 && !atomic_load(&board.stopped); i++)
		usleep(100000);
	if (!atomic_exchange(&board.stopped, true)) {
		printf("# not finished after %d s\n", SECONDS);
		atomic_store(&board.trouble, -ETIMEDOUT);
	}
	for (int i = 0; i < PROCESSORS; i++) {
		/* Repeat the signal: one that arrives just before KVM_RUN is lost. */
		struct timespec until;

		do {
			pthread_kill(board.processor[i].thread, SIGUSR1);
			clock_gettime(CLOCK_REALTIME, &until);
			until.tv_sec++;
		} while (pthread_timedjoin_np(board.processor[i].thread, NULL, &until) ==
			 ETIMEDOUT);
	}
}

static bool said(const char *words)
{
	return strstr(board.console, words) != NULL;
}

static void show_end(void)
{
	const size_t shown = board.console_size > 3000 ? board.console_size - 3000 : 0;
	char *save = NULL;

	for (char *line = strtok_r(board.console + shown, "\r\n", &save); line;
	     line = strtok_r(NULL, "\r\n", &save))
		printf("# %s\n", line);
}

int main(int argc, char **argv)
{
	static const struct {
		const char *words;
		const char *name;
	} expected[] = {
		{"Linux version", "the kernel starts"},
		{"ACPI: RSDP 0x00000000000E0000",
		 "Linux finds the RSDP at the address in the zero page"},
		{"ACPI: FACP", "Linux reads the FADT"},
		{"IOAPIC[0]: apic_id", "Linux finds the I/O APIC"},
		{"Brought up 1 node, 2 CPUs", "Linux brings up the second processor"},
		{"ttyS0 at I/O 0x3f8", "Linux finds the serial port by ACPI"},
		{"USER-SPACE-SAYS-HELLO", "user space writes to the serial port"},
		{"DATE-20", "the clock has a year of this century"},
	};
	const struct vmm_machine_ops ops = {write_memory, msi,	   stop, console,
					    no_flush,	  no_test, NULL};
	const struct vsm_log log = {tap_log, NULL, VSM_LOG_INFO};
	struct vmm_boot_state state;
	int status;

	setvbuf(stdout, NULL, _IOLBF, 0);
	if (argc < 2 || access(argv[1], R_OK)) {
		printf("1..0 # SKIP no kernel: vmm_linux KERNEL [BUSYBOX]\n");
		return 0;
	}
	board.config = (struct vmm_config){
		.kernel = argv[1],
		.append = (char[]){"console=ttyS0 panic=-1 mitigations=off"},
		.cpus = PROCESSORS,
		.memory = MEMORY,
		.vtls = 1,
	};
	board.config.initrd[0] =
		(char *)(uintptr_t)make_initrd(argc > 2 ? argv[2] : "/bin/busybox");
	raw_kvm_require(board.config.initrd[0], "the initrd");
	board.config.initrds = 1;
	raw_kvm_create(&board.raw);
	raw_kvm_enable(&board.raw, KVM_CAP_SPLIT_IRQCHIP, 24);
	raw_kvm_add_ram(&board.raw, MEMORY);
	if (vmm_machine_init(&board.machine, &board.config, &ops, &log) ||
	    vmm_machine_load(&board.machine, &board.config, &log, &state))
		return 1;
	create_processors(&state);
	run_all();
	if (board.trouble)
		printf("# a processor ended with exit or error %d\n", board.trouble);
	for (size_t i = 0; i < sizeof(expected) / sizeof(expected[0]); i++)
		check(said(expected[i].words), "%s", expected[i].name);
	check(!said("ACPI Error") && !said("ACPI BIOS Error") && !said("ACPI Warning"),
	      "the log of Linux has no error or warning about the ACPI tables");
	check(!board.trouble && board.stop == VMM_STOP_POWER_OFF && !said("Kernel panic"),
	      "Linux powers off by the sleep control register");
	status = checks_end();
	if (status)
		show_end();
	return status;
}
