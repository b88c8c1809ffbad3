/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Everything that a guest, its devices, other VPs, time and a state blob can do to a local APIC and
 * its router.
 *
 * Input: one byte of configuration, then operations of 12 bytes: opcode, argument (8 and 16 bits),
 * a 64-bit value; a load takes the rest of the input as its blob. The laws are those of the SDM.
 */
#include <stdint.h>
#include <string.h>
#include <vsm/lapic.h>

enum {
	APICS = 3,
	OPERATION = 12
};

struct machine {
	struct vsm_lapic apic[APICS]; /* the first is the one under test */
	_Alignas(64) uint8_t memory[16384];
	struct vsm_lapic_router *router;
	struct vsm_lapic_taken last; /* the last interrupt taken, for a withdrawal */
	uint64_t now;
	bool time_jumped;
};

/* Changes of the IRR and the ISR that an operation may make. */
struct allowed {
	int taken;	 /* vector, or -1 */
	bool auto_eoi;	 /* the taken interrupt has automatic EOI */
	int eoi;	 /* vector that left the ISR, or -1 */
	int withdrawn;	 /* vector of a withdrawal, or -1 */
	bool any_change; /* reset, INIT, hardware disable, load */
};

static void require(bool condition)
{
	if (!condition)
		__builtin_trap();
}

static bool in(const uint32_t set[8], unsigned int vector)
{
	return set[vector / 32] >> (vector % 32) & 1;
}

static int highest(const uint32_t set[8])
{
	for (int vector = 255; vector >= 0; vector--)
		if (in(set, (unsigned int)vector))
			return vector;
	return -1;
}

static void check_sets(const struct vsm_lapic_state *before, const struct vsm_lapic_state *after,
		       const struct allowed *allowed)
{
	for (int vector = 0; vector < 256; vector++) {
		bool irr = in(before->irr, (unsigned int)vector);
		bool isr = in(before->isr, (unsigned int)vector);
		bool new_irr = in(after->irr, (unsigned int)vector);
		bool new_isr = in(after->isr, (unsigned int)vector);

		require(vector >= 16 || (!new_irr && !new_isr));
		if (allowed->any_change)
			continue;
		require(!irr || new_irr || vector == allowed->taken);
		require(isr || !new_isr || (vector == allowed->taken && !allowed->auto_eoi));
		require(!isr || new_isr || vector == allowed->eoi || vector == allowed->withdrawn);
	}
}

static void check_priorities(struct machine *m, const struct vsm_lapic_state *s)
{
	struct vsm_lapic *apic = &m->apic[0];
	int service = highest(s->isr), request = highest(s->irr);
	uint32_t class = service < 0 ? 0 : (uint32_t)service / 16, ppr = vsm_lapic_ppr(apic);

	require(ppr / 16 == (s->tpr / 16 > class ? s->tpr / 16 : class));
	require(vsm_lapic_highest_isr(apic) == service);
	require(vsm_lapic_highest_irr(apic) == request);
	require(vsm_lapic_pending(apic) ==
		(request >= 0 && (uint32_t)request / 16 > ppr / 16 ? request : -1));
	require(vsm_lapic_cr8(apic) == s->tpr >> 4);
}

static void check_registers(struct machine *m, const struct vsm_lapic_state *s)
{
	require(s->tpr <= 0xff && s->esr <= 0xff && s->errors <= 0xff);
	require((s->dfr & 0x0fffffff) == 0x0fffffff);
	require(!(s->svr & ~0x13ffu));
	for (int i = 0; i < VSM_LAPIC_LVT_COUNT; i++) {
		require(!(s->lvt[i] & ~0x7e7ffu));
		require(s->lvt[i] & 1u << 16 || s->svr & 1u << 8);
	}
	for (uint32_t reg = 0; reg < 0x100; reg++) {
		uint64_t value;

		if (vsm_lapic_get_register(&m->apic[0], m->now, reg, &value))
			require(vsm_lapic_register_name(reg) && (reg == 0x30 || !(value >> 32)));
		if (reg == 0x39)
			require(value <= s->initial_count);
	}
}

/* In both formats, loading a saved state changes nothing. */
static void check_round_trip(struct machine *m, const struct vsm_lapic_state *s)
{
	uint8_t page[VSM_LAPIC_KVM_STATE_SIZE], again[VSM_LAPIC_KVM_STATE_SIZE];
	struct vsm_lapic copy = m->apic[0];
	struct vsm_lapic_state other;

	require(!vsm_lapic_load(&copy, s));
	vsm_lapic_save(&copy, &other);
	require(!memcmp(s, &other, sizeof(other)));
	require(vsm_lapic_next_deadline(&copy) == vsm_lapic_next_deadline(&m->apic[0]));

	vsm_lapic_save_kvm(&m->apic[0], m->now, page);
	require(!vsm_lapic_load_kvm(&copy, m->now, page));
	vsm_lapic_save_kvm(&copy, m->now, again);
	/* The current count may differ: loading restarts an expired one. */
	memset(page + 0x390, 0, 4);
	memset(again + 0x390, 0, 4);
	require(!memcmp(page, again, sizeof(page)));
}

static void check_invariants(struct machine *m, const struct vsm_lapic_state *before,
			     const struct allowed *allowed)
{
	struct vsm_lapic_state after;

	vsm_lapic_save(&m->apic[0], &after);
	check_sets(before, &after, allowed);
	check_priorities(m, &after);
	check_registers(m, &after);
	check_round_trip(m, &after);
}

static void follow(struct machine *m, const struct vsm_lapic_state *before,
		   const struct vsm_lapic_effect *effect, struct allowed *allowed)
{
	struct vsm_lapic_targets targets;

	if (effect->flags & VSM_LAPIC_EFFECT_ROUTE)
		vsm_lapic_router_update(m->router, 0);
	if (effect->flags & VSM_LAPIC_EFFECT_EOI) {
		bool level = in(before->tmr, effect->eoi_vector);

		require(highest(before->isr) == effect->eoi_vector);
		require(!!(effect->flags & VSM_LAPIC_EFFECT_EOI_BROADCAST) ==
			(level && !(before->svr & 1u << 12)));
		allowed->eoi = effect->eoi_vector;
	} else {
		require(!(effect->flags & VSM_LAPIC_EFFECT_EOI_BROADCAST));
	}
	if (!(effect->flags & VSM_LAPIC_EFFECT_IPI))
		return;
	require(effect->ipi.shorthand != VSM_LAPIC_TO_SELF);
	require(effect->ipi.delivery > 1 || effect->ipi.vector >= 16);
	require(vsm_lapic_router_route(m->router, 0, &effect->ipi, &targets) <= APICS);
	for (int i = -1; (i = vsm_lapic_targets_next(&targets, i)) >= 0;)
		require(vsm_lapic_mode(&m->apic[i]) != VSM_LAPIC_DISABLED);
	vsm_lapic_router_send(m->router, 0, &effect->ipi, NULL);
}

static void write_msr(struct machine *m, uint32_t msr, uint64_t value,
		      const struct vsm_lapic_state *before, struct allowed *allowed)
{
	struct vsm_lapic_effect effect;
	struct vsm_lapic_state after;

	if (vsm_lapic_msr_write(&m->apic[0], m->now, msr, value, &effect)) {
		allowed->any_change = vsm_lapic_mode(&m->apic[0]) == VSM_LAPIC_DISABLED;
		follow(m, before, &effect, allowed);
		return;
	}
	vsm_lapic_save(&m->apic[0], &after);
	require(!memcmp(before, &after, sizeof(after)) && !effect.flags);
}

static void post(struct machine *m, uint8_t vector, unsigned int trigger)
{
	enum vsm_lapic_posted posted =
		vsm_lapic_post(&m->apic[0], vector, (enum vsm_lapic_trigger)(trigger % 3));
	struct vsm_lapic_state after;

	vsm_lapic_save(&m->apic[0], &after);
	if (posted == VSM_LAPIC_IGNORED)
		return;
	if (vector < 16) {
		/* SDM 11.5.3: the post was that of the error interrupt. */
		require(in(after.irr, after.lvt[VSM_LAPIC_LVT_ERROR] & 0xff));
		return;
	}
	require(in(after.irr, vector));
	require(in(after.tmr, vector) == (trigger % 3 == VSM_LAPIC_LEVEL));
}

static void take(struct machine *m, struct allowed *allowed)
{
	int pending = vsm_lapic_pending(&m->apic[0]);

	require(vsm_lapic_take(&m->apic[0], &m->last) == (pending >= 0));
	if (pending < 0)
		return;
	require(m->last.vector == pending);
	allowed->taken = pending;
	allowed->auto_eoi = m->last.auto_eoi;
}

static void expire(struct machine *m)
{
	uint64_t due = vsm_lapic_next_deadline(&m->apic[0]);

	vsm_lapic_expire(&m->apic[0], m->now);
	if (m->time_jumped)
		return;
	require(vsm_lapic_next_deadline(&m->apic[0]) > m->now);
	require(due <= m->now || vsm_lapic_next_deadline(&m->apic[0]) == due);
}

static void assist(struct machine *m, bool bit_was_set, const struct vsm_lapic_state *before,
		   struct allowed *allowed)
{
	struct vsm_lapic_effect effect;

	if (vsm_lapic_is_skipping_eoi(&m->apic[0])) {
		vsm_lapic_resolve_eoi(&m->apic[0], bit_was_set, &effect);
		require(!bit_was_set || !effect.flags);
		follow(m, before, &effect, allowed);
	} else if (vsm_lapic_may_skip_eoi(&m->apic[0])) {
		require(highest(before->irr) < 0);
		require(!in(before->tmr, (unsigned int)highest(before->isr)));
		vsm_lapic_skip_eoi(&m->apic[0]);
	}
}

static void operate(struct machine *m, const uint8_t *data, const struct vsm_lapic_state *before,
		    struct allowed *allowed)
{
	struct vsm_lapic *apic = &m->apic[0];
	struct vsm_lapic_effect effect;
	struct vsm_lapic_ipi ipi;
	uint64_t value, read;
	uint16_t wide;
	uint8_t argument = data[1], sipi;

	memcpy(&wide, data + 2, sizeof(wide));
	memcpy(&value, data + 4, sizeof(value));
	switch (data[0] % 20) {
	case 0: /* the register that the argument names, as a guest writes it */
		if (vsm_lapic_mmio_write(apic, m->now, (argument & 0x3fu) * 16, 4, value, &effect))
			follow(m, before, &effect, allowed);
		break;
	case 1:
		if (vsm_lapic_mmio_write(apic, m->now, wide, argument % 9, value, &effect))
			follow(m, before, &effect, allowed);
		break;
	case 2:
		vsm_lapic_mmio_read(apic, m->now, wide, argument % 9, &read, &effect);
		require(!(read >> 32));
		break;
	case 3:
		write_msr(m, 0x800 + argument % 0x40, value, before, allowed);
		break;
	case 4:
		write_msr(m, VSM_LAPIC_MSR_BASE, value, before, allowed);
		break;
	case 5: /* any mode at the default base */
		write_msr(m, VSM_LAPIC_MSR_BASE, 0xfee00000 | (argument & 3u) << 10, before,
			  allowed);
		break;
	case 6:
		write_msr(m, VSM_LAPIC_MSR_HV_EOI + argument % 3, value, before, allowed);
		break;
	case 7:
		write_msr(m, VSM_LAPIC_MSR_TSC_DEADLINE, value, before, allowed);
		break;
	case 8:
	case 9:
		post(m, (uint8_t)wide, argument);
		break;
	case 10:
	case 11:
		take(m, allowed);
		break;
	case 12:
		if (vsm_lapic_withdraw(apic, &m->last))
			allowed->withdrawn = m->last.vector;
		break;
	case 13:
		vsm_lapic_eoi(apic, &effect);
		follow(m, before, &effect, allowed);
		break;
	case 14:
		m->now += value & 0xffffffff;
		expire(m);
		break;
	case 15:
		assist(m, argument & 1, before, allowed);
		break;
	case 16:
		if (argument & 1)
			vsm_lapic_set_lint(apic, argument >> 1 & 3, value & 1);
		else
			vsm_lapic_post_local(apic, (enum vsm_lapic_lvt)(argument >> 1));
		break;
	case 17:
		if (vsm_lapic_ipi_from_msi(0xfee00000 | (value & 0xfffff), (uint32_t)(value >> 32),
					   argument & 1, &ipi))
			vsm_lapic_router_send(m->router, -1, &ipi, NULL);
		break;
	case 18:
		vsm_lapic_post_event(apic, wide, argument);
		if (argument & 1)
			require(!(vsm_lapic_take_events(apic, value, &sipi) & ~value));
		break;
	default:
		if (argument == 0)
			vsm_lapic_reset(apic);
		else if (argument == 1)
			vsm_lapic_init_reset(apic);
		else if (argument == 2)
			vsm_lapic_tsc_moved(apic, m->now, value);
		m->now = argument == 2 ? value : m->now;
		m->time_jumped |= argument == 2;
		allowed->any_change = argument <= 1;
		vsm_lapic_router_update(m->router, 0);
	}
}

static void load(struct machine *m, bool kvm, const uint8_t *blob, size_t size)
{
	uint8_t page[VSM_LAPIC_KVM_STATE_SIZE] = {0};
	struct vsm_lapic_state before, after, in_state = {0};
	const char *refused;

	vsm_lapic_save(&m->apic[0], &before);
	if (kvm) {
		vsm_lapic_save_kvm(&m->apic[0], m->now, page);
		memcpy(page, blob, size < sizeof(page) ? size : sizeof(page));
		refused = vsm_lapic_load_kvm(&m->apic[0], m->now, page);
	} else {
		in_state = before;
		/* Leaves the first fields, which are checked first, as they are. */
		memcpy((uint8_t *)&in_state + 24, blob,
		       size < sizeof(in_state) - 24 ? size : sizeof(in_state) - 24);
		refused = vsm_lapic_load(&m->apic[0], &in_state);
	}
	vsm_lapic_save(&m->apic[0], &after);
	if (refused)
		require(refused[0] && !memcmp(&before, &after, sizeof(after)));
	else if (!kvm)
		require(!memcmp(&in_state, &after, sizeof(after)));
	m->time_jumped = true;
	vsm_lapic_router_update(m->router, 0);
}

static void make(struct machine *m, uint8_t choice)
{
	static const struct {
		uint32_t tsc_khz, timer_khz;
	} rates[] = {{2000000, 200000}, {1, 1}, {2893433, 1000000}, {1000, 3999}};

	m->router = vsm_lapic_router_init(m->memory, sizeof(m->memory), APICS);
	require(m->router);
	for (uint32_t i = 0; i < APICS; i++) {
		struct vsm_lapic_config config = {
			.id = i,
			.flags = (uint32_t)choice >> 2 & 0x3f,
			.tsc_khz = rates[choice & 3].tsc_khz,
			.timer_khz = rates[choice & 3].timer_khz,
			.max_phys_bits = 40,
		};

		require(!vsm_lapic_init(&m->apic[i], &config));
		vsm_lapic_software_enable(&m->apic[i]);
		require(!vsm_lapic_router_add(m->router, i, &m->apic[i]));
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct machine machine;
	struct machine *m = &machine;

	if (size < 1)
		return 0;
	memset(m, 0, sizeof(*m));
	make(m, data[0]);
	for (data++, size--; size >= OPERATION; data += OPERATION, size -= OPERATION) {
		struct allowed allowed = {.taken = -1, .eoi = -1, .withdrawn = -1};
		struct vsm_lapic_state before;

		vsm_lapic_save(&m->apic[0], &before);
		if (data[0] >= 0xfe) {
			load(m, data[0] & 1, data + 1, size - 1);
			allowed.any_change = true;
			check_invariants(m, &before, &allowed);
			break;
		}
		operate(m, data, &before, &allowed);
		check_invariants(m, &before, &allowed);
	}
	return 0;
}
