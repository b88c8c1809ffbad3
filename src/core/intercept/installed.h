/* SPDX-License-Identifier: BSD-2-Clause */
/* Lookup of enabled intercepts. */
#ifndef CORE_INTERCEPT_STATE_H
#define CORE_INTERCEPT_STATE_H

#include "core/core.h"

/* MSRs that one VTL can intercept by HvCallInstallIntercept: bounds host memory. */
#define INTERCEPT_MSR_MAX 256u

/* A bit of CrInterceptControl for MSRs (TLFS "Secure Intercepts"). */
struct cr_intercept {
	uint8_t bit;
	bool write;
	uint8_t msr_count;
	uint32_t msr[4];
};

extern const struct cr_intercept cr_intercept_table[];
extern const size_t cr_intercept_table_size;

/* The bit for this access, or NULL. */
const struct cr_intercept *cr_intercept_of_msr(uint32_t msr, bool write);

/* The lowest of @owners that intercepts the access by HvCallInstallIntercept; 0: none. */
uint8_t intercept_io_owner_of(struct vsm_partition *partition, uint16_t owners, uint16_t port,
			      uint8_t size, bool write);
/* partition->lock held. */
uint8_t intercept_io_owner_locked(const struct vsm_partition *partition, uint16_t owners,
				  uint16_t port, uint8_t size, bool write);
uint8_t intercept_msr_owner_of(struct vsm_partition *partition, uint16_t owners, uint32_t msr,
			       bool write);

#endif
