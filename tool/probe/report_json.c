/* SPDX-License-Identifier: BSD-2-Clause */
#include <vsm/vsm.h>

#include "../json.h"
#include "report.h"

static void put_host(struct json *json, const struct probe *probe)
{
	const struct probe_host *host = &probe->host;

	json_open(json, "host", '{');
	json_put_string(json, "kernel", host->kernel);
	json_put_string(json, "machine", host->machine);
	json_put_string(json, "cpu_vendor", host->vendor);
	json_put_integer(json, "cpus", host->cpus);
	json_put_boolean(json, "vmx", host->vmx);
	json_put_boolean(json, "svm", host->svm);
	json_put_boolean(json, "nested", host->nested);
	json_put_string(json, "hypervisor", host->hypervisor[0] ? host->hypervisor : NULL);
	json_put_boolean(json, "hyperv", host->hyperv);
	json_put_string(json, "kvm", probe_kind_name(host->kind));
	json_put_integer(json, "memory", (int64_t)host->memory);
	json_put_integer(json, "memory_available", (int64_t)host->memory_available);
	json_put_integer(json, "uid", host->uid);
	json_close(json, '}');
}

static void put_finding(struct json *json, const struct probe_finding *finding)
{
	const struct probe_item *item = finding->item;

	json_open(json, NULL, '{');
	json_put_string(json, "id", item->id);
	json_put_string(json, "title", item->title);
	json_put_string(json, "need", probe_need_name(item->need));
	json_put_string(json, "status", probe_status_name(finding->status));
	json_put_string(json, "found", finding->found);
	if (finding->has_value)
		json_put_integer(json, "value", finding->value);
	else
		json_put_null(json, "value");
	json_put_string(json, "purpose", item->purpose);
	json_put_string(json, "cost", item->cost);
	json_put_string(json, "remedy", finding->remedy);
	json_close(json, '}');
}

void report_json(FILE *out, const struct probe *probe)
{
	struct json json = {.out = out};

	json_open(&json, NULL, '{');
	json_put_integer(&json, "format", 1);
	json_put_string(&json, "version", vsm_version());
	json_open(&json, "verdict", '{');
	json_put_integer(&json, "status", probe->verdict);
	json_put_string(&json, "name", probe_verdict_name(probe->verdict));
	json_put_string(&json, "engine", probe_engine_name(probe->engine));
	json_close(&json, '}');
	put_host(&json, probe);
	json_open(&json, "findings", '[');
	for (size_t i = 0; i < probe->count; i++)
		put_finding(&json, &probe->finding[i]);
	json_close(&json, ']');
	json_close(&json, '}');
}
