/* SPDX-License-Identifier: BSD-2-Clause */
#include "ioapic_fixture.h"

#include <linux/kvm.h>

static void format_1_has_the_whole_state(void **state)
{
	struct vsm_ioapic_state blob;
	struct ioapic_fixture copy;

	start(&fixture, 0x20, 240);
	program(&fixture, 0, LEVEL | 0x51);
	raise_line(&fixture, 0);
	fixture.answer = VSM_IOAPIC_REFUSED;
	program(&fixture, 200, 0x12ab000000000052);
	raise_line(&fixture, 200);
	put(&fixture, 0, 0x0b000000);
	vsm_ioapic_write(&fixture.io, VSM_IOAPIC_MMIO_INDEX, 0x1ef);
	assert_int_equal(vsm_ioapic_export(&fixture.io, VSM_IOAPIC_FORMAT_1, &blob, sizeof(blob)),
			 sizeof(blob));
	start(&copy, 0x20, 240);
	assert_int_equal(
		vsm_ioapic_import(&copy.io, VSM_IOAPIC_FORMAT_1, &blob, sizeof(blob), NULL), 0);
	assert_int_equal(copy.sent, 0);
	copy.io.config.opaque = fixture.io.config.opaque;
	assert_memory_equal(&copy.io, &fixture.io, sizeof(copy.io));
	copy.io.config.opaque = &copy;
	assert_int_equal(vsm_ioapic_retry(&copy.io), 1); /* the edge that was not accepted */
	assert_int_equal(copy.address, 0xfee12ab0);
}

/* @field and @pin are those that the error must report. */
struct bad_field {
	size_t offset;
	uint64_t value;
	size_t bytes;
	const char *field;
	uint32_t pin;
};

static void expect_bad_fields(enum vsm_ioapic_format format, const void *good, size_t size,
			      const struct bad_field *row, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		struct vsm_ioapic_refusal refusal;
		uint8_t bad[sizeof(struct vsm_ioapic_state)];

		memcpy(bad, good, size);
		memcpy(bad + row[i].offset, &row[i].value, row[i].bytes);
		assert_int_equal(vsm_ioapic_import(&fixture.io, format, bad, size, &refusal),
				 -EINVAL);
		assert_string_equal(refusal.field, row[i].field);
		assert_int_equal(refusal.pin, row[i].pin);
	}
}

static void an_invalid_state_is_refused_with_the_field_name_and_changes_nothing(void **state)
{
	static const struct bad_field row[] = {
#define FIELD(name) offsetof(struct vsm_ioapic_state, name),
		{FIELD(format) 2, 4, "format", UINT32_MAX},
		{FIELD(pins) 25, 4, "pins", UINT32_MAX},
		{FIELD(version) 0x11, 1, "version", UINT32_MAX},
		{FIELD(id) 16, 1, "id", UINT32_MAX},
		{FIELD(index) 0x100, 2, "index", UINT32_MAX},
		{FIELD(electrical) 1, 1, "electrical", UINT32_MAX},
		{FIELD(reserved[2]) 1, 1, "reserved", UINT32_MAX},
		{FIELD(line[0]) 1u << 24, 8, "line", 24},
		{FIELD(line[3]) 1ull << 63, 8, "line", 255},
		{FIELD(pending[1]) 1, 8, "pending", 64},
		{FIELD(pending[0]) 2, 8, "pending", 1},	   /* a masked pin */
		{FIELD(entry[2]) 1u << 12, 8, "entry", 2}, /* derived, never stored */
		{FIELD(entry[3]) 1u << 17, 8, "entry", 3},
		{FIELD(entry[4]) 1u << 14, 8, "entry", 4}, /* remote IRR of an edge */
		{FIELD(entry[24]) 1, 8, "entry", 24},
#undef FIELD
	};
	struct vsm_ioapic_state good;
	struct vsm_ioapic_refusal refusal;
	struct vsm_ioapic before;

	start(&fixture, 0x20, 24);
	vsm_ioapic_export(&fixture.io, VSM_IOAPIC_FORMAT_1, &good, sizeof(good));
	before = fixture.io;
	expect_bad_fields(VSM_IOAPIC_FORMAT_1, &good, sizeof(good), row,
			  sizeof(row) / sizeof(row[0]));
	assert_int_equal(vsm_ioapic_import(&fixture.io, VSM_IOAPIC_FORMAT_1, &good,
					   sizeof(good) - 1, &refusal),
			 -EINVAL);
	assert_string_equal(refusal.field, "size");
	assert_int_equal(vsm_ioapic_import(&fixture.io, (enum vsm_ioapic_format)9, &good,
					   sizeof(good), &refusal),
			 -EINVAL);
	assert_string_equal(refusal.field, "format");
	assert_memory_equal(&before, &fixture.io, sizeof(before));
}

static void the_kvm_format_is_struct_kvm_ioapic_state(void **state)
{
	struct kvm_ioapic_state kvm;
	struct ioapic_fixture copy;

	assert_int_equal(sizeof(kvm), VSM_IOAPIC_KVM_STATE_SIZE);
	start(&fixture, 0x11, 24);
	program(&fixture, 10, 0x3400000000000000 | LEVEL | 0x51);
	raise_line(&fixture, 10);
	raise_line(&fixture, 2);
	put(&fixture, 0, 0x0b000000);
	vsm_ioapic_write(&fixture.io, VSM_IOAPIC_MMIO_INDEX, 0x33);
	assert_int_equal(vsm_ioapic_export(&fixture.io, VSM_IOAPIC_FORMAT_KVM, &kvm, sizeof(kvm)),
			 sizeof(kvm));
	assert_int_equal(kvm.base_address, 0xfec00000);
	assert_int_equal(kvm.ioregsel, 0x33);
	assert_int_equal(kvm.id, 0xb);
	assert_int_equal(kvm.irr, 1u << 10 | 1u << 2);
	assert_int_equal(kvm.redirtbl[10].fields.vector, 0x51);
	assert_int_equal(kvm.redirtbl[10].fields.remote_irr, 1);
	assert_int_equal(kvm.redirtbl[10].fields.trig_mode, 1);
	assert_int_equal(kvm.redirtbl[10].fields.dest_id, 0x34);
	assert_int_equal(kvm.redirtbl[2].fields.mask, 1);
	start(&copy, 0x11, 24);
	assert_int_equal(
		vsm_ioapic_import(&copy.io, VSM_IOAPIC_FORMAT_KVM, &kvm, sizeof(kvm), NULL), 0);
	copy.io.config.opaque = fixture.io.config.opaque;
	assert_memory_equal(&copy.io, &fixture.io, sizeof(copy.io));
}

static void the_kvm_format_preserves_electrical_inputs(void **state)
{
	struct kvm_ioapic_state kvm;
	struct vsm_ioapic before;

	fixture.io.config.electrical = true;
	program(&fixture, 10, MASKED | VSM_IOAPIC_ENTRY_ACTIVE_LOW);
	raise_line(&fixture, 11);
	before = fixture.io;
	vsm_ioapic_export(&fixture.io, VSM_IOAPIC_FORMAT_KVM, &kvm, sizeof(kvm));
	assert_int_equal(kvm.irr, 1u << 10 | 1u << 11);
	raise_line(&fixture, 10);
	assert_int_equal(
		vsm_ioapic_import(&fixture.io, VSM_IOAPIC_FORMAT_KVM, &kvm, sizeof(kvm), NULL), 0);
	assert_memory_equal(&before, &fixture.io, sizeof(before));
}

static void an_invalid_kvm_state_is_refused_with_the_field_name_and_changes_nothing(void **state)
{
	static const struct bad_field row[] = {
#define FIELD(name) offsetof(struct kvm_ioapic_state, name),
		{FIELD(base_address) 0xfec01000, 8, "base_address", UINT32_MAX},
		{FIELD(ioregsel) 0x100, 4, "ioregsel", UINT32_MAX},
		{FIELD(id) 16, 4, "id", UINT32_MAX},
		{FIELD(irr) 1u << 24, 4, "irr", UINT32_MAX},
		{FIELD(pad) 1, 4, "pad", UINT32_MAX},
		{FIELD(redirtbl[23]) 1u << 14, 8, "redirtbl", 23},
#undef FIELD
	};
	struct vsm_ioapic_refusal refusal;
	struct kvm_ioapic_state good;
	struct vsm_ioapic before;

	vsm_ioapic_export(&fixture.io, VSM_IOAPIC_FORMAT_KVM, &good, sizeof(good));
	before = fixture.io;
	expect_bad_fields(VSM_IOAPIC_FORMAT_KVM, &good, sizeof(good), row,
			  sizeof(row) / sizeof(row[0]));
	assert_memory_equal(&before, &fixture.io, sizeof(before));
	/* Bits that the data sheet reserves and KVM stores are dropped, not refused. */
	good.redirtbl[1].bits = 0x00ffffff00000000 | 0xfffe0000 | MASKED;
	good.redirtbl[2].bits = LEVEL | RIRR | MASKED | 0x400; /* NMI by level */
	assert_int_equal(vsm_ioapic_import(&fixture.io, VSM_IOAPIC_FORMAT_KVM, &good, sizeof(good),
					   &refusal),
			 0);
	assert_int_equal(vsm_ioapic_entry(&fixture.io, 1), MASKED);
	assert_int_equal(vsm_ioapic_entry(&fixture.io, 2), LEVEL | MASKED | 0x400);
}

static void an_export_that_the_format_or_buffer_cannot_hold_is_refused(void **state)
{
	unsigned char blob[sizeof(struct vsm_ioapic_state)];

	start(&fixture, 0x20, 25);
	assert_int_equal(vsm_ioapic_export(&fixture.io, VSM_IOAPIC_FORMAT_1, blob, 1999), -ENOSPC);
	assert_int_equal(vsm_ioapic_export(&fixture.io, VSM_IOAPIC_FORMAT_KVM, blob, 215), -ENOSPC);
	assert_int_equal(vsm_ioapic_export(&fixture.io, VSM_IOAPIC_FORMAT_KVM, blob, 216),
			 -ENOTSUP);
	assert_int_equal(
		vsm_ioapic_export(&fixture.io, (enum vsm_ioapic_format)0, blob, sizeof(blob)),
		-EINVAL);
	start(&fixture, 0x20, 24);
	fixture.answer = VSM_IOAPIC_REFUSED;
	program(&fixture, 4, 0x34);
	raise_line(&fixture, 4);
	assert_int_equal(vsm_ioapic_export(&fixture.io, VSM_IOAPIC_FORMAT_KVM, blob, 216), -EBUSY);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(format_1_has_the_whole_state),
		cmocka_unit_test(
			an_invalid_state_is_refused_with_the_field_name_and_changes_nothing),
		cmocka_unit_test(the_kvm_format_is_struct_kvm_ioapic_state),
		TEST(the_kvm_format_preserves_electrical_inputs),
		TEST(an_invalid_kvm_state_is_refused_with_the_field_name_and_changes_nothing),
		cmocka_unit_test(an_export_that_the_format_or_buffer_cannot_hold_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
