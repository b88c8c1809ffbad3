/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * All actions of a guest, its devices and a state blob on an I/O APIC.
 *
 * Input: one byte of configuration, then operations of 6 bytes: opcode, argument, 32-bit value; an
 * import takes the rest of the input as its blob.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <vsm/ioapic.h>

struct machine {
	struct vsm_ioapic io;
	bool line[VSM_IOAPIC_MAX_PINS];
	uint32_t pins;
	enum vsm_ioapic_delivery answer;
};

static void require(bool condition)
{
	if (!condition)
		abort();
}

static enum vsm_ioapic_delivery take(void *opaque, uint64_t address, uint32_t data)
{
	struct machine *machine = opaque;

	require((address & ~0xffffcull) == 0xfee00000u && !(address & 3));
	require(!(data & ~0xc7ffu) && (data & 0x4000));
	require((data >> 8 & 7) != 3 && (data >> 8 & 7) != 6);
	/* Only modes with an EOI are sent as level. */
	require(!(data & 0x8000) || (data & 0x700) <= 0x100);
	return machine->answer;
}

static void check_invariants(const struct machine *machine)
{
	uint8_t kvm[VSM_IOAPIC_KVM_STATE_SIZE];

	for (uint32_t pin = 0; pin < machine->pins; pin++) {
		const uint64_t entry = vsm_ioapic_entry(&machine->io, pin);
		const bool by_level = (entry & VSM_IOAPIC_ENTRY_LEVEL) &&
				      (entry & VSM_IOAPIC_ENTRY_MODE) <= 0x100;
		const bool low =
			machine->io.config.electrical && (entry & VSM_IOAPIC_ENTRY_ACTIVE_LOW);
		const bool asserted = machine->line[pin] != low;
		const bool remote_irr = entry & VSM_IOAPIC_ENTRY_REMOTE_IRR;
		const bool waits = entry & VSM_IOAPIC_ENTRY_SEND_PENDING;

		require(!(entry & 0x0000fffffffe0000ull));
		require(!remote_irr || by_level);
		require(!remote_irr || !waits);
		require(!waits || !(entry & VSM_IOAPIC_ENTRY_MASKED));
		/* No level interrupt is lost: it waits for its EOI, or to be sent. */
		if (by_level && asserted && !(entry & VSM_IOAPIC_ENTRY_MASKED))
			require(remote_irr || waits);
	}
	require(vsm_ioapic_entry(&machine->io, machine->pins) == 0);
	if (machine->pins == 24)
		vsm_ioapic_export(&machine->io, VSM_IOAPIC_FORMAT_KVM, kvm, sizeof(kvm));
}

static void export_and_import(struct machine *machine)
{
	const struct vsm_ioapic before = machine->io;
	struct vsm_ioapic_state state;

	require(vsm_ioapic_export(&machine->io, VSM_IOAPIC_FORMAT_1, &state, sizeof(state)) ==
		(int)sizeof(state));
	require(!vsm_ioapic_import(&machine->io, VSM_IOAPIC_FORMAT_1, &state, sizeof(state), NULL));
	require(!memcmp(&before, &machine->io, sizeof(before)));
}

static void import(struct machine *machine, enum vsm_ioapic_format format, const uint8_t *blob,
		   size_t size)
{
	struct vsm_ioapic_refusal refusal = {0};
	struct vsm_ioapic_state state;
	const struct vsm_ioapic before = machine->io;

	if (vsm_ioapic_import(&machine->io, format, blob, size, &refusal)) {
		require(refusal.field && refusal.field[0]);
		require(!memcmp(&before, &machine->io, sizeof(before)));
		return;
	}
	require(vsm_ioapic_export(&machine->io, VSM_IOAPIC_FORMAT_1, &state, sizeof(state)) > 0);
	for (uint32_t pin = 0; pin < machine->pins; pin++)
		machine->line[pin] = state.line[pin / 64] >> (pin % 64) & 1;
}

static void operate(struct machine *machine, uint8_t opcode, uint8_t argument, uint32_t value)
{
	switch (opcode & 7) {
	case 0: /* an index and data pair, the form that a guest uses most */
		vsm_ioapic_write(&machine->io, VSM_IOAPIC_MMIO_INDEX, argument);
		vsm_ioapic_write(&machine->io, VSM_IOAPIC_MMIO_DATA, value);
		break;
	case 1:
		vsm_ioapic_write(&machine->io, argument, value);
		break;
	case 2:
		vsm_ioapic_read(&machine->io, argument);
		break;
	case 3:
	case 4:
		vsm_ioapic_set_line(&machine->io, argument, value & 1);
		if (argument < machine->pins)
			machine->line[argument] = value & 1;
		break;
	case 5:
		require(vsm_ioapic_eoi(&machine->io, (uint8_t)value) <= machine->pins);
		break;
	case 6:
		machine->answer = (enum vsm_ioapic_delivery)(value & 3);
		vsm_ioapic_retry(&machine->io);
		break;
	default:
		if (argument == 0)
			vsm_ioapic_reset(&machine->io);
		else
			export_and_import(machine);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const uint32_t pins[] = {24, 24, 1, 240};
	struct machine machine;
	struct vsm_ioapic_config config = {.message = take, .opaque = &machine};

	if (size < 1)
		return 0;
	memset(&machine, 0, sizeof(machine));
	config.pins = machine.pins = pins[data[0] & 3];
	config.version = data[0] & 4 ? 0x11 : 0x20;
	config.electrical = data[0] & 8;
	require(!vsm_ioapic_init(&machine.io, &config));
	for (data++, size--; size >= 6; data += 6, size -= 6) {
		uint32_t value;

		if (data[0] >= 0xfe) {
			import(&machine, (enum vsm_ioapic_format)(data[0] - 0xfd), data + 1,
			       size - 1);
			size = 0;
		} else {
			memcpy(&value, data + 2, sizeof(value));
			operate(&machine, data[0], data[1], value);
		}
		check_invariants(&machine);
		if (size == 0)
			break;
	}
	return 0;
}
