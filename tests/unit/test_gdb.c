/* SPDX-License-Identifier: BSD-2-Clause */
#include "gdb_client.h"
#include "gdb/stub.h"
#include "listener.h"

#include <sys/socket.h>
#include <unistd.h>

#define RIP0 0x10000u /* RIP of VTL0 after guest_set_long_mode() */

static struct gdb_client *machine(uint32_t vps)
{
	struct gdb_client *client = client_create(vps, true);

	client_start(client);
	client_attach(client);
	return client;
}

static struct vsm_vp *vp_of(struct gdb_client *client, uint32_t index)
{
	return vsm_partition_vp(client->partition, index);
}

/* A machine with VTL1 on VP 0; VTL0 is active. */
static struct gdb_client *machine_with_vtl1(void)
{
	struct gdb_client *client = client_create(1, true);

	listener_create(client->partition, 1);
	client_start(client);
	client_attach(client);
	return client;
}

static void next(struct gdb_client *client, uint32_t index, uint8_t vtl, struct sim_action action)
{
	sim_next(vp_of(client, index), vtl, &action);
}

/* Enters VTL1 to set VTL0's rights to a page to @access. VTL0 is active before and after. */
static void protect_page(struct vsm_vp *vp, uint64_t gpn, uint32_t access)
{
	assert_int_equal(guest_vtl_call(vp), GUEST_DONE);
	assert_int_equal(guest_protect(vp, 0, access, gpn * 4096), 0);
	assert_int_equal(guest_vtl_return(vp, true), GUEST_DONE);
}

static void next_call(struct gdb_client *client, uint8_t vtl, uint64_t control)
{
	guest_set_gpr(vp_of(client, 0), vtl, GPR_RCX, control);
	guest_set_gpr(vp_of(client, 0), vtl, GPR_RAX, 0);
	next(client, 0, vtl, (struct sim_action){.kind = SIM_HYPERCALL});
}

static void wait_for_exit(struct gdb_client *client, uint32_t index, enum vsm_exit_reason reason)
{
	static const struct timespec pause = {.tv_nsec = 500000};

	for (unsigned int i = 0; i < 2 * CLIENT_TIMEOUT_MS; i++) {
		if (atomic_load(&client->vp[index].exits[reason]))
			return;
		nanosleep(&pause, NULL);
	}
	fail_msg("the VMM got no exit %d", reason);
}

static void damaged_packets_are_refused_and_repeated(void **state)
{
	struct gdb_client *client = client_create(1, true);
	size_t size;

	assert_int_equal(vsm_gdb_attach(client->gdb, client_send, client), 0);
	assert_int_equal(client_bytes(client, "$qC#00", 6), 0);
	assert_memory_equal(client->out, "-", 1);
	client->size = 0;
	assert_int_equal(client_bytes(client, "$qC#b4", 6), 0);
	size = client->size;
	assert_memory_equal(client->out, "+$QC1#", 6);
	client->size = 0;
	assert_int_equal(client_bytes(client, "-", 1), 0);
	assert_int_equal(client->size, size - 1);
	assert_memory_equal(client->out, "$QC1#", 5);
	client->size = 0;
	assert_int_equal(client_bytes(client, "zzz$qRcmd$qC#b4", 15), 0);
	assert_memory_equal(client->out, "+$QC1#", 6);
	vsm_gdb_detach(client->gdb);
	client_destroy(client);
}

static void a_packet_that_is_too_long_is_refused(void **state)
{
	struct gdb_client *client = client_create(1, true);
	char *packet = malloc(GDB_PACKET_MAX + 64);

	assert_non_null(packet);
	memset(packet, 'a', GDB_PACKET_MAX + 64);
	packet[0] = '$';
	assert_int_equal(vsm_gdb_attach(client->gdb, client_send, client), 0);
	assert_int_equal(client_bytes(client, packet, GDB_PACKET_MAX + 64), 0);
	assert_int_equal(client_bytes(client, "#00", 3), 0);
	assert_int_equal(client->size, 1);
	assert_memory_equal(client->out, "-", 1);
	client->size = 0;
	assert_int_equal(client_bytes(client, "$qC#b4", 6), 0);
	assert_memory_equal(client->out, "+$QC1#", 6);
	vsm_gdb_detach(client->gdb);
	client_destroy(client);
	free(packet);
}

static void malformed_packets_are_errors(void **state)
{
	static const char *const wrong[] = {
		"p",
		"pffff",
		"P1",
		"P1=12",
		"m",
		"m1000",
		"mx,4",
		"M1000,4:12",
		"M1000,2",
		"X1000,9:ab",
		"Hx",
		"Hgp9.1",
		"Hg4000",
		"Hgp1.2",
		"Hgp2.1",
		"Tp3.1",
		"T",
		"Z0",
		"Z9,1000,1",
		"Z1,1000",
		"Z2,1001,4",
		"Z2,1000,3",
		"vCont",
		"vCont;",
		"vCont;x",
		"vCont;c:p7.1",
		"vCont;c;!",
		"vCont;Cz",
		"vAttach;",
		"vAttach;0",
		"vAttach;9",
		"D;",
		"qRcmd,1",
		"qRcmd,zz",
		"G00",
		"qThreadExtraInfo,zz",
		"m11111111111111111,4",
		"qXfer:features:read:target.xml:fffffff,10",
		"qXfer:features:read:target.xml:0",
	};
	struct gdb_client *client = machine(1);

	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++)
		if (client_ask(client, wrong[i])[0] != 'E')
			fail_msg("%s: %s", wrong[i], client->reply);
	assert_string_equal(client_ask(client, "vMustReplyEmpty"), "");
	assert_string_equal(client_ask(client, "qCRC:0,10"), "");
	vsm_gdb_detach(client->gdb);
	client_destroy(client);
}

static void each_vtl_is_a_process_and_each_vp_a_thread(void **state)
{
	struct gdb_client *client = machine(2);

	assert_string_equal(client_ask(client, "qfThreadInfo"), "mp1.1,p1.11");
	assert_string_equal(client_ask(client, "!"), "OK");
	assert_string_equal(client_ask(client, "vAttach;2"), "T00thread:p2.2;core:0;");
	assert_string_equal(client_ask(client, "qfThreadInfo"), "mp1.1,p2.2,p1.11,p2.12");
	assert_string_equal(client_ask(client, "qsThreadInfo"), "l");
	assert_string_equal(client_ask(client, "Tp2.12"), "OK");
	assert_string_equal(client_ask(client, "Hgp2.12"), "OK");
	assert_string_equal(client_ask(client, "qC"), "QCp2.12");
	/* GDB selects a process: the stub keeps the VP. */
	assert_string_equal(client_ask(client, "Hgp1.-1"), "OK");
	assert_string_equal(client_ask(client, "qC"), "QCp1.11");
	assert_non_null(strstr(client_ask(client, "qXfer:threads:read::0,1000"),
			       "<thread id=\"p2.12\" core=\"1\" name=\"1.1\">"));
	assert_int_equal(client->reply[0], 'l');
	assert_string_equal(client_ask(client, "D;1"), "OK");
	assert_string_equal(client_ask(client, "qfThreadInfo"), "mp2.2,p2.12");
	assert_string_equal(client_ask(client, "D;7"), "E16");
	assert_int_equal(client_put(client, "D;2"), -EPIPE);
	vsm_gdb_detach(client->gdb);
	client_destroy(client);
}

/* The last reply was full behind VTL0 of the last VP; the client has not attached to VTL1. */
static void a_list_without_further_threads_ends(void **state)
{
	struct gdb_client *client = machine(1);

	client->gdb->listed = 1;
	assert_string_equal(client_ask(client, "qsThreadInfo"), "l");
	vsm_gdb_detach(client->gdb);
	client_destroy(client);
}

static void the_description_lists_the_registers_of_g_in_their_order(void **state)
{
	struct gdb_client *client = machine(1);
	unsigned int bits = 0, number = 0, sum = 0;
	char *text = calloc(1, 65536);
	char packet[64];

	assert_non_null(text);
	for (size_t offset = 0;; offset = strlen(text)) {
		snprintf(packet, sizeof(packet), "qXfer:features:read:target.xml:%zx,400", offset);
		client_ask(client, packet);
		memcpy(text + strlen(text), client->reply + 1, strlen(client->reply));
		if (client->reply[0] == 'l')
			break;
	}
	for (const char *row = strstr(text, "<reg "); row; row = strstr(row + 1, "<reg ")) {
		assert_int_equal(sscanf(strstr(row, "bitsize="), "bitsize=\"%u\"", &bits), 1);
		sscanf(strstr(row, "regnum="), "regnum=\"%u\"", &number);
		snprintf(packet, sizeof(packet), "p%x", number);
		assert_int_equal(strlen(client_ask(client, packet)), bits / 4);
		sum += bits;
	}
	assert_int_equal(strlen(client_ask(client, "g")), sum / 4);
	free(text);
	vsm_gdb_detach(client->gdb);
	client_destroy(client);
}

static void registers_are_read_and_written_by_thread(void **state)
{
	struct gdb_client *client = machine_with_vtl1();
	struct vsm_vp *vp = vp_of(client, 0);
	char all[GDB_FRAME_MAX + 2];

	host_set(vp, 0, HV_X64_REGISTER_RAX, 0x1122334455667788);
	host_set(vp, 0, HV_X64_REGISTER_RIP, RIP0);
	host_set(vp, 1, HV_X64_REGISTER_CR3, 0x3000);
	assert_memory_equal(client_ask(client, "g"), "8877665544332211", 16);
	assert_string_equal(client_ask(client, "p10"), "0000010000000000");
	assert_string_equal(client_ask(client, "P10=78563412f0ffffff"), "OK");
	assert_true(host_get(vp, 0, HV_X64_REGISTER_RIP) == 0xfffffff012345678);
	/* xmm3 is 40 + 3; cs is a part of its register. */
	assert_string_equal(client_ask(client, "P2b=000102030405060708090a0b0c0d0e0f"), "OK");
	assert_string_equal(client_ask(client, "p2b"), "000102030405060708090a0b0c0d0e0f");
	assert_string_equal(client_ask(client, "p12"), "08000000");
	assert_string_equal(client_ask(client, "Hgp2.2"), "OK");
	assert_memory_not_equal(client_ask(client, "p10"), "78563412", 8);
	assert_string_equal(client_ask(client, "Hgp1.1"), "OK");
	snprintf(all, sizeof(all), "G%.16sefcdab8967452301%s", client_ask(client, "g"),
		 client->reply + 32);
	assert_string_equal(client_ask(client, all), "OK");
	assert_true(host_get(vp, 0, HV_X64_REGISTER_RBX) == 0x0123456789abcdef);
	assert_true(host_get(vp, 0, HV_X64_REGISTER_RAX) == 0x1122334455667788);
	/* The library refuses what no CPU can have. */
	assert_int_equal(client_ask(client, "P3b=ffffffffffffffff")[0], 'E');
	vsm_gdb_detach(client->gdb);
	client_destroy(client);
}

static void memory_is_that_of_the_vtl_with_the_rights_of_the_host(void **state)
{
	struct gdb_client *client = machine_with_vtl1();
	uint64_t *tables = (uint64_t *)(void *)guest_ram(client->partition, 0x100000);
	struct vsm_vp *vp = vp_of(client, 0);

	/* VTL1 has page tables of its own: GVA 0x200000 is GPA 0x400000. */
	tables[0] = 0x101003;
	tables[512] = 0x102003;
	tables[1025] = 0x400083;
	host_set(vp, 1, HV_X64_REGISTER_CR3, 0x100000);
	memcpy(guest_ram(client->partition, 0x200010), "zero", 4);
	memcpy(guest_ram(client->partition, 0x400010), "one.", 4);
	/* GDB reads a page that VTL0 may not read. */
	protect_page(vp, 0x200, 0);
	assert_string_equal(client_ask(client, "m200010,4"), "7a65726f");
	assert_string_equal(client_ask(client, "M200010,2:4142"), "OK");
	assert_memory_equal(guest_ram(client->partition, 0x200010), "ABro", 4);
	assert_string_equal(client_ask(client, "Hgp2.2"), "OK");
	assert_string_equal(client_ask(client, "m200010,4"), "6f6e652e");
	assert_string_equal(client_ask(client, "X200010,3:x}\x03y"), "OK");
	assert_memory_equal(guest_ram(client->partition, 0x400010), "x#y.", 4);
	assert_string_equal(client_ask(client, "m10,4"), "E0e");
	assert_string_equal(client_ask(client, "M3ffffe,4:00000000"), "E0e");
	assert_int_equal(strlen(client_ask(client, "m3ffffe,4")), 4);
	vsm_gdb_detach(client->gdb);
	client_destroy(client);
}

static void a_software_breakpoint_stops_its_vtl_and_memory_reads_omit_it(void **state)
{
	struct gdb_client *client = machine(1);
	uint8_t *code = guest_ram(client->partition, RIP0);

	memcpy(code, (const uint8_t[]){0x90, 0x91, 0x92, 0x93}, 4);
	assert_string_equal(client_ask(client, "Z0,10001,1"), "OK");
	assert_string_equal(client_ask(client, "Z0,10000,1"), "OK");
	assert_string_equal(client_ask(client, "Z0,10000,1"), "OK");
	assert_memory_equal(code, "\xcc\xcc\x92\x93", 4);
	assert_string_equal(client_ask(client, "m10000,4"), "90919293");
	/* A write changes the byte under the breakpoint. */
	assert_string_equal(client_ask(client, "M10000,2:a0a1"), "OK");
	assert_memory_equal(code, "\xcc\xcc\x92\x93", 4);
	next(client, 0, 0, (struct sim_action){.kind = SIM_BREAKPOINT});
	client_continue(client);
	assert_string_equal(client_wait(client), "T05thread:p1.1;core:0;swbreak:;");
	assert_string_equal(client_ask(client, "p10"), "0000010000000000");
	assert_string_equal(client_ask(client, "z0,10000,1"), "OK");
	assert_string_equal(client_ask(client, "z0,10000,1"), "OK");
	assert_memory_equal(code, "\xa0\xcc\x92\x93", 4);
	assert_int_equal(sim_state(vp_of(client, 0), 0)->exceptions, 0);
	code[1] = 0x55;
	vsm_gdb_detach(client->gdb);
	assert_memory_equal(code, "\xa0\x55\x92\x93", 4);
	client_destroy(client);
}

static void an_int3_of_the_guest_reaches_the_guest(void **state)
{
	struct gdb_client *client = machine(1);

	assert_string_equal(client_ask(client, "Z0,20000,1"), "OK");
	next(client, 0, 0, (struct sim_action){.kind = SIM_BREAKPOINT});
	client_continue(client);
	wait_for_exit(client, 0, VSM_EXIT_INTERRUPTED);
	assert_int_equal(client_bytes(client, "\x03", 1), 0);
	assert_memory_equal(client_wait(client), "T02", 3);
	assert_int_equal(sim_state(vp_of(client, 0), 0)->exceptions, 1);
	assert_int_equal(sim_state(vp_of(client, 0), 0)->exception_vector, X64_EXCEPTION_BP);
	vsm_gdb_detach(client->gdb);
	client_destroy(client);
}

/* A page that both VTLs execute, with a breakpoint of VTL1; VTL0 is at it. */
static struct gdb_client *machine_with_shared_code(uint8_t byte)
{
	struct gdb_client *client = machine_with_vtl1();

	host_set(vp_of(client, 0), 1, HV_X64_REGISTER_CR3, GUEST_TABLES_GPA);
	host_set(vp_of(client, 0), 0, HV_X64_REGISTER_RIP, RIP0);
	*guest_ram(client->partition, RIP0) = byte;
	assert_string_equal(client_ask(client, "Hgp2.2"), "OK");
	assert_string_equal(client_ask(client, "Z0,10000,1"), "OK");
	assert_int_equal(*guest_ram(client->partition, RIP0), 0xcc);
	next(client, 0, 0, (struct sim_action){.kind = SIM_BREAKPOINT});
	return client;
}

static void a_breakpoint_of_another_vtl_is_passed(void **state)
{
	struct gdb_client *client = machine_with_shared_code(0x90);

	client->nop_at = RIP0;
	client_continue(client);
	wait_for_exit(client, 0, VSM_EXIT_INTERRUPTED);
	assert_int_equal(client_bytes(client, "\x03", 1), 0);
	client_wait(client);
	assert_true(host_get(vp_of(client, 0), 0, HV_X64_REGISTER_RIP) == RIP0 + 3);
	assert_int_equal(sim_state(vp_of(client, 0), 0)->exceptions, 0);
	assert_int_equal(*guest_ram(client->partition, RIP0), 0xcc);
	client->nop_at = 0;
	vsm_gdb_detach(client->gdb);
	assert_int_equal(*guest_ram(client->partition, RIP0), 0x90);
	client_destroy(client);
}

static void an_int3_of_the_guest_below_a_breakpoint_of_another_vtl_reaches_the_guest(void **state)
{
	struct gdb_client *client = machine_with_shared_code(0xcc);

	client_continue(client);
	wait_for_exit(client, 0, VSM_EXIT_INTERRUPTED);
	assert_int_equal(client_bytes(client, "\x03", 1), 0);
	client_wait(client);
	assert_int_equal(sim_state(vp_of(client, 0), 0)->exceptions, 1);
	vsm_gdb_detach(client->gdb);
	client_destroy(client);
}

static void hardware_breakpoints_belong_to_one_vtl(void **state)
{
	struct gdb_client *client = machine_with_vtl1();
	const uint64_t rip = host_get(vp_of(client, 0), 0, HV_X64_REGISTER_RIP);
	char packet[64];

	/* A watchpoint of VTL1: a write of VTL0 does not stop. */
	assert_string_equal(client_ask(client, "Hgp2.2"), "OK");
	assert_string_equal(client_ask(client, "Z2,5000,8"), "OK");
	assert_string_equal(client_ask(client, "Hgp1.1"), "OK");
	assert_string_equal(client_ask(client, "Z2,5010,4"), "OK");
	assert_string_equal(client_ask(client, "Z3,5018,1"), "OK");
	snprintf(packet, sizeof(packet), "Z1,%llx,5", (unsigned long long)rip + 6);
	assert_string_equal(client_ask(client, packet), "OK");
	next(client, 0, 0, (struct sim_action){.kind = SIM_WRITE, .address = 0x5000, .size = 8});
	client_continue(client);
	wait_for_exit(client, 0, VSM_EXIT_INTERRUPTED);
	assert_int_equal(client_bytes(client, "\x03", 1), 0);
	assert_memory_equal(client_wait(client), "T02", 3);
	next(client, 0, 0, (struct sim_action){.kind = SIM_WRITE, .address = 0x5012, .size = 1});
	client_continue(client);
	assert_string_equal(client_wait(client), "T05thread:p1.1;core:0;watch:5010;");
	next(client, 0, 0, (struct sim_action){.kind = SIM_NOP});
	client_continue(client);
	assert_string_equal(client_wait(client), "T05thread:p1.1;core:0;hwbreak:;");
	packet[0] = 'z';
	assert_string_equal(client_ask(client, packet), "OK");
	next(client, 0, 0, (struct sim_action){.kind = SIM_READ, .address = 0x5018, .size = 1});
	client_continue(client);
	assert_string_equal(client_wait(client), "T05thread:p1.1;core:0;rwatch:5018;");
	/* Four debug registers: two are left, and the third is too many. */
	assert_string_equal(client_ask(client, "Z4,5020,1"), "OK");
	assert_string_equal(client_ask(client, "Z4,5021,1"), "OK");
	assert_int_equal(client_ask(client, "Z4,5022,1")[0], 'E');
	vsm_gdb_detach(client->gdb);
	client_destroy(client);
}

static void a_step_is_one_instruction_of_one_vp(void **state)
{
	struct gdb_client *client = machine(2);

	next(client, 0, 0, (struct sim_action){.kind = SIM_NOP});
	next(client, 1, 0, (struct sim_action){.kind = SIM_NOP});
	assert_int_equal(client_put(client, "vCont;s:p1.11"), 0);
	assert_string_equal(client_wait(client), "T05thread:p1.11;core:1;");
	assert_string_equal(client_ask(client, "p10"), "0300010000000000");
	assert_string_equal(client_ask(client, "Hgp1.1"), "OK");
	assert_string_equal(client_ask(client, "p10"), "0000010000000000");
	vsm_gdb_detach(client->gdb);
	client_destroy(client);
}

static void a_stop_of_one_vp_stops_all(void **state)
{
	struct gdb_client *client = machine(2);

	assert_string_equal(client_ask(client, "Z2,5000,8"), "OK");
	client_continue(client);
	/* While VPs run, the stub accepts only an interrupt. */
	assert_string_equal(client_ask(client, "vCont;c"), "E10");
	wait_for_exit(client, 0, VSM_EXIT_INTERRUPTED);
	assert_int_equal(client_bytes(client, "\x03", 1), 0);
	assert_memory_equal(client_wait(client), "T02thread:p1.1;", 15);
	next(client, 1, 0, (struct sim_action){.kind = SIM_WRITE, .address = 0x5000, .size = 8});
	client_continue(client);
	assert_string_equal(client_wait(client), "T05thread:p1.11;core:1;watch:5000;");
	next(client, 0, 0, (struct sim_action){.kind = SIM_NOP});
	usleep(20000);
	assert_false(sim_state(vp_of(client, 0), 0)->done);
	vsm_gdb_detach(client->gdb);
	client_destroy(client);
}

static void a_vtl_entry_stops_on_demand(void **state)
{
	struct gdb_client *client = machine_with_vtl1();

	assert_string_equal(client_monitor(client, "stop entry on 1"), "");
	client_ask(client, "vAttach;2");
	next_call(client, 0, HV_CALL_VTL_CALL);
	client_continue(client);
	assert_string_equal(client_wait(client), "T05thread:p2.2;core:0;");
	assert_string_equal(client->text, "VTL1 of VP 0 was entered\n");
	assert_int_equal(vp_of(client, 0)->active_vtl, 1);
	/* When VTL1 is detached, the VP's thread of VTL0 reports the stop. */
	assert_string_equal(client_ask(client, "D;2"), "OK");
	assert_int_equal(guest_vtl_return(vp_of(client, 0), true), GUEST_DONE);
	next_call(client, 0, HV_CALL_VTL_CALL);
	client_continue(client);
	assert_string_equal(client_wait(client), "T05thread:p1.1;core:0;");
	assert_string_equal(client->text, "VTL1 of VP 0 was entered\n");
	assert_string_equal(client_monitor(client, "stop entry off"), "");
	vsm_gdb_detach(client->gdb);
	client_destroy(client);
}

static void an_intercept_stops_on_demand(void **state)
{
	struct gdb_client *client = machine_with_vtl1();
	struct vsm_vp *vp = vp_of(client, 0);

	protect_page(vp, 0x200, HV_MAP_GPA_READABLE);
	assert_string_equal(client_monitor(client, "stop intercept on"), "");
	next(client, 0, 0, (struct sim_action){.kind = SIM_WRITE, .address = 0x200000, .size = 8});
	client_continue(client);
	assert_string_equal(client_wait(client), "T05thread:p1.1;core:0;");
	assert_non_null(strstr(client->text, "VTL0 of VP 0 is at an instruction"));
	vsm_gdb_detach(client->gdb);
	client_destroy(client);
}

static void a_shutdown_stops_before_the_vmm_gets_it(void **state)
{
	struct gdb_client *client = machine(1);

	next(client, 0, 0, (struct sim_action){.kind = SIM_SHUTDOWN});
	client_continue(client);
	assert_string_equal(client_wait(client), "T0bthread:p1.1;core:0;");
	assert_non_null(strstr(client->text, "VTL0 of VP 0 has shut down"));
	assert_int_equal(atomic_load(&client->vp[0].exits[VSM_EXIT_SHUTDOWN]), 0);
	client_continue(client);
	wait_for_exit(client, 0, VSM_EXIT_SHUTDOWN);
	vsm_gdb_detach(client->gdb);
	client_destroy(client);
}

static void a_kick_leaves_a_shutdown_to_the_client(void **state)
{
	struct gdb_client *client = machine(1);

	next(client, 0, 0, (struct sim_action){.kind = SIM_SHUTDOWN});
	client_continue(client);
	assert_string_equal(client_wait(client), "T0bthread:p1.1;core:0;");
	vsm_gdb_kick(client->gdb, 0);
	wait_for_exit(client, 0, VSM_EXIT_INTERRUPTED);
	assert_int_equal(atomic_load(&client->vp[0].exits[VSM_EXIT_SHUTDOWN]), 0);
	client_continue(client);
	wait_for_exit(client, 0, VSM_EXIT_SHUTDOWN);
	vsm_gdb_detach(client->gdb);
	client_destroy(client);
}

static void without_a_client_the_vmm_gets_everything(void **state)
{
	struct gdb_client *client = client_create(1, false);

	next(client, 0, 0, (struct sim_action){.kind = SIM_SHUTDOWN});
	client_start(client);
	wait_for_exit(client, 0, VSM_EXIT_SHUTDOWN);
	client_destroy(client);
}

/* The VMM's exit is completed while the debugger holds the VP, and nothing else is executed. */
static void an_exit_that_the_vmm_answers_is_completed_before_a_stop(void **state)
{
	struct gdb_client *client = machine(1);

	next(client, 0, 0, (struct sim_action){.kind = SIM_IN, .address = 0x60, .size = 1});
	client_continue(client);
	wait_for_exit(client, 0, VSM_EXIT_IO);
	assert_int_equal(client_bytes(client, "\x03", 1), 0);
	assert_memory_equal(client_wait(client), "T02thread:p1.1;", 15);
	for (unsigned int i = 0;
	     i < 100 && strcmp(client_ask(client, "p10"), "0300010000000000") != 0; i++)
		usleep(1000);
	assert_string_equal(client->reply, "0300010000000000");
	vsm_gdb_detach(client->gdb);
	client_destroy(client);
}

/* The client stops the machine while the VMM asks its 8259 for the vector. */
static void an_inta_exit_is_completed_during_a_stop(void **state)
{
	struct gdb_client *client = client_create(1, true);
	struct vsm_vp *vp = vp_of(client, 0);

	atomic_store(&client->hold_inta, true);
	assert_int_equal(guest_wrmsr(vp, 0x1b, 0xfee00d00), GUEST_DONE);
	assert_int_equal(guest_wrmsr(vp, 0x835, 0x700), GUEST_DONE);
	set_if(vp, 0, true);
	assert_int_equal(vsm_vp_lint(vp, 0, true), 0);
	client_start(client);
	client_attach(client);
	client_continue(client);
	wait_for_exit(client, 0, VSM_EXIT_INTA);
	assert_int_equal(client_bytes(client, "\x03", 1), 0);
	assert_memory_equal(client_wait(client), "T02thread:p1.1;", 15);
	atomic_store(&client->hold_inta, false);
	for (unsigned int i = 0; i < CLIENT_TIMEOUT_MS && client_ask(client, "p10")[0] == 'E'; i++)
		usleep(1000);
	assert_int_not_equal(client->reply[0], 'E');
	vsm_gdb_detach(client->gdb);
	client_destroy(client);
}

static void a_held_machine_waits_for_its_first_client(void **state)
{
	struct gdb_client *client = client_create(1, true);

	next(client, 0, 0, (struct sim_action){.kind = SIM_SHUTDOWN});
	client_start(client);
	usleep(20000);
	assert_int_equal(atomic_load(&client->vp[0].exits[VSM_EXIT_SHUTDOWN]), 0);
	client_attach(client);
	vsm_gdb_detach(client->gdb);
	wait_for_exit(client, 0, VSM_EXIT_SHUTDOWN);
	client_destroy(client);
}

static void a_detached_client_leaves_no_breakpoints_or_stops(void **state)
{
	struct gdb_client *client = machine(1);
	uint8_t *code = guest_ram(client->partition, RIP0);

	code[0] = 0x90;
	assert_string_equal(client_ask(client, "Z0,10000,1"), "OK");
	assert_string_equal(client_ask(client, "Z2,5000,8"), "OK");
	client_monitor(client, "stop entry on");
	assert_int_equal(client_put(client, "D"), -EPIPE);
	next(client, 0, 0, (struct sim_action){.kind = SIM_WRITE, .address = 0x5000, .size = 8});
	vsm_gdb_detach(client->gdb);
	wait_for_exit(client, 0, VSM_EXIT_INTERRUPTED);
	assert_int_equal(code[0], 0x90);
	for (unsigned int i = 0; i < CLIENT_TIMEOUT_MS && !sim_state(vp_of(client, 0), 0)->done;
	     i++)
		usleep(1000);
	assert_true(sim_state(vp_of(client, 0), 0)->done);
	client->size = 0;
	client_attach(client);
	vsm_gdb_detach(client->gdb);
	client_destroy(client);
}

static void monitor_commands_show_the_state_of_a_vtl(void **state)
{
	struct gdb_client *client = machine_with_vtl1();
	struct vsm_vp *vp = vp_of(client, 0);

	protect_page(vp, 0x200, HV_MAP_GPA_READABLE);
	assert_non_null(strstr(client_monitor(client, "help"), "monitor translate GVA"));
	assert_non_null(strstr(client_monitor(client, "vtl"), "0.0 active  rip 0x"));
	assert_non_null(strstr(client_monitor(client, "vtl"), "0.1 enabled rip 0x"));
	assert_non_null(strstr(client_monitor(client, "protections 0"),
			       "0x0000000000200000 - 0x0000000000200fff r--"));
	assert_non_null(strstr(client_monitor(client, "protections 0 0x200000"),
			       "VTL0 has:\n0x0000000000200000"));
	assert_non_null(strstr(client_monitor(client, "translate 0x200008"), "GPA 0x200008"));
	assert_non_null(strstr(client->text, "VTL0 may there: r--"));
	assert_string_equal(client_ask(client, "Hgp2.2"), "OK");
	assert_non_null(strstr(client_monitor(client, "synic"), "SynIC of VTL1 on VP 0"));
	assert_non_null(strstr(client_monitor(client, "protections 7"), "from 0 to 0x1"));
	assert_non_null(strstr(client_monitor(client, "translate"), "needs a number"));
	assert_non_null(strstr(client_monitor(client, "stop entry"), "usage"));
	assert_non_null(strstr(client_monitor(client, "reboot"), "no such command"));
	assert_non_null(strstr(client_monitor(client, ""), "no such command"));
	assert_non_null(strstr(client_monitor(client, "a b c d e f g h"), "no such command"));
	vsm_gdb_detach(client->gdb);
	client_destroy(client);
}

struct server {
	struct vsm_gdb *gdb;
	int fd, stop, result;
};

static void *run_server(void *opaque)
{
	struct server *server = opaque;

	server->result = vsm_gdb_serve(server->gdb, server->fd, server->stop);
	return NULL;
}

static void a_session_on_a_socket_ends_with_the_client_or_the_server(void **state)
{
	struct gdb_client *client = client_create(1, false);
	struct server server = {.gdb = client->gdb};
	char reply[16] = "";
	int ends[2], stop[2];
	pthread_t thread;

	client_start(client);
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, ends), 0);
	assert_int_equal(pipe(stop), 0);
	server.fd = ends[0];
	server.stop = stop[0];
	assert_int_equal(pthread_create(&thread, NULL, run_server, &server), 0);
	assert_int_equal(write(ends[1], "$qC#b4", 6), 6);
	assert_int_equal(recv(ends[1], reply, 8, MSG_WAITALL), 8);
	assert_memory_equal(reply, "+$QC1#c5", 8);
	close(ends[1]);
	pthread_join(thread, NULL);
	assert_int_equal(server.result, 0);
	close(ends[0]);
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, ends), 0);
	server.fd = ends[0];
	assert_int_equal(pthread_create(&thread, NULL, run_server, &server), 0);
	assert_int_equal(write(stop[1], "x", 1), 1);
	pthread_join(thread, NULL);
	assert_int_equal(server.result, -ECANCELED);
	close(ends[0]);
	close(ends[1]);
	close(stop[0]);
	close(stop[1]);
	client_destroy(client);
}

static void illegal_configurations_are_refused(void **state)
{
	struct gdb_client *client = client_create(1, true);
	const struct vsm_gdb_config good = {
		.size = sizeof(good),
		.partition = client->partition,
		.vp_count = 1,
		.vtl_count = 2,
		.read = client_read,
		.write = client_write,
	};
	const struct vsm_exit *exit;
	struct vsm_gdb *gdb = NULL;

	for (unsigned int i = 0; i < 8; i++) {
		struct vsm_gdb_config config = good;

		config.size -= i == 0;
		config.partition = i == 1 ? NULL : config.partition;
		config.vp_count = i == 2 ? 0 : i == 3 ? 2 : config.vp_count;
		config.vtl_count = i == 4 ? 0 : i == 5 ? 17 : config.vtl_count;
		config.read = i == 6 ? NULL : config.read;
		config.write = i == 7 ? NULL : config.write;
		assert_int_equal(vsm_gdb_create(&config, &gdb), -EINVAL);
		assert_null(gdb);
	}
	assert_int_equal(vsm_gdb_run(client->gdb, 1, &exit), -EINVAL);
	vsm_gdb_kick(client->gdb, 1);
	vsm_gdb_destroy(NULL);
	client_destroy(client);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(damaged_packets_are_refused_and_repeated),
		cmocka_unit_test(a_packet_that_is_too_long_is_refused),
		cmocka_unit_test(malformed_packets_are_errors),
		cmocka_unit_test(each_vtl_is_a_process_and_each_vp_a_thread),
		cmocka_unit_test(a_list_without_further_threads_ends),
		cmocka_unit_test(the_description_lists_the_registers_of_g_in_their_order),
		cmocka_unit_test(registers_are_read_and_written_by_thread),
		cmocka_unit_test(memory_is_that_of_the_vtl_with_the_rights_of_the_host),
		cmocka_unit_test(a_software_breakpoint_stops_its_vtl_and_memory_reads_omit_it),
		cmocka_unit_test(an_int3_of_the_guest_reaches_the_guest),
		cmocka_unit_test(a_breakpoint_of_another_vtl_is_passed),
		cmocka_unit_test(
			an_int3_of_the_guest_below_a_breakpoint_of_another_vtl_reaches_the_guest),
		cmocka_unit_test(hardware_breakpoints_belong_to_one_vtl),
		cmocka_unit_test(a_step_is_one_instruction_of_one_vp),
		cmocka_unit_test(a_stop_of_one_vp_stops_all),
		cmocka_unit_test(a_vtl_entry_stops_on_demand),
		cmocka_unit_test(an_intercept_stops_on_demand),
		cmocka_unit_test(a_shutdown_stops_before_the_vmm_gets_it),
		cmocka_unit_test(a_kick_leaves_a_shutdown_to_the_client),
		cmocka_unit_test(without_a_client_the_vmm_gets_everything),
		cmocka_unit_test(an_exit_that_the_vmm_answers_is_completed_before_a_stop),
		cmocka_unit_test(an_inta_exit_is_completed_during_a_stop),
		cmocka_unit_test(a_held_machine_waits_for_its_first_client),
		cmocka_unit_test(a_detached_client_leaves_no_breakpoints_or_stops),
		cmocka_unit_test(monitor_commands_show_the_state_of_a_vtl),
		cmocka_unit_test(a_session_on_a_socket_ends_with_the_client_or_the_server),
		cmocka_unit_test(illegal_configurations_are_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
