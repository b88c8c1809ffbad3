/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Any bytes as a saved state. The checksums of the input are corrected first, since most inputs
 * would be refused otherwise.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "core/state/state.h"
#include "sim/sim_guest.h"

#define RAM (1u << 20)

static void correct_checksums(uint8_t *data, size_t size)
{
	struct state_header header;
	size_t offset = sizeof(header);

	if (size < sizeof(header))
		return;
	memcpy(&header, data, sizeof(header));
	header.crc = state_crc(0, &header, offsetof(struct state_header, crc));
	memcpy(data, &header, sizeof(header));
	while (size - offset >= sizeof(struct state_record)) {
		struct state_record record;

		memcpy(&record, data + offset, sizeof(record));
		if (record.length > size - offset - sizeof(record))
			break;
		record.crc = 0;
		record.crc = state_crc(state_crc(0, &record, sizeof(record)),
				       data + offset + sizeof(record), record.length);
		memcpy(data + offset, &record, sizeof(record));
		offset += sizeof(record) + record.length;
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct vsm_partition *partition = guest_partition(1, 1, RAM, NULL);
	struct guest_saved before = {0}, after = {0};
	uint8_t *copy = malloc(size ? size : 1);

	if (!copy)
		abort();
	memcpy(copy, data, size);
	correct_checksums(copy, size);
	if (vsm_partition_save(partition, guest_save_write, &before))
		__builtin_trap();
	if (vsm_partition_restore(partition, copy, size)) {
		if (vsm_partition_save(partition, guest_save_write, &after) == 0 &&
		    (after.size != before.size || memcmp(after.bytes, before.bytes, after.size)))
			__builtin_trap();
	} else {
		const struct vsm_exit *exit;

		for (int i = 0; i < 4; i++)
			vsm_vp_run(vsm_partition_vp(partition, 0), &exit);
		if (vsm_partition_save(partition, guest_save_write, &after) == 0 &&
		    vsm_partition_restore(partition, after.bytes, after.size))
			__builtin_trap();
	}
	free(before.bytes);
	free(after.bytes);
	free(copy);
	vsm_partition_destroy(partition);
	return 0;
}
