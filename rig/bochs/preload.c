/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Preloaded into Debian's package of Bochs. Uses only symbols that bochs-bin exports, and corrects:
 *
 * 1. At a VM entry Bochs selects pending events before it loads the guest state, so an external
 *    interrupt never exits from a guest that is entered with IF=0. This object selects the events
 *    again after the entry.
 * 2. The display "term" calls select() to sleep for a millisecond each time that the CPU is idle.
 *    This object's select() does not sleep.
 */
#include <elf.h>
#include <link.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/select.h>
#include <sys/syscall.h>
#include <unistd.h>

/* bochs 3.0+dfsg-1; the linker computes the build ID from the whole program. */
static const uint8_t build_id[] = {0xf9, 0xc8, 0x0e, 0xcb, 0x17, 0x2a, 0x80, 0x5a, 0xce, 0xe2,
				   0xc7, 0xc2, 0xd7, 0x77, 0x2a, 0x1f, 0x38, 0xb7, 0x03, 0x96};

enum {
	ENTRIES =
		2, /* rows of VMLAUNCH and VMRESUME in the table of instructions, which have the same function */
	IDLE_MICROSECONDS = 1000,
};

void bochs_vm_entry(void *cpu,
		    void *instruction) __asm__("_ZN8BX_CPU_C8VMLAUNCHEP15bxInstruction_c")
	__attribute__((weak));
void bochs_events_changed(void *cpu) __asm__("_ZN8BX_CPU_C25handleInterruptMaskChangeEv")
	__attribute__((weak));

struct program {
	bool known;
	unsigned int entries;
};

static void vm_entry(void *cpu, void *instruction)
{
	bochs_vm_entry(cpu, instruction);
	bochs_events_changed(cpu);
}

static bool is_known(uintptr_t notes, size_t size)
{
	while (size >= sizeof(ElfW(Nhdr))) {
		const ElfW(Nhdr) *note = (const ElfW(Nhdr) *)notes;
		size_t name = (note->n_namesz + 3) & ~3u,
		       whole = sizeof(*note) + name + ((note->n_descsz + 3) & ~3u);

		if (note->n_type == NT_GNU_BUILD_ID && note->n_descsz == sizeof(build_id))
			return !memcmp((const char *)(note + 1) + name, build_id, sizeof(build_id));
		if (whole > size)
			return false;
		notes += whole;
		size -= whole;
	}
	return false;
}

static unsigned int replace_entries(uintptr_t address, size_t size)
{
	unsigned int count = 0;

	for (uintptr_t *word = (uintptr_t *)address, *end = word + size / sizeof(*word); word < end;
	     word++)
		if (*word == (uintptr_t)bochs_vm_entry) {
			*word = (uintptr_t)vm_entry;
			count++;
		}
	return count;
}

static int look_at_program(struct dl_phdr_info *object, size_t size, void *data)
{
	struct program *program = data;

	(void)size;
	for (int i = 0; i < object->dlpi_phnum; i++) {
		const ElfW(Phdr) *part = &object->dlpi_phdr[i];

		if (part->p_type == PT_NOTE &&
		    is_known(object->dlpi_addr + part->p_vaddr, part->p_filesz))
			program->known = true;
	}
	for (int i = 0;
	     program->known && bochs_vm_entry && bochs_events_changed && i < object->dlpi_phnum;
	     i++) {
		const ElfW(Phdr) *part = &object->dlpi_phdr[i];

		if (part->p_type == PT_LOAD && part->p_flags & PF_W)
			program->entries +=
				replace_entries(object->dlpi_addr + part->p_vaddr, part->p_filesz);
	}
	return 1; /* the first object is the program itself */
}

__attribute__((constructor)) static void start(void)
{
	struct program program = {0};

	dl_iterate_phdr(look_at_program, &program);
	if (program.known && program.entries == ENTRIES)
		return;
	fprintf(stderr, "%s\n",
		program.known ? "this Bochs has an unknown table of instructions"
			      : "this build of Bochs is not supported by the rig");
	_exit(1);
}

int select(int count, fd_set *readable, fd_set *writable, fd_set *other, struct timeval *time)
{
	if (count == 1 && time && !time->tv_sec && time->tv_usec == IDLE_MICROSECONDS)
		time->tv_usec = 0;
	return (int)syscall(SYS_select, count, readable, writable, other, time);
}
