/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Describes a saved machine as text. For RAM it has only the ranges, but the checksum is verified.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <zlib.h>

#include "save/save.h"

#define CHUNK (1u << 20)

void vmm_saved_say(const struct vmm_saved_lines *lines, const char *format, ...)
{
	char text[160];
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(text, sizeof(text), format, arguments);
	va_end(arguments);
	lines->line(lines->opaque, text);
}

static void describe_header(const struct vmm_saved *saved, const struct vmm_saved_lines *lines)
{
	const struct vmm_saved_header *header = &saved->header;

	vmm_saved_say(lines, "machine: version %u, %" PRIu64 " bytes", header->version,
		      header->file_size);
	vmm_saved_say(lines, "    cpus = %#x", header->cpus);
	vmm_saved_say(lines, "    vtls = %#x", header->vtls);
	vmm_saved_say(lines, "    boot_vtl = %#x", header->boot_vtl);
	vmm_saved_say(lines, "    testdev = %#x", header->testdev);
	vmm_saved_say(lines, "    memory = %#" PRIx64, header->memory);
}

static int describe_host(const struct vmm_saved *saved, const struct vmm_saved_lines *lines)
{
	static const char registers[] = "ABCD";
	const struct vmm_saved_part *part = &saved->header.part[VMM_SAVED_HOST];
	int error;
	struct vmm_saved_word *word = vmm_saved_section(saved, VMM_SAVED_HOST, &error);
	const size_t count = part->size / sizeof(*word);

	if (!word)
		return error;
	vmm_saved_say(lines, "host: %zu registers of CPUID", count);
	for (size_t i = 0; i < count; i++)
		vmm_saved_say(lines, "    leaf %#x, index %u, E%cX = %#x", word[i].leaf,
			      word[i].index, registers[word[i].reg & 3], word[i].value);
	free(word);
	return 0;
}

static int describe_devices(const struct vmm_saved *saved, const struct vmm_saved_lines *lines)
{
	const struct vmm_saved_part *part = &saved->header.part[VMM_SAVED_DEVICES];
	int error;
	uint8_t *data = vmm_saved_section(saved, VMM_SAVED_DEVICES, &error);

	if (!data)
		return error;
	vmm_saved_say(lines, "devices: %" PRIu64 " bytes", part->size);
	error = vmm_devices_describe(saved, data, part->size, lines);
	free(data);
	return error;
}

static int check_ram(const struct vmm_saved *saved)
{
	const struct vmm_saved_part *part = &saved->header.part[VMM_SAVED_RAM];
	uint8_t *chunk = malloc(CHUNK);
	time_t reported = time(NULL);
	uint32_t crc = 0;
	int error = chunk ? 0 : vsm_error(saved->log, ENOMEM, "%s: no memory", saved->path);

	for (uint64_t at = 0; at < part->size && !error;) {
		const size_t size = part->size - at < CHUNK ? part->size - at : CHUNK;

		error = vmm_saved_read(saved, chunk, size, part->offset + at);
		if (error)
			break;
		crc = (uint32_t)crc32_z(crc, chunk, size);
		at += size;
		if (time(NULL) - reported < 2)
			continue;
		reported = time(NULL);
		vsm_log(saved->log, VSM_LOG_INFO, "checking %s: %" PRIu64 " of %" PRIu64 " MiB",
			saved->path, at >> 20, part->size >> 20);
	}
	free(chunk);
	if (!error && crc != part->crc)
		error = vsm_error(saved->log, EILSEQ, "%s: it is damaged: checksum of its memory",
				  saved->path);
	return error;
}

static int describe_ram(const struct vmm_saved *saved, const struct vmm_saved_lines *lines)
{
	const struct vmm_saved_part *part = saved->header.part;
	int error;
	struct vmm_saved_run *run = vmm_saved_section(saved, VMM_SAVED_MAP, &error);
	const size_t count = part[VMM_SAVED_MAP].size / sizeof(*run);

	if (!run)
		return error;
	vmm_saved_say(lines, "memory: %" PRIu64 " bytes that are not zero, in %zu runs of pages",
		      part[VMM_SAVED_RAM].size, count);
	for (size_t i = 0; i < count; i++)
		vmm_saved_say(lines, "    gpn %#" PRIx64 ", pages %" PRIu64, run[i].gpn,
			      run[i].pages);
	free(run);
	return check_ram(saved);
}

static int describe_state(const struct vmm_saved *saved, const struct vmm_saved_lines *lines)
{
	const struct vmm_saved_part *part = &saved->header.part[VMM_SAVED_STATE];
	int error;
	void *data = vmm_saved_section(saved, VMM_SAVED_STATE, &error);

	if (data)
		error = vsm_state_describe(saved->log, data, part->size, lines->line,
					   lines->opaque);
	free(data);
	return error;
}

int vmm_saved_describe(const struct vmm_saved *saved, const struct vmm_saved_lines *lines)
{
	int error;

	describe_header(saved, lines);
	error = describe_host(saved, lines);
	if (!error)
		error = describe_devices(saved, lines);
	if (!error)
		error = describe_ram(saved, lines);
	if (!error)
		error = describe_state(saved, lines);
	return error;
}
