/* SPDX-License-Identifier: BSD-2-Clause */
#include <errno.h>
#include <string.h>
#include <vsm/log.h>

#include "unit_test.h"

struct seen {
	int count;
	int line;
	int error;
	char text[600];
};

static void keep(void *opaque, const struct vsm_log_record *record)
{
	struct seen *seen = opaque;

	seen->count++;
	seen->line = record->line;
	seen->error = record->error;
	strncpy(seen->text, record->text, sizeof(seen->text) - 1);
}

static void an_error_is_returned_and_logged_once(void **state)
{
	struct seen seen = {0};
	struct vsm_log log = {keep, &seen, VSM_LOG_DEBUG};
	int error, line;

	line = __LINE__ + 1;
	error = vsm_error(&log, EINVAL, "vtl %d", 7);
	assert_int_equal(error, -EINVAL);
	assert_int_equal(seen.count, 1);
	assert_int_equal(seen.line, line);
	assert_int_equal(seen.error, EINVAL);
	assert_string_equal(seen.text, "vtl 7");
}

static void levels_above_the_maximum_are_dropped(void **state)
{
	struct seen seen = {0};
	struct vsm_log log = {keep, &seen, VSM_LOG_WARN};

	vsm_log(&log, VSM_LOG_INFO, "no");
	assert_int_equal(seen.count, 0);
	vsm_log(&log, VSM_LOG_WARN, "yes");
	assert_int_equal(seen.count, 1);
}

static void a_log_without_a_function_is_valid(void **state)
{
	struct vsm_log mute = {NULL, NULL, VSM_LOG_DEBUG};

	assert_int_equal(vsm_error(NULL, ENOMEM, "x"), -ENOMEM);
	assert_int_equal(vsm_error(&mute, ENOMEM, "x"), -ENOMEM);
}

static void a_long_message_is_truncated(void **state)
{
	struct seen seen = {0};
	struct vsm_log log = {keep, &seen, VSM_LOG_DEBUG};
	char longer[2000];

	memset(longer, 'a', sizeof(longer));
	longer[sizeof(longer) - 1] = 0;
	vsm_log(&log, VSM_LOG_ERROR, "%s", longer);
	assert_int_equal(strlen(seen.text), 511);
}

static void error_and_debug_have_names_and_an_unknown_level_has_none(void **state)
{
	assert_string_equal(vsm_log_level_name(VSM_LOG_ERROR), "error");
	assert_string_equal(vsm_log_level_name(VSM_LOG_DEBUG), "debug");
	assert_string_equal(vsm_log_level_name((enum vsm_log_level)99), "?");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_error_is_returned_and_logged_once),
		cmocka_unit_test(levels_above_the_maximum_are_dropped),
		cmocka_unit_test(a_log_without_a_function_is_valid),
		cmocka_unit_test(a_long_message_is_truncated),
		cmocka_unit_test(error_and_debug_have_names_and_an_unknown_level_has_none),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
