/* SPDX-License-Identifier: BSD-2-Clause */
/* /dev/kvm and its capabilities. */
#include "abi.h"

#include <errno.h>
#include <inttypes.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "probe.h"

static int probe_ioctl(struct probe *probe, int fd, unsigned long request, unsigned long arg)
{
	/* The argument of these requests is the value itself. */
	return probe->env->ioctl(probe->env, fd, request, (void *)arg);
}

/* A line of /etc/group: "name:password:gid:members". */
static bool group_name(const struct probe_env *env, gid_t gid, char *name, size_t size)
{
	char text[16384];
	char *line, *rest = NULL;

	if (env_read(env, "/etc/group", text, sizeof(text)) < 0)
		return false;
	for (line = strtok_r(text, "\n", &rest); line; line = strtok_r(NULL, "\n", &rest)) {
		char *password = strchr(line, ':');
		char *number = password ? strchr(password + 1, ':') : NULL;

		if (!number || strtoul(number + 1, NULL, 10) != gid)
			continue;
		snprintf(name, size, "%.*s", (int)(password - line), line);
		return true;
	}
	return false;
}

static void device_absent(struct probe *probe, struct probe_finding *finding)
{
	const struct probe_host *host = &probe->host;

	probe_found(finding, PROBE_MISSING, "/dev/kvm does not exist");
	if (host->vmx || host->svm)
		probe_remedy(
			finding,
			"The processor has %s: load KVM with `modprobe %s`; if that fails, turn "
			"virtualization on in the firmware's set-up. In a container: pass the "
			"device (--device /dev/kvm).",
			host->vmx ? "VMX" : "SVM", host->vmx ? "kvm_intel" : "kvm_amd");
	else if (host->nested)
		probe_remedy(finding,
			     "This virtual machine shows no VMX or SVM: ask its host for nested "
			     "virtualization, then `modprobe kvm_intel` or `modprobe kvm_amd`.");
}

static void device_denied(struct probe *probe, struct probe_finding *finding, int error)
{
	struct stat st;
	char name[64];

	probe_found(finding, PROBE_MISSING, "/dev/kvm exists, but user %u may not open it: %s",
		    probe->host.uid, strerror(error));
	if (env_stat(probe->env, "/dev/kvm", &st) == 0 && st.st_gid != 0 &&
	    (st.st_mode & 0060) == 0060 && group_name(probe->env, st.st_gid, name, sizeof(name)))
		probe_remedy(finding,
			     "Its group '%s' may: run `usermod -aG %s USER` as root and log in "
			     "again.",
			     name, name);
	else
		probe_remedy(
			finding,
			"Only root may: run as root, or give it to a group as root (`chgrp kvm "
			"/dev/kvm; chmod 660 /dev/kvm`) and join that group.");
}

void check_kvm_device(struct probe *probe, struct probe_finding *finding)
{
	probe->kvm = probe->env->open(probe->env, "/dev/kvm", O_RDWR);
	if (probe->kvm >= 0)
		probe_found(finding, PROBE_OK, "/dev/kvm opens for reading and writing");
	else if (probe->kvm == -ENOENT)
		device_absent(probe, finding);
	else if (probe->kvm == -EACCES || probe->kvm == -EPERM)
		device_denied(probe, finding, -probe->kvm);
	else
		probe_found(finding, PROBE_MISSING, "/dev/kvm exists, but does not open: %s",
			    strerror(-probe->kvm));
}

void check_kvm_api(struct probe *probe, struct probe_finding *finding)
{
	int version = probe_ioctl(probe, probe->kvm, KVM_GET_API_VERSION, 0);

	probe_value(finding, version);
	probe_found(finding, version == finding->item->want ? PROBE_OK : PROBE_MISSING,
		    "version %d", version);
}

void check_kvm_vm(struct probe *probe, struct probe_finding *finding)
{
	probe->vm = probe_ioctl(probe, probe->kvm, KVM_CREATE_VM, 0);
	if (probe->vm >= 0)
		probe_found(finding, PROBE_OK, "a virtual machine can be created");
	else
		probe_found(finding, PROBE_MISSING, "KVM_CREATE_VM fails: %s",
			    strerror(-probe->vm));
	if (probe->vm == -EBUSY)
		probe_remedy(finding, "Another hypervisor holds the processor's virtualization "
				      "(VirtualBox, VMware): stop it.");
}

/* Some capabilities depend on the VM. */
static int capability(struct probe *probe, const struct probe_item *item)
{
	int value = probe_ioctl(probe, probe->vm, KVM_CHECK_EXTENSION, (unsigned long)item->number);

	return value < 0 ? 0 : value;
}

void check_capability(struct probe *probe, struct probe_finding *finding)
{
	int value = capability(probe, finding->item);

	probe_value(finding, value);
	if (value >= finding->item->want)
		probe_found(finding, PROBE_OK, finding->item->want > 1 ? "%d" : "yes", value);
	else if (value)
		probe_found(finding, PROBE_MISSING, "%d, at least %" PRId64 " needed", value,
			    finding->item->want);
	else
		probe_found(finding, PROBE_MISSING, "no");
}

void check_capability_bits(struct probe *probe, struct probe_finding *finding)
{
	int value = capability(probe, finding->item);
	int64_t want = finding->item->want;

	probe_value(finding, value);
	if ((value & want) == want)
		probe_found(finding, PROBE_OK, "yes (0x%x)", (unsigned int)value);
	else if (value)
		probe_found(finding, PROBE_MISSING, "only 0x%x of 0x%" PRIx64, (unsigned int)value,
			    (uint64_t)want);
	else
		probe_found(finding, PROBE_MISSING, "no");
}

void check_xen(struct probe *probe, struct probe_finding *finding)
{
	/* KVM ignores the request without an error if the MSR is 0. */
	struct kvm_xen_hvm_config config = {
		.flags = KVM_XEN_HVM_CONFIG_INTERCEPT_HCALL,
		.msr = 0x40000200,
	};
	int value = capability(probe, finding->item);
	int error;

	probe_value(finding, value);
	if ((value & finding->item->want) != finding->item->want) {
		probe_found(finding, PROBE_MISSING, value ? "without interception" : "no");
		return;
	}
	error = probe->env->ioctl(probe->env, probe->vm, KVM_XEN_HVM_CONFIG, &config);
	if (error)
		probe_found(finding, PROBE_MISSING, "promised, but KVM_XEN_HVM_CONFIG fails: %s",
			    strerror(-error));
	else
		probe_found(finding, PROBE_OK, "yes (0x%x), and KVM_XEN_HVM_CONFIG works",
			    (unsigned int)value);
}
