/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef VMM_ARRAY_H
#define VMM_ARRAY_H

#define ARRAY_SIZE(array) (sizeof(array) / sizeof((array)[0]))

#endif
