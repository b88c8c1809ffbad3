/* SPDX-License-Identifier: BSD-2-Clause */
/* Accesses of VTL0 to memory that VTL1 may deny: VTL1 skips denied instructions, and fw_cfg makes DMA. */
#ifndef VSM_TESTS_QEMU_VTL0_H
#define VSM_TESTS_QEMU_VTL0_H

#include <stdint.h>

#include "kit/x64.h"

#define UNTOUCHED 0x1122334455667788ull
/* QEMU's docs/specs/fw_cfg.rst; big-endian. */
#define FW_CFG_DMA 0x514
#define DMA_READ   (1u << 1)
#define DMA_SELECT (1u << 3)

/* Returns UNTOUCHED if VTL1 has skipped the load. */
static inline uint64_t try_load(const volatile uint64_t *address)
{
	uint64_t value = UNTOUCHED;

	__asm__ volatile("mov (%1), %0" : "+a"(value) : "r"(address) : "memory");
	return value;
}

/* The NOP is skipped instead of the store, since engine uffd reports RIP after a store to read-only memory. */
static inline void try_store(volatile uint64_t *address)
{
	__asm__ volatile("mov %0, (%1); nop" : : "a"(UNTOUCHED), "r"(address) : "memory");
}

static inline void write_by_device(const volatile void *address)
{
	static volatile struct {
		uint32_t control;
		uint32_t length;
		uint64_t address;
	} request __attribute__((aligned(16)));

	request.length = __builtin_bswap32(4);
	request.address = __builtin_bswap64((uint64_t)address);
	request.control = __builtin_bswap32(DMA_READ | DMA_SELECT);
	outl(FW_CFG_DMA, __builtin_bswap32((uint64_t)&request >> 32));
	outl(FW_CFG_DMA + 4, __builtin_bswap32((uint32_t)(uint64_t)&request));
}

#endif
