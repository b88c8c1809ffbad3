/* SPDX-License-Identifier: BSD-2-Clause */
#include "kit/smp.h"

#include "kit/acpi.h"
#include "kit/apic.h"
#include "kit/console.h"
#include "kit/memory.h"
#include "kit/options.h"
#include "kit/time.h"
#include "kit/x64.h"

#define WAKE_VECTOR	0xf0
#define START_MS	3000
#define BOOT_STACK_SIZE 4096

struct mailbox {
	smp_work *work;
	void *argument;
	uint32_t busy;
};

uint32_t smp_count = 1;
uint32_t smp_apic_id[CPU_MAX];
static struct mailbox mailbox[CPU_MAX];
static uint32_t started; /* one bit for each VP */

extern const uint8_t trampoline_begin[], trampoline_end[], trampoline_words[];

static uint32_t find_processors(void)
{
	uint32_t found[CPU_MAX];
	uint32_t count = acpi_processors(found, CPU_MAX);
	const uint32_t wanted = (uint32_t)option_number("cpus", count ? count : 1);
	const uint32_t self = apic_id();
	uint32_t used = 1;

	/* The boot processor, then the others in MADT order. Without a MADT: APIC IDs 0, 1, 2 ... */
	smp_apic_id[0] = self;
	if (!count)
		for (count = 0; count < CPU_MAX; count++)
			found[count] = count;
	for (uint32_t i = 0; i < count && used < wanted && used < CPU_MAX; i++)
		if (found[i] != self)
			smp_apic_id[used++] = found[i];
	return used;
}

static bool start(uint32_t vp)
{
	uint32_t *word = (uint32_t *)(TRAMPOLINE + (trampoline_words - trampoline_begin));

	word[0] = (uint32_t)read_cr3();
	word[1] = (uint32_t)(uintptr_t)memory_pages(1) + BOOT_STACK_SIZE;
	word[2] = vp;
	apic_send(smp_apic_id[vp], APIC_INIT);
	time_delay_ms(1);
	apic_send(smp_apic_id[vp], APIC_STARTUP | TRAMPOLINE >> 12);
	if (!wait_for_ms(__atomic_load_n(&started, __ATOMIC_ACQUIRE) >> vp & 1, 50))
		apic_send(smp_apic_id[vp], APIC_STARTUP | TRAMPOLINE >> 12);
	return wait_for_ms(__atomic_load_n(&started, __ATOMIC_ACQUIRE) >> vp & 1, START_MS);
}

void smp_start(void)
{
	const uint32_t count = find_processors();

	memcpy((void *)TRAMPOLINE, trampoline_begin, (size_t)(trampoline_end - trampoline_begin));
	for (uint32_t vp = 1; vp < count; vp++) {
		cpu_prepare(vp, 0);
		if (!start(vp)) {
			print("# the processor with APIC id %u does not start\n", smp_apic_id[vp]);
			break;
		}
		smp_count = vp + 1;
	}
}

void smp_idle(void)
{
	const uint32_t vp = cpu_current()->vp;
	struct mailbox *box = &mailbox[vp];

	apic_enable();
	__atomic_fetch_or(&started, 1u << vp, __ATOMIC_RELEASE);
	for (;;) {
		interrupts_off();
		if (!__atomic_load_n(&box->busy, __ATOMIC_ACQUIRE)) {
			interrupts_wait();
			continue;
		}
		box->work(box->argument);
		__atomic_store_n(&box->busy, 0, __ATOMIC_RELEASE);
	}
}

bool smp_busy(uint32_t vp)
{
	return __atomic_load_n(&mailbox[vp].busy, __ATOMIC_ACQUIRE);
}

void smp_begin(uint32_t vp, smp_work *work, void *argument)
{
	struct mailbox *box = &mailbox[vp];

	smp_end(vp);
	box->work = work;
	box->argument = argument;
	__atomic_store_n(&box->busy, 1, __ATOMIC_RELEASE);
	apic_send(smp_apic_id[vp], APIC_FIXED | WAKE_VECTOR);
}

void smp_end(uint32_t vp)
{
	if (!wait_for_ms(!smp_busy(vp), 12ull * TIME_LIMIT_MS))
		machine_crash("VP%u does not come back", vp);
}

void smp_run(uint32_t vp, smp_work *work, void *argument)
{
	if (vp == cpu_current()->vp) {
		work(argument);
		return;
	}
	smp_begin(vp, work, argument);
	smp_end(vp);
}

void smp_run_all(smp_work *work, void *argument)
{
	for (uint32_t vp = 1; vp < smp_count; vp++)
		smp_begin(vp, work, argument);
	work(argument);
	for (uint32_t vp = 1; vp < smp_count; vp++)
		smp_end(vp);
}
