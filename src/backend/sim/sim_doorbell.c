/* SPDX-License-Identifier: BSD-2-Clause */
/* Writes that signal an eventfd without an exit, as by KVM_IOEVENTFD. */
#include <errno.h>
#include <unistd.h>

#include "sim/sim_internal.h"

static bool is_same(const struct backend_doorbell *a, const struct backend_doorbell *b)
{
	return a->port == b->port && a->match == b->match && a->length == b->length &&
	       a->address == b->address && a->data == b->data && a->fd == b->fd;
}

int sim_doorbell(void *opaque, const struct backend_doorbell *doorbell, bool on)
{
	struct sim_backend *sim = opaque;
	int error = on ? sim_call_error(sim, SIM_CALL_DOORBELL) : 0;
	uint32_t i = 0;

	if (error)
		return error;
	pthread_mutex_lock(&sim->doorbell_lock);
	while (i < sim->doorbell_count && !is_same(&sim->doorbell[i], doorbell))
		i++;
	if (!on && i < sim->doorbell_count)
		sim->doorbell[i] = sim->doorbell[--sim->doorbell_count];
	else if (on && sim->doorbell_count < SIM_DOORBELLS)
		sim->doorbell[sim->doorbell_count++] = *doorbell;
	else
		error = on ? -ENOSPC : -ENOENT;
	pthread_mutex_unlock(&sim->doorbell_lock);
	return error;
}

bool sim_doorbell_signal(struct sim_backend *sim, bool port, uint64_t address, uint64_t value,
			 uint8_t size)
{
	const uint64_t one = 1;
	bool rings = false;

	pthread_mutex_lock(&sim->doorbell_lock);
	for (uint32_t i = 0; i < sim->doorbell_count && !rings; i++) {
		const struct backend_doorbell *doorbell = &sim->doorbell[i];

		if (doorbell->port == port && doorbell->address == address &&
		    (!doorbell->length || doorbell->length == size) &&
		    (!doorbell->match || doorbell->data == value))
			rings = write(doorbell->fd, &one, sizeof(one)) == sizeof(one);
	}
	pthread_mutex_unlock(&sim->doorbell_lock);
	return rings;
}
