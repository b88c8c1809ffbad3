/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Runs a guest image on the public API and the reference VMM's machine with the test devices; the status is 0
 * if the guest writes 0 to port 0xf4, else 1. With test=soak it is an error if this process uses more files,
 * threads or (beyond GROWTH_MAX) memory at the end than at the beginning. Usage: guest_run IMAGE CPUS SECONDS
 * [OPTION...]
 */
#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <vsm/vsm.h>

#include "entries.h"
#include "engine.h"
#include "boot/boot_registers.h"
#include "machine/machine.h"

#define MEMORY	     (128ull << 20)
#define CPUS_MAX     17u
#define LINE	     4096u
#define STATUS_ERROR 99
#define SETTLED	     3	    /* seconds */
#define GROWTH_MAX   4096ul /* KiB */

struct board {
	struct vmm_machine machine;
	struct vmm_config config;
	struct vsm_partition *partition;
	uint8_t *ram;
	pthread_t thread[CPUS_MAX];
	bool steady; /* test=soak: compare the process's resources */
	pthread_mutex_t lock;
	pthread_cond_t changed;
	/* guarded by `lock`: */
	bool stopped;
	enum vmm_stop stop;
	int status;
};

static struct board board = {.lock = PTHREAD_MUTEX_INITIALIZER,
			     .changed = PTHREAD_COND_INITIALIZER};

static void log_record(void *opaque, const struct vsm_log_record *record)
{
	(void)opaque;
	fprintf(stderr, "# %s\n", record->text);
}

static const struct vsm_log log_to_stderr = {log_record, NULL, VSM_LOG_INFO};

static int write_memory(void *opaque, uint64_t gpa, const void *data, size_t size)
{
	(void)opaque;
	if (gpa > MEMORY || size > MEMORY - gpa)
		return -EFAULT;
	memcpy(board.ram + gpa, data, size);
	return 0;
}

static enum vsm_ioapic_delivery msi(void *opaque, uint64_t address, uint32_t data)
{
	(void)opaque;
	return vsm_msi(board.partition, address, data) ? VSM_IOAPIC_REFUSED : VSM_IOAPIC_ACCEPTED;
}

/* Ends the machine. Any thread may call it; only the first call determines cause and status. */
static void stop(void *opaque, enum vmm_stop what, int status)
{
	(void)opaque;
	pthread_mutex_lock(&board.lock);
	if (!board.stopped) {
		board.stopped = true;
		board.stop = what;
		board.status = status;
		pthread_cond_broadcast(&board.changed);
	}
	pthread_mutex_unlock(&board.lock);
}

static bool stopped(void)
{
	bool is;

	pthread_mutex_lock(&board.lock);
	is = board.stopped;
	pthread_mutex_unlock(&board.lock);
	return is;
}

static void console(void *opaque, uint8_t byte)
{
	(void)opaque;
	putchar(byte);
	if (byte == '\n')
		fflush(stdout);
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

static void report_error(uint32_t vp, const struct vsm_exit *exit)
{
	static const uint32_t name[] = {HV_X64_REGISTER_RIP, HV_X64_REGISTER_RSP,
					HV_X64_REGISTER_CR2, HV_X64_REGISTER_CR3};
	union hv_register_value value[4] = {{{0}}};

	vsm_vp_get_registers(vsm_partition_vp(board.partition, vp), exit->vtl, name, value, 4);
	fprintf(stderr,
		"# VP%u in VTL%u ended with exit %d: rip 0x%llx rsp 0x%llx cr2 0x%llx cr3 0x%llx\n",
		vp, exit->vtl, exit->reason, (unsigned long long)value[0].reg64,
		(unsigned long long)value[1].reg64, (unsigned long long)value[2].reg64,
		(unsigned long long)value[3].reg64);
	stop(NULL, VMM_STOP_EXIT, STATUS_ERROR);
}

static void handle(uint32_t vp, const struct vsm_exit *exit)
{
	switch (exit->reason) {
	case VSM_EXIT_INTERRUPTED:
		break;
	case VSM_EXIT_IO:
		vmm_machine_port(&board.machine, exit->io.port, exit->io.size, exit->io.count,
				 exit->io.write, exit->io.data);
		break;
	case VSM_EXIT_MMIO:
		vmm_machine_mmio(&board.machine, exit->mmio.gpa, exit->mmio.size, exit->mmio.write,
				 exit->mmio.data);
		break;
	case VSM_EXIT_EOI:
		vmm_machine_eoi(&board.machine, exit->eoi.vector);
		break;
	case VSM_EXIT_RESET:
		stop(NULL, VMM_STOP_RESET, 0);
		break;
	default:
		report_error(vp, exit);
		break;
	}
}

static void *run_processor(void *opaque)
{
	const uint32_t index = (uint32_t)(uintptr_t)opaque;
	struct vsm_vp *vp = vsm_partition_vp(board.partition, index);
	const struct vsm_exit *exit;

	while (!stopped()) {
		const int error = vsm_vp_run(vp, &exit);

		if (error) {
			fprintf(stderr, "# VP%u does not run: %s\n", index, strerror(-error));
			stop(NULL, VMM_STOP_EXIT, STATUS_ERROR);
		} else {
			handle(index, exit);
		}
	}
	return NULL;
}

static void show_processors(void)
{
	for (uint32_t i = 0; i < board.config.cpus; i++) {
		static const uint32_t name[] = {HV_X64_REGISTER_RIP, HV_X64_REGISTER_RFLAGS};

		for (uint32_t vtl = 0; vtl < board.config.vtls; vtl++) {
			union hv_register_value value[2] = {{{0}}};

			vsm_vp_get_registers(vsm_partition_vp(board.partition, i), (uint8_t)vtl,
					     name, value, 2);
			fprintf(stderr, "# VP%u VTL%u: rip 0x%llx rflags 0x%llx\n", i, vtl,
				(unsigned long long)value[0].reg64,
				(unsigned long long)value[1].reg64);
		}
	}
}

/* Guest RAM is shared memory, so `anonymous` excludes it. */
struct resources {
	unsigned int files, threads;
	unsigned long anonymous; /* KiB */
};

static struct resources look(void)
{
	struct resources holdings = {entries("/proc/self/fd"), entries("/proc/self/task"), 0};
	FILE *status = fopen("/proc/self/status", "r");
	char text[128];

	while (status && fgets(text, sizeof(text), status))
		if (sscanf(text, "RssAnon: %lu", &holdings.anonymous) == 1)
			break;
	if (status)
		fclose(status);
	return holdings;
}

/* After SETTLED seconds the guest should cause no further allocations. */
static void compare(const struct resources *early, const struct resources *late)
{
	fprintf(stderr, "# %u files, %u threads, %lu KiB; at the end %u, %u, %lu\n", early->files,
		early->threads, early->anonymous, late->files, late->threads, late->anonymous);
	if (late->files <= early->files && late->threads <= early->threads &&
	    late->anonymous <= early->anonymous + GROWTH_MAX)
		return;
	printf("\nBail out! the process uses more resources than at the beginning\n");
	stop(NULL, VMM_STOP_EXIT, STATUS_ERROR);
	board.status = STATUS_ERROR;
}

static bool wait_stopped(time_t seconds)
{
	struct timespec until;
	int error = 0;
	bool stopped;

	clock_gettime(CLOCK_REALTIME, &until);
	until.tv_sec += seconds;
	pthread_mutex_lock(&board.lock);
	while (!board.stopped && error != ETIMEDOUT)
		error = pthread_cond_timedwait(&board.changed, &board.lock, &until);
	stopped = board.stopped;
	pthread_mutex_unlock(&board.lock);
	return stopped;
}

static void run_all(int seconds)
{
	struct resources early, late;
	bool ended;

	for (uintptr_t i = 0; i < board.config.cpus; i++)
		pthread_create(&board.thread[i], NULL, run_processor, (void *)i);
	ended = wait_stopped(SETTLED);
	early = look();
	if (!ended) {
		ended = wait_stopped(seconds - SETTLED);
		late = look();
		if (board.steady && ended)
			compare(&early, &late);
	}
	if (!ended) {
		printf("\nBail out! not finished after %d s\n", seconds);
		show_processors();
		stop(NULL, VMM_STOP_EXIT, STATUS_ERROR);
	}
	for (uint32_t i = 0; i < board.config.cpus; i++)
		vsm_vp_kick(vsm_partition_vp(board.partition, i));
	for (uint32_t i = 0; i < board.config.cpus; i++)
		pthread_join(board.thread[i], NULL);
}

static int create(void)
{
	struct vsm_config config;
	void *ram;
	int error;

	vsm_config_init(&config);
	config.log = log_to_stderr;
	config.vp_count = board.config.cpus;
	config.max_vtl = (uint8_t)(board.config.vtls - 1);
	config.engine = test_engine();
	error = vsm_partition_create(&config, &board.partition);
	if (!error)
		error = vsm_memory_add(board.partition, 0, MEMORY, -1, 0, &ram);
	if (error) {
		printf("Bail out! no partition: %s\n", strerror(-error));
		return -1;
	}
	board.ram = ram;
	return 0;
}

static int load(void)
{
	uint32_t name[VMM_BOOT_REGISTERS];
	union hv_register_value value[VMM_BOOT_REGISTERS];
	struct vmm_boot_state state;
	int done;

	if (vmm_machine_load(&board.machine, &board.config, &log_to_stderr, &state))
		return -1;
	vmm_boot_registers(&state, name, value);
	done = vsm_vp_set_registers(vsm_partition_vp(board.partition, 0), 0, name, value,
				    VMM_BOOT_REGISTERS);
	if (done != (int)VMM_BOOT_REGISTERS) {
		printf("Bail out! register %d of the boot processor\n", done);
		return -1;
	}
	return 0;
}

static void join_options(char *line, size_t size, int count, char **word)
{
	line[0] = '\0';
	for (int i = 0; i < count; i++) {
		strncat(line, " ", size - strlen(line) - 1);
		strncat(line, word[i], size - strlen(line) - 1);
	}
}

int main(int argc, char **argv)
{
	const struct vmm_machine_ops ops = {write_memory, msi,	   stop, console,
					    no_flush,	  no_test, NULL};
	static char line[LINE];
	int seconds;

	if (argc < 4) {
		fprintf(stderr, "usage: guest_run IMAGE CPUS SECONDS [OPTION...]\n");
		return 2;
	}
	join_options(line, sizeof(line), argc - 4, argv + 4);
	board.config = (struct vmm_config){.kernel = argv[1],
					   .append = line,
					   .cpus = (uint32_t)atoi(argv[2]),
					   .memory = MEMORY,
					   .vtls = 3,
					   .testdev = true};
	seconds = atoi(argv[3]);
	board.steady = strstr(line, "test=soak");
	if (board.config.cpus < 1 || board.config.cpus > CPUS_MAX || create() ||
	    vmm_machine_init(&board.machine, &board.config, &ops, &log_to_stderr) || load())
		return 1;
	run_all(seconds);
	if (board.stop == VMM_STOP_RESET) {
		board.stopped = false;
		vmm_machine_reset(&board.machine);
		if (vsm_partition_reset(board.partition) || load())
			return 1;
		run_all(seconds);
	}
	fflush(stdout);
	vmm_machine_destroy(&board.machine);
	vsm_partition_destroy(board.partition);
	if (board.stop != VMM_STOP_EXIT)
		printf("# ended by %s\n",
		       board.stop == VMM_STOP_RESET ? "a second reset" : "power-off");
	/* QEMU's exit status for the guest's value v: (v << 1) | 1. */
	return board.stop == VMM_STOP_EXIT && board.status == 1 ? 0 : 1;
}
