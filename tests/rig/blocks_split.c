/* SPDX-License-Identifier: BSD-2-Clause */
/* Separate restrictions of user and kernel execution by kernel/. A host without MBEC must refuse them. */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "blocks.h"
#include "tap.h"

__asm__(".pushsection .rodata\n"
	".globl guest_code, guest_code_end\n"
	"guest_code:\n"
	"nop\n"
	"guest_code_end:\n"
	".popsection");

#define P	(16 * MIB + 0x5000)
#define ALIAS	(2048 * MIB) /* alias of the first gigabyte for user mode */
#define NOTHING (768 * MIB)  /* a GPA without memory */

#define CR4_SMEP    (UINT64_C(1) << 20)
#define CR0_PG	    (UINT64_C(1) << 31)
#define USER_TABLES (8 * MIB)
#define USER_PAGE   0x87 /* present, writable, user, large */
#define IOPL_3	    0x3000

/* Offsets in P. The code at 0 ends the run, the code at LOAD makes an access that KVM emulates. A run of LOOP
 * is shorter than a tick of the host's timer, so that most runs have no tick. */
enum {
	LOAD = 0x100,
	LOOP = 0x200,
	ROUNDS = 100,
};

static const uint8_t done[] = {0xe6, PORT_DONE};
static const uint8_t load[] = {0x48, 0x8b, 0x1f, 0xe6, PORT_DONE};

static const uint8_t loop[] = {0xb9, 0x88, 0x13, 0, 0, 0xff, 0xc9, 0x75, 0xfc, 0xe6, PORT_DONE};

static int set_split(struct raw_vcpu *cpu, uint32_t on)
{
	return ioctl(cpu->fd, KVM_SET_SPLIT_EXEC, &on) ? -errno : 0;
}

static void put_user_tables(struct raw_kvm *machine)
{
	raw_kvm_put(machine, PAGE_TABLES, word(machine, PAGE_TABLES) | 4);
	raw_kvm_put(machine, 0x2000 + 2 * 8, USER_TABLES | 7);
	for (uint64_t i = 0; i < 512; i++)
		raw_kvm_put(machine, USER_TABLES + 8 * i, i << 21 | USER_PAGE);
}

static uint64_t start(struct raw_kvm *machine, uint64_t at, bool user, bool smep, uint64_t rdi)
{
	struct raw_vcpu *cpu = &machine->vcpu[0];
	const uint64_t alias = user ? ALIAS : 0;
	struct kvm_regs regs;
	struct kvm_sregs sregs;

	cpu_start(cpu, alias + P + at, alias + rdi, 0, 0);
	if (ioctl(cpu->fd, KVM_GET_SREGS, &sregs) || ioctl(cpu->fd, KVM_GET_REGS, &regs))
		return 0;
	sregs.cs.dpl = sregs.ss.dpl = user ? 3 : 0;
	sregs.cs.selector = user ? 0x33 : 8;
	sregs.ss.selector = user ? 0x2b : 16;
	sregs.cr4 = smep ? sregs.cr4 | CR4_SMEP : sregs.cr4 & ~CR4_SMEP;
	regs.rflags |= IOPL_3;
	if (ioctl(cpu->fd, KVM_SET_SREGS, &sregs) || ioctl(cpu->fd, KVM_SET_REGS, &regs))
		return 0;
	return alias + P + at;
}

struct row {
	bool split, smep, user;
	uint32_t restrictions;
};

/* Whether the fetch is denied by the rule of KVM_SET_SPLIT_EXEC. */
static bool is_denied(const struct row *row)
{
	return row->restrictions &
	       (row->split && row->smep && row->user ? KVM_ACCESS_NO_USER_EXEC
						     : KVM_ACCESS_NO_KERNEL_EXEC);
}

static bool fetch_is_right(struct raw_kvm *machine, const struct row *row)
{
	struct raw_vcpu *cpu = &machine->vcpu[0];
	uint64_t rip = start(machine, 0, row->user, row->smep, 0);
	enum ending ending = cpu_run(cpu);

	return is_denied(row) ? was_refused(cpu, ending, P, KVM_ACCESS_EXIT_EXEC, rip)
			      : ending == END_DONE;
}

/* KVM fetches the instruction itself, and must check the rights of the vCPU. */
static bool emulated_fetch_is_right(struct raw_kvm *machine, const struct row *row)
{
	struct raw_vcpu *cpu = &machine->vcpu[0];

	if (is_denied(row))
		return true;
	start(machine, LOAD, row->user, row->smep, NOTHING);
	return cpu_run(cpu) == END_OTHER && cpu->run->exit_reason == KVM_EXIT_MMIO &&
	       cpu->run->mmio.phys_addr == NOTHING;
}

static void test_each_setting(struct raw_kvm *machine)
{
	static const uint32_t restrictions[] = {0, KVM_ACCESS_NO_KERNEL_EXEC,
						KVM_ACCESS_NO_USER_EXEC, KVM_ACCESS_NO_EXEC};
	unsigned int fetches = 0, emulated = 0;

	/* Two passes: in the second one every page was mapped with other rights before. */
	for (unsigned int i = 0; i < 2 * 4 * 8; i++) {
		const struct row row = {i & 1, i & 2, i & 4, restrictions[i / 8 % 4]};

		set_split(&machine->vcpu[0], row.split);
		set_page(machine, P, row.restrictions);
		if (!fetch_is_right(machine, &row)) {
			printf("# split %d smep %d user %d restrictions 0x%x\n", row.split,
			       row.smep, row.user, row.restrictions);
			fetches++;
		}
		emulated += !emulated_fetch_is_right(machine, &row);
	}
	check(!fetches, "each restriction denies exactly its fetches in every mode");
	check(!emulated, "an instruction that may be fetched is also emulated by KVM");
}

/* An existing mapping must not be used after a change of the setting, of CR4 or of the restriction. */
static void test_changes(struct raw_kvm *machine)
{
	struct raw_vcpu *cpu = &machine->vcpu[0];
	unsigned int bad = 0;

	for (unsigned int i = 0; i < 20; i++) {
		const struct row rows[] = {
			{true, true, true, KVM_ACCESS_NO_KERNEL_EXEC},
			{true, false, true, KVM_ACCESS_NO_KERNEL_EXEC},
			{true, true, true, KVM_ACCESS_NO_KERNEL_EXEC},
			{false, true, true, KVM_ACCESS_NO_KERNEL_EXEC},
			{true, true, false, KVM_ACCESS_NO_USER_EXEC},
			{true, true, true, KVM_ACCESS_NO_USER_EXEC},
		};

		for (unsigned int k = 0; k < sizeof(rows) / sizeof(rows[0]); k++) {
			set_page(machine, P, rows[k].restrictions);
			set_split(cpu, rows[k].split);
			bad += !fetch_is_right(machine, &rows[k]);
		}
	}
	check(!bad,
	      "a change of the setting, of CR4.SMEP or of the page applies at the next entry");
}

static void test_without_paging(struct raw_kvm *machine)
{
	struct raw_vcpu *cpu = &machine->vcpu[0];
	enum ending ending;

	/* SMEP stays set; without paging the CPU treats every page as a user page. */
	set_split(cpu, 1);
	set_page(machine, P, KVM_ACCESS_NO_KERNEL_EXEC);
	cpu_start_32(machine, P, 0, 0, CR4_SMEP);
	ending = cpu_run(cpu);
	check(was_refused(cpu, ending, P, KVM_ACCESS_EXIT_EXEC, P),
	      "without paging no-kernel-exec denies execution regardless of SMEP");
	set_page(machine, P, KVM_ACCESS_NO_USER_EXEC);
	cpu_start_32(machine, P, 0, 0, CR4_SMEP);
	check(cpu_run(cpu) == END_DONE, "without paging no-user-exec does not deny execution");
	cpu_end_32(machine);
}

static void test_large_page(struct raw_kvm *machine)
{
	const struct row user = {true, true, true, KVM_ACCESS_NO_KERNEL_EXEC};
	const struct row kernel = {true, true, false, KVM_ACCESS_NO_KERNEL_EXEC};

	set_split(&machine->vcpu[0], 1);
	check(!set_range(machine, 16 * MIB, 2 * MIB, KVM_ACCESS_NO_KERNEL_EXEC) &&
		      fetch_is_right(machine, &user) && fetch_is_right(machine, &kernel),
	      "a large page has separate user and kernel execute rights");
	set_range(machine, 16 * MIB, 2 * MIB, 0);
}

static long exits_of(const struct raw_kvm *machine)
{
	char path[96];
	long value = -1;
	FILE *file;

	snprintf(path, sizeof(path), "/sys/kernel/debug/kvm/%d-%d/exits", getpid(), machine->vm);
	file = fopen(path, "r");
	if (file && fscanf(file, "%ld", &value) != 1)
		value = -1;
	if (file)
		fclose(file);
	return value;
}

/* Returns the minimum of exits of a loop, since interrupts of the host add some. */
static long exits_of_loop(struct raw_kvm *machine, bool user)
{
	long fewest = -1;

	for (unsigned int i = 0; i < ROUNDS; i++) {
		long before, count;

		start(machine, LOOP, user, true, 0);
		before = exits_of(machine);
		if (before < 0 || cpu_run(&machine->vcpu[0]) != END_DONE)
			return -1;
		count = exits_of(machine) - before;
		fewest = fewest < 0 || count < fewest ? count : fewest;
	}
	return fewest;
}

static void test_exits(struct raw_kvm *machine)
{
	long without[2], with[2];

	for (unsigned int user = 0; user < 2; user++) {
		set_split(&machine->vcpu[0], 0);
		set_page(machine, P, 0);
		without[user] = exits_of_loop(machine, user);
		set_split(&machine->vcpu[0], 1);
		set_page(machine, P, user ? KVM_ACCESS_NO_KERNEL_EXEC : KVM_ACCESS_NO_USER_EXEC);
		with[user] = exits_of_loop(machine, user);
	}
	set_page(machine, P, 0);
	if (without[0] < 0) {
		check_skipped("exits with MBEC", "KVM's count of exits is not in debugfs");
		return;
	}
	check(with[0] >= 0 && with[1] >= 0 && with[0] <= without[0] && with[1] <= without[1],
	      "code that is executable only in its own mode has no more exits than without MBEC "
	      "(kernel %ld, %ld; user %ld, %ld)",
	      with[0], without[0], with[1], without[1]);
}

static void test_refusals(struct raw_kvm *machine, bool offered)
{
	struct raw_vcpu *cpu = &machine->vcpu[0];
	uint64_t page = P | KVM_ACCESS_NO_KERNEL_EXEC;

	check(set_split(cpu, 2) == -EINVAL && ioctl(cpu->fd, KVM_SET_SPLIT_EXEC, NULL) == -1 &&
		      errno == EFAULT,
	      "an invalid setting is refused");
	if (offered)
		return;
	check(set_split(cpu, 0) == -EOPNOTSUPP && set_split(cpu, 1) == -EOPNOTSUPP &&
		      set_range(machine, P, PAGE, KVM_ACCESS_NO_KERNEL_EXEC) == -EINVAL &&
		      set_range(machine, P, PAGE, KVM_ACCESS_NO_USER_EXEC) == -EINVAL &&
		      set_pages(machine, &page, 1) == -EINVAL,
	      "a host without MBEC refuses the setting and each restriction of one mode");
}

int main(void)
{
	struct raw_kvm machine;
	bool offered;

	machine_create(&machine, 64 * MIB, false);
	offered = ioctl(machine.vm, KVM_CHECK_EXTENSION, KVM_CAP_ACCESS) &
		  (int)KVM_ACCESS_CAP_SPLIT_EXEC;
	test_refusals(&machine, offered);
	if (offered) {
		memcpy(machine.ram + P, done, sizeof(done));
		memcpy(machine.ram + P + LOAD, load, sizeof(load));
		memcpy(machine.ram + P + LOOP, loop, sizeof(loop));
		put_user_tables(&machine);
		test_each_setting(&machine);
		test_changes(&machine);
		test_large_page(&machine);
		test_exits(&machine);
		test_without_paging(&machine);
	} else {
		check_skipped("separate user and kernel execution", "this CPU has no MBEC");
	}
	raw_kvm_destroy(&machine);
	return checks_end();
}
