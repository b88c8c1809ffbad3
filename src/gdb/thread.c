/* SPDX-License-Identifier: BSD-2-Clause */
/* Thread ids, "pPROCESS.THREAD" or "THREAD", and the list of threads. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "gdb/stub.h"

/* "-1": all; "0": any. False: malformed. */
static bool read_part(struct gdb_text *text, uint64_t *value, bool *all)
{
	*value = 0;
	*all = gdb_text_skip_word(text, "-1");
	return *all || gdb_text_number(text, value);
}

static int read_thread(const struct vsm_gdb *gdb, uint64_t number, struct gdb_id *id)
{
	const uint64_t index = number - 1;

	if (index / VSM_VTL_MAX >= gdb->config.vp_count ||
	    index % VSM_VTL_MAX >= gdb->config.vtl_count)
		return -EINVAL;
	id->scope = GDB_ONE;
	id->thread = (struct gdb_thread){.vp = (uint32_t)(index / VSM_VTL_MAX),
					 .vtl = (uint8_t)(index % VSM_VTL_MAX)};
	return 0;
}

int gdb_thread_read(const struct vsm_gdb *gdb, struct gdb_text *text, struct gdb_id *id)
{
	uint64_t process = 0, thread = 0;
	bool every_process = true, every_thread = true;

	*id = (struct gdb_id){.scope = GDB_ALL};
	if (gdb_text_skip(text, 'p')) {
		if (!read_part(text, &process, &every_process))
			return -EINVAL;
		if (gdb_text_skip(text, '.') && !read_part(text, &thread, &every_thread))
			return -EINVAL;
	} else if (!read_part(text, &thread, &every_thread)) {
		return -EINVAL;
	}
	if (process > gdb->config.vtl_count)
		return -EINVAL;
	if (!every_thread && thread) {
		const int error = read_thread(gdb, thread, id);

		return !error && process && process != id->thread.vtl + 1u ? -EINVAL : error;
	}
	if (process) {
		/* "Any" thread of a process: that of VP 0. */
		id->scope = every_thread ? GDB_PROCESS : GDB_ONE;
		id->thread.vtl = (uint8_t)(process - 1);
	} else if (!every_thread) {
		id->scope = GDB_ONE;
		id->thread = gdb->general;
	}
	return 0;
}

static uint64_t number_of(struct gdb_thread thread)
{
	return (uint64_t)thread.vp * VSM_VTL_MAX + thread.vtl + 1;
}

void gdb_thread_write(const struct vsm_gdb *gdb, struct gdb_reply *reply, struct gdb_thread thread)
{
	if (gdb->processes)
		gdb_reply_format(reply, "p%x.", thread.vtl + 1u);
	gdb_reply_format(reply, "%" PRIx64, number_of(thread));
}

bool gdb_thread_matches(const struct gdb_id *id, struct gdb_thread thread)
{
	return id->scope == GDB_ALL || (id->thread.vtl == thread.vtl &&
					(id->scope == GDB_PROCESS || id->thread.vp == thread.vp));
}

struct gdb_thread gdb_thread_shown(const struct vsm_gdb *gdb, struct gdb_thread thread)
{
	if (!(gdb->vtls >> thread.vtl & 1))
		thread.vtl = (uint8_t)__builtin_ctz(gdb->vtls);
	return thread;
}

int gdb_thread_list(struct vsm_gdb *gdb)
{
	FILE *out;

	free(gdb->threads);
	gdb->threads = NULL;
	out = open_memstream(&gdb->threads, &gdb->threads_size);
	if (!out)
		return -ENOMEM;
	fputs("<?xml version=\"1.0\"?>\n<threads>\n", out);
	for (uint32_t vp = 0; vp < gdb->config.vp_count; vp++)
		for (uint8_t vtl = 0; vtl < gdb->config.vtl_count; vtl++) {
			if (!(gdb->vtls >> vtl & 1))
				continue;
			fputs("<thread id=\"", out);
			if (gdb->processes)
				fprintf(out, "p%x.", vtl + 1u);
			fprintf(out,
				"%" PRIx64 "\" core=\"%" PRIu32 "\" name=\"%" PRIu32
				".%u\">VTL%u of VP %" PRIu32 "</thread>\n",
				number_of((struct gdb_thread){vp, vtl}), vp, vp, vtl, vtl, vp);
		}
	fputs("</threads>\n", out);
	return fclose(out) ? -ENOMEM : 0;
}
