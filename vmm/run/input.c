/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Passes console input to the serial port. While its queue is full, input is kept here and no more
 * is read.
 */
#include <string.h>
#include <time.h>

#include "run/parts.h"

#define CHUNK 256u
/* A full serial port does not notify of free space. */
#define RETRY_NS 20000000

static void offer(struct vmm_guest *guest, const uint8_t *data, size_t size)
{
	const struct timespec pause = {.tv_nsec = RETRY_NS};

	while (!vmm_backend_stopped(&guest->console)) {
		const size_t taken = vmm_machine_input(&guest->machine, data, size);

		data += taken;
		size -= taken;
		if (size == 0)
			return;
		nanosleep(&pause, NULL);
	}
}

static void *read_input(void *opaque)
{
	struct vmm_guest *guest = opaque;
	uint8_t data[CHUNK];
	bool quit = false;

	if (vmm_sandbox_thread(guest->sandbox, VMM_ROLE_CONSOLE, "console")) {
		vmm_stop_processors(&guest->stopper, VMM_ERROR, -1);
		return NULL;
	}
	while (!quit && !vmm_backend_stopped(&guest->console)) {
		const int got = vmm_backend_read(&guest->console, data, sizeof(data), -1, &quit);

		if (got < 0)
			return NULL;
		offer(guest, data, (size_t)got);
	}
	if (quit)
		vmm_stop_processors(&guest->stopper, VMM_USER, 0);
	return NULL;
}

int vmm_input_start(struct vmm_guest *guest)
{
	const int error = pthread_create(&guest->input, NULL, read_input, guest);

	if (error)
		return vsm_error(guest->log, error, "console: the thread cannot be created: %s",
				 strerror(error));
	guest->has_input = true;
	return 0;
}

void vmm_input_join(struct vmm_guest *guest)
{
	vmm_backend_stop(&guest->console);
	if (guest->has_input)
		pthread_join(guest->input, NULL);
	guest->has_input = false;
}
