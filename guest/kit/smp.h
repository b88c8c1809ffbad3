/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef KIT_SMP_H
#define KIT_SMP_H

/* Below 1 MiB and page-aligned, since the SIPI vector is the page number. */
#define TRAMPOLINE 0x8000

#ifndef __ASSEMBLER__
#include <stdbool.h>
#include <stdint.h>

#include "kit/cpu.h"

extern uint32_t smp_count; /* running processors, including the boot processor */
extern uint32_t smp_apic_id[CPU_MAX];

/* Starts the other processors by INIT and SIPI, and sets smp_count and smp_apic_id. */
void smp_start(void);

/* Loop of the application processors in VTL0; does not return. */
void smp_idle(void);

/*
 * Run @work on VP @vp in VTL0; call them in VTL0. smp_begin() waits only for an earlier function of
 * that VP, smp_end() until @work returns, for up to a minute. smp_run() does both, also for the
 * calling VP.
 */
typedef void smp_work(void *argument);
void smp_begin(uint32_t vp, smp_work *work, void *argument);
void smp_end(uint32_t vp);
bool smp_busy(uint32_t vp);
void smp_run(uint32_t vp, smp_work *work, void *argument);

/* Runs @work on all VPs at the same time; returns when all are done. Call it on VP 0. */
void smp_run_all(smp_work *work, void *argument);
#endif

#endif
