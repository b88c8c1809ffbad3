/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * One local APIC (xAPIC and x2APIC), and a router for many of them.
 *
 * Stand-alone: the structures belong to the caller; nothing here allocates, does I/O, reads a
 * clock, or keeps global state. SDM is the Intel 64 and IA-32 Software Developer's Manual, volume
 * 3A, whose chapter 11 (10 in older editions) is the APIC; TLFS the Hyper-V Top Level Functional
 * Specification.
 *
 * Threads. Every APIC has one owner, the thread that runs its virtual processor (VP). In the list
 * of functions below
 *
 *   [any]    may be called from any thread at any time, takes no lock and never waits;
 *   [owner]  only from the owner (or while the VP is stopped).
 *
 * A post returns whether the owner must be notified (enum vsm_lapic_posted). The owner's loop is
 *
 *   vsm_lapic_look(apic);                       later posts return KICK
 *   if (vsm_lapic_events(apic)) ...             NMI, SMI, INIT, SIPI, ExtINT
 *   if (vsm_lapic_pending(apic) >= 0 && the VP can take an interrupt)
 *           vsm_lapic_take(apic, &taken);       then inject taken.vector
 *   run the VP until an exit, a kick or vsm_lapic_next_deadline()
 *
 * Time. `now` is always the guest's time-stamp counter, in TSC ticks, and so is every deadline that
 * is returned. The caller supplies both frequencies at vsm_lapic_init().
 */
#ifndef VSM_LAPIC_H
#define VSM_LAPIC_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define VSM_LAPIC_DEFAULT_BASE 0xfee00000u
#define VSM_LAPIC_PAGE_SIZE    0x1000u

#define VSM_LAPIC_NEVER UINT64_MAX

/* MSRs of the APIC (SDM vol. 4, chapter 2; TLFS "Virtual interrupt controller MSRs"). */
#define VSM_LAPIC_MSR_BASE	   0x1bu
#define VSM_LAPIC_MSR_TSC_DEADLINE 0x6e0u
#define VSM_LAPIC_MSR_X2APIC_FIRST 0x800u
#define VSM_LAPIC_MSR_X2APIC_LAST  0x8ffu
#define VSM_LAPIC_MSR_HV_EOI	   0x40000070u
#define VSM_LAPIC_MSR_HV_ICR	   0x40000071u
#define VSM_LAPIC_MSR_HV_TPR	   0x40000072u

/* Modes, by IA32_APIC_BASE bits 11 (EN) and 10 (EXTD): SDM 11.12.1. */
enum vsm_lapic_mode {
	VSM_LAPIC_DISABLED = 0,
	VSM_LAPIC_XAPIC = 1,
	VSM_LAPIC_X2APIC = 2,
};

/* Delivery modes: SDM 11.6.1, 11.11.2. */
enum vsm_lapic_delivery {
	VSM_LAPIC_FIXED = 0,
	VSM_LAPIC_LOWEST_PRIORITY = 1,
	VSM_LAPIC_SMI = 2,
	VSM_LAPIC_NMI = 4,
	VSM_LAPIC_INIT = 5,
	VSM_LAPIC_SIPI = 6,
	VSM_LAPIC_EXTINT = 7,
};

/* Destination shorthands: SDM 11.6.1. */
enum vsm_lapic_shorthand {
	VSM_LAPIC_TO_DESTINATION = 0,
	VSM_LAPIC_TO_SELF = 1,
	VSM_LAPIC_TO_ALL = 2,
	VSM_LAPIC_TO_OTHERS = 3,
};

enum vsm_lapic_trigger {
	VSM_LAPIC_EDGE = 0,
	VSM_LAPIC_LEVEL = 1, /* its EOI goes to the I/O APICs */
	/*
	 * Edge, and the vector sets no bit in the ISR when it is taken, so that the guest sends no
	 * EOI: a SINT or VINA with AutoEOI (TLFS "SINTx registers").
	 */
	VSM_LAPIC_AUTO_EOI = 2,
};

enum vsm_lapic_posted {
	/*
	 * Not accepted: APIC disabled (by hardware, or by software for vectors), masked LVT entry,
	 * illegal vector. If an illegal vector requests the error interrupt (SDM 11.5.3), the
	 * result is that of this interrupt.
	 */
	VSM_LAPIC_IGNORED = 0,
	/* Merged with the same vector or event, which was pending. */
	VSM_LAPIC_COALESCED = 1,
	/* New; the owner processes it at its next vsm_lapic_look() without a kick. */
	VSM_LAPIC_QUEUED = 2,
	/* New, and the owner must be made to call vsm_lapic_look(): wake it or make it exit. */
	VSM_LAPIC_KICK = 3,
};

/* Events that are not vectors. */
#define VSM_LAPIC_EVENT_NMI    (1u << 0)
#define VSM_LAPIC_EVENT_SMI    (1u << 1)
#define VSM_LAPIC_EVENT_INIT   (1u << 2)
#define VSM_LAPIC_EVENT_SIPI   (1u << 3) /* with vsm_lapic_take_events()'s *sipi_vector */
#define VSM_LAPIC_EVENT_EXTINT (1u << 4)
/* With _NMI: two NMIs are pending. Further NMIs are dropped. */
#define VSM_LAPIC_EVENT_NMI_AGAIN (1u << 5)

/* Local interrupt sources, in the order of the LVT's x2APIC MSRs (SDM 11.5.1). */
enum vsm_lapic_lvt {
	VSM_LAPIC_LVT_CMCI = 0,
	VSM_LAPIC_LVT_TIMER = 1,
	VSM_LAPIC_LVT_THERMAL = 2,
	VSM_LAPIC_LVT_PERFORMANCE = 3,
	VSM_LAPIC_LVT_LINT0 = 4,
	VSM_LAPIC_LVT_LINT1 = 5,
	VSM_LAPIC_LVT_ERROR = 6,
	VSM_LAPIC_LVT_COUNT = 7,
};

/* Bits of the error status register: SDM 11.5.3. */
#define VSM_LAPIC_ESR_SEND_ACCEPT     (1u << 2)
#define VSM_LAPIC_ESR_RECEIVE_ACCEPT  (1u << 3)
#define VSM_LAPIC_ESR_REDIRECTABLE    (1u << 4)
#define VSM_LAPIC_ESR_SEND_VECTOR     (1u << 5)
#define VSM_LAPIC_ESR_RECEIVE_VECTOR  (1u << 6)
#define VSM_LAPIC_ESR_ILLEGAL_ADDRESS (1u << 7)

/* An interrupt message of an ICR, an MSI or an I/O APIC. */
struct vsm_lapic_ipi {
	uint32_t destination; /* 8 bits, or 32 with VSM_LAPIC_IPI_WIDE */
	uint8_t vector;
	uint8_t delivery;  /* enum vsm_lapic_delivery */
	uint8_t shorthand; /* enum vsm_lapic_shorthand */
	uint8_t flags;	   /* VSM_LAPIC_IPI_* */
};

#define VSM_LAPIC_IPI_LOGICAL (1u << 0) /* destination mode: logical, not physical */
#define VSM_LAPIC_IPI_LEVEL   (1u << 1) /* level-triggered (never from an ICR: SDM table 11-3) */
/* The destination has 32 bits (x2APIC format): all ones is the broadcast, 255 is not. */
#define VSM_LAPIC_IPI_WIDE (1u << 2)

/* Actions for the caller; several may be set. */
struct vsm_lapic_effect {
	uint32_t flags;		  /* VSM_LAPIC_EFFECT_* */
	uint8_t eoi_vector;	  /* with _EOI */
	struct vsm_lapic_ipi ipi; /* with _IPI */
};

/* Send .ipi with vsm_lapic_router_send() or another router. Not set for the shorthand "self". */
#define VSM_LAPIC_EFFECT_IPI (1u << 0)
/* An EOI took .eoi_vector out of the ISR (the SynIC then checks its message queues). */
#define VSM_LAPIC_EFFECT_EOI (1u << 1)
/* With _EOI: the vector was level-triggered and the I/O APICs must be notified (SDM 11.8.5). */
#define VSM_LAPIC_EFFECT_EOI_BROADCAST (1u << 2)
/* Priority or pending vectors changed: vsm_lapic_pending() may have changed. */
#define VSM_LAPIC_EFFECT_PENDING (1u << 3)
/* vsm_lapic_next_deadline() changed. */
#define VSM_LAPIC_EFFECT_TIMER (1u << 4)
/* ID, LDR, DFR or mode changed: call vsm_lapic_router_update(). */
#define VSM_LAPIC_EFFECT_ROUTE (1u << 5)

#define VSM_LAPIC_BSP	       (1u << 0) /* IA32_APIC_BASE.BSP at reset */
#define VSM_LAPIC_HAS_X2APIC   (1u << 1) /* CPUID.1:ECX[21] */
#define VSM_LAPIC_HAS_DEADLINE (1u << 2) /* CPUID.1:ECX[24] */
#define VSM_LAPIC_HAS_CMCI     (1u << 3) /* LVT CMCI; the version register counts 7 LVT entries */
/* SVR[12] and version[24] exist: the guest may suppress EOI broadcasts (SDM 11.8.5). */
#define VSM_LAPIC_HAS_DIRECTED_EOI (1u << 4)
/* The xAPIC ID register is writable. (The TLFS permits a read-only ID, as in newer hardware.) */
#define VSM_LAPIC_ID_WRITABLE (1u << 5)

struct vsm_lapic_config {
	uint32_t id;	    /* initial (x2APIC) ID; its low 8 bits are the xAPIC ID */
	uint32_t flags;	    /* features above */
	uint32_t tsc_khz;   /* rate of `now`, 1 or more */
	uint32_t timer_khz; /* rate of the undivided timer, 1 or more (TLFS: APIC_FREQUENCY MSR) */
	/*
	 * Shortest period of the periodic timer, in TSC ticks, which replaces shorter ones: a guest
	 * must not keep the host busy. 0: no limit.
	 */
	uint32_t min_period;
	uint8_t max_phys_bits; /* CPUID.80000008:EAX[7:0], 32 to 52: legal bits of IA32_APIC_BASE */
};

/*
 * The fields are private; the caller provides the memory. Legend: `c` set by vsm_lapic_init(); `o`
 * accessed only by the owner; `w` written by the owner, read by any thread; `a` written by any
 * thread (atomically).
 */
struct vsm_lapic {
	/* The cache line that posts write. */
	uint64_t irr[4] __attribute__((aligned(64))); /* a: one bit per vector */
	uint32_t attention;   /* a: 1 from the first post after vsm_lapic_look() to the next look */
	uint32_t events;      /* a: VSM_LAPIC_EVENT_*, the SIPI vector in bits 15:8 */
	uint32_t errors;      /* a: errors detected since the last write to the ESR */
	uint32_t lint_line;   /* a: level of the LINT0 (bit 0) and LINT1 (bit 1) inputs */
	uint32_t resets;      /* w: how often the IRR was cleared as a whole */
	uint64_t tmr[4];      /* a: level-triggered vectors */
	uint64_t auto_eoi[4]; /* a: vectors accepted as VSM_LAPIC_AUTO_EOI */
	uint64_t isr[4];      /* w: vectors in service */
	uint64_t apic_base;   /* w: IA32_APIC_BASE */
	uint32_t svr;	      /* w */
	uint32_t tpr;	      /* w */
	uint32_t lvt
		[VSM_LAPIC_LVT_COUNT]; /* a: remote IRR is set by posters, the rest by the owner */
	uint32_t id;		       /* w: current ID register: xAPIC ID (8 bits) or x2APIC ID */
	uint32_t ldr;		       /* w: as the register reads in the current mode */
	uint32_t dfr;		       /* w */
	uint32_t esr;		       /* o: as last latched */
	uint64_t icr;		       /* o: x2APIC form; bits 63:56 or 63:32 are the destination */
	uint32_t initial_count;	       /* o */
	uint32_t divide;	       /* o: divide configuration register */
	bool timer_armed;	       /* o */
	bool lazy_eoi;		       /* o: the guest may skip the next EOI */
	int16_t highest_isr;	       /* o: highest vector in isr, or -1 */
	uint64_t timer_expiry;	       /* o: counting modes: in clocks of the undivided timer */
	uint64_t tsc_deadline;	       /* o: IA32_TSC_DEADLINE while armed, else 0 */
	uint64_t deadline;	       /* o: TSC value of the next vsm_lapic_expire() */
	struct vsm_lapic_config config; /* c */
};

/* ----------------------------------------------------------------- setting up and resetting --- */

/*
 * Makes @apic a local APIC in its power-up state, enabled (xAPIC mode) at VSM_LAPIC_DEFAULT_BASE.
 * Returns 0, or -EINVAL (with @apic unchanged) for a frequency of 0, max_phys_bits out of 32..52,
 * an unknown flag, an ID of 0xffffffff, or one of 255 and more without VSM_LAPIC_HAS_X2APIC.
 * [owner]
 */
int vsm_lapic_init(struct vsm_lapic *apic, const struct vsm_lapic_config *config);

/* Sets the state after power-up or RESET, also of IA32_APIC_BASE (SDM 11.4.7.1). [owner] */
void vsm_lapic_reset(struct vsm_lapic *apic);

/*
 * Sets the state after INIT: as after RESET, but ID, IA32_APIC_BASE and thereby the mode and the
 * x2APIC LDR are kept (SDM 11.4.7.3, 11.12.5.1). Pending events are dropped, except an INIT or a
 * SIPI that was posted after this INIT. Call vsm_lapic_router_update() afterwards. [owner]
 */
void vsm_lapic_init_reset(struct vsm_lapic *apic);

/*
 * Sets SVR to 0x1ff after a reset. VTLs above 0 start with an enabled APIC, since some secure
 * kernels expect interrupts without writing the SVR. [owner]
 */
void vsm_lapic_software_enable(struct vsm_lapic *apic);

/* ----------------------------------------------------------------------------- guest access --- */

/* The mode. [any] */
enum vsm_lapic_mode vsm_lapic_mode(const struct vsm_lapic *apic);

/* Whether SVR[8] is set: the APIC accepts vectors. [any] */
bool vsm_lapic_is_software_enabled(const struct vsm_lapic *apic);

/*
 * The GPA of the register page, or UINT64_MAX if there is none (disabled, or x2APIC mode). Pass
 * accesses to that page to the two functions below. [owner]
 */
uint64_t vsm_lapic_mmio_base(const struct vsm_lapic *apic);

/*
 * A guest's read of @size bytes (1 to 8) at @offset into the register page. Registers are 32 bits
 * wide and 16 bytes apart; a read within a register returns its bytes, other reads return 0 (SDM
 * 11.4.1 leaves them undefined). A read of a reserved address sets ESR bit 7, which can cause
 * effects (*@effect). [owner]
 *
 * Returns: true; false, with *value 0: the APIC has no register page in its mode, or @offset is
 * beyond it.
 */
bool vsm_lapic_mmio_read(struct vsm_lapic *apic, uint64_t now, uint32_t offset, uint32_t size,
			 uint64_t *value, struct vsm_lapic_effect *effect);

/*
 * A guest's write to the register page, with the arguments and results of vsm_lapic_mmio_read().
 * Ignored unless it is an aligned 32-bit write to a register; reserved bits are ignored, and a
 * reserved address sets ESR bit 7. [owner]
 */
bool vsm_lapic_mmio_write(struct vsm_lapic *apic, uint64_t now, uint32_t offset, uint32_t size,
			  uint64_t value, struct vsm_lapic_effect *effect);

/*
 * RDMSR and WRMSR of every MSR of the APIC: IA32_APIC_BASE, IA32_TSC_DEADLINE, 0x800 to 0x8ff (SDM
 * 11.12.1.2), and the synthetic EOI, ICR and TPR of the TLFS. False: the guest gets #GP(0), nothing
 * changed. The legal mode transitions are those of SDM figure 11-27; turning the APIC off puts it
 * into the power-up state. IA32_TSC_DEADLINE reads as 0 and ignores writes outside TSC-deadline
 * mode (SDM 11.5.4.1). Synthetic ICR: bits 63:32 as ICR high, in x2APIC mode the 32-bit
 * destination. The caller first checks the partition's privileges for the synthetic MSRs. [owner]
 */
bool vsm_lapic_msr_read(struct vsm_lapic *apic, uint64_t now, uint32_t msr, uint64_t *value);
bool vsm_lapic_msr_write(struct vsm_lapic *apic, uint64_t now, uint32_t msr, uint64_t value,
			 struct vsm_lapic_effect *effect);

/*
 * HvCallGetVpRegisters / HvCallSetVpRegisters of the APIC registers 0x00084800 + @reg, where @reg
 * is the x2APIC MSR minus 0x800 (TLFS "Virtual processor register names"). The format is that of
 * the MSR in every mode (ID in the low bits, ICR of 64 bits), except that the destination of the
 * ICR is in bits 63:56 in xAPIC mode. False: there is no such register, it cannot be read
 * (written), or the value is not legal; nothing changed. Setting has the effects of a guest's
 * write; it fails in disabled mode. [owner]
 */
bool vsm_lapic_get_register(struct vsm_lapic *apic, uint64_t now, uint32_t reg, uint64_t *value);
bool vsm_lapic_set_register(struct vsm_lapic *apic, uint64_t now, uint32_t reg, uint64_t value,
			    struct vsm_lapic_effect *effect);

/* The name of a register by x2APIC MSR minus 0x800 ("TPR"), or NULL. [any] */
const char *vsm_lapic_register_name(uint32_t reg);

/* TPR as a byte, and as CR8 (its upper four bits: SDM 11.8.6). [owner] */
uint8_t vsm_lapic_tpr(const struct vsm_lapic *apic);
void vsm_lapic_set_tpr(struct vsm_lapic *apic, uint8_t tpr);
uint8_t vsm_lapic_cr8(const struct vsm_lapic *apic);
void vsm_lapic_set_cr8(struct vsm_lapic *apic, uint8_t cr8);

/* The processor priority register (SDM 11.8.3.1). [owner] */
uint8_t vsm_lapic_ppr(const struct vsm_lapic *apic);

/* ---------------------------------------------------------------------------------- posting --- */

/*
 * Requests interrupt @vector. A vector below 16 sets ESR bit 6 and is not accepted (SDM 11.5.2), but
 * may request the error interrupt, which can need a kick; an APIC that is disabled, by hardware or
 * software, accepts none (SDM 11.4.7.2). [any]
 *
 * If one vector is posted with different triggers at the same time, the TMR gets either trigger.
 */
enum vsm_lapic_posted vsm_lapic_post(struct vsm_lapic *apic, uint8_t vector,
				     enum vsm_lapic_trigger trigger);

/*
 * Posts one event, VSM_LAPIC_EVENT_*; @sipi_vector is used only by SIPI. An INIT drops a pending
 * SIPI; a SIPI is ignored while one is pending. Accepted in every mode, as an input pin. [any]
 */
enum vsm_lapic_posted vsm_lapic_post_event(struct vsm_lapic *apic, uint32_t event,
					   uint8_t sipi_vector);

/*
 * Posts message @ipi to this APIC: vsm_lapic_post() or vsm_lapic_post_event(), by delivery mode;
 * lowest priority counts as fixed. The caller has matched the destination, as the router does.
 * Ignored: a reserved delivery mode, and any message while the APIC is disabled by hardware. [any]
 */
enum vsm_lapic_posted vsm_lapic_post_message(struct vsm_lapic *apic,
					     const struct vsm_lapic_ipi *ipi);

/*
 * A local source (performance counter, thermal sensor, CMCI; the timer and errors are internal)
 * requests its interrupt: delivered by its LVT entry, ignored if that is masked. For LINT0 and
 * LINT1: one request, independent of the input's level. [any]
 */
enum vsm_lapic_posted vsm_lapic_post_local(struct vsm_lapic *apic, enum vsm_lapic_lvt lvt);

/*
 * Input LINT@pin (0 or 1) changes to @level. A rising edge is delivered by the LVT entry; also a
 * high level if the entry is that of LINT0, level-triggered and fixed. A level-triggered interrupt
 * sets remote IRR and is delivered again after its EOI while the line stays high (SDM 11.5.1). The
 * caller handles polarity: @level true means asserted. [any]
 */
enum vsm_lapic_posted vsm_lapic_set_lint(struct vsm_lapic *apic, unsigned int pin, bool level);

/*
 * True if an interrupt of the 8259 reaches the processor: LINT0 is unmasked with delivery mode
 * ExtINT, or the APIC is disabled by hardware (SDM 11.4.3, 11.5.1). [any]
 */
bool vsm_lapic_accepts_extint(const struct vsm_lapic *apic);

/* True if the 8259 raises LINT0, and vsm_lapic_accepts_extint(). [any] */
bool vsm_lapic_extint_waits(const struct vsm_lapic *apic);

/* ------------------------------------------------------------------------------- delivering --- */

/*
 * Clears the attention word: everything posted so far is visible to the owner's next calls, and the
 * next new post returns VSM_LAPIC_KICK. [owner]
 *
 * Returns: whether something was posted since the last look.
 */
bool vsm_lapic_look(struct vsm_lapic *apic);

/* Whether something was posted since the last look. Does not change the results of posts. [any] */
bool vsm_lapic_has_posted(const struct vsm_lapic *apic);

/*
 * The vector that the processor would be given now: the highest in the IRR if its class is above
 * that of the PPR, else -1. May be called for the APIC of an inactive VTL. [owner]
 */
int vsm_lapic_pending(const struct vsm_lapic *apic);

/* The highest vector in the IRR and in the ISR, whatever the priority; -1 if none. [owner] */
int vsm_lapic_highest_irr(const struct vsm_lapic *apic);
int vsm_lapic_highest_isr(const struct vsm_lapic *apic);

struct vsm_lapic_taken {
	uint8_t vector;
	bool auto_eoi; /* its bit in the ISR was not set */
};

/*
 * Gives the vector of vsm_lapic_pending() to the processor: moves it from the IRR to the ISR, or
 * only clears its bit in the IRR for VSM_LAPIC_AUTO_EOI. False: nothing is deliverable. Call
 * vsm_lapic_resolve_eoi() before, if vsm_lapic_is_skipping_eoi(). [owner]
 */
bool vsm_lapic_take(struct vsm_lapic *apic, struct vsm_lapic_taken *taken);

/*
 * As vsm_lapic_take() for a processor that has already begun an interrupt acknowledge cycle: if
 * nothing is deliverable any more, the spurious vector, which sets no ISR bit (SDM 11.9). [owner]
 */
uint8_t vsm_lapic_acknowledge(struct vsm_lapic *apic);

/*
 * Undoes vsm_lapic_take() if the processor did not get the vector (the VP was suspended, or another
 * VTL runs first). A later post of the same vector merges with it. Returns false and changes
 * nothing if the vector is not the highest in service, unless it was taken with auto_eoi. [owner]
 */
bool vsm_lapic_withdraw(struct vsm_lapic *apic, const struct vsm_lapic_taken *taken);

/* Takes the highest vector out of the ISR; ignored if the ISR is empty. [owner] */
void vsm_lapic_eoi(struct vsm_lapic *apic, struct vsm_lapic_effect *effect);

/* Pending events, VSM_LAPIC_EVENT_*. [owner] */
uint32_t vsm_lapic_events(const struct vsm_lapic *apic);

/*
 * Takes the pending events of @mask and returns them; NMI in @mask includes NMI_AGAIN. With SIPI,
 * *sipi_vector is its vector; sipi_vector may be NULL if SIPI is not in @mask. [owner]
 */
uint32_t vsm_lapic_take_events(struct vsm_lapic *apic, uint32_t mask, uint8_t *sipi_vector);

/* ------------------------------------------------------------------- EOI assist of the TLFS --- */

/*
 * "No EOI required", bit 0 of the VP assist page. The caller owns the page. Before each entry into
 * the guest, after vsm_lapic_look():
 *
 *   if (vsm_lapic_may_skip_eoi(apic)) { set the bit; vsm_lapic_skip_eoi(apic); }
 *
 * and after every exit, or before leaving this VTL, before any other call on the APIC:
 *
 *   if (vsm_lapic_is_skipping_eoi(apic))
 *           vsm_lapic_resolve_eoi(apic, test_and_clear(the bit), &effect);
 */

/*
 * True if one edge-triggered vector is in the ISR, no other, the IRR is empty, and not
 * vsm_lapic_is_skipping_eoi(). [owner]
 */
bool vsm_lapic_may_skip_eoi(const struct vsm_lapic *apic);

/* Call after the bit was set, and only after vsm_lapic_may_skip_eoi() returned true. [owner] */
void vsm_lapic_skip_eoi(struct vsm_lapic *apic);

/* True between vsm_lapic_skip_eoi() and vsm_lapic_resolve_eoi(). [owner] */
bool vsm_lapic_is_skipping_eoi(const struct vsm_lapic *apic);

/*
 * Call after the bit was read and cleared, atomically. If the guest has cleared the bit before, its
 * handler has ended: the EOI is done now. Otherwise the guest sends the EOI later. [owner]
 */
void vsm_lapic_resolve_eoi(struct vsm_lapic *apic, bool bit_was_set,
			   struct vsm_lapic_effect *effect);

/* ------------------------------------------------------------------------------------ timer --- */

/* When vsm_lapic_expire() is due, in TSC ticks, or VSM_LAPIC_NEVER. May lie in the past. [owner] */
uint64_t vsm_lapic_next_deadline(const struct vsm_lapic *apic);

/*
 * Processes the timer up to @now: posts its interrupt (once for all periods that passed), reloads
 * or stops. Early calls are harmless. [owner]
 *
 * Returns: the result of the post; VSM_LAPIC_IGNORED if the timer was not due or its LVT entry is
 * masked.
 */
enum vsm_lapic_posted vsm_lapic_expire(struct vsm_lapic *apic, uint64_t now);

/*
 * The guest's TSC jumped from @before to @after (a write to IA32_TSC or IA32_TSC_ADJUST): a count
 * in progress continues; a TSC deadline is unchanged. [owner]
 */
void vsm_lapic_tsc_moved(struct vsm_lapic *apic, uint64_t before, uint64_t after);

/* ----------------------------------------------------------------------- saving and loading --- */

#define VSM_LAPIC_STATE_MAGIC	0x4350414cu /* "LAPC" */
#define VSM_LAPIC_STATE_VERSION 1u

/* The whole state, little-endian, without padding. Times as in struct vsm_lapic. */
struct vsm_lapic_state {
	uint32_t magic;
	uint16_t version;
	uint16_t size; /* of this structure */
	uint32_t initial_id;
	uint32_t features; /* vsm_lapic_config.flags */
	uint32_t tsc_khz;
	uint32_t timer_khz;
	uint64_t apic_base;
	uint64_t icr;
	uint64_t timer_expiry;
	uint64_t tsc_deadline;
	uint32_t id;
	uint32_t ldr;
	uint32_t dfr;
	uint32_t tpr;
	uint32_t svr;
	uint32_t esr;
	uint32_t errors;
	uint32_t initial_count;
	uint32_t divide;
	uint32_t lvt[VSM_LAPIC_LVT_COUNT];
	uint32_t irr[8];
	uint32_t isr[8];
	uint32_t tmr[8];
	uint32_t auto_eoi[8];
	uint32_t events;
	uint8_t timer_armed;
	uint8_t lazy_eoi;
	uint8_t lint_line;
	uint8_t reserved;
};

/* Saves the state. Concurrent posts may or may not be in it. [owner] */
void vsm_lapic_save(const struct vsm_lapic *apic, struct vsm_lapic_state *state);

/*
 * Loads a saved state into an APIC made by vsm_lapic_init() with the same configuration. Everything
 * is checked: the bytes may be untrusted. Call vsm_lapic_router_update() and vsm_lapic_look()
 * afterwards. [owner], without concurrent posts.
 *
 * Returns: NULL, or the name of the field that is not legal; then nothing changed.
 */
const char *vsm_lapic_load(struct vsm_lapic *apic, const struct vsm_lapic_state *state);

#define VSM_LAPIC_KVM_STATE_SIZE 1024u

/*
 * Save and load in the layout of KVM's struct kvm_lapic_state, a register page of 1 KiB with the ID
 * in the form of KVM_X2APIC_API_USE_32BIT_IDS. That layout has no IA32_APIC_BASE, no
 * IA32_TSC_DEADLINE, no events, no pending errors, no AutoEOI and no lines: loading keeps base,
 * mode, events and lines, and clears the rest. PPR, version and APR are ignored on load.
 * vsm_lapic_load_kvm() returns as vsm_lapic_load(). [owner]
 */
void vsm_lapic_save_kvm(const struct vsm_lapic *apic, uint64_t now,
			uint8_t page[VSM_LAPIC_KVM_STATE_SIZE]);
const char *vsm_lapic_load_kvm(struct vsm_lapic *apic, uint64_t now,
			       const uint8_t page[VSM_LAPIC_KVM_STATE_SIZE]);

/* ----------------------------------------------------------------------------------- router --- */

#define VSM_LAPIC_ROUTER_MAX   2048u
#define VSM_LAPIC_ROUTER_WORDS (VSM_LAPIC_ROUTER_MAX / 64u)

/* A set of APICs, by index in the router. */
struct vsm_lapic_targets {
	uint32_t count;
	uint32_t words; /* words of map that the router uses; the others are not initialized */
	uint64_t map[VSM_LAPIC_ROUTER_WORDS];
};

/*
 * Finds the target APICs of a message, among APICs that can send to each other, such as
 * those of one VTL. The caller provides the memory.
 *
 * Threads: vsm_lapic_router_add() by one thread at a time; vsm_lapic_router_update() of an APIC by
 * its owner; all other functions by any thread, without a lock. While an APIC changes its ID, LDR,
 * DFR or mode, a message may match the old value, the new one, or both; it is sent once.
 */
struct vsm_lapic_router;

/*
 * Bytes of memory for a router of @count APICs (1 to VSM_LAPIC_ROUTER_MAX), 0 if out of range.
 * [any]
 */
size_t vsm_lapic_router_size(uint32_t count);

/*
 * Makes a router in @memory, of vsm_lapic_router_size() bytes, aligned to 64. NULL: @count is out
 * of range, @size too small or @memory not aligned.
 */
struct vsm_lapic_router *vsm_lapic_router_init(void *memory, size_t size, uint32_t count);

/*
 * Adds @apic as number @index. Returns 0; -EINVAL if @index is out of range; -EEXIST if the index
 * or the initial ID of the APIC is taken. The APIC must not move while the router is used.
 */
int vsm_lapic_router_add(struct vsm_lapic_router *router, uint32_t index, struct vsm_lapic *apic);

/*
 * Updates the router with the ID, LDR, DFR and mode of APIC @index: after VSM_LAPIC_EFFECT_ROUTE, a
 * reset or a load. No effect for an index that is not in use. [owner of that APIC]
 */
void vsm_lapic_router_update(struct vsm_lapic_router *router, uint32_t index);

/* The APIC with number @index, or NULL. [any] */
struct vsm_lapic *vsm_lapic_router_apic(const struct vsm_lapic_router *router, uint32_t index);

/* The index of the APIC whose initial (x2APIC) ID is @id, or -1. [any] */
int vsm_lapic_router_find(const struct vsm_lapic_router *router, uint32_t id);

/*
 * Finds the targets of @ipi (SDM 11.6.2, 11.12.9, 11.12.10): fills @targets. @source is the index
 * of the sender for the shorthands, -1 for a device, for which no shorthand except "all" has
 * targets. With lowest priority at most one target is chosen: a focus processor if there is one,
 * else one of lowest priority; the vector breaks ties (SDM 11.6.2.4). An APIC that is disabled by
 * hardware is never a target. [any]
 *
 * Returns: the number of targets.
 */
uint32_t vsm_lapic_router_route(const struct vsm_lapic_router *router, int source,
				const struct vsm_lapic_ipi *ipi, struct vsm_lapic_targets *targets);

/*
 * Routes @ipi and posts it to each target. @kick, if not NULL, receives the targets whose post
 * returned VSM_LAPIC_KICK. [any]
 *
 * Returns: the highest result of the posts: VSM_LAPIC_IGNORED if no APIC accepted it,
 * VSM_LAPIC_COALESCED if it merged with a pending one in every target that accepted it.
 */
enum vsm_lapic_posted vsm_lapic_router_send(const struct vsm_lapic_router *router, int source,
					    const struct vsm_lapic_ipi *ipi,
					    struct vsm_lapic_targets *kick);

/*
 * The next index in @targets above @after (-1 to begin), or -1 at the end:
 *
 *   for (int i = -1; (i = vsm_lapic_targets_next(&targets, i)) >= 0;)
 */
int vsm_lapic_targets_next(const struct vsm_lapic_targets *targets, int after);

/*
 * Decodes a message-signalled interrupt (SDM 11.11). @extended: bits 11:5 of the address are bits
 * 14:8 of the destination, as a VMM may offer without interrupt remapping; the message is then WIDE
 * unless its destination is the 8-bit broadcast 255. [any]
 *
 * Returns: false if @address is not 0xfeexxxxx, the delivery mode is reserved (SIPI is, for an
 * MSI), or the message is a level de-assert.
 */
bool vsm_lapic_ipi_from_msi(uint64_t address, uint32_t data, bool extended,
			    struct vsm_lapic_ipi *ipi);

#ifdef __cplusplus
}
#endif

#endif
