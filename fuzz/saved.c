/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Any bytes as a saved machine. The sizes and checksums of the input are corrected first, since
 * most inputs would be refused otherwise: the input is a header's first fields, then sections, each
 * with its length before it.
 */
#include <fcntl.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>
#include <zlib.h>

#include "save/save.h"
#include "sim_guest_vmm.h"

#define PROCESSORS 2u
#define VTLS	   3u
#define MEMORY	   (16u << 20)

static const struct vsm_log silent;

/* Writes the sections of the input after @header, and sets their offsets. Returns their end. */
static size_t put_sections(int fd, struct vmm_saved_header *header, const uint8_t *data,
			   size_t size)
{
	size_t at = sizeof(*header);

	for (size_t i = 0; i < VMM_SAVED_SECTIONS; i++) {
		uint32_t length = 0;

		if (size >= sizeof(length)) {
			memcpy(&length, data, sizeof(length));
			data += sizeof(length);
			size -= sizeof(length);
		}
		length = length < size ? length : (uint32_t)size;
		header->part[i] = (struct vmm_saved_part){
			.offset = at, .size = length, .crc = (uint32_t)crc32_z(0, data, length)};
		if (length && pwrite(fd, data, length, (off_t)at) != (ssize_t)length)
			abort();
		data += length;
		size -= length;
		at += length;
	}
	return at;
}

static int make_file(const uint8_t *data, size_t size)
{
	struct vmm_saved_header header = {0};
	const size_t head = offsetof(struct vmm_saved_header, file_size);
	const int fd = memfd_create("saved", MFD_CLOEXEC);

	if (fd < 0)
		abort();
	memcpy(&header, data, size < head ? size : head);
	data += size < head ? size : head;
	size -= size < head ? size : head;
	header.file_size = put_sections(fd, &header, data, size);
	header.crc =
		(uint32_t)crc32_z(0, (const void *)&header, offsetof(struct vmm_saved_header, crc));
	if (pwrite(fd, &header, sizeof(header), 0) != (ssize_t)sizeof(header))
		abort();
	return fd;
}

static void add_length(void *opaque, const char *line)
{
	size_t *length = opaque;

	*length += strlen(line);
}

/* Closes @fd. Returns whether a new machine accepts the file. */
static bool take(int fd, const char *save_to)
{
	size_t length = 0;
	const struct vmm_saved_lines lines = {add_length, &length};
	struct vmm_config config = {0};
	struct vmm_guest *guest;
	struct vmm_saved saved;
	char message[256];
	bool taken = false;

	if (vmm_saved_take(&saved, fd, "file", &silent))
		return false;
	vmm_saved_config(&saved, &config);
	if (config.cpus <= PROCESSORS && config.vtls <= VTLS && config.memory <= MEMORY) {
		guest = fuzz_guest(&config);
		taken = vmm_saved_load(&saved, guest) == 0;
		if (vmm_saved_describe(&saved, &lines) && taken)
			__builtin_trap();
		if (taken && save_to && vmm_save(guest, save_to, message))
			__builtin_trap();
		fuzz_guest_free(guest);
	}
	vmm_saved_close(&saved);
	return taken;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char path[] = "/tmp/vsm-fuzz-saved-XXXXXX";
	const int fd = mkstemp(path);

	if (fd < 0)
		abort();
	if (take(make_file(data, size), path)) {
		const int again = open(path, O_RDONLY | O_CLOEXEC);

		if (again < 0 || !take(again, NULL))
			__builtin_trap();
	}
	close(fd);
	unlink(path);
	return 0;
}
