/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Linux bzImage by the 64-bit boot protocol: Documentation/arch/x86/boot.rst ("The Linux/x86 Boot
 * Protocol") and zero-page.rst of the kernel.
 */
#include "load/load.h"
#include "load/place.h"
#include "load/zero_page.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>

typedef unsigned long long ull;

#define VERSION_MIN   0x020cu /* the first with xloadflags */
#define LOADED_HIGH   0x01u
#define XLF_KERNEL_64 0x0001u
#define ENTRY_64      0x200u
#define MAX_ALIGNMENT 0x40000000u
#define SECTOR	      512u
#define PARAGRAPH     16u

struct kernel {
	const struct vmm_file *file;
	uint64_t payload; /* offset of the protected-mode kernel in the file */
	uint64_t payload_size;
	uint64_t missing; /* zeros to append: the last paragraph may be partial */
	uint64_t preferred, init_size;
	uint32_t alignment;
	struct linux_limits limits;
	bool relocatable;
};

static int check_header(const struct vmm_file *file, const struct vsm_log *log)
{
	if (file->size < LINUX_HEADER_END)
		return vsm_error(log, ENOEXEC,
				 "%s: truncated: %zu bytes, and a bzImage begins with %u",
				 file->name, file->size, LINUX_HEADER_END);
	if (vmm_file_u16(file, LINUX_BOOT_FLAG) != LINUX_BOOT_FLAG_MAGIC ||
	    vmm_file_u32(file, LINUX_HEADER) != LINUX_HEADER_MAGIC)
		return vsm_error(log, ENOEXEC,
				 "%s: not a bzImage: no boot flag and \"HdrS\" at 0x%x", file->name,
				 LINUX_BOOT_FLAG);
	if (vmm_file_u16(file, LINUX_VERSION) < VERSION_MIN)
		return vsm_error(log, ENOEXEC,
				 "%s: boot protocol 2.%02u at 0x%x is older than 2.12 (Linux 3.8)",
				 file->name, vmm_file_u16(file, LINUX_VERSION) & 0xffu,
				 LINUX_VERSION);
	if (!(vmm_file_u16(file, LINUX_XLOADFLAGS) & XLF_KERNEL_64))
		return vsm_error(log, ENOEXEC,
				 "%s: a 32-bit kernel: XLF_KERNEL_64 at 0x%x is clear, and only "
				 "x86-64 kernels are supported",
				 file->name, LINUX_XLOADFLAGS);
	if (!(file->data[LINUX_LOADFLAGS] & LOADED_HIGH))
		return vsm_error(log, ENOEXEC,
				 "%s: a zImage, which loads low: LOADED_HIGH at 0x%x is "
				 "clear",
				 file->name, LINUX_LOADFLAGS);
	return 0;
}

static int read_header(struct kernel *kernel, const struct vmm_file *file,
		       const struct vsm_log *log)
{
	const int error = check_header(file, log);
	uint64_t wanted;

	if (error)
		return error;
	kernel->file = file;
	/* 0 means 4, by the boot protocol. */
	kernel->payload =
		((file->data[LINUX_SETUP_SECTS] ? file->data[LINUX_SETUP_SECTS] : 4u) + 1ull) *
		SECTOR;
	wanted = kernel->payload + (uint64_t)PARAGRAPH * vmm_file_u32(file, LINUX_SYSSIZE);
	if (file->size + PARAGRAPH - 1 < wanted || file->size < kernel->payload + ENTRY_64 + 1)
		return vsm_error(log, ENOEXEC,
				 "%s: truncated: it has %zu bytes, and %llu by its header (syssize "
				 "at 0x%x): get the whole file again",
				 file->name, file->size, (ull)wanted, LINUX_SYSSIZE);
	kernel->payload_size = file->size - kernel->payload;
	kernel->missing = file->size < wanted ? wanted - file->size : 0;
	kernel->preferred = vmm_file_u64(file, LINUX_PREF_ADDRESS);
	kernel->init_size = vmm_file_u32(file, LINUX_INIT_SIZE);
	kernel->alignment = vmm_file_u32(file, LINUX_KERNEL_ALIGNMENT);
	kernel->limits.initrd_max = vmm_file_u32(file, LINUX_INITRD_ADDR_MAX);
	kernel->limits.command_line_max = vmm_file_u32(file, LINUX_CMDLINE_SIZE);
	kernel->relocatable = file->data[LINUX_RELOCATABLE_KERNEL];
	if (kernel->init_size < kernel->payload_size + kernel->missing)
		kernel->init_size = kernel->payload_size + kernel->missing;
	if (kernel->alignment < VMM_PAGE || kernel->alignment > MAX_ALIGNMENT ||
	    (kernel->alignment & (kernel->alignment - 1)))
		return vsm_error(
			log, ENOEXEC,
			"%s: kernel_alignment 0x%x at 0x%x is no power of two from 4 KiB to "
			"1 GiB",
			file->name, kernel->alignment, LINUX_KERNEL_ALIGNMENT);
	return 0;
}

/*
 * At the preferred address; if that is below 1 MiB or does not fit into low RAM, a relocatable
 * kernel gets the lowest free address from 1 MiB on.
 */
static int place_kernel(struct vmm_places *places, const struct kernel *kernel, uint64_t *gpa)
{
	const uint64_t preferred = kernel->preferred;
	uint64_t end;
	int error;

	if (kernel->relocatable && (preferred < VMM_EXTENDED ||
				    __builtin_add_overflow(preferred, kernel->init_size, &end) ||
				    end > places->memory->low)) {
		error = vmm_place_low(places, "the kernel", kernel->init_size, kernel->alignment,
				      VMM_EXTENDED, VMM_LOW_MAX, gpa);
	} else {
		error = vmm_claim(places, "the kernel", preferred, kernel->init_size);
		*gpa = preferred;
		if (!error && preferred >= VMM_HIGH)
			error = vsm_error(places->log, ENOEXEC,
					  "%s: its preferred address 0x%llx is above 4 GiB",
					  places->file, (ull)preferred);
	}
	if (!error)
		error = vmm_put(places, *gpa, kernel->file->data + kernel->payload,
				kernel->payload_size);
	if (!error)
		error = vmm_put(places, *gpa + kernel->payload_size, NULL, kernel->missing);
	return error;
}

/* The file gives the length of the setup header. */
static void copy_header(const struct vmm_file *file, uint64_t kernel_gpa, uint8_t *zero_page)
{
	const uint32_t code32 = (uint32_t)kernel_gpa;
	size_t end = LINUX_HEADER + (size_t)file->data[LINUX_HEADER_LENGTH];

	end = end < LINUX_HEADER_END ? LINUX_HEADER_END : end;
	end = end > LINUX_E820_TABLE ? LINUX_E820_TABLE : end;
	end = end > file->size ? file->size : end;
	memcpy(zero_page + LINUX_SETUP_SECTS, file->data + LINUX_SETUP_SECTS,
	       end - LINUX_SETUP_SECTS);
	memset(zero_page + LINUX_RAMDISK_IMAGE, 0, 8);
	memcpy(zero_page + LINUX_CODE32_START, &code32, sizeof(code32));
}

int vmm_load_linux(const struct vmm_memory *memory, const struct vmm_boot_request *request,
		   const struct vsm_log *log, struct vmm_boot_state *state)
{
	uint8_t zero_page[VMM_PAGE] = {0};
	struct vmm_places places;
	struct kernel kernel = {0};
	uint64_t kernel_gpa;
	int error;

	error = read_header(&kernel, &request->kernel, log);
	if (error)
		return error;
	vmm_places_init(&places, memory, request->kernel.name, log);
	error = place_kernel(&places, &kernel, &kernel_gpa);
	if (error)
		return error;
	copy_header(&request->kernel, kernel_gpa, zero_page);
	return linux_enter(&places, request, &kernel.limits, zero_page, kernel_gpa + ENTRY_64,
			   state);
}
