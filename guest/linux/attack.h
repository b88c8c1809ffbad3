/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef VSM_ATTACK_H
#define VSM_ATTACK_H

#include <linux/types.h>

/* Module parameters: a function and read-only data of the kernel, and VTL1's memory. */
extern unsigned long attack_text, attack_rodata, attack_region;

struct attack_report {
	char text[120];
};
__printf(2, 3) void attack_report(struct attack_report *report, const char *format, ...);

/* Returns true if it succeeded. "Success without VTL1" at an attack: when it succeeds if VTL1 was not
 * started, so that VTL1's memory and registers do not exist. */
typedef bool attack(struct attack_report *report);

attack attack_alias_text, attack_alias_rodata, attack_read_region,
	attack_write_region;		  /* attack_memory.c */
attack attack_run_data, attack_registers; /* attack_code.c */
attack attack_output, attack_protections, attack_get_registers,
	attack_set_registers;		       /* attack_hypercall.c */
attack attack_start;			       /* attack_takeover.c */
attack attack_flood;			       /* attack_flood.c */
attack attack_cover_text, attack_cover_rodata; /* attack_overlay.c */

/* Read or write one byte. False: it raised #GP. */
bool attack_read(const volatile u8 *at, u8 *value);
bool attack_write(volatile u8 *at, u8 value);

/* MOV to CR0 and CR4. False: it raised #GP. */
bool attack_set_cr0(unsigned long value);
bool attack_set_cr4(unsigned long value);

/* Calls code; returns its RAX, or ATTACK_GP if its first page raised #GP. */
u64 attack_call(void *code);

/* The input is in attack_input. Returns ATTACK_GP if the hypercall raised #GP. One caller at a time. */
#define ATTACK_GP	  (~0ull)
#define ATTACK_REP(count) ((u64)(count) << 32)
extern u8 *attack_input; /* a page */
u64 attack_hypercall(u64 control, phys_addr_t output);
/* The name of a hypercall result, such as "ACCESS_DENIED" or "#GP". */
const char *attack_status(u64 result);

/* HvCallGetVpRegisters and HvCallSetVpRegisters for one register of this VP. Return: the result. */
u64 attack_get_register(u8 input_vtl, u32 name, u64 *value);
u64 attack_set_register(u8 input_vtl, u32 name, u64 value);
#define ATTACK_VTL1 (1 | 1 << 4) /* HV_INPUT_VTL: VTL1, with UseTargetVtl set */

#define REGISTER_VSM_PARTITION_STATUS  0x000d0004
#define REGISTER_VSM_CODE_PAGE_OFFSETS 0x000d0002
#define REGISTER_VSM_VP_STATUS	       0x000d0003
#define REGISTER_VSM_PARTITION_CONFIG  0x000d0007
#define REGISTER_RSP		       0x00020004
#define REGISTER_RIP		       0x00020010
#define REGISTER_CR3		       0x00040002
#define REGISTER_EFER		       0x00080001

/* Whether VTL1 is enabled on the partition. */
bool attack_vtl1_owned(void);
/* Addresses of the VTL call and the VTL return in the hypercall page. */
void *attack_vtl_call_stub(void);
void *attack_vtl_return_stub(void);

/* Tries once to enable VTL1 on this CPU with an attacker's context, and to enter it. NULL: the attacker's
 * code did not run in VTL1. */
struct attack_captured {
	u64 cr3, rsp, efer; /* registers of VTL1 */
};
const struct attack_captured *attack_take_over(void);
/* RSP in the attacker's context. */
u64 attack_own_rsp(void);

#endif
