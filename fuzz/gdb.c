/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Any bytes from a client of the GDB stub; 0xff runs VP 0, which applies the client's breakpoints
 * and stops.
 */
#include <errno.h>
#include <stdbool.h>
#include <string.h>
#include <vsm/gdb.h>

#include "sim/sim_guest.h"

#define RAM (4u << 20)

static struct vsm_partition *partition;

static int read_memory(void *opaque, uint64_t gpa, void *data, size_t size)
{
	(void)opaque;
	if (gpa >= RAM || size > RAM - gpa)
		return -EFAULT;
	memcpy(data, guest_ram(partition, gpa), size);
	return 0;
}

static int write_memory(void *opaque, uint64_t gpa, const void *data, size_t size)
{
	(void)opaque;
	if (gpa >= RAM || size > RAM - gpa)
		return -EFAULT;
	memcpy(guest_ram(partition, gpa), data, size);
	return 0;
}

/* Each output is `+`, `-`, or one whole packet `$data#cc` with the right checksum. */
static int check_output(void *opaque, const void *data, size_t size)
{
	static const char digits[] = "0123456789abcdef";
	const uint8_t *bytes = data;
	uint8_t sum = 0;

	(void)opaque;
	if (size == 1 && (bytes[0] == '+' || bytes[0] == '-'))
		return 0;
	/* The client asked to repeat a packet before the first one. */
	if (size == 0)
		return 0;
	if (size < 4 || bytes[0] != '$' || bytes[size - 3] != '#')
		__builtin_trap();
	for (size_t i = 1; i < size - 3; i++) {
		if (bytes[i] == '$' || bytes[i] == '#')
			__builtin_trap();
		sum = (uint8_t)(sum + bytes[i]);
	}
	if (bytes[size - 2] != digits[sum >> 4] || bytes[size - 1] != digits[sum & 0xf])
		__builtin_trap();
	return 0;
}

/* The kick ends the run before guest code. */
static void run(struct vsm_gdb *gdb)
{
	const struct vsm_exit *exit;

	vsm_gdb_kick(gdb, 0);
	if (vsm_gdb_run(gdb, 0, &exit) || exit->reason != VSM_EXIT_INTERRUPTED)
		__builtin_trap();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const char no_ack[] = "$QStartNoAckMode#b0";
	static struct vsm_gdb *gdb;
	int error;

	if (!gdb) {
		const struct vsm_gdb_config config = {
			.size = sizeof(config),
			.vp_count = 2,
			.vtl_count = 2,
			.hold = true,
			.read = read_memory,
			.write = write_memory,
			.partition = guest_partition(2, 1, RAM, NULL),
		};

		partition = config.partition;
		if (vsm_gdb_create(&config, &gdb))
			__builtin_trap();
	}
	if (vsm_gdb_attach(gdb, check_output, NULL))
		__builtin_trap();
	/* In no-acknowledgement mode the stub ignores checksums, so that more inputs are parsed. */
	error = vsm_gdb_receive(gdb, no_ack, sizeof(no_ack) - 1);
	while (size && !error) {
		const uint8_t *stop = memchr(data, 0xff, size);
		const size_t part = stop ? (size_t)(stop - data) : size;

		error = vsm_gdb_receive(gdb, data, part);
		if (stop)
			run(gdb);
		if (!error)
			error = vsm_gdb_poll(gdb);
		data += part + (stop != NULL);
		size -= part + (stop != NULL);
	}
	vsm_gdb_detach(gdb);
	return 0;
}
