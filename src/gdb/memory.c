/* SPDX-License-Identifier: BSD-2-Clause */
/* Accesses to memory by GVA. The page tables of the VTL apply; its VTL protections do not. */
#include <errno.h>
#include <vsm/walk.h>

#include "gdb/stub.h"

#define PAGE_SIZE 4096u

struct translation {
	uint8_t vtl;
	uint64_t gva;
	struct vsm_walk_result *result;
	int error;
};

static void translate(struct vsm_vp *vp, void *opaque)
{
	struct translation *translation = opaque;

	translation->error =
		vsm_vp_translate(vp, translation->vtl, translation->gva, translation->result);
}

int gdb_memory_translate(struct vsm_gdb *gdb, struct gdb_thread thread, uint64_t gva,
			 struct vsm_walk_result *result)
{
	struct translation translation = {.vtl = thread.vtl, .gva = gva, .result = result};
	const int error =
		vsm_vp_call(gdb->vp[thread.vp].vp, GDB_TIMEOUT_MS, translate, &translation);

	return error ? error : translation.error;
}

int gdb_memory_gpa(struct vsm_gdb *gdb, struct gdb_thread thread, uint64_t gva, uint64_t *gpa)
{
	struct vsm_walk_result result;
	const int error = gdb_memory_translate(gdb, thread, gva, &result);

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

	/* A page that cannot be read cannot be written either: its breakpoints stay as they are. */
	if (gdb->config.read(gdb->config.opaque, gpa, old, size))
		return -EFAULT;
	gdb_breakpoint_preserve(gdb, gpa, data, size);
	return gdb->config.write(gdb->config.opaque, gpa, data, size);
}

/* Calls @function for the part of the range in each page. */
static int each_page(struct vsm_gdb *gdb, struct gdb_thread thread, uint64_t gva, uint8_t *data,
		     size_t size, page_fn *function)
{
	size_t done = 0;
	int error = 0;

	while (!error && done < size) {
		const size_t room = PAGE_SIZE - (gva + done) % PAGE_SIZE;
		const size_t part = size - done < room ? size - done : room;
		uint64_t gpa;

		error = gdb_memory_gpa(gdb, thread, gva + done, &gpa);
		if (!error)
			error = function(gdb, gpa, data + done, part);
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

	/* The protocol cannot report a partial write. */
	return done >= 0 && (size_t)done != size ? -EFAULT : done;
}
