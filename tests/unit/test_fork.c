/* SPDX-License-Identifier: BSD-2-Clause */
/* The library sets MADV_DONTFORK on each mapping of guest memory before the mapping has any rights. */
#include "core_test.h"

#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "child.h"

#define PLACE 0x200000u

static struct {
	unsigned int mappings; /* with MADV_DONTFORK */
	unsigned int readable; /* mappings that a child forked before MADV_DONTFORK could read */
} seen;

/* Replaces the function of the C library: forks just before MADV_DONTFORK takes effect. */
int madvise(void *at, size_t size, int advice)
{
	if (advice == MADV_DONTFORK) {
		seen.mappings++;
		seen.readable += child_can_read(at);
	}
	return (int)syscall(SYS_madvise, at, size, advice);
}

static void a_child_forked_while_memory_is_mapped_cannot_read_it(void **state)
{
	const struct vsm_dma_request request = {.gpa = PLACE, .size = 0x3000, .write = true};
	struct vsm_partition *partition;
	struct vsm_dma_map *map;
	void *host;
	unsigned int before;

	memset(&seen, 0, sizeof(seen));
	partition = guest_partition(1, 1, RAM, NULL);
	assert_true(seen.mappings > 0);
	before = seen.mappings;
	guest_enable_vtl(partition, 1);
	assert_int_equal(guest_wrmsr(vsm_partition_vp(partition, 0), HV_X64_MSR_VP_ASSIST_PAGE,
				     ASSIST_GPA(0) | 1),
			 GUEST_DONE);
	assert_int_equal(vsm_dma_map(partition, &request, &map, &host), 0);
	assert_true(seen.mappings > before);
	assert_int_equal(seen.readable, 0);
	assert_false(child_can_read(host));
	/* Checks child_can_read(): a child inherits this page. */
	assert_true(child_can_read((const uint8_t *)&seen));
	assert_int_equal(vsm_dma_unmap(map), 0);
	vsm_partition_destroy(partition);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_child_forked_while_memory_is_mapped_cannot_read_it),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
