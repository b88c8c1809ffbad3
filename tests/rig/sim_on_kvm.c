/* SPDX-License-Identifier: BSD-2-Clause */
#include "sim_on_kvm.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include "core/memory/map_file.h"
#include "core/x64.h"
#include "engine.h"

static void put64(struct host *host, uint64_t offset, uint64_t value)
{
	memcpy(host->hidden + offset, &value, sizeof(value));
}

/* Each IDT gate leads to an OUT; IST1 is a stack for each VP, IST2 that of NMIs (SDM 3A, 6.14). */
void host_prepare(struct host *host)
{
	/* mov (%rdi), %al; lock orb $0, (%rdi); each followed by an OUT */
	static const uint8_t probes[] = {0x8a, 0x07, 0xe6, TRAP_PORT, 0xf0,
					 0x80, 0x0f, 0x00, 0xe6,      TRAP_PORT};

	put64(host, HIDDEN_GDT + 8, 0x00af9b000000ffff);
	put64(host, HIDDEN_GDT + 16, 0x00cf93000000ffff);
	for (uint64_t vector = 0; vector < 256; vector++) {
		const uint64_t stub = HIDDEN_GPA + HIDDEN_STUBS + vector * 16;
		const uint64_t stack = vector == VECTOR_NMI ? 2 : 1;

		put64(host, HIDDEN_IDT + vector * 16,
		      (stub & 0xffff) | UINT64_C(8) << 16 | (0x8e00 | stack) << 32 |
			      (stub >> 16 & 0xffff) << 48);
		put64(host, HIDDEN_IDT + vector * 16 + 8, stub >> 32);
		host->hidden[HIDDEN_STUBS + vector * 16] = 0xe6;
		host->hidden[HIDDEN_STUBS + vector * 16 + 1] = TRAP_PORT;
	}
	/* An NMI may arrive between another delivery and the OUT of its stub: it uses IST2. */
	for (uint64_t vp = 0; vp < host->vp_count; vp++) {
		const uint64_t end = HIDDEN_GPA + HIDDEN_STACK + (vp + 1) * CORE_PAGE_SIZE;

		put64(host, HIDDEN_TSS + vp * 128 + 0x24, end);
		put64(host, HIDDEN_TSS + vp * 128 + 0x2c, end - CORE_PAGE_SIZE / 2);
	}
	put64(host, HIDDEN_PML4, (HIDDEN_GPA + HIDDEN_PDPT) | 0x27);
	for (uint64_t i = 0; i < 512; i++)
		put64(host, HIDDEN_PDPT + 8 * i, i << 30 | 0xe7);
	memcpy(host->hidden + HIDDEN_CODE, probes, sizeof(probes));
}

static void load_test_tables(struct host_vp *vp, uint8_t vtl)
{
	struct vcpu_state *state = host_edit(vp, vtl, VCPU_SYSTEM);
	struct tables *tables = &vp->tables[vtl];

	*tables = (struct tables){true, state->idtr, state->gdtr, state->segment[SEGMENT_TR]};
	state->idtr.base = HIDDEN_GPA + HIDDEN_IDT;
	state->idtr.limit = 0xfff;
	state->gdtr.base = HIDDEN_GPA + HIDDEN_GDT;
	state->gdtr.limit = 0x17;
	state->segment[SEGMENT_TR] = (struct hv_x64_segment_register){
		.base = HIDDEN_GPA + HIDDEN_TSS + vp->index * 128,
		.limit = 0x67,
		.selector = 0x18,
		.attributes = 0x8b,
	};
}

/* Registers that the guest has loaded since host_enter() keep their values. */
static void restore_guest_tables(struct host_vp *vp, uint8_t vtl)
{
	struct vcpu_state *state = &vp->state[vtl];
	const struct tables *tables = &vp->tables[vtl];

	if (!tables->replaced || !(state->valid & VCPU_SYSTEM))
		return;
	if (state->idtr.base == HIDDEN_GPA + HIDDEN_IDT)
		state->idtr = tables->idtr;
	if (state->gdtr.base == HIDDEN_GPA + HIDDEN_GDT)
		state->gdtr = tables->gdtr;
	if (state->segment[SEGMENT_TR].base == HIDDEN_GPA + HIDDEN_TSS + vp->index * 128)
		state->segment[SEGMENT_TR] = tables->tr;
}

static int host_vp_load(void *opaque, uint8_t vtl, uint32_t groups)
{
	struct host_vp *vp = opaque;
	const int error = vkvm_ops.vp_load(vp->kvm, vtl, groups);

	if (groups & VCPU_SYSTEM)
		restore_guest_tables(vp, vtl);
	return error;
}

struct vcpu_state *host_get(struct host_vp *vp, uint8_t vtl, uint32_t groups)
{
	struct vcpu_state *state = &vp->state[vtl];
	const uint32_t missing = groups & ~state->valid;

	if (missing)
		REQUIRE(host_vp_load(vp, vtl, missing) == 0);
	return state;
}

struct vcpu_state *host_edit(struct host_vp *vp, uint8_t vtl, uint32_t groups)
{
	struct vcpu_state *state = host_get(vp, vtl, groups);

	state->dirty |= groups;
	return state;
}

void host_enter(struct host_vp *vp, struct backend_run *run)
{
	const bool long_mode = host_get(vp, run->vtl, VCPU_SYSTEM)->efer & X64_EFER_LMA;
	int error;

	/* The gates are those of 64-bit mode. SIM_SHUTDOWN needs an IDT without gates. */
	if (long_mode && vp->vtl[run->vtl].action.kind != SIM_SHUTDOWN)
		load_test_tables(vp, run->vtl);
	else
		host_edit(vp, run->vtl, VCPU_SYSTEM);
	error = vkvm_ops.vp_run(vp->kvm, run);
	REQUIRE(error == 0);
	restore_guest_tables(vp, run->vtl);
}

static void host_hold(void *opaque)
{
	vkvm_ops.hold(((struct host *)opaque)->kvm);
}

static void host_release(void *opaque)
{
	vkvm_ops.release(((struct host *)opaque)->kvm);
}

static void host_disable(void *opaque)
{
	vkvm_ops.disable(((struct host *)opaque)->kvm);
}

uint8_t *host_memory(struct host *host, uint64_t gpa)
{
	uint8_t *found = NULL;

	pthread_mutex_lock(&host->map_lock);
	for (size_t i = 0; i < host->map_count && !found; i++) {
		const struct backend_memory *memory = &host->map[i];
		const uint64_t size = memory->pages * CORE_PAGE_SIZE;
		const uint64_t offset = gpa - memory->gpn * CORE_PAGE_SIZE;

		if (offset < size && size - offset >= 16)
			found = memory->file->host + memory->page * CORE_PAGE_SIZE + offset;
	}
	pthread_mutex_unlock(&host->map_lock);
	return found;
}

/* Adds the test's hidden region to the core's map, in order of GPA. */
static int host_memory_set(void *opaque, const struct backend_memory *map, size_t count,
			   const struct gpa_range *gone, size_t gone_count)
{
	struct host *host = opaque;
	struct backend_memory *all = calloc(count + 1, sizeof(*all));
	size_t below = 0;
	int error;

	REQUIRE(all);
	while (below < count && map[below].gpn < HIDDEN_GPA / CORE_PAGE_SIZE)
		below++;
	if (below)
		memcpy(all, map, below * sizeof(*all));
	all[below] = (struct backend_memory){.gpn = HIDDEN_GPA / CORE_PAGE_SIZE,
					     .pages = HIDDEN_SIZE / CORE_PAGE_SIZE,
					     .file = &host->file};
	if (count > below)
		memcpy(&all[below + 1], &map[below], (count - below) * sizeof(*all));
	error = vkvm_ops.memory_set(host->kvm, all, count + 1, gone, gone_count);
	if (error) {
		free(all);
		return error;
	}
	pthread_mutex_lock(&host->map_lock);
	free(host->map);
	host->map = all;
	host->map_count = count + 1;
	pthread_mutex_unlock(&host->map_lock);
	return 0;
}

static int host_memory_dirty(void *opaque, const struct backend_memory *run, uint64_t *bitmap)
{
	return vkvm_ops.memory_dirty(((struct host *)opaque)->kvm, run, bitmap);
}

static int host_guard_add(void *opaque, const struct backend_guard *memory)
{
	return vkvm_ops.guard_add(((struct host *)opaque)->kvm, memory);
}

static void host_guard_remove(void *opaque, void *memory, uint64_t pages)
{
	vkvm_ops.guard_remove(((struct host *)opaque)->kvm, memory, pages);
}

static int host_guard_protect(void *opaque, void *memory, uint64_t pages, uint8_t access)
{
	return vkvm_ops.guard_protect(((struct host *)opaque)->kvm, memory, pages, access);
}

static void host_guard_denied(void *opaque, const void *memory, uint64_t pages, uint64_t *bitmap)
{
	vkvm_ops.guard_denied(((struct host *)opaque)->kvm, memory, pages, bitmap);
}

static int host_finish_all(void *opaque)
{
	return vkvm_ops.finish_all(((struct host *)opaque)->kvm);
}

static int host_create(const struct backend_config *config, void **backend,
		       struct backend_features *features)
{
	static const struct sim_options defaults;
	const struct sim_options *options = config->options ? config->options : &defaults;
	const struct vkvm_options own_options = {.engine = test_engine()};
	struct backend_config own = *config;
	struct host *host = calloc(1, sizeof(*host));
	int error;

	REQUIRE(host && config->vp_count <= HIDDEN_VPS);
	own.options = &own_options;
	host->log = config->log;
	host->threads = options->threads;
	host->vp_count = config->vp_count;
	error = vkvm_ops.create(&own, &host->kvm, features);
	if (error) {
		free(host);
		return error;
	}
	host->file.fd = memfd_create("hidden", MFD_CLOEXEC);
	host->file.pages = HIDDEN_SIZE / CORE_PAGE_SIZE;
	REQUIRE(ftruncate(host->file.fd, HIDDEN_SIZE) == 0);
	host->file.host = map_file(host->file.fd, 0, HIDDEN_SIZE, 0);
	REQUIRE(host->file.host != NULL);
	host->hidden = host->file.host;
	pthread_mutex_init(&host->map_lock, NULL);
	REQUIRE(host_memory_set(host, NULL, 0, NULL, 0) == 0);
	host_prepare(host);
	features->protect &= (uint8_t)~options->undeniable;
	if (options->no_cr)
		features->cr_intercepts = 0;
	/* Features that only the core uses have the values of the sim backend. */
	features->gpa_bits = options->gpa_bits ? options->gpa_bits : 46;
	features->tsc_hz = 1000000000;
	features->tsc_invariant = true;
	/* ds: out 0x7e, al */
	memcpy(features->hypercall, "\x3e\xe6\x7e", 3);
	features->hypercall_length = SIM_INSTRUCTION_LENGTH;
	*backend = host;
	return 0;
}

static void host_destroy(void *opaque)
{
	struct host *host = opaque;

	vkvm_ops.destroy(host->kvm);
	free(host->map);
	munmap(host->file.host, HIDDEN_SIZE);
	close(host->file.fd);
	free(host);
}

static int host_protect(void *opaque, uint8_t vtl, const struct gpa_range *ranges, size_t count,
			uint8_t access)
{
	return vkvm_ops.protect(((struct host *)opaque)->kvm, vtl, ranges, count, access);
}

static int host_overlay_memory(void *opaque, uint32_t pages, void **out)
{
	return vkvm_ops.overlay_memory(((struct host *)opaque)->kvm, pages, out);
}

static int host_overlay_map(void *opaque, uint8_t vtl, uint64_t gpn, uint32_t page, uint8_t access)
{
	return vkvm_ops.overlay_map(((struct host *)opaque)->kvm, vtl, gpn, page, access);
}

static int host_overlay_unmap(void *opaque, uint8_t vtl, uint64_t gpn)
{
	return vkvm_ops.overlay_unmap(((struct host *)opaque)->kvm, vtl, gpn);
}

static int host_doorbell(void *opaque, const struct backend_doorbell *doorbell, bool on)
{
	return vkvm_ops.doorbell(((struct host *)opaque)->kvm, doorbell, on);
}

static int host_msr_intercept(void *opaque, uint8_t vtl, uint32_t msr, bool read, bool write)
{
	return vkvm_ops.msr_intercept(((struct host *)opaque)->kvm, vtl, msr, read, write);
}

static int host_vp_cr_intercept(void *opaque, uint8_t vtl, uint64_t control, uint64_t cr0_mask,
				uint64_t cr4_mask)
{
	const struct host_vp *vp = opaque;

	return vkvm_ops.vp_cr_intercept(vp->kvm, vtl, control, cr0_mask, cr4_mask);
}

static int host_vp_debug(void *opaque, uint8_t vtl, const struct backend_debug *debug)
{
	return vkvm_ops.vp_debug(((struct host_vp *)opaque)->kvm, vtl, debug);
}

static uint64_t host_tsc(void *opaque)
{
	struct host *host = opaque;

	return atomic_fetch_add(&host->clock, atomic_load(&host->clock_step));
}

static int host_tsc_set(void *opaque, uint64_t value)
{
	struct host *host = opaque;

	atomic_store(&host->clock, value);
	return 0;
}

static int host_vp_tsc_offset(void *opaque, uint8_t vtl, uint64_t offset)
{
	struct host_vp *vp = opaque;

	vp->vtl[vtl].tsc_offset = offset;
	return vkvm_ops.vp_tsc_offset(vp->kvm, vtl, offset);
}

static int host_vp_show_invariant_tsc(void *opaque, bool shown)
{
	return vkvm_ops.vp_show_invariant_tsc(((struct host_vp *)opaque)->kvm, shown);
}

static int host_vp_create(void *opaque, uint32_t index, uint32_t apic_id,
			  const struct cpuid_leaf *leaves, size_t leaf_count, void **out,
			  struct vcpu_state **state)
{
	struct host_vp *vp = calloc(1, sizeof(*vp));
	int error;

	REQUIRE(vp);
	vp->host = opaque;
	vp->index = index;
	pthread_mutex_init(&vp->lock, NULL);
	pthread_cond_init(&vp->wake, NULL);
	error = vkvm_ops.vp_create(vp->host->kvm, index, apic_id, leaves, leaf_count, &vp->kvm,
				   &vp->state);
	if (error) {
		free(vp);
		return error;
	}
	*out = vp;
	*state = vp->state;
	return 0;
}

static void host_vp_destroy(void *opaque)
{
	struct host_vp *vp = opaque;

	vkvm_ops.vp_destroy(vp->kvm);
	pthread_cond_destroy(&vp->wake);
	pthread_mutex_destroy(&vp->lock);
	free(vp);
}

/* Ends the action when its exit is completed, as the sim backend does. */
static int host_vp_answer(void *opaque, struct backend_run *run, enum backend_answer answer)
{
	struct host_vp *vp = opaque;
	const struct sim_vtl *own = &vp->vtl[run->vtl];
	const int error = vkvm_ops.vp_answer(vp->kvm, run, answer);

	if (!error && (answer == BACKEND_DONE || answer == BACKEND_NATIVE) &&
	    own->action.kind != SIM_NOTHING &&
	    host_get(vp, run->vtl, VCPU_GPR)->rip == own->action_rip + SIM_INSTRUCTION_LENGTH)
		host_finish(vp, run->vtl);
	return error;
}

static bool host_vp_can_inject(void *opaque, uint8_t vtl)
{
	return vkvm_ops.vp_can_inject(((struct host_vp *)opaque)->kvm, vtl);
}

static int host_vp_flush_tlb(void *opaque, uint8_t vtl)
{
	struct host_vp *vp = opaque;

	vp->vtl[vtl].tlb_flushes++;
	return vkvm_ops.vp_flush_tlb(vp->kvm, vtl);
}

static void host_vp_cpuid(void *opaque, uint32_t leaf, uint32_t subleaf, uint32_t value[4])
{
	vkvm_ops.vp_cpuid(((struct host_vp *)opaque)->kvm, leaf, subleaf, value);
}

static void host_vp_kick(void *opaque)
{
	struct host_vp *vp = opaque;

	pthread_mutex_lock(&vp->lock);
	vp->kicked = true;
	pthread_cond_signal(&vp->wake);
	pthread_mutex_unlock(&vp->lock);
	vkvm_ops.vp_kick(vp->kvm);
}

/* Advances the test's clock to the deadline, as the sim backend does. */
static int host_vp_wait(void *opaque, uint64_t deadline)
{
	struct host_vp *vp = opaque;
	struct host *host = vp->host;
	bool kicked;

	pthread_mutex_lock(&vp->lock);
	if (host->threads && !vp->kicked) {
		struct timespec until;

		clock_gettime(CLOCK_REALTIME, &until);
		until.tv_nsec += 1000000;
		until.tv_sec += until.tv_nsec / 1000000000;
		until.tv_nsec %= 1000000000;
		pthread_cond_timedwait(&vp->wake, &vp->lock, &until);
	}
	kicked = vp->kicked;
	vp->kicked = false;
	pthread_mutex_unlock(&vp->lock);
	if (kicked)
		return 0;
	if (deadline != UINT64_MAX) {
		uint64_t now = atomic_load(&host->clock);

		while (now < deadline &&
		       !atomic_compare_exchange_weak(&host->clock, &now, deadline))
			;
		return 0;
	}
	return host->threads ? 0 : -EAGAIN;
}

const struct backend_ops sim_ops = {
	.name = "sim on kvm",
	.create = host_create,
	.destroy = host_destroy,
	.hold = host_hold,
	.release = host_release,
	.disable = host_disable,
	.memory_set = host_memory_set,
	.memory_dirty = host_memory_dirty,
	.guard_add = host_guard_add,
	.guard_remove = host_guard_remove,
	.guard_protect = host_guard_protect,
	.guard_denied = host_guard_denied,
	.finish_all = host_finish_all,
	.protect = host_protect,
	.overlay_memory = host_overlay_memory,
	.overlay_map = host_overlay_map,
	.overlay_unmap = host_overlay_unmap,
	.doorbell = host_doorbell,
	.msr_intercept = host_msr_intercept,
	.vp_cr_intercept = host_vp_cr_intercept,
	.vp_debug = host_vp_debug,
	.tsc = host_tsc,
	.tsc_set = host_tsc_set,
	.vp_tsc_offset = host_vp_tsc_offset,
	.vp_show_invariant_tsc = host_vp_show_invariant_tsc,
	.vp_create = host_vp_create,
	.vp_destroy = host_vp_destroy,
	.vp_load = host_vp_load,
	.vp_run = host_vp_run,
	.vp_answer = host_vp_answer,
	.vp_can_inject = host_vp_can_inject,
	.vp_flush_tlb = host_vp_flush_tlb,
	.vp_cpuid = host_vp_cpuid,
	.vp_kick = host_vp_kick,
	.vp_wait = host_vp_wait,
};

void sim_next(struct vsm_vp *vp, uint8_t vtl, const struct sim_action *action)
{
	struct sim_vtl *own = &((struct host_vp *)vp->backend)->vtl[vtl];

	own->action = *action;
	if (own->action.size == 0 || own->action.size > 8)
		own->action.size = 8;
	own->done = false;
	own->issued = false;
}

const struct sim_vtl *sim_state(const struct vsm_vp *vp, uint8_t vtl)
{
	struct host_vp *own = vp->backend;

	host_settle(own, vtl);
	return &own->vtl[vtl];
}

void sim_advance(struct vsm_partition *partition, uint64_t ticks)
{
	struct host *host = partition->backend;

	atomic_fetch_add(&host->clock, ticks);
}

void sim_clock_step(struct vsm_partition *partition, uint64_t ticks)
{
	struct host *host = partition->backend;

	atomic_store(&host->clock_step, ticks);
}

/* The VTL's vCPU accesses @gpa with the hidden page tables. Returns false if denied. *al: the byte that was
 * read. */
static bool probe(struct host_vp *vp, uint8_t vtl, uint64_t gpa, uint64_t code, uint8_t *al)
{
	struct vcpu_state *state = host_edit(vp, vtl, VCPU_GPR | VCPU_SYSTEM | VCPU_EVENTS);
	const struct vcpu_state saved = *state;
	struct backend_run run = {.vtl = vtl, .inject = -1, .deadline = UINT64_MAX};

	state->gpr[GPR_RDI] = gpa;
	state->rip = HIDDEN_GPA + HIDDEN_CODE + code;
	state->rflags = X64_RFLAGS_FIXED;
	state->cr0 = X64_CR0_PE | X64_CR0_NE | X64_CR0_ET | X64_CR0_WP | X64_CR0_PG;
	state->cr3 = HIDDEN_GPA + HIDDEN_PML4;
	state->cr4 = X64_CR4_PAE;
	state->efer = X64_EFER_LME | X64_EFER_LMA | X64_EFER_NXE;
	for (unsigned int i = 0; i < SEGMENT_COUNT; i++)
		state->segment[i] = (struct hv_x64_segment_register){
			.limit = 0xffffffff, .selector = 0x10, .attributes = 0xc093};
	state->segment[SEGMENT_CS].selector = 8;
	state->segment[SEGMENT_CS].attributes = 0xa09b;
	state->segment[SEGMENT_LDTR].attributes = 0;
	state->segment[SEGMENT_TR] = saved.segment[SEGMENT_TR];
	state->segment[SEGMENT_TR].attributes = 0x8b;
	state->events = (struct vcpu_events){0};
	do {
		host_enter(vp, &run);
	} while (run.exit == BACKEND_EXIT_INTERRUPTED);
	if (run.exit == BACKEND_EXIT_IO || run.exit == BACKEND_EXIT_MMIO)
		REQUIRE(vkvm_ops.vp_answer(vp->kvm, &run, BACKEND_RETRY) == 0);
	state = host_edit(vp, vtl, VCPU_GPR | VCPU_SYSTEM | VCPU_EVENTS);
	*al = (uint8_t)state->gpr[GPR_RAX];
	memcpy(state->gpr, saved.gpr, sizeof(saved.gpr));
	memcpy(state->segment, saved.segment, sizeof(saved.segment));
	state->rip = saved.rip;
	state->rflags = saved.rflags;
	state->cr0 = saved.cr0;
	state->cr2 = saved.cr2;
	state->cr3 = saved.cr3;
	state->cr4 = saved.cr4;
	state->efer = saved.efer;
	state->idtr = saved.idtr;
	state->gdtr = saved.gdtr;
	state->events = saved.events;
	return run.exit == BACKEND_EXIT_IO;
}

/* Tests reads and writes; execution is not tested, but reported like reads. */
uint8_t sim_access(struct vsm_partition *partition, uint8_t vtl, uint64_t gpn)
{
	return sim_view(partition, vtl, gpn * CORE_PAGE_SIZE, NULL);
}

uint8_t sim_view(struct vsm_partition *partition, uint8_t vtl, uint64_t gpa, uint8_t *byte)
{
	struct host_vp *vp = vsm_partition_vp(partition, 0)->backend;
	uint8_t access = 0;
	uint8_t al = 0;

	if (probe(vp, vtl, gpa, 0, &al)) {
		access |= GPA_READ | GPA_EXECUTE;
		if (byte)
			*byte = al;
	}
	if (probe(vp, vtl, gpa, 4, &al))
		access |= GPA_WRITE;
	return access;
}
