/* SPDX-License-Identifier: BSD-2-Clause */
/* The processors: starting them, and running a function on one of them. */
#ifndef KIT_SMP_H
#define KIT_SMP_H

/* Below 1 MiB and page aligned: the SIPI vector is its page number. */
#define TRAMPOLINE 0x8000

#ifndef __ASSEMBLER__
#include <stdbool.h>
#include <stdint.h>

#include "kit/cpu.h"

extern uint32_t smp_count; /* processors that run, the boot processor included */
extern uint32_t smp_apic_id[CPU_MAX];

/* Starts all others, by INIT and SIPI; says how many run. */
void smp_start(void);

/* Where the others wait for work, in VTL0; never returns. */
void smp_idle(void);

/*
 * Has VP @vp run @work in VTL0. smp_begin() returns at once, smp_end() waits for it; a VP does one
 * thing at a time. smp_run() is both, also for the own VP. VTL0 only.
 */
typedef void smp_work(void *argument);
void smp_begin(uint32_t vp, smp_work *work, void *argument);
void smp_end(uint32_t vp);
bool smp_busy(uint32_t vp);
void smp_run(uint32_t vp, smp_work *work, void *argument);

/* On all VPs at once; returns when all are done. */
void smp_run_all(smp_work *work, void *argument);
#endif

#endif
