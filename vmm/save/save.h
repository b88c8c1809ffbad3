/* SPDX-License-Identifier: BSD-2-Clause */
/* Saves a machine to a file and restores it. */
#ifndef VMM_SAVE_SAVE_H
#define VMM_SAVE_SAVE_H

#include <vsm/vsm.h>

#include "config/config.h"
#include "save/format.h"

struct vmm_guest;

/*
 * Saves a machine whose VPs have stopped to @path, which is complete or unchanged. Only an absent
 * or a regular file is replaced. The file has mode 0600: it contains the secrets of every VTL.
 * Returns: 0, or -errno with *@message for the user.
 */
int vmm_save(struct vmm_guest *guest, const char *path, char message[256]);

/* Writes an ELF core file, as vmm_save() writes its file. Returns: 0, or -errno with *@message. */
int vmm_core(struct vmm_guest *guest, const char *path, char message[256]);

/*
 * A relative name is in the save folder: --save-dir, or that of the control socket. The caller
 * frees the path; NULL: no memory.
 */
char *vmm_save_path(const struct vmm_config *config, const char *name);

/* The message for @error (-errno) of writing @path. */
void vmm_save_error(const struct vmm_config *config, const char *path, int error,
		    char message[256]);

struct vmm_saved {
	const char *path;
	const struct vsm_log *log;
	int fd;
	struct vmm_saved_header header;
};

/*
 * Checks the header. -EILSEQ: damaged or no saved machine, -ENOTSUP: another version; each with a
 * line in the log.
 */
int vmm_saved_open(struct vmm_saved *saved, const char *path, const struct vsm_log *log);
/*
 * As vmm_saved_open(), with an open file. On failure this function closes it, otherwise
 * vmm_saved_close().
 */
int vmm_saved_take(struct vmm_saved *saved, int fd, const char *path, const struct vsm_log *log);
void vmm_saved_close(struct vmm_saved *saved);

/* Sets the part of @config that belongs to the saved machine. */
void vmm_saved_config(const struct vmm_saved *saved, struct vmm_config *config);

/*
 * The guest must have the configuration of vmm_saved_config() and must not have run. On failure it
 * must not run; -ENOTSUP: the host lacks a feature that the log names.
 */
int vmm_saved_load(const struct vmm_saved *saved, struct vmm_guest *guest);

struct vmm_saved_lines {
	vsm_line_fn *line;
	void *opaque;
};

/*
 * Describes the file except for the contents of RAM, but verifies their checksum. Needs no KVM.
 * -EILSEQ, -ENOTSUP as vmm_saved_open(), after the lines of earlier parts.
 */
int vmm_saved_describe(const struct vmm_saved *saved, const struct vmm_saved_lines *lines);

/* ------------------------------------------------------------------ parts of a saved machine */

/* Returns 0, or -errno with a line in the log. */
int vmm_saved_read(const struct vmm_saved *saved, void *data, size_t size, uint64_t offset);
/*
 * Reads a section into memory from malloc() and verifies its checksum. Returns NULL on error, with
 * -errno in *@error and a line in the log.
 */
void *vmm_saved_section(const struct vmm_saved *saved, enum vmm_saved_section section, int *error);
void vmm_saved_say(const struct vmm_saved_lines *lines, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

/*
 * The CPU features visible to the guest. Returns the number of words; 0: KVM's CPUID cannot be
 * read.
 */
#define VMM_HOST_WORDS_MAX 64u
size_t vmm_host_words(struct vmm_saved_word word[VMM_HOST_WORDS_MAX]);
/*
 * Returns 0; -ENOTSUP with a line in the log that names what this host lacks; -EILSEQ for an
 * illegal word.
 */
int vmm_host_check(const struct vmm_saved_word *word, size_t count, const struct vsm_log *log);

/*
 * With the lock of the ports held, or before the VPs run. -EILSEQ with a line in the log: illegal
 * value, after which the guest must not run.
 */
size_t vmm_devices_size(const struct vmm_guest *guest);
void vmm_devices_save(const struct vmm_guest *guest, uint8_t *data);
int vmm_devices_load(struct vmm_guest *guest, const uint8_t *data, size_t size,
		     const struct vsm_log *log);
int vmm_devices_describe(const struct vmm_saved *saved, const uint8_t *data, size_t size,
			 const struct vmm_saved_lines *lines);

#endif
