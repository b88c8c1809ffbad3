/* SPDX-License-Identifier: BSD-2-Clause */
/* Root in VTL0 accesses any GPA by DMA of devices of a PC. Prints the result of a command as one line. */
#include <elf.h>
#include <endian.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "device.h"

#ifndef MAP_HUGE_2MB
#define MAP_HUGE_2MB (21 << 26)
#endif

_Noreturn void die(const char *what)
{
	perror(what);
	exit(1);
}

struct area make_area(void)
{
	struct area area;
	uint64_t entry = 0;
	int fd = open("/proc/self/pagemap", O_RDONLY | O_CLOEXEC);

	area.at = mmap(NULL, HUGE_PAGE, PROT_READ | PROT_WRITE,
		       MAP_PRIVATE | MAP_ANONYMOUS | MAP_HUGETLB | MAP_HUGE_2MB | MAP_POPULATE, -1,
		       0);
	if (area.at == MAP_FAILED)
		die("huge page");
	if (fd < 0 ||
	    pread(fd, &entry, 8, (off_t)((uintptr_t)area.at / PAGE * 8)) != (ssize_t)sizeof(entry))
		die("pagemap");
	close(fd);
	area.gpa = (entry & ((UINT64_C(1) << 55) - 1)) * PAGE;
	return area;
}

static int ports;

void out(unsigned int size, uint32_t value, uint16_t port)
{
	if (pwrite(ports, &value, size, port) != (ssize_t)size)
		die("port");
}

uint32_t in(unsigned int size, uint16_t port)
{
	uint32_t value = 0;

	if (pread(ports, &value, size, port) != (ssize_t)size)
		die("port");
	return value;
}

static void show(const uint8_t *bytes)
{
	for (unsigned int i = 0; i < 16; i++)
		printf("%02x", bytes[i]);
	printf("\n");
}

static uint64_t number(const char *text)
{
	return strtoull(text, NULL, 0);
}

struct fw_cfg_access {
	uint32_t control;
	uint32_t length;
	uint64_t address;
};

static void fw_cfg(char **words)
{
	struct area area = make_area();
	volatile struct fw_cfg_access *access = (void *)area.at;

	access->control = htobe32(0x08 | 0x02); /* select the signature, read */
	access->length = htobe32(4);
	access->address = htobe64(number(words[0]));
	__sync_synchronize();
	out(4, htobe32((uint32_t)(area.gpa >> 32)), 0x514);
	out(4, htobe32((uint32_t)area.gpa), 0x518);
	printf("%s\n", be32toh(access->control) ? "error" : "done");
}

static void say(uint8_t status)
{
	if (status)
		printf("error %u\n", status);
	else
		printf("done\n");
}

static const struct disk {
	const char *name;
	uint8_t (*transfer)(struct area *area, bool to_disk, uint64_t page, uint64_t gpa);
} disks[] = {
	{"virtio", virtio_transfer},
	{"ahci", ahci_transfer},
};

static const struct disk *find(const char *name)
{
	for (size_t i = 0; i < sizeof(disks) / sizeof(disks[0]); i++)
		if (!strcmp(name, disks[i].name))
			return &disks[i];
	fprintf(stderr, "no such disk\n");
	exit(1);
}

static void disk_read(char **words)
{
	struct area area = make_area();

	say(find(words[0])->transfer(&area, false, number(words[1]), number(words[2])));
}

static void disk_write(char **words)
{
	struct area area = make_area();

	say(find(words[0])->transfer(&area, true, number(words[1]), number(words[2])));
}

static void disk_show(char **words)
{
	struct area area = make_area();
	uint8_t status =
		find(words[0])->transfer(&area, false, number(words[1]), area.gpa + 0x102000);

	if (status)
		say(status);
	else
		show(area.at + 0x102000);
}

static void disk_answer(char **words)
{
	struct area area = make_area();

	say(ahci_answer(&area, number(words[0])));
}

static void view(char **words)
{
	const uint64_t address = number(words[0]);
	int fd = open("/proc/kcore", O_RDONLY | O_CLOEXEC);
	Elf64_Ehdr header;
	Elf64_Phdr segment;
	uint8_t bytes[16];

	if (fd < 0 || read(fd, &header, sizeof(header)) != (ssize_t)sizeof(header))
		die("kcore");
	for (unsigned int i = 0; i < header.e_phnum; i++) {
		if (pread(fd, &segment, sizeof(segment),
			  (off_t)(header.e_phoff + i * sizeof(segment))) !=
		    (ssize_t)sizeof(segment))
			die("kcore");
		if (segment.p_type != PT_LOAD || address - segment.p_vaddr >= segment.p_memsz)
			continue;
		if (pread(fd, bytes, sizeof(bytes),
			  (off_t)(segment.p_offset + (address - segment.p_vaddr))) !=
		    (ssize_t)sizeof(bytes))
			die("kcore");
		show(bytes);
		close(fd);
		return;
	}
	fprintf(stderr, "no such address\n");
	exit(1);
}

static const struct {
	const char *name;
	int words;
	void (*function)(char **words);
	const char *usage;
} commands[] = {
	{"fw-cfg", 1, fw_cfg, "GPA"},
	{"disk-read", 3, disk_read, "DISK PAGE GPA"},
	{"disk-write", 3, disk_write, "DISK PAGE GPA"},
	{"disk-show", 2, disk_show, "DISK PAGE"},
	{"disk-answer", 1, disk_answer, "GPA"},
	{"view", 1, view, "ADDRESS"},
};

int main(int argc, char **argv)
{
	ports = open("/dev/ports", O_RDWR | O_CLOEXEC);
	if (ports < 0)
		die("ports");
	for (size_t i = 0; i < sizeof(commands) / sizeof(commands[0]) && argc > 1; i++) {
		if (strcmp(argv[1], commands[i].name) != 0 || argc - 2 < commands[i].words)
			continue;
		commands[i].function(argv + 2);
		return 0;
	}
	for (size_t i = 0; i < sizeof(commands) / sizeof(commands[0]); i++)
		fprintf(stderr, "usage: device %s %s\n", commands[i].name, commands[i].usage);
	return 2;
}
