/* SPDX-License-Identifier: BSD-2-Clause */
#include <string.h>

#include "core/memory/gpa.h"
#include "core/msr/crash.h"

/* A read of CRASH_CTL returns the supported actions, not the value written. */
#define CAPABILITIES (HV_CRASH_CTL_NOTIFY | HV_CRASH_CTL_MESSAGE)

bool crash_read(struct vsm_vp *vp, uint8_t vtl, uint32_t msr, uint64_t *value)
{
	struct vsm_partition *partition = vp->partition;

	(void)vtl;
	if (msr == HV_X64_MSR_CRASH_CTL) {
		*value = CAPABILITIES;
		return true;
	}
	pthread_mutex_lock(&partition->lock);
	*value = partition->crash[msr - HV_X64_MSR_CRASH_P0];
	pthread_mutex_unlock(&partition->lock);
	return true;
}

/* The report has no text if that is longer than a page, or @vtl cannot read it. */
static void read_message(struct vsm_vp *vp, uint8_t vtl, uint64_t gpa, uint64_t size)
{
	vp->crash_message_size = 0;
	if (size <= sizeof(vp->crash_message) &&
	    gpa_read(vp->partition, vtl, gpa, vp->crash_message, size, NULL) == GPA_OK)
		vp->crash_message_size = (uint32_t)size;
}

bool crash_write(struct vsm_vp *vp, uint8_t vtl, uint32_t msr, uint64_t value)
{
	struct vsm_partition *partition = vp->partition;
	uint64_t gpa, size;

	pthread_mutex_lock(&partition->lock);
	if (msr == HV_X64_MSR_CRASH_CTL)
		partition->crash_ctl = value;
	else
		partition->crash[msr - HV_X64_MSR_CRASH_P0] = value;
	gpa = partition->crash[3];
	size = partition->crash[4];
	pthread_mutex_unlock(&partition->lock);
	if (msr != HV_X64_MSR_CRASH_CTL || !(value & HV_CRASH_CTL_NOTIFY))
		return true;
	vp->crash_exit_due = true;
	read_message(vp, vtl, gpa, value & HV_CRASH_CTL_MESSAGE ? size : 0);
	return true;
}

void crash_exit(struct vsm_vp *vp)
{
	struct vsm_partition *partition = vp->partition;
	struct vsm_exit *exit = &vp->exit;

	vp->crash_exit_due = false;
	exit->reason = VSM_EXIT_CRASH;
	pthread_mutex_lock(&partition->lock);
	memcpy(exit->crash.parameter, partition->crash, sizeof(exit->crash.parameter));
	exit->crash.control = partition->crash_ctl;
	pthread_mutex_unlock(&partition->lock);
	exit->crash.message = vp->crash_message;
	exit->crash.message_size = vp->crash_message_size;
}
