// SPDX-License-Identifier: GPL-2.0-only
/*
 * Floods of interrupts during many SHA-256 of 16 KiB, by VTL1 or, if it was not started, by the kernel.
 * Success: an interrupt is taken in the middle of that work, where its handler can read the registers of the
 * work and delay it; or VTL1 takes an IPI of VTL0; or the work is incomplete or wrong.
 */
#include <linux/completion.h>
#include <linux/delay.h>
#include <linux/hrtimer.h>
#include <linux/kthread.h>
#include <linux/mm.h>
#include <linux/slab.h>
#include <linux/smp.h>
#include <asm/irq_regs.h>
#include <asm/irq_vectors.h>
#include <asm/mshyperv.h>
#include <crypto/sha2.h>

#include "attack.h"
#include "../kit/secure/interface.h"

#define REQUESTS     50u
#define SIZE	     SECURE_KERNEL_MEASURE_MAX
#define DIGEST_AT    SIZE /* the page after the data */
#define BUFFER_ORDER 3
#define INTERRUPTS   20 /* per request; limited so that the attacker's own CPU makes progress */
#define TIMER_SOON   (300 * NSEC_PER_USEC) /* from the end of one handler to the next */
#define TIMER_LATER  (50 * NSEC_PER_MSEC)  /* after INTERRUPTS interrupts */
#define SECONDS_MAX  120u

static struct flood {
	u8 *buffer;
	void *call_stub;
	bool owned; /* VTL1 does the work */
	bool working;
	int victim;
	call_single_data_t ipi;
	struct hrtimer timer;
	u64 *input;    /* page for hypercall input */
	atomic_t left; /* interrupts left for this request */
	atomic_t taken, inside, sent, accepted_by_vtl1;
} flood;

/* Each handler on the victim's CPU calls this function. */
static void count_interrupt(void)
{
	const struct pt_regs *regs = get_irq_regs();

	atomic_inc(&flood.taken);
	if (!READ_ONCE(flood.working) || !regs || READ_ONCE(*(u64 *)(flood.buffer + DIGEST_AT)))
		return;
	/* Before the VTL call, not in the work: the registers still have the call's arguments. */
	if (flood.owned && regs->bx == SECURE_KERNEL_MEASURE && regs->r9 == SIZE)
		return;
	atomic_inc(&flood.inside);
}

static void take_ipi(void *unused)
{
	count_interrupt();
}

/* Does not use attack_hypercall(), which allows only one caller at a time. */
static u64 send(u8 input_vtl, u32 vector, u64 processors)
{
	u64 *input = flood.input, result, control = HVCALL_SEND_IPI, rdx = virt_to_phys(input);
	unsigned long flags;

	local_irq_save(flags);
	input[0] = vector | (u64)input_vtl << 32;
	input[1] = processors;
	asm volatile("xor %%r8d, %%r8d\n\t" CALL_NOSPEC
		     : "=a"(result), "+c"(control), "+d"(rdx), ASM_CALL_CONSTRAINT
		     : THUNK_TARGET(hv_hypercall_pg)
		     : "cc", "memory", "r8", "r9", "r10", "r11");
	local_irq_restore(flags);
	return result;
}

/* Sends IPIs to VTL1, if enabled, and to the kernel's function call vector, which ignores them. */
static void send_both(void)
{
	const u64 victim = BIT_ULL(hv_cpu_number_to_vp_number(flood.victim));

	if (flood.owned &&
	    hv_result_success(send(ATTACK_VTL1, CALL_FUNCTION_SINGLE_VECTOR, victim)))
		atomic_inc(&flood.accepted_by_vtl1);
	if (hv_result_success(send(0, CALL_FUNCTION_SINGLE_VECTOR, victim)))
		atomic_inc(&flood.sent);
}

static int send_floods(void *unused)
{
	while (!kthread_should_stop()) {
		if (atomic_dec_if_positive(&flood.left) >= 0) {
			send_both();
			/* -EBUSY: the previous IPI is still pending. */
			smp_call_function_single_async(flood.victim, &flood.ipi);
		} else {
			usleep_range(100, 200);
		}
		cond_resched();
	}
	return 0;
}

static enum hrtimer_restart take_timer(struct hrtimer *timer)
{
	const bool more = atomic_dec_if_positive(&flood.left) >= 0;

	count_interrupt();
	if (more && num_online_cpus() == 1)
		send_both();
	hrtimer_forward_now(timer, ns_to_ktime(more ? TIMER_SOON : TIMER_LATER));
	return HRTIMER_RESTART;
}

/* No other instructions are between those that change `working` and the VTL call. */
static u64 ask_vtl1(void)
{
	register u64 r8 asm("r8") = virt_to_phys(flood.buffer);
	register u64 r9 asm("r9") = SIZE;
	register u64 r10 asm("r10") = virt_to_phys(flood.buffer + DIGEST_AT);
	register u64 r11 asm("r11") = 0;
	u64 control = 0;

	asm volatile("movb $1, %[working]\n\t" CALL_NOSPEC "\n\tmovb $0, %[working]"
		     : "+c"(control), "+r"(r8), "+r"(r9), "+r"(r10),
		       "+r"(r11), [working] "+m"(flood.working), ASM_CALL_CONSTRAINT
		     : "b"((u64)SECURE_KERNEL_MEASURE), THUNK_TARGET(flood.call_stub)
		     : "rax", "memory", "cc");
	return r8;
}

/* Runs all requests on the victim's CPU. Returns the number completed with the right digest. */
static long work(void *unused)
{
	const unsigned long end = jiffies + SECONDS_MAX * HZ;
	u8 wanted[SHA256_DIGEST_SIZE], *digest = flood.buffer + DIGEST_AT;
	unsigned int done = 0;

	hrtimer_init(&flood.timer, CLOCK_MONOTONIC, HRTIMER_MODE_REL_PINNED_HARD);
	flood.timer.function = take_timer;
	sha256(flood.buffer, SIZE, wanted);
	for (unsigned int i = 0; i < REQUESTS && time_before(jiffies, end); i++) {
		u64 status = SECURE_KERNEL_OK;

		memset(digest, 0, sizeof(wanted));
		atomic_set(&flood.left, INTERRUPTS);
		hrtimer_start(&flood.timer, ns_to_ktime(TIMER_SOON), HRTIMER_MODE_REL_PINNED_HARD);
		if (flood.owned) {
			status = ask_vtl1();
		} else {
			WRITE_ONCE(flood.working, true);
			sha256(flood.buffer, SIZE, digest);
			WRITE_ONCE(flood.working, false);
		}
		done += status == SECURE_KERNEL_OK && !memcmp(digest, wanted, sizeof(wanted));
		cond_resched();
	}
	hrtimer_cancel(&flood.timer);
	return done;
}

/* Starts the sender of IPIs on another CPU. With only one CPU the timer's handler sends them. */
static struct task_struct *start_sender(void)
{
	const int cpu = cpumask_any_but(cpu_online_mask, flood.victim);
	struct task_struct *task;

	if (cpu >= nr_cpu_ids)
		return NULL;
	task = kthread_create_on_cpu(send_floods, NULL, cpu, "vsm-flood/%u");
	if (IS_ERR(task))
		return NULL;
	get_task_struct(task);
	wake_up_process(task);
	return task;
}

bool attack_flood(struct attack_report *report)
{
	struct task_struct *sender;
	long done;
	u64 begin;

	flood.owned = attack_vtl1_owned();
	flood.call_stub = attack_vtl_call_stub();
	flood.victim = cpumask_first(cpu_online_mask);
	flood.buffer = (u8 *)__get_free_pages(GFP_KERNEL | __GFP_ZERO, BUFFER_ORDER);
	flood.input = (u64 *)get_zeroed_page(GFP_KERNEL);
	if (!flood.buffer || !flood.input) {
		attack_report(report, "no memory for the buffers");
		done = REQUESTS;
		goto out;
	}
	INIT_CSD(&flood.ipi, take_ipi, NULL);
	sender = start_sender();
	begin = ktime_get_ns();
	done = work_on_cpu(flood.victim, work, NULL);
	begin = ktime_get_ns() - begin;
	if (sender) {
		kthread_stop(sender);
		put_task_struct(sender);
	}
	/* The last IPIs may still be pending. */
	while (flood.ipi.node.u_flags & CSD_FLAG_LOCK)
		msleep(1);
	attack_report(report,
		      "%ld of %u requests done in %llu ms, %d interrupts, %d inside; %d IPIs sent, "
		      "%d IPIs accepted for VTL1",
		      done, REQUESTS, begin / NSEC_PER_MSEC, atomic_read(&flood.taken),
		      atomic_read(&flood.inside), atomic_read(&flood.sent),
		      atomic_read(&flood.accepted_by_vtl1));
out:
	free_pages((unsigned long)flood.buffer, BUFFER_ORDER);
	free_page((unsigned long)flood.input);
	return atomic_read(&flood.inside) || atomic_read(&flood.accepted_by_vtl1) ||
	       done != REQUESTS;
}
