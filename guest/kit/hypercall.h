/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef KIT_HYPERCALL_H
#define KIT_HYPERCALL_H

#include <stdbool.h>
#include <stdint.h>

#include <vsm/hv/hv.h>

/* The guest OS ID: open source, with an unassigned vendor number. */
#define KIT_GUEST_OS_ID 0x8f00000000000001ull

/* By VTL; set by hypercall_enable() of that VTL. */
extern uint8_t *hypercall_page[3];

/* Whether CPUID reports a hypervisor with hypercalls, and the CPUID privileges and features. */
bool hypercall_offered(void);
uint64_t hypercall_privileges(void);
uint32_t hypercall_features(void);

/* Sets the guest OS ID and the hypercall page of the calling VTL. Call it on one VP only. */
void hypercall_enable(void);

/* A hypercall input value: code, rep count, variable header in units of 8 bytes. */
static inline uint64_t hypercall_word(uint16_t code, uint32_t reps, uint32_t varhead)
{
	return code | (uint64_t)varhead << HV_HYPERCALL_VARHEAD_SHIFT |
	       (uint64_t)reps << HV_HYPERCALL_REP_COUNT_SHIFT;
}

/* Calls the hypercall page once with RCX, RDX and R8; returns RAX. */
uint64_t hypercall_raw(uint64_t control, uint64_t rdx, uint64_t r8);

/* @block: RDX, R8 and XMM0-5 before and after the hypercall. Overwrites XMM0-5. */
uint64_t hypercall_block(uint64_t control, uint64_t block[14]);

/*
 * Makes a memory-based hypercall: copies @size bytes of @input to the VP's input page, and
 * @out_size bytes of its output page to @output. Repeats until all reps are done, or a call fails
 * or makes no progress. Returns the last hypercall result value.
 */
uint64_t hypercall_memory(uint64_t control, const void *input, uint32_t size, void *output,
			  uint32_t out_size);

/* Make a non-rep hypercall, memory-based or fast. Return its HV_STATUS. */
uint16_t hypercall(uint16_t code, const void *input, uint32_t size, void *output,
		   uint32_t out_size);
uint16_t hypercall_fast(uint16_t code, uint64_t rdx, uint64_t r8);

/* HvCallGetVpRegisters and HvCallSetVpRegisters with one register. Return the HV_STATUS. */
uint16_t register_get(uint32_t vp, uint8_t input_vtl, uint32_t name,
		      union hv_register_value *value);
uint16_t register_set(uint32_t vp, uint8_t input_vtl, uint32_t name,
		      const union hv_register_value *value);
uint16_t register_set_u64(uint32_t vp, uint8_t input_vtl, uint32_t name, uint64_t value);

/* Reads a register of the calling VP and VTL; a failure ends the machine. */
uint64_t register_own(uint32_t name);

static inline uint8_t input_vtl(uint8_t vtl)
{
	return (uint8_t)(HV_INPUT_VTL_USE_TARGET | vtl);
}

#endif
