/* SPDX-License-Identifier: BSD-2-Clause */
/* Terminal and serial backends, on pseudo-terminals, pipes and files. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pty.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include "../unit_test.h"
#include "console/backend.h"

static size_t filter(struct vmm_keys *keys, const char *in, char *out, bool *quit)
{
	const size_t count =
		vmm_keys_filter(keys, (const uint8_t *)in, strlen(in), (uint8_t *)out, quit);

	out[count] = 0;
	return count;
}

static void ctrl_a_x_quits_and_everything_else_reaches_the_guest(void **state)
{
	static const struct {
		const char *in, *out;
		bool quit;
	} row[] = {
		{"hello\r", "hello\r", false},
		{"\003\004\032", "\003\004\032",
		 false}, /* Ctrl-C, Ctrl-D and Ctrl-Z go to the guest */
		{"a\001xb", "a", true},
		{"\001X", "", true},
		{"\001\001", "\001", false},
		{"\001\001x", "\001x", false},
		{"\001q", "\001q", false},
	};
	char out[64];

	for (size_t i = 0; i < sizeof(row) / sizeof(row[0]); i++) {
		struct vmm_keys keys = {0};
		bool quit = false;

		filter(&keys, row[i].in, out, &quit);
		assert_string_equal(out, row[i].out);
		assert_int_equal(quit, row[i].quit);
	}
}

static void ctrl_a_is_remembered_between_two_reads(void **state)
{
	struct vmm_keys keys = {0};
	bool quit = false;
	char out[8];

	assert_int_equal(filter(&keys, "\001", out, &quit), 0);
	assert_int_equal(filter(&keys, "b", out, &quit), 2);
	assert_string_equal(out, "\001b");
	assert_int_equal(filter(&keys, "\001", out, &quit), 0);
	assert_int_equal(filter(&keys, "x", out, &quit), 0);
	assert_true(quit);
}

static void a_terminal_is_raw_and_is_restored(void **state)
{
	struct vmm_terminal terminal;
	struct termios before, now;
	int master, slave;

	assert_int_equal(openpty(&master, &slave, NULL, NULL, NULL), 0);
	assert_int_equal(tcgetattr(slave, &before), 0);
	assert_true(before.c_lflag & ECHO);
	assert_int_equal(vmm_terminal_raw(&terminal, slave), 0);
	assert_int_equal(tcgetattr(slave, &now), 0);
	assert_int_equal(now.c_lflag & (ECHO | ICANON | ISIG), 0);
	assert_true(now.c_oflag & OPOST);
	vmm_terminal_restore(&terminal);
	vmm_terminal_restore(&terminal);
	assert_int_equal(tcgetattr(slave, &now), 0);
	assert_int_equal(now.c_lflag, before.c_lflag);
	assert_int_equal(now.c_iflag, before.c_iflag);
	assert_int_equal(now.c_oflag, before.c_oflag);
	close(master);
	close(slave);
}

static void a_pipe_is_not_configured_as_a_terminal(void **state)
{
	struct vmm_terminal terminal;
	int ends[2];

	assert_int_equal(pipe(ends), 0);
	assert_int_equal(vmm_terminal_raw(&terminal, ends[0]), 0);
	assert_false(terminal.raw);
	vmm_terminal_restore(&terminal);
	close(ends[0]);
	close(ends[1]);
}

static void a_pseudo_terminal_passes_bytes_in_both_directions(void **state)
{
	struct vmm_config config = {.serial = VMM_SERIAL_PTY};
	struct vmm_backend backend;
	uint8_t data[64];
	bool quit = false;
	int user, got;

	assert_int_equal(vmm_backend_open(&backend, &config, NULL), 0);
	assert_true(backend.name[0] == '/');
	assert_int_equal(vmm_backend_read(&backend, data, sizeof(data), 0, &quit), 0);
	/* Output of the guest before a client attached is kept unchanged. */
	vmm_backend_write(&backend, (const uint8_t *)"boot\n\001x", 7);
	user = open(backend.name, O_RDWR | O_NOCTTY);
	assert_true(user >= 0);
	assert_int_equal(read(user, data, sizeof(data)), 7);
	assert_memory_equal(data, "boot\n\001x", 7);
	assert_int_equal(write(user, "ls\r\001x", 5), 5);
	got = vmm_backend_read(&backend, data, sizeof(data), 1000, &quit);
	assert_int_equal(got, 5);
	assert_memory_equal(data, "ls\r\001x", 5);
	assert_false(quit); /* Ctrl-A x quits only on stdio */
	close(user);
	/* After the user has disconnected the console stays open for another one. */
	assert_int_equal(vmm_backend_read(&backend, data, sizeof(data), 0, &quit), 0);
	vmm_backend_close(&backend);
}

static void a_pseudo_terminal_that_is_not_read_does_not_stop_the_guest(void **state)
{
	struct vmm_config config = {.serial = VMM_SERIAL_PTY};
	static uint8_t much[1 << 20];
	struct vmm_backend backend;

	assert_int_equal(vmm_backend_open(&backend, &config, NULL), 0);
	vmm_backend_write(&backend, much, sizeof(much));
	vmm_backend_close(&backend);
}

static void a_file_gets_every_byte_and_has_no_input(void **state)
{
	char name[] = "/tmp/vsm-serial-XXXXXX", text[16] = {0};
	struct vmm_config config = {.serial = VMM_SERIAL_FILE, .serial_file = name};
	struct vmm_backend backend;
	uint8_t data[4];
	bool quit = false;
	int fd = mkstemp(name);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, "old contents", 12), 12);
	assert_int_equal(vmm_backend_open(&backend, &config, NULL), 0);
	vmm_backend_write(&backend, (const uint8_t *)"ab", 2);
	vmm_backend_write(&backend, (const uint8_t *)"c", 1);
	assert_int_equal(vmm_backend_read(&backend, data, sizeof(data), 0, &quit), -EPIPE);
	vmm_backend_close(&backend);
	assert_int_equal(pread(fd, text, sizeof(text), 0), 3);
	assert_string_equal(text, "abc");
	close(fd);
	unlink(name);
	config.serial_file = (char[]){"/nonexistent/log"};
	assert_int_equal(vmm_backend_open(&backend, &config, NULL), -ENOENT);
}

/* Opening must not wait for a reader: signals could not interrupt it, as they are read from a signalfd. */
static void a_fifo_without_a_reader_is_refused_at_once(void **state)
{
	char name[] = "/tmp/vsm-fifo-XXXXXX";
	struct vmm_config config = {.serial = VMM_SERIAL_FILE, .serial_file = name};
	struct vmm_backend backend;
	char got[8] = "";
	int reader;

	reader = mkstemp(name);
	assert_true(reader >= 0);
	close(reader);
	unlink(name);
	assert_int_equal(mkfifo(name, 0600), 0);
	assert_int_equal(vmm_backend_open(&backend, &config, NULL), -ENXIO);
	reader = open(name, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	assert_int_equal(vmm_backend_open(&backend, &config, NULL), 0);
	assert_int_equal(fcntl(backend.out, F_GETFL) & O_NONBLOCK, 0);
	vmm_backend_write(&backend, (const uint8_t *)"abc", 3);
	assert_int_equal(read(reader, got, sizeof(got)), 3);
	assert_string_equal(got, "abc");
	vmm_backend_close(&backend);
	close(reader);
	unlink(name);
}

static void stdio_ends_with_its_input_and_stays_open(void **state)
{
	struct vmm_config config = {.serial = VMM_SERIAL_STDIO};
	const int saved = dup(STDIN_FILENO);
	struct vmm_backend backend;
	uint8_t data[64];
	bool quit = false;
	int ends[2];

	assert_int_equal(pipe(ends), 0);
	assert_int_equal(dup2(ends[0], STDIN_FILENO), STDIN_FILENO);
	assert_int_equal(vmm_backend_open(&backend, &config, NULL), 0);
	assert_int_equal(write(ends[1], "a\001xb", 4), 4);
	assert_int_equal(vmm_backend_read(&backend, data, sizeof(data), 1000, &quit), 4);
	assert_memory_equal(data, "a\001xb", 4);
	assert_false(quit);
	close(ends[1]);
	assert_int_equal(vmm_backend_read(&backend, data, sizeof(data), 1000, &quit), -EPIPE);
	vmm_backend_close(&backend);
	assert_int_equal(fcntl(STDIN_FILENO, F_GETFD) >= 0, 1);
	dup2(saved, STDIN_FILENO);
	close(saved);
	close(ends[0]);
}

static void ctrl_a_x_on_the_users_terminal_quits(void **state)
{
	struct vmm_config config = {.serial = VMM_SERIAL_STDIO};
	const int saved = dup(STDIN_FILENO);
	struct vmm_backend backend;
	uint8_t data[64];
	bool quit = false;
	int master, slave;

	assert_int_equal(openpty(&master, &slave, NULL, NULL, NULL), 0);
	assert_int_equal(dup2(slave, STDIN_FILENO), STDIN_FILENO);
	assert_int_equal(vmm_backend_open(&backend, &config, NULL), 0);
	assert_int_equal(write(master, "w\003\001x", 4), 4);
	assert_int_equal(vmm_backend_read(&backend, data, sizeof(data), 1000, &quit), 2);
	assert_memory_equal(data, "w\003", 2);
	assert_true(quit);
	vmm_backend_close(&backend);
	dup2(saved, STDIN_FILENO);
	close(saved);
	close(master);
	close(slave);
}

/* In the journal stream of systemd lines begin with priorities, which a guest must not be able to write. */
static void the_guest_does_not_write_to_the_journal_stream_of_the_process(void **state)
{
	struct vmm_config config = {.serial = VMM_SERIAL_STDIO};
	const int old = dup(STDOUT_FILENO);
	FILE *file = tmpfile();
	struct vmm_backend backend;
	struct stat status;
	char stream[64];
	int error;

	assert_non_null(file);
	assert_int_equal(fstat(fileno(file), &status), 0);
	snprintf(stream, sizeof(stream), "%llu:%llu", (unsigned long long)status.st_dev,
		 (unsigned long long)status.st_ino);
	setenv("JOURNAL_STREAM", stream, 1);
	dup2(fileno(file), STDOUT_FILENO);
	error = vmm_backend_open(&backend, &config, NULL);
	dup2(old, STDOUT_FILENO);
	close(old);
	fclose(file);
	unsetenv("JOURNAL_STREAM");
	/* The host may have no journal. */
	if (!error) {
		assert_int_not_equal(backend.out, STDOUT_FILENO);
		vmm_backend_close(&backend);
	}
	assert_true(fcntl(STDIN_FILENO, F_GETFD) >= 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(ctrl_a_x_quits_and_everything_else_reaches_the_guest),
		cmocka_unit_test(ctrl_a_is_remembered_between_two_reads),
		cmocka_unit_test(a_terminal_is_raw_and_is_restored),
		cmocka_unit_test(a_pipe_is_not_configured_as_a_terminal),
		cmocka_unit_test(a_pseudo_terminal_passes_bytes_in_both_directions),
		cmocka_unit_test(a_pseudo_terminal_that_is_not_read_does_not_stop_the_guest),
		cmocka_unit_test(a_file_gets_every_byte_and_has_no_input),
		cmocka_unit_test(a_fifo_without_a_reader_is_refused_at_once),
		cmocka_unit_test(stdio_ends_with_its_input_and_stays_open),
		cmocka_unit_test(ctrl_a_x_on_the_users_terminal_quits),
		cmocka_unit_test(the_guest_does_not_write_to_the_journal_stream_of_the_process),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
