/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Four timers for each VTL of each VP (TLFS "Synthetic Timers"). They expire whichever VTL is
 * active.
 */
#include <string.h>

#include "core/msr/cpuid.h"
#include "core/interrupt/interrupt.h"
#include "core/interrupt/stimer.h"
#include "core/interrupt/synic.h"
#include "core/trace/trace.h"
#include "core/vp/vp.h"

#define NEVER UINT64_MAX

/*
 * 20 us: a timer with a shorter period skips multiples of it, so that its expiries are at least
 * this far apart. Otherwise the VP could spend all of its time on them.
 */
#define MIN_GAP UINT64_C(200)

static uint64_t add_saturating(uint64_t a, uint64_t b)
{
	return a > NEVER - b ? NEVER : a + b;
}

void stimer_reset(struct vsm_vp *vp, uint8_t vtl)
{
	memset(vp->vtl[vtl].stimer, 0, sizeof(vp->vtl[vtl].stimer));
	for (unsigned int i = 0; i < HV_SYNIC_STIMER_COUNT; i++)
		vp->vtl[vtl].stimer[i].due = NEVER;
	vp->deadline_stale = true;
}

static uint8_t sint_of(const struct stimer *timer)
{
	return (timer->config & HV_STIMER_SINT_MASK) >> HV_STIMER_SINT_SHIFT;
}

/* False: the message slot is busy, or the SynIC, SIMP or SINT is off. */
static bool deliver_message(struct vsm_vp *vp, uint8_t vtl, unsigned int index, uint64_t due)
{
	const struct stimer *timer = &vp->vtl[vtl].stimer[index];
	struct hv_timer_message_payload payload = {
		.timer_index = index,
		.expiration_time = due,
		.delivery_time = reftime_now(vp->partition),
	};
	struct hv_message message = {
		.message_type = HV_MESSAGE_TYPE_TIMER_EXPIRED,
		.payload_size = sizeof(payload),
	};

	memcpy(message.payload, &payload, sizeof(payload));
	return synic_post(vp, vtl, sint_of(timer), &message, false) == 0;
}

static void fire(struct vsm_vp *vp, uint8_t vtl, unsigned int index, uint64_t due)
{
	struct stimer *timer = &vp->vtl[vtl].stimer[index];

	trace(vp, VSM_TRACE_TIMER, vtl, index, due, reftime_now(vp->partition));
	if (timer->config & HV_STIMER_DIRECT_MODE) {
		interrupt_post(vp, vtl,
			       (timer->config & HV_STIMER_APIC_VECTOR_MASK) >>
				       HV_STIMER_APIC_VECTOR_SHIFT,
			       VSM_LAPIC_EDGE);
	} else if (!deliver_message(vp, vtl, index, due) && !(timer->config & HV_STIMER_PERIODIC)) {
		/* A one-shot expiry must not be lost; a periodic one is followed by the next. */
		timer->message_due = true;
		timer->expired = due;
		synic_mark_waiting(vp, vtl, (uint16_t)(1u << sint_of(timer)));
	}
}

static void expire_one(struct vsm_vp *vp, uint8_t vtl, unsigned int index, uint64_t now)
{
	struct stimer *timer = &vp->vtl[vtl].stimer[index];
	uint64_t due = timer->due;

	if ((timer->config & HV_STIMER_PERIODIC) && timer->count != 0) {
		uint64_t passed = now - due;
		uint64_t gap = passed + (timer->count < MIN_GAP ? MIN_GAP : 1);

		/* The first multiple of the period that is not before the end of the gap. */
		timer->due = add_saturating(due, timer->count);
		if (timer->count < gap)
			timer->due = add_saturating(due, (gap + timer->count - 1) / timer->count *
								 timer->count);
	} else {
		timer->config &= ~HV_STIMER_ENABLE;
		timer->due = NEVER;
	}
	fire(vp, vtl, index, due);
}

void stimer_expire(struct vsm_vp *vp, uint8_t vtl, uint64_t now)
{
	for (unsigned int i = 0; i < HV_SYNIC_STIMER_COUNT; i++)
		if (vp->vtl[vtl].stimer[i].due <= now)
			expire_one(vp, vtl, i, now);
}

uint64_t stimer_next(const struct vsm_vp *vp, uint8_t vtl)
{
	uint64_t next = NEVER;

	for (unsigned int i = 0; i < HV_SYNIC_STIMER_COUNT; i++)
		if (vp->vtl[vtl].stimer[i].due < next)
			next = vp->vtl[vtl].stimer[i].due;
	return next;
}

bool stimer_retry(struct vsm_vp *vp, uint8_t vtl, uint8_t sint)
{
	bool waits = false;

	for (unsigned int i = 0; i < HV_SYNIC_STIMER_COUNT; i++) {
		struct stimer *timer = &vp->vtl[vtl].stimer[i];

		if (!timer->message_due || sint_of(timer) != sint)
			continue;
		timer->message_due = !deliver_message(vp, vtl, i, timer->expired);
		waits |= timer->message_due;
	}
	return waits;
}

static void start(struct vsm_vp *vp, struct stimer *timer)
{
	timer->message_due = false;
	timer->due = NEVER;
	if ((timer->config & HV_STIMER_ENABLE) && timer->count != 0)
		timer->due = timer->config & HV_STIMER_PERIODIC
				     ? add_saturating(reftime_now(vp->partition), timer->count)
				     : timer->count;
	/* NEVER means stopped: such a timer expires one unit earlier. */
	if (timer->due == NEVER && (timer->config & HV_STIMER_ENABLE) && timer->count != 0)
		timer->due = NEVER - 1;
	vp->deadline_stale = true;
}

static bool set_config(struct vsm_vp *vp, struct stimer *timer, uint64_t value)
{
	bool direct = value & HV_STIMER_DIRECT_MODE;
	uint8_t vector = (value & HV_STIMER_APIC_VECTOR_MASK) >> HV_STIMER_APIC_VECTOR_SHIFT;

	if (value & HV_STIMER_RESERVED_MASK)
		return false;
	if (direct && (!(vp->partition->features_edx & HV_FEATURE(DIRECT_SYNTHETIC_TIMERS)) ||
		       ((value & HV_STIMER_ENABLE) && vector < HV_SYNIC_FIRST_VALID_VECTOR)))
		return false;
	/* TLFS "STIMERn_CONFIG": message mode with SINT0 cannot be enabled. */
	if (!direct && !(value & HV_STIMER_SINT_MASK))
		value &= ~HV_STIMER_ENABLE;
	timer->config = value;
	start(vp, timer);
	return true;
}

static void set_count(struct vsm_vp *vp, struct stimer *timer, uint64_t value)
{
	bool usable =
		(timer->config & HV_STIMER_DIRECT_MODE) || (timer->config & HV_STIMER_SINT_MASK);

	timer->count = value;
	if (value == 0)
		timer->config &= ~HV_STIMER_ENABLE;
	else if ((timer->config & HV_STIMER_AUTO_ENABLE) && usable)
		timer->config |= HV_STIMER_ENABLE;
	start(vp, timer);
}

static struct stimer *timer_of(struct vsm_vp *vp, uint8_t vtl, uint32_t msr)
{
	uint32_t index = (msr - HV_X64_MSR_STIMER0_CONFIG) / 2;

	return index < HV_SYNIC_STIMER_COUNT ? &vp->vtl[vtl].stimer[index] : NULL;
}

bool stimer_msr_read(struct vsm_vp *vp, uint8_t vtl, uint32_t msr, uint64_t *value)
{
	const struct stimer *timer = timer_of(vp, vtl, msr);

	if (!timer)
		return false;
	*value = (msr - HV_X64_MSR_STIMER0_CONFIG) % 2 ? timer->count : timer->config;
	return true;
}

bool stimer_msr_write(struct vsm_vp *vp, uint8_t vtl, uint32_t msr, uint64_t value)
{
	struct stimer *timer = timer_of(vp, vtl, msr);

	if (!timer)
		return false;
	if ((msr - HV_X64_MSR_STIMER0_CONFIG) % 2 == 0)
		return set_config(vp, timer, value);
	set_count(vp, timer, value);
	return true;
}
