/* SPDX-License-Identifier: BSD-2-Clause */
#include "load/kind.h"

#include <string.h>

#include "array.h"

#define UNPACK(by, command)                                                                      \
	"compressed by " by ": unpack it first, as in `" command " FILE > kernel`, or give the " \
	"bzImage; an initrd goes to --initrd"
#define NO_DISK                                                                                  \
	", and this machine has no disk: copy the kernel and the initrd out of it (a Linux has " \
	"them in /boot), and give these"
#define NO_FIRMWARE ", and this machine runs no firmware: give the kernel itself"

struct kind {
	size_t offset;
	const char *bytes;
	size_t count;
	const char *what;
};

/* clang-format off */
/* The first match counts. */
static const struct kind kinds[] = {
	{0, "\x1f\x8b", 2, UNPACK("gzip", "gzip -dc")},
	{0, "\xfd" "7zXZ", 5, UNPACK("xz", "xz -dc")},
	{0, "\x28\xb5\x2f\xfd", 4, UNPACK("zstd", "zstd -dc")},
	{0, "BZh", 3, UNPACK("bzip2", "bzip2 -dc")},
	{0, "\x04\x22\x4d\x18", 4, UNPACK("lz4", "lz4 -dc")},
	{0, "\x02\x21\x4c\x18", 4, UNPACK("lz4 (its old format)", "lz4 -dc")},
	{0, "\x5d\x00\x00", 3, UNPACK("lzma", "xz --format=lzma -dc")},
	{0, "\x89LZO\x00\x0d\x0a\x1a\x0a", 9, UNPACK("lzop", "lzop -dc")},
	{0, "PK\x03\x04", 4, "a zip archive: unpack it, and give the kernel in it"},
	{0x101, "ustar", 5, "a tar archive: unpack it, and give the kernel in it"},
	{0, "070701", 6, "an initrd (cpio), not a kernel: give it with --initrd, beside a kernel"},
	{0, "070702", 6, "an initrd (cpio), not a kernel: give it with --initrd, beside a kernel"},
	{0, "VSMSAVED", 8, "a saved machine: resume it with `vsm run --restore FILE`"},
	{0, "VSMTRACE", 8, "a trace: `vsm trace FILE` prints it"},
	{0x38, "ARM\x64", 4, "a Linux kernel for 64-bit Arm, not for x86"},
	{0x24, "\x18\x28\x6f\x01", 4, "a Linux kernel for 32-bit Arm, not for x86"},
	{0x30, "RISCV", 5, "a Linux kernel for RISC-V, not for x86"},
	{0, "\x27\x05\x19\x56", 4, "an image for U-Boot, not a kernel for this machine: give the bzImage"},
	{0, "\xd0\x0d\xfe\xed", 4, "a device tree or an image for U-Boot: give the bzImage"},
	{0, "#!", 2, "a script, not a kernel"},
	{0, "QFI\xfb", 4, "a disk image (qcow2)" NO_DISK},
	{0, "KDMV", 4, "a disk image (VMDK)" NO_DISK},
	{0, "vhdxfile", 8, "a disk image (VHDX)" NO_DISK},
	{0, "conectix", 8, "a disk image (VHD)" NO_DISK},
	{0x40, "\x7f\x10\xda\xbe", 4, "a disk image (VDI)" NO_DISK},
	{0x8001, "CD001", 5, "an ISO image" NO_DISK},
	{0x200, "EFI PART", 8, "a disk image (GPT)" NO_DISK},
	{0, "hsqs", 4, "a file system (squashfs)" NO_DISK},
	{0x438, "\x53\xef", 2, "a file system (ext2, ext3 or ext4)" NO_DISK},
	{0x28, "_FVH", 4, "UEFI firmware" NO_FIRMWARE},
	{0, "\x55\xaa", 2, "an option ROM" NO_FIRMWARE},
};

/* Checked last, as files of many types have this magic at this offset. */
static const struct kind boot_sector = {0x1fe, "\x55\xaa", 2, "a boot sector or a disk image" NO_DISK};
/* clang-format on */

static bool has(const struct vmm_file *file, const struct kind *kind)
{
	return file->size >= kind->offset + kind->count &&
	       !memcmp(file->data + kind->offset, kind->bytes, kind->count);
}

/* ------------------------------------------------------------------ Windows and EFI (PE) */

#define PE_AT	     0x3cu /* offset of the header's offset, 4 bytes */
#define PE_MAGIC     0x00004550u
#define PE_SECTIONS  6u	 /* offsets from the magic */
#define PE_OPTIONAL  20u /* size of the optional header, in 2 bytes */
#define PE_HEADER    24u
#define PE_SUBSYSTEM 68u /* in the optional header */
#define PE_SECTION   40u
#define SECTIONS_MAX 96u
/* EFI application, boot service driver, runtime driver, ROM */
#define EFI_SUBSYSTEM_FIRST 10u
#define EFI_SUBSYSTEM_LAST  13u

static const char pe_unified[] =
	"a unified kernel image (UKI): take the kernel and the initrd out of it, as in "
	"`objcopy -O binary --only-section=.linux FILE kernel`, likewise .initrd and .cmdline";

static bool has_linux_section(const struct vmm_file *file, uint64_t at)
{
	static const char name[8] = ".linux";
	unsigned int count = vmm_file_u16(file, at + PE_SECTIONS);
	uint64_t section = at + PE_HEADER + vmm_file_u16(file, at + PE_OPTIONAL);

	for (; count && count <= SECTIONS_MAX && section + PE_SECTION <= file->size;
	     count--, section += PE_SECTION)
		if (!memcmp(file->data + section, name, sizeof(name)))
			return true;
	return false;
}

static const char *pe_kind(const struct vmm_file *file)
{
	uint64_t at;
	uint16_t subsystem;

	if (file->size < PE_AT + 4 || memcmp(file->data, "MZ", 2) != 0)
		return NULL;
	if (!memcmp(file->data + 4, "zimg", 4))
		return "an EFI kernel that unpacks itself (zboot)" NO_FIRMWARE;
	at = vmm_file_u32(file, PE_AT);
	if (at + PE_HEADER + PE_SUBSYSTEM + 2 > file->size || vmm_file_u32(file, at) != PE_MAGIC)
		return "a program for DOS, not a kernel";
	if (has_linux_section(file, at))
		return pe_unified;
	subsystem = vmm_file_u16(file, at + PE_HEADER + PE_SUBSYSTEM);
	if (subsystem >= EFI_SUBSYSTEM_FIRST && subsystem <= EFI_SUBSYSTEM_LAST)
		return "an EFI program (PE)" NO_FIRMWARE;
	return "a program for Windows (PE), not a kernel";
}

/* ------------------------------------------------------------------ firmware */

#define FIRMWARE_UNIT 0x10000u
#define RESET_VECTOR  16u /* from the end */

/* A BIOS is a multiple of 64 KiB, with a far jump to segment 0xf000 at the reset vector. */
static bool is_bios(const struct vmm_file *file)
{
	const uint8_t *reset;

	if (file->size < FIRMWARE_UNIT || file->size % FIRMWARE_UNIT)
		return false;
	reset = file->data + file->size - RESET_VECTOR;
	return reset[0] == 0xea && reset[3] == 0 && reset[4] == 0xf0;
}

const char *vmm_kind(const struct vmm_file *file)
{
	const char *pe;

	for (size_t i = 0; i < ARRAY_SIZE(kinds); i++)
		if (has(file, &kinds[i]))
			return kinds[i].what;
	pe = pe_kind(file);
	if (pe)
		return pe;
	if (is_bios(file))
		return "a BIOS" NO_FIRMWARE;
	return has(file, &boot_sector) ? boot_sector.what : NULL;
}

/* ------------------------------------------------------------------ multiboot 2 */

#define MULTIBOOT2_SEARCH 32768u
#define MULTIBOOT2_MAGIC  0xe85250d6u

bool vmm_is_multiboot2(const struct vmm_file *file)
{
	const size_t end = file->size < MULTIBOOT2_SEARCH ? file->size : MULTIBOOT2_SEARCH;

	for (size_t at = 0; at + 16 <= end; at += 8)
		if (vmm_file_u32(file, at) == MULTIBOOT2_MAGIC &&
		    MULTIBOOT2_MAGIC + vmm_file_u32(file, at + 4) + vmm_file_u32(file, at + 8) +
				    vmm_file_u32(file, at + 12) ==
			    0)
			return true;
	return false;
}
