/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Configuration of `vsm run`: options of the command line, or the same names in a file
 * (man/vsm.conf.5).
 */
#ifndef VMM_CONFIG_CONFIG_H
#define VMM_CONFIG_CONFIG_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <vsm/log.h>

#define VMM_INITRDS_MAX	    16u
#define VMM_PROCESSORS_MAX  2048u
#define VMM_VTLS_MAX	    16u
#define VMM_MEMORY_DEFAULT  (512ull << 20)
#define VMM_MEMORY_SMALLEST (4ull << 20)
#define VMM_MEMORY_LARGEST  (4ull << 40)

enum vmm_serial_kind {
	VMM_SERIAL_STDIO,
	VMM_SERIAL_FILE,
	VMM_SERIAL_PTY
};

enum vmm_sandbox_mode {
	VMM_SANDBOX_DEFAULT, /* all parts that this host and this build support */
	VMM_SANDBOX_ON,	     /* all parts; otherwise the machine does not start */
	VMM_SANDBOX_LOG,     /* the kernel logs system calls instead of refusing them */
	VMM_SANDBOX_OFF,
};

struct vmm_config {
	char *kernel;
	/* "FILE" or, for multiboot modules, "FILE ARGUMENTS" */
	char *initrd[VMM_INITRDS_MAX];
	unsigned int initrds;
	char *append;	   /* NULL: no command line */
	uint32_t cpus;	   /* 1 to VMM_PROCESSORS_MAX; default 1 */
	uint64_t memory;   /* bytes, a multiple of 2 MiB; default VMM_MEMORY_DEFAULT */
	uint32_t vtls;	   /* VTL0 included: 1 to 16; default 3 */
	uint32_t boot_vtl; /* below vtls */
	enum vmm_serial_kind serial;
	char *serial_file; /* for VMM_SERIAL_FILE */
	char *trace;	   /* NULL: no trace */
	char *control;	   /* path of the control socket; NULL: none */
	char *gdb;	   /* path or ":PORT" of the GDB stub; NULL: none */
	char *restore;	   /* saved machine to restore; NULL: boot the kernel */
	bool paused;	   /* VPs wait for a debugger, or for `resume` on the control socket */
	bool testdev;
	char *engine; /* "auto", "uffd", "nested" or "attr" */
	enum vmm_sandbox_mode sandbox;
	char *user; /* NULL: the user that started the process */
	enum vsm_log_level log_level;
	char *log_file; /* NULL: stderr */
	char *save_dir; /* for files of `save`; NULL: the folder of the control socket */
	char *file;	/* file of further options; NULL: none */
	bool check;	/* check the configuration and its files; start nothing */
};

/*
 * Reads the command line after "run". Returns 0, or with one line in the log -EINVAL, -ENOMEM, or
 * the error of reading a --config file. Call vmm_config_free() in every case.
 */
int vmm_config_parse(struct vmm_config *config, int argc, const char *const *argv,
		     const struct vsm_log *log);

void vmm_config_free(struct vmm_config *config);

void vmm_config_help(FILE *out);

/* Parses "64M", "2G", "0x10000"; K, M, G and T are powers of 1024. False if malformed. */
bool vmm_parse_size(const char *text, uint64_t *bytes);

#endif
