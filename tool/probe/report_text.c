/* SPDX-License-Identifier: BSD-2-Clause */
#include <inttypes.h>
#include <string.h>
#include <vsm/vsm.h>

#include "report.h"

#define WIDTH 96

/* @column: where the first line begins. Later lines are indented by @indent spaces. */
static void wrap(FILE *out, size_t column, size_t indent, const char *text)
{
	while (*text) {
		size_t length = strcspn(text, " ");

		if (column > indent && column + 1 + length > WIDTH) {
			fprintf(out, "\n%*s", (int)indent, "");
			column = indent;
		} else if (column > indent) {
			fputc(' ', out);
			column++;
		}
		fprintf(out, "%.*s", (int)length, text);
		column += length;
		text += length;
		text += strspn(text, " ");
	}
	fputc('\n', out);
}

static void labelled(FILE *out, size_t indent, size_t width, const char *label, const char *text)
{
	fprintf(out, "%*s%-*s", (int)indent, "", (int)width, label);
	wrap(out, indent + width, indent + width, text);
}

static void put_host(FILE *out, const struct probe *probe)
{
	const struct probe_host *host = &probe->host;
	const char *virtualization = host->vmx ? "VMX" : host->svm ? "SVM" : "neither VMX nor SVM";

	fprintf(out, "vsm %s: support of this host for VSM.\n\n", vsm_version());
	fprintf(out, "  kernel     Linux %s, %s\n", host->kernel, host->machine);
	fprintf(out, "  processor  %s, %s, %u CPU%s\n", host->vendor[0] ? host->vendor : "unknown",
		virtualization, host->cpus, host->cpus == 1 ? "" : "s");
	fprintf(out, "  memory     %" PRIu64 " MiB, %" PRIu64 " MiB available\n",
		host->memory >> 20, host->memory_available >> 20);
	if (host->nested)
		fprintf(out, "  inside     a virtual machine%s%s%s\n",
			host->hypervisor[0] ? " of " : "", host->hypervisor,
			host->hyperv ? " (it presents the Hyper-V interface)" : "");
	fprintf(out, "  user       %u%s\n", host->uid, host->uid ? "" : " (root)");
}

static bool is_off(const struct probe_finding *finding)
{
	return finding->status == PROBE_MISSING || finding->status == PROBE_UNKNOWN;
}

/* Whether the verdict lists the finding. */
static bool is_listed(const struct probe *probe, const struct probe_finding *finding)
{
	switch (probe->verdict) {
	case PROBE_READY:
		return false;
	case PROBE_DEGRADED:
		return is_off(finding) && finding->item->need == PROBE_WANTED;
	case PROBE_NOT_KNOWN:
		return finding->status == PROBE_BUSY;
	case PROBE_UNABLE:
		break;
	}
	return is_off(finding) && finding->item->need == PROBE_REQUIRED;
}

static void put_finding(FILE *out, const struct probe *probe, const struct probe_finding *finding)
{
	const struct probe_item *item = finding->item;
	char line[sizeof(finding->found) + 128];

	snprintf(line, sizeof(line), "%s: %s", item->title, finding->found);
	labelled(out, 2, 9, probe_status_name(finding->status), line);
	/* With PROBE_UNKNOWN the line above has the reason. */
	if (finding->status != PROBE_MISSING)
		return;
	labelled(out, 11, 10, "for", item->purpose);
	snprintf(line, sizeof(line), "%s (%s)", item->cost,
		 probe_is_replaced(probe, item) ? "not needed with the kernel part, which is here"
						: probe_need_name(item->need));
	labelled(out, 11, 10, "costs", line);
	labelled(out, 11, 10, "to get it", finding->remedy);
}

static const char *engine_sentence(enum probe_engine engine)
{
	switch (engine) {
	case PROBE_ENGINE_ATTR:
		return "Protections of pages: by KVM itself, exact, for reads, writes and "
		       "execution.";
	case PROBE_ENGINE_UFFD:
		return "Protections of pages: by userfaultfd, exact, for reads and writes.";
	case PROBE_ENGINE_SLOW:
		return "Protections of pages: only by the slow path, in which KVM's access is "
		       "broken "
		       "off; good for functional tests, not a reference.";
	case PROBE_ENGINE_NONE:
		return "Protections of pages: none can be enforced.";
	case PROBE_ENGINE_UNKNOWN:
		break;
	}
	return "Protections of pages: not known, as the self-tests were not run or came to no "
	       "result.";
}

static const char *verdict_sentence(enum probe_verdict verdict)
{
	switch (verdict) {
	case PROBE_READY:
		return "Ready: all that VSM needs is here.";
	case PROBE_DEGRADED:
		return "Degraded: VSM runs, but not all of it. Off or reduced:";
	case PROBE_NOT_KNOWN:
		return "Not known: the host is too busy for the self-tests. Run the probe again "
		       "later. Open:";
	case PROBE_UNABLE:
		break;
	}
	return "Cannot run. Missing:";
}

void report_verdict(FILE *out, const struct probe *probe)
{
	size_t unseen = 0;

	fprintf(out, "%s\n", verdict_sentence(probe->verdict));
	for (size_t i = 0; i < probe->count; i++) {
		const struct probe_finding *finding = &probe->finding[i];
		char line[512];

		if (!is_listed(probe, finding))
			continue;
		/* Items with a missing prerequisite only repeat its reason. */
		if (finding->status == PROBE_UNKNOWN) {
			unseen++;
			continue;
		}
		snprintf(line, sizeof(line), "%s: %s", finding->item->title,
			 finding->status == PROBE_BUSY ? finding->item->purpose
						       : finding->item->cost);
		labelled(out, 2, 2, "-", line);
	}
	if (unseen)
		fprintf(out, "  - and %zu more that could not be checked without these\n", unseen);
	wrap(out, 0, 0, engine_sentence(probe->engine));
}

void report_quiet(FILE *out, const struct probe *probe)
{
	report_verdict(out, probe);
	if (probe->verdict == PROBE_UNABLE || probe->verdict == PROBE_DEGRADED)
		fputs("`vsm probe` without --quiet has the reasons, and how to get what is "
		      "missing.\n",
		      out);
}

void report_text(FILE *out, const struct probe *probe)
{
	size_t next = 0;

	put_host(out, probe);
	for (size_t g = 0; g < probe_group_count; g++) {
		fprintf(out, "\n%s\n", probe_groups[g]->title);
		for (size_t i = 0; i < probe_groups[g]->count && next < probe->count; i++)
			put_finding(out, probe, &probe->finding[next++]);
	}
	fputc('\n', out);
	report_verdict(out, probe);
}

void report_items(FILE *out)
{
	for (size_t g = 0; g < probe_group_count; g++) {
		const struct probe_group *group = probe_groups[g];

		fprintf(out, "%s### %s\n\n", g ? "\n" : "", group->title);
		fputs("| id | what | for | need | without it |\n|---|---|---|---|---|\n", out);
		for (size_t i = 0; i < group->count; i++) {
			const struct probe_item *item = &group->items[i];

			fprintf(out, "| `%s` | %s | %s | %s | %s |\n", item->id, item->title,
				item->purpose, probe_need_name(item->need), item->cost);
		}
	}
}
