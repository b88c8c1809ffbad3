/* SPDX-License-Identifier: BSD-2-Clause */
#include "machine/machine.h"

#include <string.h>

static void update_lines(struct vmm_machine *machine, uint32_t pin)
{
	const uint32_t asserted = machine->serial_lines | machine->test_lines;

	vsm_ioapic_set_line(&machine->ioapic, pin, asserted >> pin & 1);
}

static void serial_output(void *opaque, uint8_t byte)
{
	struct vmm_machine *machine = opaque;

	machine->ops.console(machine->ops.opaque, byte);
}

static void serial_line(void *opaque, bool level)
{
	struct vmm_machine *machine = opaque;

	machine->serial_lines = (uint32_t)level << VMM_SERIAL_INTERRUPT;
	update_lines(machine, VMM_SERIAL_INTERRUPT);
}

static void test_line(void *opaque, uint32_t line, bool level)
{
	struct vmm_machine *machine = opaque;

	machine->test_lines = (machine->test_lines & ~(1u << line)) | (uint32_t)level << line;
	update_lines(machine, line);
}

static void stop(void *opaque, enum vmm_stop what, int status)
{
	struct vmm_machine *machine = opaque;

	machine->ops.stop(machine->ops.opaque, what, status);
}

static void flush_page(void *opaque, uint64_t gpa)
{
	struct vmm_machine *machine = opaque;

	machine->ops.flush_page(machine->ops.opaque, gpa);
}

static void hv_test(void *opaque, const struct vmm_hv_test_request *request)
{
	struct vmm_machine *machine = opaque;

	machine->ops.hv_test(machine->ops.opaque, request);
}

static enum vsm_ioapic_delivery msi(void *opaque, uint64_t address, uint32_t data)
{
	struct vmm_machine *machine = opaque;

	return machine->ops.msi(machine->ops.opaque, address, data);
}

static void start_devices(struct vmm_machine *machine)
{
	const struct vmm_testdev_ops ops = {.stop = stop,
					    .console = serial_output,
					    .set_line = test_line,
					    .flush_page = flush_page,
					    .hv_test = hv_test,
					    .opaque = machine};

	vmm_serial_init(&machine->serial, serial_output, serial_line, machine);
	machine->cmos.index = 0; /* its RAM is battery-backed */
	vmm_testdev_init(&machine->testdev, &ops, machine->memory.low + machine->memory.high,
			 machine->processors);
	machine->power = (struct vmm_power){stop, machine};
	machine->pci.address = 0;
	machine->serial_lines = 0;
	machine->test_lines = 0;
}

static int add_devices(struct vmm_machine *machine, bool with_testdev)
{
	int error = vmm_serial_add(&machine->serial, &machine->ports, VMM_SERIAL_PORT);

	if (!error)
		error = vmm_cmos_add(&machine->cmos, &machine->ports);
	if (!error)
		error = vmm_power_add(&machine->power, &machine->ports);
	if (!error)
		error = vmm_pci_add(&machine->pci, &machine->ports);
	if (!error)
		error = vmm_nmi_status_add(&machine->nmi_status, &machine->ports);
	if (!error && with_testdev)
		error = vmm_testdev_add(&machine->testdev, &machine->ports);
	return error;
}

int vmm_machine_init(struct vmm_machine *machine, const struct vmm_config *config,
		     const struct vmm_machine_ops *ops, const struct vsm_log *log)
{
	const struct vsm_ioapic_config ioapic = {.message = msi, .opaque = machine};
	int error;

	memset(machine, 0, sizeof(*machine));
	machine->ops = *ops;
	machine->processors = config->cpus;
	vmm_memory_split(&machine->memory, config->memory);
	machine->memory.write = ops->write_memory;
	machine->memory.opaque = ops->opaque;
	error = vsm_ioapic_init(&machine->ioapic, &ioapic);
	if (error)
		return vsm_error(log, -error, "the I/O APIC cannot be created");
	vmm_ports_init(&machine->ports);
	vmm_cmos_init(&machine->cmos, &machine->memory, machine->processors, NULL, NULL);
	start_devices(machine);
	error = add_devices(machine, config->testdev);
	if (error) {
		vmm_ports_destroy(&machine->ports);
		return vsm_error(log, -error, "two devices claim one port");
	}
	return 0;
}

void vmm_machine_destroy(struct vmm_machine *machine)
{
	vmm_ports_destroy(&machine->ports);
}

void vmm_machine_reset(struct vmm_machine *machine)
{
	pthread_mutex_lock(&machine->ports.lock);
	start_devices(machine);
	vsm_ioapic_reset(&machine->ioapic);
	for (uint32_t pin = 0; pin < VSM_IOAPIC_DEFAULT_PINS; pin++)
		update_lines(machine, pin);
	pthread_mutex_unlock(&machine->ports.lock);
}

void vmm_machine_port(struct vmm_machine *machine, uint16_t port, unsigned int size, uint32_t count,
		      bool write, uint8_t *data)
{
	for (uint32_t i = 0; i < count; i++, data += size) {
		uint32_t value = 0;

		if (write) {
			memcpy(&value, data, size);
			vmm_ports_write(&machine->ports, port, size, value);
		} else {
			value = vmm_ports_read(&machine->ports, port, size);
			memcpy(data, &value, size);
		}
	}
}

void vmm_machine_mmio(struct vmm_machine *machine, uint64_t gpa, unsigned int size, bool write,
		      uint8_t *data)
{
	const uint64_t offset = gpa - VSM_IOAPIC_DEFAULT_BASE;
	uint32_t value = 0;

	if (offset >= VSM_IOAPIC_MMIO_SIZE) {
		if (!write)
			memset(data, 0xff, size);
		return;
	}
	pthread_mutex_lock(&machine->ports.lock);
	if (write) {
		memcpy(&value, data, size < sizeof(value) ? size : sizeof(value));
		vsm_ioapic_write(&machine->ioapic, (uint32_t)offset, value);
	} else {
		value = vsm_ioapic_read(&machine->ioapic, (uint32_t)offset);
		memset(data, 0, size);
		memcpy(data, &value, size < sizeof(value) ? size : sizeof(value));
	}
	pthread_mutex_unlock(&machine->ports.lock);
}

void vmm_machine_eoi(struct vmm_machine *machine, uint8_t vector)
{
	pthread_mutex_lock(&machine->ports.lock);
	vsm_ioapic_eoi(&machine->ioapic, vector);
	pthread_mutex_unlock(&machine->ports.lock);
}

size_t vmm_machine_input(struct vmm_machine *machine, const uint8_t *data, size_t size)
{
	size_t taken;

	pthread_mutex_lock(&machine->ports.lock);
	taken = vmm_serial_feed(&machine->serial, data, size);
	pthread_mutex_unlock(&machine->ports.lock);
	return taken;
}

/* ------------------------------------------------------------------ saved state */

static const struct vmm_field lines[] = {
	VMM_FIELD(vmm_machine, serial_lines, 1u << VMM_SERIAL_INTERRUPT),
	VMM_FIELD(vmm_machine, test_lines, (1u << VMM_IRQ_LINES) - 1),
};

static const struct vmm_fields line_fields = {lines, ARRAY_SIZE(lines), NULL};

const struct vmm_machine_device vmm_machine_device[VMM_MACHINE_DEVICES] = {
	{"serial.", offsetof(struct vmm_machine, serial), &vmm_serial_fields},
	{"cmos.", offsetof(struct vmm_machine, cmos), &vmm_cmos_fields},
	{"pci.", offsetof(struct vmm_machine, pci), &vmm_pci_fields},
	{"testdev.", offsetof(struct vmm_machine, testdev), &vmm_testdev_fields},
	{"", 0, &line_fields},
};
