/* SPDX-License-Identifier: BSD-2-Clause */
#include "core/hypercall/hypercall.h"

#include <string.h>

/*
 * Code sequences at fixed offsets, independent of the length of the backend's instruction.
 *
 * Every sequence starts with ENDBR, so that a kernel can keep indirect branch tracking on: Linux
 * turns it off without ENDBR at offset 0. The VTL sequences move the control input to the register
 * that the instruction needs and load the call code (TLFS "VTL Call", "VTL Return").
 */
struct stub {
	uint16_t offset;
	uint8_t before[12]; /* code before the instruction; a RET follows it */
	uint8_t length;
};

enum {
	STUB_HYPERCALL,
	STUB_CALL_64,
	STUB_RETURN_64,
	STUB_CALL_32,
	STUB_RETURN_32,
	STUB_COUNT,
};

/* clang-format off */
static const struct stub stubs[STUB_COUNT] = {
	/* endbr64 */
	[STUB_HYPERCALL] = {0x00, {0xf3, 0x0f, 0x1e, 0xfa}, 4},
	/* endbr64; mov rax, rcx; mov ecx, code */
	[STUB_CALL_64]   = {0x20, {0xf3, 0x0f, 0x1e, 0xfa, 0x48, 0x89, 0xc8, 0xb9, HV_CALL_VTL_CALL}, 12},
	[STUB_RETURN_64] = {0x40, {0xf3, 0x0f, 0x1e, 0xfa, 0x48, 0x89, 0xc8, 0xb9, HV_CALL_VTL_RETURN}, 12},
	/* endbr32; mov ecx, eax; mov eax, code */
	[STUB_CALL_32]   = {0x60, {0xf3, 0x0f, 0x1e, 0xfb, 0x89, 0xc1, 0xb8, HV_CALL_VTL_CALL}, 11},
	[STUB_RETURN_32] = {0x80, {0xf3, 0x0f, 0x1e, 0xfb, 0x89, 0xc1, 0xb8, HV_CALL_VTL_RETURN}, 11},
};
/* clang-format on */

#define INT3 0xcc
#define RET  0xc3

void hypercall_page_fill(const struct vsm_partition *partition, uint8_t page[CORE_PAGE_SIZE])
{
	const struct backend_features *features = &partition->features;

	memset(page, INT3, CORE_PAGE_SIZE);
	for (size_t i = 0; i < STUB_COUNT; i++) {
		uint8_t *code = page + stubs[i].offset;

		memcpy(code, stubs[i].before, stubs[i].length);
		code += stubs[i].length;
		memcpy(code, features->hypercall, features->hypercall_length);
		code[features->hypercall_length] = RET;
	}
}

uint64_t hypercall_page_offsets(const struct vsm_partition *partition, bool long_mode)
{
	const struct stub *call = &stubs[long_mode ? STUB_CALL_64 : STUB_CALL_32];
	const struct stub *back = &stubs[long_mode ? STUB_RETURN_64 : STUB_RETURN_32];

	(void)partition; /* the same for every backend */
	return (uint64_t)call->offset << HV_VSM_CODE_PAGE_CALL_SHIFT |
	       (uint64_t)back->offset << HV_VSM_CODE_PAGE_RETURN_SHIFT;
}
