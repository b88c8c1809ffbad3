/* SPDX-License-Identifier: BSD-2-Clause */
/* The self-test of engine nested: a small guest that runs when a partition is created. */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <vsm/vsm.h>

#include "core/memory/map_file.h"
#include "core/x64.h"
#include "kvm/kvm.h"
#include "kvm/engine/nested.h"

enum {
	RAM = 4 << 20,
	CODE = 0x1000,	 /* stores, calls NEXT, exits by port I/O */
	NEXT = 0x2000,	 /* another page of code */
	DATA = 0x3000,	 /* the guest stores to it */
	BLOCK = 2 << 20, /* a large page that the guest stores to */
	PORT = 0x80,
};

/* 16-bit code; ES is at BLOCK. */
static const uint8_t code[] = {
	0xa2, 0x00, 0x30,		    /* mov [0x3000], al */
	0x26, 0xa2, 0x00, 0x00,		    /* mov es:[0], al */
	0xe8, 0xf6, 0x0f,		    /* call 0x2000 */
	0xe6, PORT,			    /* out */
	0x66, 0xb9, 0x80, 0x00, 0x00, 0xc0, /* mov ecx, 0xc0000080 */
	0x0f, 0x30,			    /* wrmsr */
	0xe6, PORT,			    /* out */
};
static const uint8_t next[] = {0xc3}; /* ret */

struct trial {
	const struct vsm_log *log;
	const struct backend_ops *ops;
	void *backend;
	void *vp;
	struct vcpu_state *state;
	struct backend_file ram;
	struct backend_run run;
};

static int rights(const struct trial *trial, uint64_t gpa, uint64_t pages, uint8_t access)
{
	const struct gpa_range range = {.gpn = gpa / VKVM_PAGE_SIZE, .pages = pages};

	return trial->ops->protect(trial->backend, 0, &range, 1, access);
}

/* Runs the code from its beginning until it exits. */
static int run(struct trial *trial)
{
	struct vcpu_state *state = trial->state;
	int error = trial->ops->vp_load(trial->vp, 0, VCPU_ALL & ~state->valid);

	if (error)
		return error;
	state->cr0 = X64_CR0_ET;
	state->rflags = X64_RFLAGS_FIXED;
	state->rip = CODE;
	state->gpr[GPR_RSP] = 0x1000;
	state->segment[SEGMENT_CS].base = 0;
	state->segment[SEGMENT_CS].selector = 0;
	state->segment[SEGMENT_ES].base = BLOCK;
	state->events = (struct vcpu_events){0};
	state->dirty |= VCPU_GPR | VCPU_SYSTEM | VCPU_EVENTS;
	for (unsigned int i = 0; i < 100; i++) {
		trial->run = (struct backend_run){.inject = -1, .deadline = UINT64_MAX};
		error = trial->ops->vp_run(trial->vp, &trial->run);
		if (error || trial->run.exit != BACKEND_EXIT_INTERRUPTED)
			return error;
	}
	return -EIO;
}

static bool reaches_port(struct trial *trial)
{
	bool reached = !run(trial) && trial->run.exit == BACKEND_EXIT_IO;

	if (reached)
		trial->ops->vp_answer(trial->vp, &trial->run, BACKEND_DONE);
	return reached;
}

static bool is_stopped(struct trial *trial, uint64_t gpa, uint8_t access)
{
	if (run(trial))
		return false;
	if (trial->run.exit == BACKEND_EXIT_IO)
		trial->ops->vp_answer(trial->vp, &trial->run, BACKEND_DONE);
	return trial->run.exit == BACKEND_EXIT_MEMORY &&
	       trial->run.memory.gpa / VKVM_PAGE_SIZE == gpa / VKVM_PAGE_SIZE &&
	       trial->run.memory.access & access;
}

/* Each line denies rights of pages, expects an exit for them, and grants them again. */
static const struct {
	const char *what;
	uint64_t gpa;
	uint64_t pages;
	uint8_t denied;
	uint64_t stops; /* in the page of the expected exit */
	uint8_t access; /* of the expected exit */
} lines[] = {
	{"a store to a page that may not be written", DATA, 1, GPA_WRITE, DATA, GPA_WRITE},
	{"an access to a page without rights", DATA, 1, GPA_ALL, DATA, GPA_WRITE},
	{"the execution of a page that may be written", NEXT, 1, GPA_EXECUTE, NEXT, GPA_EXECUTE},
	{"a store to a large page", BLOCK, VKVM_BLOCK_PAGES, GPA_WRITE, BLOCK, GPA_WRITE},
	{"a store to a page of a split large page", BLOCK, 1, GPA_WRITE, BLOCK, GPA_WRITE},
	{"a store to a large page that was in parts", BLOCK, VKVM_BLOCK_PAGES, GPA_WRITE, BLOCK,
	 GPA_WRITE},
};

/* Names of the lines that failed. The next line is tried, too, as they fail independently. */
struct failures {
	char text[400];
	size_t length;
};

static void failed(struct failures *failures, const char *what)
{
	const size_t left = sizeof(failures->text) - failures->length;
	const int length = snprintf(failures->text + failures->length, left, "%s%s",
				    failures->length ? "; " : "", what);

	if (length > 0)
		failures->length += (size_t)length < left ? (size_t)length : left - 1;
}

static void try_all(struct trial *trial, struct failures *failures)
{
	if (!reaches_port(trial)) {
		failed(failures, "a guest's first instructions");
		return;
	}
	for (size_t i = 0; i < ARRAY_SIZE(lines); i++) {
		const bool stopped =
			!rights(trial, lines[i].gpa, lines[i].pages, GPA_ALL & ~lines[i].denied) &&
			is_stopped(trial, lines[i].stops, lines[i].access);
		const bool granted = !rights(trial, lines[i].gpa, lines[i].pages, GPA_ALL) &&
				     reaches_port(trial);

		if (!stopped || !granted)
			failed(failures, lines[i].what);
		else
			vsm_log(trial->log, VSM_LOG_DEBUG, "engine nested: self-test: KVM stops %s",
				lines[i].what);
		/* Without a running guest all other lines fail, too. */
		if (!granted)
			return;
	}
	/* The guest continues after the OUT, up to WRMSR. */
	trial->run = (struct backend_run){.inject = -1, .deadline = UINT64_MAX};
	if (trial->ops->vp_run(trial->vp, &trial->run) ||
	    trial->run.exit != BACKEND_EXIT_MSR_WRITE || trial->run.msr.index != X64_MSR_EFER)
		failed(failures, "a write of EFER");
	else
		trial->ops->vp_answer(trial->vp, &trial->run, BACKEND_RETRY);
}

static int add_ram(struct trial *trial)
{
	struct backend_file *ram = &trial->ram;
	const struct backend_memory map = {.pages = RAM / VKVM_PAGE_SIZE, .file = ram};

	ram->pages = RAM / VKVM_PAGE_SIZE;
	ram->fd = memfd_create("vsm-selftest", MFD_CLOEXEC);
	if (ram->fd < 0 || ftruncate(ram->fd, RAM))
		return -ENOMEM;
	ram->host = map_file(ram->fd, 0, RAM, 0);
	return ram->host ? trial->ops->memory_set(trial->backend, &map, 1, NULL, 0) : -ENOMEM;
}

int nested_selftest(const struct vkvm_backend *backend, bool quiet)
{
	const struct vkvm_options options = {.engine = VSM_ENGINE_NESTED, .no_selftest = true};
	const struct backend_config config = {
		.log = backend->log, .vp_count = 1, .vtl_count = 1, .options = &options};
	struct backend_features features;
	struct trial trial = {.log = backend->log, .ops = backend->ops, .ram.fd = -1};
	struct failures failures = {.length = 0};
	char why[512];
	int error = trial.ops->create(&config, &trial.backend, &features);

	if (error)
		return error;
	error = add_ram(&trial);
	if (!error)
		error = trial.ops->vp_create(trial.backend, 0, 0, NULL, 0, &trial.vp, &trial.state);
	if (!error) {
		memcpy(trial.ram.host + CODE, code, sizeof(code));
		memcpy(trial.ram.host + NEXT, next, sizeof(next));
		try_all(&trial, &failures);
	}
	if (trial.vp)
		trial.ops->vp_destroy(trial.vp);
	trial.ops->destroy(trial.backend);
	if (trial.ram.host)
		munmap(trial.ram.host, RAM);
	if (trial.ram.fd >= 0)
		close(trial.ram.fd);
	if (!failures.length)
		return error;
	snprintf(why, sizeof(why),
		 "engine nested: this kernel's nested virtualization does not stop %s",
		 failures.text);
	if (!quiet)
		return vsm_error(backend->log, ENOTSUP, "%s", why);
	vsm_log(backend->log, VSM_LOG_INFO, "%s", why);
	return -ENOTSUP;
}
