/* SPDX-License-Identifier: BSD-2-Clause */
/* Ioeventfds. The sim signals one also for a store that VTL1 denies, as KVM's emulator does. */
#include "eventfd_test.h"
#include "memory_world.h"

#define PORT	       0xc050u
#define HYPERCALL_PORT 0x7eu

static void set(struct world *world, int fd, uint64_t address, uint32_t length, uint32_t flags,
		uint64_t data)
{
	assert_int_equal(ioeventfd_set(world->partition, fd, address, length, flags, data), 0);
}

static uint32_t exits(const struct world *world)
{
	return atomic_load(&world->partition->ioeventfd_exits);
}

static void out(struct world *world, uint16_t port, uint8_t size, uint64_t value)
{
	const struct vsm_exit *exit;

	sim_next(world->vp, world->vp->active_vtl,
		 &(struct sim_action){
			 .kind = SIM_OUT, .address = port, .size = size, .value = value});
	assert_int_equal(vsm_vp_run(world->vp, &exit), 0);
	assert_int_equal(exit->reason, VSM_EXIT_INTERRUPTED);
}

/* P38: VTL0 moves a device over memory of VTL1, or the memory to the device. */
static void p38_a_doorbell_ends_when_memory_is_mapped_at_its_address(void **state)
{
	const int fd = eventfd_make();
	struct world world;

	begin(&world);
	set(&world, fd, PLACE + 8, 0, 0, 0);
	assert_int_equal(exits(&world), 0);
	assert_int_equal(guest_write(world.vp, PLACE + 8, 4, 1), GUEST_DONE);
	assert_int_equal(eventfd_signals(fd), 1);
	set_map(&world, PLACE, 0x1000, world.rom, 0, 0);
	assert_int_equal(exits(&world), 1);
	assert_int_equal(lock(&world, MAP_READ_EXECUTE, PLACE), 0);
	assert_true(read_only_at(&world, PLACE + 8, OTHER));
	assert_int_equal(lock(&world, MAP_NONE, PLACE), 0);
	assert_true(nothing_at(&world, PLACE + 8));
	assert_int_equal(eventfd_signals(fd), 0);
	/* The entry still exists. */
	set_map(&world, PLACE, 0x1000, -1, 0, 0);
	assert_int_equal(guest_write(world.vp, PLACE + 8, 4, 1), GUEST_DONE);
	assert_int_equal(eventfd_signals(fd), 1);
	end(&world);
	close(fd);
}

static void p38_an_eventfd_at_restricted_memory_is_not_signalled(void **state)
{
	const int fd = eventfd_make();
	struct world world;

	begin(&world);
	set_map(&world, PLACE, 0x1000, world.rom, 0, 0);
	assert_int_equal(lock(&world, MAP_READ_EXECUTE, PLACE), 0);
	set(&world, fd, PLACE + 8, 0, 0, 0);
	assert_int_equal(exits(&world), 1);
	assert_true(read_only_at(&world, PLACE + 8, OTHER));
	assert_int_equal(eventfd_signals(fd), 0);
	end(&world);
	close(fd);
}

static void a_doorbell_ends_when_vtl0_places_an_overlay_at_its_address(void **state)
{
	const int fd = eventfd_make();
	struct world world;

	begin(&world);
	assert_int_equal(guest_wrmsr(world.vp, HV_X64_MSR_GUEST_OS_ID, 1), GUEST_DONE);
	set(&world, fd, PLACE + 8, 0, 0, 0);
	assert_int_equal(exits(&world), 0);
	assert_int_equal(guest_wrmsr(world.vp, HV_X64_MSR_HYPERCALL, PLACE | 1), GUEST_DONE);
	assert_int_equal(exits(&world), 1);
	assert_int_equal(guest_write(world.vp, PLACE + 8, 4, 1), GUEST_FAULT);
	assert_int_equal(eventfd_signals(fd), 0);
	set(&world, fd, PLACE + 16, 0, 0, 0);
	assert_int_equal(exits(&world), 2);
	end(&world);
	close(fd);
}

/* VTL1 intercepts the port, or one of the ports that a write also includes. */
static void a_doorbell_ends_when_vtl1_intercepts_its_port(void **state)
{
	for (unsigned int further = 0; further < 2; further++) {
		const struct hv_install_intercept_input port = {
			.partition_id = HV_PARTITION_ID_SELF,
			.access_type_mask = HV_INTERCEPT_ACCESS_MASK_WRITE,
			.intercept_type = HV_INTERCEPT_TYPE_X64_IO_PORT_RANGE,
			.intercept_parameters = (PORT + further) | (uint64_t)(PORT + further) << 16,
		};
		const int fd = eventfd_make();
		struct world world;

		begin(&world);
		set(&world, fd, PORT, further ? 0 : 2, VSM_IOEVENTFD_PORT, 0);
		assert_int_equal(exits(&world), 0);
		out(&world, PORT, 2, 5);
		assert_int_equal(eventfd_signals(fd), 1);
		assert_int_equal(guest_vtl_call(world.vp), GUEST_DONE);
		assert_int_equal((uint16_t)guest_call(world.vp, HV_CALL_INSTALL_INTERCEPT, &port,
						      sizeof(port), NULL, 0),
				 0);
		assert_int_equal(guest_vtl_return(world.vp, true), GUEST_DONE);
		assert_int_equal(exits(&world), 1);
		out(&world, PORT, 2, 5);
		assert_int_equal(world.vp->active_vtl, 1);
		assert_int_equal(eventfd_signals(fd), 0);
		end(&world);
		close(fd);
	}
}

static void of_two_entries_for_one_write_the_library_selects_one(void **state)
{
	const int any = eventfd_make(), five = eventfd_make();
	struct world world;

	begin(&world);
	set(&world, any, PORT, 0, VSM_IOEVENTFD_PORT, 0);
	set(&world, five, PORT, 2, VSM_IOEVENTFD_PORT | VSM_IOEVENTFD_MATCH, 5);
	assert_int_equal(exits(&world), 2);
	out(&world, PORT, 2, 5);
	assert_int_equal(eventfd_signals(five), 1);
	out(&world, PORT, 2, 6);
	assert_int_equal(eventfd_signals(any), 1);
	set(&world, any, PORT + 4, 2, VSM_IOEVENTFD_PORT | VSM_IOEVENTFD_MATCH, 1);
	set(&world, five, PORT + 4, 2, VSM_IOEVENTFD_PORT | VSM_IOEVENTFD_MATCH, 2);
	assert_int_equal(exits(&world), 2);
	end(&world);
	close(any);
	close(five);
}

/* An overlay over a page stops its doorbells one after the other, which takes long. */
static void p38_doorbells_of_a_page_and_all_doorbells_are_bounded(void **state)
{
	const uint64_t devices = UINT64_C(0xfe000000);
	struct world world;
	const int fd = eventfd_make();

	begin(&world);
	for (unsigned int i = 0; i < 40; i++)
		set(&world, fd, devices + i * 4, 4, 0, 0);
	assert_int_equal(exits(&world), 40 - 16);
	for (unsigned int i = 0; i < 40; i++)
		set(&world, fd, PORT, 2, VSM_IOEVENTFD_PORT | VSM_IOEVENTFD_MATCH, i);
	assert_int_equal(exits(&world), 2 * (40 - 16));
	for (unsigned int i = 1; i <= 200; i++)
		set(&world, fd, devices + i * 0x1000, 4, 0, 0);
	assert_int_equal(exits(&world), 280 - 128);
	/* Writes that exit signal as well. */
	out(&world, PORT, 2, 39);
	assert_int_equal(eventfd_signals(fd), 1);
	/* The local APIC has priority. */
	set(&world, fd, 0xfee00080, 4, 0, 0);
	assert_int_equal(exits(&world), 281 - 128);
	/* A doorbell that is removed makes room. */
	set(&world, fd, devices, 4, VSM_IOEVENTFD_REMOVE, 0);
	set(&world, fd, devices, 4, 0, 0);
	assert_int_equal(exits(&world), 281 - 128);
	close(fd);
	end(&world);
}

static void a_write_by_vtl1_signals_too(void **state)
{
	const int fd = eventfd_make();
	struct world world;

	begin(&world);
	set(&world, fd, PORT, 2, VSM_IOEVENTFD_PORT, 0);
	assert_int_equal(guest_vtl_call(world.vp), GUEST_DONE);
	out(&world, PORT, 2, 5);
	assert_int_equal(eventfd_signals(fd), 1);
	end(&world);
	close(fd);
}

/* On KVM the hypercall page contains an OUT to this port. */
static void an_eventfd_at_a_hypercall_port_is_not_signalled_by_vtl_calls(void **state)
{
	const int fd = eventfd_make();
	struct world world;

	begin(&world);
	set(&world, fd, HYPERCALL_PORT, 1, VSM_IOEVENTFD_PORT, 0);
	assert_int_equal(lock(&world, MAP_ALL, 0x5000), 0);
	assert_int_equal(guest_vtl_call(world.vp), GUEST_DONE);
	assert_int_equal(world.vp->active_vtl, 1);
	assert_int_equal(eventfd_signals(fd), 0);
	end(&world);
	close(fd);
}

static struct {
	struct vsm_partition *partition;
	int (*doorbell)(void *backend, const struct backend_doorbell *doorbell, bool on);
	unsigned int calls;
} slow;

/* In place of a backend that waits for other VPs: these may need the lock of the other kind of address. */
static int doorbell_with_locks(void *backend, const struct backend_doorbell *doorbell, bool on)
{
	struct vsm_partition *partition = slow.partition;

	slow.calls++;
	if (doorbell->port) {
		assert_int_equal(pthread_rwlock_trywrlock(&partition->memory.lock), 0);
		pthread_rwlock_unlock(&partition->memory.lock);
	} else {
		assert_int_equal(pthread_mutex_trylock(&partition->lock), 0);
		pthread_mutex_unlock(&partition->lock);
	}
	return slow.doorbell(backend, doorbell, on);
}

static void adding_a_doorbell_holds_only_the_lock_of_its_kind_of_address(void **state)
{
	const int fd = eventfd_make();
	const struct backend_ops *usual;
	struct backend_ops ops;
	struct world world;

	begin(&world);
	usual = world.partition->ops;
	ops = *usual;
	slow.partition = world.partition;
	slow.doorbell = ops.doorbell;
	slow.calls = 0;
	ops.doorbell = doorbell_with_locks;
	world.partition->ops = &ops;
	set(&world, fd, PLACE + 8, 0, 0, 0);
	set(&world, fd, PORT, 2, VSM_IOEVENTFD_PORT, 0);
	assert_int_equal(slow.calls, 2);
	world.partition->ops = usual;
	end(&world);
	close(fd);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(p38_a_doorbell_ends_when_memory_is_mapped_at_its_address),
		cmocka_unit_test(p38_an_eventfd_at_restricted_memory_is_not_signalled),
		cmocka_unit_test(a_doorbell_ends_when_vtl0_places_an_overlay_at_its_address),
		cmocka_unit_test(a_doorbell_ends_when_vtl1_intercepts_its_port),
		cmocka_unit_test(of_two_entries_for_one_write_the_library_selects_one),
		cmocka_unit_test(p38_doorbells_of_a_page_and_all_doorbells_are_bounded),
		cmocka_unit_test(a_write_by_vtl1_signals_too),
		cmocka_unit_test(an_eventfd_at_a_hypercall_port_is_not_signalled_by_vtl_calls),
		cmocka_unit_test(adding_a_doorbell_holds_only_the_lock_of_its_kind_of_address),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
