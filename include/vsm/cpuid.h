/* SPDX-License-Identifier: BSD-2-Clause */
/* Setting the CPUID of a VP, and the CPUID that the host supports. */
#ifndef VSM_CPUID_H
#define VSM_CPUID_H

#include <stddef.h>
#include <stdint.h>

#include <vsm/log.h>

#ifdef __cplusplus
extern "C" {
#endif

struct vsm_vp;

/* The result of CPUID for a leaf, or for a sub-leaf. */
struct vsm_cpuid {
	uint32_t leaf;
	uint32_t subleaf;
	uint32_t has_subleaf; /* 1: for this sub-leaf; 0: for any ECX */
	uint32_t eax;
	uint32_t ebx;
	uint32_t ecx;
	uint32_t edx;
};

/*
 * The CPUID that guests can have on this host: KVM's supported CPUID without features that VTL
 * protections do not cover, and without topology and hypervisor leaves. A feature bit that is 0
 * here cannot be 1 in vsm_vp_set_cpuid(). @log may be NULL. Any thread; needs no partition.
 *
 * @count: in, the capacity of @entry; out, the number of entries.
 *
 * Returns: 0; -ENOBUFS: @entry is too small, *count is set to the capacity needed; -ENODEV,
 * -EACCES: no access to /dev/kvm; -ENOMEM; other errors of the host.
 */
int vsm_host_cpuid(const struct vsm_log *log, struct vsm_cpuid *entry, size_t *count);

/*
 * A feature MSR of the host (KVM_GET_MSR_FEATURE_INDEX_LIST), such as IA32_ARCH_CAPABILITIES. Any
 * thread; needs no partition.
 *
 * Returns: 0; -ENOENT: KVM has no such feature MSR; -ENODEV, -EACCES: no access to /dev/kvm; other
 * errors of the host.
 */
int vsm_host_msr(const struct vsm_log *log, uint32_t index, uint64_t *value);

/*
 * Replaces the CPUID of all VTLs of the VP, except the hypervisor leaves (0x40000000 to
 * 0x4fffffff), which the library sets. Call it before any VP of the partition runs, with the same
 * features for each VP. At most 256 entries.
 *
 * An entry for leaf 0x40000004 sets only EBX, vsm_config.spin_retries; its other registers must be
 * 0. The first call determines the value for all VPs, but each VP needs a call.
 *
 * Nothing is changed silently. Refused, with one line logged: other hypervisor leaves; a value of
 * this EBX that differs from that of the first call; a leaf twice; no leaf 1; another vendor than
 * the host's; an APIC id (leaves 1, 0xb, 0x1f, 0x8000001e, 0x80000026) that is not the VP's; a
 * feature that is not in vsm_host_cpuid(); physical address bits above the host's, below 36, or too
 * few for RAM that was added; linear address bits above the host's; APIC, x2APIC, MSR, TSC or the
 * hypervisor bit cleared, which the library always implements; XSAVE components that differ from
 * the host's.
 *
 * Returns: 0; -EINVAL: refused, see above; -EBUSY: a VP has run; -ENOTSUP: the backend cannot;
 * -ENOMEM; other errors of the host. On failure nothing has changed.
 */
int vsm_vp_set_cpuid(struct vsm_vp *vp, const struct vsm_cpuid *entry, size_t count);

#ifdef __cplusplus
}
#endif

#endif
