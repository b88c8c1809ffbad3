/* SPDX-License-Identifier: BSD-2-Clause */
#include "eventfd_test.h"
#include "listener.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/timerfd.h>
#include <time.h>

#define PORT 0xc050u
#define GPA  0x80000000u

static enum vsm_exit_reason out(struct vsm_vp *vp, uint16_t port, uint8_t size, uint64_t value)
{
	const struct vsm_exit *exit;

	sim_next(vp, vp->active_vtl,
		 &(struct sim_action){
			 .kind = SIM_OUT, .address = port, .size = size, .value = value});
	assert_int_equal(vsm_vp_run(vp, &exit), 0);
	return exit->reason;
}

static enum vsm_exit_reason finish(struct vsm_vp *vp)
{
	const struct vsm_exit *exit;

	assert_int_equal(vsm_vp_run(vp, &exit), 0);
	return exit->reason;
}

static void a_write_signals_and_is_no_exit(void **state)
{
	struct vsm_partition *partition = guest_partition(1, 1, RAM, NULL);
	struct vsm_vp *vp = vsm_partition_vp(partition, 0);
	const int fd = eventfd_make(), other = eventfd_make();

	assert_int_equal(ioeventfd_set(partition, fd, PORT, 2, VSM_IOEVENTFD_PORT, 0), 0);
	assert_int_equal(out(vp, PORT, 2, 7), VSM_EXIT_INTERRUPTED);
	assert_true(sim_state(vp, 0)->done);
	assert_int_equal(eventfd_signals(fd), 1);
	assert_int_equal(out(vp, PORT, 4, 7), VSM_EXIT_IO);
	finish(vp);
	assert_int_equal(out(vp, PORT + 1, 2, 7), VSM_EXIT_IO);
	finish(vp);
	/* An entry of size 1 that matches only the value 5. */
	assert_int_equal(ioeventfd_set(partition, other, PORT, 1,
				       VSM_IOEVENTFD_PORT | VSM_IOEVENTFD_MATCH, 5),
			 0);
	assert_int_equal(out(vp, PORT, 1, 4), VSM_EXIT_IO);
	finish(vp);
	assert_int_equal(out(vp, PORT, 1, 5), VSM_EXIT_INTERRUPTED);
	assert_int_equal(eventfd_signals(other), 1);
	assert_int_equal(eventfd_signals(fd), 0);
	assert_int_equal(
		ioeventfd_set(partition, 0, PORT, 2, VSM_IOEVENTFD_PORT | VSM_IOEVENTFD_REMOVE, 0),
		0);
	assert_int_equal(out(vp, PORT, 2, 7), VSM_EXIT_IO);
	vsm_partition_destroy(partition);
	close(fd);
	close(other);
}

static void a_store_to_mmio_signals_and_one_to_ram_does_not(void **state)
{
	struct vsm_partition *partition = guest_partition(1, 1, RAM, NULL);
	struct vsm_vp *vp = vsm_partition_vp(partition, 0);
	const int fd = eventfd_make();
	uint64_t value;

	assert_int_equal(ioeventfd_set(partition, fd, GPA, 0, 0, 0), 0);
	assert_int_equal(ioeventfd_set(partition, fd, 0x5000, 0, 0, 0), 0);
	assert_int_equal(guest_write(vp, 0x5000, 8, 0x1234), GUEST_DONE);
	assert_int_equal(guest_read(vp, 0x5000, 8, &value), GUEST_DONE);
	assert_int_equal(value, 0x1234);
	assert_int_equal(eventfd_signals(fd), 0);
	assert_int_equal(guest_read(vp, GPA, 4, &value), GUEST_EXIT);
	finish(vp);
	assert_int_equal(guest_write(vp, GPA, 4, 1), GUEST_DONE);
	assert_int_equal(guest_write(vp, GPA, 8, 1), GUEST_DONE);
	assert_int_equal(eventfd_signals(fd), 2);
	vsm_partition_destroy(partition);
	close(fd);
}

static void a_write_that_a_higher_vtl_denies_is_intercepted_and_not_signalled(void **state)
{
	struct vsm_partition *partition = guest_partition(1, 1, RAM, NULL);
	struct vsm_vp *vp = vsm_partition_vp(partition, 0);
	const struct hv_install_intercept_input port = {
		.partition_id = HV_PARTITION_ID_SELF,
		.access_type_mask = HV_INTERCEPT_ACCESS_MASK_WRITE,
		.intercept_type = HV_INTERCEPT_TYPE_X64_IO_PORT_RANGE,
		.intercept_parameters = PORT | (uint64_t)PORT << 16,
	};
	const int fd = eventfd_make();

	listener_create(partition, 1);
	assert_int_equal(guest_vtl_call(vp), GUEST_DONE);
	assert_int_equal(
		(uint16_t)guest_call(vp, HV_CALL_INSTALL_INTERCEPT, &port, sizeof(port), NULL, 0),
		0);
	assert_int_equal(guest_vtl_return(vp, true), GUEST_DONE);
	assert_int_equal(ioeventfd_set(partition, fd, PORT, 0, VSM_IOEVENTFD_PORT, 0), 0);
	assert_int_equal(out(vp, PORT, 1, 5), VSM_EXIT_INTERRUPTED);
	assert_int_equal(vp->active_vtl, 1);
	assert_true(listener_has_message(vp, 1));
	assert_int_equal(eventfd_signals(fd), 0);
	vsm_partition_destroy(partition);
	close(fd);
}

static void misuse_is_refused(void **state)
{
	struct vsm_partition *partition = guest_partition(1, 1, RAM, NULL);
	struct vsm_ioeventfd bad = {.size = sizeof(bad) - 1};
	const int fd = eventfd_make();
	int error = 0;

	assert_int_equal(vsm_ioeventfd(partition, &bad), -EINVAL);
	assert_int_equal(ioeventfd_set(partition, fd, GPA, 3, 0, 0), -EINVAL);
	assert_int_equal(ioeventfd_set(partition, fd, GPA, 16, 0, 0), -EINVAL);
	assert_int_equal(ioeventfd_set(partition, fd, GPA, 4, 8, 0), -EINVAL);
	assert_int_equal(ioeventfd_set(partition, fd, 0x10000, 2, VSM_IOEVENTFD_PORT, 0), -EINVAL);
	assert_int_equal(ioeventfd_set(partition, fd, PORT, 8, VSM_IOEVENTFD_PORT, 0), -EINVAL);
	assert_int_equal(ioeventfd_set(partition, fd, GPA, 0, VSM_IOEVENTFD_MATCH, 0), -EINVAL);
	assert_int_equal(ioeventfd_set(partition, fd, GPA, 1, VSM_IOEVENTFD_MATCH, 256), -EINVAL);
	assert_int_equal(ioeventfd_set(partition, -1, GPA, 4, 0, 0), -EBADF);
	assert_int_equal(ioeventfd_set(partition, fd, GPA, 4, VSM_IOEVENTFD_REMOVE, 0), -ENOENT);
	assert_int_equal(ioeventfd_set(partition, fd, GPA, 4, 0, 0), 0);
	assert_int_equal(ioeventfd_set(partition, fd, GPA, 4, 0, 0), -EEXIST);
	assert_int_equal(vsm_irqfd(partition, fd, 0x1000, 0), -EINVAL);
	assert_int_equal(vsm_irqfd(partition, -1, 0xfee00000, 0x61), -EBADF);
	assert_int_equal(vsm_irqfd_remove(partition, fd), -ENOENT);
	for (uint64_t i = 1; i < 1024 && !error; i++)
		error = ioeventfd_set(partition, fd, GPA + 8 * i, 4, 0, 0);
	/* Each entry needs a descriptor, and the process may have a lower limit. */
	if (!error)
		assert_int_equal(ioeventfd_set(partition, fd, GPA + 8 * 1024, 4, 0, 0), -ENOSPC);
	else
		assert_int_equal(error, -EMFILE);
	vsm_partition_destroy(partition);
	close(fd);
}

static void store_text(void *opaque, const struct vsm_log_record *record)
{
	assert_int_not_equal(record->error, 0);
	snprintf(opaque, 128, "%s", record->text);
}

static void the_message_names_the_field_that_is_wrong(void **state)
{
	static const struct {
		struct vsm_ioeventfd wanted;
		const char *text;
	} cases[] = {
		{{.size = 1}, "sizeof(struct vsm_ioeventfd)"},
		{{.flags = 8}, "flags"},
		{{.reserved = 1}, "reserved"},
		{{.length = 3}, "length is not"},
		{{.flags = VSM_IOEVENTFD_MATCH}, "MATCH needs one"},
		{{.flags = VSM_IOEVENTFD_MATCH, .length = 1, .data = 256}, "data exceeds length"},
		{{.flags = VSM_IOEVENTFD_PORT, .address = 0x10000}, "last port"},
		{{.flags = VSM_IOEVENTFD_PORT, .length = 8}, "of a port"},
		{{.fd = -1}, "not an eventfd"},
		{{.flags = VSM_IOEVENTFD_REMOVE}, "no entry"},
	};
	struct vsm_partition *partition = guest_partition(1, 1, RAM, NULL);
	char text[128];

	partition->log = (struct vsm_log){store_text, text, VSM_LOG_ERROR};
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct vsm_ioeventfd wanted = cases[i].wanted;

		wanted.size = wanted.size ? wanted.size : sizeof(wanted);
		text[0] = 0;
		assert_true(vsm_ioeventfd(partition, &wanted) < 0);
		assert_non_null(strstr(text, cases[i].text));
	}
	assert_int_equal(vsm_irqfd(partition, 99, 0xfee00000, 0x61), -EBADF);
	assert_non_null(strstr(text, "not an eventfd"));
	vsm_partition_destroy(partition);
}

/* With another kind of descriptor, doorbells and interrupts would be lost silently. */
static void only_eventfds_are_accepted(void **state)
{
	struct vsm_partition *partition = guest_partition(1, 1, RAM, NULL);
	int ends[2], wrong[6];

	assert_int_equal(pipe(ends), 0);
	wrong[0] = ends[0];
	wrong[1] = ends[1];
	wrong[2] = open("/dev/null", O_RDWR | O_CLOEXEC);
	wrong[3] = memfd_create("file", MFD_CLOEXEC);
	/* These are anonymous inodes like an eventfd, but cannot be written. */
	wrong[4] = epoll_create1(EPOLL_CLOEXEC);
	wrong[5] = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC);
	for (size_t i = 0; i < ARRAY_SIZE(wrong); i++) {
		assert_true(wrong[i] >= 0);
		assert_int_equal(ioeventfd_set(partition, wrong[i], GPA, 4, 0, 0), -EBADF);
		assert_int_equal(vsm_irqfd(partition, wrong[i], 0xfee00000, 0x61), -EBADF);
	}
	/* The check did not write to the pipe. */
	fcntl(ends[0], F_SETFL, O_NONBLOCK);
	assert_int_equal(read(ends[0], wrong, 1), -1);
	for (size_t i = 0; i < ARRAY_SIZE(wrong); i++)
		close(i < 2 ? ends[i] : wrong[i]);
	vsm_partition_destroy(partition);
}

static bool is_requested(struct vsm_vp *vp, unsigned int vector)
{
	struct vsm_lapic_state lapic;

	assert_int_equal(vsm_vp_lapic(vp, 0, &lapic), 0);
	return lapic.irr[vector / 32] >> vector % 32 & 1;
}

/* Waits up to a second until the library's irqfd thread has requested @vector. */
static bool gets(struct vsm_vp *vp, unsigned int vector)
{
	for (unsigned int i = 0; i < 1000; i++) {
		if (is_requested(vp, vector))
			return true;
		nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
	}
	return false;
}

static void raise_signal(int fd)
{
	const uint64_t one = 1;

	assert_int_equal(write(fd, &one, sizeof(one)), sizeof(one));
}

static void a_signal_is_an_interrupt_of_vtl0(void **state)
{
	struct vsm_partition *partition = guest_partition(2, 1, RAM, NULL);
	struct vsm_vp *vp = vsm_partition_vp(partition, 1);
	const int fd = eventfd_make();

	assert_int_equal(vsm_irqfd(partition, fd, 0xfee01000, 0x61), 0);
	raise_signal(fd);
	assert_true(gets(vp, 0x61));
	assert_false(is_requested(vsm_partition_vp(partition, 0), 0x61));
	assert_int_equal(vsm_irqfd(partition, fd, 0xfee01000, 0x62), 0);
	raise_signal(fd);
	assert_true(gets(vp, 0x62));
	assert_int_equal(vsm_irqfd_remove(partition, fd), 0);
	assert_int_equal(vsm_irqfd_remove(partition, fd), -ENOENT);
	raise_signal(fd);
	nanosleep(&(struct timespec){.tv_nsec = 20000000}, NULL);
	assert_int_equal(eventfd_signals(fd), 1);
	vsm_partition_destroy(partition);
	close(fd);
}

static void a_descriptor_that_was_closed_can_be_registered_again(void **state)
{
	struct vsm_partition *partition = guest_partition(1, 1, RAM, NULL);
	const int fd = eventfd_make(), next = eventfd_make();

	assert_int_equal(vsm_irqfd(partition, fd, 0xfee00000, 0x61), 0);
	assert_int_equal(dup2(next, fd), fd);
	assert_int_equal(vsm_irqfd(partition, fd, 0xfee00000, 0x62), 0);
	raise_signal(fd);
	assert_true(gets(vsm_partition_vp(partition, 0), 0x62));
	vsm_partition_destroy(partition);
	close(next);
	close(fd);
}

static void a_partition_ends_with_irqfds_in_use(void **state)
{
	struct vsm_partition *partition = guest_partition(1, 1, RAM, NULL);
	const int fd = eventfd_make();

	assert_int_equal(vsm_irqfd(partition, fd, 0xfee00000, 0x61), 0);
	raise_signal(fd);
	vsm_partition_destroy(partition);
	close(fd);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_write_signals_and_is_no_exit),
		cmocka_unit_test(a_store_to_mmio_signals_and_one_to_ram_does_not),
		cmocka_unit_test(a_write_that_a_higher_vtl_denies_is_intercepted_and_not_signalled),
		cmocka_unit_test(misuse_is_refused),
		cmocka_unit_test(a_signal_is_an_interrupt_of_vtl0),
		cmocka_unit_test(the_message_names_the_field_that_is_wrong),
		cmocka_unit_test(only_eventfds_are_accepted),
		cmocka_unit_test(a_descriptor_that_was_closed_can_be_registered_again),
		cmocka_unit_test(a_partition_ends_with_irqfds_in_use),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
