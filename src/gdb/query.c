/* SPDX-License-Identifier: BSD-2-Clause */
/* Packets that begin with q or Q (GDB's manual, "General Query Packets"). */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "gdb/stub.h"

typedef void query_fn(struct vsm_gdb *gdb, struct gdb_text *text);

/* Whether a list of the client's features, "name+;name-;name=value;...", has @feature. */
static bool client_has(const struct gdb_text *text, const char *feature)
{
	const size_t size = strlen(feature);
	struct gdb_text rest = *text;

	while (rest.next < rest.end) {
		const char *end = memchr(rest.next, ';', gdb_text_left(&rest));
		const size_t length = end ? (size_t)(end - rest.next) : gdb_text_left(&rest);

		if (length == size && !memcmp(rest.next, feature, size))
			return true;
		rest.next += length + (end != NULL);
	}
	return false;
}

static void query_supported(struct vsm_gdb *gdb, struct gdb_text *text)
{
	(void)gdb_text_skip(text, ':');
	gdb->processes = client_has(text, "multiprocess+");
	gdb->reasons = client_has(text, "swbreak+") && client_has(text, "hwbreak+");
	gdb_reply_format(&gdb->reply,
			 "PacketSize=%x;qXfer:features:read+;qXfer:threads:read+;multiprocess+;"
			 "swbreak+;hwbreak+;vContSupported+;QStartNoAckMode+",
			 GDB_PACKET_MAX);
}

/* Replies with a part of @data; @text is "OFFSET,LENGTH". */
static void transfer(struct vsm_gdb *gdb, struct gdb_text *text, const char *data, size_t size)
{
	uint64_t offset, length;
	size_t part;

	if (!gdb_text_number(text, &offset) || !gdb_text_skip(text, ',') ||
	    !gdb_text_number(text, &length) || gdb_text_left(text) || offset > size) {
		gdb_reply_error(&gdb->reply, EINVAL);
		return;
	}
	part = length < size - offset ? (size_t)length : size - (size_t)offset;
	/* 'm' if more data follows, 'l' for the last part. */
	gdb_reply_text(&gdb->reply, "m");
	part = gdb_reply_binary(&gdb->reply, data + offset, part);
	if (offset + part == size)
		gdb->reply.data[0] = 'l';
}

static void query_features(struct vsm_gdb *gdb, struct gdb_text *text)
{
	if (gdb_text_skip_word(text, "target.xml:"))
		transfer(gdb, text, gdb->description, gdb->description_size);
	else
		gdb_reply_text(&gdb->reply, "E00");
}

/* A read at offset 0 makes a new list. */
static void query_threads(struct vsm_gdb *gdb, struct gdb_text *text)
{
	struct gdb_text offset = *text;

	(void)gdb_text_skip(text, ':');
	(void)gdb_text_skip(&offset, ':');
	if ((!gdb->threads || gdb_text_skip_word(&offset, "0,")) && gdb_thread_list(gdb)) {
		gdb_reply_error(&gdb->reply, ENOMEM);
		return;
	}
	transfer(gdb, text, gdb->threads, gdb->threads_size);
}

/* Replies with as many threads as fit into a packet. */
static void list_threads(struct vsm_gdb *gdb)
{
	/* More than the length of any thread id with a comma, such as "p10.8000,". */
	const size_t longest = 24;
	const uint64_t count = (uint64_t)gdb->config.vp_count * gdb->config.vtl_count;

	gdb_reply_text(&gdb->reply, "m");
	while (gdb->listed < count && gdb->reply.size + longest < sizeof(gdb->reply.data)) {
		const struct gdb_thread thread = {
			.vp = (uint32_t)(gdb->listed / gdb->config.vtl_count),
			.vtl = (uint8_t)(gdb->listed % gdb->config.vtl_count),
		};

		gdb->listed++;
		if (!(gdb->vtls >> thread.vtl & 1))
			continue;
		if (gdb->reply.size > 1)
			gdb_reply_text(&gdb->reply, ",");
		gdb_thread_write(gdb, &gdb->reply, thread);
	}
	/* 'm' needs at least one id; 'l' ends the list. */
	if (gdb->reply.size == 1)
		gdb->reply.data[0] = 'l';
}

static void query_first_threads(struct vsm_gdb *gdb, struct gdb_text *text)
{
	(void)text;
	gdb->listed = 0;
	list_threads(gdb);
}

static void query_more_threads(struct vsm_gdb *gdb, struct gdb_text *text)
{
	(void)text;
	list_threads(gdb);
}

static void query_extra(struct vsm_gdb *gdb, struct gdb_text *text)
{
	struct gdb_id id;
	char words[64];

	if (gdb_thread_read(gdb, text, &id) || id.scope != GDB_ONE) {
		gdb_reply_error(&gdb->reply, EINVAL);
		return;
	}
	snprintf(words, sizeof(words), "VTL%u of VP %" PRIu32, id.thread.vtl, id.thread.vp);
	gdb_reply_hex(&gdb->reply, words, strlen(words));
}

static void query_current(struct vsm_gdb *gdb, struct gdb_text *text)
{
	(void)text;
	gdb_reply_text(&gdb->reply, "QC");
	gdb_thread_write(gdb, &gdb->reply, gdb->general);
}

/* "1", since the machine existed before the client: GDB detaches when it quits. */
static void query_attached(struct vsm_gdb *gdb, struct gdb_text *text)
{
	(void)text;
	gdb_reply_text(&gdb->reply, "1");
}

static void query_command(struct vsm_gdb *gdb, struct gdb_text *text)
{
	char command[256];
	const size_t size = gdb_text_left(text) / 2;

	if (size >= sizeof(command) || !gdb_text_hex(text, command, size) || gdb_text_left(text)) {
		gdb_reply_error(&gdb->reply, EINVAL);
		return;
	}
	command[size] = 0;
	gdb_monitor(gdb, command);
	gdb_reply_text(&gdb->reply, "OK");
}

/* vsm_gdb_receive() has already acknowledged this packet. */
static void set_no_ack(struct vsm_gdb *gdb, struct gdb_text *text)
{
	(void)text;
	gdb->no_ack = true;
	gdb_reply_text(&gdb->reply, "OK");
}

static const struct {
	const char *name;
	query_fn *function;
} queries[] = {
	{"qSupported", query_supported},
	{"qXfer:features:read:", query_features},
	{"qXfer:threads:read:", query_threads},
	{"qfThreadInfo", query_first_threads},
	{"qsThreadInfo", query_more_threads},
	{"qThreadExtraInfo,", query_extra},
	{"qAttached", query_attached},
	{"qRcmd,", query_command},
	{"QStartNoAckMode", set_no_ack},
	/* Last: names of other packets begin with "qC", too. */
	{"qC", query_current},
};

void gdb_query(struct vsm_gdb *gdb, struct gdb_text *text)
{
	for (size_t i = 0; i < GDB_ARRAY_SIZE(queries); i++)
		if (gdb_text_skip_word(text, queries[i].name)) {
			if (queries[i].function != query_current || !gdb_text_left(text))
				queries[i].function(gdb, text);
			return;
		}
}
