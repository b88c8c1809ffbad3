/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Intercept messages (TLFS, "Secure Intercepts" and the HV_X64_..._INTERCEPT_MESSAGE types). They
 * have the state of the active VTL before the instruction. Owner of the VP.
 */
#ifndef CORE_INTERCEPT_MESSAGE_H
#define CORE_INTERCEPT_MESSAGE_H

#include "core/core.h"
#include "core/intercept/decode.h"

/* The intercepted instruction, as far as it is readable. */
struct intercept_instruction {
	uint8_t length;	    /* 0: unknown */
	uint8_t byte_count; /* readable bytes, at most length unless that is 0 */
	uint8_t bytes[16];
	bool decoded;
	struct decode_result decode; /* if decoded */
};

/*
 * Reads the instruction at RIP through the VTL's own page tables (P19) and decodes it. @length: 0:
 * the decoder determines it.
 */
void intercept_read_instruction(struct vsm_vp *vp, uint8_t length,
				struct intercept_instruction *instruction);

struct intercept_access {
	uint64_t gpa;
	uint64_t gva;	    /* if gva_valid */
	uint8_t access;	    /* enum gpa_access */
	uint8_t cache_type; /* enum hv_cache_type */
	bool gva_valid;	    /* gva translates to gpa */
	bool hypercall_output;
};

void intercept_memory_message(struct vsm_vp *vp, const struct intercept_instruction *instruction,
			      const struct intercept_access *access, struct hv_message *message);
void intercept_msr_message(struct vsm_vp *vp, const struct intercept_instruction *instruction,
			   uint32_t msr, bool write, struct hv_message *message);
void intercept_io_message(struct vsm_vp *vp, const struct intercept_instruction *instruction,
			  const struct backend_run *run, struct hv_message *message);
/* @name: HvX64Register... that the instruction writes; @value: the value, if it is reported. */
void intercept_register_message(struct vsm_vp *vp, const struct intercept_instruction *instruction,
				uint32_t name, uint64_t value, struct hv_message *message);

#endif
