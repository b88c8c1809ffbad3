/* SPDX-License-Identifier: BSD-2-Clause */
/* The features of the host's KVM. */
#ifndef VKVM_HOST_H
#define VKVM_HOST_H

#include <stdbool.h>
#include <stdint.h>

struct vkvm_backend;

struct capability {
	uint32_t xsave_size; /* bytes of KVM's XSAVE area */
	uint32_t memslots;
	uint32_t quirks;    /* that can be disabled */
	bool xen_hypercall; /* VMCALL and VMMCALL can be forwarded */
	bool huge_pages;
	bool count_exits;     /* each exit that KVM counts belongs to one instruction */
	uint32_t write_exits; /* registers whose writes can exit, as KVM_CAP_WRITE_EXITS; 0: none */
};

/* ioctl(), restarted after a signal. Returns the result, or -errno. */
int vkvm_ioctl(int fd, unsigned long request, void *argument);

/* Whether INT3 exits (a small guest tests it). 0; -ENOTSUP: no; other errors. Any thread. */
int breakpoint_check(struct vkvm_backend *backend);

/* Finds the features of the host. -errno, logged, if it cannot run any partition. */
int capability_find(struct vkvm_backend *backend);

#endif
