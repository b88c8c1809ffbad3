/* SPDX-License-Identifier: BSD-2-Clause */
/* Sessions: calls the function for each packet of the client, and sends replies. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "gdb/stub.h"

/* Limit of memory bytes in a reply, with two digits each. */
#define MEMORY_MAX (GDB_PACKET_MAX / 2)

static void send_bytes(struct vsm_gdb *gdb, const void *data, size_t size)
{
	if (!gdb->send_error)
		gdb->send_error = gdb->send(gdb->send_opaque, data, size);
}

static void send_reply(struct vsm_gdb *gdb)
{
	/* Functions limit the size of their replies; one that does not fit is an error. */
	if (gdb->reply.overflow)
		gdb_reply_error(&gdb->reply, EMSGSIZE);
	gdb->frame_size = gdb_packet_frame(&gdb->reply, gdb->frame);
	send_bytes(gdb, gdb->frame, gdb->frame_size);
}

void gdb_send_text(struct vsm_gdb *gdb, const char *text)
{
	for (size_t left = strlen(text); left;) {
		const size_t part = left < MEMORY_MAX - 1 ? left : MEMORY_MAX - 1;

		gdb_reply_clear(&gdb->reply);
		gdb_reply_text(&gdb->reply, "O");
		gdb_reply_hex(&gdb->reply, text, part);
		send_reply(gdb);
		text += part;
		left -= part;
	}
	gdb_reply_clear(&gdb->reply);
}

/* Fills gdb->reply, which is empty. Returns: 0; LATER; -errno, which becomes the reply. */
typedef int packet_fn(struct vsm_gdb *gdb, struct gdb_text *text);

/* No reply now: it follows when a stop is reported, or there is none (k). */
#define LATER 1

static int reply_ok(struct vsm_gdb *gdb)
{
	gdb_reply_text(&gdb->reply, "OK");
	return 0;
}

static int packet_why(struct vsm_gdb *gdb, struct gdb_text *text)
{
	bool running = false;

	(void)text;
	pthread_mutex_lock(&gdb->lock);
	for (uint32_t i = 0; i < gdb->config.vp_count; i++)
		running |= gdb->vp[i].running;
	/* The reply to this packet is the stop reply, which a client may already wait for. */
	if (running) {
		gdb->attaching = !gdb->waiting;
		gdb->waiting = true;
		gdb->interrupted = true;
	}
	pthread_mutex_unlock(&gdb->lock);
	if (running) {
		gdb_halt(gdb);
		return LATER;
	}
	gdb_stop_reply(gdb, &gdb->reply);
	return 0;
}

static int packet_read_registers(struct vsm_gdb *gdb, struct gdb_text *text)
{
	(void)text;
	return gdb_registers_read(gdb, gdb->general, &gdb->reply);
}

static int packet_write_registers(struct vsm_gdb *gdb, struct gdb_text *text)
{
	const int error = gdb_registers_write(gdb, gdb->general, text);

	return error ? error : reply_ok(gdb);
}

static int packet_read_register(struct vsm_gdb *gdb, struct gdb_text *text)
{
	uint64_t number;

	if (!gdb_text_number(text, &number))
		return -EINVAL;
	return gdb_register_read(gdb, gdb->general, number, &gdb->reply);
}

static int packet_write_register(struct vsm_gdb *gdb, struct gdb_text *text)
{
	uint64_t number;
	int error;

	if (!gdb_text_number(text, &number) || !gdb_text_skip(text, '='))
		return -EINVAL;
	error = gdb_register_write(gdb, gdb->general, number, text);
	return error ? error : reply_ok(gdb);
}

static int packet_read_memory(struct vsm_gdb *gdb, struct gdb_text *text)
{
	uint8_t data[MEMORY_MAX];
	uint64_t gva, size;
	int done;

	if (!gdb_text_number(text, &gva) || !gdb_text_skip(text, ',') ||
	    !gdb_text_number(text, &size))
		return -EINVAL;
	/* The protocol allows a reply with less memory than requested. */
	done = gdb_memory_read(gdb, gdb->general, gva, data,
			       size < sizeof(data) ? (size_t)size : sizeof(data));
	if (done >= 0)
		gdb_reply_hex(&gdb->reply, data, (size_t)done);
	return done < 0 ? done : 0;
}

/* "GVA,SIZE:" and the bytes, as hexadecimal digits or binary. */
static int write_memory(struct vsm_gdb *gdb, struct gdb_text *text, bool digits)
{
	uint8_t data[GDB_PACKET_MAX];
	uint64_t gva, size;
	int done;

	if (!gdb_text_number(text, &gva) || !gdb_text_skip(text, ',') ||
	    !gdb_text_number(text, &size) || !gdb_text_skip(text, ':') ||
	    size > gdb_text_left(text))
		return -EINVAL;
	if (!digits)
		memcpy(data, text->next, size);
	else if (!gdb_text_hex(text, data, size))
		return -EINVAL;
	done = gdb_memory_write(gdb, gdb->general, gva, data, size);
	return done < 0 ? done : reply_ok(gdb);
}

static int packet_write_memory(struct vsm_gdb *gdb, struct gdb_text *text)
{
	return write_memory(gdb, text, true);
}

static int packet_write_binary(struct vsm_gdb *gdb, struct gdb_text *text)
{
	return write_memory(gdb, text, false);
}

/* "Hg" selects the thread for registers and memory; "Hc" is ignored, as GDB uses vCont. */
static int packet_thread(struct vsm_gdb *gdb, struct gdb_text *text)
{
	const bool general = gdb_text_skip(text, 'g');
	struct gdb_id id;

	if ((!general && !gdb_text_skip(text, 'c')) || gdb_thread_read(gdb, text, &id))
		return -EINVAL;
	if (general && id.scope == GDB_PROCESS)
		gdb->general.vtl = id.thread.vtl;
	else if (general && id.scope == GDB_ONE)
		gdb->general = id.thread;
	return reply_ok(gdb);
}

static int packet_alive(struct vsm_gdb *gdb, struct gdb_text *text)
{
	struct gdb_id id;

	return gdb_thread_read(gdb, text, &id) || id.scope != GDB_ONE ? -EINVAL : reply_ok(gdb);
}

/* "KIND,GVA,SIZE" */
static int change_breakpoint(struct vsm_gdb *gdb, struct gdb_text *text, bool insert)
{
	uint64_t kind, gva, size;
	int error;

	if (!gdb_text_number(text, &kind) || !gdb_text_skip(text, ',') ||
	    !gdb_text_number(text, &gva) || !gdb_text_skip(text, ',') ||
	    !gdb_text_number(text, &size))
		return -EINVAL;
	error = insert ? gdb_breakpoint_insert(gdb, gdb->general, kind, gva, size)
		       : gdb_breakpoint_remove(gdb, gdb->general, kind, gva, size);
	return error ? error : reply_ok(gdb);
}

static int packet_insert(struct vsm_gdb *gdb, struct gdb_text *text)
{
	return change_breakpoint(gdb, text, true);
}

static int packet_remove(struct vsm_gdb *gdb, struct gdb_text *text)
{
	return change_breakpoint(gdb, text, false);
}

/* Extended mode (`target extended-remote`), which GDB needs for vAttach. */
static int packet_extended(struct vsm_gdb *gdb, struct gdb_text *text)
{
	(void)text;
	return reply_ok(gdb);
}

/* Reports a stop of the process's thread on VP 0. */
static int packet_attach(struct vsm_gdb *gdb, struct gdb_text *text)
{
	uint64_t process;

	if (!gdb_text_number(text, &process) || !process || process > gdb->config.vtl_count)
		return -EINVAL;
	gdb->vtls |= (uint16_t)(1u << (process - 1));
	gdb->last = (struct gdb_stop){.kind = GDB_STOP_ATTACH, .vtl = (uint8_t)(process - 1)};
	gdb->last_vp = 0;
	gdb->general = (struct gdb_thread){.vp = 0, .vtl = (uint8_t)(process - 1)};
	gdb_stop_reply(gdb, &gdb->reply);
	return 0;
}

/* "D;PROCESS" detaches from a VTL, "D" from all. With the last one, the session ends. */
static int packet_detach(struct vsm_gdb *gdb, struct gdb_text *text)
{
	uint64_t process = 0;

	if (gdb_text_skip(text, ';') &&
	    (!gdb_text_number(text, &process) || !process || process > gdb->config.vtl_count))
		return -EINVAL;
	if (process && gdb->vtls & (uint16_t) ~(1u << (process - 1)))
		gdb->vtls &= (uint16_t) ~(1u << (process - 1));
	else
		gdb->ended = true;
	return reply_ok(gdb);
}

/* Ends the session only: a client must not end the machine. */
static int packet_kill(struct vsm_gdb *gdb, struct gdb_text *text)
{
	(void)text;
	gdb->ended = true;
	return LATER;
}

static int packet_kill_process(struct vsm_gdb *gdb, struct gdb_text *text)
{
	(void)text;
	return reply_ok(gdb);
}

static int packet_actions(struct vsm_gdb *gdb, struct gdb_text *text)
{
	(void)text;
	gdb_reply_text(&gdb->reply, "vCont;c;C;s;S");
	return 0;
}

static int packet_resume(struct vsm_gdb *gdb, struct gdb_text *text)
{
	const int error = gdb_resume(gdb, text);

	return error ? error : LATER;
}

static int packet_query(struct vsm_gdb *gdb, struct gdb_text *text)
{
	gdb_query(gdb, text);
	return 0;
}

/* The first row that matches is called. The reply is empty if no row matches. */
static const struct {
	const char *begin;
	packet_fn *function;
	bool whole; /* begin is the whole packet */
} packets[] = {
	{"?", packet_why, true},
	{"g", packet_read_registers, true},
	{"G", packet_write_registers, false},
	{"p", packet_read_register, false},
	{"P", packet_write_register, false},
	{"m", packet_read_memory, false},
	{"M", packet_write_memory, false},
	{"X", packet_write_binary, false},
	{"H", packet_thread, false},
	{"T", packet_alive, false},
	{"Z", packet_insert, false},
	{"z", packet_remove, false},
	{"!", packet_extended, true},
	{"vAttach;", packet_attach, false},
	{"D", packet_detach, false},
	{"k", packet_kill, true},
	{"vKill;", packet_kill_process, false},
	{"vCont?", packet_actions, true},
	{"vCont", packet_resume, false},
	{"q", packet_query, false},
	{"Q", packet_query, false},
};

static void take_packet(struct vsm_gdb *gdb)
{
	const struct gdb_text all = {gdb->parser.data, gdb->parser.data + gdb->parser.size};
	int result = 0;

	gdb_reply_clear(&gdb->reply);
	for (size_t i = 0; i < GDB_ARRAY_SIZE(packets); i++) {
		struct gdb_text text = all;

		if (!gdb_text_skip_word(&text, packets[i].begin) ||
		    (packets[i].whole && gdb_text_left(&text)))
			continue;
		if (packets[i].function == packet_query)
			text = all;
		result = packets[i].function(gdb, &text);
		break;
	}
	if (result < 0)
		gdb_reply_error(&gdb->reply, result);
	if (result <= 0)
		send_reply(gdb);
}

/* Ctrl-C. Ignored unless the client waits for a stop: otherwise the VPs are stopped already. */
static void take_interrupt(struct vsm_gdb *gdb)
{
	bool waiting;

	pthread_mutex_lock(&gdb->lock);
	waiting = gdb->waiting;
	gdb->interrupted |= waiting;
	gdb->attaching = false;
	pthread_mutex_unlock(&gdb->lock);
	if (waiting)
		gdb_halt(gdb);
}

static int outcome(const struct vsm_gdb *gdb)
{
	return gdb->send_error ? gdb->send_error : gdb->ended ? -EPIPE : 0;
}

int vsm_gdb_receive(struct vsm_gdb *gdb, const void *data, size_t size)
{
	const uint8_t *bytes = data;

	for (size_t i = 0; i < size && !outcome(gdb); i++) {
		switch (gdb_packet_take(&gdb->parser, bytes[i], !gdb->no_ack)) {
		case GDB_INPUT_PACKET:
			if (!gdb->no_ack)
				send_bytes(gdb, "+", 1);
			take_packet(gdb);
			break;
		case GDB_INPUT_DAMAGED:
			if (!gdb->no_ack)
				send_bytes(gdb, "-", 1);
			break;
		case GDB_INPUT_NAK:
			if (!gdb->no_ack)
				send_bytes(gdb, gdb->frame, gdb->frame_size);
			break;
		case GDB_INPUT_INTERRUPT:
			take_interrupt(gdb);
			break;
		case GDB_INPUT_ACK:
		case GDB_INPUT_NONE:
			break;
		}
	}
	return outcome(gdb);
}

int vsm_gdb_poll(struct vsm_gdb *gdb)
{
	eventfd_t count;
	char text[192];

	(void)eventfd_read(gdb->event, &count);
	if (!gdb_stop_take(gdb))
		return outcome(gdb);
	gdb_stop_text(gdb, text, sizeof(text));
	gdb_send_text(gdb, text);
	gdb_reply_clear(&gdb->reply);
	gdb_stop_reply(gdb, &gdb->reply);
	send_reply(gdb);
	return outcome(gdb);
}

int vsm_gdb_attach(struct vsm_gdb *gdb, vsm_gdb_send_fn *send, void *opaque)
{
	memset(&gdb->parser, 0, sizeof(gdb->parser));
	gdb->frame_size = 0;
	gdb->no_ack = false;
	gdb->processes = false;
	gdb->reasons = false;
	gdb->ended = false;
	gdb->listed = 0;
	gdb->send = send;
	gdb->send_opaque = opaque;
	gdb->send_error = 0;
	pthread_mutex_lock(&gdb->lock);
	gdb->attached = true;
	pthread_mutex_unlock(&gdb->lock);
	gdb_halt(gdb);
	gdb->last = (struct gdb_stop){.kind = GDB_STOP_ATTACH, .vtl = gdb_active_vtl(gdb, 0)};
	gdb->last_vp = 0;
	gdb->general = (struct gdb_thread){.vp = 0, .vtl = gdb->last.vtl};
	gdb->vtls = (uint16_t)(1u << gdb->last.vtl);
	return 0;
}

void vsm_gdb_detach(struct vsm_gdb *gdb)
{
	gdb_breakpoint_remove_all(gdb);
	gdb_resume_all(gdb);
	free(gdb->threads);
	gdb->threads = NULL;
}

int vsm_gdb_event(const struct vsm_gdb *gdb)
{
	return gdb->event;
}

static bool is_legal(const struct vsm_gdb_config *config)
{
	return config->size == sizeof(*config) && config->partition && config->vp_count &&
	       config->vp_count <= VSM_VP_MAX && config->vtl_count &&
	       config->vtl_count <= VSM_VTL_MAX && config->read && config->write;
}

static int make_vps(struct vsm_gdb *gdb)
{
	gdb->vp = calloc(gdb->config.vp_count, sizeof(*gdb->vp));
	if (!gdb->vp)
		return -ENOMEM;
	for (uint32_t i = 0; i < gdb->config.vp_count; i++) {
		gdb->vp[i].vp = vsm_partition_vp(gdb->config.partition, i);
		gdb->vp[i].resumed = !gdb->config.hold;
		if (!gdb->vp[i].vp)
			return -EINVAL;
	}
	return 0;
}

int vsm_gdb_create(const struct vsm_gdb_config *config, struct vsm_gdb **gdb)
{
	struct vsm_gdb *made;
	int error;

	if (!is_legal(config))
		return vsm_error(&config->log, EINVAL, "gdb: a field is out of range");
	made = calloc(1, sizeof(*made));
	if (!made)
		return vsm_error(&config->log, ENOMEM, "gdb: no memory");
	made->config = *config;
	made->settings = 1;
	pthread_mutex_init(&made->lock, NULL);
	pthread_cond_init(&made->wake, NULL);
	made->event = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	error = made->event < 0 ? -errno : make_vps(made);
	if (!error)
		error = gdb_description_make(made);
	if (error) {
		vsm_gdb_destroy(made);
		return vsm_error(&config->log, -error, "gdb: cannot create the stub: %s",
				 strerror(-error));
	}
	*gdb = made;
	return 0;
}

void vsm_gdb_destroy(struct vsm_gdb *gdb)
{
	if (!gdb)
		return;
	if (gdb->event >= 0)
		close(gdb->event);
	pthread_cond_destroy(&gdb->wake);
	pthread_mutex_destroy(&gdb->lock);
	free(gdb->threads);
	free(gdb->description);
	free(gdb->vp);
	free(gdb);
}
