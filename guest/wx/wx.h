/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef WX_H
#define WX_H

#include <stdint.h>

/* Answer of call SECURE_KERNEL_CALL_FIRST, whose request is empty. */
struct wx_counts {
	uint64_t fetches; /* refused fetches: the page became executable and read-only */
	uint64_t writes;  /* refused writes: the page became writable and not executable */
};

#endif
