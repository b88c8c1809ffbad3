/* SPDX-License-Identifier: BSD-2-Clause */
/* Behaviour that differs between CPUs, or in which an emulated CPU deviates from the manuals. */
#ifndef TESTS_RIG_WALK_TRAITS_H
#define TESTS_RIG_WALK_TRAITS_H

#include "walk_guest.h"

enum trait {
	PML4E_BIT8_RESERVED,
	RSVD_WITHOUT_P,
	MODIFY_FAULTS_AS_READ,
	ACCESSED_IN_BAD_1G_PAGE,
	PDPTE_LOW_BITS_IGNORED,
	ACCESSED_IN_PDPTE,
	SMAP_LETS_IMPLICIT_BY_AC,
	KEYS_BEFORE_RIGHTS,
	TRAITS,
};

extern bool cpu_has[TRAITS];

/* Probes the guest's CPU for each property and prints those found. Returns: NULL, or an error. */
const char *traits_probe(struct guest *guest);

#endif
