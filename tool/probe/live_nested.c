/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The self-test of engine nested, which the library runs whenever a partition with this engine is
 * made.
 */
#include <stdio.h>
#include <string.h>

#include <vsm/vsm.h>

#include "selftest.h"

struct last_error {
	char text[sizeof(((struct selftest_result *)0)->text)];
};

/* Later errors are consequences of the first. */
static void keep_error(void *opaque, const struct vsm_log_record *record)
{
	struct last_error *error = opaque;

	if (record->level == VSM_LOG_ERROR && !error->text[0])
		snprintf(error->text, sizeof(error->text), "%s", record->text);
}

void selftest_nested(struct selftest *test)
{
	struct last_error error = {0};
	const struct vsm_log log = {.fn = keep_error, .opaque = &error, .max_level = VSM_LOG_ERROR};
	struct vsm_partition *partition = NULL;
	struct vsm_config config;
	int result;

	vsm_config_init(&config);
	config.engine = VSM_ENGINE_NESTED;
	config.log = log;
	result = vsm_partition_create(&config, &partition);
	if (result) {
		selftest_fail(test, "%s", error.text[0] ? error.text : strerror(-result));
		return;
	}
	vsm_partition_destroy(partition);
	selftest_pass(
		test,
		"stores, accesses and execution denied by page, by large page, in a part of a "
		"large page and joined again; EFER exits");
}
