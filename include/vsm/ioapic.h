/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * One I/O APIC: Intel 82093AA (version 0x11) and the one in the ICH family (version 0x20).
 *
 * A stand-alone module: the caller owns the structure and the memory map; there is no allocation,
 * no I/O, no clock and no global state, and the library needs only memcpy and memset.
 *
 * Threads: the caller serialises calls on one `struct vsm_ioapic`; different structures are
 * independent. The callback runs on the calling thread, and must not call back into the same I/O
 * APIC.
 *
 * Sources: [DS] Intel 82093AA data sheet (order number 290566), [ICH] Intel I/O Controller Hub data
 * sheets, chapter "Advanced Programmable Interrupt Controller"; [SDM] volume 3, "Message Signalled
 * Interrupts".
 */
#ifndef VSM_IOAPIC_H
#define VSM_IOAPIC_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define VSM_IOAPIC_DEFAULT_BASE 0xfec00000u
#define VSM_IOAPIC_MMIO_SIZE	0x100u /* bytes decoded from the base on */
#define VSM_IOAPIC_DEFAULT_PINS 24u
#define VSM_IOAPIC_MAX_PINS	240u /* the most that the version register may report [DS 3.2.2] */

/* Offsets from the base [DS 3.1], [ICH]. Each is 32 bits wide. */
#define VSM_IOAPIC_MMIO_INDEX 0x00u
#define VSM_IOAPIC_MMIO_DATA  0x10u
#define VSM_IOAPIC_MMIO_EOI   0x40u /* only version 0x20 */

/*
 * Values of the index register [DS 3.2]. With more than 120 pins, the register has 9 bits, for
 * guests that write all 32 bits.
 */
#define VSM_IOAPIC_REG_ID	   0x00u
#define VSM_IOAPIC_REG_VERSION	   0x01u
#define VSM_IOAPIC_REG_ARBITRATION 0x02u
#define VSM_IOAPIC_REG_BOOT	   0x03u /* only version 0x20 */
#define VSM_IOAPIC_REG_ENTRY_0	   0x10u /* two per pin: low half, then high half */

/* A redirection table entry [DS 3.2.4]. */
#define VSM_IOAPIC_ENTRY_VECTOR	      0x00000000000000ffull
#define VSM_IOAPIC_ENTRY_MODE	      0x0000000000000700ull /* a VSM_IOAPIC_MODE, shifted by 8 */
#define VSM_IOAPIC_ENTRY_LOGICAL      0x0000000000000800ull
#define VSM_IOAPIC_ENTRY_SEND_PENDING 0x0000000000001000ull /* "delivery status"; read-only */
#define VSM_IOAPIC_ENTRY_ACTIVE_LOW   0x0000000000002000ull
#define VSM_IOAPIC_ENTRY_REMOTE_IRR   0x0000000000004000ull /* read-only */
#define VSM_IOAPIC_ENTRY_LEVEL	      0x0000000000008000ull
#define VSM_IOAPIC_ENTRY_MASKED	      0x0000000000010000ull
#define VSM_IOAPIC_ENTRY_EXTENDED     0x00ff000000000000ull /* extended destination; 0x20 only */
#define VSM_IOAPIC_ENTRY_DESTINATION  0xff00000000000000ull

enum vsm_ioapic_mode {
	VSM_IOAPIC_MODE_FIXED = 0,
	VSM_IOAPIC_MODE_LOWEST_PRIORITY = 1,
	VSM_IOAPIC_MODE_SMI = 2,
	VSM_IOAPIC_MODE_NMI = 4,
	VSM_IOAPIC_MODE_INIT = 5,
	VSM_IOAPIC_MODE_EXTINT = 7,
};

enum vsm_ioapic_delivery {
	/* At least one local APIC accepted it as a new vector, not pending before. */
	VSM_IOAPIC_ACCEPTED = 0,
	/* Accepted, but the vector was already pending in every target. */
	VSM_IOAPIC_MERGED = 1,
	/*
	 * No local APIC could accept it. It stays pending in the I/O APIC until vsm_ioapic_retry().
	 */
	VSM_IOAPIC_REFUSED = 2,
};

/*
 * @address and @data are those of an MSI [SDM]: address bits 19:12 hold the destination, 11:4 the
 * extended destination, 3 the redirection hint (lowest priority), 2 the destination mode; data bits
 * 7:0 the vector, 10:8 the delivery mode, 14 "assert" (always set), 15 the trigger mode. With KVM
 * they fit struct kvm_msi and KVM_IRQ_ROUTING_MSI unchanged.
 */
typedef enum vsm_ioapic_delivery vsm_ioapic_message_fn(void *opaque, uint64_t address,
						       uint32_t data);

/* Result of a change of an input. */
enum vsm_ioapic_outcome {
	/* A message was sent and accepted. */
	VSM_IOAPIC_DELIVERED = 0,
	/*
	 * Merged with an earlier interrupt whose handler has not finished. A timer that must not
	 * lose ticks can send it again later.
	 */
	VSM_IOAPIC_COALESCED = 1,
	/* No local APIC could accept the message yet; it is pending in the I/O APIC. */
	VSM_IOAPIC_PENDING = 2,
	/* Nothing to send: no active edge, an inactive level, a masked pin, or no such pin. */
	VSM_IOAPIC_IGNORED = 3,
};

/* c: set at creation; r: set by reset; s: part of the saved state. */
struct vsm_ioapic_config {
	vsm_ioapic_message_fn *message; /* c required */
	void *opaque;			/* c passed to @message */
	uint64_t base;			/* c only for VSM_IOAPIC_FORMAT_KVM; 0: the default */
	uint32_t pins;			/* c 1 to VSM_IOAPIC_MAX_PINS; 0: the default */
	uint8_t version;		/* c 0x11 or 0x20; 0: 0x20 */
	uint8_t id;			/* c 0 to 15, the value of the ID register after a reset */
	/*
	 * c false: an input value of 1 means asserted, and the polarity bit has no effect (as in
	 * KVM and QEMU). true: an input value is the electrical level, and a pin programmed active
	 * low is asserted while its input is low.
	 */
	bool electrical;
};

/* The caller provides the memory, but must not write fields. Its size is part of the ABI. */
struct vsm_ioapic {
	struct vsm_ioapic_config config;     /* c */
	uint64_t entry[VSM_IOAPIC_MAX_PINS]; /* rs without VSM_IOAPIC_ENTRY_SEND_PENDING */
	uint64_t line[4];		     /* s one bit per pin: the input as last set */
	uint64_t pending[4]; /* rs one bit per pin: an edge that no APIC has accepted yet */
	uint16_t index;	     /* rs 8 bits; 9 with more than 120 pins */
	uint8_t id;	     /* rs */
};

/*
 * Makes *@ioapic an I/O APIC in reset state, with all inputs at 0. Returns 0, or -EINVAL with
 * *@ioapic unchanged: a field of @config is out of range, or there is no @config->message.
 */
int vsm_ioapic_init(struct vsm_ioapic *ioapic, const struct vsm_ioapic_config *config);

/*
 * Sets the reset state [DS 3.2]: all entries masked, nothing pending, index 0, the ID of the
 * configuration. The inputs keep their values.
 */
void vsm_ioapic_reset(struct vsm_ioapic *ioapic);

/*
 * A guest's access at any @offset from the base: pass the low half of a wider access, and
 * zero-extend a narrower write. An offset or index without a register reads as 0 and ignores
 * writes. A write may send messages.
 */
uint32_t vsm_ioapic_read(const struct vsm_ioapic *ioapic, uint32_t offset);
void vsm_ioapic_write(struct vsm_ioapic *ioapic, uint32_t offset, uint32_t value);

/*
 * Sets the input of @pin to @level (see `electrical`). May send a message. For a line that several
 * devices share, pass the OR of them.
 */
enum vsm_ioapic_outcome vsm_ioapic_set_line(struct vsm_ioapic *ioapic, uint32_t pin, bool level);

/*
 * The EOI of a level-triggered interrupt, from the broadcast of a local APIC or the EOI register:
 * clears remote IRR of every pin with that vector, and sends a message again for each of these that
 * is not masked and whose input is still asserted [DS 3.2.4, bit 14]. Returns: the number of pins
 * whose remote IRR was cleared.
 */
uint32_t vsm_ioapic_eoi(struct vsm_ioapic *ioapic, uint8_t vector);

/*
 * Retries every message that was refused; call it when a local APIC becomes able to accept
 * interrupts, and after vsm_ioapic_import(). Returns: the number accepted.
 */
uint32_t vsm_ioapic_retry(struct vsm_ioapic *ioapic);

/* The entry as the guest would read it, with the "delivery status" bit; 0 for no such pin. */
uint64_t vsm_ioapic_entry(const struct vsm_ioapic *ioapic, uint32_t pin);

enum vsm_ioapic_format {
	VSM_IOAPIC_FORMAT_1 = 1,   /* struct vsm_ioapic_state: complete */
	VSM_IOAPIC_FORMAT_KVM = 2, /* struct kvm_ioapic_state of <linux/kvm.h>: 24 pins */
};

/* VSM_IOAPIC_FORMAT_1, in the byte order of x86. Entries and bits of pins beyond `pins` are 0. */
struct vsm_ioapic_state {
	uint32_t format; /* VSM_IOAPIC_FORMAT_1 */
	uint32_t pins;
	uint8_t version;
	uint8_t id;
	uint16_t index;
	uint8_t electrical;
	uint8_t reserved[3]; /* 0 */
	uint64_t line[4];
	uint64_t pending[4];
	uint64_t entry[VSM_IOAPIC_MAX_PINS];
};

#define VSM_IOAPIC_KVM_STATE_SIZE 216u /* sizeof(struct kvm_ioapic_state) */

struct vsm_ioapic_refusal {
	const char *field; /* static string: a field of the format's structure, or "size" */
	uint32_t pin;	   /* UINT32_MAX if the field belongs to no pin */
};

/*
 * Writes the state to @blob of @size bytes. Returns the number of bytes written, or -ENOSPC (too
 * small), -ENOTSUP (KVM's format with other than 24 pins), -EBUSY (KVM's format cannot hold an edge
 * that is still pending: vsm_ioapic_retry() first), -EINVAL (no such format).
 *
 * KVM's format has neither the version nor `electrical`. Its `irr` has the asserted inputs, except
 * those of unmasked edge-triggered pins, which KVM would treat as new edges.
 */
int vsm_ioapic_export(const struct vsm_ioapic *ioapic, enum vsm_ioapic_format format, void *blob,
		      size_t size);

/*
 * Loads a state that vsm_ioapic_export() wrote, or KVM_GET_IRQCHIP. Sends nothing: the caller
 * restores the local APICs, then calls vsm_ioapic_retry(). Returns 0, or -EINVAL with nothing
 * changed and *@refusal (may be NULL) filled in when the blob is not legal for this I/O APIC: its
 * pins and base (KVM), or pins, version and `electrical`, must be those of the configuration.
 *
 * KVM's format may have reserved bits of entries set, and remote IRR for delivery modes without an
 * EOI: these are dropped. In VSM_IOAPIC_FORMAT_1 they are refused.
 */
int vsm_ioapic_import(struct vsm_ioapic *ioapic, enum vsm_ioapic_format format, const void *blob,
		      size_t size, struct vsm_ioapic_refusal *refusal);

#ifdef __cplusplus
}
#endif

#endif
