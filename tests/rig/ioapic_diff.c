/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Compares libvsm's I/O APIC with KVM's after the same register writes by guest code, line changes and EOIs.
 * Each deviation of KVM from the data sheet is a case kvm_*; the random part avoids or permits it.
 * Usage: ioapic_diff [ROUNDS [SEED]]
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <vsm/ioapic.h>

#include "random.h"
#include "raw_kvm.h"
#include "tap.h"

#define PINS	   24u
#define CODE	   0x1000u
#define IDT	   0x4000u
#define GDT	   0x4800u
#define LIST	   0x5000u
#define STACK	   0x9000u
#define RAM	   0x10000u
#define APIC	   0xfee00000u
#define PORT_DONE  0x10
#define MAX_LIST   32u
#define STUB_BYTES 10u

enum operation {
	END,
	WRITE,
	READ,
	TAKE
};

struct command {
	uint32_t operation, address, value, result;
};

/* 32-bit flat. TAKE sets IF around an exit, so that KVM injects at a known instruction; the handler continues
 * with the next command without an IRET and with IF clear, so at most one interrupt is accepted. */
extern const uint8_t guest_begin[], guest_stubs[], guest_end[];
__asm__(".pushsection .rodata\n"
	".code32\n"
	"guest_begin:\n"
	"	mov $0x5000, %esi\n"
	"1:	mov (%esi), %eax\n"
	"	mov 4(%esi), %edi\n"
	"	cmp $1, %eax\n"
	"	je 2f\n"
	"	cmp $2, %eax\n"
	"	je 3f\n"
	"	cmp $3, %eax\n"
	"	je 4f\n"
	"	out %al, $0x10\n"
	"	jmp guest_begin\n"
	"2:	mov 8(%esi), %eax\n"
	"	mov %eax, (%edi)\n"
	"	jmp 5f\n"
	"3:	mov (%edi), %eax\n"
	"	mov %eax, 12(%esi)\n"
	"	jmp 5f\n"
	"4:	movl $0, 12(%esi)\n"
	"	sti\n"
	"	nop\n"
	"	out %al, $0x11\n"
	"	nop\n"
	"	cli\n"
	"5:	add $16, %esi\n"
	"	jmp 1b\n"
	"guest_handler:\n"
	"	pop %eax\n"
	"	mov %eax, 12(%esi)\n"
	"	add $12, %esp\n"
	"	jmp 5b\n"
	"guest_stubs:\n"
	".set vector, 0\n"
	".rept 256\n"
	"	.byte 0x68\n"
	"	.long vector\n"
	"	.byte 0xe9\n"
	"	.long guest_handler - . - 4\n"
	".set vector, vector + 1\n"
	".endr\n"
	"guest_end:\n"
	".code64\n"
	".popsection\n");

struct machine {
	struct raw_kvm raw;
	struct command *list;
	uint32_t length;
	struct vsm_ioapic io;
	/* The local APIC that receives messages of libvsm's I/O APIC: [SDM] volume 3, "Handling Interrupts". */
	uint32_t irr[8], isr[8], tmr[8];
};

static bool bit(const uint32_t *bits, unsigned int vector)
{
	return bits[vector / 32] >> (vector % 32) & 1;
}

static void set(uint32_t *bits, unsigned int vector, bool on)
{
	bits[vector / 32] = (bits[vector / 32] & ~(1u << (vector % 32))) | (uint32_t)on
										   << (vector % 32);
}

static int highest(const uint32_t *bits)
{
	for (int vector = 255; vector >= 0; vector--)
		if (bit(bits, (unsigned int)vector))
			return vector;
	return -1;
}

/* APIC ID 0, logical ID 1 in the flat model. For lowest priority KVM selects a logical destination by the
 * vector, even if that APIC is absent. */
static bool is_for_us(uint64_t address, uint32_t data)
{
	const uint32_t destination = address >> 12 & 0xff;

	if (destination == 0xff)
		return true;
	if (!(address & 4))
		return destination == 0;
	if ((data >> 8 & 7) == VSM_IOAPIC_MODE_LOWEST_PRIORITY && destination)
		return (destination & 1) &&
		       (data & 0xff) % (unsigned int)__builtin_popcount(destination) == 0;
	return destination & 1;
}

/* KVM drops an edge that matches no local APIC, so this side accepts it without effect
 * (kvm_drops_an_edge_that_matches_no_apic). */
static enum vsm_ioapic_delivery message(void *opaque, uint64_t address, uint32_t data)
{
	struct machine *machine = opaque;
	const unsigned int vector = data & 0xff;
	const bool pending = bit(machine->irr, vector);

	if (!is_for_us(address, data))
		return data & 0x8000 ? VSM_IOAPIC_REFUSED : VSM_IOAPIC_ACCEPTED;
	set(machine->irr, vector, true);
	set(machine->tmr, vector, data >> 15 & 1);
	return pending ? VSM_IOAPIC_MERGED : VSM_IOAPIC_ACCEPTED;
}

static uint32_t take(struct machine *machine)
{
	const int wanted = highest(machine->irr), served = highest(machine->isr);

	if (wanted < 0 || (served >= 0 && wanted / 16 <= served / 16))
		return 0;
	set(machine->irr, (unsigned int)wanted, false);
	set(machine->isr, (unsigned int)wanted, true);
	return (uint32_t)wanted;
}

static void end_of_interrupt(struct machine *machine)
{
	const int served = highest(machine->isr);

	if (served < 0)
		return;
	set(machine->isr, (unsigned int)served, false);
	if (bit(machine->tmr, (unsigned int)served))
		vsm_ioapic_eoi(&machine->io, (uint8_t)served);
}

static void create_guest(struct machine *machine)
{
	const struct kvm_regs regs = {.rip = CODE, .rsp = STACK, .rflags = 2};
	struct raw_kvm *raw = &machine->raw;
	struct raw_vcpu *vcpu;
	struct {
		struct kvm_irq_routing head;
		struct kvm_irq_routing_entry entry[PINS];
	} routing = {.head.nr = PINS};

	raw_kvm_create(raw);
	raw_kvm_require(!ioctl(raw->vm, KVM_CREATE_IRQCHIP, 0), "KVM_CREATE_IRQCHIP");
	for (uint32_t pin = 0; pin < PINS; pin++) /* only the I/O APIC, no PIC */
		routing.entry[pin] = (struct kvm_irq_routing_entry){
			.gsi = pin,
			.type = KVM_IRQ_ROUTING_IRQCHIP,
			.u.irqchip = {.irqchip = KVM_IRQCHIP_IOAPIC, .pin = pin},
		};
	raw_kvm_require(!ioctl(raw->vm, KVM_SET_GSI_ROUTING, &routing), "KVM_SET_GSI_ROUTING");
	raw_kvm_add_ram(raw, RAM);
	machine->list = (struct command *)(raw->ram + LIST);
	memcpy(raw->ram + CODE, guest_begin, (size_t)(guest_end - guest_begin));
	for (unsigned int vector = 0; vector < 256; vector++)
		raw_kvm_gate_32(raw, IDT, vector,
				CODE + (uint32_t)(guest_stubs - guest_begin) + vector * STUB_BYTES);
	vcpu = raw_kvm_add_vcpu(raw, NULL);
	raw_kvm_flat_32(raw, vcpu, GDT, IDT);
	raw_kvm_set_regs(vcpu, &regs);
}

static void run_list(struct machine *machine)
{
	const struct raw_vcpu *vcpu = &machine->raw.vcpu[0];

	machine->list[machine->length].operation = END;
	do {
		raw_kvm_require(ioctl(vcpu->fd, KVM_RUN, 0) >= 0 || errno == EINTR, "KVM_RUN");
		raw_kvm_require(vcpu->run->exit_reason == KVM_EXIT_IO, "unexpected exit");
	} while (vcpu->run->io.port != PORT_DONE);
}

static void give(struct machine *machine, enum operation operation, uint32_t address,
		 uint32_t value)
{
	machine->list[machine->length++] =
		(struct command){.operation = operation, .address = address, .value = value};
}

/* Makes the same change on both sides: in libvsm immediately, in KVM at the next run_list(). */
static void write_register(struct machine *machine, uint32_t index, uint32_t value)
{
	give(machine, WRITE, VSM_IOAPIC_DEFAULT_BASE + VSM_IOAPIC_MMIO_INDEX, index);
	give(machine, WRITE, VSM_IOAPIC_DEFAULT_BASE + VSM_IOAPIC_MMIO_DATA, value);
	vsm_ioapic_write(&machine->io, VSM_IOAPIC_MMIO_INDEX, index);
	vsm_ioapic_write(&machine->io, VSM_IOAPIC_MMIO_DATA, value);
}

static void set_line(struct machine *machine, uint32_t pin, bool level)
{
	struct kvm_irq_level line = {.irq = pin, .level = level};

	raw_kvm_require(!ioctl(machine->raw.vm, KVM_IRQ_LINE, &line), "KVM_IRQ_LINE");
	vsm_ioapic_set_line(&machine->io, pin, level);
}

static void start(struct machine *machine)
{
	const struct vsm_ioapic_config config = {
		.message = message, .opaque = machine, .version = 0x11};

	raw_kvm_require(!vsm_ioapic_init(&machine->io, &config), "vsm_ioapic_init()");
	create_guest(machine);
	give(machine, WRITE, APIC + 0xf0, 0x1ff);      /* software enable */
	give(machine, WRITE, APIC + 0xe0, 0xffffffff); /* flat model */
	give(machine, WRITE, APIC + 0xd0, 1u << 24);   /* logical ID 1 */
	give(machine, WRITE, APIC + 0x350, 1u << 16);  /* no PIC by LINT0 */
	run_list(machine);
	machine->length = 0;
}

static void get_kvm(const struct machine *machine, struct kvm_ioapic_state *state)
{
	struct kvm_irqchip chip = {.chip_id = KVM_IRQCHIP_IOAPIC};

	raw_kvm_require(!ioctl(machine->raw.vm, KVM_GET_IRQCHIP, &chip), "KVM_GET_IRQCHIP");
	*state = chip.chip.ioapic;
}

/* Bits of an entry that the data sheet defines; KVM also stores the others (kvm_stores_reserved_bits). */
#define DEFINED 0xff0000000001ffffull

static bool compare_tables(const struct machine *machine)
{
	const uint32_t asserted = (uint32_t)machine->io.line[0];
	struct kvm_ioapic_state kvm, own;
	bool same = true;

	get_kvm(machine, &kvm);
	if (vsm_ioapic_export(&machine->io, VSM_IOAPIC_FORMAT_KVM, &own, sizeof(own)) < 0) {
		printf("# an edge is pending here\n");
		return false;
	}
	for (uint32_t pin = 0; pin < PINS; pin++) {
		const uint64_t theirs = kvm.redirtbl[pin].bits & DEFINED;

		if (theirs == own.redirtbl[pin].bits)
			continue;
		printf("# pin %u: KVM %016" PRIx64 ", here %016" PRIx64 "\n", pin, theirs,
		       (uint64_t)own.redirtbl[pin].bits);
		same = false;
	}
	/* KVM may lack inputs, but not have additional ones:
	 * kvm_hides_the_input_of_an_edge_that_it_delivered. */
	if (kvm.irr & ~asserted) {
		printf("# inputs: KVM %06x, here %06x\n", kvm.irr, asserted);
		same = false;
	}
	if (kvm.id != own.id || kvm.ioregsel != own.ioregsel) {
		printf("# id, index: KVM %x %x, here %x %x\n", kvm.id, kvm.ioregsel, own.id,
		       own.ioregsel);
		same = false;
	}
	return same;
}

static bool compare_bits(const char *name, const char *page, uint32_t offset, const uint32_t *own)
{
	bool same = true;

	for (uint32_t i = 0; i < 8; i++) {
		uint32_t theirs;

		memcpy(&theirs, page + offset + 0x10 * i, sizeof(theirs));
		if (theirs != own[i]) {
			printf("# %s[%u]: KVM %08x, here %08x\n", name, i, theirs, own[i]);
			same = false;
		}
	}
	return same;
}

static bool compare_pending(const struct machine *machine)
{
	struct kvm_lapic_state lapic;
	bool same;

	raw_kvm_require(!ioctl(machine->raw.vcpu[0].fd, KVM_GET_LAPIC, &lapic), "KVM_GET_LAPIC");
	same = compare_bits("IRR", lapic.regs, 0x200, machine->irr);
	return compare_bits("ISR", lapic.regs, 0x100, machine->isr) && same;
}

static bool run_and_compare(struct machine *machine, const struct command *expected)
{
	bool same = true;

	run_list(machine);
	for (uint32_t i = 0; i < machine->length; i++) {
		const struct command *command = &machine->list[i];

		if ((command->operation != READ && command->operation != TAKE) ||
		    command->result == expected[i].result)
			continue;
		printf("# %s: KVM %#x, here %#x\n", command->operation == TAKE ? "vector" : "read",
		       command->result, expected[i].result);
		same = false;
	}
	machine->length = 0;
	same = compare_tables(machine) && same;
	return compare_pending(machine) && same;
}

/* Avoids the deviations of the kvm_* cases: delivery modes without an EOI are edges and masked (NMI, SMI and
 * INIT would affect the guest); level and edge pins share no vector. */
static uint32_t random_low_half(uint64_t value)
{
	const bool level = value & 1;
	const bool masked = value >> 1 & 1;
	const uint32_t vector = 0x20 + (uint32_t)(value >> 8) % 0x60;
	uint32_t half = (vector & ~1u) | level | (uint32_t)level << 15 | (uint32_t)masked << 16;

	half |= (uint32_t)(value >> 2 & 1) << 8;  /* lowest priority */
	half |= (uint32_t)(value >> 3 & 1) << 11; /* logical */
	half |= (uint32_t)(value >> 4 & 1) << 13; /* polarity */
	half |= (uint32_t)(value >> 5 & 1) << 14; /* remote IRR: read-only */
	if ((value >> 40 & 15) == 0)
		half |= 0xfffe1000u; /* reserved and read-only bits */
	if ((value >> 44 & 15) == 0)
		half = (half & ~0x88ffu) | 0x10000 | (half & 0xfe) |
		       (uint32_t)(value >> 48 & 7) << 8;
	return half;
}

static void random_command(struct machine *machine, struct command *expected, uint64_t *seed)
{
	static const uint32_t destination[] = {0, 0, 0, 0xff, 1, 3, 2};
	const uint64_t value = next_random(seed);
	const uint32_t pin = (uint32_t)(value >> 32) %
			     6; /* a small range, so that pins share targets and vectors */
	const uint32_t entry = VSM_IOAPIC_REG_ENTRY_0 + 2 * pin;

	switch (value >> 56 & 7) {
	case 0:
	case 1: {
		const uint64_t now = vsm_ioapic_entry(&machine->io, pin);
		uint32_t half = random_low_half(next_random(seed));

		/* kvm_ignores_an_eoi_for_an_entry_without_a_target */
		if ((now & VSM_IOAPIC_ENTRY_REMOTE_IRR) && (half & 0x8000))
			half = (half & ~0xffu) | (uint32_t)(now & 0xff);
		write_register(machine, entry, half);
		break;
	}
	case 2:
		write_register(machine, entry + 1, destination[(value >> 8) % 7] << 24);
		break;
	case 3:
		write_register(machine, (value >> 8) % 3, (uint32_t)next_random(seed));
		break;
	case 4:
		give(machine, WRITE, VSM_IOAPIC_DEFAULT_BASE + VSM_IOAPIC_MMIO_INDEX, 0);
		vsm_ioapic_write(&machine->io, VSM_IOAPIC_MMIO_INDEX, 0);
		expected[machine->length].result =
			vsm_ioapic_read(&machine->io, VSM_IOAPIC_MMIO_DATA);
		give(machine, READ, VSM_IOAPIC_DEFAULT_BASE + VSM_IOAPIC_MMIO_DATA, 0);
		break;
	case 5:
	case 6:
		expected[machine->length].result = take(machine);
		give(machine, TAKE, 0, 0);
		break;
	default:
		give(machine, WRITE, APIC + 0xb0, 0);
		end_of_interrupt(machine);
	}
}

static void random_rounds(unsigned int rounds, uint64_t seed)
{
	struct command expected[MAX_LIST];
	struct machine machine = {0};
	unsigned int taken = 0, round;
	bool same = true;

	start(&machine);
	for (round = 0; round < rounds && same; round++) {
		const unsigned int commands = 1 + next_random(&seed) % 8;

		memset(expected, 0, sizeof(expected));
		for (unsigned int i = 0; i < commands; i++)
			random_command(&machine, expected, &seed);
		for (uint32_t i = 0; i < machine.length; i++)
			taken += machine.list[i].operation == TAKE && expected[i].result;
		same = run_and_compare(&machine, expected);
		for (unsigned int i = 0; same && i < 3; i++) {
			const uint64_t value = next_random(&seed);

			set_line(&machine, (uint32_t)(value >> 8) % 6, value & 1);
		}
		same = same && compare_tables(&machine) && compare_pending(&machine);
	}
	/* A run with few delivered interrupts would prove nothing. */
	check(same && taken > rounds / 8, "%u random rounds agree with KVM (%u interrupts taken)",
	      round, taken);
	raw_kvm_destroy(&machine.raw);
}

static uint64_t kvm_entry(const struct machine *machine, uint32_t pin)
{
	struct kvm_ioapic_state state = {0};

	get_kvm(machine, &state);
	return state.redirtbl[pin].bits;
}

static void kvm_stores_reserved_bits(struct machine *machine)
{
	write_register(machine, 0x12, 0xffff0020);
	run_list(machine);
	check(kvm_entry(machine, 1) == 0xffff0020 && vsm_ioapic_entry(&machine->io, 1) == 0x10020,
	      "kvm_stores_reserved_bits; here they read 0");
}

static void kvm_reads_ones_where_there_is_no_entry(struct machine *machine)
{
	give(machine, WRITE, VSM_IOAPIC_DEFAULT_BASE + VSM_IOAPIC_MMIO_INDEX, 0x80);
	give(machine, READ, VSM_IOAPIC_DEFAULT_BASE + VSM_IOAPIC_MMIO_DATA, 0);
	run_list(machine);
	vsm_ioapic_write(&machine->io, VSM_IOAPIC_MMIO_INDEX, 0x80);
	check(machine->list[1].result == 0xffffffff &&
		      vsm_ioapic_read(&machine->io, VSM_IOAPIC_MMIO_DATA) == 0,
	      "kvm_reads_ones_where_there_is_no_entry; here 0");
}

static enum vsm_ioapic_delivery refuse_all(void *opaque, uint64_t address, uint32_t data)
{
	(void)opaque;
	(void)address;
	(void)data;
	return VSM_IOAPIC_REFUSED;
}

static void kvm_drops_an_edge_that_matches_no_apic(struct machine *machine)
{
	machine->io.config.message = refuse_all;
	write_register(machine, 0x13, 9u << 24);
	write_register(machine, 0x12, 0x0022);
	run_list(machine);
	set_line(machine, 1, true);
	machine->io.config.message = message;
	machine->length = 0;
	write_register(machine, 0x13, 0);
	give(machine, TAKE, 0, 0);
	run_list(machine);
	check(machine->list[2].result == 0 && take(machine) == 0x22,
	      "kvm_drops_an_edge_that_matches_no_apic; here it is held");
}

static void kvm_keeps_remote_irr_when_a_mode_without_eoi_is_set(struct machine *machine)
{
	write_register(machine, 0x12, 0x8021);
	run_list(machine);
	set_line(machine, 1, true);
	machine->length = 0;
	write_register(machine, 0x12, 0x18400);
	run_list(machine);
	check(kvm_entry(machine, 1) == 0x1c400 && vsm_ioapic_entry(&machine->io, 1) == 0x18400,
	      "kvm_keeps_remote_irr_when_a_mode_without_eoi_is_set; here NMI has none");
}

static void kvm_hides_the_input_of_an_edge_that_it_delivered(struct machine *machine)
{
	struct kvm_ioapic_state kvm = {0};
	struct vsm_ioapic_state own = {0};

	write_register(machine, 0x12, 0x0020);
	run_list(machine);
	set_line(machine, 1, true);
	machine->length = 0;
	write_register(machine, 0x12, 0x18021);
	run_list(machine);
	get_kvm(machine, &kvm);
	vsm_ioapic_export(&machine->io, VSM_IOAPIC_FORMAT_1, &own, sizeof(own));
	check(kvm.irr == 0 && own.line[0] == 2,
	      "kvm_hides_the_input_of_an_edge_that_it_delivered; here it is reported");
}

static void kvm_fires_an_asserted_edge_pin_at_an_eoi_of_its_vector(struct machine *machine)
{
	write_register(machine, 0x12, 0x8021);
	write_register(machine, 0x14, 0x0021);
	run_list(machine);
	set_line(machine, 2, true);
	machine->length = 0;
	give(machine, TAKE, 0, 0);
	give(machine, WRITE, APIC + 0xb0, 0);
	run_list(machine);
	take(machine);
	end_of_interrupt(machine);
	set_line(machine, 1, true);
	set_line(machine, 1, false);
	run_list(machine);
	take(machine);
	end_of_interrupt(machine);
	machine->length = 1;
	run_list(machine);
	check(machine->list[0].result == 0x21 && take(machine) == 0,
	      "kvm_fires_an_asserted_edge_pin_at_an_eoi_of_its_vector; here nothing comes");
}

/* KVM reports an EOI only for vectors of entries whose destination matched the processor when KVM scanned
 * them. */
static void kvm_ignores_an_eoi_for_an_entry_without_a_target(struct machine *machine)
{
	write_register(machine, 0x12, 0x8021);
	write_register(machine, 0x14, 0x8023);
	run_list(machine);
	set_line(machine, 2, true);
	set_line(machine, 2, false);
	set_line(machine, 1, true);
	set_line(machine, 1, false);
	machine->length = 0;
	take(machine);
	give(machine, TAKE, 0, 0);
	write_register(machine, 0x14, 0x18025);
	write_register(machine, 0x12, 0x8823); /* logical destination 0 */
	give(machine, WRITE, APIC + 0xb0, 0);
	end_of_interrupt(machine);
	run_list(machine);
	check(machine->list[0].result == 0x23 && kvm_entry(machine, 1) == 0xc823 &&
		      vsm_ioapic_entry(&machine->io, 1) == 0x8823,
	      "kvm_ignores_an_eoi_for_an_entry_without_a_target; here it ends");
}

static void kvm_has_no_eoi_register(struct machine *machine)
{
	write_register(machine, 0x12, 0x8021);
	run_list(machine);
	set_line(machine, 1, true);
	set_line(machine, 1, false);
	machine->length = 0;
	machine->io.config.version = 0x20;
	give(machine, WRITE, VSM_IOAPIC_DEFAULT_BASE + VSM_IOAPIC_MMIO_EOI, 0x21);
	run_list(machine);
	vsm_ioapic_write(&machine->io, VSM_IOAPIC_MMIO_EOI, 0x21);
	check(kvm_entry(machine, 1) == 0xc021 && vsm_ioapic_entry(&machine->io, 1) == 0x8021,
	      "kvm_has_no_eoi_register; here version 0x20 has one");
}

static void state_goes_both_ways(struct machine *machine)
{
	struct kvm_irqchip chip = {.chip_id = KVM_IRQCHIP_IOAPIC};
	struct vsm_ioapic_refusal refusal = {0};
	struct vsm_ioapic before;
	bool ok;

	write_register(machine, 0x13, 0xff000000);
	write_register(machine, 0x12, 0x8021);
	write_register(machine, 0x14, 0x18023);
	write_register(machine, 0x00, 0x0a000000);
	run_list(machine);
	set_line(machine, 1, true);
	set_line(machine, 2, true);
	before = machine->io;
	ok = ioctl(machine->raw.vm, KVM_GET_IRQCHIP, &chip) == 0;
	ok = ok && vsm_ioapic_import(&machine->io, VSM_IOAPIC_FORMAT_KVM, &chip.chip.ioapic,
				     sizeof(chip.chip.ioapic), &refusal) == 0;
	if (!ok)
		printf("# refused: %s, pin %u\n", refusal.field ? refusal.field : "-", refusal.pin);
	ok = ok && !memcmp(before.entry, machine->io.entry, sizeof(before.entry)) &&
	     !memcmp(before.line, machine->io.line, sizeof(before.line)) &&
	     before.id == machine->io.id && before.index == machine->io.index;
	ok = ok && vsm_ioapic_export(&machine->io, VSM_IOAPIC_FORMAT_KVM, &chip.chip.ioapic,
				     sizeof(chip.chip.ioapic)) > 0;
	ok = ok && ioctl(machine->raw.vm, KVM_SET_IRQCHIP, &chip) == 0;
	check(ok && compare_tables(machine) && compare_pending(machine),
	      "libvsm imports KVM's state and KVM libvsm's, without loss");
}

int main(int argc, char **argv)
{
	static void (*const directed[])(struct machine *) = {
		kvm_stores_reserved_bits,
		kvm_reads_ones_where_there_is_no_entry,
		kvm_drops_an_edge_that_matches_no_apic,
		kvm_keeps_remote_irr_when_a_mode_without_eoi_is_set,
		kvm_hides_the_input_of_an_edge_that_it_delivered,
		kvm_fires_an_asserted_edge_pin_at_an_eoi_of_its_vector,
		kvm_ignores_an_eoi_for_an_entry_without_a_target,
		kvm_has_no_eoi_register,
		state_goes_both_ways,
	};
	const unsigned int cases = sizeof(directed) / sizeof(directed[0]);
	const unsigned int rounds = argc > 1 ? (unsigned int)strtoul(argv[1], NULL, 0) : 3000;
	const uint64_t seed = argc > 2 ? strtoull(argv[2], NULL, 0) : 0x5eed0001d1ff;

	setvbuf(stdout, NULL, _IOLBF, 0);
	checks_plan((int)cases + 1);
	printf("# rounds %u, seed %#" PRIx64 "\n", rounds, seed);
	random_rounds(rounds, seed | 1u << 20);
	for (unsigned int i = 0; i < cases; i++) {
		struct machine machine = {0};

		start(&machine);
		directed[i](&machine);
		raw_kvm_destroy(&machine.raw);
	}
	return checks_end();
}
