/* SPDX-License-Identifier: BSD-2-Clause */
#include "tap.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>

static int planned;
static int number;
static int failures;

void checks_plan(int cases)
{
	planned = cases;
	printf("1..%d\n", cases);
	fflush(stdout);
}

bool check(bool ok, const char *format, ...)
{
	const int error = errno;
	va_list arguments;

	printf("%sok %d - ", ok ? "" : "not ", ++number);
	va_start(arguments, format);
	vprintf(format, arguments);
	va_end(arguments);
	printf("\n");
	fflush(stdout);
	failures += !ok;
	errno = error;
	return ok;
}

void check_skipped(const char *name, const char *why)
{
	check(true, "%s # SKIP %s", name, why);
}

int checks_end(void)
{
	if (!planned)
		printf("1..%d\n", number);
	fflush(stdout);
	return failures || (planned && number != planned);
}

int check_cases(const struct tap_case *cases, size_t count)
{
	for (size_t i = 0; i < count; i++)
		check(cases[i].run(), "%s", cases[i].what);
	return checks_end();
}
