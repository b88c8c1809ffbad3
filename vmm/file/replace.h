/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Atomic replacement of an absent or a regular file: never of a device node, a FIFO, a socket, a
 * folder or a symbolic link.
 */
#ifndef VMM_FILE_REPLACE_H
#define VMM_FILE_REPLACE_H

/*
 * Early check whether @path may be replaced. Returns: 0, -EEXIST if it is no regular file, or
 * -errno of lstat(2).
 */
int vmm_replace_check(const char *path);

/*
 * Creates a file for writing beside @path, with mode 0600. Sets *@temporary to its name, which the
 * caller frees. Returns: its descriptor, or -errno, without a file and a name.
 */
int vmm_replace_create(const char *path, char **temporary);

/*
 * Renames @temporary, in the folder of @path, to @path. Checks the replaced file itself, so that
 * other users of the folder cannot exchange it after the check. Returns: 0, or an error of
 * vmm_replace_check(), or -errno of renameat2(2); then @path is unchanged and @temporary still
 * exists.
 */
int vmm_replace(const char *temporary, const char *path);

const char *vmm_replace_text(int error);

#endif
