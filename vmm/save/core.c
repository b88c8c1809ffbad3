/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * An ELF core file: guest RAM by GPA, and each enabled VTL of each VP as a thread, the active one
 * first.
 */
#include <elf.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/procfs.h>
#include <unistd.h>

#include "array.h"
#include "file/replace.h"
#include "guest/guest.h"
#include "guest/registers.h"
#include "save/save.h"

#define NOTE_NAME "CORE"
#define ALIGN	  4096u

/* ELF, "Note Section". */
struct note {
	Elf64_Nhdr header;
	char name[8];
	struct elf_prstatus status;
} __attribute__((packed));

_Static_assert(sizeof(struct note) % 4 == 0, "notes are aligned to 4");

/*
 * The fields of struct user_regs_struct, in its order: register, offset and size in union
 * hv_register_value.
 */
static const struct {
	uint32_t name;
	uint8_t offset;
	uint8_t size;
} slots[] = {
	{HV_X64_REGISTER_R15, 0, 8}, {HV_X64_REGISTER_R14, 0, 8}, {HV_X64_REGISTER_R13, 0, 8},
	{HV_X64_REGISTER_R12, 0, 8}, {HV_X64_REGISTER_RBP, 0, 8}, {HV_X64_REGISTER_RBX, 0, 8},
	{HV_X64_REGISTER_R11, 0, 8}, {HV_X64_REGISTER_R10, 0, 8}, {HV_X64_REGISTER_R9, 0, 8},
	{HV_X64_REGISTER_R8, 0, 8},  {HV_X64_REGISTER_RAX, 0, 8}, {HV_X64_REGISTER_RCX, 0, 8},
	{HV_X64_REGISTER_RDX, 0, 8}, {HV_X64_REGISTER_RSI, 0, 8}, {HV_X64_REGISTER_RDI, 0, 8},
	{HV_X64_REGISTER_RAX, 0, 8}, /* orig_rax */
	{HV_X64_REGISTER_RIP, 0, 8}, {HV_X64_REGISTER_CS, 12, 2}, {HV_X64_REGISTER_RFLAGS, 0, 8},
	{HV_X64_REGISTER_RSP, 0, 8}, {HV_X64_REGISTER_SS, 12, 2}, {HV_X64_REGISTER_FS, 0, 8},
	{HV_X64_REGISTER_GS, 0, 8},  {HV_X64_REGISTER_DS, 12, 2}, {HV_X64_REGISTER_ES, 12, 2},
	{HV_X64_REGISTER_FS, 12, 2}, {HV_X64_REGISTER_GS, 12, 2},
};

_Static_assert(ARRAY_SIZE(slots) == ELF_NGREG, "a row for each field");

struct core {
	struct vmm_guest *guest;
	struct note *note;
	size_t notes;
	int fd;
	int error; /* first error, -errno */
};

static void add_note(struct core *core, uint32_t vp, uint8_t vtl)
{
	union hv_register_value value[ARRAY_SIZE(slots)] = {0};
	uint32_t name[ARRAY_SIZE(slots)];
	struct elf_prstatus status = {0};

	for (size_t i = 0; i < ARRAY_SIZE(slots); i++)
		name[i] = slots[i].name;
	if (vsm_vp_get_registers(core->guest->processor[vp].vp, vtl, name, value,
				 ARRAY_SIZE(slots)) != (int)ARRAY_SIZE(slots)) {
		core->error = -EIO;
		return;
	}
	/* The thread ids are those of the GDB stub. */
	status.pr_pid = (pid_t)(vp * VSM_VTL_MAX + vtl + 1);
	for (size_t i = 0; i < ARRAY_SIZE(slots); i++)
		memcpy(&status.pr_reg[i], value[i].bytes + slots[i].offset, slots[i].size);
	core->note[core->notes] = (struct note){
		.header = {sizeof(NOTE_NAME), sizeof(status), NT_PRSTATUS},
		.name = NOTE_NAME,
		.status = status,
	};
	core->notes++;
}

static void add_notes(struct core *core)
{
	for (uint32_t vp = 0; vp < core->guest->config->cpus && !core->error; vp++) {
		const struct vmm_vtls vtls = vmm_read_vtls(core->guest->processor[vp].vp);

		add_note(core, vp, vtls.active);
		for (uint8_t vtl = 0; vtl < core->guest->config->vtls && !core->error; vtl++)
			if ((vtls.enabled >> vtl & 1) && vtl != vtls.active)
				add_note(core, vp, vtl);
	}
}

static void write_at(struct core *core, const void *data, uint64_t size, uint64_t offset)
{
	const uint8_t *next = data;

	while (size && !core->error) {
		const ssize_t done = pwrite(core->fd, next, size, (off_t)offset);

		if (done < 0 && errno != EINTR)
			core->error = -errno;
		if (done <= 0)
			continue;
		next += done;
		offset += (uint64_t)done;
		size -= (uint64_t)done;
	}
}

/* Pages that were never written stay holes of the file. */
static void write_region(struct core *core, const struct vmm_region *region, uint64_t offset)
{
	off_t begin, end = 0;

	while (!core->error && (begin = lseek(region->fd, end, SEEK_DATA)) >= 0 &&
	       (uint64_t)begin < region->size) {
		end = lseek(region->fd, begin, SEEK_HOLE);
		if (end < 0 || (uint64_t)end > region->size)
			end = (off_t)region->size;
		write_at(core, region->host + begin, (uint64_t)(end - begin),
			 offset + (uint64_t)begin);
	}
}

static void write_all(struct core *core)
{
	Elf64_Ehdr header = {
		.e_ident = {ELFMAG0, ELFMAG1, ELFMAG2, ELFMAG3, ELFCLASS64, ELFDATA2LSB,
			    EV_CURRENT},
		.e_type = ET_CORE,
		.e_machine = EM_X86_64,
		.e_version = EV_CURRENT,
		.e_phoff = sizeof(header),
		.e_ehsize = sizeof(header),
		.e_phentsize = sizeof(Elf64_Phdr),
		.e_phnum = 1,
	};
	Elf64_Phdr part[1 + VMM_REGIONS] = {{
		.p_type = PT_NOTE,
		.p_offset = sizeof(header) + sizeof(part),
		.p_filesz = core->notes * sizeof(*core->note),
	}};
	uint64_t offset = (part[0].p_offset + part[0].p_filesz + ALIGN - 1) / ALIGN * ALIGN;

	for (size_t i = 0; i < VMM_REGIONS; i++) {
		const struct vmm_region *region = &core->guest->region[i];

		if (!region->size)
			continue;
		part[header.e_phnum++] = (Elf64_Phdr){
			.p_type = PT_LOAD,
			.p_flags = PF_R | PF_W | PF_X,
			.p_offset = offset,
			.p_vaddr = region->gpa,
			.p_paddr = region->gpa,
			.p_filesz = region->size,
			.p_memsz = region->size,
			.p_align = ALIGN,
		};
		write_region(core, region, offset);
		offset += region->size;
	}
	write_at(core, &header, sizeof(header), 0);
	write_at(core, part, sizeof(part), sizeof(header));
	write_at(core, core->note, part[0].p_filesz, part[0].p_offset);
	if (!core->error && ftruncate(core->fd, (off_t)offset))
		core->error = -errno;
}

static void write_file(struct core *core, const char *path)
{
	char *temporary = NULL;

	core->error = vmm_replace_check(path);
	if (core->error)
		return;
	core->fd = vmm_replace_create(path, &temporary);
	if (core->fd < 0) {
		core->error = core->fd;
		return;
	}
	write_all(core);
	close(core->fd);
	if (!core->error)
		core->error = vmm_replace(temporary, path);
	if (core->error)
		unlink(temporary);
	free(temporary);
}

int vmm_core(struct vmm_guest *guest, const char *path, char message[256])
{
	struct core core = {.guest = guest};

	core.note = calloc((size_t)guest->config->cpus * guest->config->vtls, sizeof(*core.note));
	if (!core.note)
		core.error = -ENOMEM;
	else
		add_notes(&core);
	if (!core.error)
		write_file(&core, path);
	if (core.error)
		vmm_save_error(guest->config, path, core.error, message);
	free(core.note);
	return core.error;
}
