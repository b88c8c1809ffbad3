/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What the host's KVM offers.
 */
#ifndef VKVM_HOST_H
#define VKVM_HOST_H

#include <stdbool.h>
#include <stdint.h>

struct vkvm_backend;

struct capability {
	uint32_t xsave_size; /* bytes of KVM's XSAVE area */
	uint32_t memslots;
	bool xen_hypercall; /* VMCALL and VMMCALL can be forwarded */
	bool huge_pages;
	bool count_exits;     /* an exit that KVM counts is one instruction */
	uint32_t write_exits; /* KVM_CAP_WRITE_EXITS, 0: not there, or not to be used */
};

/* ioctl(), begun again when a signal interrupted it. -errno on failure. */
int vkvm_ioctl(int fd, unsigned long request, void *argument);

/* Finds out what the host can do. -errno when it cannot run any partition. */
int capability_find(struct vkvm_backend *backend);

#endif
