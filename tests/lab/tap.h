/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * TAP on stdout, for programs of tests/rig that do not use cmocka. From one thread at a time; a line is
 * written when the call returns.
 */
#ifndef TAP_H
#define TAP_H

#include <stdbool.h>

/* Before the first case: another number of cases than this is a failure. */
void checks_plan(int cases);
/* A case with its name; returns @ok. errno is unchanged. */
bool check(bool ok, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* A case that cannot be tested here. */
void check_skipped(const char *name, const char *why);
/* Writes the plan if checks_plan() has not, and returns the program's status: 0, or 1 if a case
 * failed. */
int checks_end(void);

struct vsm_log_record;
/* A vsm_log.fn that writes TAP comments. Defined in tap_log.c, since it needs libvsm. */
void tap_log(void *opaque, const struct vsm_log_record *record);

#endif
