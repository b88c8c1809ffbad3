/* SPDX-License-Identifier: BSD-2-Clause */
/* Guests for tests of the core: instructions, hypercalls, partitions ready to use. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/partition.h"
#include "core/vp/vp.h"
#include "core/x64.h"
#include "sim/sim_guest.h"

/* Reports a failed set-up of a test, and aborts. */
#define REQUIRE(condition)                                                              \
	do {                                                                            \
		if (!(condition)) {                                                     \
			fprintf(stderr, "%s:%d: %s\n", __FILE__, __LINE__, #condition); \
			abort();                                                        \
		}                                                                       \
	} while (0)

enum guest_outcome guest_do(struct vsm_vp *vp, struct sim_action action, uint64_t *value)
{
	uint8_t vtl = vp->active_vtl;
	uint32_t exceptions = sim_state(vp, vtl)->exceptions;
	const struct vsm_exit *exit;
	const struct sim_vtl *state;

	sim_next(vp, vtl, &action);
	REQUIRE(vsm_vp_run(vp, &exit) == 0);
	state = sim_state(vp, vtl);
	if (value)
		*value = state->action.value;
	if (state->exceptions != exceptions)
		return GUEST_FAULT;
	if (state->done)
		return exit->reason == VSM_EXIT_INTERRUPTED ? GUEST_DONE : GUEST_EXIT;
	return exit->reason == VSM_EXIT_INTERRUPTED ? GUEST_STOPPED : GUEST_EXIT;
}

enum guest_outcome guest_run(struct vsm_vp *vp)
{
	const struct vsm_exit *exit;

	REQUIRE(vsm_vp_run(vp, &exit) == 0);
	return exit->reason == VSM_EXIT_INTERRUPTED ? GUEST_DONE : GUEST_EXIT;
}

enum guest_outcome guest_read(struct vsm_vp *vp, uint64_t gva, uint8_t size, uint64_t *value)
{
	return guest_do(vp, (struct sim_action){.kind = SIM_READ, .address = gva, .size = size},
			value);
}

enum guest_outcome guest_write(struct vsm_vp *vp, uint64_t gva, uint8_t size, uint64_t value)
{
	return guest_do(vp,
			(struct sim_action){
				.kind = SIM_WRITE, .address = gva, .size = size, .value = value},
			NULL);
}

enum guest_outcome guest_execute(struct vsm_vp *vp, uint64_t gva, bool user)
{
	return guest_do(
		vp,
		(struct sim_action){.kind = SIM_EXECUTE, .address = gva, .size = 1, .user = user},
		NULL);
}

enum guest_outcome guest_rdmsr(struct vsm_vp *vp, uint32_t msr, uint64_t *value)
{
	return guest_do(vp, (struct sim_action){.kind = SIM_RDMSR, .address = msr}, value);
}

enum guest_outcome guest_wrmsr(struct vsm_vp *vp, uint32_t msr, uint64_t value)
{
	return guest_do(vp, (struct sim_action){.kind = SIM_WRMSR, .address = msr, .value = value},
			NULL);
}

enum guest_outcome guest_halt(struct vsm_vp *vp)
{
	return guest_do(vp, (struct sim_action){.kind = SIM_HALT}, NULL);
}

enum guest_outcome guest_nop(struct vsm_vp *vp)
{
	return guest_do(vp, (struct sim_action){.kind = SIM_NOP}, NULL);
}

uint64_t guest_gpr(struct vsm_vp *vp, uint8_t vtl, unsigned int gpr)
{
	return vcpu_get(vp, vtl, VCPU_GPR)->gpr[gpr];
}

void guest_set_gpr(struct vsm_vp *vp, uint8_t vtl, unsigned int gpr, uint64_t value)
{
	vcpu_edit(vp, vtl, VCPU_GPR)->gpr[gpr] = value;
}

enum guest_outcome guest_hypercall(struct vsm_vp *vp, uint64_t control, uint64_t input,
				   uint64_t output, uint64_t *result)
{
	uint8_t vtl = vp->active_vtl;
	enum guest_outcome outcome;

	guest_set_gpr(vp, vtl, GPR_RCX, control);
	guest_set_gpr(vp, vtl, GPR_RDX, input);
	guest_set_gpr(vp, vtl, GPR_R8, output);
	outcome = guest_do(vp, (struct sim_action){.kind = SIM_HYPERCALL}, NULL);
	if (result)
		*result = guest_gpr(vp, vtl, GPR_RAX);
	return outcome;
}

uint8_t *guest_ram(struct vsm_partition *partition, uint64_t gpa)
{
	struct memory *memory = &partition->memory;
	uint8_t *host = NULL;

	pthread_rwlock_rdlock(&memory->lock);
	for (uint32_t i = 0; i < memory->region_count && !host; i++) {
		const struct ram_region *region = &memory->region[i];

		if (gpa / CORE_PAGE_SIZE - region->gpn < region->pages)
			host = region->host + (gpa - region->gpn * CORE_PAGE_SIZE);
	}
	pthread_rwlock_unlock(&memory->lock);
	REQUIRE(host);
	return host;
}

uint64_t guest_call(struct vsm_vp *vp, uint64_t control, const void *input, size_t input_size,
		    void *output, size_t output_size)
{
	const uint64_t input_gpa = GUEST_PARAMETER_GPA, output_gpa = GUEST_PARAMETER_GPA + 0x1000;
	uint64_t result = 0;

	if (input_size)
		memcpy(guest_ram(vp->partition, input_gpa), input, input_size);
	REQUIRE(guest_hypercall(vp, control, input_gpa, output_gpa, &result) == GUEST_DONE);
	if (output_size)
		memcpy(output, guest_ram(vp->partition, output_gpa), output_size);
	return result;
}

static enum guest_outcome guest_switch(struct vsm_vp *vp, uint64_t control, uint64_t input)
{
	guest_set_gpr(vp, vp->active_vtl, GPR_RCX, control);
	guest_set_gpr(vp, vp->active_vtl, GPR_RAX, input);
	return guest_do(vp, (struct sim_action){.kind = SIM_HYPERCALL}, NULL);
}

enum guest_outcome guest_vtl_call(struct vsm_vp *vp)
{
	return guest_switch(vp, HV_CALL_VTL_CALL, 0);
}

enum guest_outcome guest_vtl_return(struct vsm_vp *vp, bool fast)
{
	return guest_switch(vp, HV_CALL_VTL_RETURN, fast ? HV_VTL_RETURN_FAST : 0);
}

struct hv_initial_vp_context guest_context(uint64_t rip, uint64_t rsp)
{
	const struct hv_x64_segment_register code = {
		.limit = 0xffffffff, .selector = 0x08, .attributes = 0xa09b};
	const struct hv_x64_segment_register data = {
		.limit = 0xffffffff, .selector = 0x10, .attributes = 0xc093};

	return (struct hv_initial_vp_context){
		.rip = rip,
		.rsp = rsp,
		.rflags = X64_RFLAGS_FIXED,
		.cs = code,
		.ds = data,
		.es = data,
		.fs = data,
		.gs = data,
		.ss = data,
		.tr = {.limit = 0x67, .selector = 0x18, .attributes = 0x8b},
		.efer = X64_EFER_LME | X64_EFER_LMA | X64_EFER_NXE,
		.cr0 = X64_CR0_PE | X64_CR0_NE | X64_CR0_ET | X64_CR0_WP | X64_CR0_PG,
		.cr3 = GUEST_TABLES_GPA,
		.cr4 = X64_CR4_PAE,
		.pat = X64_PAT_RESET,
	};
}

void guest_set_long_mode(struct vsm_vp *vp, uint8_t vtl)
{
	struct hv_initial_vp_context context = guest_context(0x10000, 0x8000);
	struct vcpu_state *cpu = vcpu_edit(vp, vtl, VCPU_GPR | VCPU_SYSTEM);

	cpu->rip = context.rip;
	cpu->gpr[GPR_RSP] = context.rsp;
	cpu->rflags = X64_RFLAGS_FIXED | X64_RFLAGS_IF;
	cpu->cr0 = context.cr0;
	cpu->cr3 = context.cr3;
	cpu->cr4 = context.cr4;
	cpu->efer = context.efer;
	cpu->segment[SEGMENT_CS] = context.cs;
	cpu->segment[SEGMENT_SS] = context.ss;
	cpu->segment[SEGMENT_DS] = context.ds;
	cpu->segment[SEGMENT_ES] = context.es;
	cpu->segment[SEGMENT_FS] = context.fs;
	cpu->segment[SEGMENT_GS] = context.gs;
	cpu->segment[SEGMENT_TR] = context.tr;
}

int guest_save_write(void *opaque, const void *data, size_t size)
{
	struct guest_saved *saved = opaque;
	uint8_t *grown = realloc(saved->bytes, saved->size + size);

	if (!grown)
		return -ENOMEM;
	memcpy(grown + saved->size, data, size);
	saved->bytes = grown;
	saved->size += size;
	return 0;
}

static void print_log(void *opaque, const struct vsm_log_record *record)
{
	(void)opaque;
	fprintf(stderr, "# %s: %s: %s\n", vsm_log_level_name(record->level), record->function,
		record->text);
}

/* Maps the first 512 GiB to themselves, with 1 GiB pages, for user and supervisor. */
static void identity_map(uint8_t *ram)
{
	uint64_t *pml4 = (uint64_t *)(void *)(ram + GUEST_TABLES_GPA);
	uint64_t *pdpt = (uint64_t *)(void *)(ram + GUEST_TABLES_GPA + CORE_PAGE_SIZE);

	pml4[0] = (GUEST_TABLES_GPA + CORE_PAGE_SIZE) | 0x27;
	for (uint64_t i = 0; i < 512; i++)
		pdpt[i] = i << 30 | 0xe7;
}

struct vsm_partition *guest_partition(uint32_t vps, uint8_t max_vtl, uint64_t ram,
				      const struct sim_options *options)
{
	struct vsm_config config;
	struct vsm_partition *partition = NULL;
	void *host = NULL;

	vsm_config_init(&config);
	config.vp_count = vps;
	config.max_vtl = max_vtl;
	/* Tests also use this privilege. */
	config.privileges |= HV_PRIVILEGE(ACCESS_PARTITION_ID);
	config.log.fn = getenv("VSM_TEST_LOG") ? print_log : NULL;
	config.log.max_level = VSM_LOG_DEBUG;
	if (options) {
		config.smm = options->smm;
		config.refused = options->refused;
		config.refused_opaque = options->refused_opaque;
	}
	REQUIRE(partition_create(&config, &sim_ops, options, &partition) == 0);
	REQUIRE(vsm_memory_add(partition, 0, ram, -1, 0, &host) == 0);
	if (ram >= GUEST_TABLES_GPA + 2 * CORE_PAGE_SIZE)
		identity_map(host);
	for (uint32_t i = 0; i < vps; i++) {
		struct vsm_vp *vp = vsm_partition_vp(partition, i);

		guest_set_long_mode(vp, 0);
		vp->vtl[0].activity = VP_RUNNING;
		vsm_lapic_software_enable(&vp->vtl[0].lapic);
	}
	return partition;
}

static void enable_vtl(struct vsm_partition *partition, uint8_t vtl, uint8_t flags)
{
	struct hv_enable_partition_vtl_input enable = {
		.partition_id = HV_PARTITION_ID_SELF,
		.target_vtl = vtl,
		.flags = flags,
	};
	struct vsm_vp *vp = vsm_partition_vp(partition, 0);
	uint8_t caller = vp->active_vtl;

	REQUIRE(guest_call(vp, HV_CALL_ENABLE_PARTITION_VTL, &enable, sizeof(enable), NULL, 0) ==
		0);
	for (uint32_t i = 0; i < partition->vp_count; i++) {
		struct hv_enable_vp_vtl_input input = {
			.partition_id = HV_PARTITION_ID_SELF,
			.vp_index = i,
			.target_vtl = vtl,
			.context = guest_context(0x20000 + 0x1000u * vtl, 0x9000),
		};

		REQUIRE(guest_call(vp, HV_CALL_ENABLE_VP_VTL, &input, sizeof(input), NULL, 0) == 0);
		if (i == 0 && partition->vp_count > 1)
			REQUIRE(guest_vtl_call(vp) == GUEST_DONE);
	}
	if (vp->active_vtl != caller)
		REQUIRE(guest_vtl_return(vp, true) == GUEST_DONE);
}

void guest_enable_vtl(struct vsm_partition *partition, uint8_t vtl)
{
	enable_vtl(partition, vtl, 0);
}

void guest_enable_vtl_mbec(struct vsm_partition *partition, uint8_t vtl)
{
	enable_vtl(partition, vtl, HV_ENABLE_PARTITION_VTL_MBEC);
}
