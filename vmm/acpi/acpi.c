/* SPDX-License-Identifier: BSD-2-Clause */
#include "acpi/acpi.h"
#include "acpi/aml.h"

#include <errno.h>
#include <string.h>

#define OEM_ID		"LIBVSM"
#define OEM_TABLE_ID	"VSMVMM  "
#define CREATOR_ID	"VSM "
#define HEADER_SIZE	36u
#define RSDP_SIZE	36u
#define FADT_SIZE	276u
#define XSDT_SIZE	(HEADER_SIZE + 2 * 8u)
#define LOCAL_APIC_BASE 0xfee00000u
#define LAST_XAPIC_ID	254u /* 255 is broadcast */
#define ENABLED		1u

/* FADT [5.2.9]: offsets of the fields that are not 0. */
enum {
	FADT_DSDT = 40,
	FADT_BOOT_FLAGS = 109,
	FADT_FLAGS = 112,
	FADT_RESET_REG = 116,
	FADT_RESET_VALUE = 128,
	FADT_MINOR = 131,
	FADT_X_DSDT = 140,
	FADT_SLEEP_CONTROL = 244,
	FADT_SLEEP_STATUS = 256,
	FADT_HYPERVISOR = 268,
};

/* IA-PC boot architecture flags: the guest must not probe VGA or use the CMOS clock. */
#define BOOT_NO_VGA	 (1u << 2)
#define BOOT_NO_CMOS_RTC (1u << 5)

#define FLAG_WBINVD	  (1u << 0)
#define FLAG_C1		  (1u << 2)
#define FLAG_POWER_BUTTON (1u << 4) /* set: no fixed power button */
#define FLAG_SLEEP_BUTTON (1u << 5)
#define FLAG_RESET_REG	  (1u << 10)
#define FLAG_HW_REDUCED	  (1u << 20)

/* Fixed text fields are not zero-terminated. */
static const char rsdp_signature[8] = {'R', 'S', 'D', ' ', 'P', 'T', 'R', ' '};
static const char oem_id[6] = {'L', 'I', 'B', 'V', 'S', 'M'};
static const char oem_table_id[8] = {'V', 'S', 'M', 'V', 'M', 'M', ' ', ' '};
static const char creator_id[4] = {'V', 'S', 'M', ' '};

struct writer {
	uint8_t *data;
	size_t size, used;
	uint64_t gpa;
};

static void put16(uint8_t *at, uint16_t value)
{
	memcpy(at, &value, sizeof(value));
}

static void put32(uint8_t *at, uint32_t value)
{
	memcpy(at, &value, sizeof(value));
}

static void put64(uint8_t *at, uint64_t value)
{
	memcpy(at, &value, sizeof(value));
}

static uint8_t checksum(const uint8_t *data, size_t size)
{
	uint8_t sum = 0;

	while (size--)
		sum = (uint8_t)(sum + *data++);
	return (uint8_t)-sum;
}

static uint8_t *allocate_table(struct writer *writer, size_t size, uint64_t *gpa)
{
	const size_t at = (writer->used + 15) & ~(size_t)15;

	if (at > writer->size || size > writer->size - at)
		return NULL;
	memset(writer->data + at, 0, size);
	writer->used = at + size;
	*gpa = writer->gpa + at;
	return writer->data + at;
}

/* Writes the header of any table but the RSDP [5.2.6]; called last, for the checksum. */
static void finish(uint8_t *table, const char *signature, size_t size, uint8_t revision)
{
	memcpy(table, signature, 4);
	put32(table + 4, (uint32_t)size);
	table[8] = revision;
	table[9] = 0;
	memcpy(table + 10, oem_id, sizeof(oem_id));
	memcpy(table + 16, oem_table_id, sizeof(oem_table_id));
	put32(table + 24, 1);
	memcpy(table + 28, creator_id, sizeof(creator_id));
	put32(table + 32, 1);
	table[9] = checksum(table, size);
}

/* Writes the generic address of an 8-bit port [5.2.3.2]. */
static void put_port(uint8_t *at, uint16_t port)
{
	at[0] = 1; /* system I/O space */
	at[1] = 8; /* bits */
	at[3] = 1; /* byte access */
	put64(at + 4, port);
}

static int build_dsdt(struct writer *writer, const struct vmm_acpi_machine *machine, uint64_t *gpa)
{
	uint8_t code[256];
	struct aml aml = {.data = code, .size = sizeof(code)};
	size_t package, scope, device;
	uint8_t *table;

	aml_name(&aml, "_S5_");
	package = aml_package(&aml, 4);
	aml_integer(&aml, VMM_ACPI_S5);
	aml_integer(&aml, VMM_ACPI_S5);
	aml_integer(&aml, 0);
	aml_integer(&aml, 0);
	aml_end(&aml, package);
	if (machine->serial_port) {
		scope = aml_scope(&aml, "_SB_");
		device = aml_device(&aml, "COM1");
		aml_name(&aml, "_HID");
		aml_eisa_id(&aml, "PNP0501");
		aml_name(&aml, "_UID");
		aml_integer(&aml, 1);
		aml_name(&aml, "_STA");
		aml_integer(&aml, 0xf);
		aml_name(&aml, "_CRS");
		aml_port_and_interrupt(&aml, machine->serial_port, 8, machine->serial_interrupt);
		aml_end(&aml, device);
		aml_end(&aml, scope);
	}
	if (aml.overflow)
		return -ENOSPC;
	table = allocate_table(writer, HEADER_SIZE + aml.used, gpa);
	if (!table)
		return -ENOSPC;
	memcpy(table + HEADER_SIZE, code, aml.used);
	finish(table, "DSDT", HEADER_SIZE + aml.used, 2);
	return 0;
}

static int build_fadt(struct writer *writer, uint64_t dsdt, uint64_t *gpa)
{
	uint8_t *table = allocate_table(writer, FADT_SIZE, gpa);

	if (!table)
		return -ENOSPC;
	put32(table + FADT_DSDT, (uint32_t)dsdt);
	put16(table + FADT_BOOT_FLAGS, BOOT_NO_VGA | BOOT_NO_CMOS_RTC);
	put32(table + FADT_FLAGS, FLAG_WBINVD | FLAG_C1 | FLAG_POWER_BUTTON | FLAG_SLEEP_BUTTON |
					  FLAG_RESET_REG | FLAG_HW_REDUCED);
	put_port(table + FADT_RESET_REG, VMM_ACPI_RESET);
	table[FADT_RESET_VALUE] = VMM_ACPI_RESET_VALUE;
	table[FADT_MINOR] = 5;
	put64(table + FADT_X_DSDT, dsdt);
	put_port(table + FADT_SLEEP_CONTROL, VMM_ACPI_SLEEP_CONTROL);
	put_port(table + FADT_SLEEP_STATUS, VMM_ACPI_SLEEP_STATUS);
	memcpy(table + FADT_HYPERVISOR, oem_id, sizeof(oem_id));
	finish(table, "FACP", FADT_SIZE, 6);
	return 0;
}

static uint32_t apic_id(const struct vmm_acpi_machine *machine, uint32_t processor)
{
	return machine->apic_id ? machine->apic_id[processor] : processor;
}

/* A local APIC [5.2.12.2], or a local x2APIC [5.2.12.12]. Returns its size. */
static size_t put_processor(uint8_t *at, const struct vmm_acpi_machine *machine, uint32_t processor)
{
	const uint32_t id = apic_id(machine, processor);

	if (id <= LAST_XAPIC_ID && processor <= LAST_XAPIC_ID) {
		const uint8_t entry[] = {0, 8, (uint8_t)processor, (uint8_t)id, ENABLED, 0, 0, 0};

		memcpy(at, entry, sizeof(entry));
		return sizeof(entry);
	}
	memset(at, 0, 16);
	at[0] = 9;
	at[1] = 16;
	put32(at + 4, id);
	put32(at + 8, ENABLED);
	put32(at + 12, processor);
	return 16;
}

static int build_madt(struct writer *writer, const struct vmm_acpi_machine *machine, uint64_t *gpa)
{
	uint8_t scratch[16], *table;
	size_t size = HEADER_SIZE + 8 + 12, at = HEADER_SIZE + 8;

	for (uint32_t i = 0; i < machine->processors; i++)
		size += put_processor(scratch, machine, i);
	table = allocate_table(writer, size, gpa);
	if (!table)
		return -ENOSPC;
	put32(table + HEADER_SIZE, LOCAL_APIC_BASE);
	for (uint32_t i = 0; i < machine->processors; i++)
		at += put_processor(table + at, machine, i);
	/* I/O APIC [5.2.12.3]: its interrupts begin at 0. */
	table[at] = 1;
	table[at + 1] = 12;
	table[at + 2] = machine->ioapic_id;
	put32(table + at + 4, machine->ioapic_base);
	finish(table, "APIC", size, 5);
	return 0;
}

static int build_xsdt(struct writer *writer, uint64_t fadt, uint64_t madt, uint64_t *gpa)
{
	uint8_t *table = allocate_table(writer, XSDT_SIZE, gpa);

	if (!table)
		return -ENOSPC;
	put64(table + HEADER_SIZE, fadt);
	put64(table + HEADER_SIZE + 8, madt);
	finish(table, "XSDT", XSDT_SIZE, 1);
	return 0;
}

/* Revision 2 [5.2.5.3]: one checksum over its first 20 bytes, one over all. */
static void finish_rsdp(uint8_t *rsdp, uint64_t xsdt)
{
	memcpy(rsdp, rsdp_signature, sizeof(rsdp_signature));
	memcpy(rsdp + 9, oem_id, sizeof(oem_id));
	rsdp[15] = 2;
	put32(rsdp + 20, RSDP_SIZE);
	put64(rsdp + 24, xsdt);
	rsdp[8] = checksum(rsdp, 20);
	rsdp[32] = checksum(rsdp, RSDP_SIZE);
}

long vmm_acpi_build(const struct vmm_acpi_machine *machine, uint64_t gpa, uint8_t *buffer,
		    size_t size)
{
	struct writer writer = {.data = buffer, .size = size, .gpa = gpa};
	uint64_t at, dsdt, fadt, madt, xsdt;
	uint8_t *rsdp;
	int error;

	if (machine->processors == 0 || machine->processors > VMM_ACPI_PROCESSORS_MAX || gpa & 15)
		return -EINVAL;
	rsdp = allocate_table(&writer, RSDP_SIZE, &at);
	if (!rsdp)
		return -ENOSPC;
	error = build_dsdt(&writer, machine, &dsdt);
	if (!error)
		error = build_fadt(&writer, dsdt, &fadt);
	if (!error)
		error = build_madt(&writer, machine, &madt);
	if (!error)
		error = build_xsdt(&writer, fadt, madt, &xsdt);
	if (error)
		return error;
	finish_rsdp(rsdp, xsdt);
	return (long)writer.used;
}
