/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A hostile kernel file. LOADER, set by the build, is the loader under test.
 *
 * Input: one byte of choices (bit 0: with an initrd), then the file.
 */
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include "load/load.h"

#define RAM_SIZE (64u << 20)
#define PAGES	 (RAM_SIZE / VMM_PAGE)

struct machine {
	unsigned int messages;
	bool written[PAGES];
};

static void require(bool condition)
{
	if (!condition)
		abort();
}

static int take(void *opaque, uint64_t gpa, const void *data, size_t size)
{
	struct machine *machine = opaque;
	static volatile uint8_t sum;

	require(size > 0 && gpa < RAM_SIZE && size <= RAM_SIZE - gpa);
	require(gpa >= VMM_EXTENDED || gpa + size <= VMM_BASE_END);
	/* Reads both ends of the data: the sanitizer detects a part beyond the file. */
	sum = (uint8_t)(sum + ((const uint8_t *)data)[0] + ((const uint8_t *)data)[size - 1]);
	for (uint64_t page = gpa / VMM_PAGE; page <= (gpa + size - 1) / VMM_PAGE; page++)
		machine->written[page] = true;
	return 0;
}

static void count(void *opaque, const struct vsm_log_record *record)
{
	struct machine *machine = opaque;

	require(record->text[0] && record->error > 0);
	machine->messages++;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct machine machine;
	const struct vsm_log log = {count, &machine, VSM_LOG_DEBUG};
	const struct vmm_module module = {{"initrd", (const uint8_t *)"initrd", 6}, "argument"};
	struct vmm_memory memory = {.write = take, .opaque = &machine};
	struct vmm_boot_request request = {.command_line = "console=ttyS0", .rsdp = VMM_TABLES};
	struct vmm_boot_state state;
	uint8_t *file;
	int error;

	if (size < 2)
		return 0;
	memset(&machine, 0, sizeof(machine));
	vmm_memory_split(&memory, RAM_SIZE);
	/* A separate copy, so that the sanitizer detects reads past the end. */
	file = malloc(size - 1);
	require(file != NULL);
	memcpy(file, data + 1, size - 1);
	request.kernel = (struct vmm_file){"kernel", file, size - 1};
	request.module = &module;
	request.modules = data[0] & 1;
	error = LOADER(&memory, &request, &log, &state);
	require(machine.messages == (error ? 1 : 0));
	if (!error)
		require(state.rip < RAM_SIZE && machine.written[state.rip / VMM_PAGE]);
	free(file);
	return 0;
}
