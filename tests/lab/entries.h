/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef LAB_ENTRIES_H
#define LAB_ENTRIES_H

#include <dirent.h>

/* The number of entries of a folder; 0 if it cannot be read. */
static inline unsigned int entries(const char *path)
{
	DIR *directory = opendir(path);
	unsigned int count = 0;

	while (directory && readdir(directory))
		count++;
	if (directory)
		closedir(directory);
	return count;
}

#endif
