/* SPDX-License-Identifier: BSD-2-Clause */
/* A whole machine in a file, and from a file. */
#ifndef VMM_SAVE_SAVE_H
#define VMM_SAVE_SAVE_H

#include <vsm/vsm.h>

#include "config/config.h"
#include "save/format.h"

struct vmm_guest;

/*
 * Writes the machine, whose processors have stopped, to @path: under another name first, so that @path is whole or as
 * it was. Only an absent or a regular file is replaced. For its owner alone: it has the secrets of every VTL. -errno, and in *@message what the user is told.
 */
int vmm_save(struct vmm_guest *guest, const char *path, char message[256]);

/* A file that is being restored. */
struct vmm_saved {
	const char *path;
	const struct vsm_log *log;
	int fd;
	struct vmm_saved_header header;
};

/*
 * Opens @path and checks its header: -EILSEQ: it is damaged or no saved machine, -ENOTSUP: of another version; each with a
 * line in the log.
 */
int vmm_saved_open(struct vmm_saved *saved, const char *path, const struct vsm_log *log);
/* The same with a file that is open; it is closed by vmm_saved_close() then, and on failure. */
int vmm_saved_take(struct vmm_saved *saved, int fd, const char *path, const struct vsm_log *log);
void vmm_saved_close(struct vmm_saved *saved);

/* What of the configuration belongs to the machine. */
void vmm_saved_config(const struct vmm_saved *saved, struct vmm_config *config);

/*
 * Loads the rest into a guest that was made with that configuration and has not run. On failure the guest is not
 * to be run; -ENOTSUP: this host lacks something, and the log says what.
 */
int vmm_saved_load(const struct vmm_saved *saved, struct vmm_guest *guest);

/* Who receives a description. */
struct vmm_saved_lines {
	vsm_line_fn *line;
	void *opaque;
};

/*
 * All of the file in words, but for the contents of memory. Needs no KVM and no memory of the guest's size. -EILSEQ,
 * -ENOTSUP as above, behind the lines of the parts before.
 */
int vmm_saved_describe(const struct vmm_saved *saved, const struct vmm_saved_lines *lines);

/* ------------------------------------------------------------------ parts of it */

/* Bytes of the file, all of them: -errno with a line in the log. */
int vmm_saved_read(const struct vmm_saved *saved, void *data, size_t size, uint64_t offset);
/* A section, from malloc(), with its checksum found right. NULL: -errno in *@error, and a line in the log. */
void *vmm_saved_section(const struct vmm_saved *saved, enum vmm_saved_section section, int *error);
/* One line of a description. */
void vmm_saved_say(const struct vmm_saved_lines *lines, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

/* host.c: what the guest may have seen of the CPU. At most VMM_HOST_WORDS_MAX; 0: KVM cannot say. */
#define VMM_HOST_WORDS_MAX 64u
size_t vmm_host_words(struct vmm_saved_word word[VMM_HOST_WORDS_MAX]);
/* -ENOTSUP with a line in the log that says what this host lacks. */
int vmm_host_check(const struct vmm_saved_word *word, size_t count, const struct vsm_log *log);

/*
 * devices.c: all devices. With the lock of the ports held, or before the processors run. -EILSEQ with a line in the
 * log: some byte of it is not legal; the guest is not to be run then.
 */
size_t vmm_devices_size(const struct vmm_guest *guest);
void vmm_devices_save(const struct vmm_guest *guest, uint8_t *data);
int vmm_devices_load(struct vmm_guest *guest, const uint8_t *data, size_t size,
		     const struct vsm_log *log);
int vmm_devices_describe(const struct vmm_saved *saved, const uint8_t *data, size_t size,
			 const struct vmm_saved_lines *lines);

#endif
