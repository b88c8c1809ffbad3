/* SPDX-License-Identifier: BSD-2-Clause */
/* Items that are self-tests. */
#include "probe.h"
#include "selftest.h"

void check_live(struct probe *probe, struct probe_finding *finding)
{
	struct selftest_result result = {.outcome = SELFTEST_DIED};

	if (!probe->live) {
		probe_found(finding, PROBE_SKIPPED, "not run");
		return;
	}
	probe->env->selftest(probe->env, finding->item, probe->timeout_ms, &result);
	result.text[sizeof(result.text) - 1] = 0;
	probe_found(finding, result.outcome == SELFTEST_PASS ? PROBE_OK : PROBE_MISSING, "%s",
		    result.text);
	probe_value(finding, result.outcome);
}
