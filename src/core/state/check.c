/* SPDX-License-Identifier: BSD-2-Clause */
/* Whether a saved state is complete, fits the partition, and violates no invariant of the core. */
#include <errno.h>
#include <string.h>

#include "core/msr/cpuid.h"
#include "core/intercept/intercept.h"
#include "core/intercept/installed.h"
#include "core/vp/plain_msr.h"
#include "core/memory/protect.h"
#include "core/vp/cpu_registers.h"
#include "core/state/load.h"
#include "core/x64.h"

static int missing(const struct state_image *image, const char *what, uint32_t vp, uint32_t vtl)
{
	return vsm_error(image->log, EINVAL, "saved state: no '%s' of vp %u, vtl %u", what, vp,
			 vtl);
}

static int wrong(const struct state_image *image, const char *record, const char *field,
		 uint32_t vp, uint32_t vtl)
{
	return vsm_error(image->log, EINVAL, "saved state: %s (vp %u, vtl %u): %s does not fit",
			 record, vp, vtl, field);
}

static int check_partition(const struct state_image *image, const struct vsm_partition *partition)
{
	const struct state_partition *state = &image->partition;
	uint16_t possible = (uint16_t)((1u << image->vtl_count) - 1u);

	if (!image->have_partition)
		return missing(image, "partition", 0, 0);
	if (!image->have_ram && image->memory->region_count)
		return missing(image, "ram", 0, 0);
	if (state->vp_count != partition->vp_count)
		return wrong(image, "partition", "vp_count", 0, 0);
	if (state->vtl_count != partition->vtl_count)
		return wrong(image, "partition", "vtl_count", 0, 0);
	/* This version may offer more privileges than the version that saved. */
	if (state->privileges & ~partition->privileges)
		return wrong(image, "partition", "privileges", 0, 0);
	if (state->features & ~(uint64_t)partition->features_edx)
		return wrong(image, "partition", "features", 0, 0);
	if (state->recommendations & ~(uint64_t)partition->recommendations)
		return wrong(image, "partition", "recommendations", 0, 0);
	if (state->tsc_hz != partition->features.tsc_hz)
		return wrong(image, "partition", "tsc_hz", 0, 0);
	if (!(state->enabled_vtls & 1) || (state->enabled_vtls & ~possible))
		return wrong(image, "partition", "enabled_vtls", 0, 0);
	if (state->mbec_vtls & ~state->enabled_vtls ||
	    (state->mbec_vtls && !partition->features.mbec))
		return wrong(image, "partition", "mbec_vtls", 0, 0);
	if (image->tsc_invariant & ~HV_TSC_INVARIANT_EXPOSE ||
	    (image->tsc_invariant &&
	     !partition_has(partition, HV_PRIVILEGE(ACCESS_TSC_INVARIANT_CONTROLS))))
		return wrong(image, "msrs", "TSC_INVARIANT_CONTROL", 0, 0);
	if (!partition->ops->tsc_set)
		return vsm_error(image->log, ENOTSUP, "saved state: backend %s cannot set the TSC",
				 partition->ops->name);
	return 0;
}

/*
 * Groups that do not depend on other groups, so that a correct state always passes. The others may
 * be inconsistent between two hypercalls that set them: they are checked when the VTL runs.
 */
#define CHECKED_GROUPS (VCPU_DEBUG | VCPU_XCR0 | VCPU_FPU | VCPU_MSR)

static int check_cpu(const struct state_image *image, const struct vsm_partition *partition,
		     const struct image_vtl *own, uint32_t vp, uint32_t vtl)
{
	struct backend_features without_la57 = partition->features;
	const struct backend_features *features = &without_la57;
	const struct state_cpu *cpu = &own->cpu;
	uint8_t xsave[X64_XSAVE_LEGACY];
	struct vcpu_state state = {
		.xsave = xsave,
		.xsave_size = sizeof(xsave),
		.dr6 = cpu->dr6,
		.dr7 = cpu->dr7,
		.xcr0 = cpu->xcr0,
	};
	const char *what;

	if (cpu->cr0 & ~features->cr0_valid)
		return wrong(image, "cpu", "cr0", vp, vtl);
	if (cpu->cr4 & ~features->cr4_valid)
		return wrong(image, "cpu", "cr4", vp, vtl);
	if (cpu->efer & ~features->efer_valid)
		return wrong(image, "cpu", "efer", vp, vtl);
	/* CR4.LA57 may change before the VTL runs, so it does not affect the check of addresses. */
	without_la57.msr_address_by_la57 = false;
	memcpy(state.msr, own->msr, sizeof(state.msr));
	memcpy(state.msr, cpu->msr, sizeof(cpu->msr));
	memcpy(xsave, own->xsave, sizeof(xsave));
	what = regs_contradiction(features, &state, CHECKED_GROUPS);
	return what ? wrong(image, "cpu", what, vp, vtl) : 0;
}

/* Whether the page that an overlay's MSR enables is within the GPA space. */
static bool page_fits(const struct vsm_partition *partition, uint64_t msr)
{
	return !(msr & HV_PAGE_MSR_ENABLE) || msr >> partition->features.gpa_bits == 0;
}

static int check_pages(const struct state_image *image, const struct vsm_partition *partition,
		       const struct state_vp_vtl *state, uint32_t vp, uint32_t vtl)
{
	if (!page_fits(partition, state->assist))
		return wrong(image, "vp-vtl", "assist", vp, vtl);
	if (!page_fits(partition, state->siefp))
		return wrong(image, "vp-vtl", "siefp", vp, vtl);
	if (!page_fits(partition, state->simp))
		return wrong(image, "vp-vtl", "simp", vp, vtl);
	if (state->cr_intercept_control & ~intercept_supported(partition))
		return wrong(image, "vp-vtl", "cr_intercept_control", vp, vtl);
	return 0;
}

/* Whether this host's engine can enforce a protection by @owner that leaves @access. */
static bool enforceable(const struct state_image *image, const struct vsm_partition *partition,
			uint32_t owner, uint64_t access)
{
	bool mbec = image->partition.mbec_vtls & vtl_bit(owner);

	return access == GPA_ALL || protect_possible(partition, (uint32_t)access, mbec);
}

static int check_partition_vtl(const struct state_image *image,
			       const struct vsm_partition *partition, uint8_t vtl)
{
	const struct state_vtl *state = &image->vtl[vtl];
	uint64_t access = (state->config & HV_VSM_PARTITION_CONFIG_DEFAULT_PROTECTION_MASK) >>
			  HV_VSM_PARTITION_CONFIG_DEFAULT_PROTECTION_SHIFT;

	if (!image->have_vtl[vtl])
		return missing(image, "vtl", 0, vtl);
	if (!page_fits(partition, state->hypercall))
		return wrong(image, "vtl", "hypercall", 0, vtl);
	if (!page_fits(partition, state->reference_tsc))
		return wrong(image, "vtl", "reference_tsc", 0, vtl);
	if (vtl && (image->partition.enabled_vtls & vtl_bit(vtl)) &&
	    !enforceable(image, partition, vtl, access))
		return wrong(image, "vtl", "config", 0, vtl);
	return 0;
}

static int check_rules(const struct state_image *image, const struct vsm_partition *partition,
		       const struct image_record *kept)
{
	bool runs = !strcmp(kept->record.name, "protection");
	const struct state_layout *layout = runs ? &state_layout_run : &state_layout_intercept;
	size_t each = state_packed_size(layout);
	uint32_t vtl = kept->record.vtl, msrs = 0;

	if (!strcmp(kept->record.name, "overlay"))
		return 0;
	if (!(image->partition.enabled_vtls & vtl_bit(vtl)))
		return wrong(image, kept->record.name, "VTL that is not enabled", 0, vtl);
	for (uint32_t i = 0; i < kept->record.length / each; i++) {
		struct state_run run;
		struct state_intercept rule;

		if (runs) {
			state_unpack(layout, kept->payload + i * each, &run);
			if (!enforceable(image, partition, vtl, run.access))
				return wrong(image, "protection", "access", 0, vtl);
			continue;
		}
		state_unpack(layout, kept->payload + i * each, &rule);
		if (rule.type == HV_INTERCEPT_TYPE_X64_MSR_INDEX
			    ? !intercept_msr_supported(partition, (uint32_t)rule.parameter,
						       rule.mask) ||
				      ++msrs > INTERCEPT_MSR_MAX
			    : rule.type != HV_INTERCEPT_TYPE_X64_IO_PORT_RANGE ||
				      (uint16_t)rule.parameter >
					      (uint16_t)(rule.parameter >>
							 HV_INTERCEPT_IO_PORT_RANGE_END_SHIFT))
			return wrong(image, "intercepts", "type", 0, vtl);
	}
	return 0;
}

/* Loads the state into a temporary APIC: vsm_lapic_load() checks it. */
static int check_lapic(const struct state_image *image, const struct vsm_lapic *model,
		       const struct image_vtl *vtl, uint32_t vp, uint32_t number)
{
	struct vsm_lapic scratch;
	const char *field;

	if (vsm_lapic_init(&scratch, &model->config))
		return wrong(image, "lapic", "configuration", vp, number);
	field = vsm_lapic_load(&scratch, &vtl->lapic);
	return field ? wrong(image, "lapic", field, vp, number) : 0;
}

static int check_vtl(const struct state_image *image, const struct vsm_partition *partition,
		     uint32_t index, uint8_t vtl)
{
	const struct image_vtl *own = &image->vp[index].vtl[vtl];
	int error;

	if (!own->have)
		return missing(image, "vp-vtl", index, vtl);
	if (!own->have_cpu)
		return missing(image, "cpu", index, vtl);
	if (!own->have_lapic)
		return missing(image, "lapic", index, vtl);
	if (!own->xsave)
		return missing(image, "xsave", index, vtl);
	error = check_cpu(image, partition, own, index, vtl);
	if (!error)
		error = check_pages(image, partition, &own->state, index, vtl);
	if (!error)
		error = check_lapic(image, &partition->vp[index]->vtl[vtl].lapic, own, index, vtl);
	return error;
}

static int check_vp(const struct state_image *image, const struct vsm_partition *partition,
		    uint32_t index)
{
	const struct image_vp *vp = &image->vp[index];
	uint16_t enabled = vp->state.enabled_vtls;
	int error = 0;

	if (!vp->have)
		return missing(image, "vp", index, 0);
	if (vp->have_smm != partition->config.smm)
		return wrong(image, "smm", "System Management Mode", index, 0);
	if (vp->smm.nmi_masked_before && !vp->smm.active)
		return wrong(image, "smm", "nmi_masked_before", index, 0);
	if (vp->state.apic_id != partition->vp[index]->apic_id)
		return wrong(image, "vp", "apic_id", index, 0);
	if (!(enabled & 1) || (enabled & ~image->partition.enabled_vtls))
		return wrong(image, "vp", "enabled_vtls", index, 0);
	for (unsigned int slot = 0; slot < PLAIN_COUNT; slot++)
		if (!msr_plain_fits(slot, vp->plain_msr[slot]))
			return wrong(image, "msrs", "value of an MSR", index, 0);
	if (!(enabled & vtl_bit(vp->state.active_vtl)))
		return wrong(image, "vp", "active_vtl", index, 0);
	for (unsigned int i = 0; i < CORE_VTL_MAX; i++)
		if (vp->state.tlb_locked[i] & ~(enabled & vtls_above(i)))
			return wrong(image, "vp", "tlb_locked", index, i);
	for (uint8_t vtl = 0; vtl < image->vtl_count && !error; vtl++)
		error = check_vtl(image, partition, index, vtl);
	return error;
}

int state_image_check(const struct state_image *image, const struct vsm_partition *partition)
{
	int error = check_partition(image, partition);

	for (uint8_t vtl = 0; vtl < image->vtl_count && !error; vtl++)
		error = check_partition_vtl(image, partition, vtl);
	for (size_t i = 0; i < image->record_count && !error; i++)
		error = check_rules(image, partition, &image->record[i]);
	for (uint32_t i = 0; i < image->vp_count && !error; i++)
		error = check_vp(image, partition, i);
	return error;
}
