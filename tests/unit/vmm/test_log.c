/* SPDX-License-Identifier: BSD-2-Clause */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "../unit_test.h"
#include "file/journal.h"
#include "file/log.h"
#include "run/parts.h"
#include "run/run.h"

static char path[] = "/tmp/vsm-log-XXXXXX";

/* Redirects stderr to a file while @function runs, and copies the file to @text. */
static void capture(void (*function)(struct vmm_log *), bool journal, char *text, size_t size)
{
	const int old = dup(STDERR_FILENO);
	FILE *file = tmpfile();
	struct vmm_log log;
	struct stat status;
	char stream[64];
	size_t length;

	assert_non_null(file);
	assert_int_equal(fstat(fileno(file), &status), 0);
	snprintf(stream, sizeof(stream), "%llu:%llu", (unsigned long long)status.st_dev,
		 (unsigned long long)status.st_ino + !journal);
	setenv("JOURNAL_STREAM", stream, 1);
	dup2(fileno(file), STDERR_FILENO);
	vmm_log_init(&log, "vsm run");
	function(&log);
	vmm_log_close(&log);
	dup2(old, STDERR_FILENO);
	close(old);
	rewind(file);
	length = fread(text, 1, size - 1, file);
	text[length] = 0;
	fclose(file);
}

static void one_of_each(struct vmm_log *log)
{
	for (int level = VSM_LOG_ERROR; level <= VSM_LOG_DEBUG; level++)
		vmm_log_print(log, &(struct vsm_log_record){.level = (enum vsm_log_level)level,
							    .text = "text"});
}

static void messages_name_their_level_and_errors_are_plain(void **state)
{
	char text[512];

	capture(one_of_each, false, text, sizeof(text));
	assert_string_equal(text, "vsm run: text\nvsm run: warn: text\nvsm run: info: text\n"
				  "vsm run: debug: text\n");
}

static void the_journal_gets_priorities(void **state)
{
	char text[512];

	capture(one_of_each, true, text, sizeof(text));
	assert_string_equal(text, "<3>vsm run: text\n<4>vsm run: text\n<6>vsm run: text\n"
				  "<7>vsm run: text\n");
}

static void to_file(struct vmm_log *log)
{
	assert_int_equal(vmm_log_open(log, path, NULL), 0);
	one_of_each(log);
}

static void a_file_gets_all_messages_with_their_time_and_stderr_the_errors(void **state)
{
	int year, month, day, hour, minute, second, fraction;
	char text[512], level[16];
	struct stat status;
	FILE *file;

	assert_int_equal(unlink(path), 0);
	capture(to_file, false, text, sizeof(text));
	assert_string_equal(text, "vsm run: text\n");
	assert_int_equal(stat(path, &status), 0);
	assert_int_equal(status.st_mode & 0777, 0600);
	file = fopen(path, "re");
	assert_non_null(file);
	for (int i = VSM_LOG_ERROR; i <= VSM_LOG_DEBUG; i++) {
		assert_non_null(fgets(text, sizeof(text), file));
		assert_int_equal(sscanf(text, "%4d-%2d-%2dT%2d:%2d:%2d.%3dZ %15[a-z]: text", &year,
					&month, &day, &hour, &minute, &second, &fraction, level),
				 8);
		assert_string_equal(level, vsm_log_level_name((enum vsm_log_level)i));
	}
	fclose(file);
}

static void the_file_of_another_user_belongs_to_that_user_when_root_makes_it(void **state)
{
	struct vmm_log log;
	struct stat status;

	if (geteuid() != 0)
		skip();
	for (int made = 0; made < 2; made++) {
		/* An old file keeps its owner. */
		assert_int_equal(made ? chown(path, 0, 0) : unlink(path), 0);
		vmm_log_init(&log, "vsm run");
		assert_int_equal(vmm_log_open(&log, path, "nobody"), 0);
		vmm_log_close(&log);
		assert_int_equal(stat(path, &status), 0);
		assert_int_equal(status.st_uid, made ? 0 : 65534);
		assert_int_equal(status.st_mode & 0777, 0600);
	}
}

static void root_refuses_links_fifos_and_files_of_others_as_the_log(void **state)
{
	char link[sizeof(path) + 8], file[2 * sizeof(link)];
	struct vmm_log log;

	if (geteuid() != 0)
		skip();
	snprintf(link, sizeof(link), "%s.link", path);
	vmm_log_init(&log, "vsm run");
	assert_int_equal(symlink(path, link), 0);
	assert_int_equal(vmm_log_open(&log, link, "nobody"), -ELOOP);
	assert_int_equal(unlink(link), 0);
	/* The folder is a link. */
	assert_int_equal(symlink("/tmp", link), 0);
	assert_true(snprintf(file, sizeof(file), "%s/%s.new", link, strrchr(path, '/') + 1) > 0);
	assert_int_equal(vmm_log_open(&log, file, "nobody"), -ELOOP);
	assert_int_equal(access(file, F_OK), -1);
	assert_int_equal(vmm_log_open(&log, file, NULL), 0);
	vmm_log_close(&log);
	assert_int_equal(unlink(file), 0);
	assert_int_equal(unlink(link), 0);
	assert_int_equal(vmm_log_open(&log, path, NULL), 0);
	vmm_log_close(&log);
	assert_int_equal(linkat(AT_FDCWD, path, AT_FDCWD, link, 0), 0);
	assert_int_equal(vmm_log_open(&log, link, "nobody"), -EPERM);
	assert_int_equal(unlink(link), 0);
	/* A FIFO without a reader does not delay the start. */
	assert_int_equal(mkfifo(link, 0600), 0);
	assert_int_equal(vmm_log_open(&log, link, "nobody"), -ENXIO);
	assert_int_equal(unlink(link), 0);
	assert_int_equal(chown(path, 1, 1), 0);
	assert_int_equal(vmm_log_open(&log, path, "nobody"), -EPERM);
	assert_int_equal(log.fd, -1);
	assert_int_equal(chown(path, 0, 0), 0);
}

static void many(struct vmm_log *log)
{
	for (int i = 0; i < 1100; i++)
		vmm_log_print(log, &(struct vsm_log_record){.level = VSM_LOG_WARN, .text = "x"});
	for (int i = 0; i < 1100; i++)
		vmm_log_print(log,
			      &(struct vsm_log_record){.level = VSM_LOG_ERROR, .text = "wrong"});
}

static void a_guest_cannot_fill_the_log(void **state)
{
	static char text[65536];
	unsigned int lines = 0, errors = 0;

	capture(many, false, text, sizeof(text));
	for (const char *at = text; (at = strchr(at, '\n')); at++)
		lines++;
	/* Other messages do not suppress errors. */
	for (const char *at = text; (at = strstr(at, ": wrong\n")); at++)
		errors++;
	assert_int_equal(errors, 1000);
	assert_int_equal(lines, 2002);
	assert_non_null(strstr(text, "further messages are not shown"));
	assert_non_null(strstr(text, "further errors are not shown"));
}

static void crash(struct vmm_log *log)
{
	const struct vmm_config config = {.cpus = 0};
	const struct vmm_guest guest = {.config = &config, .journal = log->journal};

	vmm_summary(&guest, VMM_CRASHED, "crashed", 1);
	vmm_summary(&guest, VMM_OFF, "off", 1);
}

static void a_crash_has_the_priority_of_an_error_in_the_journal(void **state)
{
	char text[512];

	capture(crash, true, text, sizeof(text));
	assert_non_null(strstr(text, "<3>vsm: crashed after"));
	assert_non_null(strstr(text, "<6>vsm: off after"));
	capture(crash, false, text, sizeof(text));
	assert_null(strchr(text, '<'));
}

/* sd_journal_stream_fd(3): identifier, unit, priority, prefixes, and forwarding of lines. */
static void a_journal_stream_reads_no_priorities_from_its_lines(void **state)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	const int server = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	char got[128] = "";
	int stream, peer;

	assert_int_equal(unlink(path), 0);
	snprintf(address.sun_path, sizeof(address.sun_path), "%s", path);
	assert_int_equal(vmm_journal_open(path, "vsm-guest"), -ENOENT);
	assert_int_equal(bind(server, (struct sockaddr *)&address, sizeof(address)), 0);
	assert_int_equal(vmm_journal_open(path, "vsm-guest"), -ECONNREFUSED);
	assert_int_equal(listen(server, 1), 0);
	stream = vmm_journal_open(path, "vsm-guest");
	assert_true(stream >= 0);
	assert_int_equal(write(stream, "<0>all\n", 7), 7);
	close(stream);
	peer = accept(server, NULL, NULL);
	assert_true(recv(peer, got, sizeof(got) - 1, MSG_WAITALL) > 0);
	assert_string_equal(got, "vsm-guest\n\n6\n0\n0\n0\n0\n<0>all\n");
	close(peer);
	close(server);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(messages_name_their_level_and_errors_are_plain),
		cmocka_unit_test(the_journal_gets_priorities),
		cmocka_unit_test(a_file_gets_all_messages_with_their_time_and_stderr_the_errors),
		cmocka_unit_test(the_file_of_another_user_belongs_to_that_user_when_root_makes_it),
		cmocka_unit_test(root_refuses_links_fifos_and_files_of_others_as_the_log),
		cmocka_unit_test(a_guest_cannot_fill_the_log),
		cmocka_unit_test(a_crash_has_the_priority_of_an_error_in_the_journal),
		cmocka_unit_test(a_journal_stream_reads_no_priorities_from_its_lines),
	};
	const int fd = mkstemp(path);
	int failed;

	if (fd < 0 || close(fd))
		return 1;
	failed = cmocka_run_group_tests(tests, NULL, NULL);
	return unlink(path) | failed;
}
