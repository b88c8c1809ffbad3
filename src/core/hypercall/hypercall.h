/* SPDX-License-Identifier: BSD-2-Clause */
/* The hypercall ABI (TLFS "Hypercall Interface"). */
#ifndef CORE_HYPERCALL_H
#define CORE_HYPERCALL_H

#include "core/core.h"

struct hypercall;

/*
 * One call. A simple call returns its status. A rep call processes elements from `rep_done` (at
 * first the rep start index) and increments it for each; on failure it is the index of the failed
 * element. If hypercall_time_is_up() is true between two elements, it returns HYPERCALL_CONTINUE.
 */
typedef uint16_t hypercall_fn(struct hypercall *call);

/* Results of a handler other than HV_STATUS values. */
enum {
	HYPERCALL_CONTINUE = 0xfff0, /* run the instruction again, from rep_done on */
	HYPERCALL_RETRY,	     /* run it again, unchanged, at the next entry of this VTL */
	HYPERCALL_INTERCEPTED,	     /* run it again when this VTL resumes after the intercept */
};

#define HYPERCALL_REP	   (1u << 0)
#define HYPERCALL_VARIABLE (1u << 1) /* takes a variable header */
#define HYPERCALL_EXTENDED (1u << 2) /* 0x8001 and up */

struct hypercall_info {
	uint16_t code;
	uint16_t flags;	      /* HYPERCALL_* */
	uint16_t input_size;  /* fixed part, bytes */
	uint16_t output_size; /* of a simple call */
	uint16_t rep_input;   /* bytes of one element */
	uint16_t rep_output;
	uint64_t privilege; /* HV_PARTITION_PRIVILEGE bits, all needed; 0: none */
	hypercall_fn *handler;
};

/* A call in progress. Its input was read once, with the caller's rights, and is constant. */
struct hypercall {
	struct vsm_vp *vp;
	uint8_t vtl; /* the caller's */
	const struct hypercall_info *info;
	bool fast;
	uint16_t variable_size; /* bytes of variable header */
	uint16_t rep_count;
	uint16_t rep_start;
	uint16_t rep_done;
	uint16_t input_available; /* bytes read at `input`: at least the size in the control word */
	const uint8_t *input;	  /* fixed part */
	const uint8_t *variable;  /* variable header */
	const uint8_t *element;	  /* element 0, rep_input bytes each */
	uint8_t *output;	  /* simple: output_size bytes; rep: element 0 */
	uint64_t deadline;	  /* TSC at which its slice of time ends */
	uint64_t rip;		  /* of the instruction */
};

/* By ascending code. */
extern const struct hypercall_info hypercall_table[];
extern const size_t hypercall_table_size;
const struct hypercall_info *hypercall_find(uint16_t code);

/* Handles BACKEND_EXIT_HYPERCALL of the active VTL. Owner of the VP. */
void hypercall_dispatch(struct vsm_vp *vp, uint8_t instruction_length);

/*
 * Starts a rep call's time slice: before its handler runs, and again when another VP's thread
 * begins the work, since the slice limits the cost for that VP. Any thread.
 */
void hypercall_begin_slice(struct hypercall *call);
/* Whether a rep call must stop and continue later: false until one element is processed. */
bool hypercall_time_is_up(struct hypercall *call);

/* HV_INPUT_VTL. INVALID_PARAMETER: reserved bits; ACCESS_DENIED: a VTL above the caller's. */
uint16_t hypercall_target_vtl(const struct hypercall *call, uint8_t input_vtl, uint8_t *vtl);
/* Partition id: SELF, or the result of GetPartitionId; else INVALID_PARTITION_ID. */
#define HYPERCALL_PARTITION_ID UINT64_C(1)
uint16_t hypercall_partition(uint64_t id);
/* HV_VP_INDEX, SELF allowed: the VP, or NULL (INVALID_VP_INDEX). */
struct vsm_vp *hypercall_vp(const struct hypercall *call, uint32_t index);
/* Checks partition id and VP index; *vp: the VP. INVALID_PARTITION_ID or INVALID_VP_INDEX. */
uint16_t hypercall_find_vp(const struct hypercall *call, uint64_t partition_id, uint32_t index,
			   struct vsm_vp **vp);

void hypercall_page_fill(const struct vsm_partition *partition, uint8_t page[CORE_PAGE_SIZE]);
/* HvRegisterVsmCodePageOffsets for a VTL in 64-bit (or 32-bit) mode. */
uint64_t hypercall_page_offsets(const struct vsm_partition *partition, bool long_mode);

hypercall_fn hc_enable_partition_vtl, hc_enable_vp_vtl; /* hypercall/vtl.c */
hypercall_fn hc_modify_vtl_protection_mask,
	hc_check_sparse_gpa_page_vtl_access;	       /* hypercall/protect.c */
hypercall_fn hc_get_vp_registers, hc_set_vp_registers; /* hypercall/registers.c */
hypercall_fn hc_translate_virtual_address,
	hc_translate_virtual_address_ex;			       /* hypercall/translate.c */
hypercall_fn hc_start_virtual_processor, hc_get_vp_index_from_apic_id; /* hypercall/start_vp.c */
hypercall_fn hc_flush_mask, hc_flush_set;			       /* hypercall/flush.c */
hypercall_fn hc_send_ipi, hc_send_ipi_ex, hc_assert_virtual_interrupt; /* hypercall/ipi.c */
hypercall_fn hc_post_message, hc_signal_event;			       /* hypercall/synic.c */
hypercall_fn hc_install_intercept, hc_check_for_io_intercept;	       /* hypercall/intercept.c */
hypercall_fn hc_get_vp_cpuid_values, hc_notify_long_spin_wait, hc_ext_query_capabilities,
	hc_get_partition_id; /* hypercall/misc.c */

#endif
