/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What a core test needs of the backend that executes it. The sim backend has all of it; tests/rig/core_on_kvm.c
 * checks a CPU and its KVM for it, and skips a test that needs more.
 */
#ifndef TEST_NEEDS_H
#define TEST_NEEDS_H

#include <stdint.h>

enum test_need {
	NEED_NOTHING,
	NEED_SIM,	     /* the test reads structures of the sim backend */
	NEED_SIM_CPU,	     /* the CPU has the features and CPUID leaves of the sim backend */
	NEED_SIM_CLOCK,	     /* RDTSC returns the clock that the test sets */
	NEED_DENY_EXECUTE,   /* execution is denied while reading is permitted */
	NEED_EXECUTE_VIEW,   /* sim_access() returns the rights to execute, too */
	NEED_SET_CPUID,	     /* the VMM chooses CPUID */
	NEED_CONTROL_BITS,   /* the guest writes any bit of CR0 and CR4 */
	NEED_TABLE_LOAD,     /* SIM_LOAD_TABLE */
	NEED_NO_TABLES,	     /* an action needs no RAM, no page tables and no IDT */
	NEED_FREE_REGISTERS, /* an action uses no general registers */
	NEED_CLEAR_AD_BITS,  /* page walks of the guest leave accessed and dirty bits */
	NEED_ANY_PORT,	     /* ports include that of the hypercall page */
	NEED_ANY_VECTOR,     /* interrupts have vectors below 32, too */
	NEED_CPL3_HYPERCALL, /* a hypercall above CPL 0 exits */
	NEED_LA57_ADDRESS,   /* registers take a 57-bit address in 4-level mode */
	NEED_2048_VPS,	     /* memory and time for so many */
	NEED_MANY_PAGES,     /* 65,536 changes of protections in seconds */
	NEED_COUNT,
};

/* A row for cmocka's list of tests; the second in a file whose tests have setup() and teardown(). */
#define unit_test_needs(need, test) cmocka_unit_test_prestate(test, (void *)(uintptr_t)(need))
#define TEST_NEEDS(need, test) \
	cmocka_unit_test_prestate_setup_teardown(test, setup, teardown, (void *)(uintptr_t)(need))

#endif
