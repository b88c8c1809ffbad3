/* SPDX-License-Identifier: BSD-2-Clause */
/* Lists of a VP's registers for display, and descriptions of its state. */
#ifndef VMM_GUEST_REGISTERS_H
#define VMM_GUEST_REGISTERS_H

#include <stdbool.h>
#include <stddef.h>
#include <vsm/hv/hv.h>
#include <vsm/vsm.h>

#define VMM_REGISTERS_MAX 32u

struct vmm_register {
	uint32_t name;
	const char *label;
};

struct vmm_register_list {
	const struct vmm_register *entry;
	size_t count;
};

extern const struct vmm_register_list vmm_numbers;  /* values in reg64 */
extern const struct vmm_register_list vmm_segments; /* values in segment */
extern const struct vmm_register_list vmm_tables;   /* values in table */
extern const struct vmm_register_list vmm_synic;    /* values in reg64 */
extern const struct vmm_register_list vmm_vsm;	    /* of VP 0, for the partition; in reg64 */

/* False: the library refused a register, with a line in the log. */
bool vmm_read_registers(struct vsm_vp *vp, uint8_t vtl, const struct vmm_register_list *list,
			union hv_register_value value[VMM_REGISTERS_MAX]);
/* Returns bits 63:0, or 0 if refused. */
uint64_t vmm_read_register(struct vsm_vp *vp, uint8_t vtl, uint32_t name);

struct vmm_vtls {
	uint8_t active;
	uint16_t enabled;
};
struct vmm_vtls vmm_read_vtls(struct vsm_vp *vp);

/* Texts such as "64-bit mode" and "halted". */
const char *vmm_mode(struct vsm_vp *vp, uint8_t vtl);
const char *vmm_activity(struct vsm_vp *vp, uint8_t vtl);

#endif
