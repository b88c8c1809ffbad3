/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The trace of a run, in a file (docs/trace.md): a thread takes the records of all processors. The file
 * has its name only when it is complete.
 */
#ifndef VMM_RUN_TRACE_FILE_H
#define VMM_RUN_TRACE_FILE_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <vsm/vsm.h>

#define VMM_TRACE_MAGIC	  "VSMTRACE"
#define VMM_TRACE_VERSION 2u
/* What a guest can make of a disk: about 22 million records. */
#define VMM_TRACE_MAX (1ull << 30)

/* The beginning of the file; numbers in the byte order of x86. Records follow until the end. */
struct vmm_trace_header {
	char magic[8];
	uint32_t version;
	uint32_t header_size; /* sizeof(struct vmm_trace_header) */
	uint32_t record_size; /* sizeof(struct vsm_trace_record) */
	uint32_t vps;
	uint64_t tsc_hz;  /* ticks of `tsc` in a second */
	uint64_t records; /* how many follow */
	uint64_t lost;	  /* how many were made and are not here */
	uint64_t reserved[2];
};

_Static_assert(sizeof(struct vmm_trace_header) == 64, "as docs/trace.md has it");
_Static_assert(sizeof(struct vsm_trace_record) == 48, "as docs/trace.md has it");

struct vmm_trace_file {
	const char *path; /* NULL: no trace */
	char *temporary;
	int fd;
	const struct vsm_log *log;
	struct vsm_partition *partition;
	struct vmm_trace_header header; /* the thread's while it runs */
	int error;			/* the thread's: first failure to write, -errno */
	int stop;			/* an eventfd */
	pthread_t thread;
	bool running;
};

/* Makes the file under a temporary name beside @path. -errno with a line in the log. */
int vmm_trace_open(struct vmm_trace_file *trace, const char *path, const struct vsm_log *log);

/* Starts tracing and the thread that writes. Before the processors run. */
int vmm_trace_begin(struct vmm_trace_file *trace, struct vsm_partition *partition, uint32_t vps);

/*
 * Takes what is left, completes the file and gives it its name. The processors have stopped. -errno with
 * a line in the log if something could not be written; then there is no file.
 */
int vmm_trace_end(struct vmm_trace_file *trace);

/* Removes the temporary file, when the process ends without more ado. */
void vmm_trace_abandon(const struct vmm_trace_file *trace);

/* Removes what vmm_trace_end() did not complete. A zeroed @trace is allowed. */
void vmm_trace_close(struct vmm_trace_file *trace);

#endif
