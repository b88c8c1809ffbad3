/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Devices that reach guest memory past the mapping to which the rights of VTL0 apply, or that take
 * memory away: refused, with the reason, also when they are plugged later.
 */
#include "qemu/osdep.h"
#include "accel.h"
#include "net/net.h"
#include "net/vhost_net.h"
#include "qapi/error.h"
#include "qobject/qdict.h"
#include "qemu/error-report.h"
#include "system/system.h"

struct refusal {
	const char *type; /* of the device, or of one that it is derived from */
	const char *why;
};

#define OTHER_PROCESS "its memory accesses are another process's, past the rights of VTL0"
#define HOST_DEVICE   "DMA of a device of the host goes past the rights of VTL0"
#define HOST_KERNEL   "the host's kernel accesses the memory for it; that is not supported"
#define DISCARDS      "it takes pages from the guest, which the views of the VTLs would keep"
#define PLUGS	      "memory cannot be plugged"

static const struct refusal refusals[] = {
	{"vfio-pci", HOST_DEVICE},
	{"vfio-pci-nohotplug", HOST_DEVICE},
	{"vfio-user-pci", OTHER_PROCESS},
	{"x-pci-proxy-dev", OTHER_PROCESS},
	{"ivshmem-plain", OTHER_PROCESS},
	{"ivshmem-doorbell", OTHER_PROCESS},
	{"virtio-balloon-device", DISCARDS},
	{"virtio-mem", DISCARDS},
	{"virtio-pmem", PLUGS},
	{"pc-dimm", PLUGS},
	{"hv-balloon", DISCARDS},
	{"sgx-epc", PLUGS},
};

/* Families: every device whose name begins so. */
static const struct refusal families[] = {
	{"vhost-user-", OTHER_PROCESS}, {"vhost-vdpa-", HOST_DEVICE},
	{"vhost-scsi", HOST_KERNEL},	{"vhost-vsock", HOST_KERNEL},
	{"virtio-balloon", DISCARDS},	{"virtio-mem-", DISCARDS},
	{"virtio-pmem-", PLUGS},	{"cxl-", PLUGS},
};

static const char *why_refused(const char *driver)
{
	ObjectClass *class = module_object_class_by_name(driver);

	for (size_t i = 0; i < G_N_ELEMENTS(refusals); i++)
		if (class && object_class_dynamic_cast(class, refusals[i].type))
			return refusals[i].why;
	for (size_t i = 0; i < G_N_ELEMENTS(families); i++)
		if (g_str_has_prefix(driver, families[i].type))
			return families[i].why;
	return NULL;
}

/* A network card whose packets vhost moves. */
static const char *why_refused_net(const char *id)
{
	NetClientState *peer = qemu_find_netdev(id);

	if (!peer)
		return NULL;
	switch (peer->info->type) {
	case NET_CLIENT_DRIVER_VHOST_USER:
		return OTHER_PROCESS;
	case NET_CLIENT_DRIVER_VHOST_VDPA:
		return HOST_DEVICE;
	default:
		return get_vhost_net(peer) ? HOST_KERNEL : NULL;
	}
}

/* Called for each device before it is created; an error refuses it. */
static bool check_device(DeviceListener *listener, const QDict *opts, bool from_json, Error **errp)
{
	const char *driver = qdict_get_try_str(opts, "driver");
	const char *netdev = qdict_get_try_str(opts, "netdev");
	const char *why = driver ? why_refused(driver) : NULL;

	if (!why && netdev)
		why = why_refused_net(netdev);
	if (why)
		error_setg(errp, "vsm: %s is refused: %s", driver, why);
	return false;
}

/* A card that the machine has made by itself (-nic). */
static void check_nic(NICState *nic, void *opaque)
{
	const char *why = nic->ncs->peer ? why_refused_net(nic->ncs->peer->name) : NULL;

	if (!why)
		return;
	error_report("vsm: network card %s is refused: %s", nic->ncs->name, why);
	*(bool *)opaque = false;
}

/* Before anything runs. QEMU has no other way to refuse a machine here. */
static void machine_done(Notifier *notifier, void *data)
{
	bool good = vsm_memory_ready(container_of(notifier, VsmState, init_done));

	qemu_foreach_nic(check_nic, &good);
	if (!good)
		exit(EXIT_FAILURE);
}

bool vsm_guard_init(VsmState *vsm)
{
	static DeviceListener listener = {.hide_device = check_device};

	vsm->init_done.notify = machine_done;
	qemu_add_machine_init_done_notifier(&vsm->init_done);

	device_listener_register(&listener);
	/* Whatever else discards pages of RAM. */
	if (ram_block_discard_disable(true)) {
		error_report("vsm: something discards pages of RAM");
		return false;
	}
	return true;
}
