/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Self-tests.
 *
 * A time-out may be due to a busy host, and in a virtual machine no clock shows that. So after each
 * time-out selftest_control(), which needs only time, decides whether the result counts.
 */
#include "probe.h"
#include "selftest.h"

/* After a slow control the next try has twice the time. */
#define TRIES 3u
/* On an idle host the control takes far less than 1/SPARE of the limit. */
#define SPARE 50u
/* This many time-outs with a quick control are a result. */
#define ENOUGH 2u

static bool host_has_time(struct probe *probe, unsigned int timeout_ms)
{
	static const struct probe_item control = {.id = "control", .selftest = selftest_control};
	struct selftest_result result = {.outcome = SELFTEST_DIED};

	probe->env->selftest(probe->env, &control, timeout_ms, &result);
	return result.outcome == SELFTEST_PASS && result.elapsed_ms <= timeout_ms / SPARE;
}

/* Returns false if the host was too busy for a result. */
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
			return false; /* each try would leave another stuck process */
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
