// SPDX-License-Identifier: GPL-2.0-only
/* Identity of a caller of /dev/vsm. VTL1 cannot see processes, so VTL0's kernel provides it. */
#include <linux/cred.h>
#include <linux/kernel_read_file.h>
#include <linux/sched.h>
#include <linux/vmalloc.h>
#include <crypto/sha2.h>

#include "module.h"

#define PROGRAM_MAX (64 << 20)

/* The path is in init's mount namespace, since the caller may have mounted another /proc. Security modules
 * warn about READING_UNKNOWN. */
int vsm_caller(u8 caller[SECURE_KERNEL_DIGEST])
{
	static const char label[] = "vsm caller";
	const u32 user = from_kuid(&init_user_ns, current_euid());
	char path[32];
	struct sha256_state hash;
	void *program = NULL;
	ssize_t size;

	snprintf(path, sizeof(path), "/proc/%d/exe", current->tgid);
	size = kernel_read_file_from_path_initns(path, 0, &program, PROGRAM_MAX, NULL,
						 READING_FIRMWARE);
	if (size < 0)
		return size;
	sha256_init(&hash);
	sha256_update(&hash, label, sizeof(label));
	sha256_update(&hash, (const u8 *)&user, sizeof(user));
	sha256_update(&hash, program, size);
	sha256_final(&hash, caller);
	vfree(program);
	return 0;
}
