/* SPDX-License-Identifier: BSD-2-Clause */
/* The saved state of a device: a table of the fields that change, in the device's source file. */
#ifndef VMM_DEVICE_SAVED_H
#define VMM_DEVICE_SAVED_H

#include <stddef.h>
#include <stdint.h>

#include "array.h"

/*
 * A number, or an array of numbers. A change of rows, their order or sizes needs a new
 * VMM_SAVED_VERSION.
 */
struct vmm_field {
	const char *name;
	size_t offset;
	uint32_t size; /* of an element: 1, 2, 4 or 8 */
	uint32_t count;
	uint64_t max; /* the largest legal value */
};

struct vmm_fields {
	const struct vmm_field *field;
	size_t count;
	/* Returns a field that contradicts the others, or NULL. The pointer may be NULL. */
	const char *(*wrong)(const void *device);
};

#define VMM_FIELD(device, member, largest)                                                         \
	{                                                                                          \
#member, offsetof(struct device, member), sizeof(((struct device *)0)->member), 1, \
			largest                                                                    \
	}
#define VMM_FIELD_ARRAY(device, member)                                                            \
	{                                                                                          \
#member, offsetof(struct device, member), sizeof(((struct device *)0)->member[0]), \
			ARRAY_SIZE(((struct device *)0)->member), UINT64_MAX                       \
	}

#endif
