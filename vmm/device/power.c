/* SPDX-License-Identifier: BSD-2-Clause */
#include "device/power.h"
#include "array.h"
#include "acpi/acpi.h"

#define KEYBOARD_COMMAND 0x64u
#define KEYBOARD_PULSE	 0xfeu
#define PM1A_CONTROL	 0x604u
#define PM1_SLP_EN	 0x2000u
#define RESET_CONTROL	 0xcf9u
#define RESET_CPU	 0x04u
/* [ACPI 4.8.3.7] */
#define SLP_EN	       0x20u
#define SLP_TYP(value) ((value) >> 2 & 7u)

static void write_keyboard(void *opaque, uint16_t port, unsigned int size, uint32_t value)
{
	struct vmm_power *power = opaque;

	(void)port;
	(void)size;
	if (value == KEYBOARD_PULSE)
		power->stop(power->opaque, VMM_STOP_RESET, 0);
}

/* Every sleep type powers off: test kernels write type 0, which does so on QEMU's machines. */
static void write_pm1(void *opaque, uint16_t port, unsigned int size, uint32_t value)
{
	struct vmm_power *power = opaque;

	(void)port;
	(void)size;
	if (value & PM1_SLP_EN)
		power->stop(power->opaque, VMM_STOP_POWER_OFF, 0);
}

static void write_acpi(void *opaque, uint16_t port, unsigned int size, uint32_t value)
{
	struct vmm_power *power = opaque;

	(void)size;
	if (port == VMM_ACPI_SLEEP_CONTROL && (value & SLP_EN) && SLP_TYP(value) == VMM_ACPI_S5)
		power->stop(power->opaque, VMM_STOP_POWER_OFF, 0);
	else if (port == VMM_ACPI_RESET && value == VMM_ACPI_RESET_VALUE)
		power->stop(power->opaque, VMM_STOP_RESET, 0);
}

/* In the sleep status, 0 means awake, with WAK_STS clear. */
static uint32_t read_zero(void *opaque, uint16_t port, unsigned int size)
{
	(void)opaque;
	(void)port;
	(void)size;
	return 0;
}

static void write_reset_control(void *opaque, uint16_t port, unsigned int size, uint32_t value)
{
	struct vmm_power *power = opaque;

	(void)port;
	(void)size;
	if (value & RESET_CPU)
		power->stop(power->opaque, VMM_STOP_RESET, 0);
}

int vmm_power_add(struct vmm_power *power, struct vmm_ports *ports)
{
	const struct vmm_port_range range[] = {
		{"keyboard controller", KEYBOARD_COMMAND, KEYBOARD_COMMAND, 1, NULL, write_keyboard,
		 power},
		{"PM1a control", PM1A_CONTROL, PM1A_CONTROL + 1, 2, read_zero, write_pm1, power},
		{"ACPI sleep and reset", VMM_ACPI_SLEEP_CONTROL, VMM_ACPI_RESET, 1, read_zero,
		 write_acpi, power},
		{"reset control", RESET_CONTROL, RESET_CONTROL, 1, NULL, write_reset_control,
		 power},
	};
	int error = 0;

	for (unsigned int i = 0; i < ARRAY_SIZE(range) && !error; i++)
		error = vmm_ports_add(ports, &range[i]);
	return error;
}
