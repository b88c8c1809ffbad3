/* SPDX-License-Identifier: BSD-2-Clause */
/* Registers: one table from GDB's numbers (its manual, "i386 Features") to HvRegister names. */
#include <errno.h>
#include <stddef.h>
#include <string.h>

#include "gdb/stub.h"

#define OFFSET(member) ((uint8_t)offsetof(union hv_register_value, member))

/* clang-format off */
#define CORE64(name, type, hv) \
	{name, type, NULL, HV_X64_REGISTER_##hv, 64, 0, 8, GDB_FEATURE_CORE}
#define SELECTOR(name, hv, feature) \
	{name, "int32", NULL, HV_X64_REGISTER_##hv, 32, OFFSET(segment.selector), 2, feature}
#define ST(number) \
	{"st" #number, "i387_ext", NULL, HV_X64_REGISTER_FP_MMX##number, 80, 0, 10, GDB_FEATURE_CORE}
#define FPU(name, hv, member, size) \
	{name, "int", "float", HV_X64_REGISTER_##hv, 32, member, size, GDB_FEATURE_CORE}
#define XMM(number) \
	{"xmm" #number, "vec128", NULL, HV_X64_REGISTER_XMM##number, 128, 0, 16, GDB_FEATURE_SSE}
#define VTL64(name, type, hv) \
	{name, type, "system", HV_X64_REGISTER_##hv, 64, 0, 8, GDB_FEATURE_VTL}
#define BASE(name, hv, member, feature) \
	{name, "data_ptr", "system", HV_X64_REGISTER_##hv, 64, OFFSET(member), 8, feature}
#define SMALL(name, hv, member, size) \
	{name, "int32", "system", HV_X64_REGISTER_##hv, 32, OFFSET(member), size, GDB_FEATURE_VTL}

const struct gdb_register gdb_registers[] = {
	CORE64("rax", "int64", RAX),
	CORE64("rbx", "int64", RBX),
	CORE64("rcx", "int64", RCX),
	CORE64("rdx", "int64", RDX),
	CORE64("rsi", "int64", RSI),
	CORE64("rdi", "int64", RDI),
	CORE64("rbp", "data_ptr", RBP),
	CORE64("rsp", "data_ptr", RSP),
	CORE64("r8", "int64", R8),
	CORE64("r9", "int64", R9),
	CORE64("r10", "int64", R10),
	CORE64("r11", "int64", R11),
	CORE64("r12", "int64", R12),
	CORE64("r13", "int64", R13),
	CORE64("r14", "int64", R14),
	CORE64("r15", "int64", R15),
	CORE64("rip", "code_ptr", RIP),
	{"eflags", "x64_eflags", NULL, HV_X64_REGISTER_RFLAGS, 32, 0, 4, GDB_FEATURE_CORE},
	SELECTOR("cs", CS, GDB_FEATURE_CORE),
	SELECTOR("ss", SS, GDB_FEATURE_CORE),
	SELECTOR("ds", DS, GDB_FEATURE_CORE),
	SELECTOR("es", ES, GDB_FEATURE_CORE),
	SELECTOR("fs", FS, GDB_FEATURE_CORE),
	SELECTOR("gs", GS, GDB_FEATURE_CORE),
	ST(0), ST(1), ST(2), ST(3), ST(4), ST(5), ST(6), ST(7),
	FPU("fctrl", FP_CONTROL_STATUS, OFFSET(fp_control_status.control), 2),
	FPU("fstat", FP_CONTROL_STATUS, OFFSET(fp_control_status.status), 2),
	/* In the abridged form of FXSAVE: one bit for each register, set if not empty. */
	FPU("ftag", FP_CONTROL_STATUS, OFFSET(fp_control_status.tag), 1),
	FPU("fiseg", FP_CONTROL_STATUS, OFFSET(fp_control_status.last_rip) + 4, 2),
	FPU("fioff", FP_CONTROL_STATUS, OFFSET(fp_control_status.last_rip), 4),
	FPU("foseg", XMM_CONTROL_STATUS, OFFSET(xmm_control_status.last_rdp) + 4, 2),
	FPU("fooff", XMM_CONTROL_STATUS, OFFSET(xmm_control_status.last_rdp), 4),
	FPU("fop", FP_CONTROL_STATUS, OFFSET(fp_control_status.last_opcode), 2),
	XMM(0), XMM(1), XMM(2), XMM(3), XMM(4), XMM(5), XMM(6), XMM(7),
	XMM(8), XMM(9), XMM(10), XMM(11), XMM(12), XMM(13), XMM(14), XMM(15),
	{"mxcsr", "x64_mxcsr", "vector", HV_X64_REGISTER_XMM_CONTROL_STATUS, 32,
	 OFFSET(xmm_control_status.mxcsr), 4, GDB_FEATURE_SSE},
	BASE("fs_base", FS, segment.base, GDB_FEATURE_SEGMENTS),
	BASE("gs_base", GS, segment.base, GDB_FEATURE_SEGMENTS),
	VTL64("cr0", "x64_cr0", CR0),
	VTL64("cr2", "data_ptr", CR2),
	VTL64("cr3", "int64", CR3),
	VTL64("cr4", "x64_cr4", CR4),
	VTL64("cr8", "int64", CR8),
	VTL64("efer", "x64_efer", EFER),
	VTL64("xcr0", "int64", XFEM),
	VTL64("k_gs_base", "data_ptr", KERNEL_GS_BASE),
	VTL64("star", "int64", STAR),
	VTL64("lstar", "code_ptr", LSTAR),
	VTL64("cstar", "code_ptr", CSTAR),
	VTL64("sfmask", "int64", SFMASK),
	VTL64("sysenter_cs", "int64", SYSENTER_CS),
	VTL64("sysenter_eip", "code_ptr", SYSENTER_EIP),
	VTL64("sysenter_esp", "data_ptr", SYSENTER_ESP),
	VTL64("pat", "int64", PAT),
	VTL64("dr0", "data_ptr", DR0),
	VTL64("dr1", "data_ptr", DR1),
	VTL64("dr2", "data_ptr", DR2),
	VTL64("dr3", "data_ptr", DR3),
	VTL64("dr6", "int64", DR6),
	VTL64("dr7", "int64", DR7),
	BASE("gdtr_base", GDTR, table.base, GDB_FEATURE_VTL),
	SMALL("gdtr_limit", GDTR, table.limit, 2),
	BASE("idtr_base", IDTR, table.base, GDB_FEATURE_VTL),
	SMALL("idtr_limit", IDTR, table.limit, 2),
	SMALL("ldtr", LDTR, segment.selector, 2),
	BASE("ldtr_base", LDTR, segment.base, GDB_FEATURE_VTL),
	SMALL("tr", TR, segment.selector, 2),
	BASE("tr_base", TR, segment.base, GDB_FEATURE_VTL),
	BASE("cs_base", CS, segment.base, GDB_FEATURE_VTL),
	SMALL("cs_attributes", CS, segment.attributes, 2),
	BASE("ss_base", SS, segment.base, GDB_FEATURE_VTL),
	SMALL("ss_attributes", SS, segment.attributes, 2),
};
/* clang-format on */
const size_t gdb_register_count = GDB_ARRAY_SIZE(gdb_registers);

struct access {
	uint8_t vtl;
	const uint32_t *name;
	union hv_register_value *read;
	const union hv_register_value *write;
	size_t count;
	int done;
};

static void access_registers(struct vsm_vp *vp, void *opaque)
{
	struct access *access = opaque;

	access->done = access->read ? vsm_vp_get_registers(vp, access->vtl, access->name,
							   access->read, access->count)
				    : vsm_vp_set_registers(vp, access->vtl, access->name,
							   access->write, access->count);
}

static int access_all(struct vsm_gdb *gdb, uint32_t vp, struct access *access)
{
	const int error = vsm_vp_call(gdb->vp[vp].vp, GDB_TIMEOUT_MS, access_registers, access);

	return error ? error : access->done == (int)access->count ? 0 : -EIO;
}

int gdb_hv_read(struct vsm_gdb *gdb, struct gdb_thread thread, const uint32_t *name,
		union hv_register_value *value, size_t count)
{
	struct access access = {.vtl = thread.vtl, .name = name, .read = value, .count = count};

	return access_all(gdb, thread.vp, &access);
}

#define ALL_MAX GDB_ARRAY_SIZE(gdb_registers)

/* Reads one value for each row, even if rows share an HvRegister name. */
static int read_all(struct vsm_gdb *gdb, struct gdb_thread thread,
		    union hv_register_value value[ALL_MAX])
{
	uint32_t name[ALL_MAX];

	for (size_t i = 0; i < ALL_MAX; i++)
		name[i] = gdb_registers[i].hv_name;
	memset(value, 0, sizeof(*value) * ALL_MAX);
	return gdb_hv_read(gdb, thread, name, value, ALL_MAX);
}

static void put_register(struct gdb_reply *reply, const struct gdb_register *row,
			 const union hv_register_value *value)
{
	uint8_t bytes[16] = {0};

	memcpy(bytes, value->bytes + row->offset, row->size);
	gdb_reply_hex(reply, bytes, row->bits / 8u);
}

/* GDB may send "x" digits for unavailable bytes; such a packet is refused. */
static bool take_register(struct gdb_text *text, const struct gdb_register *row,
			  union hv_register_value *value)
{
	uint8_t bytes[16];

	if (!gdb_text_hex(text, bytes, row->bits / 8u))
		return false;
	memcpy(value->bytes + row->offset, bytes, row->size);
	return true;
}

int gdb_registers_read(struct vsm_gdb *gdb, struct gdb_thread thread, struct gdb_reply *reply)
{
	union hv_register_value value[ALL_MAX];
	const int error = read_all(gdb, thread, value);

	for (size_t i = 0; !error && i < ALL_MAX; i++)
		put_register(reply, &gdb_registers[i], &value[i]);
	return error;
}

int gdb_register_read(struct vsm_gdb *gdb, struct gdb_thread thread, uint64_t number,
		      struct gdb_reply *reply)
{
	union hv_register_value value = {0};
	int error;

	if (number >= ALL_MAX)
		return -EINVAL;
	error = gdb_hv_read(gdb, thread, &gdb_registers[number].hv_name, &value, 1);
	if (!error)
		put_register(reply, &gdb_registers[number], &value);
	return error;
}

static int write_row(struct vsm_gdb *gdb, struct gdb_thread thread, const struct gdb_register *row,
		     struct gdb_text *text)
{
	union hv_register_value value = {0}, old;
	struct access write = {
		.vtl = thread.vtl, .name = &row->hv_name, .write = &value, .count = 1};
	int error = gdb_hv_read(gdb, thread, &row->hv_name, &value, 1);

	old = value;
	if (!error && !take_register(text, row, &value))
		error = -EINVAL;
	if (error || !memcmp(old.bytes, value.bytes, sizeof(value.bytes)))
		return error;
	return access_all(gdb, thread.vp, &write);
}

/* Unchanged registers are not written: the library refuses to write some that it can read. */
int gdb_registers_write(struct vsm_gdb *gdb, struct gdb_thread thread, struct gdb_text *text)
{
	int error = 0;

	for (size_t i = 0; i < ALL_MAX && !error; i++)
		error = write_row(gdb, thread, &gdb_registers[i], text);
	return error;
}

int gdb_register_write(struct vsm_gdb *gdb, struct gdb_thread thread, uint64_t number,
		       struct gdb_text *text)
{
	return number < ALL_MAX ? write_row(gdb, thread, &gdb_registers[number], text) : -EINVAL;
}
