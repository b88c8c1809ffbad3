/* SPDX-License-Identifier: BSD-2-Clause */
/* CPUID set by the VMM on the KVM backend. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include <vsm/cpuid.h>

#include "core/x64.h"
#include "engine.h"
#include "kvm_guest.h"
#include "tap.h"

__asm__(".pushsection .rodata\n"
	".globl guest_code, guest_code_end\n"
	"guest_code:\n"
	".globl g_cpuid, g_cr4\n"
	"g_cpuid: cpuid; out %al, $0x10\n"
	"g_cr4: mov %cr4, %rbx; or %rbx, %rax; mov %rax, %cr4; out %al, $0x10\n"
	"guest_code_end:\n"
	".popsection");

enum {
	ROOM = 256,
	SMEP = 7, /* leaf 7 EBX */
};

#define CR4_SMEP (UINT64_C(1) << 20)

static struct vsm_cpuid host[ROOM];
static size_t host_count;

static struct vsm_cpuid *find(struct vsm_cpuid *entry, size_t count, uint32_t leaf,
			      uint32_t subleaf)
{
	for (size_t i = 0; i < count; i++)
		if (entry[i].leaf == leaf && (!entry[i].has_subleaf || entry[i].subleaf == subleaf))
			return &entry[i];
	return NULL;
}

static int try(struct guest *guest, const struct vsm_cpuid *entry, size_t count)
{
	static const struct cpuid_leaf own = {.leaf = 0x40000000, .ebx = 0x1234};
	struct backend_features features = guest->features;
	int error = guest->ops->vp_check_cpuid(guest->vp[0], entry, count, &features);

	if (!error)
		error = guest->ops->vp_set_cpuid(guest->vp[0], entry, count, &own, 1);
	if (!error)
		guest->features = features;
	return error;
}

static void run_cpuid(struct guest *guest, uint8_t vtl, uint32_t leaf, uint32_t subleaf,
		      uint32_t value[4])
{
	static const enum vcpu_gpr order[] = {GPR_RAX, GPR_RBX, GPR_RCX, GPR_RDX};

	guest_start(guest, 0, vtl, GUEST(g_cpuid));
	guest_edit(guest, 0, vtl, VCPU_GPR)->gpr[GPR_RAX] = leaf;
	guest_edit(guest, 0, vtl, VCPU_GPR)->gpr[GPR_RCX] = subleaf;
	guest_run_on(guest, 0, vtl);
	for (unsigned int i = 0; i < 4; i++)
		value[i] = (uint32_t)guest_get(guest, 0, vtl, VCPU_GPR)->gpr[order[i]];
}

static void test_what_the_host_offers(void)
{
	struct vsm_cpuid *leaf1;
	size_t count = 0;
	bool own = false;

	int error = vsm_host_cpuid(NULL, NULL, &count);

	check(error == -ENOBUFS && count > 5 && count < ROOM,
	      "without a buffer the number of entries is returned: %zu", count);
	host_count = ROOM;
	check(vsm_host_cpuid(NULL, host, &host_count) == 0 && host_count == count,
	      "the host's CPUID is read without a partition");
	for (size_t i = 0; i < host_count; i++)
		own |= host[i].leaf >> 28 == 4;
	leaf1 = find(host, host_count, 1, 0);
	check(leaf1 && leaf1->ecx >> 21 & 1 && leaf1->ecx >> 31 & 1 && !(leaf1->ecx >> 5 & 1) &&
		      !own,
	      "the host's CPUID has x2APIC, no VMX, and no hypervisor leaves");
}

static void test_feature_msrs(void)
{
	uint64_t value = 0;

	check(vsm_host_msr(NULL, 0x12345678, &value) == -ENOENT,
	      "an unknown feature MSR returns -ENOENT");
	check(vsm_host_msr(NULL, X64_MSR_UCODE_REV, &value) == 0,
	      "the microcode revision is a feature MSR");
}

static void test_each_bit(struct guest *guest)
{
	static const struct {
		uint32_t leaf, subleaf;
		uint8_t reg;
		uint32_t skip;
	} words[] = {
		{1, 0, 2, 1u << 27},   {1, 0, 3, 1u << 28},
		{7, 0, 1, 0},	       {7, 0, 2, 1u << 4},
		{7, 0, 3, 0},	       {7, 1, 0, 0},
		{0xa, 0, 0, 0},	       {0xd, 0, 0, 0},
		{0xd, 1, 0, 0},	       {0x80000001, 0, 2, 1u << 1},
		{0x80000001, 0, 3, 0}, {0x80000007, 0, 3, 0},
		{0x80000008, 0, 1, 0}, {0x8000000a, 0, 3, 0},
		{0x80000021, 0, 0, 0}, {0xc0000001, 0, 3, 0},
	};
	unsigned int wrong = 0, tried = 0;

	for (size_t w = 0; w < sizeof(words) / sizeof(words[0]); w++) {
		for (unsigned int bit = 0; bit < 32; bit++) {
			static struct vsm_cpuid entry[ROOM];
			size_t count = host_count;
			struct vsm_cpuid *at;
			uint32_t *reg;

			memcpy(entry, host, sizeof(entry));
			at = find(entry, count, words[w].leaf, words[w].subleaf);
			if (!at) {
				at = &entry[count++];
				*at = (struct vsm_cpuid){.leaf = words[w].leaf,
							 .subleaf = words[w].subleaf,
							 .has_subleaf = words[w].subleaf != 0};
			}
			reg = &at->eax + words[w].reg;
			if (*reg >> bit & 1 || words[w].skip >> bit & 1)
				continue;
			*reg |= 1u << bit;
			tried++;
			if (try(guest, entry, count) != -EINVAL) {
				printf("# leaf %#x.%u register %u bit %u is accepted\n",
				       words[w].leaf, words[w].subleaf, words[w].reg, bit);
				wrong++;
			}
		}
	}
	check(!wrong && tried > 100, "each of %u feature bits that are not offered is refused",
	      tried);
}

static void refused(struct guest *guest, uint32_t leaf, uint32_t subleaf, uint8_t reg,
		    uint32_t flip, const char *what)
{
	static struct vsm_cpuid entry[ROOM];
	struct vsm_cpuid *at;

	memcpy(entry, host, sizeof(entry));
	at = find(entry, host_count, leaf, subleaf);
	if (!at) {
		check_skipped(what, "this CPU has no such leaf");
		return;
	}
	*(&at->eax + reg) ^= flip;
	check(try(guest, entry, host_count) == -EINVAL, "%s", what);
}

static void test_what_the_guest_sees(struct guest *guest)
{
	static struct vsm_cpuid entry[ROOM];
	struct vsm_cpuid *at;
	struct backend_run run;
	uint64_t frame[6];
	uint32_t value[4];
	bool smep = guest->features.cr4_valid & CR4_SMEP;

	memcpy(entry, host, sizeof(entry));
	at = find(entry, host_count, 0x80000002, 0);
	if (at)
		at->eax = 0x55555555;
	at = find(entry, host_count, 1, 0);
	at->eax = 0x00080f20;
	at->ecx &= ~1u;
	at = find(entry, host_count, 7, 0);
	if (at)
		at->ebx &= ~(1u << SMEP);
	check(try(guest, entry, host_count) == 0,
	      "the host's CPUID with fewer features is accepted");
	for (uint8_t vtl = 0; vtl < 2; vtl++) {
		run_cpuid(guest, vtl, 1, 0, value);
		check(value[0] == 0x00080f20 && !(value[2] & 1) && value[2] >> 31 & 1,
		      "VTL%u reads the signature and features that the VMM has set", vtl);
		run_cpuid(guest, vtl, 0x40000000, 0, value);
		check(value[1] == 0x1234, "VTL%u reads the hypervisor leaves of the core", vtl);
	}
	if (!smep) {
		check_skipped("CR4.SMEP", "this CPU has no SMEP");
		return;
	}
	guest_start_with(guest, GUEST(g_cr4), 0, CR4_SMEP);
	run = guest_run_on(guest, 0, 0);
	check(!(guest->features.cr4_valid & CR4_SMEP) && guest_trap(guest, 0, &run, frame) == 13,
	      "a bit of CR4 whose feature is hidden is refused");
}

int main(void)
{
	struct guest guest;
	const struct vsm_cpuid *width;

	test_what_the_host_offers();
	test_feature_msrs();
	guest_quiet = true;
	guest_create(&guest, 2, 1, 32 * MIB);
	test_each_bit(&guest);
	refused(&guest, 0, 0, 1, 1, "a different vendor is refused");
	refused(&guest, 0x80000000, 0, 1, 1,
		"a different vendor in the extended leaves is refused");
	refused(&guest, 0xd, 2, 1, 64, "a different offset of an XSAVE component is refused");
	width = find(host, host_count, 0x80000008, 0);
	refused(&guest, 0x80000008, 0, 0, 64,
		"more physical address bits than the host's are refused");
	refused(&guest, 0x80000008, 0, 0, width ? (width->eax & 0xff) ^ 32 : 1,
		"fewer than 36 physical address bits are refused");
	test_what_the_guest_sees(&guest);
	guest_destroy(&guest);
	return checks_end();
}
