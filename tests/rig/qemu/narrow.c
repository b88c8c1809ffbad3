/* SPDX-License-Identifier: BSD-2-Clause */
/* A preloaded object: KVM supports 39 address bits, as on many Intel CPUs. */
#include <dlfcn.h>
#include <linux/kvm.h>
#include <stdarg.h>
#include <sys/ioctl.h>

#define ADDRESS_SIZES 0x80000008u
#define BITS	      39u

int ioctl(int fd, unsigned long request, ...)
{
	int (*next)(int fd, unsigned long request, void *argument) =
		(int (*)(int, unsigned long, void *))dlsym(RTLD_NEXT, "ioctl");
	struct kvm_cpuid2 *cpuid;
	va_list arguments;
	void *argument;
	int result;

	va_start(arguments, request);
	argument = va_arg(arguments, void *);
	va_end(arguments);
	result = next(fd, request, argument);
	if (result || request != KVM_GET_SUPPORTED_CPUID)
		return result;
	cpuid = argument;
	for (unsigned int i = 0; i < cpuid->nent; i++)
		if (cpuid->entries[i].function == ADDRESS_SIZES)
			cpuid->entries[i].eax = (cpuid->entries[i].eax & ~0xffu) | BITS;
	return 0;
}
