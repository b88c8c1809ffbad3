/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A GDB stub for a partition: the GDB remote serial protocol, for any VMM.
 *
 * Each VTL is a process of the protocol with id VTL + 1, since it has its own address space, and
 * each VP in a VTL a thread named "VP.VTL". GDB starts with the active VTL of VP 0 and can attach
 * to other VTLs. All threads stop together (all-stop). VTL protections do not apply to GDB.
 *
 * 	struct vsm_gdb_config config = {.size = sizeof(config), .partition = partition, ...};
 * 	struct vsm_gdb *gdb;
 *
 * 	vsm_gdb_create(&config, &gdb);
 * 	... each VP's thread: vsm_gdb_run(gdb, index, &exit) in place of vsm_vp_run(vp, &exit) ...
 * 	... one more thread: accept(), then vsm_gdb_serve(gdb, fd, stop) ...
 *
 * docs/gdb.md has the commands, and an example.
 */
#ifndef VSM_GDB_H
#define VSM_GDB_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <vsm/vsm.h>

#ifdef __cplusplus
extern "C" {
#endif

struct vsm_gdb;

struct vsm_gdb_config {
	size_t size; /* sizeof(struct vsm_gdb_config): lets the structure grow */

	struct vsm_log log;
	struct vsm_partition *partition;
	uint32_t vp_count; /* of the partition: 1 to VSM_VP_MAX */
	uint8_t vtl_count; /* its max_vtl + 1: 1 to VSM_VTL_MAX */
	bool hold;	   /* no VP runs before the first client resumes it */

	/*
	 * Access to guest memory without VTL protections: @size bytes at @gpa, within one page.
	 * Called on the thread of vsm_gdb_serve(), write() also on those of vsm_gdb_run(). Returns:
	 * 0, or -EFAULT if a byte is not RAM.
	 */
	int (*read)(void *opaque, uint64_t gpa, void *data, size_t size);
	int (*write)(void *opaque, uint64_t gpa, const void *data, size_t size);
	void *opaque;
};

/*
 * Creates a stub. Destroy it before its partition. No VP may be inside vsm_vp_run().
 *
 * Returns: 0; -EINVAL: a field is out of range; -ENOMEM, -EMFILE, -ENFILE.
 */
int vsm_gdb_create(const struct vsm_gdb_config *config, struct vsm_gdb **gdb);

/* Destroys a stub. No thread may be in a call on it. NULL is allowed. */
void vsm_gdb_destroy(struct vsm_gdb *gdb);

/*
 * Runs a VP as vsm_vp_run() does, but waits while the debugger has stopped the VP, and handles
 * VSM_EXIT_DEBUG. While a client is attached, VSM_EXIT_SHUTDOWN and VSM_EXIT_CRASH are reported to
 * it first; the VMM gets them when the client continues. By one thread at a time for each VP.
 *
 * Returns: 0; -EINVAL: no such VP; errors of vsm_vp_run().
 */
int vsm_gdb_run(struct vsm_gdb *gdb, uint32_t vp, const struct vsm_exit **exit);

/* As vsm_vp_kick(), for a VP that vsm_gdb_run() runs; also ends a wait for GDB. Any thread. */
void vsm_gdb_kick(struct vsm_gdb *gdb, uint32_t vp);

/*
 * Serves one client on the connected stream socket @fd until it disconnects, or until @stop is
 * readable (-1: never). All VPs stop when it begins; when it ends, all breakpoints are removed and
 * all VPs continue. @fd is not closed. From one thread at a time.
 *
 * The client's input is checked, and its use of memory is bounded. But the client can read and
 * write all of the guest, so it must be trusted.
 *
 * Returns: 0: the client has disconnected; -ECANCELED: @stop; -errno of a system call.
 */
int vsm_gdb_serve(struct vsm_gdb *gdb, int fd, int stop);

/*
 * The protocol without a socket, for a VMM with its own I/O. From one thread at a time.
 *
 * vsm_gdb_attach() begins a session, vsm_gdb_receive() takes bytes of the client, vsm_gdb_poll()
 * reports a stop of the guest after all VPs have stopped; call it when the descriptor of
 * vsm_gdb_event() is readable. They pass output to @send, which returns 0 or -errno.
 * vsm_gdb_detach() ends the session.
 *
 * Returns: 0; -EPIPE: the client has ended the session; the error of @send.
 */
typedef int vsm_gdb_send_fn(void *opaque, const void *data, size_t size);
int vsm_gdb_attach(struct vsm_gdb *gdb, vsm_gdb_send_fn *send, void *opaque);
int vsm_gdb_receive(struct vsm_gdb *gdb, const void *data, size_t size);
int vsm_gdb_poll(struct vsm_gdb *gdb);
void vsm_gdb_detach(struct vsm_gdb *gdb);
/* Returns: a descriptor that is readable when vsm_gdb_poll() has something to do. */
int vsm_gdb_event(const struct vsm_gdb *gdb);

#ifdef __cplusplus
}
#endif

#endif
