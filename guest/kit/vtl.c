/* SPDX-License-Identifier: BSD-2-Clause */
#include "kit/vtl.h"

#include "kit/console.h"
#include "kit/hypercall.h"
#include "kit/memory.h"
#include "kit/smp.h"
#include "kit/x64.h"

struct vtl_service *vtl_service_of[CPU_MAX][VTL_COUNT];
static uint64_t page_tables[VTL_COUNT];

void vtl_first_entry(void);

struct vtl_service *vtl_service(void)
{
	const struct cpu *cpu = cpu_current();

	return vtl_service_of[cpu->vp][cpu->vtl];
}

uint16_t vtl_enable_partition(uint8_t vtl, uint8_t flags)
{
	const struct hv_enable_partition_vtl_input input = {
		.partition_id = HV_PARTITION_ID_SELF, .target_vtl = vtl, .flags = flags};

	return hypercall(HV_CALL_ENABLE_PARTITION_VTL, &input, sizeof(input), NULL, 0);
}

uint16_t vtl_enable_vp(uint32_t vp, uint8_t vtl)
{
	struct hv_enable_vp_vtl_input input = {
		.partition_id = HV_PARTITION_ID_SELF, .vp_index = vp, .target_vtl = vtl};
	struct cpu *cpu = cpu_prepare(vp, vtl);

	if (!vtl_service_of[vp][vtl])
		vtl_service_of[vp][vtl] =
			memory_pages((sizeof(struct vtl_service) + PAGE_SIZE - 1) / PAGE_SIZE);
	if (!page_tables[vtl])
		page_tables[vtl] = paging_create();
	vtl_context(&input.context, cpu, vtl_first_entry, page_tables[vtl]);
	return hypercall(HV_CALL_ENABLE_VP_VTL, &input, sizeof(input), NULL, 0);
}

struct enabling {
	uint8_t vtl;
	uint8_t flags;
	uint16_t status;
};

static void enable_first(void *argument)
{
	struct enabling *enabling = argument;

	enabling->status = vtl_enable_partition(enabling->vtl, enabling->flags);
	if (enabling->status == HV_STATUS_SUCCESS)
		enabling->status = vtl_enable_vp(0, enabling->vtl);
}

static void enable_others(void *argument)
{
	struct enabling *enabling = argument;

	for (uint32_t vp = 1; vp < smp_count && enabling->status == HV_STATUS_SUCCESS; vp++)
		enabling->status = vtl_enable_vp(vp, enabling->vtl);
}

static void nothing(void *argument)
{
	(void)argument;
}

uint16_t vtl_enable_all(uint8_t vtl)
{
	return vtl_enable_all_with(vtl, 0);
}

uint16_t vtl_enable_all_with(uint8_t vtl, uint8_t flags)
{
	struct enabling enabling = {.vtl = vtl, .flags = flags};

	vtl_run_in((uint8_t)(vtl - 1), enable_first, &enabling);
	if (enabling.status != HV_STATUS_SUCCESS)
		return enabling.status;
	vtl_run_in(vtl, enable_others, &enabling);
	for (uint32_t vp = 0; vp < smp_count; vp++)
		vtl_run_on(vp, vtl, nothing, NULL);
	return enabling.status;
}

static const uint8_t *stub(uint32_t shift)
{
	static uint32_t offsets[VTL_COUNT];
	const uint8_t vtl = cpu_current()->vtl;

	if (!offsets[vtl])
		offsets[vtl] = (uint32_t)register_own(HV_REGISTER_VSM_CODE_PAGE_OFFSETS);
	return hypercall_page[vtl] + (offsets[vtl] >> shift & 0xfff);
}

void vtl_run(vtl_work *work, void *argument)
{
	const struct cpu *cpu = cpu_current();
	struct vtl_service *above = vtl_service_of[cpu->vp][cpu->vtl + 1];
	const uint8_t *call = stub(HV_VSM_CODE_PAGE_CALL_SHIFT);

	above->work = work;
	above->argument = argument;
	vtl_call_stub(call);
}

struct further {
	uint8_t vtl;
	vtl_work *work;
	void *argument;
};

static void run_further(void *argument)
{
	const struct further *further = argument;

	vtl_run_in(further->vtl, further->work, further->argument);
}

void vtl_run_in(uint8_t vtl, vtl_work *work, void *argument)
{
	struct further further = {vtl, work, argument};

	if (cpu_current()->vtl == vtl)
		work(argument);
	else
		vtl_run(run_further, &further);
}

void vtl_run_on(uint32_t vp, uint8_t vtl, vtl_work *work, void *argument)
{
	struct further further = {vtl, work, argument};

	smp_run(vp, run_further, &further);
}

struct protection {
	uint64_t gpa;
	uint64_t count;
	uint32_t flags;
	uint16_t status;
};

static void protect(void *argument)
{
	struct protection *protection = argument;

	protection->status = vtl_protect(protection->gpa, protection->count, protection->flags);
}

uint16_t vtl_protect_by(uint8_t vtl, uint64_t gpa, uint64_t count, uint32_t flags)
{
	struct protection protection = {gpa, count, flags, 0};

	vtl_run_in(vtl, protect, &protection);
	return protection.status;
}

static void set_up(struct cpu *cpu)
{
	cpu_load(cpu);
	cpu->assist = memory_pages(1);
	cpu->messages = memory_pages(1);
	wrmsr(HV_X64_MSR_VP_ASSIST_PAGE, (uint64_t)cpu->assist | HV_PAGE_MSR_ENABLE);
	hypercall_enable();
	wrmsr(HV_X64_MSR_SIMP, (uint64_t)cpu->messages | HV_PAGE_MSR_ENABLE);
	wrmsr(HV_X64_MSR_SINT0, VTL_SINT0_VECTOR);
	wrmsr(HV_X64_MSR_SCONTROL, HV_SYNIC_SCONTROL_ENABLE);
}

static void unexpected(const struct vtl_service *service, const struct hv_message *message)
{
	const struct hv_x64_memory_intercept_message *memory = (const void *)message->payload;

	(void)service;
	machine_crash("unexpected message 0x%x for VTL%u of VP%u: access %u, rip 0x%lx, gpa 0x%lx",
		      message->message_type, cpu_current()->vtl, cpu_current()->vp,
		      memory->header.access_type, memory->header.rip,
		      memory->guest_physical_address);
}

static void take_message(struct cpu *cpu, struct vtl_service *service)
{
	volatile struct hv_message *slot = &cpu->messages->slot[HV_SYNIC_SINT_HYPERVISOR];
	struct hv_message *message = &service->log[service->intercepts % VTL_LOG];

	if (slot->message_type == HV_MESSAGE_TYPE_NONE)
		return;
	memcpy(message, (const void *)(uintptr_t)slot, sizeof(*message));
	slot->message_type = HV_MESSAGE_TYPE_NONE;
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	if (slot->flags & HV_MESSAGE_FLAG_PENDING)
		wrmsr(HV_X64_MSR_EOM, 0);
	service->intercepts++;
	if (service->on_intercept)
		service->on_intercept(service, message);
	else
		unexpected(service, message);
}

/* Stores the lower VTL's RAX and RCX in the assist page, since some hypervisors do not. */
static void fill_return_fields(struct cpu *cpu, struct vtl_service *service)
{
	struct hv_vp_vtl_control *control = &cpu->assist->vtl_control;

	if (service->keep_return_fields)
		return;
	/* These fields are for a VTL return from 64-bit mode. */
	control->vtl_return_x64_rax = service->gpr[GPR_RAX];
	control->vtl_return_x64_rcx = service->gpr[GPR_RCX];
}

static void serve(struct cpu *cpu, struct vtl_service *service)
{
	const uint32_t reason = cpu->assist->vtl_control.entry_reason;

	service->entries[reason & 3]++;
	if (reason == HV_VTL_ENTRY_VTL_CALL && service->work) {
		service->work(service->argument);
	} else {
		interrupts_window();
		take_message(cpu, service);
	}
}

void vtl_service_main(const uint64_t gpr[VTL_GPRS]);

/* The first entry is a VTL call or a start of the VP; the loop handles all later entries. */
void vtl_service_main(const uint64_t gpr[VTL_GPRS])
{
	struct cpu *cpu = cpu_current();
	struct vtl_service *service = vtl_service();
	const uint8_t *back;

	memcpy(service->gpr, gpr, sizeof(service->gpr));
	set_up(cpu);
	back = stub(HV_VSM_CODE_PAGE_RETURN_SHIFT);
	/* The assist page was enabled after this entry, so it lacks the entry reason. */
	if (gpr[GPR_RCX] == HV_CALL_VTL_CALL && service->work)
		service->work(service->argument);
	for (;;) {
		const uint64_t fast = service->return_fast ? HV_VTL_RETURN_FAST : 0;

		fill_return_fields(cpu, service);
		service->return_fast = false;
		vtl_switch(service->gpr, back, fast);
		serve(cpu, service);
	}
}

static void must(uint16_t status, const char *what)
{
	if (status != HV_STATUS_SUCCESS)
		machine_crash("%s: status 0x%x", what, status);
}

void vtl_set_lower_rip(uint64_t rip)
{
	const uint8_t lower = (uint8_t)(cpu_current()->vtl - 1);

	must(register_set_u64(HV_VP_INDEX_SELF, input_vtl(lower), HV_X64_REGISTER_RIP, rip),
	     "setting RIP of the lower VTL");
}

void vtl_allow(struct vtl_service *service, const struct hv_message *message)
{
	const struct hv_x64_memory_intercept_message *memory = (const void *)message->payload;

	(void)service;
	must(vtl_protect(memory->guest_physical_address, 1, VTL_PROTECT_ALL), "granting a page");
}

void vtl_skip(struct vtl_service *service, const struct hv_message *message)
{
	const struct hv_x64_intercept_message_header *header = (const void *)message->payload;

	(void)service;
	vtl_set_lower_rip(header->rip +
			  (header->instruction_length_cr8 & HV_INTERCEPT_INSTRUCTION_LENGTH_MASK));
}

void vtl_inject_gp(struct vtl_service *service, const struct hv_message *message)
{
	const uint64_t event = HV_PENDING_EVENT_PENDING |
			       (uint64_t)HV_PENDING_EVENT_EXCEPTION << HV_PENDING_EVENT_TYPE_SHIFT |
			       HV_PENDING_EXCEPTION_DELIVER_ERROR_CODE |
			       (uint64_t)VECTOR_GP << HV_PENDING_EXCEPTION_VECTOR_SHIFT;
	const uint8_t lower = (uint8_t)(cpu_current()->vtl - 1);

	(void)service;
	(void)message;
	must(register_set_u64(HV_VP_INDEX_SELF, input_vtl(lower), HV_REGISTER_PENDING_EVENT0,
			      event),
	     "injecting #GP into the lower VTL");
}
