/* SPDX-License-Identifier: BSD-2-Clause */
/* cmocka, and the headers that it requires before its own. */
#ifndef UNIT_TEST_H
#define UNIT_TEST_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#endif
