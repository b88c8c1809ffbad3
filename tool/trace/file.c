/* SPDX-License-Identifier: BSD-2-Clause */
#include "file.h"

#include <errno.h>
#include <fcntl.h>
#include <glob.h>
#include <inttypes.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define NONE	   UINT32_MAX
#define SCAN_BYTES 65536u
/* Records per read of one VP. */
#define AHEAD 64u
/* Bounds of the sizes of header and record, which the file states. */
#define HEADER_MAX 65536u
#define RECORD_MAX 4096u
/* Four digits, as a pattern of glob(3). */
#define HEX4 "[0-9a-f][0-9a-f][0-9a-f][0-9a-f]"

/* Above VMM_TRACE_MAX, as a file may have larger records. */
#define FILE_MAX (4 * VMM_TRACE_MAX)

/* Consecutive records of one VP in the file. */
struct trace_extent {
	uint32_t first;
	uint32_t count;
	uint32_t vp;
	uint32_t next; /* next extent of the VP, or NONE */
};

struct trace_cursor {
	uint32_t first, last; /* extents of the VP */
	uint32_t extent;      /* current extent */
	uint32_t done;	      /* records read of it */
	uint32_t have, taken; /* in `ahead` */
	uint64_t tsc;	      /* of the last record read */
	struct vsm_trace_record ahead[AHEAD];
};

static bool report_error(const struct trace_file *file, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

static bool report_error(const struct trace_file *file, const char *format, ...)
{
	va_list args;

	fprintf(stderr, "vsm %s: %s: ", file->command, file->name);
	va_start(args, format);
	vfprintf(stderr, format, args);
	va_end(args);
	fputc('\n', stderr);
	return false;
}

/* Reads until @size bytes or the end; -1 on error. */
static ssize_t read_at(const struct trace_file *file, void *data, size_t size, uint64_t offset)
{
	size_t done = 0;

	while (done < size) {
		const ssize_t got =
			pread(file->fd, (char *)data + done, size - done, (off_t)(offset + done));

		if (got < 0 && errno != EINTR) {
			report_error(file, "%s", strerror(errno));
			return -1;
		}
		if (got == 0)
			break;
		done += got > 0 ? (size_t)got : 0;
	}
	return (ssize_t)done;
}

static bool write_all(int fd, const char *data, size_t size)
{
	while (size) {
		const ssize_t done = write(fd, data, size);

		if (done < 0 && errno != EINTR)
			return false;
		data += done > 0 ? done : 0;
		size -= done > 0 ? (size_t)done : 0;
	}
	return true;
}

/* A pipe is not seekable: copy it to a file. */
static bool spool(struct trace_file *file)
{
	FILE *temporary = tmpfile();
	char buffer[SCAN_BYTES];
	uint64_t size = 0;
	ssize_t got;
	int fd;

	if (!temporary)
		return report_error(file, "cannot create a temporary file: %s", strerror(errno));
	fd = fcntl(fileno(temporary), F_DUPFD_CLOEXEC, 3);
	fclose(temporary);
	if (fd < 0)
		return report_error(file, "cannot create a temporary file: %s", strerror(errno));
	while ((got = read(file->fd, buffer, sizeof(buffer))) != 0 && size <= FILE_MAX) {
		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0 || !write_all(fd, buffer, (size_t)got)) {
			report_error(file, "%s", strerror(errno));
			close(fd);
			return false;
		}
		size += (size_t)got;
	}
	close(file->fd);
	file->fd = fd;
	return true;
}

static bool check_header(struct trace_file *file, size_t got)
{
	const struct vmm_trace_header *header = &file->header;

	if (got < sizeof(*header) ||
	    memcmp(header->magic, VMM_TRACE_MAGIC, sizeof(header->magic)) != 0)
		return report_error(file, "not a trace: it has no header of a trace");
	if (header->version == 0 || header->version > VMM_TRACE_VERSION)
		return report_error(
			file, "a trace of version %" PRIu32 ", and this program reads 1 to %u",
			header->version, VMM_TRACE_VERSION);
	if (header->header_size < sizeof(*header) || header->header_size > HEADER_MAX ||
	    header->record_size < sizeof(struct vsm_trace_record) ||
	    header->record_size > RECORD_MAX || header->vps == 0 || header->vps > VSM_VP_MAX ||
	    header->tsc_hz == 0)
		return report_error(file, "not a trace: its header is invalid");
	return true;
}

static bool add_extent(struct trace_file *file, uint32_t vp, uint32_t first)
{
	struct trace_cursor *cursor = &file->cursor[vp];
	struct trace_extent *grown;

	if (file->extents == file->capacity) {
		const uint32_t capacity = file->capacity ? file->capacity * 2 : 1024;

		grown = realloc(file->extent, capacity * sizeof(*grown));
		if (!grown)
			return report_error(file, "no memory to read it");
		file->extent = grown;
		file->capacity = capacity;
	}
	file->extent[file->extents] = (struct trace_extent){first, 1, vp, NONE};
	if (cursor->last == NONE)
		cursor->first = file->extents;
	else
		file->extent[cursor->last].next = file->extents;
	cursor->last = file->extents++;
	return true;
}

static bool scan_record(struct trace_file *file, const void *data, uint32_t number)
{
	struct vsm_trace_record record;
	struct trace_extent *last = file->extents ? &file->extent[file->extents - 1] : NULL;

	memcpy(&record, data, sizeof(record));
	if (record.vp >= file->header.vps || record.vtl >= TRACE_VTLS) {
		file->unreadable++;
		return true;
	}
	if (record.tsc > file->end)
		file->end = record.tsc;
	if (last && last->vp == record.vp && last->first + last->count == number) {
		last->count++;
		return true;
	}
	return add_extent(file, record.vp, number);
}

static bool scan(struct trace_file *file)
{
	const uint32_t size = file->header.record_size;
	const uint32_t batch = SCAN_BYTES / size;
	char buffer[SCAN_BYTES];
	uint32_t number = 0;
	ssize_t got;

	do {
		got = read_at(file, buffer, (size_t)batch * size,
			      file->header.header_size + (uint64_t)number * size);
		if (got < 0)
			return false;
		for (ssize_t at = 0; got - at >= (ssize_t)size; at += size)
			if (!scan_record(file, buffer + at, number++))
				return false;
	} while (got == (ssize_t)((size_t)batch * size));
	file->records = number;
	file->part = (uint32_t)got % size;
	/* Writers complete the header last. */
	file->unfinished = file->header.records == 0 && (number > 0 || file->part > 0);
	if (file->header.records > number)
		file->missing = file->header.records - number;
	return true;
}

static bool read_index(struct trace_file *file)
{
	struct vsm_trace_record record;
	struct stat status;
	ssize_t got;

	if (fstat(file->fd, &status))
		return report_error(file, "%s", strerror(errno));
	if (S_ISDIR(status.st_mode))
		return report_error(file, "%s", strerror(EISDIR));
	if (!S_ISREG(status.st_mode)) {
		if (!spool(file))
			return false;
		if (fstat(file->fd, &status))
			return report_error(file, "%s", strerror(errno));
	}
	if ((uint64_t)status.st_size > FILE_MAX)
		return report_error(file, "not a trace: it is larger than any");
	got = read_at(file, &file->header, sizeof(file->header), 0);
	if (got < 0 || !check_header(file, (size_t)got))
		return false;
	file->cursor = calloc(file->header.vps, sizeof(*file->cursor));
	file->heap = calloc(file->header.vps, sizeof(*file->heap));
	if (!file->cursor || !file->heap)
		return report_error(file, "no memory to read it");
	for (uint32_t i = 0; i < file->header.vps; i++)
		file->cursor[i].first = file->cursor[i].last = NONE;
	if (!scan(file))
		return false;
	trace_file_rewind(file);
	if (trace_file_next(file, &record))
		file->begin = record.tsc;
	trace_file_rewind(file);
	return !file->failed;
}

bool trace_file_open_fd(struct trace_file *file, const char *command, const char *name, int fd)
{
	*file = (struct trace_file){.command = command, .name = name, .fd = fd};
	if (read_index(file))
		return true;
	trace_file_close(file);
	return false;
}

/*
 * Until its machine has ended, a trace has a temporary name: the final name and 12 hexadecimal
 * digits (vmm_replace_create()).
 */
static void name_unfinished(const char *command, const char *path)
{
	char pattern[PATH_MAX];
	glob_t found;

	if (strpbrk(path, "*?[\\") ||
	    snprintf(pattern, sizeof(pattern), "%s." HEX4 HEX4 HEX4, path) >= (int)sizeof(pattern))
		return;
	if (!glob(pattern, 0, NULL, &found))
		fprintf(stderr, "vsm %s: its machine has not ended: the trace so far is %s\n",
			command, found.gl_pathv[0]);
	globfree(&found);
}

bool trace_file_open(struct trace_file *file, const char *command, const char *path)
{
	const bool standard = strcmp(path, "-") == 0;
	const int fd = standard ? fcntl(STDIN_FILENO, F_DUPFD_CLOEXEC, 3)
				: open(path, O_RDONLY | O_CLOEXEC);

	if (fd < 0) {
		const int error = errno;

		fprintf(stderr, "vsm %s: %s: %s\n", command, path, strerror(error));
		if (error == ENOENT)
			name_unfinished(command, path);
		return false;
	}
	return trace_file_open_fd(file, command, standard ? "stdin" : path, fd);
}

void trace_file_close(struct trace_file *file)
{
	close(file->fd);
	free(file->extent);
	free(file->cursor);
	free(file->heap);
	*file = (struct trace_file){.fd = -1};
}

/* False: the VP has no more records. */
static bool fill(struct trace_file *file, struct trace_cursor *cursor)
{
	const uint32_t size = file->header.record_size;
	char buffer[AHEAD * RECORD_MAX];
	const struct trace_extent *extent;
	uint32_t count;
	ssize_t got;

	cursor->have = cursor->taken = 0;
	if (cursor->extent == NONE)
		return false;
	extent = &file->extent[cursor->extent];
	count = extent->count - cursor->done;
	count = count < AHEAD ? count : AHEAD;
	got = read_at(file, buffer, (size_t)count * size,
		      file->header.header_size + (uint64_t)(extent->first + cursor->done) * size);
	if (got != (ssize_t)((size_t)count * size)) {
		if (got >= 0)
			report_error(file, "the file was truncated while it was read");
		file->failed = true;
		return false;
	}
	for (uint32_t i = 0; i < count; i++) {
		struct vsm_trace_record *record = &cursor->ahead[i];

		memcpy(record, buffer + (size_t)i * size, sizeof(*record));
		if (record->tsc < cursor->tsc)
			record->tsc = cursor->tsc;
		cursor->tsc = record->tsc;
		/* The file may have changed since the scan: keep the numbers valid. */
		record->vp = extent->vp;
		record->vtl %= TRACE_VTLS;
	}
	cursor->have = count;
	cursor->done += count;
	if (cursor->done == extent->count) {
		cursor->extent = extent->next;
		cursor->done = 0;
	}
	return true;
}

static bool earlier(const struct trace_file *file, uint32_t a, uint32_t b)
{
	const struct trace_cursor *x = &file->cursor[a], *y = &file->cursor[b];
	const uint64_t s = x->ahead[x->taken].tsc, t = y->ahead[y->taken].tsc;

	return s != t ? s < t : a < b;
}

static void swap(uint32_t *a, uint32_t *b)
{
	const uint32_t c = *a;

	*a = *b;
	*b = c;
}

static void sift_down(struct trace_file *file, uint32_t at)
{
	for (;;) {
		uint32_t least = at;

		for (uint32_t child = 2 * at + 1; child <= 2 * at + 2; child++)
			if (child < file->heap_size &&
			    earlier(file, file->heap[child], file->heap[least]))
				least = child;
		if (least == at)
			return;
		swap(&file->heap[at], &file->heap[least]);
		at = least;
	}
}

void trace_file_rewind(struct trace_file *file)
{
	file->heap_size = 0;
	file->failed = false;
	for (uint32_t i = 0; i < file->header.vps; i++) {
		struct trace_cursor *cursor = &file->cursor[i];

		cursor->extent = cursor->first;
		cursor->done = 0;
		cursor->tsc = 0;
		if (fill(file, cursor))
			file->heap[file->heap_size++] = i;
	}
	for (uint32_t i = file->heap_size / 2; i-- > 0;)
		sift_down(file, i);
}

bool trace_file_next(struct trace_file *file, struct vsm_trace_record *record)
{
	struct trace_cursor *cursor;

	if (!file->heap_size || file->failed)
		return false;
	cursor = &file->cursor[file->heap[0]];
	*record = cursor->ahead[cursor->taken++];
	if (cursor->taken == cursor->have && !fill(file, cursor))
		file->heap[0] = file->heap[--file->heap_size];
	sift_down(file, 0);
	return true;
}

uint64_t trace_file_ns(const struct trace_file *file, uint64_t tsc)
{
	const unsigned __int128 ns =
		(unsigned __int128)(tsc > file->begin ? tsc - file->begin : 0) * 1000000000u /
		file->header.tsc_hz;

	return ns > UINT64_MAX ? UINT64_MAX : (uint64_t)ns;
}

bool trace_file_is_cut(const struct trace_file *file)
{
	return file->unfinished || file->missing || file->part || file->unreadable;
}

void trace_file_describe_cut(const struct trace_file *file, char *text, size_t size)
{
	FILE *out = size ? fmemopen(text, size, "w") : NULL;

	if (size)
		text[0] = 0;
	if (!out)
		return;
	if (file->unfinished)
		fprintf(out, "the writer did not complete the file; ");
	if (file->missing)
		fprintf(out, "%" PRIu64 " of %" PRIu64 " records are missing at the end; ",
			file->missing, file->header.records);
	if (file->part)
		fprintf(out, "the last %" PRIu32 " bytes are part of a record; ", file->part);
	if (file->unreadable)
		fprintf(out, "%" PRIu64 " records have an invalid processor or VTL; ",
			file->unreadable);
	fprintf(out, "%" PRIu64 " records are complete", file->records - file->unreadable);
	fclose(out);
	text[size - 1] = 0;
}
