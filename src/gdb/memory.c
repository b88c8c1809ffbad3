/* SPDX-License-Identifier: BSD-2-Clause */
/* Memory by guest virtual address, through the VTL's own page tables, with the host's rights. */
#include <errno.h>
#include <string.h>
#include <vsm/walk.h>

#include "gdb/stub.h"

#define PAGE_SIZE 4096u
/* No CPU has more; reserved bits of entries do not matter to a debugger. */
#define PHYSICAL_BITS 52u

static enum vsm_walk_refusal read_entry(void *opaque, uint64_t gpa, unsigned int size,
					uint64_t *entry)
{
	const struct vsm_gdb *gdb = opaque;

	*entry = 0;
	return gdb->config.read(gdb->config.opaque, gpa, entry, size) ? VSM_WALK_UNMAPPED
								      : VSM_WALK_ALLOWED;
}

int gdb_memory_context(struct vsm_gdb *gdb, struct gdb_thread thread,
		       struct vsm_walk_context *context)
{
	static const uint32_t name[] = {HV_X64_REGISTER_CR0, HV_X64_REGISTER_CR3,
					HV_X64_REGISTER_CR4, HV_X64_REGISTER_EFER,
					HV_X64_REGISTER_RFLAGS};
	union hv_register_value value[GDB_ARRAY_SIZE(name)] = {0};
	const int error = gdb_hv_read(gdb, thread, name, value, GDB_ARRAY_SIZE(name));

	*context = (struct vsm_walk_context){
		.cr0 = value[0].reg64,
		.cr3 = value[1].reg64,
		.cr4 = value[2].reg64,
		.efer = value[3].reg64,
		.rflags = value[4].reg64,
		.cpu = VSM_WALK_CPU_PSE36 | VSM_WALK_CPU_PAGE1GB,
		.max_phys_addr = PHYSICAL_BITS,
	};
	return error;
}

int gdb_memory_translate(struct vsm_gdb *gdb, const struct vsm_walk_context *context, uint64_t gva,
			 struct vsm_walk_result *result)
{
	const struct vsm_walk_memory memory = {.read = read_entry, .opaque = gdb};
	const struct vsm_walk_request request = {.gva = gva, .flags = VSM_WALK_EXEMPT};

	(void)vsm_walk(context, &memory, &request, result);
	return result->translated ? 0 : -EFAULT;
}

int gdb_memory_gpa(struct vsm_gdb *gdb, struct gdb_thread thread, uint64_t gva, uint64_t *gpa)
{
	struct vsm_walk_context context;
	struct vsm_walk_result result = {0};
	int error = gdb_memory_context(gdb, thread, &context);

	if (!error)
		error = gdb_memory_translate(gdb, &context, gva, &result);
	if (!error)
		*gpa = result.gpa;
	return error;
}

typedef int page_fn(struct vsm_gdb *gdb, uint64_t gpa, void *data, size_t size);

static int read_page(struct vsm_gdb *gdb, uint64_t gpa, void *data, size_t size)
{
	const int error = gdb->config.read(gdb->config.opaque, gpa, data, size);

	if (!error)
		gdb_breakpoint_hide(gdb, gpa, data, size);
	return error;
}

static int write_page(struct vsm_gdb *gdb, uint64_t gpa, void *data, size_t size)
{
	uint8_t old[PAGE_SIZE];

	/* Breakpoints are changed only if the write will succeed. */
	if (gdb->config.read(gdb->config.opaque, gpa, old, size))
		return -EFAULT;
	gdb_breakpoint_keep(gdb, gpa, data, size);
	return gdb->config.write(gdb->config.opaque, gpa, data, size);
}

/* Calls @function for the part of each page. */
static int each_page(struct vsm_gdb *gdb, struct gdb_thread thread, uint64_t gva, uint8_t *data,
		     size_t size, page_fn *function)
{
	struct vsm_walk_context context;
	struct vsm_walk_result result = {0};
	int error = gdb_memory_context(gdb, thread, &context);
	size_t done = 0;

	while (!error && done < size) {
		const size_t room = PAGE_SIZE - (gva + done) % PAGE_SIZE;
		const size_t part = size - done < room ? size - done : room;

		error = gdb_memory_translate(gdb, &context, gva + done, &result);
		if (!error)
			error = function(gdb, result.gpa, data + done, part);
		if (!error)
			done += part;
	}
	return done ? (int)done : error;
}

int gdb_memory_read(struct vsm_gdb *gdb, struct gdb_thread thread, uint64_t gva, void *data,
		    size_t size)
{
	return each_page(gdb, thread, gva, data, size, read_page);
}

int gdb_memory_write(struct vsm_gdb *gdb, struct gdb_thread thread, uint64_t gva, void *data,
		     size_t size)
{
	const int done = each_page(gdb, thread, gva, data, size, write_page);

	/* The protocol has no partial write. */
	return done >= 0 && (size_t)done != size ? -EFAULT : done;
}
