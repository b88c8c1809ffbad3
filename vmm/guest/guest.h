/* SPDX-License-Identifier: BSD-2-Clause */
/* State of a virtual machine on libvsm, and operations on it. */
#ifndef VMM_GUEST_GUEST_H
#define VMM_GUEST_GUEST_H

#include <vsm/vsm.h>

#include "config/config.h"
#include "console/backend.h"
#include "file/trace.h"
#include "guest/event.h"
#include "guest/order.h"
#include "guest/stopper.h"
#include "machine/machine.h"
#include "sandbox/sandbox.h"

/* RAM below the device hole, and above it. */
#define VMM_REGIONS 2u

/* Connections of the Hyper-V test device: for messages, and for events. */
#define VMM_KINDS	2u
#define VMM_CONNECTIONS 256u

struct vmm_region {
	uint64_t gpa;
	uint64_t size;
	uint8_t *host;
	int fd; /* memfd with the region at offset 0 */
};

struct vmm_route {
	uint8_t vp;
	uint8_t sint;
};

/* Connections of the Hyper-V test device; a saved machine contains them in this layout. */
struct vmm_connections {
	uint64_t made[VMM_KINDS][VMM_CONNECTIONS / 64];
	struct vmm_route route[VMM_KINDS][VMM_CONNECTIONS]; /* of the connections in @made */
};

struct vmm_control;
struct vmm_gdb;
struct vsm_gdb;
struct vmm_guest;
struct vmm_saved;

struct vmm_processor {
	struct vmm_guest *guest;
	struct vsm_vp *vp;
	uint32_t index;
	pthread_t thread;
	bool started;
	bool reported_crash; /* the guest wrote the crash MSRs */
	bool triple_fault;
	uint64_t crash[5];
	uint64_t crash_control;
	const char *crash_message; /* of the last crash exit, written by the guest */
	uint32_t crash_message_size;
};

/*
 * Fields without a mark are set before the VPs run and constant while they run. m: guarded by
 * machine.ports.lock.
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
	const struct vmm_sandbox *sandbox;
	/* [config->cpus]: each is written only by its thread while the thread runs */
	struct vmm_processor *processor;
	_Atomic uint32_t running;      /* VP threads that have not ended */
	_Atomic bool paused;	       /* paused by the user; written by the main thread */
	struct vmm_orders orders;      /* has its own lock */
	const struct vmm_saved *saved; /* saved machine to restore; NULL: boot */
	struct vmm_control *control;   /* NULL: no control socket */
	vmm_event_fn *event;	       /* NULL: events are dropped */
	void *event_opaque;
	struct vmm_gdb *debugger;
	struct vsm_gdb *gdb; /* the stub through which the VPs run; NULL: none */
	int tcp_table;	     /* of vmm_gdb_table() */
	int service;	     /* socket of the service manager, or -1 */
	bool journal;	     /* stderr is a stream to the journal: found before the sandbox */
	pthread_t input;
	bool has_input;
	_Atomic uint32_t resets; /* written by the main thread */
	/* Set by the Hyper-V test device: routed SINTs of each VP, and connections. */
	uint16_t *sint_routes;		    /* m [config->cpus] */
	struct vmm_connections connections; /* m */
};

static inline void vmm_guest_event(const struct vmm_guest *guest, enum vmm_event event, uint32_t vp,
				   uint64_t detail)
{
	if (guest->event)
		guest->event(guest->event_opaque, event, vp, detail);
}

/* ------------------------------------------------------------------ guest.c */

/* -errno with a line in the log. */
int vmm_guest_create(struct vmm_guest *guest);
void vmm_guest_destroy(struct vmm_guest *guest);

/* NULL: not all of it is RAM. No protection applies. */
uint8_t *vmm_guest_ram(const struct vmm_guest *guest, uint64_t gpa, uint64_t size);

/*
 * Reads memory at @gva, regardless of rights in page tables and of VTL protections. Returns 0,
 * -EFAULT (not all of it is mapped to RAM) or -ETIMEDOUT (the VP is busy with an exit).
 */
int vmm_guest_virtual(struct vmm_guest *guest, uint32_t vp, uint8_t vtl, uint64_t gva,
		      uint8_t *data, size_t size, uint32_t milliseconds);

/* Loads the kernel, and sets the boot processor's registers. */
int vmm_guest_boot(struct vmm_guest *guest);

/* The VPs must have stopped. */
int vmm_guest_reset(struct vmm_guest *guest);

/* ------------------------------------------------------------------ processor.c */

/* On failure all started threads end. */
int vmm_processors_start(struct vmm_guest *guest);
void vmm_processors_kick(struct vmm_guest *guest);
void vmm_processors_join(struct vmm_guest *guest);

/* ------------------------------------------------------------------ hv_test.c */

/* Requires the lock of the ports. */
void vmm_hv_test(void *opaque, const struct vmm_hv_test_request *request);
static inline bool vmm_is_connected(const struct vmm_connections *connections, unsigned int kind,
				    unsigned int id)
{
	return connections->made[kind][id / 64] >> id % 64 & 1;
}
/* Whether the target of each connection is a SINT of one of @cpus processors. */
bool vmm_connections_are_legal(const struct vmm_connections *connections, uint32_t cpus);
/*
 * Adds the connections of a saved machine before the VPs run. Returns 0, or -errno of
 * vsm_connection_add().
 */
int vmm_hv_test_connect(struct vmm_guest *guest, const struct vmm_connections *connections);
/* Removes all routes and connections; the VPs must have stopped. */
void vmm_hv_test_reset(struct vmm_guest *guest);

#endif
