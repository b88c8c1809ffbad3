/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A simulated host, made of a temporary folder and results of ioctls, for the tests of `vsm probe`. It begins
 * as one that has all there is; each test takes something away.
 */
#ifndef VSM_TESTS_UNIT_FAKE_HOST_H
#define VSM_TESTS_UNIT_FAKE_HOST_H

#include <stdbool.h>
#include <stdint.h>

#include "../../tool/probe/probe.h"
#include "../../tool/probe/selftest.h"

struct fake_host {
	struct probe_env env;
	char root[64];
	const char *release;
	int kvm_error;	       /* what opening /dev/kvm returns instead of a descriptor */
	int vm_error;	       /* what KVM_CREATE_VM returns instead of one */
	int api;	       /* the KVM API's version */
	int absent_capability; /* -1: none */
	bool no_capability;    /* all are absent */
	int xen_error;	       /* what KVM_XEN_HVM_CONFIG returns */
	int uffd_error;	       /* what userfaultfd(2) returns instead of a descriptor */
	bool uffd_device;      /* /dev/userfaultfd opens */
	uint64_t uffd_features;
	const char *bad_selftest; /* the id of the self-test that does not pass; "*": none does */
	enum selftest_outcome bad_outcome;
	bool bad_stuck;		      /* that test's process cannot be killed */
	unsigned int bad_tries;	      /* how many of its tries have that outcome; 0: all */
	unsigned int slow_controls;   /* how many of the first controls come too late */
	unsigned int tries, controls; /* how many there were of each */
	unsigned int last_timeout_ms; /* of the last try */
	bool pvm;		      /* self-tests as kvm_pvm passes them */
	bool stock;		      /* without our kernel part */
	const char *signature[4];     /* CPUID at 0x40000000, 0x40000100, ... */
	unsigned int uid;
	int opened, closed; /* descriptors */
};

/* Creates the complete host. */
void fake_host_make(struct fake_host *fake);
void fake_host_remove(struct fake_host *fake);

/* Gives it a file, or takes one away. */
void fake_host_put(struct fake_host *fake, const char *path, const char *text);
void fake_host_drop(struct fake_host *fake, const char *path);

/* Probes it, self-tests included. The result is the caller's to free. */
struct probe *fake_host_probe(struct fake_host *fake);

#endif
