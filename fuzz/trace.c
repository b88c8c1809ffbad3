/* SPDX-License-Identifier: BSD-2-Clause */
/* Any bytes as a trace file, printed in each format. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "report/write.h"
#include "trace/file.h"
#include "trace/perfetto.h"
#include "trace/print.h"

static void require(bool condition)
{
	if (!condition)
		abort();
}

static void check_order(struct trace_file *file)
{
	static uint64_t last[VSM_VP_MAX];
	struct vsm_trace_record record;
	uint64_t count = 0, latest = 0;

	for (uint32_t i = 0; i < file->header.vps; i++)
		last[i] = 0;
	trace_file_rewind(file);
	while (trace_file_next(file, &record)) {
		require(record.vp < file->header.vps && record.vtl < TRACE_VTLS);
		require(record.tsc >= last[record.vp] && record.tsc >= latest);
		last[record.vp] = latest = record.tsc;
		count++;
	}
	require(count + file->unreadable == file->records && latest <= file->end);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const int fd = memfd_create("trace", MFD_CLOEXEC);
	struct trace_filter filter;
	struct trace_file file;
	static FILE *out;

	if (!out) {
		out = fopen("/dev/null", "w");
		require(out != NULL);
		/* Discards error messages; sanitizers write to the descriptor. */
		stderr = out;
	}
	require(fd >= 0 && write(fd, data, size) == (ssize_t)size);
	if (!trace_file_open_fd(&file, "trace", "input", fd))
		return 0;
	trace_filter_init(&filter);
	check_order(&file);
	trace_print_records(out, &file, &filter);
	require(trace_print_counts(out, &file, &filter));
	require(trace_write_perfetto(out, &file, &filter));
	require(report_write(out, &file));
	trace_file_close(&file);
	return 0;
}
