/* SPDX-License-Identifier: BSD-2-Clause */
/* What one run of a virtual machine consists of, and the parts that vmm_run() puts together. */
#ifndef VMM_RUN_GUEST_H
#define VMM_RUN_GUEST_H

#include <vsm/vsm.h>

#include "console/backend.h"
#include "machine/machine.h"
#include "run/order.h"
#include "run/run.h"
#include "run/stopper.h"
#include "run/trace_file.h"

/* RAM below the hole for devices, and above it. */
#define VMM_REGIONS 2u

/* Of the Hyper-V test device: connections for messages and for events, each with a number of 8 bits. */
#define VMM_KINDS	2u
#define VMM_CONNECTIONS 256u

struct vmm_region {
	uint64_t gpa;
	uint64_t size;
	uint8_t *host;
	int fd; /* a memfd: its bytes from 0 on */
};

/* Where a connection of the Hyper-V test device leads. */
struct vmm_route {
	uint8_t vp;
	uint8_t sint;
};

struct vmm_control;
struct vmm_guest;
struct vmm_saved;

struct vmm_processor {
	struct vmm_guest *guest;
	struct vsm_vp *vp;
	uint32_t index;
	pthread_t thread;
	bool started;
	bool told_crash;   /* by the crash MSRs: parameters below */
	bool triple_fault; /* it shut down */
	uint64_t crash[5];
	uint64_t crash_control;
};

/*
 * Fields without a mark are set before the processors run and do not change while they do.
 * m: guarded by machine.ports.lock.
 */
struct vmm_guest {
	const struct vmm_config *config;
	const struct vsm_log *log;
	struct vsm_partition *partition;
	struct vmm_region region[VMM_REGIONS];
	struct vmm_machine machine; /* has its own lock */
	struct vmm_backend console;
	struct vmm_stopper stopper; /* has its own lock */
	struct vmm_trace_file trace;
	struct vmm_processor
		*processor;	  /* [config->cpus]; each belongs to its thread while it runs */
	_Atomic uint32_t running; /* threads of processors that have not ended yet */
	_Atomic bool paused;	  /* by the user; written by the main thread */
	struct vmm_orders orders; /* has its own lock */
	const struct vmm_saved *saved; /* what it goes on with; NULL: it boots */
	struct vmm_control *control;   /* NULL: no control socket */
	pthread_t input;
	bool has_input;
	_Atomic uint32_t resets; /* written by the main thread */
	/* What the Hyper-V test device made: bits of SINTs for each processor, and of connections. */
	uint16_t *sint_routes;				       /* m [config->cpus] */
	uint64_t connections[VMM_KINDS][VMM_CONNECTIONS / 64]; /* m */
	struct vmm_route route[VMM_KINDS][VMM_CONNECTIONS];    /* m: of those */
};

/* ------------------------------------------------------------------ partition.c */

/* Makes the partition with its RAM, and the machine. -errno with a line in the log. */
int vmm_guest_create(struct vmm_guest *guest);
/* The same, with the partition there already; on failure it is gone. */
int vmm_guest_furnish(struct vmm_guest *guest);
void vmm_guest_destroy(struct vmm_guest *guest);

/* Puts tables, kernel and initrds into RAM and sets the boot processor's registers. */
int vmm_guest_boot(struct vmm_guest *guest);

/* Everything into its reset state; the processors are stopped. */
int vmm_guest_reset(struct vmm_guest *guest);

/* ------------------------------------------------------------------ processor.c */

/* Starts a thread for each processor; on failure those that were started stop. */
int vmm_processors_start(struct vmm_guest *guest);
/* Makes all of them leave the guest soon. */
void vmm_processors_kick(struct vmm_guest *guest);
/* Waits for their threads. */
void vmm_processors_join(struct vmm_guest *guest);

/* ------------------------------------------------------------------ the rest */

/* check.c: what can be known to be wrong before anything is made. -errno with a line in the log. */
int vmm_check(const struct vmm_config *config, const struct vsm_log *log);

/* hv_test.c: an order of the Hyper-V test device, with the lock of the ports held. */
void vmm_hv_test(void *opaque, const struct vmm_hv_test_request *request);
/* Makes a connection; -errno of vsm_connection_add(). With the lock of the ports held, or before processors run. */
int vmm_hv_test_connect(struct vmm_guest *guest, enum vsm_connection_kind kind, uint8_t id,
			struct vmm_route route);
/* Ends all that it made. No processor runs. */
void vmm_hv_test_reset(struct vmm_guest *guest);

/* input.c: the thread that hands the user's keys to the serial port. */
int vmm_input_start(struct vmm_guest *guest);
void vmm_input_join(struct vmm_guest *guest);

/* order.c: does what the control socket wants done with the processors stopped. */
void vmm_orders_do(struct vmm_guest *guest);

/*
 * describe.c: registers of every processor and VTL, and what it is doing, to stderr.
 * The processors may run.
 */
void vmm_describe(const struct vmm_guest *guest);

/* summary.c: one line to stderr. */
void vmm_summary(const struct vmm_guest *guest, const char *end, double seconds);

#endif
