/* SPDX-License-Identifier: BSD-2-Clause */
/* Encodings worked out by hand from the SDM. */
#include <stdlib.h>
#include <string.h>

#include "unit_test.h"
#include "core/intercept/decode.h"
#include "core/x64.h"

enum mode {
	LONG,
	COMPAT,
	PROTECTED,
	PROTECTED_16,
	REAL
};

static void set_mode(struct vcpu_state *cpu, enum mode mode)
{
	memset(cpu, 0, sizeof(*cpu));
	cpu->cr0 = mode == REAL ? 0 : X64_CR0_PE;
	cpu->efer = mode == LONG || mode == COMPAT ? X64_EFER_LME | X64_EFER_LMA : 0;
	if (mode == LONG)
		cpu->segment[SEGMENT_CS].attributes = HV_X64_SEGMENT_LONG;
	if (mode == COMPAT || mode == PROTECTED) {
		cpu->segment[SEGMENT_CS].attributes = HV_X64_SEGMENT_DEFAULT;
		cpu->segment[SEGMENT_SS].attributes = HV_X64_SEGMENT_DEFAULT;
	}
	for (unsigned int i = 0; i < GPR_COUNT; i++)
		cpu->gpr[i] = 0xffff800000001000 + 0x10000ul * i;
	cpu->segment[SEGMENT_DS].base = 0x20000000;
	cpu->segment[SEGMENT_ES].base = 0x30000000;
	cpu->segment[SEGMENT_SS].base = 0x40000000;
	cpu->segment[SEGMENT_CS].base = 0x50000000;
	cpu->segment[SEGMENT_FS].base = 0x7000000000;
	cpu->segment[SEGMENT_GS].base = 0x8000000000;
	cpu->rip = 0xffffffff81000000;
}

#define MAX_OPERANDS 2

struct expected {
	const char *text;
	const char *bytes;
	struct decode_memory memory[MAX_OPERANDS];
	enum mode mode;
	uint8_t length;
	uint8_t count;
};

#define R  GPA_READ
#define W  GPA_WRITE
#define H  0xffff800000000000ul /* the registers' upper part */
#define H1 (H + 0x1000)

/* Register n holds H1 + n * 0x10000; order RAX RCX RDX RBX RSP RBP RSI RDI. */
static const struct expected table[] = {
	{"nop", "\x90", {{0}}, LONG, 1, 0},
	{"mov [rbx], rax", "\x48\x89\x03", {{H1 + 0x30000, 8, W}}, LONG, 3, 1},
	{"mov al, [rcx+8]", "\x8a\x41\x08", {{H1 + 0x10008, 1, R}}, LONG, 3, 1},
	{"add dword [rdx-4], 1", "\x83\x42\xfc\x01", {{H1 + 0x1fffc, 4, R | W}}, LONG, 4, 1},
	{"mov rax, [rip+0x10]", "\x48\x8b\x05\x10\0\0\0", {{0xffffffff81000017, 8, R}}, LONG, 7, 1},
	{"mov eax, [rbx+rcx*4+0x100]",
	 "\x8b\x84\x8b\x00\x01\0\0",
	 {{H1 + 0x30000 + (H1 + 0x10000) * 4 + 0x100, 4, R}},
	 LONG,
	 7,
	 1},
	{"mov eax, [r8]", "\x41\x8b\x00", {{H1 + 0x80000, 4, R}}, LONG, 3, 1},
	{"mov eax, [ebx] (67)", "\x67\x8b\x03", {{0x31000, 4, R}}, LONG, 3, 1},
	{"mov rax, gs:[0x28]",
	 "\x65\x48\x8b\x04\x25\x28\0\0\0",
	 {{0x8000000028, 8, R}},
	 LONG,
	 9,
	 1},
	{"mov fs:[rax], cl", "\x64\x88\x08", {{0x7000000000 + H1, 1, W}}, LONG, 3, 1},
	{"mov ds:[rax], cl", "\x3e\x88\x08", {{H1, 1, W}}, LONG, 3, 1},
	{"push rax", "\x50", {{H1 + 0x40000 - 8, 8, W}}, LONG, 1, 1},
	{"pop rax", "\x58", {{H1 + 0x40000, 8, R}}, LONG, 1, 1},
	{"call +0", "\xe8\0\0\0\0", {{H1 + 0x40000 - 8, 8, W}}, LONG, 5, 1},
	{"ret", "\xc3", {{H1 + 0x40000, 8, R}}, LONG, 1, 1},
	{"push [rbx]", "\xff\x33", {{H1 + 0x30000, 8, R}, {H1 + 0x40000 - 8, 8, W}}, LONG, 2, 2},
	{"rep movsb", "\xf3\xa4", {{H1 + 0x70000, 1, W}, {H1 + 0x60000, 1, R}}, LONG, 2, 2},
	{"stosq", "\x48\xab", {{H1 + 0x70000, 8, W}}, LONG, 2, 1},
	{"lock cmpxchg [rsi], rcx", "\xf0\x48\x0f\xb1\x0e", {{H1 + 0x60000, 8, R | W}}, LONG, 5, 1},
	{"movups [rdi], xmm0", "\x0f\x11\x07", {{H1 + 0x70000, 16, W}}, LONG, 3, 1},
	{"lea rax, [rbx]", "\x48\x8d\x03", {{0}}, LONG, 3, 0},
	{"wrmsr", "\x0f\x30", {{0}}, LONG, 2, 0},
	{"mov cr0, rax", "\x0f\x22\xc0", {{0}}, LONG, 3, 0},
	{"lgdt [rbx]", "\x0f\x01\x13", {{H1 + 0x30000, 10, R}}, LONG, 3, 1},
	{"out dx, al", "\xee", {{0}}, LONG, 1, 0},
	{"xsetbv", "\x0f\x01\xd1", {{0}}, LONG, 3, 0},
	{"mov [ebx], eax", "\x89\x03", {{0x20031000, 4, W}}, COMPAT, 2, 1},
	{"mov [ebp], eax: SS", "\x89\x45\x00", {{0x40051000, 4, W}}, PROTECTED, 3, 1},
	{"push eax", "\x50", {{0x40041000 - 4, 4, W}}, PROTECTED, 1, 1},
	{"stosb: ES", "\xaa", {{0x30071000, 1, W}}, PROTECTED, 1, 1},
	{"mov eax, [disp32] wraps at 4 GiB",
	 "\xa1\x00\x00\x00\xf0",
	 {{0x10000000, 4, R}},
	 PROTECTED,
	 5,
	 1},
	{"mov [bx+si+1], ax", "\x89\x40\x01", {{0x20002001, 2, W}}, REAL, 3, 1},
	{"mov [bx], al", "\x88\x07", {{0x20001000, 1, W}}, PROTECTED_16, 2, 1},
};

static void test_instructions_are_as_the_sdm_encodes_them(void **state)
{
	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
		const struct expected *one = &table[i];
		struct vcpu_state cpu;
		struct decode_result result;
		uint8_t bytes[DECODE_MAX_LENGTH] = {0};

		set_mode(&cpu, one->mode);
		memcpy(bytes, one->bytes, one->length);
		if (!decode_instruction(&cpu, bytes, sizeof(bytes), &result))
			fail_msg("%s", one->text);
		assert_int_equal(result.length, one->length);
		assert_int_equal(result.memory_count, one->count);
		for (unsigned int k = 0; k < one->count; k++) {
			assert_int_equal(result.memory[k].linear, one->memory[k].linear);
			assert_int_equal(result.memory[k].size, one->memory[k].size);
			assert_int_equal(result.memory[k].access, one->memory[k].access);
		}
		assert_false(decode_instruction(&cpu, bytes, one->length - 1u, &result));
		assert_int_equal(result.length, 0);
	}
}

static void test_invalid_instructions_are_refused(void **state)
{
	struct vcpu_state cpu;
	struct decode_result result;
	uint8_t prefixes[64];

	set_mode(&cpu, LONG);
	assert_false(decode_instruction(&cpu, (const uint8_t *)"\x06", 1, &result));
	assert_false(decode_instruction(&cpu, (const uint8_t *)"", 0, &result));
	memset(prefixes, 0x66, sizeof(prefixes));
	prefixes[20] = 0x90;
	assert_false(decode_instruction(&cpu, prefixes, sizeof(prefixes), &result));
}

static void test_results_for_random_bytes_are_within_bounds(void **state)
{
	struct vcpu_state cpu;
	struct decode_result result;
	uint8_t bytes[DECODE_MAX_LENGTH];

	srand(1);
	for (int i = 0; i < 200000; i++) {
		size_t count = (size_t)rand() % (sizeof(bytes) + 1);

		set_mode(&cpu, (enum mode)(rand() % 5));
		for (size_t k = 0; k < sizeof(bytes); k++)
			bytes[k] = (uint8_t)rand();
		if (decode_instruction(&cpu, bytes, count, &result)) {
			assert_in_range(result.length, 1, count);
			assert_in_range(result.memory_count, 0, DECODE_MAX_MEMORY);
		}
	}
}

static void test_the_address_of_an_instruction_has_a_base_outside_of_long_mode(void **state)
{
	struct vcpu_state cpu;

	set_mode(&cpu, LONG);
	assert_int_equal(decode_linear_rip(&cpu), 0xffffffff81000000);
	set_mode(&cpu, COMPAT);
	assert_int_equal(decode_linear_rip(&cpu), 0xd1000000);
	set_mode(&cpu, REAL);
	cpu.rip = 0xfff0;
	cpu.segment[SEGMENT_CS].base = 0xffff0000;
	assert_int_equal(decode_linear_rip(&cpu), 0xfffffff0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_instructions_are_as_the_sdm_encodes_them),
		cmocka_unit_test(test_invalid_instructions_are_refused),
		cmocka_unit_test(test_results_for_random_bytes_are_within_bounds),
		cmocka_unit_test(
			test_the_address_of_an_instruction_has_a_base_outside_of_long_mode),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
