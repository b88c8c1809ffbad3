/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The guard applies the rights of VTL0 to QEMU's mapping of guest memory, against DMA of QEMU's devices.
 * Devices that bypass this mapping or discard memory are refused, also at hotplug. */
#include "qemu/osdep.h"
#include "accel.h"
#include "net/net.h"
#include "net/vhost_net.h"
#include "qapi/error.h"
#include "qobject/qdict.h"
#include "qemu/error-report.h"
#include "qemu/host-utils.h"
#include "system/runstate.h"
#include "system/system.h"

struct refusal {
	const char *type; /* of the device, or of one that it is derived from */
	const char *why;
};

#define OTHER_PROCESS "its memory accesses are another process's, past the rights of VTL0"
#define HOST_DEVICE   "DMA of a device of the host goes past the rights of VTL0"
#define HOST_KERNEL   "the host's kernel accesses the memory for it; that is not supported"
#define DISCARDS      "it takes pages from the guest, which the views of the VTLs would keep"
#define PASSES_IO     "the host transfers its data past the rights of VTL0"
#define DMABUF	      "blob resources share pages with the host past the rights of VTL0"
#define PLUGS	      "memory cannot be plugged"
#define LOADS	      "it writes by the address space of a CPU, which has no RAM here (monitor.c)"

static const struct refusal refusals[] = {
	{"vfio-pci", HOST_DEVICE},
	{"vfio-pci-nohotplug", HOST_DEVICE},
	{"vfio-user-pci", OTHER_PROCESS},
	{"x-pci-proxy-dev", OTHER_PROCESS},
	{"ivshmem-plain", OTHER_PROCESS},
	{"ivshmem-doorbell", OTHER_PROCESS},
	{"scsi-block", PASSES_IO},
	{"scsi-generic", PASSES_IO},
	{"virtio-balloon-device", DISCARDS},
	{"virtio-mem", DISCARDS},
	{"virtio-pmem", PLUGS},
	{"pc-dimm", PLUGS},
	{"hv-balloon", DISCARDS},
	{"sgx-epc", PLUGS},
	{"loader", LOADS},
};

/* Prefixes of names of refused devices. */
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

/* Properties by which a permitted device would bypass the rights of VTL0. */
static const struct {
	const char *type;
	const char *property; /* a switch */
	const char *why;
} switches[] = {
	{"virtio-gpu-base", "blob", DMABUF},
};

/* Checks a device after its creation, since the machine creates devices as well, and class properties may
 * differ. */
static void check_realized(DeviceListener *listener, DeviceState *dev)
{
	const char *why = why_refused(object_get_typename(OBJECT(dev)));

	for (size_t i = 0; i < G_N_ELEMENTS(switches) && !why; i++)
		if (object_dynamic_cast(OBJECT(dev), switches[i].type) &&
		    object_property_get_bool(OBJECT(dev), switches[i].property, NULL))
			why = switches[i].why;
	if (!why)
		return;
	error_report("vsm: %s is refused: %s", object_get_typename(OBJECT(dev)), why);
	vsm_state()->device_refused = true;
	if (runstate_is_running())
		vm_stop(RUN_STATE_INTERNAL_ERROR);
}

static const char *why_refused_crypto(const char *id)
{
	Object *backend = object_resolve_path_component(object_get_objects_root(), id);

	return backend && object_dynamic_cast(backend, "cryptodev-vhost-user") ? OTHER_PROCESS
									       : NULL;
}

static bool check_device(DeviceListener *listener, const QDict *opts, bool from_json, Error **errp)
{
	const char *driver = qdict_get_try_str(opts, "driver");
	const char *netdev = qdict_get_try_str(opts, "netdev");
	const char *cryptodev = qdict_get_try_str(opts, "cryptodev");
	const char *why = driver ? why_refused(driver) : NULL;

	if (!why && netdev)
		why = why_refused_net(netdev);
	if (!why && cryptodev)
		why = why_refused_crypto(cryptodev);
	if (why)
		error_setg(errp, "vsm: %s is refused: %s", driver, why);
	return false;
}

/* Checks a network card that the machine has created (-nic). */
static void check_nic(NICState *nic, void *opaque)
{
	const char *why = nic->ncs->peer ? why_refused_net(nic->ncs->peer->name) : NULL;

	if (!why)
		return;
	error_report("vsm: network card %s is refused: %s", nic->ncs->name, why);
	*(bool *)opaque = false;
}

/* Called before a CPU runs. QEMU cannot refuse a machine here, so end the process. */
static void machine_done(Notifier *notifier, void *data)
{
	VsmState *vsm = container_of(notifier, VsmState, init_done);
	bool good = vsm_memory_ready(vsm) && !vsm->device_refused;

	vsm_save_init(vsm);
	vsm_dump_init(vsm);
	qemu_foreach_nic(check_nic, &good);
	if (!good)
		exit(EXIT_FAILURE);
}

bool vsm_is_guarded(const VsmState *vsm)
{
	return vsm->device_guard && vsm->max_vtl;
}

/* Logs refusals 1, 2, 4, 8 ... only, since the guest can cause any number of them. */
void vsm_guard_refused(void *opaque, uint64_t gpa, bool write)
{
	VsmState *vsm = opaque;
	const uint64_t count = qatomic_fetch_inc(&vsm->refusals) + 1;

	if (!write)
		vsm_private_refused(vsm);
	if (is_power_of_2(count))
		warn_report("vsm: a device was refused to %s 0x%" PRIx64
			    ", which a VTL above 0 denies to VTL0 (refusals so far: %" PRIu64 ")",
			    write ? "write at" : "read at", gpa, count);
}

bool vsm_guard_init(VsmState *vsm)
{
	static DeviceListener listener = {.realize = check_realized, .hide_device = check_device};

	vsm->init_done.notify = machine_done;
	qemu_add_machine_init_done_notifier(&vsm->init_done);

	device_listener_register(&listener);
	/* Also refuse other users of QEMU's interface to discard RAM. */
	if (ram_block_discard_disable(true)) {
		error_report("vsm: something discards pages of RAM");
		return false;
	}
	return !vsm_is_guarded(vsm) || vsm_block_init();
}
