/* SPDX-License-Identifier: BSD-2-Clause */
/* TAP on stdout, for programs without cmocka. One thread at a time may call these functions. */
#ifndef TAP_H
#define TAP_H

#include <stdbool.h>
#include <stddef.h>

/* Sets the plan before the first case: another number of cases is then a failure. */
void checks_plan(int cases);
/* Prints the result of a case; returns @ok. errno is unchanged. */
bool check(bool ok, const char *format, ...) __attribute__((format(printf, 2, 3)));
void check_skipped(const char *name, const char *why);
struct tap_case {
	const char *what;
	bool (*run)(void);
};

/* Runs the cases. Returns the program's status. */
int check_cases(const struct tap_case *cases, size_t count);
/* Writes the plan if checks_plan() has not. Returns the program's status. */
int checks_end(void);

struct vsm_log_record;
/* A vsm_log.fn that writes TAP comments. Defined in tap_log.c, since it needs libvsm. */
void tap_log(void *opaque, const struct vsm_log_record *record);

#endif
