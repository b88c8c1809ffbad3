/* SPDX-License-Identifier: BSD-2-Clause */
/* Random work on every VP at the same time, with checks of invariants. Runs only if named: test=soak
 * seconds=N. */
#include "tests.h"

#include <vsm/hv/hv.h>

#include "kit/apic.h"
#include "kit/console.h"
#include "kit/cpu.h"
#include "kit/hypercall.h"
#include "kit/lock.h"
#include "kit/memory.h"
#include "kit/options.h"
#include "kit/smp.h"
#include "kit/time.h"
#include "kit/vtl.h"
#include "kit/x64.h"
#include "ops.h"

#define SECONDS	     6
#define PAGES	     48u
#define READ_EXECUTE (HV_MAP_GPA_READABLE | HV_MAP_GPA_EXECUTABLE)
#define IPI_VECTOR   0xa0 /* plus the index of the VP that sends it */
#define TIMER_VECTOR 0x73
#define DIRECT	     (HV_STIMER_DIRECT_MODE | (uint64_t)TIMER_VECTOR << HV_STIMER_APIC_VECTOR_SHIFT)
#define SECRET	     0x6b65657020746869ull

/* A page that VTL1 restricts for VTL0, and permits again. */
struct guarded {
	struct lock lock; /* taken in VTL1 only */
	uint8_t *page;
	bool restricted;
	uint64_t sum; /* checksum of the page when it was restricted */
};

/* Interrupts that a VP has sent to a VP, by VTL. */
struct sent {
	volatile uint32_t count;
	uint32_t base; /* the receiver's count before the first was sent */
	uint64_t at;   /* TSC when the last one was sent */
};

struct load {
	uint64_t random;
	uint64_t time; /* the reference time read last */
	uint32_t calls;
	uint32_t timers, timers_base;
	uint64_t timer_due;
	uint32_t done[8]; /* how often each kind of work was done */
	uint32_t denied;
	struct sent sent[CPU_MAX][2];
};

static struct guarded guarded[PAGES];
static uint64_t *secret;      /* a page that VTL0 may not access */
static uint64_t *vtl1_counts; /* counts of each VP, on a page that VTL0 may only read */
static struct load load[CPU_MAX];
static volatile uint32_t stop;

/* Each VP has its own random numbers, so that its work does not depend on others' speed. */
static uint64_t number(struct load *mine)
{
	uint64_t x = mine->random;

	x ^= x << 13;
	x ^= x >> 7;
	x ^= x << 17;
	return mine->random = x;
}

static struct load *my_load(void)
{
	return &load[cpu_current()->vp];
}

static uint64_t sum_of(const uint8_t *page)
{
	const uint64_t *word = (const void *)page;
	uint64_t sum = 0;

	for (uint32_t i = 0; i < PAGE_SIZE / 8; i++)
		sum = (sum << 1 | sum >> 63) + word[i];
	return sum;
}

/* Restricts a page or removes the restriction; a restricted page must not have changed. */
static void turn_page(void *argument)
{
	struct guarded *guard = argument;

	lock_take(&guard->lock);
	if (guard->restricted) {
		expect_equal(sum_of(guard->page), guard->sum);
		expect_equal(vtl_protect((uint64_t)guard->page, 1, VTL_PROTECT_ALL),
			     HV_STATUS_SUCCESS);
		guard->restricted = false;
	} else {
		const uint32_t flags = number(my_load()) & 1 ? READ_EXECUTE : 0;

		expect_equal(vtl_protect((uint64_t)guard->page, 1, flags), HV_STATUS_SUCCESS);
		guard->sum = sum_of(guard->page);
		guard->restricted = true;
	}
	lock_drop(&guard->lock);
}

static void look_at_page(void *argument)
{
	struct guarded *guard = argument;

	lock_take(&guard->lock);
	if (guard->restricted)
		expect_equal(sum_of(guard->page), guard->sum);
	lock_drop(&guard->lock);
	for (uint32_t i = 0; i < PAGE_SIZE / 8; i += 64)
		expect_equal(secret[i], SECRET + i);
}

static void count_call(void *argument)
{
	vtl1_counts[*(uint32_t *)argument]++;
}

static void make(void *argument)
{
	for (uint32_t i = 0; i < PAGE_SIZE / 8; i++)
		secret[i] = SECRET + i;
	expect_equal(vtl_protect((uint64_t)secret, 1, 0), HV_STATUS_SUCCESS);
	expect_equal(vtl_protect((uint64_t)vtl1_counts, 1, READ_EXECUTE), HV_STATUS_SUCCESS);
}

static void free_pages(void *argument)
{
	for (uint32_t i = 0; i < PAGES; i++)
		if (guarded[i].restricted)
			turn_page(&guarded[i]);
}

static void read_other(void *argument)
{
	const uint32_t vp = *(uint32_t *)argument;
	union hv_register_value value = {{0}};

	expect_equal(register_get(vp, input_vtl(0), HV_X64_REGISTER_CR3, &value),
		     HV_STATUS_SUCCESS);
	expect_equal(value.reg64, *(uint64_t *)argument >> 32);
}

struct sending {
	uint32_t vp;
	uint8_t vector;
};

static void send(void *argument)
{
	const struct sending *sending = argument;

	apic_send(smp_apic_id[sending->vp], APIC_FIXED | sending->vector);
}

static void call_vtl1(struct load *mine)
{
	uint32_t vp = cpu_current()->vp;

	vtl_run(count_call, &vp);
	mine->calls++;
	expect_equal(vtl1_counts[vp], mine->calls);
}

static void change_protection(struct load *mine)
{
	vtl_run(turn_page, &guarded[number(mine) % PAGES]);
}

static void look(struct load *mine)
{
	vtl_run(look_at_page, &guarded[number(mine) % PAGES]);
}

/* Writes to a page that may be restricted: if so, VTL1 detects any change (sum_of()). */
static void write_somewhere(struct load *mine)
{
	const uint64_t random = number(mine);
	uint8_t *page = guarded[random % PAGES].page;
	int vector;

	vector = try_write(page + (random >> 8) % PAGE_SIZE, (uint8_t)(random >> 20));
	expect(vector == -1 || vector == VECTOR_GP);
	mine->denied += vector == VECTOR_GP;
	if (random >> 32 & 1)
		return;
	expect_equal(try_write((uint8_t *)secret + (random >> 8) % PAGE_SIZE, 0), VECTOR_GP);
	expect_equal(try_write((uint8_t *)vtl1_counts + (random >> 8) % PAGE_SIZE, 0), VECTOR_GP);
}

static uint32_t arrived(uint32_t vp, uint8_t vtl, uint32_t from)
{
	return cpu_table[vp][vtl]->interrupts[IPI_VECTOR + from];
}

/* Sends an interrupt to a random VP, at most one at a time, so that none can merge. */
static void interrupt(struct load *mine)
{
	const uint32_t me = cpu_current()->vp;
	const uint64_t random = number(mine);
	struct sending sending = {random % smp_count, (uint8_t)(IPI_VECTOR + me)};
	const uint8_t vtl = random >> 32 & 1;
	struct sent *sent = &mine->sent[sending.vp][vtl];
	const uint32_t came = arrived(sending.vp, vtl, me) - sent->base;

	expect(came <= sent->count);
	if (came == sent->count) {
		sent->count++;
		sent->at = rdtsc();
		if (vtl)
			vtl_run(send, &sending);
		else
			send(&sending);
	} else {
		expect(rdtsc() - sent->at < 4 * TIME_LIMIT_MS * time_ticks_per_ms());
	}
}

static void set_timer(struct load *mine)
{
	const uint64_t now = rdmsr(HV_X64_MSR_TIME_REF_COUNT);
	const uint32_t came = cpu_current()->interrupts[TIMER_VECTOR] - mine->timers_base;

	expect(now >= mine->time);
	mine->time = now;
	expect(came <= mine->timers);
	if (came != mine->timers) {
		expect(now < mine->timer_due + 4ull * TIME_LIMIT_MS * 10000);
		return;
	}
	mine->timers++;
	mine->timer_due = now + number(mine) % 20000;
	wrmsr(HV_X64_MSR_STIMER0_CONFIG, DIRECT | HV_STIMER_AUTO_ENABLE);
	wrmsr(HV_X64_MSR_STIMER0_COUNT, mine->timer_due);
}

static void read_registers(struct load *mine)
{
	/* All VPs have the same page tables in VTL0. */
	uint64_t argument = number(mine) % smp_count | read_cr3() << 32;

	vtl_run(read_other, &argument);
}

static void garbage(struct load *mine)
{
	hostile_calls(20);
}

typedef void soak_work(struct load *mine);

static soak_work *const works[8] = {call_vtl1, change_protection, look,		  write_somewhere,
				    interrupt, set_timer,	  read_registers, garbage};

static void work(void *argument)
{
	struct load *mine = my_load();

	while (!__atomic_load_n(&stop, __ATOMIC_RELAXED)) {
		const uint64_t kind = number(mine) >> 16 & 7;

		works[kind](mine);
		mine->done[kind]++;
		interrupts_window();
	}
}

static void work_and_watch_the_time(void)
{
	const uint64_t seconds = option_number("seconds", SECONDS);
	struct load *mine = my_load();
	const uint64_t begin = rdmsr(HV_X64_MSR_TIME_REF_COUNT);

	while (rdmsr(HV_X64_MSR_TIME_REF_COUNT) - begin < seconds * HV_REFERENCE_TIME_HZ) {
		const uint64_t kind = number(mine) >> 16 & 7;

		works[kind](mine);
		mine->done[kind]++;
		interrupts_window();
	}
	__atomic_store_n(&stop, 1, __ATOMIC_RELAXED);
}

static const char *prepare(void)
{
	const char *reason;

	if (!option_has("test", "soak"))
		return "takes long: runs only if named, test=soak";
	reason = needs_vtl1();
	if (!reason && !(hypercall_features() & HV_FEATURE(DIRECT_SYNTHETIC_TIMERS)))
		reason = "direct synthetic timers are not offered";
	if (reason)
		return reason;
	for (uint32_t i = 0; i < PAGES; i++)
		guarded[i].page = memory_pages(1);
	secret = memory_pages(1);
	vtl1_counts = memory_pages(1);
	vtl_run(make, NULL);
	hostile_prepare();
	return NULL;
}

static void random_load(void)
{
	for (uint32_t vp = 0; vp < smp_count; vp++) {
		load[vp].random = tap_random() | 1;
		load[vp].timers_base = cpu_table[vp][0]->interrupts[TIMER_VECTOR];
		for (uint32_t to = 0; to < smp_count; to++)
			for (uint8_t vtl = 0; vtl < 2; vtl++)
				load[vp].sent[to][vtl].base = arrived(to, vtl, vp);
		on_intercept_of(vp, vtl_inject_gp, NULL);
	}
	for (uint32_t vp = 1; vp < smp_count; vp++)
		smp_begin(vp, work, NULL);
	work_and_watch_the_time();
	for (uint32_t vp = 1; vp < smp_count; vp++)
		smp_end(vp);
	for (uint32_t vp = 0; vp < smp_count; vp++)
		for (uint32_t kind = 0; kind < 8; kind++)
			expect(load[vp].done[kind] > 0);
}

static bool all_came(void)
{
	interrupts_window();
	for (uint32_t from = 0; from < smp_count; from++) {
		if (cpu_table[from][0]->interrupts[TIMER_VECTOR] - load[from].timers_base !=
		    load[from].timers)
			return false;
		for (uint32_t to = 0; to < smp_count; to++)
			for (uint8_t vtl = 0; vtl < 2; vtl++)
				if (arrived(to, vtl, from) - load[from].sent[to][vtl].base !=
				    load[from].sent[to][vtl].count)
					return false;
	}
	return true;
}

static void none_is_lost(void)
{
	uint64_t interrupts = 0, timers = 0;

	expect(wait_for(all_came()));
	for (uint32_t vp = 0; vp < smp_count; vp++) {
		timers += load[vp].timers;
		for (uint32_t to = 0; to < smp_count; to++)
			interrupts += load[vp].sent[to][0].count + load[vp].sent[to][1].count;
	}
	print("# %lu interrupts between VPs, %lu timers\n", interrupts, timers);
}

static void memory_is_as_it_was(void)
{
	uint64_t calls = 0, protections = 0, denied = 0;

	vtl_run(free_pages, NULL);
	for (uint32_t i = 0; i < PAGES; i++)
		vtl_run(look_at_page, &guarded[i]);
	for (uint32_t vp = 0; vp < smp_count; vp++) {
		expect_equal(vtl1_counts[vp], load[vp].calls);
		on_intercept_of(vp, NULL, NULL);
		calls += load[vp].calls;
		protections += load[vp].done[1];
		denied += load[vp].denied;
	}
	expect(denied > 0);
	print("# %lu calls, %lu changes of protections, %lu writes denied\n", calls, protections,
	      denied);
}

static const struct tap_case cases[] = {
	{"every VP does random work, and all invariants hold", random_load},
	{"no interrupt and no timer is lost or delivered twice", none_is_lost},
	{"pages that VTL1 protects are unchanged", memory_is_as_it_was},
};

TAP_TOPIC(topic_soak, prepare, cases);
