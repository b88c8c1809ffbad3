/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The VMM in 40 lines that README.md shows, so that a compiler reads it too. A test compares the two.
 */
#include <stddef.h>
#include <stdint.h>

union hv_register_value;
int run_guest(int fd, uint64_t size, const uint32_t *names, const union hv_register_value *values,
	      size_t count);

/* clang-format off */
/* quoted in README.md: */
#include <errno.h>
#include <stdio.h>
#include <vsm/vsm.h>

/* The devices are yours. */
void device_io(uint16_t port, bool write, uint8_t *data, uint8_t size, uint32_t count);
void device_mmio(uint64_t gpa, bool write, uint8_t *data, uint8_t size);

static void print_log(void *opaque, const struct vsm_log_record *record)
{
	fprintf(opaque, "%s\n", record->text);
}

int run_guest(int fd, uint64_t size, const uint32_t *names, const union hv_register_value *values, size_t count)
{
	struct vsm_config config;
	struct vsm_partition *partition;
	const struct vsm_exit *exit;
	struct vsm_vp *vp;
	void *ram;
	int error;

	vsm_config_init(&config);		    /* 1 VP, VTLs 0 to 2 on offer */
	config.log = (struct vsm_log){print_log, stderr, VSM_LOG_INFO};
	error = vsm_partition_create(&config, &partition);
	if (error)
		return error;
	vp = vsm_partition_vp(partition, 0);
	error = vsm_memory_add(partition, 0, size, fd, 0, &ram);
	if (!error && vsm_vp_set_registers(vp, 0, names, values, count) != (int)count)
		error = -EINVAL;
	while (!error && !(error = vsm_vp_run(vp, &exit))) {
		if (exit->reason == VSM_EXIT_IO)
			device_io(exit->io.port, exit->io.write, exit->io.data, exit->io.size, exit->io.count);
		else if (exit->reason == VSM_EXIT_MMIO)
			device_mmio(exit->mmio.gpa, exit->mmio.write, exit->mmio.data, exit->mmio.size);
		else if (exit->reason != VSM_EXIT_INTERRUPTED)
			break;		       /* reset, shutdown, or an error that the log explains */
	}
	vsm_partition_destroy(partition);
	return error;
}
/* end of quote */
/* clang-format on */
