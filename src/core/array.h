/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef CORE_ARRAY_H
#define CORE_ARRAY_H

#define ARRAY_SIZE(array) (sizeof(array) / sizeof((array)[0]))

#endif
