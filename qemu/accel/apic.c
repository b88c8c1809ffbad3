/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * libvsm emulates the local APICs. QEMU's machines still need devices "apic" as the target of MSIs and
 * of the 8259, so this file replaces the methods of that class. The registers of these devices are unused.
 */
#include "qemu/osdep.h"
#include "accel.h"
#include "hw/core/cpu.h"
#include "hw/i386/apic_internal.h"
#include "hw/i386/apic-msidef.h"
#include "hw/intc/i8259.h"
#include "hw/isa/i8259_internal.h"
#include "hw/pci/msi.h"

/*
 * Any thread. Ignores addresses outside of the MSI range, like a bus. The level bit must be set for
 * level-triggered interrupts, since QEMU's I/O APIC leaves it at 0, and a local APIC ignores such a
 * message (SDM 3A 11.11.2).
 */
static void deliver(uint64_t address, uint32_t data)
{
	vsm_msi(vsm_partition(), address, data | 1u << MSI_DATA_LEVEL_SHIFT);
}

static void send_msi(MSIMessage *msi)
{
	deliver(msi->address, msi->data);
}

static uint64_t read_memory(void *opaque, hwaddr addr, unsigned size)
{
	return ~UINT64_C(0);
}

static void write_memory(void *opaque, hwaddr addr, uint64_t data, unsigned size)
{
	deliver(APIC_DEFAULT_ADDRESS + addr, data);
}

static const MemoryRegionOps memory_ops = {
	.read = read_memory,
	.write = write_memory,
	.impl.min_access_size = 1,
	.impl.max_access_size = 4,
	.valid.min_access_size = 1,
	.valid.max_access_size = 4,
	.endianness = DEVICE_LITTLE_ENDIAN,
};

static void realize(DeviceState *dev, Error **errp)
{
	APICCommonState *s = APIC_COMMON(dev);

	memory_region_init_io(&s->io_memory, OBJECT(s), &memory_ops, s, "vsm-apic-msi",
			      APIC_SPACE_SIZE);
	s->io_memory.disable_reentrancy_guard = true;
	/* Disable the VAPIC: its option ROM patches guests, and uses the I/O port of libvsm's hypercall page. */
	s->vapic_control = 0;
	msi_nonbroken = true;
}

static void unrealize(DeviceState *dev)
{
}

/* QEMU sends the 8259's output to CPUs whose APIC accepts LINT0. Only that of the first CPU does;
 * libvsm's APIC checks whether LINT0 is masked. */
static void reset(APICCommonState *s)
{
	s->wait_for_sipi = 0;
	s->lvt[APIC_LVT_LINT0] = CPU(s->cpu)->cpu_index ? APIC_LVT_MASKED : APIC_DM_EXTINT << 8;
}

static int set_base(APICCommonState *s, uint64_t val)
{
	s->apicbase = val;
	return 0;
}

static void set_tpr(APICCommonState *s, uint8_t val)
{
	s->tpr = val;
}

static uint8_t get_tpr(APICCommonState *s)
{
	return s->tpr;
}

static void do_nothing(APICCommonState *s)
{
}

static void external_nmi(APICCommonState *s)
{
	vsm_nmi(vsm_vp(CPU(s->cpu)));
}

void vsm_apic_init(void)
{
	APICCommonClass *class = APIC_COMMON_CLASS(object_class_by_name("apic"));

	class->realize = realize;
	class->unrealize = unrealize;
	class->reset = reset;
	class->set_base = set_base;
	class->set_tpr = set_tpr;
	class->get_tpr = get_tpr;
	class->pre_save = do_nothing;
	class->post_load = do_nothing;
	class->vapic_base_update = do_nothing;
	class->external_nmi = external_nmi;
	class->send_msi = send_msi;
}

void vsm_pic_update(void)
{
	vsm_vp_lint(vsm_partition_vp(vsm_partition(), 0), 0, isa_pic && pic_get_output(isa_pic));
}

/*
 * Returns -1 if there is no interrupt: QEMU does not report a low output after a CPU has masked
 * the interrupt in the 8259, so the output is checked again.
 */
int vsm_pic_acknowledge(void)
{
	int vector = isa_pic && pic_get_output(isa_pic) ? pic_read_irq(isa_pic) : -1;

	vsm_pic_update();
	return vector;
}
