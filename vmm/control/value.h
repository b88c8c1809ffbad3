/* SPDX-License-Identifier: BSD-2-Clause */
/* Values that clients of the control socket read. */
#ifndef VMM_CONTROL_VALUE_H
#define VMM_CONTROL_VALUE_H

#include "control/answer.h"

struct vmm_guest;

/* Which value is read. */
struct vmm_value_query {
	struct vmm_guest *guest;
	uint32_t vp;
	uint8_t vtl;
	uint64_t from; /* first element of a long list */
};

/* NULL: refused. */
typedef json_t *vmm_value_fn(const struct vmm_value_query *query, struct vmm_refused *refused);

/* The value at @path of the tree, with the names below it. NULL: refused. */
json_t *vmm_tree_value(struct vmm_guest *guest, const char *path, uint64_t from,
		       struct vmm_refused *refused);

vmm_value_fn vmm_value_machine, vmm_value_counters, vmm_value_partition, vmm_value_memory,
	vmm_value_protection;
vmm_value_fn vmm_value_vp, vmm_value_vtl, vmm_value_registers, vmm_value_synic, vmm_value_lapic;
vmm_value_fn vmm_value_serial, vmm_value_cmos, vmm_value_pci, vmm_value_ioapic, vmm_value_testdev;

#endif
