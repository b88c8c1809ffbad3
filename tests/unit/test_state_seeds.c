/* SPDX-License-Identifier: BSD-2-Clause */
/* The fuzzer cannot use a seed that is refused at its first record. VSM_WRITE_SEEDS=1 in the
 * environment writes the seeds of fuzz/state.c again. */
#include <stdio.h>
#include <stdlib.h>

#include "unit_test.h"
#include "sim/sim_guest.h"

#define RAM	 (1u << 20) /* the partition of fuzz/state.c */
#define SEED_MAX (64u << 10)

static int append(void *opaque, const void *data, size_t size)
{
	return fwrite(data, 1, size, opaque) == size ? 0 : -1;
}

static void write_seed(const char *path, struct vsm_partition *partition)
{
	FILE *file = fopen(path, "wb");

	assert_non_null(file);
	assert_int_equal(vsm_partition_save(partition, append, file), 0);
	assert_int_equal(fclose(file), 0);
}

static void check_seed(const char *path, uint16_t enabled_vtls)
{
	static uint8_t bytes[SEED_MAX];
	struct vsm_partition *partition = guest_partition(1, 1, RAM, NULL);
	FILE *file = fopen(path, "rb");
	size_t size;

	assert_non_null(file);
	size = fread(bytes, 1, sizeof(bytes), file);
	fclose(file);
	assert_int_equal(vsm_partition_restore(partition, bytes, size), 0);
	assert_int_equal(atomic_load(&partition->enabled_vtls), enabled_vtls);
	vsm_partition_destroy(partition);
}

static void a_seed_without_vtl1_is_accepted(void **state)
{
	struct vsm_partition *partition = guest_partition(1, 1, RAM, NULL);

	if (getenv("VSM_WRITE_SEEDS"))
		write_seed(STATE_SEEDS "/fresh", partition);
	check_seed(STATE_SEEDS "/fresh", 1);
	vsm_partition_destroy(partition);
}

static void a_seed_with_vtl1_is_accepted(void **state)
{
	struct vsm_partition *partition = guest_partition(1, 1, RAM, NULL);

	guest_enable_vtl(partition, 1);
	if (getenv("VSM_WRITE_SEEDS"))
		write_seed(STATE_SEEDS "/vtl1", partition);
	check_seed(STATE_SEEDS "/vtl1", 3);
	vsm_partition_destroy(partition);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_seed_without_vtl1_is_accepted),
		cmocka_unit_test(a_seed_with_vtl1_is_accepted),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
