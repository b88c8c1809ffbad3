/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * State of a stub, and functions that its files share. Legend for fields: c constant after
 * creation; s accessed only by the thread that serves the client; r accessed only by the thread
 * that runs the VP; L guarded by gdb->lock.
 */
#ifndef GDB_STUB_H
#define GDB_STUB_H

#include <pthread.h>
#include <vsm/debug.h>
#include <vsm/gdb.h>
#include <vsm/hv/hv.h>
#include <vsm/hv/names.h>

#include "gdb/packet.h"

#define GDB_ARRAY_SIZE(array) (sizeof(array) / sizeof((array)[0]))

/* Limit of software breakpoints of all VTLs. */
#define GDB_BREAKPOINTS_MAX 256u
/* Debug registers of a VTL. */
#define GDB_WATCHES 4u
/* How long to wait for a VP that is busy with an exit. */
#define GDB_TIMEOUT_MS 500u

#define GDB_EFER_LMA (UINT64_C(1) << 10)

/* Thread id: VP * VSM_VTL_MAX + VTL + 1, unique across processes. Process id: VTL + 1. */
struct gdb_thread {
	uint32_t vp;
	uint8_t vtl;
};

/* Which threads a thread id in a packet selects. */
enum gdb_scope {
	GDB_ONE,     /* one thread */
	GDB_PROCESS, /* all threads of the VTL */
	GDB_ALL,
};

struct gdb_id {
	enum gdb_scope scope;
	struct gdb_thread thread; /* GDB_PROCESS: its vtl, VP 0; GDB_ALL: VP 0, VTL0 */
};

enum gdb_stop_kind {
	GDB_STOP_NONE,
	GDB_STOP_ATTACH,     /* the client has attached */
	GDB_STOP_INTERRUPT,  /* Ctrl-C of the client */
	GDB_STOP_BREAKPOINT, /* a software breakpoint */
	GDB_STOP_HARDWARE,   /* an execution breakpoint of a debug register */
	GDB_STOP_WATCH,	     /* a data breakpoint of a debug register */
	GDB_STOP_STEP,
	GDB_STOP_ENTRY,	    /* a VTL was entered; RIP at its next instruction */
	GDB_STOP_INTERCEPT, /* RIP is at an instruction that a higher VTL intercepts */
	GDB_STOP_SHUTDOWN,
	GDB_STOP_CRASH,
};

struct gdb_stop {
	enum gdb_stop_kind kind;
	uint8_t vtl;
	uint8_t watch;	  /* enum gdb_watch_kind */
	uint64_t address; /* GDB_STOP_WATCH: GVA of the watchpoint */
};

struct gdb_breakpoint {
	bool used;
	uint8_t vtl;
	uint8_t original; /* the byte that the breakpoint instruction replaces */
	uint64_t gva;
	uint64_t gpa;
};

/* 1 to 4: the numbers of Z packets, in which 0 is a software breakpoint. */
enum gdb_watch_kind {
	GDB_WATCH_EXECUTE = 1,
	GDB_WATCH_WRITE = 2,
	GDB_WATCH_READ = 3,
	GDB_WATCH_ACCESS = 4,
	/* Not in packets: a software breakpoint in a debug register, if INT3 does not exit. */
	GDB_WATCH_SOFTWARE = 5,
};

struct gdb_watch {
	bool used;
	uint8_t kind; /* enum gdb_watch_kind */
	uint8_t size; /* 1, 2, 4, 8 */
	uint64_t gva;
};

struct gdb_vp {
	struct vsm_vp *vp; /* c */
	bool running;	   /* L: inside vsm_vp_run(), or about to call it */
	bool resumed;	   /* L: the client has resumed the VP */
	bool kicked;	   /* L: vsm_gdb_kick(): vsm_gdb_run() must return */
	uint16_t steps;	   /* L: VTLs that execute one instruction */
	uint64_t settings; /* L: gdb->settings when they were last applied; 0: apply them again */
	struct gdb_stop stop; /* L: why it stopped; not reported yet */
	bool answering;	      /* r: the last exit needs an answer, which the next run completes */
	bool passing;	      /* L: one instruction runs without the breakpoint at passing_gpa */
	uint8_t passing_vtl;  /* L */
	uint64_t passing_gpa; /* L */
	bool due;	      /* r: exit waits until the client lets the VP run */
	struct vsm_exit exit; /* r: the exit that is due */
};

struct vsm_gdb {
	struct vsm_gdb_config config; /* c */
	struct gdb_vp *vp;	      /* c */
	char *description;	      /* c: target.xml */
	size_t description_size;      /* c */
	int event;		      /* c: eventfd */

	pthread_mutex_t lock; /* leaf: no other lock is taken while it is held */
	pthread_cond_t wake;
	bool attached;	   /* L */
	bool waiting;	   /* L: the client waits for a stop reply */
	bool interrupted;  /* L: the client has sent Ctrl-C */
	bool attaching;	   /* s: the client attaches to a running machine */
	uint64_t settings; /* L: incremented when settings for vsm_vp_debug() change */
	struct gdb_breakpoint breakpoint[GDB_BREAKPOINTS_MAX]; /* L */
	struct gdb_watch watch[VSM_VTL_MAX][GDB_WATCHES];      /* L */
	uint16_t stop_entry;				       /* L: VTLs whose entry stops */
	uint16_t stop_intercept;			       /* L: VTLs whose intercepts stop */

	struct gdb_parser parser;  /* s */
	struct gdb_reply reply;	   /* s */
	char frame[GDB_FRAME_MAX]; /* s: the last packet sent */
	size_t frame_size;	   /* s */
	bool no_ack;		   /* s */
	bool processes;		   /* s: the client supports process ids */
	bool reasons;		   /* s: the client supports `swbreak` and `hwbreak` */
	bool ended;		   /* s: the client has ended the session */
	uint16_t vtls;		   /* s: VTLs that the client has attached to; at least one */
	struct gdb_thread general; /* s: for registers and memory (H packets) */
	struct gdb_stop last;	   /* s: the stop that was reported last */
	uint32_t last_vp;	   /* s: the VP of that stop */
	uint64_t listed;	   /* s: index of the next thread for the reply to qsThreadInfo */
	char *threads;		   /* s: list of threads that is being read, or NULL */
	size_t threads_size;	   /* s */
	vsm_gdb_send_fn *send;	   /* s */
	void *send_opaque;	   /* s */
	int send_error;		   /* s: the first error of `send` */
};

/* ------------------------------------------------------------------ thread.c */

/* Reads a thread id. -EINVAL: malformed, or no such thread. */
int gdb_thread_read(const struct vsm_gdb *gdb, struct gdb_text *text, struct gdb_id *id);
void gdb_thread_write(const struct vsm_gdb *gdb, struct gdb_reply *reply, struct gdb_thread thread);
bool gdb_thread_matches(const struct gdb_id *id, struct gdb_thread thread);
/* @thread, or one of the same VP in a VTL that the client has attached to. */
struct gdb_thread gdb_thread_shown(const struct vsm_gdb *gdb, struct gdb_thread thread);
/* Stores the list of threads as XML in gdb->threads. -ENOMEM. */
int gdb_thread_list(struct vsm_gdb *gdb);

/* ------------------------------------------------------------------ registers.c, description.c */

/* A register as GDB numbers it: the index in this table. */
struct gdb_register {
	const char *name;
	const char *type;  /* type name in the target description */
	const char *group; /* or NULL */
	uint32_t hv_name;
	uint8_t bits;	/* size in GDB */
	uint8_t offset; /* in union hv_register_value */
	uint8_t size;	/* bytes in the union; GDB's upper bytes are 0 */
	uint8_t feature;
};

enum gdb_feature {
	GDB_FEATURE_CORE,
	GDB_FEATURE_SSE,
	GDB_FEATURE_SEGMENTS,
	GDB_FEATURE_VTL, /* this stub's own: system registers */
	GDB_FEATURE_COUNT,
};

extern const struct gdb_register gdb_registers[];
extern const size_t gdb_register_count;

/* Appends all registers, or one, to the reply; sets them from a packet. -errno. */
int gdb_registers_read(struct vsm_gdb *gdb, struct gdb_thread thread, struct gdb_reply *reply);
int gdb_registers_write(struct vsm_gdb *gdb, struct gdb_thread thread, struct gdb_text *text);
int gdb_register_read(struct vsm_gdb *gdb, struct gdb_thread thread, uint64_t number,
		      struct gdb_reply *reply);
int gdb_register_write(struct vsm_gdb *gdb, struct gdb_thread thread, uint64_t number,
		       struct gdb_text *text);

/* Reads registers by HvRegister name. -ETIMEDOUT: the VP is busy with an exit; -EIO: refused. */
int gdb_hv_read(struct vsm_gdb *gdb, struct gdb_thread thread, const uint32_t *name,
		union hv_register_value *value, size_t count);

/* Makes target.xml in gdb->description. -ENOMEM. */
int gdb_description_make(struct vsm_gdb *gdb);

/* ------------------------------------------------------------------ memory.c */

struct vsm_walk_result;

/* As vsm_vp_translate() for a thread. -ETIMEDOUT: its VP is busy with an exit. */
int gdb_memory_translate(struct vsm_gdb *gdb, struct gdb_thread thread, uint64_t gva,
			 struct vsm_walk_result *result);
/*
 * Copies memory at a GVA of the thread, without the software breakpoints in it. Returns: the number
 * of bytes done (a write: all of them), or -errno.
 */
int gdb_memory_read(struct vsm_gdb *gdb, struct gdb_thread thread, uint64_t gva, void *data,
		    size_t size);
int gdb_memory_write(struct vsm_gdb *gdb, struct gdb_thread thread, uint64_t gva, void *data,
		     size_t size);

int gdb_memory_gpa(struct vsm_gdb *gdb, struct gdb_thread thread, uint64_t gva, uint64_t *gpa);

/* ------------------------------------------------------------------ breakpoint.c */

/* Z and z packets: kind, GVA and size. -errno. */
int gdb_breakpoint_insert(struct vsm_gdb *gdb, struct gdb_thread thread, uint64_t kind,
			  uint64_t gva, uint64_t size);
int gdb_breakpoint_remove(struct vsm_gdb *gdb, struct gdb_thread thread, uint64_t kind,
			  uint64_t gva, uint64_t size);
void gdb_breakpoint_remove_all(struct vsm_gdb *gdb);
/* Replaces breakpoint instructions in @data, a copy of memory at @gpa, by the original bytes. */
void gdb_breakpoint_hide(struct vsm_gdb *gdb, uint64_t gpa, uint8_t *data, size_t size);
/*
 * Called before @data is written at @gpa: a byte of @data at a breakpoint becomes the original, and
 * INT3 replaces it in @data.
 */
void gdb_breakpoint_preserve(struct vsm_gdb *gdb, uint64_t gpa, uint8_t *data, size_t size);

/* Whose breakpoint a VP has executed. */
enum gdb_owner {
	GDB_OWNER_GUEST, /* an INT3 of the guest */
	GDB_OWNER_VTL,	 /* a breakpoint of its VTL */
	GDB_OWNER_OTHER, /* a breakpoint of another VTL, in memory that both VTLs execute */
};
enum gdb_owner gdb_breakpoint_owner(struct vsm_gdb *gdb, uint8_t vtl, uint64_t gpa);
/* Inserts or removes the INT3 of the breakpoint at @gpa, while a VP steps over it. */
void gdb_breakpoint_set_inserted(struct vsm_gdb *gdb, uint64_t gpa, bool inserted);

/* ------------------------------------------------------------------ settings.c */

/* Makes the debug settings of a VTL of a VP. gdb->lock held. */
void gdb_settings_make(const struct vsm_gdb *gdb, uint32_t vp, uint8_t vtl,
		       struct vsm_debug *debug);
/* Applies the settings to all VTLs of the VP, if they have changed. On the VP's thread. */
void gdb_settings_apply(struct vsm_gdb *gdb, uint32_t vp);

/* ------------------------------------------------------------------ run.c, resume.c */

void gdb_halt(struct vsm_gdb *gdb);
/* Resumes all VPs at the end of a session. */
void gdb_resume_all(struct vsm_gdb *gdb);
/* `vCont;...`: resumes VPs. The stop reply is sent later. -EINVAL; -EBUSY: one is already due. */
int gdb_resume(struct vsm_gdb *gdb, struct gdb_text *text);
/* Moves a stop that the client waits for to gdb->last, if no VP runs. False: no stop. */
bool gdb_stop_take(struct vsm_gdb *gdb);
void gdb_stop_reply(const struct vsm_gdb *gdb, struct gdb_reply *reply);
/* Text for the user about gdb->last; "" if GDB itself describes the stop. */
void gdb_stop_text(const struct vsm_gdb *gdb, char *text, size_t size);
/* The active VTL of a VP, 0 if it cannot be read. */
uint8_t gdb_active_vtl(struct vsm_gdb *gdb, uint32_t vp);

/* ---------------------------------------------------------- query.c, monitor.c, session.c */

/* Packets that begin with `q` or `Q`: the reply goes into gdb->reply. */
void gdb_query(struct vsm_gdb *gdb, struct gdb_text *text);
void gdb_monitor(struct vsm_gdb *gdb, char *command);
/* Sends text for the user, as `O` packets. */
void gdb_send_text(struct vsm_gdb *gdb, const char *text);

#endif
