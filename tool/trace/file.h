/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Reading a trace file (docs/trace.md): the records of all processors in the order of time.
 *
 * Any bytes may be given. Memory: 16 bytes for each place in the file where another processor's records
 * begin, however large the file is; what comes from a pipe is kept in a temporary file.
 */
#ifndef TOOL_TRACE_FILE_H
#define TOOL_TRACE_FILE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <vsm/vsm.h>

#include "run/trace_file.h"

/* VTLs that a record may name. */
#define TRACE_VTLS VSM_VTL_MAX

struct trace_extent;
struct trace_cursor;

struct trace_file {
	const char *who;  /* the subcommand, for messages */
	const char *name; /* the file, for messages */
	struct vmm_trace_header header;
	uint64_t records;    /* whole ones in the file */
	uint64_t missing;    /* that the header speaks of, and that are not there */
	uint64_t unreadable; /* whose processor or VTL there cannot be; they are left out */
	uint32_t part;	     /* bytes of a record that is not whole, at the end */
	bool unfinished;     /* whoever wrote it did not come to its end */
	uint64_t begin;	     /* TSC of the first record and of the last one */
	uint64_t end;

	/* private */
	int fd;
	struct trace_extent *extent;
	uint32_t extents, capacity;
	struct trace_cursor *cursor; /* [header.vps] */
	uint32_t *heap;		     /* processors that have records left, the earliest first */
	uint32_t heap_size;
	bool failed;
};

/*
 * Opens @path ("-" is stdin) and looks through all of it. False: it cannot be read or is no trace; a line
 * on stderr has said why, beginning with @who.
 */
bool trace_file_open(struct trace_file *file, const char *who, const char *path);
/* The same for a descriptor, which it owns from now on. */
bool trace_file_open_fd(struct trace_file *file, const char *who, const char *name, int fd);
void trace_file_close(struct trace_file *file);

/* To the beginning again. */
void trace_file_rewind(struct trace_file *file);
/*
 * The next record in time; of records at the same time the one of the lower processor first. Within one
 * processor time never goes back. False: that was all, or (and a line has said so) reading failed.
 */
bool trace_file_next(struct trace_file *file, struct vsm_trace_record *record);

/* Nanoseconds since the first record. */
uint64_t trace_file_ns(const struct trace_file *file, uint64_t tsc);

/* Whether something is lacking at the end; what it is, in words. */
bool trace_file_is_cut(const struct trace_file *file);
void trace_file_describe_cut(const struct trace_file *file, char *text, size_t size);

#endif
