/* SPDX-License-Identifier: BSD-2-Clause */
/* Mappings of guest memory for devices (P37): after VTL1 has removed a right, a device neither
 * reads VTL1's data nor changes what VTL1 reads. */
#include "core_test.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#define PLACE	  0x200000u
#define ELSEWHERE 0x3000000u
#define SECRET	  UINT64_C(0x5ec2e75ec2e75ec2)
#define EVIL	  UINT64_C(0x6666666666666666)

/* VTL1 is active, and after begin() may protect memory. */
struct world {
	struct vsm_partition *partition;
	struct vsm_vp *vp;
};

static int begin_unprotected(void **state)
{
	struct world *world = calloc(1, sizeof(*world));

	assert_non_null(world);
	world->partition = guest_partition(1, 1, RAM, NULL);
	world->vp = vsm_partition_vp(world->partition, 0);
	guest_enable_vtl(world->partition, 1);
	assert_int_equal(guest_vtl_call(world->vp), GUEST_DONE);
	*state = world;
	return 0;
}

static int begin(void **state)
{
	begin_unprotected(state);
	/* EnableVtlProtection, a default mask with all rights, ZeroMemoryOnReset. */
	return vtl_set_config(((struct world *)*state)->partition, 1, 1, 0x3f);
}

static int end(void **state)
{
	struct world *world = *state;

	vsm_partition_destroy(world->partition);
	free(world);
	return 0;
}

static void lock(struct world *world, uint32_t flags, uint64_t gpa)
{
	assert_int_equal(guest_protect(world->vp, 0, flags, gpa), HV_STATUS_SUCCESS);
}

static uint64_t vtl1_reads(struct world *world, uint64_t gpa)
{
	uint64_t value = 0;

	assert_int_equal(guest_read(world->vp, gpa, 8, &value), GUEST_DONE);
	return value;
}

static void vtl1_writes(struct world *world, uint64_t gpa, uint64_t value)
{
	assert_int_equal(guest_write(world->vp, gpa, 8, value), GUEST_DONE);
}

struct device {
	struct vsm_dma_map *map;
	volatile uint64_t *at;
	_Atomic unsigned int revoked;
};

static void count(void *opaque)
{
	atomic_fetch_add(&((struct device *)opaque)->revoked, 1);
}

static int map(struct world *world, struct device *device, uint64_t gpa, uint64_t size, bool write)
{
	const struct vsm_dma_request request = {
		.gpa = gpa, .size = size, .write = write, .revoked = count, .opaque = device};
	void *host = NULL;
	int error = vsm_dma_map(world->partition, &request, &device->map, &host);

	device->at = host;
	atomic_store(&device->revoked, 0);
	return error;
}

static void a_mapping_is_the_memory_of_the_guest(void **state)
{
	struct world *world = *state;
	struct device writer, reader;

	assert_int_equal(map(world, &writer, PLACE, 0x3000, true), 0);
	assert_int_equal(map(world, &reader, PLACE + 0xff8, 0x1010, false), 0);
	writer.at[0x200] = SECRET; /* PLACE + 0x1000 */
	assert_int_equal(vtl1_reads(world, PLACE + 0x1000), SECRET);
	assert_int_equal(reader.at[1], SECRET);
	vtl1_writes(world, PLACE + 0x2000, EVIL);
	assert_int_equal(writer.at[0x400], EVIL);
	assert_int_equal(reader.at[0x201], EVIL);
	assert_int_equal(vsm_dma_unmap(writer.map), 0);
	assert_int_equal(vsm_dma_unmap(reader.map), 0);
	assert_int_equal(reader.revoked + writer.revoked, 0);
}

static void p37_a_lock_revokes_a_mapping_before_it_returns(void **state)
{
	struct world *world = *state;
	struct device writer, reader, other;
	int pipes[2];

	vtl1_writes(world, PLACE + 0x1000, 1);
	assert_int_equal(map(world, &writer, PLACE, 0x2000, true), 0);
	assert_int_equal(map(world, &reader, PLACE + 0x1000, 0x1000, false), 0);
	assert_int_equal(map(world, &other, PLACE + 0x2000, 0x1000, true), 0);
	writer.at[0x200] = 2;
	lock(world, MAP_READ_EXECUTE, PLACE + 0x1000);
	assert_int_equal(writer.revoked, 1);
	/* The device writes by a store, and by read(2). */
	writer.at[0x200] = EVIL;
	assert_int_equal(pipe(pipes), 0);
	assert_int_equal(write(pipes[1], "evil evil", 8), 8);
	assert_int_equal(read(pipes[0], (void *)(uintptr_t)&writer.at[0x200], 8), 8);
	close(pipes[0]);
	close(pipes[1]);
	assert_int_equal(vtl1_reads(world, PLACE + 0x1000), 2);
	/* The whole mapping is revoked, also the page that VTL0 may write. */
	writer.at[0] = EVIL;
	assert_int_not_equal(vtl1_reads(world, PLACE), EVIL);
	assert_int_equal(reader.revoked + other.revoked, 0);
	assert_int_equal(reader.at[0], 2);

	lock(world, MAP_NONE, PLACE + 0x1000);
	vtl1_writes(world, PLACE + 0x1000, SECRET);
	assert_int_equal(reader.revoked, 1);
	assert_int_equal(reader.at[0], 0);
	assert_int_equal(other.revoked, 0);
	assert_int_equal(vsm_dma_unmap(other.map), 0);
	/* The mapping stays revoked when VTL1 permits writes again. */
	lock(world, MAP_ALL, PLACE + 0x1000);
	assert_int_equal(reader.at[0], 0);
	writer.at[0x200] = EVIL;
	assert_int_equal(vtl1_reads(world, PLACE + 0x1000), SECRET);
	assert_int_equal(writer.revoked, 1);
	assert_int_equal(vsm_dma_unmap(reader.map), -ESTALE);
	assert_int_equal(vsm_dma_unmap(writer.map), -ESTALE);
}

static void a_lock_fails_if_a_mapping_cannot_be_revoked(void **state)
{
	struct world *world = *state;
	struct rlimit limit, none;
	struct device device;
	uint16_t status;

	/* Let the core allocate what a first lock needs. */
	lock(world, MAP_READ_EXECUTE, PLACE);
	lock(world, MAP_ALL, PLACE);
	assert_int_equal(map(world, &device, PLACE, 8, true), 0);
	assert_int_equal(getrlimit(RLIMIT_DATA, &limit), 0);
	none = limit;
	none.rlim_cur = 4096;
	assert_int_equal(setrlimit(RLIMIT_DATA, &none), 0);
	status = guest_protect(world->vp, 0, MAP_READ_EXECUTE, PLACE);
	assert_int_equal(setrlimit(RLIMIT_DATA, &limit), 0);
	assert_int_equal(status, HV_STATUS_INSUFFICIENT_MEMORY);
	assert_int_equal(device.revoked, 0);
	device.at[0] = 4;
	assert_int_equal(vtl1_reads(world, PLACE), 4);
	lock(world, MAP_READ_EXECUTE, PLACE);
	assert_int_equal(device.revoked, 1);
	device.at[0] = EVIL;
	assert_int_equal(vtl1_reads(world, PLACE), 4);
	assert_int_equal(vsm_dma_unmap(device.map), -ESTALE);
}

static void p37_denied_pages_cannot_be_mapped(void **state)
{
	struct world *world = *state;
	struct device device;

	lock(world, MAP_READ_EXECUTE, PLACE);
	lock(world, MAP_NONE, PLACE + 0x1000);
	assert_int_equal(map(world, &device, PLACE - 0x1000, 0x1001, true), -EACCES);
	assert_int_equal(map(world, &device, PLACE, 0x1001, false), -EACCES);
	assert_int_equal(map(world, &device, RAM - 0x1000, 0x1001, false), -EFAULT);
	assert_int_equal(map(world, &device, PLACE, 0x1000, false), 0);
	assert_int_equal(vsm_dma_unmap(device.map), 0);
}

/* A default mask can deny only execution, which the device does not need. */
static void removing_a_right_that_the_device_does_not_need_keeps_its_mapping(void **state)
{
	struct world *world = *state;
	struct device device;

	assert_int_equal(map(world, &device, PLACE, 8, true), 0);
	/* Denies execution by default, where this engine can. */
	if (!vtl_set_config(world->partition, 1, 1, 0x27)) {
		lock(world, HV_MAP_GPA_READABLE | HV_MAP_GPA_WRITABLE, PLACE);
		assert_int_equal(device.revoked, 0);
		device.at[0] = 3;
		assert_int_equal(vtl1_reads(world, PLACE), 3);
	}
	assert_int_equal(vsm_dma_unmap(device.map), 0);
}

static void an_overlay_revokes_a_mapping_of_its_own_vtl(void **state)
{
	struct world *world = *state;
	struct device device;

	assert_int_equal(guest_wrmsr(world->vp, HV_X64_MSR_SIMP, PLACE | 1), GUEST_DONE);
	assert_int_equal(map(world, &device, PLACE, 8, true), 0);
	assert_int_equal(guest_vtl_return(world->vp, true), GUEST_DONE);
	assert_int_equal(guest_wrmsr(world->vp, HV_X64_MSR_SIMP, PLACE | 1), GUEST_DONE);
	assert_int_equal(device.revoked, 1);
	assert_int_equal(vsm_dma_unmap(device.map), -ESTALE);
	assert_int_equal(map(world, &device, PLACE - 0x1000, 0x1008, true), -EBUSY);
	assert_int_equal(guest_wrmsr(world->vp, HV_X64_MSR_SIMP, 0), GUEST_DONE);
	assert_int_equal(map(world, &device, PLACE - 0x1000, 0x1008, true), 0);
	assert_int_equal(vsm_dma_unmap(device.map), 0);
}

static void p38_a_change_of_the_map_revokes_mappings(void **state)
{
	struct world *world = *state;
	struct vsm_memory_change change = {.gpa = ELSEWHERE, .size = 0x4000};
	struct device first, second;
	uint64_t *bytes;

	change.fd = memfd_create("device", MFD_CLOEXEC);
	assert_int_equal(ftruncate(change.fd, 0x10000), 0);
	bytes = mmap(NULL, 0x10000, PROT_READ | PROT_WRITE, MAP_SHARED, change.fd, 0);
	assert_true(bytes != MAP_FAILED);
	assert_int_equal(vsm_memory_update(world->partition, &change, 1), 0);
	/* Two regions of one file, in the other order. */
	change.gpa += 0x4000;
	change.offset = 0x8000;
	assert_int_equal(vsm_memory_update(world->partition, &change, 1), 0);
	assert_int_equal(map(world, &first, ELSEWHERE, 0x2000, true), 0);
	assert_int_equal(map(world, &second, ELSEWHERE + 0x3000, 0x2000, true), 0);
	second.at[0x200] = 5;
	assert_int_equal(bytes[0x8000 / 8], 5);
	/* The page at this GPA does not change, so its mapping remains. */
	assert_int_equal(vsm_memory_update(world->partition, &change, 1), 0);
	assert_int_equal(first.revoked + second.revoked, 0);
	/* A lock of the same page of the file at another GPA revokes the mapping as well. */
	change.gpa = ELSEWHERE + 0x10000;
	assert_int_equal(vsm_memory_update(world->partition, &change, 1), 0);
	lock(world, MAP_READ_EXECUTE, change.gpa);
	assert_int_equal(first.revoked, 0);
	assert_int_equal(second.revoked, 1);
	second.at[0x200] = EVIL;
	assert_int_equal(bytes[0x8000 / 8], 5);
	/* Remove memory of the first mapping. */
	change = (struct vsm_memory_change){.gpa = ELSEWHERE + 0x1000, .size = 0x1000, .fd = -1};
	assert_int_equal(vsm_memory_update(world->partition, &change, 1), 0);
	assert_int_equal(first.revoked, 1);
	first.at[0] = EVIL;
	assert_int_not_equal(bytes[0], EVIL);
	assert_int_equal(vsm_dma_unmap(first.map), -ESTALE);
	assert_int_equal(vsm_dma_unmap(second.map), -ESTALE);
	munmap(bytes, 0x10000);
}

static void p25_a_reset_revokes_mappings(void **state)
{
	struct world *world = *state;
	struct device device;

	assert_int_equal(map(world, &device, PLACE, 8, true), 0);
	assert_int_equal(vsm_partition_reset(world->partition), 0);
	device.at[0] = EVIL;
	assert_int_equal(device.revoked, 1);
	assert_int_equal(*(uint64_t *)(void *)guest_ram(world->partition, PLACE), 0);
	assert_int_equal(vsm_dma_unmap(device.map), -ESTALE);
}

static void p25_a_reset_that_keeps_memory_revokes_mappings(void **state)
{
	struct world *world = *state;
	struct device device;

	/* Without ZeroMemoryOnReset. */
	assert_int_equal(vtl_set_config(world->partition, 1, 1, 0x1f), 0);
	assert_int_equal(map(world, &device, PLACE, 8, true), 0);
	device.at[0] = 1;
	assert_int_equal(vsm_partition_reset(world->partition), 0);
	assert_int_equal(device.revoked, 1);
	device.at[0] = EVIL;
	assert_int_equal(*(uint64_t *)(void *)guest_ram(world->partition, PLACE), 1);
	assert_int_equal(vsm_dma_unmap(device.map), -ESTALE);
}

static void a_restore_revokes_mappings(void **state)
{
	struct world *world = *state;
	struct guest_saved saved = {0};
	struct device device;

	assert_int_equal(vsm_partition_save(world->partition, guest_save_write, &saved), 0);
	assert_int_equal(map(world, &device, PLACE, 8, true), 0);
	assert_int_equal(vsm_partition_restore(world->partition, saved.bytes, saved.size), 0);
	assert_int_equal(device.revoked, 1);
	device.at[0] = EVIL;
	assert_int_not_equal(vtl1_reads(world, PLACE), EVIL);
	assert_int_equal(vsm_dma_unmap(device.map), -ESTALE);
	free(saved.bytes);
}

static void mappings_are_limited_in_number_and_size(void **state)
{
	struct world *world = *state;
	struct device *device = calloc(1025, sizeof(*device));
	struct vsm_dma_request request = {.gpa = 0, .size = 8, .vtl = 2};
	void *host;

	assert_non_null(device);
	for (unsigned int i = 0; i < 1024; i++)
		assert_int_equal(map(world, &device[i], PLACE, 8, true), 0);
	assert_int_equal(map(world, &device[1024], PLACE, 8, true), -ENOSPC);
	for (unsigned int i = 0; i < 1024; i++)
		assert_int_equal(vsm_dma_unmap(device[i].map), 0);
	for (unsigned int i = 0; i < 16; i++)
		assert_int_equal(map(world, &device[i], 0, VSM_DMA_MAP_MAX, false), 0);
	assert_int_equal(map(world, &device[16], 0, 1, false), -ENOSPC);
	/* A revoked mapping counts until it is unmapped. */
	lock(world, MAP_NONE, PLACE);
	assert_int_equal(device[0].revoked, 1);
	assert_int_equal(map(world, &device[16], 0, 1, false), -ENOSPC);
	assert_int_equal(vsm_dma_unmap(device[0].map), -ESTALE);
	assert_int_equal(map(world, &device[16], 0, 1, false), 0);
	/* The others are freed with the partition. */
	assert_int_equal(map(world, &device[17], 0, 0, false), -EINVAL);
	assert_int_equal(map(world, &device[17], 0, VSM_DMA_MAP_MAX + 1, false), -EINVAL);
	assert_int_equal(map(world, &device[17], UINT64_MAX - 6, 8, false), -EINVAL);
	assert_int_equal(vsm_dma_map(world->partition, &request, &device[17].map, &host), -EINVAL);
	request.vtl = 0;
	request.reserved[1] = 1;
	assert_int_equal(vsm_dma_map(world->partition, &request, &device[17].map, &host), -EINVAL);
	free(device);
}

static void a_child_does_not_have_the_mapping(void **state)
{
	struct world *world = *state;
	struct device device;
	unsigned char resident;
	int status;
	pid_t child;

	assert_int_equal(map(world, &device, PLACE, 0x1000, true), 0);
	child = fork();
	assert_true(child >= 0);
	if (child == 0)
		_exit(mincore((void *)(uintptr_t)device.at, 0x1000, &resident) < 0 &&
				      errno == ENOMEM
			      ? 0
			      : 1);
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_int_equal(status, 0);
	assert_int_equal(vsm_dma_unmap(device.map), 0);
}

struct busy {
	struct device device;
	_Atomic bool stop;
	_Atomic uint64_t writes;
};

/* A data race on purpose, as a device's DMA is one. */
__attribute__((no_sanitize("thread"))) static void *write_on(void *opaque)
{
	struct busy *busy = opaque;

	while (!atomic_load(&busy->stop)) {
		busy->device.at[0]++;
		atomic_fetch_add(&busy->writes, 1);
	}
	return NULL;
}

static void wait_for_writes(struct busy *busy)
{
	const uint64_t before = atomic_load(&busy->writes);

	while (atomic_load(&busy->writes) < before + 100)
		sched_yield();
}

static void p37_a_device_that_never_stops_does_not_write_a_locked_page(void **state)
{
	struct world *world = *state;

	for (int round = 0; round < 20; round++) {
		struct busy busy = {0};
		pthread_t thread;
		uint64_t frozen;

		vtl1_writes(world, PLACE, 0);
		assert_int_equal(map(world, &busy.device, PLACE, 8, true), 0);
		assert_int_equal(pthread_create(&thread, NULL, write_on, &busy), 0);
		wait_for_writes(&busy);
		lock(world, MAP_READ_EXECUTE, PLACE);
		frozen = vtl1_reads(world, PLACE);
		assert_int_not_equal(frozen, 0);
		wait_for_writes(&busy);
		assert_int_equal(vtl1_reads(world, PLACE), frozen);
		atomic_store(&busy.stop, true);
		pthread_join(thread, NULL);
		assert_int_equal(vsm_dma_unmap(busy.device.map), -ESTALE);
		lock(world, MAP_ALL, PLACE);
	}
}

int main(void)
{
#define CASE(name) cmocka_unit_test_setup_teardown(name, begin, end)
	const struct CMUnitTest tests[] = {
		CASE(a_mapping_is_the_memory_of_the_guest),
		CASE(p37_a_lock_revokes_a_mapping_before_it_returns),
		CASE(a_lock_fails_if_a_mapping_cannot_be_revoked),
		CASE(p37_denied_pages_cannot_be_mapped),
		cmocka_unit_test_setup_teardown(
			removing_a_right_that_the_device_does_not_need_keeps_its_mapping,
			begin_unprotected, end),
		CASE(an_overlay_revokes_a_mapping_of_its_own_vtl),
		CASE(p38_a_change_of_the_map_revokes_mappings),
		CASE(p25_a_reset_revokes_mappings),
		cmocka_unit_test_setup_teardown(p25_a_reset_that_keeps_memory_revokes_mappings,
						begin_unprotected, end),
		CASE(a_restore_revokes_mappings),
		CASE(mappings_are_limited_in_number_and_size),
		CASE(a_child_does_not_have_the_mapping),
		CASE(p37_a_device_that_never_stops_does_not_write_a_locked_page),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
