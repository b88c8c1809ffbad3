/* SPDX-License-Identifier: BSD-2-Clause */
/* For the loader of the secure kernel: memory layout and initial registers. */
#ifndef SECURE_KERNEL_LOADER_H
#define SECURE_KERNEL_LOADER_H

#ifdef __KERNEL__
#include <linux/stddef.h>
#else
#include <stddef.h>
#endif

#include "interface.h"

/* For HV_INITIAL_VP_CONTEXT; segments are flat, and 64-bit. */
struct secure_kernel_start {
	uint64_t rip, rsp, cr3;
};

/* PG WP NE ET EM MP PE: without the FPU, so that the hypervisor need not check it for changes by VTL1 */
#define SECURE_KERNEL_START_CR0 0x80010037ull
#define SECURE_KERNEL_START_CR4 0x20ull /* PAE */
#define SECURE_KERNEL_START_PAT 0x0007040600070406ull

/* Returns NULL if @image is a secure kernel of this interface version, otherwise what is wrong. */
static inline const char *secure_kernel_image_fault(const void *image, uint64_t size)
{
	const struct secure_kernel_header *header = (const struct secure_kernel_header *)image;

	if (size < sizeof(*header) || header->magic != SECURE_KERNEL_MAGIC)
		return "it does not begin with a secure kernel's header";
	if (header->version != SECURE_KERNEL_VERSION)
		return "it is for another version of the interface";
	if (header->file_size != size)
		return "it is longer or shorter than its header says";
	if (header->memory_size < size || header->memory_size > SECURE_KERNEL_REGION / 2)
		return "it does not fit into its memory";
	if (header->entry >= size || header->stack_end > header->memory_size)
		return "its entry or its stack is outside of it";
	return NULL;
}

/* Writes the seed and page tables that identity-map the region, and fills in @start. @memory: the caller's
 * mapping of SECURE_KERNEL_REGION bytes at the GPA @base, a multiple of this size: the image, then zeros. */
static inline void secure_kernel_place(void *memory, uint64_t base, const uint8_t *seed,
				       struct secure_kernel_start *start)
{
	struct secure_kernel_header *header = (struct secure_kernel_header *)memory;
	const uint64_t tables = SECURE_KERNEL_REGION - SECURE_KERNEL_TABLES * 4096ull;
	uint64_t *table = (uint64_t *)(void *)((uint8_t *)memory + tables);

	table[base >> 39 & 511] = (base + tables + 4096) | 3; /* present, writable */
	table[512 + (base >> 30 & 511)] = (base + tables + 8192) | 3;
	table[1024 + (base >> 21 & 511)] = base | 0x83; /* 2 MiB */
	header->base = base;
	for (uint32_t i = 0; i < SECURE_KERNEL_DIGEST; i++)
		header->seed[i] = seed[i];
	start->rip = base + header->entry;
	start->rsp = base + header->stack_end - 16;
	start->cr3 = base + tables;
}

#endif
