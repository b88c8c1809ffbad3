/* SPDX-License-Identifier: BSD-2-Clause */
/* The bits of control registers and page-table entries that a walk uses: SDM 3A, 2.5 and 4. */
#ifndef WALK_BITS_H
#define WALK_BITS_H

#include <stdint.h>

#define BIT(n) (UINT64_C(1) << (n))
/* Bits high:low, both included. */
#define BITS(high, low) ((~UINT64_C(0) >> (63 - (high))) & (~UINT64_C(0) << (low)))

#define CR0_WP	 BIT(16)
#define CR0_PG	 BIT(31)
#define CR4_PSE	 BIT(4)
#define CR4_PAE	 BIT(5)
#define CR4_PGE	 BIT(7)
#define CR4_LA57 BIT(12)
#define CR4_SMEP BIT(20)
#define CR4_SMAP BIT(21)
#define CR4_PKE	 BIT(22)
#define CR4_PKS	 BIT(24)
#define EFER_LMA BIT(10)
#define EFER_NXE BIT(11)
#define FLAGS_AC BIT(18)

#define PTE_P	      BIT(0)
#define PTE_RW	      BIT(1)
#define PTE_US	      BIT(2)
#define PTE_PWT	      BIT(3)
#define PTE_PCD	      BIT(4)
#define PTE_A	      BIT(5)
#define PTE_D	      BIT(6)
#define PTE_PS	      BIT(7) /* in an entry that may map a large page */
#define PTE_PAT	      BIT(7) /* in the last level; bit 12 in a large page */
#define PTE_PAT_LARGE BIT(12)
#define PTE_G	      BIT(8)
#define PTE_XD	      BIT(63)
#define PTE_ADDRESS   BITS(51, 12)

#endif
