/* SPDX-License-Identifier: BSD-2-Clause */
/* Capabilities that a test of the core requires of its backend. The sim backend has all; on KVM,
 * tests/rig/core_on_kvm.c skips a test if one is absent. */
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
	NEED_NO_TABLES,	     /* an action works without RAM, page tables and IDT */
	NEED_FREE_REGISTERS, /* an action uses no general registers */
	NEED_CLEAR_AD_BITS,  /* page walks of the guest leave accessed and dirty bits */
	NEED_ANY_PORT,	     /* the guest may use the port of the hypercall page, too */
	NEED_ANY_VECTOR,     /* interrupts have vectors below 32, too */
	NEED_CPL3_HYPERCALL, /* a hypercall above CPL 0 exits */
	NEED_LA57_ADDRESS,   /* registers accept a 57-bit address in 4-level mode */
	NEED_2048_VPS,	     /* enough memory and time for 2,048 VPs */
	NEED_MANY_PAGES,     /* 65,536 changes of protections in seconds */
	NEED_MANY_RESTORES,  /* tens of thousands of refused restores in seconds */
	NEED_DISABLE,	     /* the backend can be disabled */
	NEED_COUNT,
};

/* Rows for cmocka's list of tests; TEST_NEEDS() is for a file with setup() and teardown(). */
#define unit_test_needs(need, test) cmocka_unit_test_prestate(test, (void *)(uintptr_t)(need))
#define TEST_NEEDS(need, test) \
	cmocka_unit_test_prestate_setup_teardown(test, setup, teardown, (void *)(uintptr_t)(need))

#endif
