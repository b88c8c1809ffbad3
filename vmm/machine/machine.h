/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The machine without VPs. The caller runs the VPs and passes their exits.
 *
 * Threads: all functions from vmm_machine_port() on may be called from any thread. The lock of the
 * ports guards all devices and the I/O APIC. The functions in `ops` must not call back into the
 * machine, and must not wait for a VP; all but write_memory() run with the lock held.
 */
#ifndef VMM_MACHINE_MACHINE_H
#define VMM_MACHINE_MACHINE_H

#include <vsm/ioapic.h>

#include "config/config.h"
#include "device/cmos.h"
#include "device/nmi_status.h"
#include "device/pci.h"
#include "device/power.h"
#include "device/serial.h"
#include "device/testdev.h"
#include "load/load.h"

/* All are required. */
struct vmm_machine_ops {
	int (*write_memory)(void *opaque, uint64_t gpa, const void *data, size_t size);
	vsm_ioapic_message_fn *msi;
	vmm_stop_fn *stop;
	void (*console)(void *opaque, uint8_t byte); /* serial port and debug console */
	void (*flush_page)(void *opaque, uint64_t gpa);
	void (*hv_test)(void *opaque, const struct vmm_hv_test_request *request);
	void *opaque;
};

struct vmm_machine {
	struct vmm_machine_ops ops;
	struct vmm_memory memory;
	struct vmm_ports ports;
	struct vsm_ioapic ioapic;
	struct vmm_serial serial;
	struct vmm_cmos cmos;
	struct vmm_power power;
	struct vmm_pci pci;
	struct vmm_nmi_status nmi_status;
	struct vmm_testdev testdev;
	uint32_t processors;
	/* A bit for each pin of the I/O APIC; a line is the OR of its two sources. */
	uint32_t serial_lines, test_lines;
};

struct vmm_machine_device {
	const char *name; /* before its fields in a description, with a dot */
	size_t offset;
	const struct vmm_fields *fields;
};
/* In the order of the saved machine's file. */
#define VMM_MACHINE_DEVICES 5u
extern const struct vmm_machine_device vmm_machine_device[VMM_MACHINE_DEVICES];

/* 0, or -errno with a line in the log; after an error nothing needs to be destroyed. */
int vmm_machine_init(struct vmm_machine *machine, const struct vmm_config *config,
		     const struct vmm_machine_ops *ops, const struct vsm_log *log);
void vmm_machine_destroy(struct vmm_machine *machine);

/*
 * Writes firmware tables, kernel and initrds into memory, before the VPs run or after a reset.
 * Errors as vmm_file_read() and vmm_load().
 */
int vmm_machine_load(struct vmm_machine *machine, const struct vmm_config *config,
		     const struct vsm_log *log, struct vmm_boot_state *state);

/* Drops unread console input. */
void vmm_machine_reset(struct vmm_machine *machine);

/* @count units of @size bytes at @data, all at @port. */
void vmm_machine_port(struct vmm_machine *machine, uint16_t port, unsigned int size, uint32_t count,
		      bool write, uint8_t *data);

/* 1 to 8 bytes. Addresses outside of the I/O APIC read all-ones. */
void vmm_machine_mmio(struct vmm_machine *machine, uint64_t gpa, unsigned int size, bool write,
		      uint8_t *data);

void vmm_machine_eoi(struct vmm_machine *machine, uint8_t vector);

/* Returns the number of bytes accepted. */
size_t vmm_machine_input(struct vmm_machine *machine, const uint8_t *data, size_t size);

#endif
