/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Any values for any registers of VTL0, set by VTL1. An input is 18 bytes for each register: its
 * row in the table, its index in the row, its value.
 */
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "core/registers/table.h"
#include "core/x64.h"
#include "sim/sim_guest.h"

#define REQUIRE(condition)                \
	do {                              \
		if (!(condition))         \
			__builtin_trap(); \
	} while (0)

enum {
	REGISTERS_MAX = 64
};

struct step {
	uint8_t row;
	uint8_t index;
	union hv_register_value value;
} __attribute__((packed));

static void check_state(struct vsm_vp *vp)
{
	const struct vcpu_state *cpu = vcpu_get(vp, 0, VCPU_ALL);
	const struct backend_features *features = &vp->partition->features;
	const bool paging = cpu->cr0 & X64_CR0_PG;

	REQUIRE(!(cpu->cr0 >> 32));
	REQUIRE(!paging || (cpu->cr0 & X64_CR0_PE));
	REQUIRE(!(cpu->cr4 & ~features->cr4_valid));
	REQUIRE(!!(cpu->efer & X64_EFER_LMA) == (paging && (cpu->efer & X64_EFER_LME)));
	REQUIRE(!(cpu->cr3 >> features->gpa_bits));
	REQUIRE(cpu->rflags & X64_RFLAGS_FIXED);
	REQUIRE(!(cpu->dr6 >> 32) && !(cpu->dr7 >> 32));
	REQUIRE((cpu->xcr0 & 1) && !(cpu->xcr0 & ~features->xcr0_supported));
	REQUIRE(!(cpu->xsave[26] | cpu->xsave[27])); /* MXCSR bits 31:16 */
	REQUIRE(vp->vtl[0].activity <= VP_WAIT_FOR_SIPI);
}

static void do_step(struct vsm_vp *vp, const struct step *step)
{
	const struct regs_caller caller = {.vtl = 1, .same_vp = true};
	const struct regs_row *row = &regs_table[step->row % regs_table_size];
	const uint32_t name = row->first + step->index % (row->last - row->first + 1);
	union hv_register_value value = step->value;
	uint16_t status = regs_set(vp, 0, name, &caller, &value);

	/*
	 * Skips registers with side effects: an exception that is set again may become a double
	 * fault.
	 */
	if (status != HV_STATUS_SUCCESS || row->rule != REGS_LOWER || row->get == regs_get_msr)
		return;
	REQUIRE(regs_get(vp, 0, name, &caller, &value) == HV_STATUS_SUCCESS);
	REQUIRE(regs_set(vp, 0, name, &caller, &value) == HV_STATUS_SUCCESS);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct vsm_partition *partition = guest_partition(1, 2, 1 << 20, NULL);
	struct vsm_vp *vp = vsm_partition_vp(partition, 0);

	guest_enable_vtl(partition, 1);
	guest_vtl_call(vp);
	for (unsigned int i = 0; i < REGISTERS_MAX && size >= sizeof(struct step); i++) {
		struct step step;

		memcpy(&step, data, sizeof(step));
		data += sizeof(step);
		size -= sizeof(step);
		do_step(vp, &step);
		check_state(vp);
	}
	vsm_partition_destroy(partition);
	return 0;
}
