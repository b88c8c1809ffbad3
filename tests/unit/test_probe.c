/* SPDX-License-Identifier: BSD-2-Clause */
/* `vsm probe` on hosts that lack a capability. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "unit_test.h"
#include "../../tool/probe/abi.h"
#include "../../tool/probe/report.h"
#include "fake_host.h"

static int set_up(void **state)
{
	struct fake_host *fake = malloc(sizeof(*fake));

	if (!fake)
		return -1;
	fake_host_make(fake);
	*state = fake;
	return 0;
}

static int tear_down(void **state)
{
	fake_host_remove(*state);
	free(*state);
	return 0;
}

static enum probe_status status_of(const struct probe *probe, const char *id)
{
	const struct probe_finding *finding = probe_find(probe, id);

	assert_non_null(finding);
	return finding->status;
}

static void assert_contains(const char *text, const char *part)
{
	if (!strstr(text, part))
		fail_msg("'%s' is not in '%s'", part, text);
}

/* The whole text report, with every run of white space replaced by one blank. */
static char *words(const struct probe *probe)
{
	char *text = NULL;
	size_t size = 0, n = 0;
	FILE *out = open_memstream(&text, &size);

	assert_non_null(out);
	report_text(out, probe);
	fclose(out);
	for (size_t i = 0; i < size; i++) {
		char c = text[i] == '\n' ? ' ' : text[i];

		if (c != ' ' || n == 0 || text[n - 1] != ' ')
			text[n++] = c;
	}
	text[n] = 0;
	return text;
}

static void assert_words(const struct probe *probe, const char *part)
{
	char *text = words(probe);

	assert_contains(text, part);
	free(text);
}

static void assert_no_words(const struct probe *probe, const char *part)
{
	char *text = words(probe);

	assert_null(strstr(text, part));
	free(text);
}

static void a_complete_host_is_ready(void **state)
{
	struct fake_host *fake = *state;
	struct probe *probe = fake_host_probe(fake);

	for (size_t i = 0; i < probe->count; i++) {
		if (probe->finding[i].status != PROBE_OK)
			fail_msg("%s: %s", probe->finding[i].item->id, probe->finding[i].found);
	}
	assert_int_equal(probe->verdict, 0);
	assert_int_equal(probe->engine, PROBE_ENGINE_ATTR);
	assert_int_equal(probe->host.kind, PROBE_KVM_SVM);
	assert_int_equal(probe->host.cpus, 2);
	assert_int_equal(probe->host.memory, 8ull << 30);
	assert_words(probe, "Ready: all that VSM needs is here.");
	free(probe);
}

static void the_probe_closes_what_it_opens(void **state)
{
	struct fake_host *fake = *state;

	fake->uffd_error = -EPERM;
	fake->uffd_device = true;
	free(fake_host_probe(fake));
	assert_int_equal(fake->opened, 4); /* /dev/kvm, a VM, /dev/userfaultfd, a userfaultfd */
	assert_int_equal(fake->closed, fake->opened);
}

/* The verdict of a host that lacks only this item, by `need`. */
static void assert_verdict_fits(const struct probe *probe, const struct probe_item *item)
{
	static const int verdict[] = {
		[PROBE_REQUIRED] = 2, [PROBE_WANTED] = 1, [PROBE_OPTIONAL] = 0};

	if (status_of(probe, item->id) != PROBE_MISSING ||
	    (int)probe->verdict != verdict[item->need])
		fail_msg("%s: status %d, verdict %d", item->id, status_of(probe, item->id),
			 probe->verdict);
	assert_words(probe, item->cost);
}

static void each_missing_capability_has_the_verdict_of_the_table(void **state)
{
	struct fake_host *fake = *state;
	size_t tried = 0;

	for (size_t i = 0; i < probe_group_kvm.count; i++) {
		const struct probe_item *item = &probe_group_kvm.items[i];
		struct probe *probe;

		if (!item->number)
			continue;
		fake->absent_capability = (int)item->number;
		probe = fake_host_probe(fake);
		assert_verdict_fits(probe, item);
		free(probe);
		tried++;
	}
	assert_true(tried > 20);
}

static void each_missing_userfaultfd_feature_has_the_verdict_of_the_table(void **state)
{
	struct fake_host *fake = *state;
	size_t tried = 0;

	fake->stock = true;
	for (size_t i = 0; i < probe_group_memory.count; i++) {
		const struct probe_item *item = &probe_group_memory.items[i];
		struct probe *probe;

		if (!item->number)
			continue;
		fake->uffd_features = 0x1ffff & ~(uint64_t)item->number;
		probe = fake_host_probe(fake);
		assert_verdict_fits(probe, item);
		free(probe);
		tried++;
	}
	assert_int_equal(tried, 5);
}

static void each_failed_self_test_has_the_verdict_of_the_table(void **state)
{
	static const enum selftest_outcome bad[] = {SELFTEST_FAIL, SELFTEST_DIED, SELFTEST_HUNG};
	struct fake_host *fake = *state;

	fake->stock = true;
	for (size_t i = 0; i < probe_group_live.count; i++) {
		const struct probe_item *item = &probe_group_live.items[i];
		struct probe *probe;

		fake->bad_selftest = item->id;
		fake->bad_outcome = bad[i % 3];
		probe = fake_host_probe(fake);
		assert_verdict_fits(probe, item);
		free(probe);
	}
}

static char *report_of(const struct probe *probe, void (*report)(FILE *, const struct probe *))
{
	char *text = NULL;
	size_t size = 0;
	FILE *out = open_memstream(&text, &size);

	assert_non_null(out);
	report(out, probe);
	fclose(out);
	return text;
}

static void every_missing_item_is_listed(void **state)
{
	struct fake_host *fake = *state;
	struct probe *probe;
	char *text, *json, *verdict;
	size_t missing = 0, listed = 0;

	fake->no_capability = true;
	fake->uffd_features = 0;
	fake->bad_selftest = "*";
	fake->bad_outcome = SELFTEST_FAIL;
	fake->release = "5.15.0";
	fake_host_put(fake, "/proc/sys/vm/max_map_count", "100\n");
	fake_host_put(fake, "/proc/meminfo", "MemTotal: 131072 kB\nMemAvailable: 65536 kB\n");
	probe = fake_host_probe(fake);
	text = words(probe);
	json = report_of(probe, report_json);
	verdict = report_of(probe, report_verdict);
	for (size_t i = 0; i < probe->count; i++) {
		const struct probe_finding *finding = &probe->finding[i];
		char line[512];

		snprintf(line, sizeof(line), "\"id\": \"%s\"", finding->item->id);
		assert_contains(json, line);
		if (finding->status == PROBE_OK)
			continue;
		missing++;
		assert_contains(text, finding->item->title);
		assert_contains(text, finding->item->cost);
		assert_contains(text, finding->remedy);
		if (finding->item->need != PROBE_REQUIRED)
			continue;
		listed++;
		snprintf(line, sizeof(line), "- %s:", finding->item->title);
		assert_contains(verdict, line);
	}
	assert_int_equal(probe->verdict, 2);
	assert_true(missing > probe->count * 3 / 4 && listed > 10);
	free(verdict);
	free(json);
	free(text);
	free(probe);
}

/* Whether a timeout counts as a failure depends on a control run that only needs CPU time. */
static void a_timeout_is_a_failure_only_when_the_host_is_not_busy(void **state)
{
	static const struct {
		enum selftest_outcome outcome;
		bool stuck;
		unsigned int bad_tries, slow_controls;
		enum probe_status status;
		unsigned int tries, last_timeout;
	} row[] = {
		/* Two timeouts on an idle host: the test hangs. */
		{SELFTEST_HUNG, false, 0, 0, PROBE_MISSING, 2, 1000},
		{SELFTEST_LATE, false, 0, 0, PROBE_MISSING, 2, 1000},
		/* The second try passes: the host was busy during the first. */
		{SELFTEST_LATE, false, 1, 0, PROBE_OK, 2, 1000},
		{SELFTEST_LATE, false, 1, 1, PROBE_OK, 2, 2000},
		{SELFTEST_LATE, false, 2, 2, PROBE_OK, 3, 4000},
		/* Each slow control doubles the timeout. The result is "busy" unless two controls are quick. */
		{SELFTEST_HUNG, false, 0, 3, PROBE_BUSY, 3, 4000},
		{SELFTEST_LATE, false, 0, 2, PROBE_BUSY, 3, 4000},
		{SELFTEST_LATE, false, 0, 1, PROBE_MISSING, 3, 2000},
		/* A process that cannot be killed is left only once: there is no second try. */
		{SELFTEST_HUNG, true, 0, 0, PROBE_MISSING, 1, 1000},
		{SELFTEST_HUNG, true, 0, 1, PROBE_BUSY, 1, 1000},
		/* Other results do not depend on the load of the host. */
		{SELFTEST_FAIL, false, 0, 3, PROBE_MISSING, 1, 1000},
		{SELFTEST_DIED, false, 0, 3, PROBE_MISSING, 1, 1000},
	};
	struct fake_host *fake = *state;

	fake->stock = true;
	for (size_t i = 0; i < sizeof(row) / sizeof(row[0]); i++) {
		struct probe *probe;

		fake->bad_selftest = "live.never_hang";
		fake->bad_outcome = row[i].outcome;
		fake->bad_stuck = row[i].stuck;
		fake->bad_tries = row[i].bad_tries;
		fake->slow_controls = row[i].slow_controls;
		fake->tries = fake->controls = 0;
		probe = fake_host_probe(fake);
		assert_int_equal(status_of(probe, "live.never_hang"), row[i].status);
		assert_int_equal(fake->tries, row[i].tries);
		assert_int_equal(fake->last_timeout_ms, row[i].last_timeout);
		free(probe);
	}
}

static void a_verdict_that_needs_a_result_of_a_busy_host_is_unknown(void **state)
{
	static const struct {
		const char *busy;
		int xen_error, kvm_error;
		enum probe_verdict verdict;
		enum probe_engine engine;
	} row[] = {
		{"live.port_7e", 0, 0, PROBE_NOT_KNOWN, PROBE_ENGINE_UFFD},
		{"live.never_hang", 0, 0, PROBE_NOT_KNOWN, PROBE_ENGINE_UNKNOWN},
		{"live.user_minor", 0, 0, PROBE_NOT_KNOWN, PROBE_ENGINE_UFFD},
		/* An optional item does not change the verdict. */
		{"live.hypercall", 0, 0, PROBE_READY, PROBE_ENGINE_UFFD},
		{"live.restrictions", 0, 0, PROBE_READY, PROBE_ENGINE_UNKNOWN},
	};
	struct fake_host *fake = *state;

	fake->stock = true;
	for (size_t i = 0; i < sizeof(row) / sizeof(row[0]); i++) {
		struct probe *probe;

		fake->bad_selftest = row[i].busy;
		fake->bad_outcome = SELFTEST_LATE;
		fake->slow_controls = 100;
		fake->controls = 0;
		probe = fake_host_probe(fake);
		assert_int_equal(status_of(probe, row[i].busy), PROBE_BUSY);
		assert_int_equal(probe->verdict, row[i].verdict);
		assert_int_equal(probe->engine, row[i].engine);
		assert_contains(probe_find(probe, row[i].busy)->found, "too busy");
		free(probe);
	}
	/* A wanted item is missing, so the verdict is known in spite of unknown results. */
	fake->absent_capability = KVM_CAP_READONLY_MEM;
	fake->bad_selftest = "live.user_minor";
	fake->controls = 0;
	{
		struct probe *probe = fake_host_probe(fake);

		assert_int_equal(probe->verdict, PROBE_DEGRADED);
		free(probe);
	}
}

static void a_capability_that_lacks_some_wanted_bits_is_missing(void **state)
{
	struct fake_host *fake = *state;
	struct probe_finding finding = {.item = &probe_group_kvm.items[0]};
	struct probe_item item = {.number = KVM_CAP_SYNC_REGS, .want = 0xf};
	struct probe *probe = fake_host_probe(fake);

	finding.item = &item;
	check_capability_bits(probe, &finding);
	assert_int_equal(finding.status, PROBE_MISSING);
	assert_string_equal(finding.found, "only 0x7 of 0xf");
	free(probe);
}

static void without_dev_kvm_nothing_runs_and_the_module_is_named(void **state)
{
	struct fake_host *fake = *state;
	struct probe *probe;

	fake->kvm_error = -ENOENT;
	fake_host_drop(fake, "/dev/kvm");
	fake_host_drop(fake, "/sys/module/kvm_amd");
	probe = fake_host_probe(fake);
	assert_int_equal(probe->verdict, 2);
	assert_int_equal(probe->host.kind, PROBE_KVM_NONE);
	assert_int_equal(status_of(probe, "kvm.device"), PROBE_MISSING);
	assert_int_equal(status_of(probe, "kvm.sync_regs"), PROBE_UNKNOWN);
	assert_int_equal(status_of(probe, "live.port_7e"), PROBE_UNKNOWN);
	assert_int_equal(status_of(probe, "live.user_minor"), PROBE_OK);
	assert_int_equal(probe->engine, PROBE_ENGINE_NONE);
	assert_contains(probe_find(probe, "kvm.device")->remedy, "modprobe kvm_amd");
	assert_words(probe, "Cannot run. Missing: - /dev/kvm: nothing runs - and ");
	free(probe);
}

static void without_virtualization_in_a_guest_nesting_is_advised(void **state)
{
	struct fake_host *fake = *state;
	struct probe *probe;

	fake->kvm_error = -ENOENT;
	fake_host_drop(fake, "/dev/kvm");
	fake_host_put(
		fake, "/proc/cpuinfo",
		"processor\t: 0\nvendor_id\t: GenuineIntel\nflags\t\t: fpu hypervisor svmx\n");
	probe = fake_host_probe(fake);
	assert_int_equal(probe->verdict, 2);
	/* "svmx" is neither svm nor vmx. */
	assert_int_equal(status_of(probe, "host.virtualization"), PROBE_MISSING);
	assert_contains(probe_find(probe, "host.virtualization")->remedy, "nested");
	assert_contains(probe_find(probe, "kvm.device")->remedy, "nested");
	free(probe);
}

static void deny_device(struct fake_host *fake, mode_t mode)
{
	char path[128], group[128];
	gid_t gid = getegid() ? getegid() : 4711;

	snprintf(path, sizeof(path), "%s/dev/kvm", fake->root);
	if (getegid() == 0)
		assert_int_equal(chown(path, (uid_t)-1, gid), 0);
	assert_int_equal(chmod(path, mode), 0);
	snprintf(group, sizeof(group), "root:x:0:\nkvmusers:x:%u:\n", gid);
	fake_host_put(fake, "/etc/group", group);
	fake->kvm_error = -EACCES;
}

static void a_user_who_may_not_open_dev_kvm_is_advised_to_join_its_group(void **state)
{
	struct fake_host *fake = *state;
	struct probe *probe;

	deny_device(fake, 0660);
	probe = fake_host_probe(fake);
	assert_int_equal(probe->verdict, 2);
	assert_contains(probe_find(probe, "kvm.device")->found, "user 1000 may not open it");
	assert_contains(probe_find(probe, "kvm.device")->remedy, "usermod -aG kvmusers");
	assert_words(probe, "usermod -aG kvmusers");
	free(probe);
}

static void where_only_root_may_open_dev_kvm_no_group_is_named(void **state)
{
	struct fake_host *fake = *state;
	struct probe *probe;

	deny_device(fake, 0600);
	probe = fake_host_probe(fake);
	assert_null(strstr(probe_find(probe, "kvm.device")->remedy, "usermod"));
	assert_contains(probe_find(probe, "kvm.device")->remedy, "run as root");
	free(probe);
}

static void a_busy_processor_is_distinguished_from_an_absent_kvm(void **state)
{
	struct fake_host *fake = *state;
	struct probe *probe;

	fake->vm_error = -EBUSY;
	probe = fake_host_probe(fake);
	assert_int_equal(probe->verdict, 2);
	assert_int_equal(status_of(probe, "kvm.device"), PROBE_OK);
	assert_int_equal(status_of(probe, "kvm.vm"), PROBE_MISSING);
	assert_contains(probe_find(probe, "kvm.vm")->remedy, "Another hypervisor");
	assert_int_equal(status_of(probe, "kvm.xsave"), PROBE_UNKNOWN);
	free(probe);
}

static void another_kvm_api_is_refused(void **state)
{
	struct fake_host *fake = *state;
	struct probe *probe;

	fake->api = 13;
	probe = fake_host_probe(fake);
	assert_int_equal(probe->verdict, 2);
	assert_contains(probe_find(probe, "kvm.api")->found, "13");
	free(probe);
}

static void a_pvm_host_is_degraded_and_no_reference_host(void **state)
{
	struct fake_host *fake = *state;
	struct probe *probe;

	fake_host_drop(fake, "/sys/module/kvm_amd");
	fake_host_put(fake, "/sys/module/kvm_pvm", NULL);
	fake_host_put(fake, "/proc/cpuinfo",
		      "processor\t: 0\nvendor_id\t: GenuineIntel\nflags\t\t: fpu hypervisor\n");
	fake->pvm = true;
	probe = fake_host_probe(fake);
	assert_int_equal(probe->verdict, 1);
	assert_int_equal(probe->host.kind, PROBE_KVM_PVM);
	assert_int_equal(probe->engine, PROBE_ENGINE_SLOW);
	assert_words(probe, "instruction emulator");
	assert_words(probe, "are no reference");
	assert_words(probe, "Degraded: VSM runs, but not all of it.");
	free(probe);
}

static void svm_with_its_driver_is_not_reported_as_pvm(void **state)
{
	struct fake_host *fake = *state;
	struct probe *probe;

	fake_host_put(fake, "/sys/module/kvm_pvm", NULL);
	probe = fake_host_probe(fake);
	assert_int_equal(probe->host.kind, PROBE_KVM_SVM);
	free(probe);
}

static void an_old_kernel_is_degraded_and_a_newer_one_is_advised(void **state)
{
	static const struct {
		const char *release;
		int verdict;
	} kernels[] = {{"5.15.0", 1}, {"6.1.0-44-amd64", 1}, {"6.3.9", 1}, {"6.4.0", 0},
		       {"6.12.1", 0}, {"7.0.0-rc1", 0},	     {"odd", 1}};
	struct fake_host *fake = *state;

	for (size_t i = 0; i < sizeof(kernels) / sizeof(kernels[0]); i++) {
		struct probe *probe;

		fake->release = kernels[i].release;
		probe = fake_host_probe(fake);
		if ((int)probe->verdict != kernels[i].verdict)
			fail_msg("Linux %s: verdict %d", kernels[i].release, probe->verdict);
		if (probe->verdict)
			assert_words(probe, "A newer kernel");
		free(probe);
	}
}

static void without_userfaultfd_and_kernel_part_nothing_runs(void **state)
{
	struct fake_host *fake = *state;
	struct probe *probe;

	fake->stock = true;
	fake->uffd_error = -EPERM;
	probe = fake_host_probe(fake);
	assert_int_equal(probe->verdict, 2);
	assert_int_equal(probe->engine, PROBE_ENGINE_NONE);
	assert_int_equal(status_of(probe, "memory.uffd_minor_shared"), PROBE_UNKNOWN);
	assert_int_equal(status_of(probe, "live.no_write"), PROBE_UNKNOWN);
	assert_int_equal(status_of(probe, "live.port_7e"), PROBE_OK);
	assert_contains(probe_find(probe, "memory.userfaultfd")->remedy, "CAP_SYS_PTRACE");
	assert_contains(probe_find(probe, "memory.userfaultfd")->remedy, "it does not exist");
	assert_words(probe, "vm.unprivileged_userfaultfd=1");
	assert_words(probe, "become a member of the group kvm");
	assert_words(probe, "(required)");
	free(probe);
}

static void with_the_kernel_part_userfaultfd_is_not_required(void **state)
{
	struct fake_host *fake = *state;
	struct probe *probe;

	fake->uffd_error = -EPERM;
	probe = fake_host_probe(fake);
	assert_int_equal(probe->engine, PROBE_ENGINE_ATTR);
	assert_int_equal(probe->verdict, 0);
	assert_int_equal(status_of(probe, "memory.userfaultfd"), PROBE_MISSING);
	assert_words(probe, "(not needed with the kernel part, which is here)");
	assert_no_words(probe, "(required)");
	free(probe);
	fake->bad_selftest = "live.restrictions";
	fake->bad_outcome = SELFTEST_FAIL;
	probe = fake_host_probe(fake);
	assert_int_equal(probe->engine, PROBE_ENGINE_NONE);
	assert_int_equal(probe->verdict, 2);
	free(probe);
}

static void a_kernel_whose_violations_would_hang_a_vp_runs_nothing(void **state)
{
	struct fake_host *fake = *state;
	struct probe *probe;

	fake->bad_selftest = "live.user_continue_protected";
	fake->bad_outcome = SELFTEST_FAIL;
	fake->stock = true;
	probe = fake_host_probe(fake);
	assert_int_equal(probe->verdict, 2);
	assert_words(probe, "Linux 6.4 or newer");
	free(probe);
	fake->stock = false;
	probe = fake_host_probe(fake);
	assert_int_equal(probe->engine, PROBE_ENGINE_ATTR);
	assert_int_equal(probe->verdict, 0);
	free(probe);
}

static void the_ways_to_get_userfaultfd_are_named(void **state)
{
	struct fake_host *fake = *state;
	struct probe *probe = fake_host_probe(fake);

	assert_contains(probe_find(probe, "memory.userfaultfd")->found, "CAP_SYS_PTRACE");
	free(probe);

	fake_host_put(fake, "/proc/sys/vm/unprivileged_userfaultfd", "1\n");
	probe = fake_host_probe(fake);
	assert_contains(probe_find(probe, "memory.userfaultfd")->found, "unprivileged_userfaultfd");
	free(probe);

	fake->uffd_error = -EPERM;
	fake->uffd_device = true;
	probe = fake_host_probe(fake);
	assert_contains(probe_find(probe, "memory.userfaultfd")->found, "/dev/userfaultfd");
	assert_int_equal(probe->verdict, 0);
	free(probe);
}

static void a_kernel_without_userfaultfd_is_distinguished_from_a_lack_of_rights(void **state)
{
	struct fake_host *fake = *state;
	struct probe *probe;

	fake->uffd_error = -ENOSYS;
	probe = fake_host_probe(fake);
	assert_contains(probe_find(probe, "memory.userfaultfd")->remedy, "CONFIG_USERFAULTFD");
	free(probe);
}

static void the_engine_is_the_lowest_of_the_self_tests(void **state)
{
	static const struct {
		const char *id;
		enum selftest_outcome outcome;
		enum probe_engine engine;
	} cases[] = {
		{"live.no_write", SELFTEST_SLOW, PROBE_ENGINE_SLOW},
		{"live.no_access", SELFTEST_SLOW, PROBE_ENGINE_SLOW},
		{"live.no_write", SELFTEST_FAIL, PROBE_ENGINE_NONE},
		{"live.no_access", SELFTEST_DIED, PROBE_ENGINE_NONE},
		{"live.never_hang", SELFTEST_HUNG, PROBE_ENGINE_NONE},
		{"live.user_minor", SELFTEST_FAIL, PROBE_ENGINE_UFFD},
	};
	struct fake_host *fake = *state;

	fake->stock = true;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct probe *probe;

		fake->bad_selftest = cases[i].id;
		fake->bad_outcome = cases[i].outcome;
		probe = fake_host_probe(fake);
		assert_int_equal(probe->engine, cases[i].engine);
		assert_int_equal(probe->verdict, 1);
		free(probe);
	}
}

static void xen_forwarding_that_is_reported_and_fails_is_reported_as_absent(void **state)
{
	struct fake_host *fake = *state;
	struct probe *probe;

	fake->xen_error = -EINVAL;
	probe = fake_host_probe(fake);
	assert_int_equal(status_of(probe, "kvm.hypercall"), PROBE_MISSING);
	assert_int_equal(probe->verdict, 0);
	free(probe);
}

static void skipped_self_tests_leave_the_engine_unknown(void **state)
{
	struct fake_host *fake = *state;
	struct probe *probe = calloc(1, sizeof(*probe));

	assert_non_null(probe);
	probe->env = &fake->env;
	probe_run(probe);
	assert_int_equal(probe->verdict, 0);
	assert_int_equal(status_of(probe, "live.no_write"), PROBE_SKIPPED);
	assert_int_equal(probe->engine, PROBE_ENGINE_UNKNOWN);
	assert_words(probe, "the self-tests were not run");
	free(probe);
	/* With the kernel part, by its capability, userfaultfd is not needed. */
	fake->uffd_error = -EPERM;
	probe = calloc(1, sizeof(*probe));
	assert_non_null(probe);
	probe->env = &fake->env;
	probe_run(probe);
	assert_int_equal(probe->verdict, 0);
	free(probe);
}

static void kvm_that_presents_hyper_v_leaves_is_recognised(void **state)
{
	struct fake_host *fake = *state;
	struct probe *probe;

	fake_host_put(fake, "/proc/cpuinfo",
		      "processor\t: 0\nvendor_id\t: AuthenticAMD\nflags\t\t: svm hypervisor\n");
	fake->signature[0] = "Microsoft Hv";
	fake->signature[1] = "KVMKVMKVM";
	probe = fake_host_probe(fake);
	assert_string_equal(probe->host.hypervisor, "Microsoft Hv, KVMKVMKVM");
	assert_true(probe->host.hyperv);
	assert_true(probe->host.nested);
	assert_words(probe, "it presents the Hyper-V interface");
	free(probe);
}

static void hypervisor_leaves_are_not_read_on_bare_metal(void **state)
{
	struct fake_host *fake = *state;
	struct probe *probe;

	fake->signature[0] = "Microsoft Hv";
	probe = fake_host_probe(fake);
	assert_string_equal(probe->host.hypervisor, "");
	assert_false(probe->host.hyperv);
	free(probe);
}

static void optional_items_do_not_change_the_verdict(void **state)
{
	struct fake_host *fake = *state;
	struct probe *probe;

	fake_host_put(fake, "/proc/sys/vm/max_map_count", "100\n");
	fake_host_put(fake, "/proc/meminfo", "MemTotal: 131072 kB\nMemAvailable: 65536 kB\n");
	fake_host_put(fake, "/sys/kernel/mm/transparent_hugepage/shmem_enabled",
		      "always within_size advise [never] deny force\n");
	probe = fake_host_probe(fake);
	assert_int_equal(status_of(probe, "memory.mappings"), PROBE_MISSING);
	assert_int_equal(status_of(probe, "host.memory"), PROBE_MISSING);
	assert_int_equal(status_of(probe, "memory.huge_pages"), PROBE_MISSING);
	assert_int_equal(probe->verdict, 0);
	free(probe);
}

static void items_with_absent_or_malformed_files_are_unknown(void **state)
{
	struct fake_host *fake = *state;
	struct probe *probe;

	fake_host_put(fake, "/proc/sys/vm/max_map_count", "many\n");
	fake_host_drop(fake, "/proc/meminfo");
	fake_host_put(fake, "/sys/kernel/mm/transparent_hugepage/shmem_enabled", "advise\n");
	probe = fake_host_probe(fake);
	assert_int_equal(status_of(probe, "memory.mappings"), PROBE_UNKNOWN);
	assert_int_equal(status_of(probe, "host.memory"), PROBE_UNKNOWN);
	assert_int_equal(status_of(probe, "memory.huge_pages"), PROBE_UNKNOWN);
	free(probe);
}

static void every_item_states_its_purpose_and_the_effect_of_its_absence(void **state)
{
	struct fake_host *fake = *state;
	struct probe *probe = fake_host_probe(fake);

	for (size_t i = 0; i < probe->count; i++) {
		const struct probe_item *item = probe->finding[i].item;

		assert_non_null(item->title);
		assert_non_null(item->purpose);
		assert_non_null(item->cost);
		assert_non_null(item->remedy);
		/* probe_find() returns the first item with the id: ids are unique. */
		assert_ptr_equal(probe_find(probe, item->id), &probe->finding[i]);
		/* The remedy is not truncated. */
		assert_string_equal(probe->finding[i].remedy, item->remedy);
		assert_true(strlen(probe->finding[i].remedy) <
			    sizeof(probe->finding[i].remedy) - 1);
		assert_true(strlen(probe->finding[i].found) < sizeof(probe->finding[i].found) - 1);
	}
	free(probe);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_complete_host_is_ready),
		TEST(the_probe_closes_what_it_opens),
		TEST(each_missing_capability_has_the_verdict_of_the_table),
		TEST(each_missing_userfaultfd_feature_has_the_verdict_of_the_table),
		TEST(each_failed_self_test_has_the_verdict_of_the_table),
		TEST(every_missing_item_is_listed),
		TEST(a_timeout_is_a_failure_only_when_the_host_is_not_busy),
		TEST(a_verdict_that_needs_a_result_of_a_busy_host_is_unknown),
		TEST(a_capability_that_lacks_some_wanted_bits_is_missing),
		TEST(without_dev_kvm_nothing_runs_and_the_module_is_named),
		TEST(without_virtualization_in_a_guest_nesting_is_advised),
		TEST(a_user_who_may_not_open_dev_kvm_is_advised_to_join_its_group),
		TEST(where_only_root_may_open_dev_kvm_no_group_is_named),
		TEST(a_busy_processor_is_distinguished_from_an_absent_kvm),
		TEST(another_kvm_api_is_refused),
		TEST(a_pvm_host_is_degraded_and_no_reference_host),
		TEST(svm_with_its_driver_is_not_reported_as_pvm),
		TEST(an_old_kernel_is_degraded_and_a_newer_one_is_advised),
		TEST(without_userfaultfd_and_kernel_part_nothing_runs),
		TEST(with_the_kernel_part_userfaultfd_is_not_required),
		TEST(a_kernel_whose_violations_would_hang_a_vp_runs_nothing),
		TEST(the_ways_to_get_userfaultfd_are_named),
		TEST(a_kernel_without_userfaultfd_is_distinguished_from_a_lack_of_rights),
		TEST(the_engine_is_the_lowest_of_the_self_tests),
		TEST(xen_forwarding_that_is_reported_and_fails_is_reported_as_absent),
		TEST(skipped_self_tests_leave_the_engine_unknown),
		TEST(kvm_that_presents_hyper_v_leaves_is_recognised),
		TEST(hypervisor_leaves_are_not_read_on_bare_metal),
		TEST(optional_items_do_not_change_the_verdict),
		TEST(items_with_absent_or_malformed_files_are_unknown),
		TEST(every_item_states_its_purpose_and_the_effect_of_its_absence),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
