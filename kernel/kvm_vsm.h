/* SPDX-License-Identifier: GPL-2.0-only WITH Linux-syscall-note OR BSD-2-Clause */
/*
 * User interface of four KVM building blocks: access restrictions of guest
 * pages, exits on register writes, an eventfd for pending events, shared FPU
 * registers.
 *
 * The numbers are not those of any release of Linux.  A KVM without the building
 * blocks returns 0 for the capabilities, and ENOTTY or EINVAL for the ioctls.
 */
#ifndef KVM_VSM_H
#define KVM_VSM_H

#include <linux/ioctl.h>
#include <linux/types.h>

/*
 * Capabilities, for KVM_CHECK_EXTENSION on /dev/kvm or on a VM.  Each returns 0
 * where its building block is absent or cannot work (kvm-amd without npt,
 * kvm-intel without ept, tdp_mmu=0: KVM_CAP_ACCESS is 0).
 */
#define KVM_CAP_ACCESS		0x56534d01
#define KVM_CAP_WRITE_EXITS	0x56534d02
#define KVM_CAP_PENDING_EVENTFD 0x56534d03
#define KVM_CAP_SHARED_FPU	0x56534d04

/* --- Access restrictions --- */

/*
 * A set bit denies an access to a guest page.  KVM_CAP_ACCESS returns the bits
 * that may be set, and properties of the host:
 *
 * SPLIT_EXEC: the two execute bits are independent (MBEC) on vCPUs for which
 *	KVM_SET_SPLIT_EXEC is on.  On a host without SPLIT_EXEC, an ioctl in
 *	which the two differ fails with EINVAL.
 * EXEC_ONLY: code in a page with NO_READ can be executed.  On a host without
 *	EXEC_ONLY, NO_READ denies execution as well.  NO_READ denies writes on
 *	every host.
 */
#define KVM_ACCESS_NO_READ	  (1u << 0)
#define KVM_ACCESS_NO_WRITE	  (1u << 1)
#define KVM_ACCESS_NO_KERNEL_EXEC (1u << 2)
#define KVM_ACCESS_NO_USER_EXEC	  (1u << 3)
#define KVM_ACCESS_NO_EXEC	  (KVM_ACCESS_NO_KERNEL_EXEC | KVM_ACCESS_NO_USER_EXEC)
#define KVM_ACCESS_MASK		  0xfu

#define KVM_ACCESS_CAP_EXEC_ONLY  (1u << 8)
#define KVM_ACCESS_CAP_SPLIT_EXEC (1u << 9)

/*
 * KVM_SET_ACCESS_RANGE, on a VM: gives every page of a range the same
 * restrictions, in place of those that it had.
 *
 * EINVAL: address or size not of whole pages, size 0, an end beyond what the
 *	host can address, a bit that the capability lacks, flags not 0.
 * ENOSPC: more than KVM_ACCESS_MAX_BLOCKS blocks of 2 MiB would have a
 *	restricted page.
 * ENOMEM: no memory.  EFAULT: the argument cannot be read.
 * EOPNOTSUPP: the capability is 0, or the VM is not a KVM_X86_DEFAULT_VM.
 * After any error all restrictions are unchanged.
 */
struct kvm_access_range {
	__u64 address;
	__u64 size;
	__u32 restrictions;
	__u32 flags; /* 0 */
};

/*
 * KVM_SET_ACCESS_PAGES, on a VM: sets the restrictions of scattered pages.  An
 * element is a page's address with its restrictions in the lowest bits.  A
 * later element for the same page wins.  Errors as of KVM_SET_ACCESS_RANGE, also
 * EINVAL for more than KVM_ACCESS_MAX_PAGES elements, EFAULT for the array.
 */
struct kvm_access_pages {
	__u64 pages; /* address of __u64[count] */
	__u32 count;
	__u32 flags; /* 0 */
};

#define KVM_ACCESS_MAX_PAGES  4096
#define KVM_ACCESS_MAX_BLOCKS (1u << 18) /* 512 GiB, at most 140 MB of host memory */

/*
 * KVM_SET_SPLIT_EXEC, on a vCPU.  With 1: while its CR4.SMEP and CR0.PG are
 * set, only NO_USER_EXEC denies execution in user mode and only NO_KERNEL_EXEC
 * execution in kernel mode.  At all other times, and with 0 (the initial
 * value), NO_KERNEL_EXEC denies both and NO_USER_EXEC nothing.  A nested guest
 * is denied both if one of them is set.  A reset of the vCPU keeps the setting.
 *
 * EINVAL: neither 0 nor 1.  EOPNOTSUPP: no SPLIT_EXEC, or encrypted state.
 * EBUSY: a nested guest runs.
 */
#define KVM_SET_SPLIT_EXEC _IOW(0xAE, 0xf5, __u32)

#ifndef KVM_EXIT_MEMORY_FAULT
#define KVM_EXIT_MEMORY_FAULT 39 /* of Linux 6.8, which an older linux/kvm.h lacks */
#endif

/*
 * A refused access ends KVM_RUN with EFAULT, exit_reason KVM_EXIT_MEMORY_FAULT
 * and this at kvm_run.memory_fault (kvm_run.hw, the start of the union), whose
 * first three fields are the stock ones.  RIP is at the instruction, which has
 * no effect, except that a string instruction may have completed iterations.
 * An event whose delivery was refused is still pending.
 */
struct kvm_access_exit {
	__u64 flags;	 /* KVM_ACCESS_EXIT_* */
	__u64 gpa;	 /* the first refused byte */
	__u64 size;	 /* from gpa to the end of its page */
	__u64 gva;	 /* with KVM_ACCESS_EXIT_GVA */
	__u8 insn_len;	 /* the instruction's length; 0: not known */
	__u8 insn_bytes; /* how many bytes of insn[] are valid */
	__u8 reserved[6];
	__u8 insn[16]; /* the bytes at RIP */
};

#define KVM_ACCESS_EXIT_READ  (1ull << 0)
#define KVM_ACCESS_EXIT_WRITE (1ull << 1)
#define KVM_ACCESS_EXIT_EXEC  (1ull << 2)
/* A walk of the guest's page tables, which AMD CPUs always report as a write. */
#define KVM_ACCESS_EXIT_WALK (1ull << 4)
#define KVM_ACCESS_EXIT_GVA  (1ull << 5)

#define KVM_SET_ACCESS_RANGE _IOW(0xAE, 0xf1, struct kvm_access_range)
#define KVM_SET_ACCESS_PAGES _IOW(0xAE, 0xf2, struct kvm_access_pages)

/* --- Exits on register writes --- */

/* KVM_CAP_WRITE_EXITS returns the registers whose writes the host can intercept. */
#define KVM_WRITE_EXIT_CR0  (1u << 0)
#define KVM_WRITE_EXIT_CR4  (1u << 1)
#define KVM_WRITE_EXIT_XCR0 (1u << 2)
#define KVM_WRITE_EXIT_GDTR (1u << 3)
#define KVM_WRITE_EXIT_IDTR (1u << 4)
#define KVM_WRITE_EXIT_LDTR (1u << 5)
#define KVM_WRITE_EXIT_TR   (1u << 6)
#define KVM_WRITE_EXIT_MASK 0x7fu
/* A property of the host: cr0_mask may hold CR0.TS.  Never set in an ioctl. */
#define KVM_WRITE_EXIT_CR0_TS (1u << 16)

/*
 * KVM_SET_WRITE_EXITS, on a vCPU: from its next KVM_RUN on, exactly these
 * writes exit.  A write of CR0 or CR4 exits if it is valid and would change a
 * bit of the mask. EINVAL: a bit that the capability lacks, CR0.TS without
 * CR0_TS, a mask of a register that is not named, reserved not 0, encrypted
 * state. EBUSY: a nested guest runs. While TR or LDTR is in registers, a hardware
 * task switch raises #GP. A reset of the vCPU keeps the setting.  Writes in SMM
 * and by a nested guest do not exit.
 */
struct kvm_write_exits {
	__u32 registers; /* KVM_WRITE_EXIT_CR0 to _TR */
	__u32 reserved;
	__u64 cr0_mask;
	__u64 cr4_mask;
};

#define KVM_SET_WRITE_EXITS _IOW(0xAE, 0xf3, struct kvm_write_exits)

/*
 * kvm_run.exit_reason; struct kvm_write_exit is at the start of the union
 * behind the common fields (kvm_run.hw).  KVM_RUN returns 0.  RIP is at the
 * instruction, which had no effect.  User space performs the write by setting
 * the register and RIP, or else the next KVM_RUN executes it again.
 */
#define KVM_EXIT_REGISTER_WRITE 0x56534d

struct kvm_write_exit {
	__u32 which;	/* one of KVM_WRITE_EXIT_CR0 to _TR */
	__u32 insn_len; /* 0: not known */
	__u64 value;	/* new value of CR0, CR4 or XCR0; 0 for other registers */
};

/* --- An eventfd for pending events --- */

/*
 * KVM_SET_PENDING_EVENTFD, on a vCPU with a local APIC in the kernel: the
 * eventfd (-1: none, the initial state) is signalled when an interrupt, NMI,
 * INIT, SIPI or expired APIC timer comes while the vCPU is not in KVM_RUN, and
 * at the end of a KVM_RUN (and of this ioctl) if one is pending then.  It may
 * be signalled without cause.  An event set by an ioctl of the vCPU itself
 * (KVM_NMI, KVM_SET_LAPIC) is signalled only at the end of the next KVM_RUN.
 * So is an APIC timer that KVM runs on VMX's preemption timer (Linux 7.3 with
 * kvm_intel.preemption_timer).
 * EINVAL: no local APIC in the kernel, or no eventfd; EBADF: no such file.
 */
#define KVM_SET_PENDING_EVENTFD _IOW(0xAE, 0xf0, __s32)

/* --- Shared FPU registers --- */

/*
 * KVM_SHARE_FPU, on a vCPU that has not run: from now on, and until it is
 * destroyed, it has the FPU registers of another vCPU of the same process,
 * given by its file descriptor: x87, SSE, AVX and the rest of the XSAVE area,
 * with PKRU.  Its previous registers are lost.  Each vCPU keeps its own XCR0.
 *
 * Any number of vCPUs, of any VMs, may share, and be closed in any order.  Only
 * one can run an ioctl (such as KVM_RUN) at a time: ioctls of the others fail
 * with EBUSY.
 *
 * EBADF: not an open file of a vCPU. EINVAL: the vCPU has run; the other one is
 * the same, or of another process. EBUSY: the vCPU shares already; the other
 * one runs an ioctl. ENOMEM: no memory. EOPNOTSUPP: encrypted state, or a vCPU
 * whose CPUID has a feature that needs permission (AMX).  While the vCPU shares,
 * KVM_SET_CPUID2 with such a feature fails with EBUSY.
 */
#define KVM_SHARE_FPU _IOW(0xAE, 0xf4, __s32)

#endif
