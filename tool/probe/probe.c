/* SPDX-License-Identifier: BSD-2-Clause */
/* Runs the checks of the table and computes the verdict. */
#include "probe.h"

#include <assert.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "array.h"
#include "selftest.h"

/* In the order of the report and of the checks: a check may open what a later one needs. */
const struct probe_group *const probe_groups[] = {
	&probe_group_host,
	&probe_group_kvm,
	&probe_group_memory,
	&probe_group_live,
};
const size_t probe_group_count = ARRAY_SIZE(probe_groups);

void probe_found(struct probe_finding *finding, enum probe_status status, const char *format, ...)
{
	va_list args;

	finding->status = status;
	va_start(args, format);
	vsnprintf(finding->found, sizeof(finding->found), format, args);
	va_end(args);
}

void probe_remedy(struct probe_finding *finding, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vsnprintf(finding->remedy, sizeof(finding->remedy), format, args);
	va_end(args);
}

void probe_value(struct probe_finding *finding, int64_t value)
{
	finding->has_value = true;
	finding->value = value;
}

const struct probe_finding *probe_find(const struct probe *probe, const char *id)
{
	for (size_t i = 0; i < probe->count; i++) {
		if (strcmp(probe->finding[i].item->id, id) == 0)
			return &probe->finding[i];
	}
	return NULL;
}

/* NULL: the item can be checked. */
static const char *obstacle(const struct probe *probe, enum probe_after after)
{
	bool kvm = after == PROBE_AFTER_KVM, vm = after == PROBE_AFTER_VM;
	bool uffd = after == PROBE_AFTER_UFFD;

	if (after == PROBE_AFTER_VM_UFFD)
		vm = uffd = true;
	if ((kvm || vm) && probe->kvm < 0)
		return "/dev/kvm is not open";
	if (vm && probe->vm < 0)
		return "there is no virtual machine to query";
	if (uffd && probe->uffd < 0)
		return "there is no userfaultfd to query";
	return NULL;
}

static void check_item(struct probe *probe, const struct probe_item *item)
{
	struct probe_finding *finding;
	const char *why = obstacle(probe, item->after);

	assert(probe->count < PROBE_MAX_FINDINGS); /* the table is constant */
	finding = &probe->finding[probe->count++];
	finding->item = item;
	probe_remedy(finding, "%s", item->remedy);
	if (why)
		probe_found(finding, PROBE_UNKNOWN, "not checked: %s", why);
	else
		item->check(probe, finding);
}

/* Whether only engine uffd needs the item. */
static bool is_of_uffd(const struct probe_item *item)
{
	return item->check == check_uffd || item->after == PROBE_AFTER_UFFD ||
	       item->after == PROBE_AFTER_VM_UFFD;
}

/*
 * Whether the engine attr works; if the self-tests have no result, whether KVM has its capability.
 */
static bool has_attr(const struct probe *probe)
{
	const struct probe_finding *finding = probe_find(probe, "kvm.memory_attributes");

	return probe->engine == PROBE_ENGINE_ATTR ||
	       (probe->engine == PROBE_ENGINE_UNKNOWN && finding && finding->status == PROBE_OK);
}

/* Whether attr is only assumed, as the host was too busy for its self-test. */
static bool is_attr_busy(const struct probe *probe)
{
	const struct probe_finding *finding = probe_find(probe, "live.restrictions");

	return finding && finding->status == PROBE_BUSY;
}

bool probe_is_replaced(const struct probe *probe, const struct probe_item *item)
{
	return has_attr(probe) && is_of_uffd(item) && !is_attr_busy(probe);
}

static bool is_open(const struct probe_finding *finding)
{
	return finding->status != PROBE_OK && finding->status != PROBE_SKIPPED &&
	       finding->item->need != PROBE_OPTIONAL;
}

/* Required items decide before wanted ones; of each, missing ones before busy ones. */
static enum probe_verdict verdict_of(const struct probe *probe)
{
	enum probe_verdict verdict = PROBE_READY;
	bool required_busy = false, wanted_busy = false;

	for (size_t i = 0; i < probe->count; i++) {
		const struct probe_finding *finding = &probe->finding[i];
		const bool required = finding->item->need == PROBE_REQUIRED;

		if (!is_open(finding) || probe_is_replaced(probe, finding->item))
			continue;
		if (finding->status == PROBE_BUSY ||
		    (has_attr(probe) && is_of_uffd(finding->item))) {
			required_busy = required_busy || required;
			wanted_busy = true;
		} else if (required) {
			return PROBE_UNABLE;
		} else {
			verdict = PROBE_DEGRADED;
		}
	}
	if (required_busy || (wanted_busy && verdict == PROBE_READY))
		return PROBE_NOT_KNOWN;
	return verdict;
}

/* The engine depends on results of the self-tests, not on capabilities. */
static enum probe_engine engine_of(const struct probe *probe)
{
	static const char *const tests[] = {"live.no_write", "live.no_access", "live.never_hang"};
	const struct probe_finding *restrictions = probe_find(probe, "live.restrictions");
	enum probe_engine engine = PROBE_ENGINE_UFFD;
	bool busy = restrictions && restrictions->status == PROBE_BUSY;

	if (restrictions && restrictions->status == PROBE_OK)
		return PROBE_ENGINE_ATTR;
	if (restrictions && restrictions->status == PROBE_SKIPPED)
		return PROBE_ENGINE_UNKNOWN;
	for (size_t i = 0; i < ARRAY_SIZE(tests); i++) {
		const struct probe_finding *finding = probe_find(probe, tests[i]);

		if (!finding || finding->status == PROBE_SKIPPED)
			return PROBE_ENGINE_UNKNOWN;
		if (finding->status == PROBE_BUSY) {
			busy = true;
			continue;
		}
		if (finding->status == PROBE_OK)
			continue;
		/* Without never_hang, a guest could hang its VP. */
		if (!finding->has_value || finding->value != SELFTEST_SLOW)
			return PROBE_ENGINE_NONE;
		engine = PROBE_ENGINE_SLOW;
	}
	return busy ? PROBE_ENGINE_UNKNOWN : engine;
}

void probe_run(struct probe *probe)
{
	struct probe_env *env = probe->env;

	probe->kvm = probe->vm = probe->uffd = -EBADF;
	probe_host_read(probe);
	for (size_t g = 0; g < probe_group_count; g++) {
		for (size_t i = 0; i < probe_groups[g]->count; i++)
			check_item(probe, &probe_groups[g]->items[i]);
	}
	if (probe->uffd >= 0)
		env->close(env, probe->uffd);
	if (probe->vm >= 0)
		env->close(env, probe->vm);
	if (probe->kvm >= 0)
		env->close(env, probe->kvm);
	probe->engine = engine_of(probe);
	probe->verdict = verdict_of(probe);
}

#define NAME(table, value) ((size_t)(value) < ARRAY_SIZE(table) ? (table)[value] : "?")

const char *probe_status_name(enum probe_status status)
{
	static const char *const names[] = {"ok", "missing", "unknown", "skipped", "busy"};

	return NAME(names, status);
}

const char *probe_need_name(enum probe_need need)
{
	static const char *const names[] = {"required", "wanted", "optional"};

	return NAME(names, need);
}

const char *probe_verdict_name(enum probe_verdict verdict)
{
	static const char *const names[] = {"ready", "degraded", "unable", "not-known"};

	return NAME(names, verdict);
}

const char *probe_engine_name(enum probe_engine engine)
{
	static const char *const names[] = {"unknown", "none", "slow", "uffd", "attr"};

	return NAME(names, engine);
}

const char *probe_kind_name(enum probe_kvm_kind kind)
{
	static const char *const names[] = {"none", "vmx", "svm", "pvm", "other"};

	return NAME(names, kind);
}
