/* SPDX-License-Identifier: GPL-2.0-or-later */
/* QEMU's GDB stub has no notion of a VTL: registers and virtual addresses are those of the CPU's active VTL,
 * and breakpoints stop every VTL. */
#include "qemu/osdep.h"
#include "accel.h"
#include <vsm/debug.h>
#include <vsm/walk.h>
#include "exec/breakpoint.h"
#include "gdbstub/enums.h"
#include "qemu/main-loop.h"

enum {
	INT3 = 0xcc,
	DEBUG_REGISTERS = 4,
};

struct breakpoint {
	int type; /* GDB_BREAKPOINT_SW ... */
	vaddr addr;
	vaddr len;
	bool int3; /* an INT3 at `gpa` replaces `original`; false: a debug register */
	uint8_t original;
	uint64_t gpa;
	uint8_t vtl; /* the VTL whose page tables led to `gpa` */
};

static struct breakpoint *breakpoint(const VsmState *vsm, unsigned i)
{
	return &g_array_index(vsm->breakpoints, struct breakpoint, i);
}

struct translation {
	vaddr addr;
	uint64_t gpa;
	uint8_t vtl; /* the active VTL, whose page tables were used */
	int error;
};

static void translate_on_cpu(CPUState *cpu, run_on_cpu_data data)
{
	struct translation *translation = data.host_ptr;
	struct vsm_walk_result result;

	/* GDB may have changed CR3. */
	if (cpu->vcpu_dirty)
		vsm_registers_put(cpu);
	translation->vtl = vsm_active_vtl(cpu);
	translation->error =
		vsm_vp_translate(vsm_vp(cpu), translation->vtl, translation->addr, &result);
	if (!translation->error)
		translation->gpa = result.gpa;
}

static bool has_right(uint8_t vtl, uint64_t gpa, uint32_t rights)
{
	struct vsm_protection range;

	return !vsm_protection_find(vsm_partition(), vtl, gpa, &range) && range.gpa <= gpa &&
	       range.access & rights;
}

/*
 * Translates by the page tables of the active VTL. Returns 0, or -errno without a translation, or -EACCES if
 * the VTL has none of @rights on the page: VTL0 must not redirect writes of GDB to private pages of VTL1.
 */
static int translate(CPUState *cpu, vaddr addr, uint32_t rights, uint64_t *gpa, uint8_t *vtl)
{
	struct translation translation = {.addr = addr};

	run_on_cpu(cpu, translate_on_cpu, RUN_ON_CPU_HOST_PTR(&translation));
	*gpa = translation.gpa;
	*vtl = translation.vtl;
	if (!translation.error && rights && !has_right(translation.vtl, *gpa, rights))
		return -EACCES;
	return translation.error;
}

/*
 * Reads with all rights, and writes where the active VTL has any. The mapping that devices use has only the
 * rights of VTL0.
 */
static int access_memory(CPUState *cpu, vaddr addr, uint8_t *buf, size_t len, bool is_write)
{
	while (len) {
		const size_t part = MIN(len, VSM_PAGE - addr % VSM_PAGE);
		uint64_t gpa;
		uint8_t vtl;

		if (translate(cpu, addr, is_write ? HV_MAP_GPA_PERMISSIONS_MASK : 0, &gpa, &vtl) ||
		    (is_write ? vsm_memory_poke(vsm_partition(), gpa, buf, part)
			      : vsm_memory_peek(vsm_partition(), gpa, buf, part)))
			return -1;
		addr += part;
		buf += part;
		len -= part;
	}
	return 0;
}

/* DR7 bits of breakpoint @i: global enable, type, length (SDM volume 3B, "Debug Control Register (DR7)"). */
static uint64_t dr7_of(const struct breakpoint *bp, unsigned i)
{
	static const uint8_t length[] = {[1] = 0, [2] = 1, [4] = 3, [8] = 2};
	const uint64_t type = bp->type == GDB_WATCHPOINT_WRITE	  ? 1
			      : bp->type == GDB_WATCHPOINT_ACCESS ? 3
								  : 0;
	const uint64_t field = type ? type | length[bp->len] << 2 : 0;

	return UINT64_C(2) << 2 * i | field << (16 + 4 * i);
}

static struct vsm_debug settings(const VsmState *vsm, bool step)
{
	struct vsm_debug debug = {.size = sizeof(debug), .flags = step ? VSM_DEBUG_STEP : 0};
	unsigned used = 0;

	for (unsigned i = 0; i < vsm->breakpoints->len; i++) {
		const struct breakpoint *bp = breakpoint(vsm, i);

		if (bp->int3) {
			debug.flags |= VSM_DEBUG_SOFTWARE;
			continue;
		}
		debug.flags |= VSM_DEBUG_HARDWARE;
		debug.dr[used] = bp->addr;
		debug.dr7 |= dr7_of(bp, used);
		used++;
	}
	return debug;
}

/* A step belongs to the active VTL: a step over a VTL call ends when the call has returned. */
static void apply(CPUState *cpu, run_on_cpu_data data)
{
	const VsmState *vsm = vsm_state();
	const uint8_t active = vsm_active_vtl(cpu);
	int *error = data.host_ptr;

	for (unsigned vtl = 0; vtl <= vsm->max_vtl && !*error; vtl++) {
		const struct vsm_debug debug =
			settings(vsm, cpu->singlestep_enabled && vtl == active);

		*error = vsm_vp_debug(vsm_vp(cpu), vtl, &debug);
	}
}

static int update(CPUState *cpu)
{
	int error = 0;

	run_on_cpu(cpu, apply, RUN_ON_CPU_HOST_PTR(&error));
	return error;
}

static int update_all(void)
{
	CPUState *cpu;
	int error = 0;

	CPU_FOREACH(cpu)
	{
		const int result = update(cpu);

		error = error ? error : result;
	}
	return error;
}

static unsigned debug_registers_used(const VsmState *vsm)
{
	unsigned used = 0;

	for (unsigned i = 0; i < vsm->breakpoints->len; i++)
		used += !breakpoint(vsm, i)->int3;
	return used;
}

/* Adds a row and passes it to the library. After an error, -errno, the row is removed. */
static int add(VsmState *vsm, const struct breakpoint *bp)
{
	int error;

	if (!bp->int3 && debug_registers_used(vsm) == DEBUG_REGISTERS)
		return -ENOBUFS;
	g_array_append_val(vsm->breakpoints, *bp);
	error = update_all();
	if (error) {
		g_array_remove_index(vsm->breakpoints, vsm->breakpoints->len - 1);
		update_all();
	}
	return error;
}

/* Returns a row other than @except whose INT3 is at @gpa, or NULL. */
static const struct breakpoint *find_gpa(const VsmState *vsm, uint64_t gpa,
					 const struct breakpoint *except)
{
	for (unsigned i = 0; i < vsm->breakpoints->len; i++)
		if (breakpoint(vsm, i)->int3 && breakpoint(vsm, i)->gpa == gpa &&
		    breakpoint(vsm, i) != except)
			return breakpoint(vsm, i);
	return NULL;
}

static int add_int3(VsmState *vsm, CPUState *cpu, struct breakpoint *bp)
{
	const uint8_t int3 = INT3;
	const struct breakpoint *same;
	int error = translate(cpu, bp->addr, HV_MAP_GPA_EXECUTABLE, &bp->gpa, &bp->vtl);

	/* A stream that QEMU saves must not contain the INT3. */
	if (!error && vsm->blocks->len)
		error = -EBUSY;
	if (!error)
		error = vsm_memory_peek(vsm->partition, bp->gpa, &bp->original, 1);
	if (error)
		return error;
	same = find_gpa(vsm, bp->gpa, NULL);
	if (same)
		bp->original = same->original;
	error = add(vsm, bp);
	if (error || !vsm_memory_poke(vsm->partition, bp->gpa, &int3, 1))
		return error;
	g_array_remove_index(vsm->breakpoints, vsm->breakpoints->len - 1);
	update_all();
	return -EFAULT;
}

static bool is_length(const struct breakpoint *bp)
{
	return bp->type <= GDB_BREAKPOINT_HW || bp->len == 1 || bp->len == 2 || bp->len == 4 ||
	       bp->len == 8;
}

static int find(const VsmState *vsm, const struct breakpoint *bp)
{
	for (unsigned i = 0; i < vsm->breakpoints->len; i++) {
		const struct breakpoint *row = breakpoint(vsm, i);

		if (row->type == bp->type && row->addr == bp->addr && row->len == bp->len)
			return i;
	}
	return -1;
}

static int insert(CPUState *cpu, int type, vaddr addr, vaddr len)
{
	struct breakpoint bp = {.type = type, .addr = addr, .len = len};
	int error = -ENOTSUP;

	/* A debug register cannot stop at reads only. */
	if (type < GDB_BREAKPOINT_SW || type > GDB_WATCHPOINT_ACCESS || type == GDB_WATCHPOINT_READ)
		return -ENOSYS;
	if (!is_length(&bp))
		return -EINVAL;
	if (find(vsm_state(), &bp) >= 0)
		return 0;
	bp.int3 = type == GDB_BREAKPOINT_SW;
	if (bp.int3)
		error = add_int3(vsm_state(), cpu, &bp);
	if (error != -ENOTSUP)
		return error;
	/* The CPU cannot report INT3, or the type needs a debug register. */
	bp.int3 = false;
	return add(vsm_state(), &bp);
}

/*
 * Restores the byte that an INT3 replaced, unless the guest has overwritten the INT3, another row needs it, or a
 * higher VTL has taken the page.
 */
static void restore(const VsmState *vsm, const struct breakpoint *bp)
{
	uint8_t present;

	if (bp->int3 && !find_gpa(vsm, bp->gpa, bp) &&
	    has_right(bp->vtl, bp->gpa, HV_MAP_GPA_PERMISSIONS_MASK) &&
	    !vsm_memory_peek(vsm->partition, bp->gpa, &present, 1) && present == INT3)
		vsm_memory_poke(vsm->partition, bp->gpa, &bp->original, 1);
}

static int remove_breakpoint(CPUState *cpu, int type, vaddr addr, vaddr len)
{
	VsmState *vsm = vsm_state();
	const int i = find(vsm, &(struct breakpoint){.type = type, .addr = addr, .len = len});

	if (i < 0)
		return -ENOENT;
	restore(vsm, breakpoint(vsm, i));
	g_array_remove_index(vsm->breakpoints, i);
	return update_all();
}

static void remove_all(CPUState *cpu)
{
	VsmState *vsm = vsm_state();

	while (vsm->breakpoints->len) {
		restore(vsm, breakpoint(vsm, vsm->breakpoints->len - 1));
		g_array_set_size(vsm->breakpoints, vsm->breakpoints->len - 1);
	}
	update_all();
}

static bool is_supported(void)
{
	return true;
}

/* In the order of settings(). */
static const struct breakpoint *find_register(const VsmState *vsm, unsigned i)
{
	for (unsigned row = 0; row < vsm->breakpoints->len; row++)
		if (!breakpoint(vsm, row)->int3 && !i--)
			return breakpoint(vsm, row);
	return NULL;
}

/* Whether a breakpoint or watchpoint was hit, which QEMU's stub then reports. */
static bool hit_register(VsmState *vsm, CPUState *cpu, uint64_t dr6)
{
	for (unsigned i = 0; i < DEBUG_REGISTERS; i++) {
		const struct breakpoint *bp = dr6 & 1u << i ? find_register(vsm, i) : NULL;

		if (!bp || bp->type <= GDB_BREAKPOINT_HW)
			continue;
		cpu->accel->watchpoint = (CPUWatchpoint){
			.vaddr = bp->addr,
			.len = bp->len,
			.flags = bp->type == GDB_WATCHPOINT_WRITE ? BP_MEM_WRITE : BP_MEM_ACCESS,
		};
		cpu->watchpoint_hit = &cpu->accel->watchpoint;
	}
	return dr6 & ((1u << DEBUG_REGISTERS) - 1);
}

/*
 * Whether an INT3 of a breakpoint was hit; any other INT3 is the guest's. Breakpoints change only while no CPU
 * runs, so each INT3 of a breakpoint still has its row.
 */
static bool hit_int3(const VsmState *vsm, CPUState *cpu)
{
	static const uint32_t name[] = {HV_X64_REGISTER_RIP, HV_X64_REGISTER_CS,
					HV_X64_REGISTER_EFER};
	const uint8_t vtl = vsm_active_vtl(cpu);
	union hv_register_value value[G_N_ELEMENTS(name)] = {0};
	struct vsm_walk_result result;
	uint64_t address;

	vsm_vp_get_registers(vsm_vp(cpu), vtl, name, value, G_N_ELEMENTS(name));
	address = value[0].reg64;
	/* In 64-bit mode the base of CS counts as 0. */
	if (!(value[2].reg64 & MSR_EFER_LMA) ||
	    !(value[1].segment.attributes & HV_X64_SEGMENT_LONG))
		address = (uint32_t)(address + value[1].segment.base);
	return !vsm_vp_translate(vsm_vp(cpu), vtl, address, &result) &&
	       find_gpa(vsm, result.gpa, NULL);
}

bool vsm_debug_has_int3(const VsmState *vsm)
{
	return debug_registers_used(vsm) < vsm->breakpoints->len;
}

bool vsm_debug_stops(CPUState *cpu, const struct vsm_exit *exit)
{
	VsmState *vsm = vsm_state();
	bool stops = false;

	bql_lock();
	if (exit->debug.cause & VSM_DEBUG_STEP)
		stops |= cpu->singlestep_enabled != 0;
	if (exit->debug.cause & VSM_DEBUG_HARDWARE)
		stops |= hit_register(vsm, cpu, exit->debug.dr6);
	if (exit->debug.cause & VSM_DEBUG_SOFTWARE) {
		const bool hit = hit_int3(vsm, cpu);

		stops |= hit;
		*exit->debug.deliver = !hit;
	}
	bql_unlock();
	return stops;
}

/* The stepped VTL gets no interrupts. */
int vsm_debug_step_flags(VSM_STEP_FLAGS_ARGS)
{
	return SSTEP_ENABLE | SSTEP_NOIRQ;
}

void vsm_debug_ops_init(AccelOpsClass *ops)
{
	ops->supports_guest_debug = is_supported;
	ops->update_guest_debug = update;
	ops->insert_breakpoint = insert;
	ops->remove_breakpoint = remove_breakpoint;
	ops->remove_all_breakpoints = remove_all;
}

void vsm_debug_class_init(CPUClass *class)
{
	class->memory_rw_debug = access_memory;
}

void vsm_debug_init(VsmState *vsm)
{
	vsm->breakpoints = g_array_new(false, false, sizeof(struct breakpoint));
}
