/* SPDX-License-Identifier: BSD-2-Clause */
#include "file/trace.h"
#include "file/replace.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <vsm/hv/hv.h>

#define BATCH	  512u
#define PERIOD_MS 5
/* Total size of all VPs' rings, and bounds of one. */
#define RECORDS_ALL 1048576u
#define RECORDS_MIN 256u
#define RECORDS_MAX 65536u

static uint32_t ring_size(uint32_t vps)
{
	uint32_t records = RECORDS_MAX;

	while (records > RECORDS_MIN && (uint64_t)records * vps > RECORDS_ALL)
		records /= 2;
	return records;
}

static void write_all(struct vmm_trace_file *trace, const void *data, size_t size)
{
	const uint8_t *next = data;

	while (size && !trace->error) {
		const ssize_t done = write(trace->fd, next, size);

		if (done < 0 && errno != EINTR)
			trace->error = -errno;
		if (done <= 0)
			continue;
		next += done;
		size -= (size_t)done;
	}
}

static void drain_vp(struct vmm_trace_file *trace, struct vsm_vp *vp)
{
	struct vmm_trace_header *header = &trace->header;
	struct vsm_trace_record record[BATCH];
	uint64_t lost;
	size_t count;

	do {
		count = vsm_trace_read(vp, record, BATCH, &lost);
		header->lost += lost;
		if ((header->records + count) * sizeof(record[0]) > VMM_TRACE_MAX) {
			header->lost += count;
			continue;
		}
		write_all(trace, record, count * sizeof(record[0]));
		header->records += count;
	} while (count == BATCH);
}

static void drain(struct vmm_trace_file *trace)
{
	for (uint32_t i = 0; i < trace->header.vps; i++)
		drain_vp(trace, vsm_partition_vp(trace->partition, i));
}

static void *write_trace(void *opaque)
{
	struct vmm_trace_file *trace = opaque;
	struct pollfd wait = {.fd = trace->stop, .events = POLLIN};

	trace->error = vmm_sandbox_thread(trace->sandbox, VMM_ROLE_TRACE, "trace");
	while (poll(&wait, 1, PERIOD_MS) <= 0)
		drain(trace);
	drain(trace);
	return NULL;
}

int vmm_trace_open(struct vmm_trace_file *trace, const char *path, const struct vsm_log *log)
{
	int error;

	*trace = (struct vmm_trace_file){.path = path, .log = log, .fd = -1, .stop = -1};
	error = vmm_replace_check(path);
	if (error)
		return vsm_error(log, -error, "trace: %s: %s", path, vmm_replace_text(error));
	trace->fd = vmm_replace_create(path, &trace->temporary);
	if (trace->fd < 0)
		return vsm_error(log, -trace->fd, "trace: %s: %s", path, strerror(-trace->fd));
	trace->stop = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (trace->stop < 0) {
		error = errno;
		return vsm_error(log, error, "trace: eventfd: %s", strerror(error));
	}
	return 0;
}

int vmm_trace_begin(struct vmm_trace_file *trace, struct vsm_partition *partition, uint32_t vps,
		    const struct vmm_sandbox *sandbox)
{
	const uint32_t frequency = HV_REGISTER_PROCESSOR_CLOCK_FREQUENCY;
	union hv_register_value value = {0};
	int error;

	trace->partition = partition;
	trace->sandbox = sandbox;
	trace->header = (struct vmm_trace_header){
		.magic = VMM_TRACE_MAGIC,
		.version = VMM_TRACE_VERSION,
		.header_size = sizeof(trace->header),
		.record_size = sizeof(struct vsm_trace_record),
		.vps = vps,
	};
	if (vsm_vp_get_registers(vsm_partition_vp(partition, 0), 0, &frequency, &value, 1) != 1)
		return -EINVAL;
	trace->header.tsc_hz = value.reg64;
	write_all(trace, &trace->header, sizeof(trace->header));
	error = vsm_trace_start(partition, ring_size(vps));
	if (error)
		return error;
	error = pthread_create(&trace->thread, NULL, write_trace, trace);
	if (error)
		return vsm_error(trace->log, error, "trace: the thread cannot be created: %s",
				 strerror(error));
	trace->running = true;
	return 0;
}

static void end_thread(struct vmm_trace_file *trace)
{
	if (!trace->running)
		return;
	vsm_trace_stop(trace->partition);
	(void)eventfd_write(trace->stop, 1);
	pthread_join(trace->thread, NULL);
	trace->running = false;
}

int vmm_trace_end(struct vmm_trace_file *trace)
{
	if (!trace->path)
		return 0;
	end_thread(trace);
	if (!trace->error && lseek(trace->fd, 0, SEEK_SET) < 0)
		trace->error = -errno;
	write_all(trace, &trace->header, sizeof(trace->header));
	if (!trace->error)
		trace->error = vmm_replace(trace->temporary, trace->path);
	if (trace->error)
		return vsm_error(trace->log, -trace->error, "trace: %s: %s", trace->path,
				 vmm_replace_text(trace->error));
	free(trace->temporary);
	trace->temporary = NULL;
	if (trace->header.lost)
		vsm_log(trace->log, VSM_LOG_WARN, "trace: %llu records were lost, %llu are in %s",
			(unsigned long long)trace->header.lost,
			(unsigned long long)trace->header.records, trace->path);
	return 0;
}

void vmm_trace_abandon(const struct vmm_trace_file *trace)
{
	if (trace->temporary)
		unlink(trace->temporary);
}

void vmm_trace_close(struct vmm_trace_file *trace)
{
	if (!trace->path)
		return;
	end_thread(trace);
	vmm_trace_abandon(trace);
	free(trace->temporary);
	if (trace->fd >= 0)
		close(trace->fd);
	if (trace->stop >= 0)
		close(trace->stop);
	*trace = (struct vmm_trace_file){0};
}
