/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Atomic replacement: a file is written under a temporary name and renamed when complete. Only an
 * absent or a regular file is replaced: never a device node, a FIFO, a socket, a folder or a
 * symbolic link.
 */
#ifndef VMM_FILE_REPLACE_H
#define VMM_FILE_REPLACE_H

/*
 * Early check whether a new file may replace the one at @path. Returns: 0, -EEXIST if it is not a regular
 * file, or -errno of lstat(2).
 */
int vmm_replace_check(const char *path);

/*
 * Creates a file for writing beside @path, with mode 0600, for vmm_replace(). Sets *@temporary to
 * its name, which the caller frees. Returns: its descriptor, or -errno, without a file and a name.
 */
int vmm_replace_create(const char *path, char **temporary);

/*
 * Renames @temporary, in the folder of @path, to @path. The file that is replaced is itself
 * checked, so that other users of the folder cannot exchange it after the check. Returns: 0, or
 * an error of vmm_replace_check(), or -errno of renameat2(2); then @path is unchanged and
 * @temporary still exists.
 */
int vmm_replace(const char *temporary, const char *path);

/* Error text for the result of these functions. */
const char *vmm_replace_text(int error);

#endif
