/* SPDX-License-Identifier: BSD-2-Clause */
/* The first program of bench/boot's guest, without a C library. */
#include <linux/reboot.h>
#include <sys/syscall.h>

static long call(long number, long a, long b, long c)
{
	long result;

	__asm__ volatile("syscall"
			 : "=a"(result)
			 : "a"(number), "D"(a), "S"(b), "d"(c)
			 : "rcx", "r11", "memory");
	return result;
}

void _start(void);
void _start(void)
{
	static const char mark[] = "INIT-HAS-STARTED\n";

	call(SYS_write, 1, (long)mark, sizeof(mark) - 1);
	for (;;)
		call(SYS_reboot, LINUX_REBOOT_MAGIC1, LINUX_REBOOT_MAGIC2,
		     LINUX_REBOOT_CMD_POWER_OFF);
}
