/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Linux bzImage by the 64-bit boot protocol.
 *
 * Source: the kernel's Documentation/arch/x86/boot.rst ("The Linux/x86 Boot Protocol") and
 * zero-page.rst.
 */
#include "load/load.h"
#include "load/place.h"
#include "load/tables.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>

typedef unsigned long long ull;

/* Offsets in the first sectors of the file, and (the same) in the zero page. */
enum {
	ACPI_RSDP_ADDR = 0x070,
	E820_ENTRIES = 0x1e8,
	SETUP_SECTS = 0x1f1,
	SYSSIZE = 0x1f4,
	BOOT_FLAG = 0x1fe,
	HEADER_LENGTH = 0x201, /* the header ends that many bytes behind 0x202 */
	HEADER = 0x202,
	VERSION = 0x206,
	TYPE_OF_LOADER = 0x210,
	LOADFLAGS = 0x211,
	CODE32_START = 0x214,
	RAMDISK_IMAGE = 0x218,
	RAMDISK_SIZE = 0x21c,
	CMD_LINE_PTR = 0x228,
	INITRD_ADDR_MAX = 0x22c,
	KERNEL_ALIGNMENT = 0x230,
	RELOCATABLE_KERNEL = 0x234,
	XLOADFLAGS = 0x236,
	CMDLINE_SIZE = 0x238,
	PREF_ADDRESS = 0x258,
	INIT_SIZE = 0x260,
	HEADER_END = 0x264, /* of what is used here */
	E820_TABLE = 0x2d0,
};

#define HEADER_MAGIC	  0x53726448u /* "HdrS" */
#define BOOT_FLAG_MAGIC	  0xaa55u
#define VERSION_MIN	  0x020cu /* the first with xloadflags */
#define LOADED_HIGH	  0x01u
#define XLF_KERNEL_64	  0x0001u
#define ENTRY_64	  0x200u
#define LOADER_UNASSIGNED 0xffu
#define MAX_ALIGNMENT	  0x40000000u
#define SECTOR		  512u

struct kernel {
	const struct vmm_file *file;
	uint64_t payload;      /* offset of the protected-mode kernel in the file */
	uint64_t payload_size; /* its bytes in the file */
	uint64_t preferred, init_size;
	uint32_t alignment, initrd_max, command_line_max;
	bool relocatable;
};

static int check_header(const struct vmm_file *file, const struct vsm_log *log)
{
	if (file->size < HEADER_END)
		return vsm_error(log, ENOEXEC,
				 "%s: truncated: %zu bytes, and a bzImage begins with %u",
				 file->name, file->size, HEADER_END);
	if (vmm_file_u16(file, BOOT_FLAG) != BOOT_FLAG_MAGIC ||
	    vmm_file_u32(file, HEADER) != HEADER_MAGIC)
		return vsm_error(log, ENOEXEC,
				 "%s: not a bzImage: no boot flag and \"HdrS\" at 0x%x", file->name,
				 BOOT_FLAG);
	if (vmm_file_u16(file, VERSION) < VERSION_MIN)
		return vsm_error(log, ENOEXEC,
				 "%s: boot protocol 2.%02u at 0x%x is older than 2.12 (Linux 3.8)",
				 file->name, vmm_file_u16(file, VERSION) & 0xffu, VERSION);
	if (!(vmm_file_u16(file, XLOADFLAGS) & XLF_KERNEL_64))
		return vsm_error(log, ENOEXEC,
				 "%s: a 32-bit kernel: XLF_KERNEL_64 at 0x%x is clear, and only "
				 "x86-64 kernels are run",
				 file->name, XLOADFLAGS);
	if (!(file->data[LOADFLAGS] & LOADED_HIGH))
		return vsm_error(log, ENOEXEC,
				 "%s: a zImage, which loads low: LOADED_HIGH at 0x%x is "
				 "clear",
				 file->name, LOADFLAGS);
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
	/* 0 means 4, for kernels older than any taken here; the protocol keeps the rule. */
	kernel->payload =
		((file->data[SETUP_SECTS] ? file->data[SETUP_SECTS] : 4u) + 1ull) * SECTOR;
	wanted = kernel->payload + 16ull * vmm_file_u32(file, SYSSIZE);
	if (file->size < wanted || file->size < kernel->payload + ENTRY_64 + 1)
		return vsm_error(log, ENOEXEC,
				 "%s: truncated: %zu bytes, and its header (syssize at 0x%x) tells "
				 "of %llu",
				 file->name, file->size, SYSSIZE, (ull)wanted);
	kernel->payload_size = file->size - kernel->payload;
	kernel->preferred = vmm_file_u64(file, PREF_ADDRESS);
	kernel->init_size = vmm_file_u32(file, INIT_SIZE);
	kernel->alignment = vmm_file_u32(file, KERNEL_ALIGNMENT);
	kernel->initrd_max = vmm_file_u32(file, INITRD_ADDR_MAX);
	kernel->command_line_max = vmm_file_u32(file, CMDLINE_SIZE);
	kernel->relocatable = file->data[RELOCATABLE_KERNEL];
	if (kernel->init_size < kernel->payload_size)
		kernel->init_size = kernel->payload_size;
	if (kernel->alignment < VMM_PAGE || kernel->alignment > MAX_ALIGNMENT ||
	    (kernel->alignment & (kernel->alignment - 1)))
		return vsm_error(
			log, ENOEXEC,
			"%s: kernel_alignment 0x%x at 0x%x is no power of two from 4 KiB to "
			"1 GiB",
			file->name, kernel->alignment, KERNEL_ALIGNMENT);
	return 0;
}

/* Where it prefers to be; else, if it can be moved, the lowest place that has room. */
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
	}
	if (!error)
		error = vmm_put(places, *gpa, kernel->file->data + kernel->payload,
				kernel->payload_size);
	return error;
}

static int place_initrd(struct vmm_places *places, const struct vmm_boot_request *request,
			const struct kernel *kernel, uint8_t *zero_page)
{
	const struct vmm_file *file;
	uint64_t gpa;
	uint32_t value;
	int error;

	if (request->modules == 0)
		return 0;
	if (request->modules > 1)
		return vsm_error(places->log, EINVAL, "%s: Linux takes one initrd, not %u",
				 request->kernel.name, request->modules);
	file = &request->module[0].file;
	places->file = file->name;
	error = vmm_place_high(places, "the initrd", file->size, VMM_PAGE, VMM_EXTENDED,
			       kernel->initrd_max + 1ull, &gpa);
	if (!error)
		error = vmm_put(places, gpa, file->data, file->size);
	places->file = request->kernel.name;
	if (error)
		return error;
	value = (uint32_t)gpa;
	memcpy(zero_page + RAMDISK_IMAGE, &value, sizeof(value));
	value = (uint32_t)file->size;
	memcpy(zero_page + RAMDISK_SIZE, &value, sizeof(value));
	return 0;
}

static int place_command_line(struct vmm_places *places, const struct vmm_boot_request *request,
			      const struct kernel *kernel, uint8_t *zero_page)
{
	const char *line = request->command_line ? request->command_line : "";
	const uint64_t size = strlen(line) + 1;
	uint32_t value;
	uint64_t gpa;
	int error;

	if (size - 1 > kernel->command_line_max || size > VMM_COMMAND_LINE_MAX)
		return vsm_error(places->log, E2BIG,
				 "%s: the command line has %llu bytes and this kernel takes %u",
				 request->kernel.name, (ull)(size - 1), kernel->command_line_max);
	error = vmm_place_low(places, "the command line", size, 16, VMM_PAGE, VMM_BASE_END, &gpa);
	if (!error)
		error = vmm_put(places, gpa, line, size);
	value = (uint32_t)gpa;
	memcpy(zero_page + CMD_LINE_PTR, &value, sizeof(value));
	return error;
}

static void fill_map(const struct vmm_memory *memory, uint8_t *zero_page)
{
	struct vmm_range range[VMM_RANGES_MAX];
	const unsigned int count = vmm_memory_map(memory, range);
	uint8_t *entry = zero_page + E820_TABLE;

	zero_page[E820_ENTRIES] = (uint8_t)count;
	for (unsigned int i = 0; i < count; i++, entry += 20) {
		const uint32_t type = range[i].type;

		memcpy(entry, &range[i].base, 8);
		memcpy(entry + 8, &range[i].size, 8);
		memcpy(entry + 16, &type, 4);
	}
}

/* The zero page begins as the file's own header, as far as that says it reaches. */
static void fill_zero_page(const struct vmm_memory *memory, const struct vmm_boot_request *request,
			   uint64_t kernel_gpa, uint8_t *zero_page)
{
	const struct vmm_file *file = &request->kernel;
	const uint32_t code32 = (uint32_t)kernel_gpa;
	size_t end = HEADER + (size_t)file->data[HEADER_LENGTH];

	end = end < HEADER_END ? HEADER_END : end;
	end = end > E820_TABLE ? E820_TABLE : end;
	end = end > file->size ? file->size : end;
	memcpy(zero_page + SETUP_SECTS, file->data + SETUP_SECTS, end - SETUP_SECTS);
	zero_page[TYPE_OF_LOADER] = LOADER_UNASSIGNED;
	memset(zero_page + RAMDISK_IMAGE, 0, 8);
	memcpy(zero_page + CODE32_START, &code32, sizeof(code32));
	memcpy(zero_page + ACPI_RSDP_ADDR, &request->rsdp, sizeof(request->rsdp));
	fill_map(memory, zero_page);
}

int vmm_load_linux(const struct vmm_memory *memory, const struct vmm_boot_request *request,
		   const struct vsm_log *log, struct vmm_boot_state *state)
{
	uint64_t kernel_gpa, zero_gpa = 0, tables_gpa, gdt_gpa;
	uint8_t zero_page[VMM_PAGE] = {0};
	struct vmm_places places;
	struct kernel kernel = {0};
	int error;

	error = read_header(&kernel, &request->kernel, log);
	if (error)
		return error;
	vmm_places_init(&places, memory, request->kernel.name, log);
	error = place_kernel(&places, &kernel, &kernel_gpa);
	if (error)
		return error;
	fill_zero_page(memory, request, kernel_gpa, zero_page);
	error = place_command_line(&places, request, &kernel, zero_page);
	if (!error)
		error = place_initrd(&places, request, &kernel, zero_page);
	if (!error)
		error = vmm_place_low(&places, "the zero page", VMM_PAGE, VMM_PAGE, VMM_PAGE,
				      VMM_BASE_END, &zero_gpa);
	if (!error)
		error = vmm_put(&places, zero_gpa, zero_page, sizeof(zero_page));
	if (!error)
		error = vmm_put_tables(&places, &tables_gpa, &gdt_gpa);
	if (error)
		return error;
	vmm_boot_long_mode(state, kernel_gpa + ENTRY_64, tables_gpa, gdt_gpa);
	state->gpr[VMM_RSI] = zero_gpa;
	return 0;
}
