/* SPDX-License-Identifier: BSD-2-Clause */
/* State of the engine nested for a VTL and for a vCPU. Legend for fields: backend.h. */
#ifndef VKVM_NESTED_STATE_H
#define VKVM_NESTED_STATE_H

#include <linux/kvm.h>
#include <stdbool.h>
#include <stdint.h>

/* The page directory of 1 GiB and the tables of its 2 MiB blocks, kept as long as hidden memory. */
struct nested_directory {
	uint32_t page;	     /* of hidden memory */
	uint32_t table[512]; /* pages of hidden memory, 0: none yet */
};

/* The mode of a VTL's vCPUs. During a change they do not run guest code. */
enum nested_mode {
	NESTED_PLAIN, /* hidden memory is in no memory slot */
	NESTED_CHANGING,
	NESTED_ACTIVE, /* the VTL runs as L2 */
};

/* State for a VTL, guarded by the engine lock unless constant. */
struct nested_vm {
	int fd;		      /* c: file of hidden memory, -1: this VTL cannot be restricted */
	uint8_t *base;	      /* c */
	uint64_t gpa;	      /* c: GPA of hidden memory in L1; L2 has no memory there */
	uint32_t pages;	      /* c */
	uint32_t first_vmcb;  /* c */
	uint32_t used;	      /* pages that are in use */
	uint32_t directories; /* c: entries of `directory` */
	struct nested_directory **directory; /* by GPA / 1 GiB */
	uint64_t denied;		     /* pages with a restriction */
	uint32_t watching;		     /* vCPUs with a watched register */
	_Atomic int mode;		     /* a: enum nested_mode, written under E */
	uint64_t since;	  /* when `mode` last changed, in seconds of CLOCK_MONOTONIC */
	bool barrier;	  /* current flag of the barrier's slot */
	bool lost;	  /* a change that is not yet in force denies a right */
	uint64_t zap_gpn; /* pages whose shadow entries must still be dropped, if zap_pages */
	uint64_t zap_pages;
	bool unzapped; /* KVM may have a shadow entry with a denied right */
};

struct nested_vcpu {
	uint64_t allowed_rip; /* o: the last exit for an access that is allowed */
	uint64_t allowed_gpa;
	bool other_operand; /* o: a second exit for that access: see backend_run.memory */
	bool on;	    /* o: the vCPU in use is the nested one */
	bool reload;	    /* o: VMCB12 lacks the current `watched` */
	bool drained;	    /* o: the nested vCPU may have left guest mode: see drain() */
	uint32_t watched;   /* o: KVM_WRITE_EXIT_* */
	uint32_t step;	    /* o: the one of `watched` that the instruction at step_rip may write */
	uint64_t step_rip;  /* o */
	uint64_t step_value;	    /* o: CR0 or CR4 after the step, in the bits of the mask */
	bool step_checked;	    /* o: step_value is valid */
	struct nested_state *state; /* o: argument of KVM_SET_NESTED_STATE to enter guest mode */
	int other_fd;		    /* o: the other vCPU, or -1 */
	int other_count_fd;	    /* o: its count of exits, or -1 */
	struct kvm_run *other_run;  /* o */
};

#endif
