/* SPDX-License-Identifier: BSD-2-Clause */
/* Random guests: legal and illegal things in random order. After each step the registers, and the
 * pages that the step used as each VTL sees them (P30), are compared with a model of plain arrays.
 * VSM_RANDOM_SEED sets the seed, VSM_RANDOM_STEPS the number of steps of all guests. */
#include "core/memory/overlay.h"
#include "core/state/state.h"
#include "core_test.h"
#include "needs.h"

#include <stdlib.h>

#define GUESTS	   12u
#define TWIN_STEPS 500u	    /* that a guest and its restored twin both execute */
#define STEPS	   1000000u /* of all guests together */
#define VPS	   4u
#define VTLS	   3u
#define PAGES	   48u
#define FIRST_PAGE 0x100u
#define MEMORY	   (2u << 20)
#define SINT	   2u
#define WAITING	   (SYNIC_QUEUE_MAX + 1)
#define WORD_AT	   0x800u /* offset in a page of the 8 bytes that guests use */
#define NOWHERE	   PAGES  /* an overlay that lies on none of these pages */
#define INTERCEPT  0xf8	  /* vector of SINT0, above all others, and never in service (AutoEOI) */

/* Overlays, in the order in which they cover each other. */
static const struct {
	uint32_t msr;
	uint32_t name;
	uint8_t access;
	bool per_vp;
} kinds_of_overlay[OVERLAY_KIND_COUNT] = {
	[OVERLAY_HYPERCALL] = {HV_X64_MSR_HYPERCALL, HV_X64_REGISTER_HYPERCALL,
			       GPA_READ | GPA_EXECUTE, false},
	[OVERLAY_REFERENCE_TSC] = {HV_X64_MSR_REFERENCE_TSC, HV_REGISTER_REFERENCE_TSC, GPA_READ,
				   false},
	[OVERLAY_ASSIST] = {HV_X64_MSR_VP_ASSIST_PAGE, HV_REGISTER_VP_ASSIST_PAGE,
			    GPA_READ | GPA_WRITE, true},
	[OVERLAY_SIEF] = {HV_X64_MSR_SIEFP, HV_REGISTER_SIFP, GPA_READ | GPA_WRITE, true},
	[OVERLAY_SIM] = {HV_X64_MSR_SIMP, HV_REGISTER_SIPP, GPA_READ | GPA_WRITE, true},
};

struct model_overlay {
	uint32_t page; /* or NOWHERE */
	uint64_t word;
};

struct model_vtl {
	uint64_t rsp;
	bool interrupts_on;
	bool pending[256];
	bool in_service[256];
	uint32_t seen; /* interrupts of the sim's log that the model has checked */
	uint32_t message[WAITING];
	uint32_t messages;
};

struct model_vp {
	uint8_t active;
	uint64_t shared[GPR_COUNT];
	struct model_vtl vtl[VTLS];
};

struct model {
	unsigned int vps;
	uint8_t vtls;
	uint64_t word[PAGES];
	uint8_t allowed[VTLS][VTLS][PAGES]; /* [owner][restricted] */
	struct model_overlay overlay[VTLS][OVERLAY_KIND_COUNT][VPS];
	uint64_t os_id[VTLS];
	struct model_vp vp[VPS];
	uint32_t next_message;
};

struct guest {
	struct model model;
	struct vsm_partition *partition;
	uint64_t random;
	uint64_t seed;
	unsigned int step;
	const char *doing;
};

#define CHECK(guest, condition)                                                                    \
	do {                                                                                       \
		if (!(condition))                                                                  \
			fail_msg("seed %llu, step %u (%s): %s", (unsigned long long)(guest)->seed, \
				 (guest)->step, (guest)->doing, #condition);                       \
	} while (0)

/* xorshift64* */
static uint32_t below(struct guest *guest, uint32_t bound)
{
	guest->random ^= guest->random >> 12;
	guest->random ^= guest->random << 25;
	guest->random ^= guest->random >> 27;
	/* NOLINTNEXTLINE(clang-analyzer-core.DivideZero): @bound is never 0 */
	return (uint32_t)((guest->random * UINT64_C(2685821657736338717)) >> 33) % bound;
}

/* The rights of a VTL: those that all higher VTLs permit. */
static uint8_t rights(const struct model *model, uint8_t vtl, uint32_t page)
{
	uint8_t access = GPA_ALL;

	for (unsigned int owner = vtl + 1u; owner < model->vtls; owner++)
		access &= model->allowed[owner][vtl][page];
	return access;
}

/* The VTL that receives the intercept of a denied access first: the lowest that denies it. */
static uint8_t denier(const struct model *model, uint8_t vtl, uint32_t page, uint8_t access)
{
	for (unsigned int owner = vtl + 1u; owner < model->vtls; owner++)
		if (!(model->allowed[owner][vtl][page] & access))
			return (uint8_t)owner;
	return 0;
}

/* Sets @word to what a VTL reads at a page: an overlay if the VTL may read the page and, except for
 * the hypercall page, write it; otherwise RAM. Returns the permitted accesses. */
static uint8_t seen_word(struct model *model, uint8_t vtl, uint32_t page, uint64_t **word)
{
	const uint8_t given = rights(model, vtl, page);

	*word = &model->word[page];
	for (unsigned int kind = 0; kind < OVERLAY_KIND_COUNT; kind++) {
		const uint8_t access = kinds_of_overlay[kind].access;
		const uint8_t needed = kind == OVERLAY_HYPERCALL ? GPA_READ : GPA_READ | GPA_WRITE;

		for (unsigned int vp = 0; vp < model->vps && (given & needed) == needed; vp++) {
			struct model_overlay *overlay = &model->overlay[vtl][kind][vp];

			if (overlay->page != page)
				continue;
			*word = &overlay->word;
			return given & access;
		}
	}
	return given;
}

static int highest(const bool *set)
{
	for (int i = 255; i >= 0; i--)
		if (set[i])
			return i;
	return -1;
}

/* The vector that the APIC of a VTL would give now, or -1. */
static int deliverable(const struct model_vtl *vtl)
{
	int pending = highest(vtl->pending);

	return pending >= 0 && pending >> 4 > (highest(vtl->in_service) < 0
						       ? 0
						       : highest(vtl->in_service) >> 4)
		       ? pending
		       : -1;
}

static void arbitrate(const struct model *model, struct model_vp *vp)
{
	for (unsigned int vtl = model->vtls - 1; vtl > vp->active; vtl--) {
		if (deliverable(&vp->vtl[vtl]) >= 0) {
			vp->active = (uint8_t)vtl;
			return;
		}
	}
}

static struct vsm_vp *real(const struct guest *guest, unsigned int vp)
{
	return vsm_partition_vp(guest->partition, vp);
}

static void take_deliveries(struct guest *guest, unsigned int index)
{
	for (uint8_t number = 0; number < guest->model.vtls; number++) {
		struct model_vtl *vtl = &guest->model.vp[index].vtl[number];
		const struct sim_vtl *log = sim_state(real(guest, index), number);

		for (; vtl->seen < log->interrupts; vtl->seen++) {
			int vector = log->interrupt[vtl->seen % SIM_LOG_MAX];

			CHECK(guest, vector == deliverable(vtl));
			CHECK(guest, vtl->interrupts_on);
			vtl->pending[vector] = false;
			vtl->in_service[vector] = vector != INTERCEPT;
		}
	}
}

static const unsigned int kept[] = {GPR_RBX, GPR_RBP, GPR_RSI, GPR_RDI, GPR_R8 + 1, GPR_R15};

static void compare(struct guest *guest, unsigned int index)
{
	struct vsm_vp *vp = real(guest, index);
	struct model_vp *model = &guest->model.vp[index];

	take_deliveries(guest, index);
	CHECK(guest, vp->active_vtl == model->active);
	CHECK(guest, atomic_load(&vp->enabled_vtls) & vtl_bit(vp->active_vtl));
	for (size_t i = 0; i < sizeof(kept) / sizeof(kept[0]); i++)
		CHECK(guest, guest_gpr(vp, model->active, kept[i]) == model->shared[kept[i]]);
	for (uint8_t vtl = 0; vtl < guest->model.vtls; vtl++) {
		CHECK(guest, guest_gpr(vp, vtl, GPR_RSP) == model->vtl[vtl].rsp);
		CHECK(guest, vsm_lapic_highest_isr(&vp->vtl[vtl].lapic) ==
				     highest(model->vtl[vtl].in_service));
	}
}

static void compare_memory(struct guest *guest, uint32_t page)
{
	const uint64_t gpa = (FIRST_PAGE + page) * UINT64_C(4096) + WORD_AT;
	uint64_t word, *seen;

	memcpy(&word, guest_ram(guest->partition, gpa), sizeof(word));
	CHECK(guest, word == guest->model.word[page]);
	for (uint8_t vtl = 0; vtl < guest->model.vtls; vtl++) {
		const uint8_t access = seen_word(&guest->model, vtl, page, &seen);
		uint8_t byte = 0;

		CHECK(guest, sim_access(guest->partition, vtl, FIRST_PAGE + page) ==
				     rights(&guest->model, vtl, page));
		CHECK(guest, sim_view(guest->partition, vtl, gpa, &byte) == access);
		CHECK(guest, !(access & GPA_READ) || byte == (uint8_t)*seen);
	}
}

/* Runs the VP until its active VTL has accepted all deliverable interrupts, unless its IF is clear. */
static void run(struct guest *guest, unsigned int index)
{
	struct model_vp *model = &guest->model.vp[index];

	/* One entry delivers one vector. After an AutoEOI vector the next one can follow. */
	for (unsigned int entry = 0; entry < 3; entry++) {
		arbitrate(&guest->model, model);
		guest_run(real(guest, index));
		take_deliveries(guest, index);
	}
	CHECK(guest, !model->vtl[model->active].interrupts_on ||
			     deliverable(&model->vtl[model->active]) < 0);
}

typedef void step_fn(struct guest *guest, unsigned int index);

static void drop_action(struct vsm_vp *vp, uint8_t vtl)
{
	sim_next(vp, vtl, &(struct sim_action){.kind = SIM_NOTHING});
}

static void take_intercept(struct guest *guest, unsigned int index, uint8_t vtl, uint32_t page)
{
	struct model_vp *own = &guest->model.vp[index];
	uint64_t slot = SIM_GPA(vtl) + index * 0x8000u, value;

	own->active = vtl;
	own->vtl[vtl].pending[INTERCEPT] = true;
	run(guest, index);
	CHECK(guest, real(guest, index)->active_vtl == vtl);
	CHECK(guest, guest_read(real(guest, index), slot, 4, &value) == GUEST_DONE);
	CHECK(guest, value == HV_MESSAGE_TYPE_GPA_INTERCEPT);
	CHECK(guest, guest_read(real(guest, index), slot + 16 + 56, 8, &value) == GUEST_DONE);
	CHECK(guest, value >> 12 == FIRST_PAGE + page);
	CHECK(guest, guest_write(real(guest, index), slot, 4, 0) == GUEST_DONE);
}

static void use_memory(struct guest *guest, unsigned int index)
{
	static const struct {
		enum sim_kind kind;
		uint8_t access;
	} kinds[] = {{SIM_READ, GPA_READ}, {SIM_WRITE, GPA_WRITE}, {SIM_EXECUTE, GPA_USER_EXECUTE}};
	struct model *model = &guest->model;
	struct vsm_vp *vp = real(guest, index);
	uint8_t vtl = vp->active_vtl, access, may;
	uint32_t page = below(guest, PAGES), what = below(guest, 3);
	uint64_t value = (uint64_t)below(guest, UINT32_MAX) << 32 | guest->step;
	uint64_t rip = vcpu_get(vp, vtl, VCPU_GPR)->rip;
	struct sim_action action = {
		.kind = kinds[what].kind,
		.address = (FIRST_PAGE + page) * UINT64_C(4096) + WORD_AT,
		.size = 8,
		.value = what == 1 ? value : 0,
	};
	uint64_t *seen;
	enum guest_outcome outcome;

	guest->doing = "memory";
	access = kinds[what].access;
	may = seen_word(model, vtl, page, &seen);
	outcome = guest_do(vp, action, &value);
	if (may & access) {
		CHECK(guest, outcome == GUEST_DONE);
		if (what == 1)
			*seen = value;
		else if (what == 0)
			CHECK(guest, value == *seen);
	} else if (rights(model, vtl, page) & access) {
		/* Denied by the overlay itself. */
		CHECK(guest, outcome == GUEST_FAULT);
	} else {
		/* The guest read nothing, the access had no effect, RIP is at the instruction. */
		CHECK(guest, outcome == GUEST_STOPPED);
		CHECK(guest, what != 0 || value == 0);
		CHECK(guest, vcpu_get(vp, vtl, VCPU_GPR)->rip == rip);
		drop_action(vp, vtl);
		take_intercept(guest, index, denier(model, vtl, page, access), page);
	}
	compare_memory(guest, page);
}

static void switch_vtl(struct guest *guest, unsigned int index)
{
	struct model *model = &guest->model;
	struct model_vp *own = &model->vp[index];
	bool call = below(guest, 2), bad = below(guest, 8) == 0;
	bool legal = !bad && (call ? own->active + 1u < model->vtls : own->active > 0);
	struct vsm_vp *vp = real(guest, index);
	enum guest_outcome outcome;

	guest->doing = call ? "VTL call" : "VTL return";
	guest_set_gpr(vp, own->active, GPR_RCX, call ? HV_CALL_VTL_CALL : HV_CALL_VTL_RETURN);
	guest_set_gpr(vp, own->active, GPR_RAX, bad ? 4 : call ? 0 : below(guest, 2));
	outcome = guest_do(vp, (struct sim_action){.kind = SIM_HYPERCALL}, NULL);
	CHECK(guest, outcome == (legal ? GUEST_DONE : GUEST_FAULT));
	if (legal)
		own->active = (uint8_t)(call ? own->active + 1 : own->active - 1);
	arbitrate(model, own);
}

static void protect(struct guest *guest, unsigned int index)
{
	static const uint8_t legal[] = {0, GPA_READ, GPA_READ | GPA_WRITE, GPA_READ | GPA_EXECUTE,
					GPA_ALL};
	struct model *model = &guest->model;
	uint8_t caller = model->vp[index].active;
	bool bad = below(guest, 6) == 0, named = below(guest, 2);
	uint8_t target = (uint8_t)below(guest, VTLS);
	uint32_t page = below(guest, PAGES - 2), count = 1 + below(guest, 2);
	struct {
		uint64_t partition_id;
		uint32_t flags;
		uint8_t vtl;
		uint8_t reserved[3];
		uint64_t gpn[2];
	} input = {
		.partition_id = HV_PARTITION_ID_SELF,
		.flags = bad ? GPA_WRITE : legal[below(guest, sizeof(legal))],
		.vtl = named ? (uint8_t)(HV_INPUT_VTL_USE_TARGET | target) : 0,
		.gpn = {FIRST_PAGE + page, FIRST_PAGE + page + 1},
	};
	uint64_t result;

	guest->doing = "protection";
	result = guest_call(real(guest, index),
			    HV_CALL_MODIFY_VTL_PROTECTION_MASK | (uint64_t)count << 32, &input,
			    sizeof(input), NULL, 0);
	if (!named)
		target = caller;
	if (target == 0 || bad || target > caller) {
		CHECK(guest, (uint16_t)result != HV_STATUS_SUCCESS);
		return;
	}
	CHECK(guest, (uint16_t)result == HV_STATUS_SUCCESS);
	for (uint8_t vtl = 0; vtl < target; vtl++)
		for (uint32_t i = 0; i < count; i++)
			model->allowed[target][vtl][page + i] = (uint8_t)input.flags;
	for (uint32_t i = 0; i < 2; i++)
		compare_memory(guest, page + i);
}

static uint64_t sim_home(uint8_t vtl, unsigned int vp)
{
	return SIM_GPA(vtl) + vp * 0x8000u;
}

/* By the VTL's own WRMSR, or by HvCallSetVpRegisters of a higher VTL. */
static void place_overlay(struct guest *guest, unsigned int index)
{
	const uint8_t needed = GPA_READ | GPA_WRITE;
	struct model *model = &guest->model;
	uint8_t caller = model->vp[index].active, vtl = caller;
	uint32_t kind = below(guest, OVERLAY_KIND_COUNT), page = below(guest, PAGES), vp = index;
	bool by_register = caller > 0 && below(guest, 3) == 0, off = below(guest, 4) == 0, done;
	struct model_overlay *overlay;
	uint64_t value;
	uint32_t old;

	guest->doing = "overlay";
	if (by_register) {
		vtl = (uint8_t)below(guest, caller);
		vp = below(guest, model->vps);
	}
	/* Higher VTLs need their SIM page for intercepts. Without a guest OS identity there is no hypercall
	 * page. */
	if ((kind == OVERLAY_SIM && vtl > 0) || (kind == OVERLAY_HYPERCALL && !model->os_id[vtl]))
		return;
	overlay = &model->overlay[vtl][kind][kinds_of_overlay[kind].per_vp ? vp : 0];
	old = overlay->page;
	value = !off		      ? (FIRST_PAGE + page) * UINT64_C(4096) | HV_PAGE_MSR_ENABLE
		: kind == OVERLAY_SIM ? sim_home(vtl, vp) | HV_PAGE_MSR_ENABLE
				      : 0;
	if (by_register)
		done = guest_set_register(real(guest, index), vp, HV_INPUT_VTL_USE_TARGET | vtl,
					  kinds_of_overlay[kind].name, value) == HV_STATUS_SUCCESS;
	else
		done = guest_wrmsr(real(guest, index), kinds_of_overlay[kind].msr, value) ==
		       GUEST_DONE;
	CHECK(guest, done == (off || old == page || (rights(model, vtl, page) & needed) == needed));
	if (done) {
		/* The hypervisor zeroes an assist page when it is enabled. */
		if (kind == OVERLAY_ASSIST && old == NOWHERE)
			overlay->word = 0;
		overlay->page = off ? NOWHERE : page;
	}
	if (old != NOWHERE)
		compare_memory(guest, old);
	compare_memory(guest, page);
}

static void set_general(struct guest *guest, unsigned int index)
{
	struct model_vp *own = &guest->model.vp[index];
	unsigned int gpr = kept[below(guest, sizeof(kept) / sizeof(kept[0]))];

	own->shared[gpr] = guest->step;
	guest_set_gpr(real(guest, index), own->active, gpr, guest->step);
	own->vtl[own->active].rsp = guest->step * 8u;
	guest_set_gpr(real(guest, index), own->active, GPR_RSP, guest->step * 8u);
}

static void set_registers(struct guest *guest, unsigned int index)
{
	struct model *model = &guest->model;
	uint8_t caller = model->vp[index].active, target = (uint8_t)below(guest, VTLS);
	uint32_t other = below(guest, model->vps + 1);
	uint64_t value = (uint64_t)guest->step << 12;
	uint16_t status;

	guest->doing = "registers";
	status = guest_set_register(real(guest, index), other, HV_INPUT_VTL_USE_TARGET | target,
				    HV_X64_REGISTER_RSP, value);
	/* Only registers of lower VTLs of existing VPs can be set. */
	if (target >= caller || other == model->vps) {
		CHECK(guest, status != HV_STATUS_SUCCESS);
		return;
	}
	CHECK(guest, status == HV_STATUS_SUCCESS);
	model->vp[other].vtl[target].rsp = value;
}

static void use_msr(struct guest *guest, unsigned int index)
{
	struct model *model = &guest->model;
	uint8_t vtl = model->vp[index].active;
	uint64_t value;

	guest->doing = "MSR";
	CHECK(guest, guest_rdmsr(real(guest, index), HV_X64_MSR_GUEST_OS_ID, &value) == GUEST_DONE);
	CHECK(guest, value == model->os_id[vtl]);
	model->os_id[vtl] = guest->step;
	CHECK(guest,
	      guest_wrmsr(real(guest, index), HV_X64_MSR_GUEST_OS_ID, guest->step) == GUEST_DONE);
	CHECK(guest, guest_rdmsr(real(guest, index), 0x40000500 + below(guest, 256), &value) ==
			     GUEST_FAULT);
}

static void interrupt(struct guest *guest, unsigned int index)
{
	struct model *model = &guest->model;
	uint32_t other = below(guest, model->vps);
	uint8_t vtl = (uint8_t)below(guest, model->vtls),
		vector = (uint8_t)(0x20 + below(guest, 208));

	guest->doing = "interrupt";
	interrupt_post(real(guest, other), vtl, vector, VSM_LAPIC_EDGE);
	model->vp[other].vtl[vtl].pending[vector] = true;
	run(guest, other);
	compare(guest, other);
}

static void cluster_ipi(struct guest *guest, unsigned int index)
{
	struct model *model = &guest->model;
	uint8_t caller = model->vp[index].active, target = (uint8_t)below(guest, VTLS);
	struct hv_send_synthetic_cluster_ipi_input input = {
		.vector = 0x18 + below(guest, 216),
		.input_vtl = HV_INPUT_VTL_USE_TARGET | target,
		.processor_mask = below(guest, 32),
	};
	uint16_t status;

	guest->doing = "IPI";
	status = (uint16_t)guest_call(real(guest, index), HV_CALL_SEND_SYNTHETIC_CLUSTER_IPI,
				      &input, sizeof(input), NULL, 0);
	CHECK(guest, (status == HV_STATUS_SUCCESS) == (target <= caller));
	for (unsigned int i = 0; target <= caller && i < model->vps; i++) {
		if (!(input.processor_mask >> i & 1))
			continue;
		model->vp[i].vtl[target].pending[input.vector] = true;
		if (i != index)
			run(guest, i);
	}
	/* The sender may have accepted its own IPI in the run that made the call. */
	run(guest, index);
}

/*
 * The active VTL skips its EOI if its assist page is visible and permits it. The bit is set if one
 * interrupt is in service and none is pending.
 */
static bool skip_eoi(struct guest *guest, unsigned int index)
{
	const struct model_vp *own = &guest->model.vp[index];
	const struct model_vtl *vtl = &own->vtl[own->active];
	const struct model_overlay *assist =
		&guest->model.overlay[own->active][OVERLAY_ASSIST][index];
	const uint64_t gpa = (FIRST_PAGE + assist->page) * UINT64_C(4096);
	unsigned int in_service = 0;
	uint64_t value, *seen;

	if (assist->page == NOWHERE)
		return false;
	seen_word(&guest->model, own->active, assist->page, &seen);
	if (seen != &assist->word)
		return false;
	for (unsigned int i = 0; i < 256; i++)
		in_service += vtl->in_service[i];
	CHECK(guest, guest_read(real(guest, index), gpa, 4, &value) == GUEST_DONE);
	CHECK(guest, value == (in_service == 1 && highest(vtl->pending) < 0));
	if (!value)
		return false;
	CHECK(guest, guest_write(real(guest, index), gpa, 4, 0) == GUEST_DONE);
	return true;
}

static void end_interrupt(struct guest *guest, unsigned int index)
{
	struct model_vp *own = &guest->model.vp[index];
	struct model_vtl *vtl = &own->vtl[own->active];
	int ended = highest(vtl->in_service);

	guest->doing = "EOI";
	if (!skip_eoi(guest, index))
		CHECK(guest, guest_wrmsr(real(guest, index), HV_X64_MSR_EOI, 0) == GUEST_DONE);
	if (ended >= 0)
		vtl->in_service[ended] = false;
	arbitrate(&guest->model, own);
}

static void toggle_if(struct guest *guest, unsigned int index)
{
	struct model_vp *own = &guest->model.vp[index];
	struct model_vtl *vtl = &own->vtl[own->active];

	guest->doing = "IF";
	vtl->interrupts_on = !vtl->interrupts_on;
	set_if(real(guest, index), own->active, vtl->interrupts_on);
}

static void send_message(struct guest *guest, unsigned int index)
{
	struct model *model = &guest->model;
	uint32_t other = below(guest, model->vps);
	uint8_t number = (uint8_t)below(guest, model->vtls);
	struct model_vtl *vtl = &model->vp[other].vtl[number];
	struct hv_message message = {.message_type = 1, .payload_size = 4};
	int error;

	guest->doing = "message";
	message.payload[0] = ++model->next_message;
	error = vsm_message_post(guest->partition, other, number, SINT, &message);
	CHECK(guest, error == (vtl->messages == WAITING ? -EAGAIN : 0));
	if (!error)
		vtl->message[vtl->messages++] = model->next_message;
}

/* The guest takes the message from its slot, which must be the oldest one. */
static void take_message(struct guest *guest, unsigned int index)
{
	struct model_vp *own = &guest->model.vp[index];
	struct model_vtl *vtl = &own->vtl[own->active];
	uint64_t slot = sim_home(own->active, index) + 256 * SINT, value;
	struct model_overlay *page = &guest->model.overlay[own->active][OVERLAY_SIM][index];

	guest->doing = "slot";
	/* Another overlay may cover the SIM page: move it to a GPA without others. */
	if (page->page != NOWHERE)
		CHECK(guest, guest_wrmsr(real(guest, index), HV_X64_MSR_SIMP,
					 sim_home(own->active, index) | 1) == GUEST_DONE);
	page->page = NOWHERE;
	CHECK(guest, guest_read(real(guest, index), slot, 4, &value) == GUEST_DONE);
	CHECK(guest, (value != 0) == (vtl->messages != 0));
	if (!value)
		return;
	CHECK(guest, guest_read(real(guest, index), slot + 16, 4, &value) == GUEST_DONE);
	CHECK(guest, value == vtl->message[0]);
	memmove(vtl->message, vtl->message + 1, sizeof(vtl->message) - sizeof(vtl->message[0]));
	vtl->messages--;
	CHECK(guest, guest_write(real(guest, index), slot, 4, 0) == GUEST_DONE);
	if (below(guest, 2))
		CHECK(guest, guest_wrmsr(real(guest, index), HV_X64_MSR_EOM, 0) == GUEST_DONE);
	else
		run(guest, index);
}

static step_fn *const steps[] = {
	use_memory,   use_memory,   use_memory,	   switch_vtl,	  switch_vtl,
	switch_vtl,   protect,	    set_general,   set_registers, use_msr,
	interrupt,    cluster_ipi,  end_interrupt, end_interrupt, toggle_if,
	send_message, take_message, place_overlay, place_overlay,
};

static struct guest_saved save(struct guest *guest)
{
	struct guest_saved file = {0};

	CHECK(guest, vsm_partition_save(guest->partition, guest_save_write, &file) == 0);
	return file;
}

static void live(struct guest *guest)
{
	unsigned int vp = below(guest, guest->model.vps);

	run(guest, vp);
	steps[below(guest, sizeof(steps) / sizeof(steps[0]))](guest, vp);
	for (unsigned int each = 0; each < guest->model.vps; each++)
		compare(guest, each);
}

/* Fields that count time may differ: a pending kick costs one partition an additional entry. */
static void compare_fields(struct guest *guest, const struct state_layout *layout,
			   const uint8_t *one, const uint8_t *other)
{
	for (size_t i = 0; i < layout->fields; i++) {
		const struct state_field *field = &layout->field[i];
		size_t size = (size_t)field->size * field->count;

		if (strcmp(field->name, "tsc") != 0 && strcmp(field->name, "runtime") != 0)
			CHECK(guest, !memcmp(one, other, size));
		one += size;
		other += size;
	}
}

static void same(struct guest *guest, struct guest *twin)
{
	struct guest_saved one = save(guest), other = save(twin);
	struct state_reader mine = {.data = one.bytes, .size = one.size};
	struct state_reader its = {.data = other.bytes, .size = other.size};
	struct state_record record, twin_record;
	const uint8_t *payload, *twin_payload;

	CHECK(guest, one.size == other.size);
	CHECK(guest, state_read_header(&mine) == 0 && state_read_header(&its) == 0);
	do {
		CHECK(guest, state_read(&mine, &record, &payload) == 0);
		CHECK(guest, state_read(&its, &twin_record, &twin_payload) == 0);
		record.crc = twin_record.crc;
		CHECK(guest, !memcmp(&record, &twin_record, sizeof(record)));
		if (!strcmp(record.name, "partition"))
			compare_fields(guest, &state_layout_partition, payload, twin_payload);
		else if (!strcmp(record.name, "vp"))
			compare_fields(guest, &state_layout_vp, payload, twin_payload);
		else
			CHECK(guest, !memcmp(payload, twin_payload, record.length));
	} while (strcmp(record.name, "end") != 0);
	CHECK(guest,
	      !memcmp(guest_ram(guest->partition, 0), guest_ram(twin->partition, 0), MEMORY));
	free(one.bytes);
	free(other.bytes);
}

/* Restores the saved guest to a twin. Both execute equal steps and must be equal at the end; then the twin
 * replaces the guest. */
static void move(struct guest *guest)
{
	struct guest_saved file;
	struct guest twin;

	guest->doing = "save and restore";
	file = save(guest);
	twin = *guest;
	twin.partition =
		guest_partition(guest->model.vps, (uint8_t)(guest->model.vtls - 1), MEMORY, NULL);
	memcpy(guest_ram(twin.partition, 0), guest_ram(guest->partition, 0), MEMORY);
	CHECK(guest, vsm_partition_restore(twin.partition, file.bytes, file.size) == 0);
	free(file.bytes);
	for (unsigned int vp = 0; vp < guest->model.vps; vp++) {
		for (uint8_t vtl = 0; vtl < guest->model.vtls; vtl++) {
			/* The instruction at RIP is not part of the saved state: copy it. */
			sim_next(real(&twin, vp), vtl, &sim_state(real(guest, vp), vtl)->action);
			twin.model.vp[vp].vtl[vtl].seen = 0;
		}
	}
	same(guest, &twin);
	for (unsigned int i = 0; i < TWIN_STEPS; i++) {
		live(guest);
		live(&twin);
	}
	guest->doing = twin.doing = "the same steps after a restore";
	same(guest, &twin);
	vsm_partition_destroy(guest->partition);
	*guest = twin;
	for (uint32_t page = 0; page < PAGES; page++)
		compare_memory(guest, page);
}

static void set_up_vtl(struct guest *guest, unsigned int index)
{
	struct vsm_vp *vp = real(guest, index);
	uint8_t vtl = vp->active_vtl;
	struct model_vtl *own = &guest->model.vp[index].vtl[vtl];

	assert_int_equal(guest_wrmsr(vp, HV_X64_MSR_SCONTROL, 1), GUEST_DONE);
	assert_int_equal(guest_wrmsr(vp, HV_X64_MSR_SIMP, sim_home(vtl, index) | 1), GUEST_DONE);
	assert_int_equal(guest_wrmsr(vp, HV_X64_MSR_SINT0 + SINT, HV_SYNIC_SINT_POLLING),
			 GUEST_DONE);
	if (vtl > 0)
		assert_int_equal(
			guest_wrmsr(vp, HV_X64_MSR_SINT0, INTERCEPT | HV_SYNIC_SINT_AUTO_EOI),
			GUEST_DONE);
	set_if(vp, vtl, true);
	own->interrupts_on = true;
	own->rsp = guest_gpr(vp, vtl, GPR_RSP);
	if (vtl > 0)
		assert_int_equal(
			guest_set_register(vp, index, 0, HV_REGISTER_VSM_PARTITION_CONFIG, 0x3f),
			0);
}

static void set_up(struct guest *guest)
{
	struct model *model = &guest->model;

	memset(model, 0, sizeof(*model));
	memset(model->allowed, GPA_ALL, sizeof(model->allowed));
	for (uint32_t i = 0; i < VTLS * OVERLAY_KIND_COUNT * VPS; i++) {
		uint32_t kind = i / VPS % OVERLAY_KIND_COUNT;

		model->overlay[i / VPS / OVERLAY_KIND_COUNT][kind][i % VPS] =
			(struct model_overlay){NOWHERE, kind == OVERLAY_HYPERCALL
								? UINT64_C(0xcccccccccccccccc)
								: 0};
	}
	model->vps = 1 + below(guest, VPS);
	model->vtls = 2 + below(guest, 2);
	guest->partition = guest_partition(model->vps, (uint8_t)(model->vtls - 1), MEMORY, NULL);
	for (uint8_t vtl = 1; vtl < model->vtls; vtl++) {
		guest_enable_vtl(guest->partition, vtl);
		assert_int_equal(guest_vtl_call(real(guest, 0)), GUEST_DONE);
	}
	while (real(guest, 0)->active_vtl > 0)
		assert_int_equal(guest_vtl_return(real(guest, 0), true), GUEST_DONE);
	for (unsigned int vp = 0; vp < model->vps; vp++) {
		for (uint8_t vtl = 0; vtl < model->vtls; vtl++) {
			set_up_vtl(guest, vp);
			if (vtl + 1u < model->vtls)
				assert_int_equal(guest_vtl_call(real(guest, vp)), GUEST_DONE);
		}
		model->vp[vp].active = (uint8_t)(model->vtls - 1);
		for (size_t i = 0; i < sizeof(kept) / sizeof(kept[0]); i++)
			model->vp[vp].shared[kept[i]] =
				guest_gpr(real(guest, vp), model->vp[vp].active, kept[i]);
	}
}

/* Nothing is lost: when every VTL has accepted its interrupts and messages, none is pending. */
static void drain(struct guest *guest)
{
	struct model *model = &guest->model;

	for (unsigned int vp = 0; vp < model->vps; vp++) {
		struct model_vp *own = &model->vp[vp];
		unsigned int turns = 0;

		/* From the top down: each VTL ends what it has in service. */
		run(guest, vp);
		for (; own->active + 1u < model->vtls; own->active++)
			assert_int_equal(guest_vtl_call(real(guest, vp)), GUEST_DONE);
		for (;;) {
			struct model_vtl *vtl = &own->vtl[own->active];

			CHECK(guest, ++turns < 10000);
			vtl->interrupts_on = true;
			set_if(real(guest, vp), own->active, true);
			run(guest, vp);
			vtl = &own->vtl[own->active];
			if (highest(vtl->in_service) >= 0) {
				end_interrupt(guest, vp);
			} else if (vtl->messages) {
				take_message(guest, vp);
			} else if (own->active > 0) {
				assert_int_equal(guest_vtl_return(real(guest, vp), true),
						 GUEST_DONE);
				own->active--;
				arbitrate(model, own);
			} else {
				break;
			}
		}
		for (unsigned int vtl = 0; vtl < model->vtls; vtl++) {
			CHECK(guest, highest(own->vtl[vtl].pending) < 0);
			CHECK(guest, vsm_lapic_highest_irr(&real(guest, vp)->vtl[vtl].lapic) < 0);
		}
	}
}

static unsigned int number(const char *name, unsigned int otherwise)
{
	const char *text = getenv(name);

	return text ? (unsigned int)strtoul(text, NULL, 0) : otherwise;
}

/* shows: rule random-guests */
static void random_guests_do_only_what_the_model_allows(void **state)
{
	unsigned int seed = number("VSM_RANDOM_SEED", 20240611);
	unsigned int count = number("VSM_RANDOM_STEPS", STEPS) / GUESTS;

	print_message("# seed %u, %u guests of %u steps\n", seed, GUESTS, count);
	for (unsigned int i = 0; i < GUESTS; i++) {
		struct guest guest = {.seed = seed};

		guest.random = (uint64_t)seed * GUESTS + i + 1;
		for (unsigned int warm = 0; warm < 16; warm++)
			below(&guest, 2);
		guest.doing = "set-up";
		set_up(&guest);
		for (guest.step = 1; guest.step <= count; guest.step++) {
			live(&guest);
			if (below(&guest, 10000) == 0)
				move(&guest);
		}
		drain(&guest);
		vsm_partition_destroy(guest.partition);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		unit_test_needs(NEED_EXECUTE_VIEW, random_guests_do_only_what_the_model_allows),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
