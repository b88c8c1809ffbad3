/* SPDX-License-Identifier: BSD-2-Clause */
/* QEMU's devices for test kernels (`--testdev`), so that these run unmodified. */
#ifndef VMM_DEVICE_TESTDEV_H
#define VMM_DEVICE_TESTDEV_H

#include <stdbool.h>

#include "device/port.h"
#include "device/saved.h"
#include "device/stop.h"

#define VMM_IRQ_LINES 24u

/* Commands of the Hyper-V test device, in bits 23:16 of a write. */
enum vmm_hv_test_command {
	VMM_HV_TEST_CREATE_SINT_ROUTE = 1,
	VMM_HV_TEST_DESTROY_SINT_ROUTE = 2,
	VMM_HV_TEST_SET_SINT = 3,
	VMM_HV_TEST_CREATE_MESSAGE_CONNECTION = 4,
	VMM_HV_TEST_DESTROY_MESSAGE_CONNECTION = 5,
	VMM_HV_TEST_CREATE_EVENT_CONNECTION = 6,
	VMM_HV_TEST_DESTROY_EVENT_CONNECTION = 7,
};

struct vmm_hv_test_request {
	enum vmm_hv_test_command command;
	uint8_t sint; /* 0 to 15 */
	uint8_t vp;
	uint8_t connection;
};

/* All are required, and run with the lock of the ports held. */
struct vmm_testdev_ops {
	vmm_stop_fn *stop;
	void (*console)(void *opaque, uint8_t byte);
	void (*set_line)(void *opaque, uint32_t line, bool level);
	/* Drops the hypervisor's mapping of a page, as a swap-out would. */
	void (*flush_page)(void *opaque, uint64_t gpa);
	void (*hv_test)(void *opaque, const struct vmm_hv_test_request *request);
	void *opaque;
};

struct vmm_testdev {
	struct vmm_testdev_ops ops;
	uint64_t ram_size;
	uint32_t processors;
	uint32_t latch;
	uint16_t fw_cfg_item;
	uint32_t fw_cfg_offset;
};

void vmm_testdev_init(struct vmm_testdev *testdev, const struct vmm_testdev_ops *ops,
		      uint64_t ram_size, uint32_t processors);

/* Each returns 0 or the error of vmm_ports_add(). */
int vmm_debug_exit_add(struct vmm_testdev *testdev, struct vmm_ports *ports);
int vmm_debug_console_add(struct vmm_testdev *testdev, struct vmm_ports *ports);
int vmm_irq_lines_add(struct vmm_testdev *testdev, struct vmm_ports *ports);
int vmm_latch_add(struct vmm_testdev *testdev, struct vmm_ports *ports);
int vmm_page_flush_add(struct vmm_testdev *testdev, struct vmm_ports *ports);
int vmm_fw_cfg_add(struct vmm_testdev *testdev, struct vmm_ports *ports);
int vmm_hv_test_add(struct vmm_testdev *testdev, struct vmm_ports *ports);
int vmm_testdev_add(struct vmm_testdev *testdev, struct vmm_ports *ports);

extern const struct vmm_fields vmm_testdev_fields;

#endif
