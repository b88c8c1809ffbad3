/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * System Management Mode of q35 (machine property smm=on). The memory that SMRAM and TSEG map for CPUs in SMM
 * has VSM_MEMORY_SMM in the partition's map, so VTL0 outside of SMM cannot access it. QEMU permits smm=on
 * only with its own accelerators, so this file turns the property off for QEMU, and sets the properties of
 * the devices with the registers of SMRAM and TSEG before they are realized.
 */
#include "qemu/osdep.h"
#include "accel.h"
#include "hw/i386/x86.h"
#include "hw/pci-host/q35.h"
#include "hw/pci/pci_device.h"
#include "hw/southbridge/ich9.h"
#include "qemu/cutils.h"
#include "qemu/error-report.h"
#include "qemu/rcu.h"

struct smram {
	MemoryRegion *mr; /* referenced */
	struct vsm_range range;
};

static VsmState *of(MemoryListener *listener)
{
	return container_of(listener, VsmState, smram_listener);
}

/* QEMU's own methods; a process has one machine. */
static void (*realize_mch)(PCIDevice *dev, Error **errp);
static void (*realize_lpc)(PCIDevice *dev, Error **errp);

static void mch_realize(PCIDevice *dev, Error **errp)
{
	MCH_PCI_DEVICE(dev)->has_smm_ranges = true;
	realize_mch(dev, errp);
}

/* With smm-compat, QEMU's ACPI tables have the port of SMIs although the machine property is off. */
static void lpc_realize(PCIDevice *dev, Error **errp)
{
	ICH9LPCState *lpc = ICH9_LPC_DEVICE(dev);

	lpc->pm.smm_enabled = true;
	lpc->pm.smm_compat = true;
	realize_lpc(dev, errp);
}

static void replace_realize(const char *type, void (**old)(PCIDevice *dev, Error **errp),
			    void (*new)(PCIDevice *dev, Error **errp))
{
	PCIDeviceClass *class = PCI_DEVICE_CLASS(object_class_by_name(type));

	*old = class->realize;
	class->realize = new;
}

struct restore {
	VsmState *vsm;
	GArray *changes;
	const struct vsm_range *range;
	const MemoryRegion *only; /* only this memory, at the offset of `range`; NULL: any memory */
};

static bool restore_seen(Int128 start, Int128 size, const MemoryRegion *region, hwaddr offset,
			 void *opaque)
{
	const struct restore *restore = opaque;
	const struct vsm_range *wanted = restore->range;
	MemoryRegion *mr = (MemoryRegion *)region;
	const MemoryRegionSection section = {
		.mr = mr,
		.offset_within_address_space = int128_get64(start),
		.offset_within_region = offset,
		.size = size,
	};
	struct vsm_memory_change change;
	struct vsm_range seen;
	struct vsm_range part;

	if (!(memory_region_is_ram(mr) || memory_region_is_romd(mr)) || mr->ram_block->fd < 0 ||
	    !(restore->only ? vsm_whole_pages(&section, &seen)
			    : vsm_memory_changing(restore->vsm, &section, &seen)) ||
	    !vsm_range_clip(&seen, wanted->gpa, wanted->gpa + wanted->size, &part))
		return false;
	if (restore->only &&
	    (region != restore->only || part.offset - part.gpa != wanted->offset - wanted->gpa))
		return false;
	change = vsm_memory_change_of(restore->vsm, mr, &part);
	g_array_append_val(restore->changes, change);
	return false;
}

static void append_seen(VsmState *vsm, const struct vsm_range *range, const MemoryRegion *only,
			GArray *changes)
{
	struct restore restore = {vsm, changes, range, only};

	RCU_READ_LOCK_GUARD();
	flatview_for_each_range(address_space_to_flatview(&address_space_memory), restore_seen,
				&restore);
}

/* SMRAM that is at its GPA also outside of SMM (D_OPEN) is mapped again, without VSM_MEMORY_SMM. */
void vsm_smram_append(VsmState *vsm, GArray *changes)
{
	for (unsigned i = 0; vsm->smram && i < vsm->smram->len; i++) {
		const struct smram *smram = &g_array_index(vsm->smram, struct smram, i);
		struct vsm_memory_change change =
			vsm_memory_change_of(vsm, smram->mr, &smram->range);

		change.flags |= VSM_MEMORY_SMM;
		g_array_append_val(changes, change);
		append_seen(vsm, &smram->range, smram->mr, changes);
	}
}

/* The last change of a GPA applies: RAM at a fixed GPA replaces memory of QEMU's flat view. */
void vsm_smram_append_gone(VsmState *vsm, GArray *changes)
{
	for (unsigned i = 0; vsm->smram_gone && i < vsm->smram_gone->len; i++) {
		const struct vsm_range *range =
			&g_array_index(vsm->smram_gone, struct vsm_range, i);
		const struct vsm_memory_change nothing = {
			.gpa = range->gpa, .size = range->size, .fd = -1};

		g_array_append_val(changes, nothing);
		append_seen(vsm, range, NULL, changes);
		vsm_dirty_append_fixed(vsm, range, changes);
	}
	if (vsm->smram_gone)
		g_array_set_size(vsm->smram_gone, 0);
}

/* The register bit D_OPEN maps and unmaps SMRAM outside of SMM, without a change of the map in SMM. */
void vsm_smram_note(VsmState *vsm, const MemoryRegionSection *section)
{
	struct vsm_range range;
	struct vsm_range part;

	if (!vsm->smram || !memory_region_is_ram(section->mr) || !vsm_whole_pages(section, &range))
		return;
	for (unsigned i = 0; i < vsm->smram->len; i++) {
		const struct smram *smram = &g_array_index(vsm->smram, struct smram, i);

		vsm->smram_changed |= vsm_range_clip(&range, smram->range.gpa,
						     smram->range.gpa + smram->range.size, &part);
	}
}

bool vsm_smram_overlaps(const VsmState *vsm, const MemoryRegion *mr, const struct vsm_range *range)
{
	struct vsm_range part;

	for (unsigned i = 0; vsm->smram && i < vsm->smram->len; i++) {
		const struct smram *smram = &g_array_index(vsm->smram, struct smram, i);

		if (vsm_range_clip(range, smram->range.gpa, smram->range.gpa + smram->range.size,
				   &part) &&
		    (mr != smram->mr ||
		     range->offset - range->gpa != smram->range.offset - smram->range.gpa))
			return true;
	}
	return false;
}

static void region_add(MemoryListener *listener, MemoryRegionSection *section)
{
	VsmState *vsm = of(listener);
	struct smram smram = {.mr = section->mr};

	if (!memory_region_is_ram(section->mr) || !vsm_whole_pages(section, &smram.range))
		return;
	memory_region_ref(smram.mr);
	g_array_append_val(vsm->smram, smram);
	vsm->smram_changed = true;
}

static void region_del(MemoryListener *listener, MemoryRegionSection *section)
{
	VsmState *vsm = of(listener);
	struct vsm_range range;

	if (!vsm_whole_pages(section, &range))
		return;
	for (unsigned i = 0; i < vsm->smram->len; i++) {
		struct smram smram = g_array_index(vsm->smram, struct smram, i);

		if (smram.mr != section->mr || smram.range.gpa != range.gpa)
			continue;
		g_array_append_val(vsm->smram_gone, smram.range);
		g_array_remove_index(vsm->smram, i);
		vsm->smram_changed = true;
		vsm_memory_note_gone(vsm, smram.mr, &smram.range);
		vsm_memory_release(vsm, smram.mr);
		return;
	}
}

static void log_change(MemoryListener *listener, MemoryRegionSection *section, int old, int new)
{
	of(listener)->smram_changed = true;
}

static void log_sync(MemoryListener *listener, MemoryRegionSection *section)
{
	struct vsm_range range;

	if (memory_region_is_ram(section->mr) && vsm_whole_pages(section, &range))
		vsm_dirty_take(of(listener), section->mr, &range);
}

static void commit(MemoryListener *listener)
{
	vsm_memory_commit(of(listener));
}

void vsm_smm_ready(VsmState *vsm)
{
	MemoryRegion *smram = (MemoryRegion *)object_resolve_path("/machine/smram", NULL);
	MemoryRegion *root;
	MemoryRegion *seen;

	if (!vsm->smm || !smram)
		return;
	vsm->smram = g_array_new(false, false, sizeof(struct smram));
	vsm->smram_gone = g_array_new(false, false, sizeof(struct vsm_range));
	memory_region_set_enabled(smram, true);
	address_space_init(&vsm->smram_space, smram, "vsm-smram");
	/* For MMIO in SMM: SMRAM over system memory. */
	root = g_new0(MemoryRegion, 1);
	seen = g_new0(MemoryRegion, 1);
	memory_region_init(root, OBJECT(vsm), "vsm-smm", UINT64_MAX);
	memory_region_init_alias(seen, OBJECT(vsm), "vsm-smm-memory", get_system_memory(), 0,
				 UINT64_MAX);
	memory_region_add_subregion_overlap(root, 0, seen, 0);
	memory_region_add_subregion_overlap(root, 0, smram, 10);
	address_space_init(&vsm->smm_space, root, "vsm-smm");
	vsm->smram_listener = (MemoryListener){
		.name = "vsm-smram",
		.commit = commit,
		.region_add = region_add,
		.region_del = region_del,
		.log_start = log_change,
		.log_stop = log_change,
		.log_sync = log_sync,
		.priority = MEMORY_LISTENER_PRIORITY_ACCEL,
	};
	memory_listener_register(&vsm->smram_listener, &vsm->smram_space);
}

bool vsm_smm_init(VsmState *vsm, MachineState *ms)
{
	X86MachineState *x86ms = X86_MACHINE(ms);

	if (x86ms->smm != ON_OFF_AUTO_ON)
		return true;
	if (!strstart(MACHINE_GET_CLASS(ms)->name, "pc-q35", NULL)) {
		error_report("vsm: smm=on needs the machine q35");
		return false;
	}
	vsm->smm = true;
	x86ms->smm = ON_OFF_AUTO_OFF;
	replace_realize(TYPE_MCH_PCI_DEVICE, &realize_mch, mch_realize);
	replace_realize(TYPE_ICH9_LPC_DEVICE, &realize_lpc, lpc_realize);
	return true;
}
