/* SPDX-License-Identifier: BSD-2-Clause */
/* Command lookup of `vsm`, and its JSON output. */
#include <stdlib.h>
#include <string.h>

#include "unit_test.h"
#include "../../tool/command.h"
#include "../../vmm/config/closest.h"
#include "../../tool/json.h"

static const char *const names[] = {"probe", "help", "version", "report", "run"};

static const char *closest(const char *typed)
{
	return closest_name(typed, names, sizeof(names) / sizeof(names[0]));
}

static void a_mistyped_command_gets_the_closest_one_as_suggestion(void **state)
{
	assert_string_equal(closest("porbe"), "probe");
	assert_string_equal(closest("prob"), "probe");
	assert_string_equal(closest("probee"), "probe");
	assert_string_equal(closest("hepl"), "help");
	assert_string_equal(closest("verison"), "version");
	assert_string_equal(closest("ver"), "version");
	assert_string_equal(closest("reprot"), "report");
	assert_string_equal(closest("rnu"), "run");
}

static void an_unrelated_word_gets_no_suggestion(void **state)
{
	assert_null(closest("install"));
	assert_null(closest(""));
	assert_null(closest("x"));
	assert_null(closest("a-word-that-is-much-longer-than-any-command-can-be"));
}

static void every_command_is_complete_and_found_by_its_name(void **state)
{
	assert_true(command_count >= 3);
	for (size_t i = 0; i < command_count; i++) {
		const struct command *command = commands[i];

		assert_ptr_equal(command_find(command->name), command);
		assert_non_null(command->run);
		assert_true(strncmp(command->help, "usage: vsm ", 11) == 0);
		assert_int_equal(command->help[strlen(command->help) - 1], '\n');
		assert_true(strlen(command->summary) <= 66); /* one line of the overview */
	}
	assert_null(command_find("nonesuch"));
	assert_null(command_find(""));
}

static void json_is_nested_and_escaped(void **state)
{
	char *text = NULL;
	size_t size = 0;
	struct json json = {.out = open_memstream(&text, &size)};

	assert_non_null(json.out);
	json_open(&json, NULL, '{');
	json_put_string(&json, "a\"b", "c\\\n\x01\x7f\xc3");
	json_open(&json, "list", '[');
	json_put_integer(&json, NULL, INT64_MIN);
	json_put_boolean(&json, NULL, true);
	json_put_null(&json, NULL);
	json_close(&json, ']');
	json_open(&json, "empty", '{');
	json_close(&json, '}');
	json_put_string(&json, "none", NULL);
	json_close(&json, '}');
	fclose(json.out);
	assert_string_equal(text, "{\n"
				  "  \"a\\\"b\": \"c\\\\\\u000a\\u0001\\u007f\\ufffd\",\n"
				  "  \"list\": [\n"
				  "    -9223372036854775808,\n"
				  "    true,\n"
				  "    null\n"
				  "  ],\n"
				  "  \"empty\": {},\n"
				  "  \"none\": null\n"
				  "}\n");
	free(text);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_mistyped_command_gets_the_closest_one_as_suggestion),
		cmocka_unit_test(an_unrelated_word_gets_no_suggestion),
		cmocka_unit_test(every_command_is_complete_and_found_by_its_name),
		cmocka_unit_test(json_is_nested_and_escaped),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
