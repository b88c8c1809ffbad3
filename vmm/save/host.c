/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A guest may use every CPU feature that CPUID reports to it, so a restore needs all of them. It is
 * assumed that the guest's CPUID reports every feature that KVM supports on this host.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/kvm.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "array.h"
#include "save/save.h"

#define ENTRIES 256u

enum {
	EAX,
	EBX,
	ECX,
	EDX
};

/* In these registers every bit is a feature; @ignore: bits that depend on more than the CPU. */
static const struct {
	uint32_t leaf, index, reg, ignore;
} words[] = {
	{0x1, 0, ECX, 1u << 27 | 1u << 31}, /* OSXSAVE, hypervisor */
	{0x1, 0, EDX, 0},
	{0x7, 0, EBX, 0},
	{0x7, 0, ECX, 1u << 4}, /* OSPKE */
	{0x7, 0, EDX, 0},
	{0x7, 1, EAX, 0},
	{0xd, 0, EAX, 0},
	{0xd, 1, EAX, 0},
	{0x80000001, 0, ECX, 0},
	{0x80000001, 0, EDX, 0},
	{0x80000008, 0, EBX, 0},
};

static const struct {
	uint32_t leaf, index, reg, bit;
	const char *name;
} names[] = {
	{0x1, 0, ECX, 0, "SSE3"},
	{0x1, 0, ECX, 1, "PCLMULQDQ"},
	{0x1, 0, ECX, 9, "SSSE3"},
	{0x1, 0, ECX, 12, "FMA"},
	{0x1, 0, ECX, 13, "CMPXCHG16B"},
	{0x1, 0, ECX, 17, "PCID"},
	{0x1, 0, ECX, 19, "SSE4.1"},
	{0x1, 0, ECX, 20, "SSE4.2"},
	{0x1, 0, ECX, 21, "x2APIC"},
	{0x1, 0, ECX, 22, "MOVBE"},
	{0x1, 0, ECX, 23, "POPCNT"},
	{0x1, 0, ECX, 24, "TSC-deadline"},
	{0x1, 0, ECX, 25, "AES"},
	{0x1, 0, ECX, 26, "XSAVE"},
	{0x1, 0, ECX, 28, "AVX"},
	{0x1, 0, ECX, 29, "F16C"},
	{0x1, 0, ECX, 30, "RDRAND"},
	{0x7, 0, EBX, 0, "FSGSBASE"},
	{0x7, 0, EBX, 3, "BMI1"},
	{0x7, 0, EBX, 5, "AVX2"},
	{0x7, 0, EBX, 7, "SMEP"},
	{0x7, 0, EBX, 8, "BMI2"},
	{0x7, 0, EBX, 9, "ERMS"},
	{0x7, 0, EBX, 10, "INVPCID"},
	{0x7, 0, EBX, 16, "AVX512F"},
	{0x7, 0, EBX, 18, "RDSEED"},
	{0x7, 0, EBX, 19, "ADX"},
	{0x7, 0, EBX, 20, "SMAP"},
	{0x7, 0, EBX, 29, "SHA"},
	{0x7, 0, ECX, 2, "UMIP"},
	{0x7, 0, ECX, 3, "PKU"},
	{0x7, 0, ECX, 16, "LA57"},
	{0x7, 0, ECX, 22, "RDPID"},
	{0x80000001, 0, EDX, 20, "NX"},
	{0x80000001, 0, EDX, 26, "1 GiB pages"},
	{0x80000001, 0, EDX, 27, "RDTSCP"},
};

static struct kvm_cpuid2 *supported_cpuid(void)
{
	struct kvm_cpuid2 *cpuid = calloc(1, sizeof(*cpuid) + ENTRIES * sizeof(cpuid->entries[0]));
	const int fd = open("/dev/kvm", O_RDWR | O_CLOEXEC);

	if (cpuid)
		cpuid->nent = ENTRIES;
	if (!cpuid || fd < 0 || ioctl(fd, KVM_GET_SUPPORTED_CPUID, cpuid)) {
		free(cpuid);
		cpuid = NULL;
	}
	if (fd >= 0)
		close(fd);
	return cpuid;
}

static uint32_t value_of(const struct kvm_cpuid2 *cpuid, uint32_t leaf, uint32_t index,
			 uint32_t reg)
{
	for (uint32_t i = 0; i < cpuid->nent; i++) {
		const struct kvm_cpuid_entry2 *entry = &cpuid->entries[i];

		if (entry->function == leaf && entry->index == index)
			return reg == EAX   ? entry->eax
			       : reg == EBX ? entry->ebx
			       : reg == ECX ? entry->ecx
					    : entry->edx;
	}
	return 0;
}

size_t vmm_host_words(struct vmm_saved_word word[VMM_HOST_WORDS_MAX])
{
	struct kvm_cpuid2 *cpuid = supported_cpuid();
	size_t count = 0;

	if (!cpuid)
		return 0;
	for (uint32_t reg = EBX; reg <= EDX; reg++)
		word[count++] = (struct vmm_saved_word){0, 0, reg, value_of(cpuid, 0, 0, reg)};
	for (size_t i = 0; i < ARRAY_SIZE(words); i++)
		word[count++] = (struct vmm_saved_word){
			words[i].leaf, words[i].index, words[i].reg,
			value_of(cpuid, words[i].leaf, words[i].index, words[i].reg) &
				~words[i].ignore};
	free(cpuid);
	return count;
}

/* Names the lowest bit of @missing. */
static void name_of(const struct vmm_saved_word *word, uint32_t missing, char text[64])
{
	static const char registers[] = "ABCD";
	const uint32_t bit = (uint32_t)__builtin_ctz(missing);

	for (size_t i = 0; i < ARRAY_SIZE(names); i++)
		if (names[i].leaf == word->leaf && names[i].index == word->index &&
		    names[i].reg == word->reg && names[i].bit == bit) {
			snprintf(text, 64, "%s", names[i].name);
			return;
		}
	snprintf(text, 64, "bit %u of E%cX in CPUID leaf %#x, index %u", bit, registers[word->reg],
		 word->leaf, word->index);
}

static uint32_t here(const struct vmm_saved_word *now, size_t count,
		     const struct vmm_saved_word *word)
{
	for (size_t i = 0; i < count; i++)
		if (now[i].leaf == word->leaf && now[i].index == word->index &&
		    now[i].reg == word->reg)
			return now[i].value;
	return 0;
}

int vmm_host_check(const struct vmm_saved_word *word, size_t count, const struct vsm_log *log)
{
	struct vmm_saved_word now[VMM_HOST_WORDS_MAX];
	const size_t have = vmm_host_words(now);

	for (size_t i = 0; i < count; i++) {
		uint32_t value, missing;
		char name[64];

		if (word[i].reg > EDX)
			return vsm_error(log, EILSEQ, "the saved machine's CPU has a register %u",
					 word[i].reg);
		value = here(now, have, &word[i]);
		if (word[i].leaf == 0 && value != word[i].value)
			return vsm_error(
				log, ENOTSUP,
				"the vendors of this host's CPU and the saved machine's differ");
		missing = word[i].value & ~value;
		if (word[i].leaf == 0 || !missing)
			continue;
		name_of(&word[i], missing, name);
		return vsm_error(log, ENOTSUP,
				 "this host lacks features of the saved machine's CPU: %s%s", name,
				 missing & (missing - 1) ? ", and more" : "");
	}
	return 0;
}
