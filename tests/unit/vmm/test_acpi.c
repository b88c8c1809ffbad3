/* SPDX-License-Identifier: BSD-2-Clause */
/* The ACPI tables, compared with the layouts of the specification and with iasl. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "../unit_test.h"
#include "acpi/acpi.h"
#include "acpi/aml.h"

#define BASE 0xe0000u
#define ROOM 0x20000u

static uint8_t room[ROOM];
static long used;

static void build(uint32_t processors, const uint32_t *ids)
{
	const struct vmm_acpi_machine machine = {.processors = processors,
						 .apic_id = ids,
						 .ioapic_base = 0xfec00000,
						 .ioapic_id = 0xf0,
						 .serial_port = 0x3f8,
						 .serial_interrupt = 4};

	memset(room, 0xee, sizeof(room));
	used = vmm_acpi_build(&machine, BASE, room, sizeof(room));
	assert_true(used > 0);
}

static uint64_t get(const uint8_t *at, size_t bytes)
{
	uint64_t value = 0;

	memcpy(&value, at, bytes);
	return value;
}

static uint8_t sum(const uint8_t *data, size_t size)
{
	uint8_t total = 0;

	while (size--)
		total = (uint8_t)(total + *data++);
	return total;
}

static const uint8_t *table_at(uint64_t gpa, const char *signature)
{
	const uint8_t *table = room + (gpa - BASE);
	uint64_t size;

	assert_true(gpa >= BASE && gpa - BASE + 36 <= (uint64_t)used);
	size = get(table + 4, 4);
	assert_true(size >= 36 && gpa - BASE + size <= (uint64_t)used);
	assert_memory_equal(table, signature, 4);
	assert_int_equal(sum(table, size), 0);
	return table;
}

static const uint8_t *find(const char *signature)
{
	const uint8_t *xsdt = table_at(get(room + 24, 8), "XSDT");

	for (uint64_t i = 36; i < get(xsdt + 4, 4); i += 8) {
		const uint64_t gpa = get(xsdt + i, 8);

		if (!memcmp(room + (gpa - BASE), signature, 4))
			return table_at(gpa, signature);
	}
	if (!strcmp(signature, "DSDT"))
		return table_at(get(find("FACP") + 140, 8), "DSDT");
	fail_msg("no %s", signature);
	return NULL;
}

static void the_rsdp_points_to_every_table_and_all_checksums_are_correct(void **state)
{
	build(4, NULL);
	assert_memory_equal(room, "RSD PTR ", 8); /* ACPI 5.2.5.3 */
	assert_int_equal(room[15], 2);
	assert_int_equal(sum(room, 20), 0);
	assert_int_equal(sum(room, 36), 0);
	find("FACP");
	find("APIC");
	find("DSDT");
}

static void the_fadt_is_hardware_reduced_with_reset_and_sleep_ports(void **state)
{
	const uint8_t *fadt;

	build(1, NULL);
	fadt = find("FACP");
	assert_int_equal(fadt[8], 6); /* ACPI 5.2.9 */
	assert_int_equal(get(fadt + 4, 4), 276);
	assert_int_equal(get(fadt + 112, 4) & (1u << 20 | 1u << 10), 1u << 20 | 1u << 10);
	assert_int_equal(get(fadt + 116, 4), 0x01000801); /* GAS: I/O, 8 bits, offset 0, bytes */
	assert_int_equal(get(fadt + 120, 8), 0x612);
	assert_int_equal(fadt[128], 1);
	assert_int_equal(get(fadt + 248, 8), 0x610);
	assert_int_equal(get(fadt + 260, 8), 0x611);
}

static void the_madt_has_each_processor_once_and_x2apic_entries_beyond_254(void **state)
{
	const uint8_t *madt;
	uint32_t next = 0, ioapics = 0;
	uint64_t at;

	build(300, NULL);
	madt = find("APIC");
	assert_int_equal(get(madt + 36, 4), 0xfee00000);
	for (at = 44; at < get(madt + 4, 4); at += madt[at + 1]) {
		switch (madt[at]) {
		case 0: /* ACPI 5.2.12.2 */
			assert_true(next <= 254);
			assert_int_equal(madt[at + 1], 8);
			assert_int_equal(madt[at + 2], next);
			assert_int_equal(madt[at + 3], next);
			assert_int_equal(get(madt + at + 4, 4), 1);
			next++;
			break;
		case 9: /* ACPI 5.2.12.12 */
			assert_true(next >= 255);
			assert_int_equal(madt[at + 1], 16);
			assert_int_equal(get(madt + at + 4, 4), next);
			assert_int_equal(get(madt + at + 8, 4), 1);
			assert_int_equal(get(madt + at + 12, 4), next);
			next++;
			break;
		case 1: /* ACPI 5.2.12.3 */
			assert_int_equal(madt[at + 1], 12);
			assert_int_equal(madt[at + 2], 0xf0);
			assert_int_equal(get(madt + at + 4, 4), 0xfec00000);
			assert_int_equal(get(madt + at + 8, 4), 0);
			ioapics++;
			break;
		default:
			fail_msg("entry of type %u", madt[at]);
		}
	}
	assert_int_equal(at, get(madt + 4, 4));
	assert_int_equal(next, 300);
	assert_int_equal(ioapics, 1);
}

static void apic_ids_are_those_of_the_caller(void **state)
{
	const uint32_t ids[] = {3, 700, 255};
	const uint8_t *madt;

	build(3, ids);
	madt = find("APIC");
	assert_int_equal(madt[44 + 3], 3);
	assert_int_equal(madt[52], 9);
	assert_int_equal(get(madt + 52 + 4, 4), 700);
	assert_int_equal(get(madt + 52 + 12, 4), 1);
	assert_int_equal(get(madt + 68 + 4, 4), 255);
}

static void tables_that_do_not_fit_are_refused(void **state)
{
	struct vmm_acpi_machine machine = {.processors = 4096, .serial_port = 0x3f8};

	assert_true(vmm_acpi_build(&machine, BASE, room, sizeof(room)) > 0);
	build(2, NULL);
	machine.processors = 2;
	for (size_t size = 0; size < (size_t)used; size++)
		assert_int_equal(vmm_acpi_build(&machine, BASE, room, size), -ENOSPC);
	assert_int_equal(vmm_acpi_build(&machine, BASE, room, (size_t)used), used);
	assert_int_equal(vmm_acpi_build(&machine, BASE + 8, room, sizeof(room)), -EINVAL);
	machine.processors = 0;
	assert_int_equal(vmm_acpi_build(&machine, BASE, room, sizeof(room)), -EINVAL);
	machine.processors = 4097;
	assert_int_equal(vmm_acpi_build(&machine, BASE, room, sizeof(room)), -EINVAL);
}

static void aml_lengths_have_one_to_three_bytes(void **state)
{
	static uint8_t inside[5000];
	static const struct {
		size_t inside;
		uint8_t expected[3];
		size_t bytes;
	} row[] = {
		/* ACPI 20.2.4: the length includes itself and the byte with the count of
		 * elements. */
		{61, {0x3f}, 1},
		{62, {0x41, 0x04}, 2},
		{4092, {0x4f, 0xff}, 2},
		{4093, {0x81, 0x00, 0x01}, 3},
	};
	uint8_t data[6000];

	for (size_t i = 0; i < sizeof(row) / sizeof(row[0]); i++) {
		struct aml aml = {.data = data, .size = sizeof(data)};
		const size_t begin = aml_package(&aml, 7);

		aml_bytes(&aml, inside, row[i].inside);
		aml_end(&aml, begin);
		assert_false(aml.overflow);
		assert_int_equal(data[0], 0x12);
		assert_memory_equal(data + 1, row[i].expected, row[i].bytes);
		assert_int_equal(data[1 + row[i].bytes], 7);
		assert_int_equal(aml.used, 1 + row[i].bytes + 1 + row[i].inside);
	}
}

static void aml_integers_have_the_shortest_form(void **state)
{
	static const struct {
		uint64_t value;
		const char *bytes;
		size_t count;
	} row[] = {
		{0, "\x00", 1},
		{1, "\x01", 1},
		{2, "\x0a\x02", 2},
		{255, "\x0a\xff", 2},
		{256, "\x0b\x00\x01", 3},
		{65536, "\x0c\x00\x00\x01\x00", 5},
		{1ull << 32, "\x0e\x00\x00\x00\x00\x01\x00\x00\x00", 9},
	};
	uint8_t data[16];

	for (size_t i = 0; i < sizeof(row) / sizeof(row[0]); i++) {
		struct aml aml = {.data = data, .size = sizeof(data)};

		aml_integer(&aml, row[i].value);
		assert_int_equal(aml.used, row[i].count);
		assert_memory_equal(data, row[i].bytes, row[i].count);
	}
}

static void aml_that_overflows_writes_nothing_beyond_its_buffer(void **state)
{
	for (size_t size = 0; size < 24; size++) {
		uint8_t data[64];
		struct aml aml = {.data = data, .size = size};
		size_t begin;

		memset(data, 0x5c, sizeof(data));
		begin = aml_device(&aml, "COM1");
		aml_port_and_interrupt(&aml, 0x3f8, 8, 4);
		aml_end(&aml, begin);
		assert_true(aml.overflow);
		for (size_t i = size; i < sizeof(data); i++)
			assert_int_equal(data[i], 0x5c);
	}
}

static const char asl[] =
	"DefinitionBlock (\"t.aml\", \"DSDT\", 2, \"LIBVSM\", \"VSMVMM  \", 1) {\n"
	"  Name (\\_S5, Package () {5, 5, 0, 0})\n"
	"  Scope (\\_SB) { Device (COM1) {\n"
	"    Name (_HID, EisaId (\"PNP0501\"))\n"
	"    Name (_UID, 1)\n"
	"    Name (_STA, 0x0F)\n"
	"    Name (_CRS, ResourceTemplate () {\n"
	"      IO (Decode16, 0x3F8, 0x3F8, 1, 8)\n"
	"      Interrupt (ResourceConsumer, Edge, ActiveHigh, Exclusive) {4}\n"
	"    })\n"
	"  } }\n"
	"}\n";

static void write_file(const char *folder, const char *name, const void *data, size_t size)
{
	char path[256];
	FILE *file;

	snprintf(path, sizeof(path), "%s/%s", folder, name);
	file = fopen(path, "wb");
	assert_non_null(file);
	assert_int_equal(fwrite(data, 1, size, file), size);
	fclose(file);
}

static size_t read_file(const char *folder, const char *name, void *data, size_t size)
{
	char path[256];
	FILE *file;
	size_t got;

	snprintf(path, sizeof(path), "%s/%s", folder, name);
	file = fopen(path, "rb");
	assert_non_null(file);
	got = fread(data, 1, size, file);
	fclose(file);
	return got;
}

static void iasl_folder(char folder[32])
{
	if (system("iasl -v >/dev/null 2>&1") != 0) {
		print_message("iasl is not installed (Debian: acpica-tools)\n");
		skip();
	}
	snprintf(folder, 32, "/tmp/vsm-acpi-XXXXXX");
	assert_non_null(mkdtemp(folder));
}

static int run(const char *folder, const char *command)
{
	char line[512];

	snprintf(line, sizeof(line), "cd %s && %s >log 2>&1", folder, command);
	return system(line);
}

static void remove_folder(const char *folder)
{
	char line[64];

	snprintf(line, sizeof(line), "rm -rf %s", folder);
	assert_int_equal(system(line), 0);
}

static void the_dsdt_equals_that_of_iasl_for_the_same_asl(void **state)
{
	char folder[32];
	uint8_t compiled[1024];
	const uint8_t *dsdt;
	size_t size;

	iasl_folder(folder);
	write_file(folder, "t.asl", asl, sizeof(asl) - 1);
	assert_int_equal(run(folder, "iasl t.asl"), 0);
	size = read_file(folder, "t.aml", compiled, sizeof(compiled));
	build(1, NULL);
	dsdt = find("DSDT");
	assert_int_equal(size, get(dsdt + 4, 4));
	/* All but signature, length, revision, checksum and compiler. */
	assert_memory_equal(dsdt + 10, compiled + 10, 18);
	assert_memory_equal(dsdt + 36, compiled + 36, size - 36);
	remove_folder(folder);
}

/* Except the RSDP, which iasl does not accept as a file; its two checksums are tested above. */
static void iasl_disassembles_every_table_without_an_error(void **state)
{
	static const char *const signature[] = {"DSDT", "FACP", "APIC", "XSDT"};
	char folder[32];
	uint8_t log[8192];

	iasl_folder(folder);
	build(300, NULL);
	for (size_t i = 0; i < sizeof(signature) / sizeof(signature[0]); i++) {
		const uint8_t *table =
			i == 3 ? table_at(get(room + 24, 8), "XSDT") : find(signature[i]);
		size_t got;

		write_file(folder, "t.dat", table, get(table + 4, 4));
		assert_int_equal(run(folder, "iasl -d t.dat"), 0);
		got = read_file(folder, "log", log, sizeof(log) - 1);
		log[got] = 0;
		if (strcasestr((char *)log, "error") || strcasestr((char *)log, "warning") ||
		    strcasestr((char *)log, "invalid"))
			fail_msg("%s: %s", signature[i], (char *)log);
		got = read_file(folder, "t.dsl", log, sizeof(log) - 1);
		log[got] = 0;
		if (strstr((char *)log, "should be") || strstr((char *)log, "**** "))
			fail_msg("%s: %s", signature[i], (char *)log);
	}
	remove_folder(folder);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_rsdp_points_to_every_table_and_all_checksums_are_correct),
		cmocka_unit_test(the_fadt_is_hardware_reduced_with_reset_and_sleep_ports),
		cmocka_unit_test(the_madt_has_each_processor_once_and_x2apic_entries_beyond_254),
		cmocka_unit_test(apic_ids_are_those_of_the_caller),
		cmocka_unit_test(tables_that_do_not_fit_are_refused),
		cmocka_unit_test(aml_lengths_have_one_to_three_bytes),
		cmocka_unit_test(aml_integers_have_the_shortest_form),
		cmocka_unit_test(aml_that_overflows_writes_nothing_beyond_its_buffer),
		cmocka_unit_test(the_dsdt_equals_that_of_iasl_for_the_same_asl),
		cmocka_unit_test(iasl_disassembles_every_table_without_an_error),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
