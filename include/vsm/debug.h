/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Debugging of a VP from outside, for each VTL: breakpoints, watchpoints, single step, and stops at
 * VTL entries and intercepts. The VMM gets VSM_EXIT_DEBUG; docs/adopt.md has an example.
 */
#ifndef VSM_DEBUG_H
#define VSM_DEBUG_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

struct vsm_vp;

/* What stops a VTL; also the cause of VSM_EXIT_DEBUG. */
enum vsm_debug_flags {
	/*
	 * INT3: exits with RIP at it. The guest gets the #BP if the VMM sets *exit.debug.deliver;
	 * otherwise INT3 runs again unless the VMM changes RIP or the memory.
	 */
	VSM_DEBUG_SOFTWARE = 1u << 0,
	/*
	 * The breakpoints of vsm_debug.dr and dr7 are in force in place of the VTL's own, which
	 * keep their values for the guest. Breakpoints on execution exit with RIP at the
	 * instruction, and again unless RFLAGS.RF is set or a step leaves it.
	 */
	VSM_DEBUG_HARDWARE = 1u << 1,
	/*
	 * Exits after each instruction of the VTL. The VTL gets no interrupt and no NMI meanwhile,
	 * and its own RFLAGS.TF has no effect. After an instruction that raises an exception, and
	 * SYSCALL and INT, the exit comes at the latest behind the handler's return; RFLAGS that
	 * the guest saves has TF set then.
	 */
	VSM_DEBUG_STEP = 1u << 2,
	/* Exits before the first instruction after an entry into the VTL (TLFS "VTL Entry"). */
	VSM_DEBUG_VTL_ENTRY = 1u << 3,
	/*
	 * Exits at an instruction of the VTL for which a higher VTL got an intercept message, before
	 * that one is entered.
	 */
	VSM_DEBUG_INTERCEPT = 1u << 4,
	VSM_DEBUG_ALL = (1u << 5) - 1,
};

struct vsm_debug {
	size_t size;	/* sizeof(struct vsm_debug): lets the structure grow */
	uint32_t flags; /* enum vsm_debug_flags; 0: nothing stops the VTL */
	uint32_t reserved;
	/* With VSM_DEBUG_HARDWARE: DR0 to DR3, and the fields L, G, R/W and LEN of DR7 (SDM 3B 18.2). */
	uint64_t dr[4];
	uint64_t dr7;
};

/*
 * Sets what stops @vtl of the VP, in place of what was set before; also for a VTL that is not
 * active or not enabled yet. It is in force on return, stays over a reset, and is no part of a saved
 * state. The other VTLs are not affected: DR0 to DR3, which VTLs share, are those of the guest.
 * Any thread; waits as vsm_vp_set_registers().
 *
 * Returns: 0; -EINVAL: another size, no such VTL, an unknown flag, an enabled breakpoint that is
 * illegal (I/O, not canonical, not aligned to its length, execution with a length), other bits of
 * DR7; -ENOTSUP: SOFTWARE on a CPU on which INT3 does not exit (QEMU's without KVM); other errors
 * of the host.
 */
int vsm_vp_debug(struct vsm_vp *vp, uint8_t vtl, const struct vsm_debug *debug);

#ifdef __cplusplus
}
#endif

#endif
