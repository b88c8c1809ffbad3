/* SPDX-License-Identifier: BSD-2-Clause */
/* Guest RAM in a buffer, a recorded log, and files that tests create byte by byte. */
#ifndef VSM_TESTS_LOAD_BENCH_H
#define VSM_TESTS_LOAD_BENCH_H

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "../unit_test.h"
#include "load/kind.h"
#include "load/load.h"

#define RAM_SIZE (48u << 20)

struct bench {
	struct vmm_memory memory;
	struct vmm_boot_request request;
	struct vmm_boot_state state;
	struct vsm_log log;
	unsigned int messages;
	char text[512];
	size_t ram_size;
	uint8_t *ram;
	uint8_t *file;
};

static inline int bench_write(void *opaque, uint64_t gpa, const void *data, size_t size)
{
	struct bench *bench = opaque;

	if (gpa > bench->ram_size || size > bench->ram_size - gpa)
		return -EFAULT;
	memcpy(bench->ram + gpa, data, size);
	return 0;
}

static inline void bench_log(void *opaque, const struct vsm_log_record *record)
{
	struct bench *bench = opaque;

	bench->messages++;
	snprintf(bench->text, sizeof(bench->text), "%s", record->text);
}

/* The kernel file is @size zero bytes. RAM is not zero, as after a reset. */
static inline void bench_start_with(struct bench *bench, size_t size, size_t ram_size)
{
	memset(bench, 0, sizeof(*bench));
	bench->ram_size = ram_size;
	bench->ram = malloc(ram_size);
	bench->file = calloc(1, size);
	assert_non_null(bench->ram);
	assert_non_null(bench->file);
	memset(bench->ram, 0xa5, ram_size);
	vmm_memory_split(&bench->memory, ram_size);
	bench->memory.write = bench_write;
	bench->memory.opaque = bench;
	bench->log = (struct vsm_log){bench_log, bench, VSM_LOG_DEBUG};
	bench->request.kernel = (struct vmm_file){"kernel", bench->file, size};
}

static inline void bench_start(struct bench *bench, size_t size)
{
	bench_start_with(bench, size, RAM_SIZE);
}

static inline void bench_stop(struct bench *bench)
{
	free(bench->ram);
	free(bench->file);
}

static inline int bench_load(struct bench *bench)
{
	bench->messages = 0;
	bench->text[0] = 0;
	return vmm_load(&bench->memory, &bench->request, &bench->log, &bench->state);
}

static inline int bench_read(struct bench *bench, struct vmm_file *file, const char *path,
			     uint64_t size)
{
	const struct vmm_file_limit limit = {size, "that fit", vmm_kind, true};

	return vmm_file_read(file, path, &limit, &bench->log);
}

static inline void expect_refusal(struct bench *bench, int error, const char *words)
{
	assert_int_equal(bench_load(bench), -error);
	assert_int_equal(bench->messages, 1);
	if (!strstr(bench->text, words) || !strstr(bench->text, "kernel"))
		fail_msg("\"%s\" does not contain \"%s\"", bench->text, words);
}

static inline int bench_discard(void *opaque, uint64_t gpa, const void *data, size_t size)
{
	return 0;
}

/* The file loads with as much memory as the last message recommends, and not with 2 MiB less. */
static inline void expect_memory_to_help(struct bench *bench)
{
	const char *advice = strstr(bench->text, "give it ");
	unsigned long mib;

	assert_non_null(advice);
	mib = strtoul(advice + strlen("give it "), NULL, 10);
	assert_true(mib > 0 && mib % 2 == 0);
	bench->memory.write = bench_discard;
	vmm_memory_split(&bench->memory, ((uint64_t)mib - 2) << 20);
	assert_int_equal(bench_load(bench), -E2BIG);
	vmm_memory_split(&bench->memory, (uint64_t)mib << 20);
	if (bench_load(bench))
		fail_msg("with %lu MiB: %s", mib, bench->text);
}

static inline void put(struct bench *bench, size_t offset, uint64_t value, size_t bytes)
{
	memcpy(bench->file + offset, &value, bytes);
}

struct bad_field {
	size_t offset;
	uint64_t value;
	size_t bytes;
	const char *words;
};

static inline void expect_bad_fields(void (*start)(struct bench *bench),
				     const struct bad_field *field, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		struct bench bench;

		start(&bench);
		put(&bench, field[i].offset, field[i].value, field[i].bytes);
		expect_refusal(&bench, ENOEXEC, field[i].words);
		bench_stop(&bench);
	}
}

static inline uint32_t ram32(const struct bench *bench, uint64_t gpa)
{
	uint32_t value;

	assert_true(gpa + sizeof(value) <= bench->ram_size);
	memcpy(&value, bench->ram + gpa, sizeof(value));
	return value;
}

static inline uint64_t ram64(const struct bench *bench, uint64_t gpa)
{
	return ram32(bench, gpa) | (uint64_t)ram32(bench, gpa + 4) << 32;
}

static inline const char *ram_string(const struct bench *bench, uint64_t gpa)
{
	assert_true(gpa < bench->ram_size);
	assert_non_null(memchr(bench->ram + gpa, 0, bench->ram_size - gpa));
	return (const char *)bench->ram + gpa;
}

/* Walks the boot page tables by hand: 4 levels, 2 MiB pages [SDM volume 3, "4-Level Paging"]. */
static inline uint64_t bench_translate(const struct bench *bench, uint64_t gva)
{
	uint64_t table = bench->state.cr3;

	for (int shift = 39; shift >= 21; shift -= 9) {
		const uint64_t entry = ram64(bench, table + (gva >> shift & 511) * 8);

		assert_int_equal(entry & 3, 3);
		if (entry & 0x80)
			return (entry & ~0x1fffffull) | (gva & 0x1fffff);
		table = entry & ~0xfffull;
	}
	fail_msg("no large page");
	return 0;
}

/* The state that each loader of 64-bit code sets: 64-bit mode, with page tables in RAM. */
static inline void expect_long_mode(const struct bench *bench)
{
	const struct vmm_boot_state *state = &bench->state;

	assert_int_equal(state->cr0 & 0x80000001, 0x80000001);
	assert_int_equal(state->cr4, 0x20);
	assert_int_equal(state->efer, 0x500);
	assert_int_equal(state->rflags, 2);
	assert_int_equal(state->cs.attributes, 0xa09b);
	assert_int_equal(state->data.attributes, 0xc093);
	assert_int_equal(bench_translate(bench, 0), 0);
	assert_int_equal(bench_translate(bench, state->rip), state->rip);
	assert_int_equal(bench_translate(bench, 0xfee00123), 0xfee00123);
	/* The descriptors in memory have the attributes of the loaded segments. */
	assert_int_equal(ram64(bench, state->gdtr.base + state->cs.selector) >> 40 & 0xf0ff,
			 state->cs.attributes);
	assert_int_equal(ram64(bench, state->gdtr.base + state->data.selector) >> 40 & 0xf0ff,
			 state->data.attributes);
}

struct elf_segment {
	uint32_t type;
	uint64_t offset, virtual_address, physical, in_file, in_memory;
};

static inline void put_elf64(struct bench *bench, uint64_t entry, const struct elf_segment *segment,
			     unsigned int count)
{
	memcpy(bench->file, "\177ELF\2\1\1", 7);
	put(bench, 16, 2, 2);	  /* ET_EXEC */
	put(bench, 18, 62, 2);	  /* EM_X86_64 */
	put(bench, 24, entry, 8); /* e_entry */
	put(bench, 32, 64, 8);	  /* e_phoff */
	put(bench, 54, 56, 2);	  /* e_phentsize */
	put(bench, 56, count, 2); /* e_phnum */
	for (unsigned int i = 0; i < count; i++) {
		const size_t at = 64 + 56 * (size_t)i;

		put(bench, at, segment[i].type, 4);
		put(bench, at + 8, segment[i].offset, 8);
		put(bench, at + 16, segment[i].virtual_address, 8);
		put(bench, at + 24, segment[i].physical, 8);
		put(bench, at + 32, segment[i].in_file, 8);
		put(bench, at + 40, segment[i].in_memory, 8);
	}
}

static inline void put_elf32(struct bench *bench, uint32_t entry, const struct elf_segment *segment,
			     unsigned int count)
{
	memcpy(bench->file, "\177ELF\1\1\1", 7);
	put(bench, 16, 2, 2);	  /* ET_EXEC */
	put(bench, 18, 3, 2);	  /* EM_386 */
	put(bench, 24, entry, 4); /* e_entry */
	put(bench, 28, 52, 4);	  /* e_phoff */
	put(bench, 42, 32, 2);	  /* e_phentsize */
	put(bench, 44, count, 2); /* e_phnum */
	for (unsigned int i = 0; i < count; i++) {
		const size_t at = 52 + 32 * (size_t)i;

		put(bench, at, segment[i].type, 4);
		put(bench, at + 4, segment[i].offset, 4);
		put(bench, at + 8, segment[i].virtual_address, 4);
		put(bench, at + 12, segment[i].physical, 4);
		put(bench, at + 16, segment[i].in_file, 4);
		put(bench, at + 20, segment[i].in_memory, 4);
	}
}

#endif
