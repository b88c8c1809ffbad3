/* SPDX-License-Identifier: BSD-2-Clause */
/* A simulated host for the tests of `vsm probe`: a temporary folder, and results of ioctls. At
 * first it has every feature but /dev/userfaultfd. */
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
	int kvm_error; /* error of opening /dev/kvm, or 0 */
	int vm_error;  /* error of KVM_CREATE_VM, or 0 */
	int api;
	int absent_capability; /* -1: none */
	bool no_capability;
	int xen_error;	/* result of KVM_XEN_HVM_CONFIG */
	int uffd_error; /* error of userfaultfd(2), or 0 */
	bool uffd_device;
	uint64_t uffd_features;
	const char *bad_selftest; /* the id of the self-test that fails; "*": all fail */
	enum selftest_outcome bad_outcome;
	bool bad_stuck;		      /* that test's process cannot be killed */
	unsigned int bad_tries;	      /* how many of its tries fail; 0: all */
	unsigned int slow_controls;   /* how many of the first control runs take too long */
	unsigned int tries, controls; /* counts of runs */
	unsigned int last_timeout_ms; /* time limit of the last try */
	bool pvm;		      /* self-tests have the results of kvm_pvm */
	bool stock;		      /* without our kernel part */
	const char *signature[4];     /* CPUID at 0x40000000, 0x40000100, ... */
	unsigned int uid;
	int opened, closed; /* counts of descriptors */
};

void fake_host_make(struct fake_host *fake);
void fake_host_remove(struct fake_host *fake);

void fake_host_put(struct fake_host *fake, const char *path, const char *text);
void fake_host_drop(struct fake_host *fake, const char *path);

/* The caller frees the result. */
struct probe *fake_host_probe(struct fake_host *fake);

#endif
