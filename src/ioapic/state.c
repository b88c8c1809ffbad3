/* SPDX-License-Identifier: BSD-2-Clause */
/* Export and import: the module's format, and that of KVM_GET_IRQCHIP and KVM_SET_IRQCHIP. */
#include "ioapic.h"

#include <errno.h>
#include <string.h>

/* struct kvm_ioapic_state: the module uses no kernel headers. */
struct kvm_state {
	uint64_t base_address;
	uint32_t ioregsel;
	uint32_t id;
	uint32_t irr;
	uint32_t pad;
	uint64_t redirtbl[VSM_IOAPIC_DEFAULT_PINS];
};

_Static_assert(sizeof(struct kvm_state) == VSM_IOAPIC_KVM_STATE_SIZE, "size in the header");
_Static_assert(sizeof(struct vsm_ioapic_state) == 2000, "no hidden padding");

static int export_own(const struct vsm_ioapic *ioapic, void *blob)
{
	struct vsm_ioapic_state state;

	memset(&state, 0, sizeof(state));
	state.format = VSM_IOAPIC_FORMAT_1;
	state.pins = ioapic->config.pins;
	state.version = ioapic->config.version;
	state.id = ioapic->id;
	state.index = ioapic->index;
	state.electrical = ioapic->config.electrical;
	memcpy(state.line, ioapic->line, sizeof(state.line));
	memcpy(state.pending, ioapic->pending, sizeof(state.pending));
	memcpy(state.entry, ioapic->entry, sizeof(state.entry));
	memcpy(blob, &state, sizeof(state));
	return sizeof(state);
}

static int export_kvm(const struct vsm_ioapic *ioapic, void *blob)
{
	struct kvm_state state;

	if (ioapic->config.pins != VSM_IOAPIC_DEFAULT_PINS)
		return -ENOTSUP;
	if (ioapic->pending[0])
		return -EBUSY;
	memset(&state, 0, sizeof(state));
	state.base_address = ioapic->config.base;
	state.ioregsel = ioapic->index;
	state.id = ioapic->id;
	/* KVM triggers an edge for each bit set in irr: omit edges that were delivered. */
	for (uint32_t pin = 0; pin < VSM_IOAPIC_DEFAULT_PINS; pin++)
		if (ioapic_is_asserted(ioapic, pin) && !ioapic_takes_edges(ioapic->entry[pin]))
			state.irr |= 1u << pin;
	memcpy(state.redirtbl, ioapic->entry, sizeof(state.redirtbl));
	memcpy(blob, &state, sizeof(state));
	return sizeof(state);
}

int vsm_ioapic_export(const struct vsm_ioapic *ioapic, enum vsm_ioapic_format format, void *blob,
		      size_t size)
{
	switch (format) {
	case VSM_IOAPIC_FORMAT_1:
		return size < sizeof(struct vsm_ioapic_state) ? -ENOSPC : export_own(ioapic, blob);
	case VSM_IOAPIC_FORMAT_KVM:
		return size < sizeof(struct kvm_state) ? -ENOSPC : export_kvm(ioapic, blob);
	}
	return -EINVAL;
}

/* The lowest pin from @first on whose bit is set, or UINT32_MAX. */
static uint32_t first_set_pin(const uint64_t *bits, uint32_t first)
{
	for (uint32_t pin = first; pin < 256; pin++)
		if (ioapic_get_bit(bits, pin))
			return pin;
	return UINT32_MAX;
}

static const char *check_own(const struct vsm_ioapic *ioapic, const struct vsm_ioapic_state *state,
			     uint32_t *pin)
{
	const uint64_t legal = ioapic_writable(ioapic) | VSM_IOAPIC_ENTRY_REMOTE_IRR;
	const uint32_t pins = ioapic->config.pins;

	if (state->format != VSM_IOAPIC_FORMAT_1)
		return "format";
	if (state->pins != pins)
		return "pins";
	if (state->version != ioapic->config.version)
		return "version";
	if (state->id > 15)
		return "id";
	if (state->index & ~ioapic_index_mask(ioapic))
		return "index";
	if (state->electrical != ioapic->config.electrical)
		return "electrical";
	if (state->reserved[0] || state->reserved[1] || state->reserved[2])
		return "reserved";
	*pin = first_set_pin(state->line, pins);
	if (*pin != UINT32_MAX)
		return "line";
	*pin = first_set_pin(state->pending, pins);
	if (*pin != UINT32_MAX)
		return "pending";
	for (*pin = 0; *pin < VSM_IOAPIC_MAX_PINS; ++*pin) {
		const uint64_t entry = state->entry[*pin];
		const bool pending = ioapic_get_bit(state->pending, *pin);

		if (entry & ~(*pin < pins ? legal : 0))
			return "entry";
		if ((entry & VSM_IOAPIC_ENTRY_REMOTE_IRR) && !ioapic_is_level(entry))
			return "entry";
		if (pending && !ioapic_takes_edges(entry))
			return "pending";
	}
	*pin = UINT32_MAX;
	return NULL;
}

static const char *check_kvm(const struct vsm_ioapic *ioapic, const struct kvm_state *state,
			     uint32_t *pin)
{
	if (ioapic->config.pins != VSM_IOAPIC_DEFAULT_PINS)
		return "redirtbl";
	if (state->base_address != ioapic->config.base)
		return "base_address";
	if (state->ioregsel > 0xff)
		return "ioregsel";
	if (state->id > 15)
		return "id";
	if (state->irr >> VSM_IOAPIC_DEFAULT_PINS)
		return "irr";
	if (state->pad)
		return "pad";
	for (*pin = 0; *pin < VSM_IOAPIC_DEFAULT_PINS; ++*pin) {
		const uint64_t entry = state->redirtbl[*pin];

		if ((entry & VSM_IOAPIC_ENTRY_REMOTE_IRR) && !(entry & VSM_IOAPIC_ENTRY_LEVEL))
			return "redirtbl";
	}
	*pin = UINT32_MAX;
	return NULL;
}

static void load_own(struct vsm_ioapic *ioapic, const struct vsm_ioapic_state *state)
{
	ioapic->index = state->index;
	ioapic->id = state->id;
	memcpy(ioapic->line, state->line, sizeof(ioapic->line));
	memcpy(ioapic->pending, state->pending, sizeof(ioapic->pending));
	memcpy(ioapic->entry, state->entry, sizeof(ioapic->entry));
}

static void load_kvm(struct vsm_ioapic *ioapic, const struct kvm_state *state)
{
	ioapic->index = (uint16_t)state->ioregsel;
	ioapic->id = (uint8_t)state->id;
	memset(ioapic->line, 0, sizeof(ioapic->line));
	memset(ioapic->pending, 0, sizeof(ioapic->pending));
	for (uint32_t pin = 0; pin < VSM_IOAPIC_DEFAULT_PINS; pin++) {
		uint64_t keep = ioapic_writable(ioapic);

		if (ioapic_is_level(state->redirtbl[pin]))
			keep |= VSM_IOAPIC_ENTRY_REMOTE_IRR;
		ioapic->entry[pin] = state->redirtbl[pin] & keep;
		ioapic_set_bit(ioapic->line, pin,
			       (state->irr >> pin & 1) != ioapic_is_active_low(ioapic, pin));
	}
}

static int refuse(struct vsm_ioapic_refusal *refusal, const char *field, uint32_t pin)
{
	if (refusal) {
		refusal->field = field;
		refusal->pin = pin;
	}
	return -EINVAL;
}

int vsm_ioapic_import(struct vsm_ioapic *ioapic, enum vsm_ioapic_format format, const void *blob,
		      size_t size, struct vsm_ioapic_refusal *refusal)
{
	union {
		struct vsm_ioapic_state own;
		struct kvm_state kvm;
	} state;
	uint32_t pin = UINT32_MAX;
	const char *field;

	/* Checks and uses a copy: another thread may be able to write to @blob. */
	switch (format) {
	case VSM_IOAPIC_FORMAT_1:
		if (size != sizeof(state.own))
			return refuse(refusal, "size", pin);
		memcpy(&state.own, blob, sizeof(state.own));
		field = check_own(ioapic, &state.own, &pin);
		if (field)
			return refuse(refusal, field, pin);
		load_own(ioapic, &state.own);
		return 0;
	case VSM_IOAPIC_FORMAT_KVM:
		if (size != sizeof(state.kvm))
			return refuse(refusal, "size", pin);
		memcpy(&state.kvm, blob, sizeof(state.kvm));
		field = check_kvm(ioapic, &state.kvm, &pin);
		if (field)
			return refuse(refusal, field, pin);
		load_kvm(ioapic, &state.kvm);
		return 0;
	}
	return refuse(refusal, "format", pin);
}
