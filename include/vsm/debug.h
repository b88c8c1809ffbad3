/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Debugging of each VTL of a VP by the VMM, which gets VSM_EXIT_DEBUG; docs/adopt.md has an
 * example.
 */
#ifndef VSM_DEBUG_H
#define VSM_DEBUG_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

struct vsm_vp;

/* Reasons to stop a VTL, and causes of VSM_EXIT_DEBUG. */
enum vsm_debug_flags {
	/*
	 * INT3: exits with RIP at the INT3. The guest gets the #BP if the VMM sets
	 * *exit.debug.deliver; otherwise INT3 exits again unless the VMM changes RIP or memory.
	 */
	VSM_DEBUG_SOFTWARE = 1u << 0,
	/*
	 * The breakpoints of vsm_debug.dr and dr7 replace those of the VTL, whose registers still
	 * read with the guest's values. Breakpoints on execution exit with RIP at the instruction,
	 * and again at the next run unless RFLAGS.RF is set or a step has passed it.
	 */
	VSM_DEBUG_HARDWARE = 1u << 1,
	/*
	 * Exits after each instruction of the VTL. The VTL gets no interrupt and no NMI until the
	 * flag is cleared, and its own RFLAGS.TF has no effect. For SYSCALL, INT and instructions
	 * that raise an exception, the exit may come as late as after the handler's return, and
	 * RFLAGS that the guest saves has TF set.
	 */
	VSM_DEBUG_STEP = 1u << 2,
	/* Exits before the first instruction after an entry into the VTL (TLFS "VTL Entry"). */
	VSM_DEBUG_VTL_ENTRY = 1u << 3,
	/*
	 * Exits at an instruction of the VTL for which a higher VTL got an intercept message,
	 * before that higher VTL is entered.
	 */
	VSM_DEBUG_INTERCEPT = 1u << 4,
	VSM_DEBUG_ALL = (1u << 5) - 1,
};

struct vsm_debug {
	size_t size;	/* sizeof(struct vsm_debug): lets the structure grow */
	uint32_t flags; /* enum vsm_debug_flags; 0: nothing stops the VTL */
	uint32_t reserved;
	/* With VSM_DEBUG_HARDWARE: DR0 to DR3, and DR7 without GD and RTM (SDM 3B 18.2). */
	uint64_t dr[4];
	uint64_t dr7;
};

/*
 * Replaces the debug settings of @vtl of the VP, which need not be active or enabled yet. They are
 * in force on return, survive a reset, and are not part of a saved state. Other VTLs still read the
 * guest's values in DR0 to DR3, which VTLs share. Any thread; waits as vsm_vp_set_registers().
 *
 * Returns: 0; -EINVAL: another size, no such VTL, an unknown flag, an enabled breakpoint that is
 * illegal (I/O, not canonical, not aligned to its length, execution with a length), other bits of
 * DR7, a reserved field is not 0; -ENOTSUP: no debugging by this backend, or SOFTWARE on a CPU on
 * which INT3 does not exit (one that QEMU emulates); other errors of the host.
 */
int vsm_vp_debug(struct vsm_vp *vp, uint8_t vtl, const struct vsm_debug *debug);

#ifdef __cplusplus
}
#endif

#endif
