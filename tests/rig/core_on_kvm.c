/* SPDX-License-Identifier: BSD-2-Clause */
/* Replaces cmocka's runner in the core tests: skips tests that need capabilities (tests/unit/needs.h) which
 * this CPU or KVM lacks. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/utsname.h>

#include <cmocka.h>

#include "core/core.h"
#include "core/partition.h"
#include "needs.h"
#include "sim_on_kvm.h"

static bool denies_execute(void)
{
	struct vsm_config config;
	struct vsm_partition *partition;
	bool denies;

	vsm_config_init(&config);
	if (partition_create(&config, &sim_ops, NULL, &partition))
		return false;
	denies = partition->features.protect & GPA_EXECUTE;
	vsm_partition_destroy(partition);
	return denies;
}

static bool sets_cpuid(void)
{
	return sim_ops.vp_set_cpuid;
}

/* Since Linux 6.13 KVM checks addresses by the CPU's features, not by CR4.LA57. */
static bool takes_la57_address(void)
{
	struct utsname kernel;
	unsigned int major = 0, minor = 0;

	uname(&kernel);
	return sscanf(kernel.release, "%u.%u", &major, &minor) == 2 &&
	       (major > 6 || (major == 6 && minor >= 13));
}

static const struct {
	bool (*has)(void); /* NULL: not available on any CPU */
	const char *reason;
} capabilities[NEED_COUNT] = {
	[NEED_SIM] = {NULL, "the test reads structures of the sim backend"},
	[NEED_SIM_CPU] = {NULL, "the test uses values that are not those of this CPU"},
	[NEED_SIM_CLOCK] = {NULL, "the TSC of a CPU cannot be stopped"},
	[NEED_DENY_EXECUTE] = {denies_execute, "this host cannot deny execution alone"},
	[NEED_EXECUTE_VIEW] = {NULL, "sim_access() does not test execution"},
	[NEED_SET_CPUID] = {sets_cpuid, "kvm_cpuid.c tests it, with leaves that this CPU has"},
	[NEED_CONTROL_BITS] = {NULL, "kvm_attr.c tests it, with bits that this CPU has"},
	[NEED_TABLE_LOAD] =
		{NULL, "the KVM backend of the tests has no action that loads a descriptor table"},
	[NEED_NO_TABLES] = {NULL, "a CPU executes nothing without RAM, page tables and an IDT"},
	[NEED_FREE_REGISTERS] = {NULL, "the instruction needs the registers that the test sets"},
	[NEED_CLEAR_AD_BITS] = {NULL, "the CPU sets these bits, too"},
	[NEED_ANY_PORT] = {NULL, "port 0x7e is used by the hypercall page"},
	[NEED_ANY_VECTOR] = {NULL, "on a CPU a vector below 32 is an exception"},
	[NEED_CPL3_HYPERCALL] = {NULL,
				 "the CPU raises #GP for the hypercall page's OUT above CPL 0"},
	[NEED_LA57_ADDRESS] = {takes_la57_address,
			       "KVM before Linux 6.13 refuses 57-bit addresses in 4-level mode"},
	[NEED_2048_VPS] = {NULL, "2,048 VPs are 4,096 vCPUs, which need more memory"},
	[NEED_DISABLE] = {NULL, "kvm_life.c tests it, without the registers of a disabled VP"},
	[NEED_MANY_RESTORES] = {NULL, "on a software CPU all offsets take minutes"},
	[NEED_MANY_PAGES] = {NULL, "65,536 single page changes take too long"},
};

static const char *reason_of(const struct CMUnitTest *test)
{
	const uintptr_t need = (uintptr_t)test->initial_state;

	if (!need || (capabilities[need].has && capabilities[need].has()))
		return NULL;
	return capabilities[need].reason;
}

int __real__cmocka_run_group_tests(const char *name, const struct CMUnitTest *tests, size_t count,
				   CMFixtureFunction setup, CMFixtureFunction teardown);
int __wrap__cmocka_run_group_tests(const char *name, const struct CMUnitTest *tests, size_t count,
				   CMFixtureFunction setup, CMFixtureFunction teardown);

/* The plan also counts the skipped tests. */
int __wrap__cmocka_run_group_tests(const char *name, const struct CMUnitTest *tests, size_t count,
				   CMFixtureFunction setup, CMFixtureFunction teardown)
{
	struct CMUnitTest *run = calloc(count, sizeof(*run));
	const char **reason = calloc(count, sizeof(*reason));
	size_t running = 0;
	size_t number;
	int failed = 0;

	REQUIRE(run && reason);
	for (size_t i = 0; i < count; i++) {
		reason[i] = reason_of(&tests[i]);
		if (!reason[i])
			run[running++] = tests[i];
	}
	if (running)
		failed = __real__cmocka_run_group_tests(name, run, running, setup, teardown);
	number = running;
	fflush(stdout);
	for (size_t i = 0; i < count; i++)
		if (reason[i])
			printf("ok %zu - %s # SKIP %s\n", ++number, tests[i].name, reason[i]);
	printf("1..%zu\n", number);
	free(reason);
	free(run);
	return failed;
}
