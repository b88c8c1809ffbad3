/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Reads a trace file (docs/trace.md), which is untrusted: the records of all VPs in the order of
 * time.
 */
#ifndef TOOL_TRACE_FILE_H
#define TOOL_TRACE_FILE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <vsm/vsm.h>

#include "file/trace.h"

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

/* @path "-" is stdin. False: unreadable or no trace, with an error on stderr. */
bool trace_file_open(struct trace_file *file, const char *command, const char *path);
/* As trace_file_open(), for a descriptor, which is closed with the file. */
bool trace_file_open_fd(struct trace_file *file, const char *command, const char *name, int fd);
void trace_file_close(struct trace_file *file);

void trace_file_rewind(struct trace_file *file);
/*
 * At equal times the lower VP is first. Within one VP time never decreases. False: the end, or a
 * read error, which was printed.
 */
bool trace_file_next(struct trace_file *file, struct vsm_trace_record *record);

/* Nanoseconds since the first record. */
uint64_t trace_file_ns(const struct trace_file *file, uint64_t tsc);

/* Whether records are missing at the end, or unreadable. */
bool trace_file_is_cut(const struct trace_file *file);
void trace_file_describe_cut(const struct trace_file *file, char *text, size_t size);

#endif
