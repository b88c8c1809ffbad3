/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A file that is written under another name first, and gets its own name when it is complete. Only an absent or a regular
 * file is replaced: never a device node, a FIFO, a socket, a folder or a symbolic link.
 */
#ifndef VMM_FILE_REPLACE_H
#define VMM_FILE_REPLACE_H

/*
 * Whether something may be replaced by a new file at @path, before any work is done for it. Returns: 0, -EEXIST for what is
 * no regular file, or -errno of lstat(2).
 */
int vmm_replace_check(const char *path);

/*
 * Renames @temporary, in the folder of @path, to @path. What is there when that happens is checked, not what was there
 * before: in a folder where others may write, the two can differ. Returns: 0, or what vmm_replace_check() returns, or -errno of
 * renameat2(2); @path is as it was then, and @temporary still exists.
 */
int vmm_replace(const char *temporary, const char *path);

/* An error of these functions in words. */
const char *vmm_replace_text(int error);

#endif
