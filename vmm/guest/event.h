/* SPDX-License-Identifier: BSD-2-Clause */
/* Events of a machine, for the clients of its control socket. */
#ifndef VMM_GUEST_EVENT_H
#define VMM_GUEST_EVENT_H

#include <stdint.h>

enum vmm_event {
	VMM_EVENT_PAUSED,
	VMM_EVENT_RESUMED,
	VMM_EVENT_SAVED,
	VMM_EVENT_RESET,
	VMM_EVENT_CRASH, /* crash MSRs or triple fault; with the VP */
	VMM_EVENT_ERROR, /* with the VP */
	VMM_EVENT_END,	 /* @detail: exit status */
	VMM_EVENT_COUNT,
};

/* Called by any thread; must not wait. */
typedef void vmm_event_fn(void *opaque, enum vmm_event event, uint32_t vp, uint64_t detail);

#endif
