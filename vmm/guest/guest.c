/* SPDX-License-Identifier: BSD-2-Clause */
/* Builds the partition of a configuration, its RAM, and the machine around it. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "array.h"
#include "boot/boot_registers.h"
#include "guest/guest.h"

/* ------------------------------------------------------------------ operations of the machine */

uint8_t *vmm_guest_ram(const struct vmm_guest *guest, uint64_t gpa, uint64_t size)
{
	for (size_t i = 0; i < VMM_REGIONS; i++) {
		const struct vmm_region *region = &guest->region[i];
		const uint64_t at = gpa - region->gpa;

		if (gpa >= region->gpa && at <= region->size && size <= region->size - at)
			return region->host + at;
	}
	return NULL;
}

/* At the start and after a reset, when loaders write, no protection is in force. */
static int write_memory(void *opaque, uint64_t gpa, const void *data, size_t size)
{
	struct vmm_guest *guest = opaque;
	uint8_t *host = vmm_guest_ram(guest, gpa, size);

	if (!host)
		return vsm_error(guest->log, EFAULT, "%zu bytes at %#llx are not RAM", size,
				 (unsigned long long)gpa);
	memcpy(host, data, size);
	return 0;
}

/*
 * A vector that was already pending counts as accepted. An invalid interrupt message is lost, as on
 * a bus.
 */
static enum vsm_ioapic_delivery msi(void *opaque, uint64_t address, uint32_t data)
{
	struct vmm_guest *guest = opaque;

	(void)vsm_msi(guest->partition, address, data);
	return VSM_IOAPIC_ACCEPTED;
}

static void stop(void *opaque, enum vmm_stop what, int status)
{
	static const enum vmm_reason reason[] = {
		[VMM_STOP_POWER_OFF] = VMM_POWER_OFF,
		[VMM_STOP_RESET] = VMM_RESET,
		[VMM_STOP_EXIT] = VMM_EXIT,
	};
	struct vmm_guest *guest = opaque;

	vmm_stop_processors(&guest->stopper, reason[what], status);
}

static void console(void *opaque, uint8_t byte)
{
	struct vmm_guest *guest = opaque;

	vmm_backend_write(&guest->console, &byte, 1);
}

/* Best effort: with swap the host writes the page out and unmaps it everywhere. */
static void flush_page(void *opaque, uint64_t gpa)
{
	uint8_t *host = vmm_guest_ram(opaque, gpa & ~(uint64_t)(VMM_PAGE - 1), VMM_PAGE);

	if (host)
		(void)madvise(host, VMM_PAGE, MADV_PAGEOUT);
}

/* ------------------------------------------------------------------ construction */

static int create_partition(struct vmm_guest *guest)
{
	static const struct {
		const char *name;
		enum vsm_engine engine;
	} engine[] = {
		{"auto", VSM_ENGINE_AUTO},
		{"uffd", VSM_ENGINE_UFFD},
		{"attr", VSM_ENGINE_ATTR},
		{"nested", VSM_ENGINE_NESTED},
	};
	const struct vmm_config *config = guest->config;
	struct vsm_config wanted;

	vsm_config_init(&wanted);
	wanted.log = *guest->log;
	wanted.vp_count = config->cpus;
	wanted.max_vtl = (uint8_t)(config->vtls - 1);
	wanted.boot_vtl = (uint8_t)config->boot_vtl;
	for (size_t i = 0; i < ARRAY_SIZE(engine); i++)
		if (!strcmp(config->engine, engine[i].name))
			wanted.engine = (uint8_t)engine[i].engine;
	return vsm_partition_create(&wanted, &guest->partition);
}

static void close_memory(struct vmm_guest *guest)
{
	for (size_t i = 0; i < VMM_REGIONS; i++)
		if (guest->region[i].size && guest->region[i].fd >= 0)
			close(guest->region[i].fd);
}

/* With a separate memfd, a save can skip pages that were never written. */
static int add_region(struct vmm_guest *guest, struct vmm_region *region)
{
	void *host = NULL;
	int error;

	region->fd = memfd_create("guest-ram", MFD_CLOEXEC);
	if (region->fd < 0 || ftruncate(region->fd, (off_t)region->size)) {
		error = errno;
		return vsm_error(guest->log, error, "%llu MiB of guest memory: %s",
				 (unsigned long long)(region->size >> 20), strerror(error));
	}
	error = vsm_memory_add(guest->partition, region->gpa, region->size, region->fd, 0, &host);
	region->host = host;
	return error;
}

static int add_memory(struct vmm_guest *guest)
{
	struct vmm_memory memory;
	int error = 0;

	vmm_memory_split(&memory, guest->config->memory);
	guest->region[0] = (struct vmm_region){.gpa = 0, .size = memory.low, .fd = -1};
	guest->region[1] = (struct vmm_region){.gpa = VMM_HIGH, .size = memory.high, .fd = -1};
	for (size_t i = 0; i < VMM_REGIONS && !error; i++)
		if (guest->region[i].size)
			error = add_region(guest, &guest->region[i]);
	return error;
}

static int create_processors(struct vmm_guest *guest)
{
	const uint32_t count = guest->config->cpus;

	guest->processor = calloc(count, sizeof(*guest->processor));
	guest->sint_routes = calloc(count, sizeof(*guest->sint_routes));
	if (!guest->processor || !guest->sint_routes)
		return vsm_error(guest->log, ENOMEM, "no memory for %u processors", count);
	for (uint32_t i = 0; i < count; i++)
		guest->processor[i] = (struct vmm_processor){
			.guest = guest, .vp = vsm_partition_vp(guest->partition, i), .index = i};
	return 0;
}

int vmm_guest_create(struct vmm_guest *guest)
{
	const struct vmm_machine_ops ops = {
		.write_memory = write_memory,
		.msi = msi,
		.stop = stop,
		.console = console,
		.flush_page = flush_page,
		.hv_test = vmm_hv_test,
		.opaque = guest,
	};
	int error = create_partition(guest);

	if (error)
		return error;
	error = add_memory(guest);
	if (!error)
		error = create_processors(guest);
	if (!error)
		error = vmm_machine_init(&guest->machine, guest->config, &ops, guest->log);
	if (error) {
		free(guest->processor);
		free(guest->sint_routes);
		vsm_partition_destroy(guest->partition);
		close_memory(guest);
	}
	return error;
}

void vmm_guest_destroy(struct vmm_guest *guest)
{
	vmm_machine_destroy(&guest->machine);
	vsm_partition_destroy(guest->partition);
	close_memory(guest);
	free(guest->processor);
	free(guest->sint_routes);
}

int vmm_guest_boot(struct vmm_guest *guest)
{
	union hv_register_value value[VMM_BOOT_REGISTERS];
	uint32_t name[VMM_BOOT_REGISTERS];
	struct vmm_boot_state state;
	int error;

	error = vmm_machine_load(&guest->machine, guest->config, guest->log, &state);
	if (error)
		return error;
	vmm_boot_registers(&state, name, value);
	return vsm_vp_set_registers(guest->processor[0].vp, (uint8_t)guest->config->boot_vtl, name,
				    value, VMM_BOOT_REGISTERS) == (int)VMM_BOOT_REGISTERS
		       ? 0
		       : -EINVAL;
}

int vmm_guest_reset(struct vmm_guest *guest)
{
	int error = vsm_partition_reset(guest->partition);

	if (error)
		return error;
	vmm_machine_reset(&guest->machine);
	vmm_hv_test_reset(guest);
	guest->resets++;
	return 0;
}
