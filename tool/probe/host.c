/* SPDX-License-Identifier: BSD-2-Clause */
/* The processor, the kernel and the memory. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "probe.h"

/* @line: "name<tabs>: value". NULL: another name. */
static const char *cpuinfo_value(const char *line, const char *name)
{
	size_t length = strlen(name);

	if (strncmp(line, name, length) != 0)
		return NULL;
	line += length;
	line += strspn(line, " \t");
	if (*line != ':')
		return NULL;
	line++;
	return line + strspn(line, " \t");
}

static bool has_word(const char *words, const char *word)
{
	size_t length = strlen(word);

	for (const char *at = words; (at = strstr(at, word)) != NULL; at += length) {
		bool begins = at == words || at[-1] == ' ';

		if (begins && (at[length] == ' ' || at[length] == 0))
			return true;
	}
	return false;
}

static void read_cpuinfo(struct probe *probe)
{
	struct probe_host *host = &probe->host;
	size_t size = 4u << 20; /* a line of flags for each of a thousand processors */
	char *text = malloc(size);
	char *line, *rest = NULL;

	if (!text)
		return;
	if (env_read(probe->env, "/proc/cpuinfo", text, size) < 0) {
		free(text);
		return;
	}
	for (line = strtok_r(text, "\n", &rest); line; line = strtok_r(NULL, "\n", &rest)) {
		const char *value;

		if (cpuinfo_value(line, "processor"))
			host->cpus++;
		value = cpuinfo_value(line, "vendor_id");
		if (value)
			snprintf(host->vendor, sizeof(host->vendor), "%s", value);
		value = cpuinfo_value(line, "flags");
		if (value) {
			host->vmx |= has_word(value, "vmx");
			host->svm |= has_word(value, "svm");
			host->nested |= has_word(value, "hypervisor");
		}
	}
	free(text);
}

/*
 * Hypervisor leaves start at 0x40000000; a hypervisor that presents another interface has its own
 * 0x100 higher: KVM with Hyper-V enlightenments shows "Microsoft Hv" first and "KVMKVMKVM" second.
 */
static void read_signatures(struct probe *probe)
{
	struct probe_host *host = &probe->host;

	if (!host->nested)
		return;
	for (uint32_t leaf = 0x40000000; leaf <= 0x40000300; leaf += 0x100) {
		uint32_t regs[4] = {0};
		char signature[13] = "";
		size_t used = strlen(host->hypervisor);
		bool readable = true;

		probe->env->cpuid(probe->env, leaf, regs);
		if (regs[0] < leaf || regs[0] > leaf + 0xff)
			continue;
		memcpy(signature, &regs[1], 12);
		for (size_t i = 0; signature[i]; i++)
			readable &= signature[i] >= 0x20 && signature[i] < 0x7f;
		if (!signature[0] || !readable)
			continue;
		if (strcmp(signature, "Microsoft Hv") == 0)
			host->hyperv = true;
		snprintf(host->hypervisor + used, sizeof(host->hypervisor) - used, "%s%s",
			 used ? ", " : "", signature);
	}
}

static uint64_t meminfo(const char *text, const char *name)
{
	const char *at = strstr(text, name);

	return at ? strtoull(at + strlen(name), NULL, 10) * 1024 : 0;
}

static enum probe_kvm_kind kind_of_kvm(const struct probe *probe)
{
	const struct probe_env *env = probe->env;
	const struct probe_host *host = &probe->host;

	/* Built-in vendor modules have a folder on every processor: check the processor, too. */
	if (host->vmx && env_exists(env, "/sys/module/kvm_intel"))
		return PROBE_KVM_VMX;
	if (host->svm && env_exists(env, "/sys/module/kvm_amd"))
		return PROBE_KVM_SVM;
	if (env_exists(env, "/sys/module/kvm_pvm"))
		return PROBE_KVM_PVM;
	return env_exists(env, "/dev/kvm") ? PROBE_KVM_OTHER : PROBE_KVM_NONE;
}

void probe_host_read(struct probe *probe)
{
	struct probe_host *host = &probe->host;
	struct utsname name;
	char text[8192];

	if (probe->env->uname(probe->env, &name) == 0) {
		snprintf(host->kernel, sizeof(host->kernel), "%s", name.release);
		snprintf(host->machine, sizeof(host->machine), "%s", name.machine);
		if (sscanf(name.release, "%d.%d", &host->kernel_major, &host->kernel_minor) != 2)
			host->kernel_major = host->kernel_minor = 0;
	}
	host->uid = probe->env->uid(probe->env);
	read_cpuinfo(probe);
	read_signatures(probe);
	if (env_read(probe->env, "/proc/meminfo", text, sizeof(text)) >= 0) {
		host->memory = meminfo(text, "MemTotal:");
		host->memory_available = meminfo(text, "MemAvailable:");
	}
	host->kind = kind_of_kvm(probe);
}

void check_virtualization(struct probe *probe, struct probe_finding *finding)
{
	const struct probe_host *host = &probe->host;

	if (host->vmx || host->svm) {
		probe_found(finding, PROBE_OK, "%s on %s%s", host->vmx ? "VMX" : "SVM",
			    host->vendor, host->nested ? ", itself in a virtual machine" : "");
		return;
	}
	probe_found(finding, PROBE_MISSING, "/proc/cpuinfo shows neither vmx nor svm%s%s",
		    host->vendor[0] ? " on " : "", host->vendor);
	if (host->nested)
		probe_remedy(finding,
			     "This is a virtual machine: its host has to give it nested "
			     "virtualization (QEMU: -cpu host with kvm_intel.nested=1 or "
			     "kvm_amd.nested=1), or use a bare-metal machine. Tests run without it "
			     "in rig/run.");
}

void check_kernel(struct probe *probe, struct probe_finding *finding)
{
	const struct probe_host *host = &probe->host;
	int number = host->kernel_major * 1000 + host->kernel_minor;

	/* item->want is major * 1000 + minor. */
	probe_found(finding, number >= finding->item->want ? PROBE_OK : PROBE_MISSING, "Linux %s",
		    host->kernel[0] ? host->kernel : "of an unknown version");
}

void check_kvm_kind(struct probe *probe, struct probe_finding *finding)
{
	switch (probe->host.kind) {
	case PROBE_KVM_VMX:
	case PROBE_KVM_SVM:
		probe_found(finding, PROBE_OK, "KVM on %s",
			    probe->host.kind == PROBE_KVM_VMX ? "VMX" : "SVM");
		return;
	case PROBE_KVM_PVM:
		probe_found(finding, PROBE_MISSING,
			    "kvm_pvm: a guest that was not written for it runs in KVM's "
			    "instruction emulator");
		probe_remedy(finding,
			     "A machine with VMX or SVM, and kvm_intel or kvm_amd instead of "
			     "kvm_pvm. Tests run on a real KVM in rig/run.");
		return;
	case PROBE_KVM_OTHER:
		probe_found(finding, PROBE_MISSING, "a KVM, but neither kvm_intel nor kvm_amd");
		return;
	case PROBE_KVM_NONE:
		break;
	}
	probe_found(finding, PROBE_MISSING, "no KVM");
}

void check_ram(struct probe *probe, struct probe_finding *finding)
{
	const struct probe_host *host = &probe->host;

	probe_value(finding, (int64_t)host->memory_available);
	if (!host->memory) {
		probe_found(finding, PROBE_UNKNOWN, "/proc/meminfo cannot be read");
		return;
	}
	probe_found(finding,
		    host->memory_available >= (uint64_t)finding->item->want ? PROBE_OK
									    : PROBE_MISSING,
		    "%" PRIu64 " MiB, %" PRIu64 " MiB of them available", host->memory >> 20,
		    host->memory_available >> 20);
}
