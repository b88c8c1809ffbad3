/* SPDX-License-Identifier: BSD-2-Clause */
/* The CPU of the sim backend: executes one action of a VTL, including its exits. */
#include <errno.h>
#include <string.h>

#include <vsm/walk.h>

#include "core/x64.h"
#include "sim/sim_internal.h"

/* The sim's register files are always current, even if `valid` is cleared: no load is needed. */
static void skip(struct sim_vp *vp, uint8_t vtl)
{
	vp->cpu[vtl].rip += SIM_INSTRUCTION_LENGTH;
	vp->cpu[vtl].events.interrupt_shadow = false;
}

static void finish(struct sim_vp *vp, uint8_t vtl)
{
	skip(vp, vtl);
	vp->vtl[vtl].done = true;
	vp->vtl[vtl].action.kind = SIM_NOTHING;
}

/* The guest takes an exception instead of finishing its instruction. */
static void raise(struct sim_vp *vp, uint8_t vtl, uint8_t vector, uint32_t error_code,
		  uint64_t parameter)
{
	struct sim_vtl *own = &vp->vtl[vtl];

	own->exceptions++;
	own->exception_vector = vector;
	own->exception_error_code = error_code;
	own->exception_parameter = parameter;
	own->action.kind = SIM_NOTHING;
	if (vector == X64_EXCEPTION_PF)
		vp->cpu[vtl].cr2 = parameter;
}

struct sim_walk {
	struct sim_backend *sim;
	uint8_t vtl;
	bool smm;
	uint64_t denied_gpa; /* of a page-table entry, if `denied` */
	bool denied;
};

static enum vsm_walk_refusal read_entry(void *opaque, uint64_t gpa, unsigned int size,
					uint64_t *entry)
{
	struct sim_walk *walk = opaque;
	uint8_t *host = NULL;

	*entry = 0;
	switch (sim_page(walk->sim, walk->vtl, walk->smm, gpa, GPA_READ, &host)) {
	case SIM_PAGE_OK:
		memcpy(entry, host + gpa % CORE_PAGE_SIZE, size);
		return VSM_WALK_ALLOWED;
	case SIM_PAGE_DENIED:
		walk->denied = true;
		walk->denied_gpa = gpa;
		return VSM_WALK_INTERCEPT;
	default:
		return VSM_WALK_UNMAPPED;
	}
}

static enum vsm_walk_refusal change_entry(void *opaque, uint64_t gpa, unsigned int size,
					  uint64_t expected, uint64_t desired)
{
	struct sim_walk *walk = opaque;
	uint8_t *host = NULL;
	bool changed;

	if (sim_page(walk->sim, walk->vtl, walk->smm, gpa, GPA_READ | GPA_WRITE, &host) !=
	    SIM_PAGE_OK) {
		walk->denied = true;
		walk->denied_gpa = gpa;
		return VSM_WALK_INTERCEPT;
	}
	host += gpa % CORE_PAGE_SIZE;
	if (size == 8) {
		changed = __atomic_compare_exchange_n((uint64_t *)(void *)host, &expected, desired,
						      false, __ATOMIC_SEQ_CST, __ATOMIC_RELAXED);
	} else {
		uint32_t old = (uint32_t)expected;

		changed = __atomic_compare_exchange_n((uint32_t *)(void *)host, &old,
						      (uint32_t)desired, false, __ATOMIC_SEQ_CST,
						      __ATOMIC_RELAXED);
	}
	if (changed)
		sim_note_written(walk->sim, gpa);
	return changed ? VSM_WALK_ALLOWED : VSM_WALK_CHANGED;
}

static enum vsm_walk_reason translate(struct sim_vp *vp, uint8_t vtl,
				      const struct sim_action *action, struct sim_walk *walk,
				      struct vsm_walk_result *result)
{
	const struct vcpu_state *cpu = &vp->cpu[vtl];
	struct vsm_walk_context context = {
		.cr0 = cpu->cr0,
		.cr3 = cpu->cr3,
		.cr4 = cpu->cr4,
		.efer = cpu->efer,
		.rflags = cpu->rflags,
		.pat = cpu->msr[VCPU_MSR_PAT],
		.cpu = VSM_WALK_CPU_PAGE1GB | VSM_WALK_CPU_PSE36,
		.max_phys_addr = vp->backend->options.gpa_bits,
	};
	struct vsm_walk_memory memory = {
		.read = read_entry, .compare_exchange = change_entry, .opaque = walk};
	struct vsm_walk_request request = {
		.gva = action->address,
		.access = action->kind == SIM_WRITE	? VSM_WALK_WRITE
			  : action->kind == SIM_EXECUTE ? VSM_WALK_EXECUTE
							: VSM_WALK_READ,
		.flags = action->user ? VSM_WALK_USER : VSM_WALK_SUPERVISOR,
		.ad = VSM_WALK_AD_SET,
	};

	return vsm_walk(&context, &memory, &request, result);
}

static void memory_exit(struct backend_run *run, uint64_t gpa, uint8_t access, uint64_t gva,
			bool page_walk)
{
	run->exit = BACKEND_EXIT_MEMORY;
	run->memory.gpa = gpa;
	run->memory.gva = gva;
	run->memory.access = access;
	run->memory.exact = true;
	run->memory.gva_valid = !page_walk;
	run->memory.page_walk = page_walk;
	run->memory.other_operand = false;
}

static void mmio_exit(struct sim_vp *vp, struct backend_run *run, const struct sim_action *action,
		      uint64_t gpa)
{
	run->exit = BACKEND_EXIT_MMIO;
	run->mmio.gpa = gpa;
	run->mmio.size = action->size;
	run->mmio.write = action->kind == SIM_WRITE;
	memset(run->mmio.data, 0, sizeof(run->mmio.data));
	memcpy(run->mmio.data, &action->value, action->size);
	vp->answer_wanted = true;
}

/* Lock held for reading: a change of rights waits for the end of this access. */
static void access_memory(struct sim_vp *vp, uint8_t vtl, struct backend_run *run)
{
	struct sim_vtl *own = &vp->vtl[vtl];
	struct sim_action *action = &own->action;
	const bool smm = vp->cpu[vtl].events.smm;
	struct sim_walk walk = {.sim = vp->backend, .vtl = vtl, .smm = smm};
	struct vsm_walk_result result;
	uint8_t access = action->kind == SIM_WRITE ? GPA_WRITE : GPA_READ;
	uint8_t *host = NULL;
	enum sim_page page;

	if (translate(vp, vtl, action, &walk, &result) != VSM_WALK_OK) {
		if (walk.denied)
			memory_exit(run, walk.denied_gpa, GPA_READ, 0, true);
		else
			raise(vp, vtl, result.vector ? result.vector : X64_EXCEPTION_PF,
			      result.error_code, action->address);
		return;
	}
	if (action->kind == SIM_EXECUTE)
		access = run->mbec && (vp->cpu[vtl].cr4 & X64_CR4_SMEP) &&
					 (result.rights & VSM_WALK_RIGHT_USER)
				 ? GPA_USER_EXECUTE
				 : GPA_KERNEL_EXECUTE;
	/* An action does not cross a page. */
	if (result.gpa % CORE_PAGE_SIZE + action->size > CORE_PAGE_SIZE)
		action->size = (uint8_t)(CORE_PAGE_SIZE - result.gpa % CORE_PAGE_SIZE);
	page = sim_page(vp->backend, vtl, smm, result.gpa, access, &host);
	/* Like KVM's emulator, which treats a denied store as MMIO. */
	if (page != SIM_PAGE_OK && vtl == 0 && action->kind == SIM_WRITE &&
	    sim_doorbell_signal(vp->backend, false, result.gpa, action->value, action->size)) {
		finish(vp, vtl);
		return;
	}
	switch (page) {
	case SIM_PAGE_DENIED:
		memory_exit(run, result.gpa, access, action->address, false);
		return;
	case SIM_PAGE_NONE:
		mmio_exit(vp, run, action, result.gpa);
		return;
	case SIM_PAGE_OK:
		break;
	}
	host += result.gpa % CORE_PAGE_SIZE;
	/* Byte by byte and atomic: other VPs may access the same bytes. */
	for (unsigned int i = 0; i < action->size && action->kind != SIM_EXECUTE; i++) {
		if (action->kind == SIM_WRITE)
			__atomic_store_n(host + i, (uint8_t)(action->value >> (8 * i)),
					 __ATOMIC_RELAXED);
		else
			((uint8_t *)&action->value)[i] =
				__atomic_load_n(host + i, __ATOMIC_RELAXED);
	}
	if (action->kind == SIM_WRITE)
		sim_note_written(vp->backend, result.gpa);
	finish(vp, vtl);
}

static uint64_t *cpu_msr(struct vcpu_state *cpu, uint32_t msr)
{
#define NUMBER(name, number, reset) [VCPU_MSR_##name] = (number),
	static const uint32_t number[] = {VCPU_MSRS(NUMBER)};
#undef NUMBER

	if (msr == X64_MSR_EFER)
		return &cpu->efer;
	for (unsigned int i = 0; i < VCPU_MSR_COUNT; i++)
		if (number[i] == msr)
			return &cpu->msr[i];
	return NULL;
}

static void native_msr(struct sim_vp *vp, uint8_t vtl)
{
	struct sim_action *action = &vp->vtl[vtl].action;
	uint64_t *place = cpu_msr(&vp->cpu[vtl], (uint32_t)action->address);

	if (!place) {
		raise(vp, vtl, X64_EXCEPTION_GP, 0, 0);
		return;
	}
	if (action->kind == SIM_WRMSR)
		*place = action->value;
	else
		action->value = *place;
	finish(vp, vtl);
}

static bool msr_intercepted(struct sim_vp *vp, uint8_t vtl, uint32_t msr, bool write)
{
	const struct sim_backend *sim = vp->backend;

	for (uint32_t i = 0; i < sim->msr_count[vtl]; i++)
		if (sim->msr[vtl][i].msr == msr)
			return write ? sim->msr[vtl][i].write : sim->msr[vtl][i].read;
	return false;
}

static void access_msr(struct sim_vp *vp, uint8_t vtl, struct backend_run *run)
{
	const struct sim_action *action = &vp->vtl[vtl].action;
	bool write = action->kind == SIM_WRMSR;
	uint32_t msr = (uint32_t)action->address;

	if (cpu_msr(&vp->cpu[vtl], msr) && !msr_intercepted(vp, vtl, msr, write)) {
		native_msr(vp, vtl);
		return;
	}
	run->exit = write ? BACKEND_EXIT_MSR_WRITE : BACKEND_EXIT_MSR_READ;
	run->length = SIM_INSTRUCTION_LENGTH;
	run->msr.index = msr;
	run->msr.data = write ? action->value : 0;
	vp->answer_wanted = true;
}

static unsigned int control_bit(const struct sim_action *action)
{
	switch (action->kind) {
	case SIM_WRITE_CR0:
		return HV_CR_INTERCEPT_BIT_CR0_WRITE;
	case SIM_WRITE_CR4:
		return HV_CR_INTERCEPT_BIT_CR4_WRITE;
	case SIM_WRITE_XCR0:
		return HV_CR_INTERCEPT_BIT_XCR0_WRITE;
	default:
		return (unsigned int)action->address;
	}
}

static void native_control(struct sim_vp *vp, uint8_t vtl)
{
	const struct sim_action *action = &vp->vtl[vtl].action;
	struct vcpu_state *cpu = &vp->cpu[vtl];

	switch (control_bit(action)) {
	case HV_CR_INTERCEPT_BIT_CR0_WRITE:
		cpu->cr0 = action->value;
		break;
	case HV_CR_INTERCEPT_BIT_CR4_WRITE:
		cpu->cr4 = action->value;
		break;
	case HV_CR_INTERCEPT_BIT_XCR0_WRITE:
		cpu->xcr0 = action->value;
		cpu->valid &= ~(uint32_t)VCPU_XCR0; /* on KVM a run invalidates it, too */
		break;
	case HV_CR_INTERCEPT_BIT_GDTR_WRITE:
		cpu->gdtr.base = action->value;
		break;
	case HV_CR_INTERCEPT_BIT_IDTR_WRITE:
		cpu->idtr.base = action->value;
		break;
	case HV_CR_INTERCEPT_BIT_LDTR_WRITE:
		cpu->segment[SEGMENT_LDTR].selector = (uint16_t)action->value;
		break;
	case HV_CR_INTERCEPT_BIT_TR_WRITE:
		cpu->segment[SEGMENT_TR].selector = (uint16_t)action->value;
		break;
	}
	finish(vp, vtl);
}

static void write_control(struct sim_vp *vp, uint8_t vtl, struct backend_run *run)
{
	const struct sim_action *action = &vp->vtl[vtl].action;
	const struct vcpu_state *cpu = &vp->cpu[vtl];
	unsigned int bit = control_bit(action);
	bool exits = bit < 64 && (vp->cr_control[vtl] >> bit & 1);

	if (bit == HV_CR_INTERCEPT_BIT_CR0_WRITE)
		exits = exits && ((cpu->cr0 ^ action->value) & vp->cr0_mask[vtl]);
	else if (bit == HV_CR_INTERCEPT_BIT_CR4_WRITE)
		exits = exits && ((cpu->cr4 ^ action->value) & vp->cr4_mask[vtl]);
	if (!exits) {
		native_control(vp, vtl);
		return;
	}
	run->exit = BACKEND_EXIT_CR_WRITE;
	run->length = SIM_INSTRUCTION_LENGTH;
	run->cr.control = bit;
	run->cr.value = action->value;
	vp->answer_wanted = true;
}

bool sim_vp_can_inject(void *opaque, uint8_t vtl)
{
	struct sim_vp *vp = opaque;
	const struct vcpu_state *cpu = &vp->cpu[vtl];

	return (cpu->rflags & X64_RFLAGS_IF) && !cpu->events.interrupt_shadow &&
	       !cpu->events.exception_pending && !cpu->events.interrupt_injected &&
	       !cpu->events.nmi_injected;
}

/* The next instruction executes in System Management Mode, at the same RIP. */
static void enter_smm(struct sim_vtl *own, struct vcpu_events *events)
{
	own->smis++;
	events->smi_pending = false;
	events->smm = true;
	events->smm_in_nmi = events->nmi_masked;
	events->nmi_masked = true;
}

static void leave_smm(struct sim_vp *vp, uint8_t vtl)
{
	struct vcpu_events *events = &vp->cpu[vtl].events;

	if (!events->smm) {
		raise(vp, vtl, X64_EXCEPTION_UD, 0, 0);
		return;
	}
	events->smm = false;
	events->nmi_masked = events->smm_in_nmi;
	events->smm_in_nmi = false;
	finish(vp, vtl);
}

/* Delivers pending events of this entry. True: an exception replaced the action. */
static bool deliver(struct sim_vp *vp, const struct backend_run *run)
{
	struct sim_vtl *own = &vp->vtl[run->vtl];
	struct vcpu_events *events = &vp->cpu[run->vtl].events;

	if (run->inject >= 0)
		own->interrupt[own->interrupts++ % SIM_LOG_MAX] = (uint8_t)run->inject;
	if (events->interrupt_injected) {
		own->interrupt[own->interrupts++ % SIM_LOG_MAX] = events->interrupt_vector;
		events->interrupt_injected = false;
	}
	if (events->smi_pending && !events->smm)
		enter_smm(own, events);
	if (events->nmi_pending && !events->nmi_masked) {
		own->nmis++;
		events->nmi_pending--;
	}
	if (!events->exception_pending)
		return false;
	events->exception_pending = false;
	raise(vp, run->vtl, events->exception_vector, events->exception_error_code,
	      events->exception_parameter);
	return true;
}

static void act(struct sim_vp *vp, struct backend_run *run)
{
	uint8_t vtl = run->vtl;
	const struct sim_action *action = &vp->vtl[vtl].action;

	switch (action->kind) {
	case SIM_NOTHING:
		run->exit = BACKEND_EXIT_YIELD;
		break;
	case SIM_NOP:
		finish(vp, vtl);
		break;
	case SIM_READ:
	case SIM_WRITE:
	case SIM_EXECUTE:
		pthread_rwlock_rdlock(&vp->backend->lock);
		access_memory(vp, vtl, run);
		pthread_rwlock_unlock(&vp->backend->lock);
		break;
	case SIM_HYPERCALL:
		run->exit = BACKEND_EXIT_HYPERCALL;
		run->length = SIM_INSTRUCTION_LENGTH;
		break;
	case SIM_RDMSR:
	case SIM_WRMSR:
		pthread_rwlock_rdlock(&vp->backend->lock);
		access_msr(vp, vtl, run);
		pthread_rwlock_unlock(&vp->backend->lock);
		break;
	case SIM_IN:
	case SIM_OUT:
		if (run->vtl == 0 && action->kind == SIM_OUT &&
		    sim_doorbell_signal(vp->backend, true, action->address, action->value,
					action->size)) {
			finish(vp, vtl);
			break;
		}
		run->exit = BACKEND_EXIT_IO;
		run->length = SIM_INSTRUCTION_LENGTH;
		run->io.port = (uint16_t)action->address;
		run->io.size = action->size;
		run->io.write = action->kind == SIM_OUT;
		run->io.string = false;
		run->io.repeat = false;
		run->io.count = 1;
		vp->io_data = action->kind == SIM_OUT ? action->value : 0;
		run->io.data = (uint8_t *)&vp->io_data;
		vp->answer_wanted = true;
		break;
	case SIM_WRITE_CR0:
	case SIM_WRITE_CR4:
	case SIM_WRITE_XCR0:
	case SIM_LOAD_TABLE:
		write_control(vp, vtl, run);
		break;
	case SIM_HALT:
		run->exit = BACKEND_EXIT_HALT;
		finish(vp, vtl);
		break;
	case SIM_RSM:
		leave_smm(vp, vtl);
		break;
	case SIM_BREAKPOINT:
		skip(vp, vtl);
		raise(vp, vtl, X64_EXCEPTION_BP, 0, 0);
		break;
	case SIM_SHUTDOWN:
		run->exit = BACKEND_EXIT_SHUTDOWN;
		run->shutdown.rip = vp->cpu[vtl].rip;
		run->shutdown.cr2 = vp->cpu[vtl].cr2;
		run->shutdown.at_entry = false;
		finish(vp, vtl);
		break;
	}
}

void sim_update_action(struct sim_vp *vp, uint8_t vtl)
{
	struct sim_vtl *own = &vp->vtl[vtl];

	if (own->action.kind == SIM_NOTHING || !own->issued || own->action_rip == vp->cpu[vtl].rip)
		return;
	own->done = own->action.kind == SIM_HYPERCALL;
	own->action.kind = SIM_NOTHING;
}

int sim_vp_run(void *opaque, struct backend_run *run)
{
	struct sim_vp *vp = opaque;
	struct sim_vtl *own = &vp->vtl[run->vtl];
	struct sim_action action;
	bool kicked;

	if (atomic_load(&vp->backend->disabled))
		return -EIO;
	atomic_fetch_add(&vp->backend->clock, SIM_RUN_TICKS);
	vp->cpu[run->vtl].dirty = 0;
	run->exit = BACKEND_EXIT_INTERRUPTED;
	sim_update_action(vp, run->vtl);
	pthread_mutex_lock(&vp->lock);
	kicked = vp->kicked;
	vp->kicked = false;
	pthread_mutex_unlock(&vp->lock);
	if (deliver(vp, run) || kicked)
		return 0;
	if (run->interrupt_window && sim_vp_can_inject(vp, run->vtl)) {
		run->exit = BACKEND_EXIT_WINDOW;
		return 0;
	}
	if (atomic_load(&vp->backend->clock) >= run->deadline) {
		run->exit = BACKEND_EXIT_DEADLINE;
		return 0;
	}
	if (sim_debug_before(vp, run))
		return 0;
	own->issued = true;
	own->action_rip = vp->cpu[run->vtl].rip;
	action = own->action;
	act(vp, run);
	if (own->done && action.kind != SIM_NOTHING && run->exit == BACKEND_EXIT_INTERRUPTED)
		sim_debug_after(vp, &action, run);
	return 0;
}

int sim_vp_answer(void *opaque, struct backend_run *run, enum backend_answer answer)
{
	struct sim_vp *vp = opaque;
	struct sim_action *action = &vp->vtl[run->vtl].action;
	uint8_t vtl = run->vtl;

	if (atomic_load(&vp->backend->disabled))
		return -EIO;
	if (!vp->answer_wanted)
		return vsm_error(vp->backend->log, EINVAL, "sim: nothing to answer");
	vp->answer_wanted = false;
	if (answer == BACKEND_RETRY)
		return 0;
	if (answer == BACKEND_FAULT) {
		raise(vp, vtl, X64_EXCEPTION_GP, 0, 0);
		return 0;
	}
	if (run->exit == BACKEND_EXIT_CR_WRITE) {
		native_control(vp, vtl);
		return 0;
	}
	if (answer == BACKEND_NATIVE) {
		native_msr(vp, vtl);
		return 0;
	}
	switch (action->kind) {
	case SIM_RDMSR:
		action->value = run->msr.data;
		break;
	case SIM_IN:
		action->value = 0;
		memcpy(&action->value, &vp->io_data, action->size);
		break;
	case SIM_READ:
		action->value = 0;
		memcpy(&action->value, run->mmio.data, action->size);
		break;
	default:
		break;
	}
	finish(vp, vtl);
	return 0;
}
