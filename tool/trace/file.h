/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Reads a trace file (docs/trace.md): the records of all VPs in the order of time.
 *
 * Files are untrusted. Memory: 16 bytes for each extent (consecutive records of one VP); a pipe is
 * copied to a temporary file.
 */
#ifndef TOOL_TRACE_FILE_H
#define TOOL_TRACE_FILE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <vsm/vsm.h>

#include "file/trace.h"

/* VTLs that a record may name. */
#define TRACE_VTLS VSM_VTL_MAX

struct trace_extent;
struct trace_cursor;

struct trace_file {
	const char *command; /* the subcommand, for messages */
	const char *name;    /* the file, for messages */
	struct vmm_trace_header header;
	uint64_t records;    /* complete records in the file */
	uint64_t missing;    /* records counted in the header but absent */
	uint64_t unreadable; /* with an invalid VP or VTL; skipped */
	uint32_t part;	     /* bytes of a partial record at the end */
	bool unfinished;     /* the writer did not complete the file */
	uint64_t begin;	     /* TSC of the first record and of the last one */
	uint64_t end;

	/* private */
	int fd;
	struct trace_extent *extent;
	uint32_t extents, capacity;
	struct trace_cursor *cursor; /* [header.vps] */
	uint32_t *heap;		     /* VPs with further records, the earliest first */
	uint32_t heap_size;
	bool failed;
};

/*
 * Opens @path ("-" is stdin) and scans it. False: unreadable or no trace, with a line on stderr
 * that begins with @command.
 */
bool trace_file_open(struct trace_file *file, const char *command, const char *path);
/* As trace_file_open(), for a descriptor, which is closed with the file. */
bool trace_file_open_fd(struct trace_file *file, const char *command, const char *name, int fd);
void trace_file_close(struct trace_file *file);

/* Restarts at the first record. */
void trace_file_rewind(struct trace_file *file);
/*
 * Gets the next record in time; at equal times the lower VP first. Within one VP time never
 * decreases. Returns false at the end, or after a read error with a line on stderr.
 */
bool trace_file_next(struct trace_file *file, struct vsm_trace_record *record);

/* Nanoseconds since the first record. */
uint64_t trace_file_ns(const struct trace_file *file, uint64_t tsc);

/* Whether records are missing at the end, or unreadable; a description of them. */
bool trace_file_is_cut(const struct trace_file *file);
void trace_file_describe_cut(const struct trace_file *file, char *text, size_t size);

#endif
