/* SPDX-License-Identifier: BSD-2-Clause */
/* The trace file of a run (docs/trace.md), written by a thread. */
#ifndef VMM_FILE_TRACE_H
#define VMM_FILE_TRACE_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <vsm/vsm.h>

#include "sandbox/sandbox.h"

#define VMM_TRACE_MAGIC	  "VSMTRACE"
#define VMM_TRACE_VERSION 2u
/* A limit, as the guest controls the rate: about 22 million records. */
#define VMM_TRACE_MAX (1ull << 30)

/* Little-endian; records follow until the end of the file. */
struct vmm_trace_header {
	char magic[8];
	uint32_t version;
	uint32_t header_size;
	uint32_t record_size;
	uint32_t vps;
	uint64_t tsc_hz; /* frequency of `tsc` */
	uint64_t records;
	uint64_t lost;
	uint64_t reserved[2];
};

_Static_assert(sizeof(struct vmm_trace_header) == 64, "the size in docs/trace.md");
_Static_assert(sizeof(struct vsm_trace_record) == 48, "the size in docs/trace.md");

struct vmm_trace_file {
	const char *path; /* NULL: no trace */
	char *temporary;
	int fd;
	const struct vsm_log *log;
	const struct vmm_sandbox *sandbox;
	struct vsm_partition *partition;
	struct vmm_trace_header header; /* owned by the thread while it runs */
	int error; /* first write error, -errno; owned by the thread while it runs */
	int stop;
	pthread_t thread;
	bool running;
};

/* Creates a temporary file in the folder of @path. -errno with a line in the log. */
int vmm_trace_open(struct vmm_trace_file *trace, const char *path, const struct vsm_log *log);

/* Starts tracing and the thread; call before the VPs run. */
int vmm_trace_begin(struct vmm_trace_file *trace, struct vsm_partition *partition, uint32_t vps,
		    const struct vmm_sandbox *sandbox);

/*
 * Completes the file and renames it; the VPs must have stopped. -errno with a line in the log on a
 * write error; then a file that already had the name is unchanged.
 */
int vmm_trace_end(struct vmm_trace_file *trace);

/* Removes the temporary file before an immediate exit of the process. */
void vmm_trace_abandon(const struct vmm_trace_file *trace);

/* Removes a file that vmm_trace_end() did not complete. A zeroed @trace is allowed. */
void vmm_trace_close(struct vmm_trace_file *trace);

#endif
