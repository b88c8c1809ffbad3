/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The timer (SDM 11.5.4). One-shot and periodic modes count clocks of the undivided timer, computed
 * from the TSC: a periodic timer never drifts, and a saved expiry stays valid after a load.
 */
#include "internal.h"

/* t * numerator / denominator without a 128-bit product */
static uint64_t scale(uint64_t t, uint32_t numerator, uint32_t denominator)
{
	return t / denominator * numerator + t % denominator * numerator / denominator;
}

static uint64_t clocks_at(const struct vsm_lapic *apic, uint64_t tsc)
{
	return scale(tsc, apic->config.timer_khz, apic->config.tsc_khz);
}

/* The first TSC value at which clocks_at() is @clocks or more; VSM_LAPIC_NEVER beyond 64 bits. */
static uint64_t tsc_at(const struct vsm_lapic *apic, uint64_t clocks)
{
	uint32_t from = apic->config.timer_khz, to = apic->config.tsc_khz;
	uint64_t whole, part = (clocks % from * to + from - 1) / from;

	if (__builtin_mul_overflow(clocks / from, to, &whole) ||
	    __builtin_add_overflow(whole, part, &whole))
		return VSM_LAPIC_NEVER;
	return whole;
}

/* SDM figure 11-10: bits 3, 1 and 0 as a number, plus 1, modulo 8. */
static uint32_t divide_shift(uint32_t divide)
{
	return (((divide & 3) | (divide & 8) >> 1) + 1) & 7;
}

static uint32_t timer_mode(const struct vsm_lapic *apic)
{
	return LAPIC_LOAD(&apic->lvt[VSM_LAPIC_LVT_TIMER]) & LAPIC_TIMER_MODE;
}

static bool is_in_deadline_mode(const struct vsm_lapic *apic)
{
	return timer_mode(apic) == LAPIC_TIMER_DEADLINE;
}

static uint64_t period(const struct vsm_lapic *apic)
{
	uint64_t clocks = (uint64_t)apic->initial_count << divide_shift(apic->divide);
	uint64_t least = clocks_at(apic, apic->config.min_period);

	return clocks > least ? clocks : least;
}

/* Computes apic->deadline. */
void lapic_timer_update(struct vsm_lapic *apic)
{
	if (is_in_deadline_mode(apic))
		apic->deadline = apic->tsc_deadline ? apic->tsc_deadline : VSM_LAPIC_NEVER;
	else
		apic->deadline =
			apic->timer_armed ? tsc_at(apic, apic->timer_expiry) : VSM_LAPIC_NEVER;
}

void lapic_timer_disarm(struct vsm_lapic *apic)
{
	apic->initial_count = 0;
	apic->timer_armed = false;
	apic->timer_expiry = 0;
	apic->tsc_deadline = 0;
	apic->deadline = VSM_LAPIC_NEVER;
}

/* Continues counting from @count; the initial count is unchanged. */
void lapic_timer_resume(struct vsm_lapic *apic, uint64_t now, uint32_t count)
{
	apic->timer_armed = count;
	apic->timer_expiry =
		count ? clocks_at(apic, now) + ((uint64_t)count << divide_shift(apic->divide)) : 0;
	lapic_timer_update(apic);
}

/* A write to the initial count: 0 stops the timer; ignored in TSC-deadline mode. */
void lapic_timer_start(struct vsm_lapic *apic, uint64_t now, uint32_t count)
{
	if (is_in_deadline_mode(apic))
		return;
	apic->initial_count = count;
	lapic_timer_resume(apic, now, count);
	/* The first period is at least config.min_period as well. */
	if (count && timer_mode(apic) == LAPIC_TIMER_PERIODIC) {
		apic->timer_expiry = clocks_at(apic, now) + period(apic);
		lapic_timer_update(apic);
	}
}

uint32_t lapic_timer_count(const struct vsm_lapic *apic, uint64_t now)
{
	uint32_t shift = divide_shift(apic->divide);
	uint64_t left, clocks = clocks_at(apic, now);

	if (!apic->timer_armed)
		return 0;
	left = apic->timer_expiry - clocks;
	if (now >= apic->deadline) {
		/* Expired, but vsm_lapic_expire() was not called yet: the count after that call. */
		if (timer_mode(apic) != LAPIC_TIMER_PERIODIC)
			return 0;
		left = period(apic) - (clocks - apic->timer_expiry) % period(apic);
	}
	left = (left + (1u << shift) - 1) >> shift;
	return left < apic->initial_count ? left : apic->initial_count;
}

/* The SDM does not define the effect on a running count. Here, it continues at the new rate. */
void lapic_timer_set_divide(struct vsm_lapic *apic, uint64_t now, uint32_t divide)
{
	/* vsm_lapic_expire() still has to process an expiry in the past. */
	const bool counts = apic->timer_armed && now < apic->deadline;
	const uint32_t count = lapic_timer_count(apic, now);

	if (apic->divide == divide)
		return;
	apic->divide = divide;
	if (counts)
		lapic_timer_resume(apic, now, count);
}

/* SDM 11.5.4.1: 0 disarms the timer; ignored unless in TSC-deadline mode. */
void lapic_timer_set_deadline(struct vsm_lapic *apic, uint64_t deadline)
{
	if (!is_in_deadline_mode(apic))
		return;
	apic->tsc_deadline = deadline;
	lapic_timer_update(apic);
}

uint64_t vsm_lapic_next_deadline(const struct vsm_lapic *apic)
{
	return apic->deadline;
}

static void stop_count(struct vsm_lapic *apic)
{
	apic->timer_armed = false;
	apic->timer_expiry = 0;
}

enum vsm_lapic_posted vsm_lapic_expire(struct vsm_lapic *apic, uint64_t now)
{
	uint64_t every = period(apic);

	if (apic->deadline == VSM_LAPIC_NEVER || now < apic->deadline)
		return VSM_LAPIC_IGNORED;
	if (is_in_deadline_mode(apic))
		apic->tsc_deadline = 0;
	else if (timer_mode(apic) == LAPIC_TIMER_PERIODIC && every)
		apic->timer_expiry +=
			((clocks_at(apic, now) - apic->timer_expiry) / every + 1) * every;
	else
		stop_count(apic);
	lapic_timer_update(apic);
	return vsm_lapic_post_local(apic, VSM_LAPIC_LVT_TIMER);
}

void vsm_lapic_tsc_moved(struct vsm_lapic *apic, uint64_t before, uint64_t after)
{
	if (!apic->timer_armed)
		return;
	apic->timer_expiry += clocks_at(apic, after) - clocks_at(apic, before);
	lapic_timer_update(apic);
}
