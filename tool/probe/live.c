/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Items that are self-tests.
 *
 * A limit of time says nothing of a kernel while the host is busy, and inside a virtual machine no clock shows that it is.
 * So a test whose time is up is judged by another one, run at once, that needs nothing but time: selftest_control().
 */
#include "probe.h"
#include "selftest.h"

/* Each try but the first after a slow control has twice the time of the one before. */
#define TRIES 3u
/* On an idle host the control takes less than this part of the limit, by far. */
#define SPARE 50u
/* So many tries have to time out beside a quick control before it is a finding. */
#define ENOUGH 2u

static bool host_has_time(struct probe *probe, unsigned int timeout_ms)
{
	static const struct probe_item control = {.id = "control", .selftest = selftest_control};
	struct selftest_result result = {.outcome = SELFTEST_DIED};

	probe->env->selftest(probe->env, &control, timeout_ms, &result);
	return result.outcome == SELFTEST_PASS && result.elapsed_ms <= timeout_ms / SPARE;
}

/* False: the host was too busy, and nothing is known. */
static bool run_test(struct probe *probe, const struct probe_item *item,
		     struct selftest_result *result)
{
	unsigned int timeout_ms = probe->timeout_ms, hung = 0;

	for (unsigned int i = 0; i < TRIES; i++) {
		*result = (struct selftest_result){.outcome = SELFTEST_DIED};
		probe->env->selftest(probe->env, item, timeout_ms, result);
		if (!selftest_timed_out(result))
			return true;
		if (!host_has_time(probe, timeout_ms))
			timeout_ms *= 2;
		else if (++hung == ENOUGH || result->stuck)
			return true;
		if (result->stuck)
			return false; /* each try would leave another one */
	}
	return false;
}

void check_live(struct probe *probe, struct probe_finding *finding)
{
	struct selftest_result result;
	bool known;

	if (!probe->live) {
		probe_found(finding, PROBE_SKIPPED, "not run");
		return;
	}
	known = run_test(probe, finding->item, &result);
	result.text[sizeof(result.text) - 1] = 0;
	if (!known) {
		probe_found(finding, PROBE_BUSY,
			    "not known: the host is too busy (%s); run the probe again later",
			    result.text);
		return;
	}
	probe_found(finding, result.outcome == SELFTEST_PASS ? PROBE_OK : PROBE_MISSING, "%s",
		    result.text);
	probe_value(finding, result.outcome);
}
