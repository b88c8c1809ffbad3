/* SPDX-License-Identifier: BSD-2-Clause */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "../unit_test.h"
#include "gdb/listen.h"

/* The format of /proc/net/tcp. */
#define HEAD "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid\n"
#define ROW(local, remote, state, user)                                                      \
	"   1: " local " " remote " " state " 00000000:00000000 00:00000000 00000000  " user \
	"        0 4711 1 0000000000000000 20 4 30 10 -1\n"

static void the_user_of_a_peer_is_that_of_its_own_socket(void **state)
{
	static const char table[] = HEAD ROW("0100007F:04D2", "0100007F:C001", "01", " 7")
		ROW("0200007F:C001", "0100007F:04D2", "01", " 8")
			ROW("0100007F:C001", "0100007F:04D3", "01", " 9")
				ROW("0100007F:C001", "0100007F:04D2", "06", "   0")
					ROW("0100007F:C001", "0100007F:04D2", "01", "1000");
	uid_t user = 77;

	assert_true(vmm_listen_peer(table, 0xc001, 0x4d2, &user));
	assert_int_equal(user, 1000);
	assert_false(vmm_listen_peer(table, 0xc002, 0x4d2, &user));
	assert_false(vmm_listen_peer("", 0xc001, 0x4d2, &user));
	assert_false(vmm_listen_peer("\n\n 1: 0100007F", 0xc001, 0x4d2, &user));
}

static void a_peer_of_this_user_is_accepted(void **state)
{
	struct sockaddr_in address = {0};
	socklen_t size = sizeof(address);
	const int table = open("/proc/net/tcp", O_RDONLY | O_CLOEXEC);
	int listening = -EADDRINUSE, client, peer;

	for (uint16_t port = 40000; port < 40100 && listening == -EADDRINUSE; port++)
		listening = vmm_listen_local(port);
	assert_true(listening >= 0);
	assert_int_equal(getsockname(listening, (struct sockaddr *)&address, &size), 0);
	assert_int_equal(ntohl(address.sin_addr.s_addr), INADDR_LOOPBACK);
	assert_int_equal(vmm_listen_local(ntohs(address.sin_port)), -EADDRINUSE);
	client = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_int_equal(connect(client, (struct sockaddr *)&address, size), 0);
	peer = accept4(listening, NULL, NULL, SOCK_CLOEXEC);
	assert_true(peer >= 0);
	assert_true(vmm_listen_is_owner(peer, table));
	/* A closed socket of a peer has no user. */
	close(client);
	usleep(20000);
	assert_false(vmm_listen_is_owner(peer, table));
	assert_false(vmm_listen_is_owner(listening, table));
	close(peer);
	close(table);
	close(listening);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_user_of_a_peer_is_that_of_its_own_socket),
		cmocka_unit_test(a_peer_of_this_user_is_accepted),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
