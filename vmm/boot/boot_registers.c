/* SPDX-License-Identifier: BSD-2-Clause */
#include "boot/boot_registers.h"

#include <string.h>

#include "array.h"

struct register_list {
	uint32_t *name;
	union hv_register_value *value;
	unsigned int count;
};

static union hv_register_value *add(struct register_list *list, uint32_t name)
{
	union hv_register_value *value = &list->value[list->count];

	memset(value, 0, sizeof(*value));
	list->name[list->count++] = name;
	return value;
}

static void add_segment(struct register_list *list, uint32_t name,
			const struct vmm_segment *segment)
{
	add(list, name)->segment = (struct hv_x64_segment_register){
		segment->base, segment->limit, segment->selector, segment->attributes};
}

static void add_table(struct register_list *list, uint32_t name,
		      const struct vmm_descriptor_table *table)
{
	add(list, name)->table =
		(struct hv_x64_table_register){.limit = table->limit, .base = table->base};
}

void vmm_boot_registers(const struct vmm_boot_state *state, uint32_t name[VMM_BOOT_REGISTERS],
			union hv_register_value value[VMM_BOOT_REGISTERS])
{
	static const uint32_t data[] = {HV_X64_REGISTER_DS, HV_X64_REGISTER_ES, HV_X64_REGISTER_FS,
					HV_X64_REGISTER_GS, HV_X64_REGISTER_SS};
	struct register_list list = {.name = name, .value = value};

	for (uint32_t i = 0; i < VMM_GPRS; i++)
		add(&list, HV_X64_REGISTER_RAX + i)->reg64 = state->gpr[i];
	add(&list, HV_X64_REGISTER_RIP)->reg64 = state->rip;
	add(&list, HV_X64_REGISTER_RFLAGS)->reg64 = state->rflags;
	add_table(&list, HV_X64_REGISTER_GDTR, &state->gdtr);
	add_table(&list, HV_X64_REGISTER_IDTR, &state->idtr);
	add_segment(&list, HV_X64_REGISTER_CS, &state->cs);
	for (size_t i = 0; i < ARRAY_SIZE(data); i++)
		add_segment(&list, data[i], &state->data);
	add_segment(&list, HV_X64_REGISTER_TR, &state->tr);
	add_segment(&list, HV_X64_REGISTER_LDTR, &state->ldtr);
	add(&list, HV_X64_REGISTER_CR3)->reg64 = state->cr3;
	add(&list, HV_X64_REGISTER_CR4)->reg64 = state->cr4;
	add(&list, HV_X64_REGISTER_EFER)->reg64 = state->efer;
	add(&list, HV_X64_REGISTER_CR0)->reg64 = state->cr0;
}

_Static_assert(VMM_BOOT_REGISTERS == VMM_GPRS + 2 + 2 + 6 + 2 + 4, "every register once");
