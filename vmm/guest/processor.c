/* SPDX-License-Identifier: BSD-2-Clause */
/* The thread of a VP: calls vsm_vp_run() and dispatches exits. */
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <vsm/gdb.h>

#include "guest/guest.h"

/* ------------------------------------------------------------------ exits, one function each */

typedef void exit_fn(struct vmm_processor *processor, const struct vsm_exit *exit);

/* A kick: the thread's loop looks whether to stop. */
static void exit_interrupted(struct vmm_processor *processor, const struct vsm_exit *exit)
{
	(void)processor;
	(void)exit;
}

static void exit_io(struct vmm_processor *processor, const struct vsm_exit *exit)
{
	vmm_machine_port(&processor->guest->machine, exit->io.port, exit->io.size, exit->io.count,
			 exit->io.write, exit->io.data);
}

static void exit_mmio(struct vmm_processor *processor, const struct vsm_exit *exit)
{
	vmm_machine_mmio(&processor->guest->machine, exit->mmio.gpa, exit->mmio.size,
			 exit->mmio.write, exit->mmio.data);
}

static void exit_eoi(struct vmm_processor *processor, const struct vsm_exit *exit)
{
	vmm_machine_eoi(&processor->guest->machine, exit->eoi.vector);
}

static void exit_shutdown(struct vmm_processor *processor, const struct vsm_exit *exit)
{
	(void)exit;
	processor->triple_fault = true;
	vmm_guest_event(processor->guest, VMM_EVENT_CRASH, processor->index, 0);
	vmm_stop_processors(&processor->guest->stopper, VMM_CRASH, (int)processor->index);
}

static void exit_reset(struct vmm_processor *processor, const struct vsm_exit *exit)
{
	(void)exit;
	vmm_stop_processors(&processor->guest->stopper, VMM_RESET, 0);
}

static void exit_crash(struct vmm_processor *processor, const struct vsm_exit *exit)
{
	processor->reported_crash = true;
	memcpy(processor->crash, exit->crash.parameter, sizeof(processor->crash));
	processor->crash_control = exit->crash.control;
	processor->crash_message = exit->crash.message;
	processor->crash_message_size = exit->crash.message_size;
	vmm_guest_event(processor->guest, VMM_EVENT_CRASH, processor->index,
			exit->crash.parameter[0]);
	vmm_stop_processors(&processor->guest->stopper, VMM_CRASH, (int)processor->index);
}

static void exit_error(struct vmm_processor *processor, const struct vsm_exit *exit)
{
	(void)exit;
	vmm_guest_event(processor->guest, VMM_EVENT_ERROR, processor->index, 0);
	vmm_stop_processors(&processor->guest->stopper, VMM_ERROR, (int)processor->index);
}

static exit_fn *const exits[] = {
	[VSM_EXIT_INTERRUPTED] = exit_interrupted,
	[VSM_EXIT_IO] = exit_io,
	[VSM_EXIT_MMIO] = exit_mmio,
	[VSM_EXIT_EOI] = exit_eoi,
	[VSM_EXIT_INTA] = exit_interrupted, /* the machine has no 8259 */
	[VSM_EXIT_SHUTDOWN] = exit_shutdown,
	[VSM_EXIT_RESET] = exit_reset,
	[VSM_EXIT_CRASH] = exit_crash,
	[VSM_EXIT_ERROR] = exit_error,
	/* The GDB stub handles its debug exits itself, and nothing else sets breakpoints. */
	[VSM_EXIT_DEBUG] = exit_interrupted,
};

/* ------------------------------------------------------------------ threads */

static int run_vp(struct vmm_processor *processor, const struct vsm_exit **exit)
{
	struct vsm_gdb *gdb = processor->guest->gdb;

	return gdb ? vsm_gdb_run(gdb, processor->index, exit) : vsm_vp_run(processor->vp, exit);
}

static void kick_vp(struct vmm_processor *processor)
{
	if (processor->guest->gdb)
		vsm_gdb_kick(processor->guest->gdb, processor->index);
	else
		vsm_vp_kick(processor->vp);
}

static enum vsm_exit_reason run_once(struct vmm_processor *processor)
{
	const struct vsm_exit *exit;

	if (run_vp(processor, &exit)) {
		vmm_stop_processors(&processor->guest->stopper, VMM_ERROR, (int)processor->index);
		return VSM_EXIT_ERROR;
	}
	exits[exit->reason](processor, exit);
	return exit->reason;
}

/*
 * Completes the instruction of the last exit and takes all pending level-triggered EOIs, so that
 * the VP's state can be saved. A kick before each call keeps the VP from running
 * guest code.
 */
static void finish_exit(struct vmm_processor *processor, enum vsm_exit_reason last)
{
	while (last == VSM_EXIT_IO || last == VSM_EXIT_MMIO || last == VSM_EXIT_EOI) {
		kick_vp(processor);
		last = run_once(processor);
	}
}

static void *run_processor(void *opaque)
{
	struct vmm_processor *processor = opaque;
	struct vmm_stopper *stopper = &processor->guest->stopper;
	enum vsm_exit_reason last = VSM_EXIT_INTERRUPTED;
	char name[16];

	snprintf(name, sizeof(name), "vp%u", processor->index);
	if (vmm_sandbox_thread(processor->guest->sandbox, VMM_ROLE_VP, name))
		vmm_stop_processors(stopper, VMM_ERROR, -1);
	while (atomic_load(&stopper->why) == VMM_GOING)
		last = run_once(processor);
	finish_exit(processor, last);
	if (atomic_fetch_sub(&processor->guest->running, 1) == 1)
		vmm_stopper_wake(stopper);
	return NULL;
}

int vmm_processors_start(struct vmm_guest *guest)
{
	const uint32_t count = guest->config->cpus;

	atomic_store(&guest->running, count);
	for (uint32_t i = 0; i < count; i++) {
		struct vmm_processor *processor = &guest->processor[i];
		int error = pthread_create(&processor->thread, NULL, run_processor,
					   &guest->processor[i]);

		if (error) {
			/* The threads that were not started count as ended. */
			atomic_fetch_sub(&guest->running, count - i);
			vmm_stop_processors(&guest->stopper, VMM_ERROR, -1);
			return vsm_error(guest->log, error,
					 "processor %u: the thread cannot be created: %s", i,
					 strerror(error));
		}
		processor->started = true;
	}
	return 0;
}

void vmm_processors_kick(struct vmm_guest *guest)
{
	for (uint32_t i = 0; i < guest->config->cpus; i++)
		kick_vp(&guest->processor[i]);
}

void vmm_processors_join(struct vmm_guest *guest)
{
	for (uint32_t i = 0; i < guest->config->cpus; i++) {
		if (guest->processor[i].started)
			pthread_join(guest->processor[i].thread, NULL);
		guest->processor[i].started = false;
	}
}
