/* SPDX-License-Identifier: BSD-2-Clause */
/* Creation, RESET, INIT and IA32_APIC_BASE: SDM 11.4.3 to 11.4.7, 11.12.1, 11.12.5. */
#include "internal.h"

#include <errno.h>
#include <string.h>

#define ALL_FEATURES                                                                          \
	(VSM_LAPIC_BSP | VSM_LAPIC_HAS_X2APIC | VSM_LAPIC_HAS_DEADLINE | VSM_LAPIC_HAS_CMCI | \
	 VSM_LAPIC_HAS_DIRECTED_EOI | VSM_LAPIC_ID_WRITABLE)

static enum vsm_lapic_mode mode_of(uint64_t base)
{
	if (!(base & LAPIC_BASE_EN))
		return VSM_LAPIC_DISABLED;
	return base & LAPIC_BASE_EXTD ? VSM_LAPIC_X2APIC : VSM_LAPIC_XAPIC;
}

enum vsm_lapic_mode vsm_lapic_mode(const struct vsm_lapic *apic)
{
	return mode_of(LAPIC_LOAD(&apic->apic_base));
}

bool vsm_lapic_is_software_enabled(const struct vsm_lapic *apic)
{
	return LAPIC_LOAD(&apic->svr) & LAPIC_SVR_ENABLE;
}

/* An APIC accepts vectors if hardware and software enable it (SDM 11.4.3, 11.4.7.2). */
bool lapic_accepts_messages(const struct vsm_lapic *apic)
{
	return vsm_lapic_mode(apic) != VSM_LAPIC_DISABLED && vsm_lapic_is_software_enabled(apic);
}

uint64_t vsm_lapic_mmio_base(const struct vsm_lapic *apic)
{
	uint64_t base = LAPIC_LOAD(&apic->apic_base);

	return mode_of(base) == VSM_LAPIC_XAPIC ? base & ~0xfffull : UINT64_MAX;
}

/* SDM 11.12.10.2: the cluster in the upper half, one of 16 bits in the lower half. */
uint32_t lapic_x2apic_ldr(uint32_t id)
{
	return (id >> 4) << 16 | 1u << (id & 15);
}

/* ID, LDR and DFR at the start of a mode. */
static void set_identity(struct vsm_lapic *apic)
{
	bool x2apic = vsm_lapic_mode(apic) == VSM_LAPIC_X2APIC;
	uint32_t id = apic->config.id;

	LAPIC_STORE(&apic->id, x2apic ? id : id & 0xff);
	LAPIC_STORE(&apic->ldr, x2apic ? lapic_x2apic_ldr(id) : 0);
	LAPIC_STORE(&apic->dfr, LAPIC_DFR_FLAT);
}

/*
 * The common part of RESET, INIT and a hardware disable. Keeps ID, base and events. A poster that
 * sets a bit of the IRR after it was cleared sees the new count, and clears the bit.
 */
static void clear_registers(struct vsm_lapic *apic)
{
	LAPIC_STORE(&apic->svr, LAPIC_SVR_RESET);
	__atomic_add_fetch(&apic->resets, 1, __ATOMIC_SEQ_CST);
	for (int i = 0; i < VSM_LAPIC_LVT_COUNT; i++)
		LAPIC_STORE(&apic->lvt[i], LAPIC_LVT_MASKED);
	for (int i = 0; i < 4; i++) {
		LAPIC_STORE(&apic->isr[i], 0);
		LAPIC_STORE(&apic->tmr[i], 0);
		LAPIC_STORE(&apic->auto_eoi[i], 0);
		__atomic_store_n(&apic->irr[i], 0, __ATOMIC_RELEASE);
	}
	apic->highest_isr = -1;
	apic->lazy_eoi = false;
	LAPIC_STORE(&apic->tpr, 0);
	LAPIC_STORE(&apic->errors, 0);
	apic->esr = 0;
	apic->icr = 0;
	apic->divide = 0;
	lapic_timer_disarm(apic);
}

int vsm_lapic_init(struct vsm_lapic *apic, const struct vsm_lapic_config *config)
{
	if (!config->tsc_khz || !config->timer_khz || config->flags & ~ALL_FEATURES ||
	    config->max_phys_bits < 32 || config->max_phys_bits > 52)
		return -EINVAL;
	if (config->id > 255 && !(config->flags & VSM_LAPIC_HAS_X2APIC))
		return -EINVAL;
	/* All ones is the broadcast ID, in either format (SDM 11.6.2). */
	if (config->id == UINT32_MAX ||
	    (config->id == 255 && !(config->flags & VSM_LAPIC_HAS_X2APIC)))
		return -EINVAL;

	memset(apic, 0, sizeof(*apic));
	apic->config = *config;
	vsm_lapic_reset(apic);
	return 0;
}

void vsm_lapic_reset(struct vsm_lapic *apic)
{
	uint64_t base = VSM_LAPIC_DEFAULT_BASE | LAPIC_BASE_EN;

	if (apic->config.flags & VSM_LAPIC_BSP)
		base |= LAPIC_BASE_BSP;
	LAPIC_STORE(&apic->apic_base, base);
	LAPIC_STORE(&apic->events, 0);
	clear_registers(apic);
	set_identity(apic);
}

void vsm_lapic_init_reset(struct vsm_lapic *apic)
{
	uint32_t id = apic->id;

	/*
	 * Posting an INIT drops earlier SIPIs: what is pending came after this INIT. Without one
	 * (HvCallStartVirtualProcessor) a SIPI has no effect, since the VP does not wait for it.
	 */
	__atomic_fetch_and(&apic->events,
			   VSM_LAPIC_EVENT_INIT | VSM_LAPIC_EVENT_SIPI |
				   0xffu << LAPIC_SIPI_VECTOR_SHIFT,
			   __ATOMIC_SEQ_CST);
	clear_registers(apic);
	set_identity(apic);
	LAPIC_STORE(&apic->id, id);
}

void vsm_lapic_software_enable(struct vsm_lapic *apic)
{
	lapic_write_svr(apic, LAPIC_SVR_ENABLE | LAPIC_SVR_RESET);
}

bool lapic_base_is_legal(const struct vsm_lapic *apic, uint64_t base)
{
	uint64_t address = ((1ull << apic->config.max_phys_bits) - 1) & ~0xfffull;
	uint64_t legal = address | LAPIC_BASE_BSP | LAPIC_BASE_EN;

	if (apic->config.flags & VSM_LAPIC_HAS_X2APIC)
		legal |= LAPIC_BASE_EXTD;
	return !(base & ~legal) && (base & LAPIC_BASE_EN || !(base & LAPIC_BASE_EXTD));
}

bool lapic_write_base(struct vsm_lapic *apic, uint64_t base, struct vsm_lapic_effect *effect)
{
	/* SDM figure 11-27: x2APIC mode is entered from xAPIC mode, and left by disabling. */
	static const bool legal[3][3] = {
		[VSM_LAPIC_DISABLED] = {[VSM_LAPIC_DISABLED] = true, [VSM_LAPIC_XAPIC] = true},
		[VSM_LAPIC_XAPIC] = {true, true, true},
		[VSM_LAPIC_X2APIC] = {[VSM_LAPIC_DISABLED] = true, [VSM_LAPIC_X2APIC] = true},
	};
	enum vsm_lapic_mode from = vsm_lapic_mode(apic), to = mode_of(base);

	if (!lapic_base_is_legal(apic, base) || !legal[from][to])
		return false;
	LAPIC_STORE(&apic->apic_base, base);
	if (from == to)
		return true;

	effect->flags |= VSM_LAPIC_EFFECT_ROUTE;
	if (to == VSM_LAPIC_DISABLED) {
		clear_registers(apic);
		effect->flags |= VSM_LAPIC_EFFECT_PENDING | VSM_LAPIC_EFFECT_TIMER;
	}
	set_identity(apic);
	return true;
}
