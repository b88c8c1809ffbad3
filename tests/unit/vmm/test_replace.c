/* SPDX-License-Identifier: BSD-2-Clause */
/* A new file replaces only an absent or a regular file, also if the type changes concurrently. */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../unit_test.h"
#include "file/replace.h"

static int unlink_error; /* of the next call; EIO: the file stays */

int __real_unlink(const char *path);
int __wrap_unlink(const char *path);

int __wrap_unlink(const char *path)
{
	const int error = unlink_error;
	int result = -1;

	unlink_error = 0;
	if (error != EIO)
		result = __real_unlink(path);
	if (!error)
		return result;
	errno = error;
	return -1;
}

static char folder[] = "/tmp/vsm-replace-XXXXXX";

static int enter_folder(void **state)
{
	return !mkdtemp(folder) || chdir(folder);
}

static int leave_folder(void **state)
{
	return chdir("/") || rmdir(folder);
}

static void write_file(const char *name, const char *text)
{
	const int fd = open(name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, text, strlen(text)), strlen(text));
	close(fd);
}

static void expect_text(const char *name, const char *text)
{
	char data[16] = "";
	const int fd = open(name, O_RDONLY | O_CLOEXEC);

	assert_true(fd >= 0);
	assert_true(read(fd, data, sizeof(data) - 1) >= 0);
	close(fd);
	assert_string_equal(data, text);
}

static mode_t type_of(const char *name)
{
	struct stat status;

	return lstat(name, &status) ? 0 : status.st_mode & S_IFMT;
}

static void an_absent_or_a_regular_file_is_replaced(void **state)
{
	for (int there = 0; there < 2; there++) {
		write_file("new", there ? "second" : "first");
		assert_int_equal(vmm_replace_check("name"), 0);
		assert_int_equal(vmm_replace("new", "name"), 0);
		expect_text("name", there ? "second" : "first");
		assert_int_equal(type_of("new"), 0);
	}
	unlink("name");
}

static void other_types_of_files_are_not_replaced(void **state)
{
	static const mode_t type[] = {S_IFIFO, S_IFLNK, S_IFDIR, S_IFSOCK};

	for (size_t i = 0; i < sizeof(type) / sizeof(type[0]); i++) {
		write_file("new", "new");
		if (type[i] == S_IFLNK)
			assert_int_equal(symlink("new", "name"), 0);
		else if (type[i] == S_IFDIR)
			assert_int_equal(mkdir("name", 0700), 0);
		else
			assert_int_equal(mknod("name", type[i] | 0600, 0), 0);
		assert_int_equal(vmm_replace_check("name"), -EEXIST);
		assert_int_equal(vmm_replace("new", "name"), -EEXIST);
		assert_non_null(strstr(vmm_replace_text(-EEXIST), "not a regular file"));
		assert_int_equal(type_of("name"), type[i]);
		expect_text("new", "new");
		assert_int_equal(remove("name"), 0);
		unlink("new");
	}
	write_file("new", "new");
	assert_int_equal(vmm_replace_check("file/name"), 0); /* the folder does not exist */
	assert_int_equal(vmm_replace("new", "file/name"), -ENOENT);
	unlink("new");
}

static void after_an_error_both_files_are_unchanged(void **state)
{
	write_file("name", "old");
	write_file("new", "new");
	unlink_error = EIO;
	assert_int_equal(vmm_replace("new", "name"), -EIO);
	expect_text("name", "old");
	expect_text("new", "new");
	/* Another process has removed the replaced file. */
	unlink_error = ENOENT;
	assert_int_equal(vmm_replace("new", "name"), 0);
	expect_text("name", "new");
	unlink("name");
	unlink("new");
}

/* Exchanges a FIFO and a regular file all the time. */
static void *swap(void *opaque)
{
	const atomic_bool *stop = opaque;

	while (!atomic_load(stop))
		(void)renameat2(AT_FDCWD, "fifo", AT_FDCWD, "name", RENAME_EXCHANGE);
	return NULL;
}

/* A check before the rename would be too early: the FIFO could be lost. */
static void the_type_of_the_file_is_checked_by_the_rename_itself(void **state)
{
	atomic_bool stop = false;
	pthread_t thread;

	write_file("name", "old");
	assert_int_equal(mkfifo("fifo", 0600), 0);
	assert_int_equal(pthread_create(&thread, NULL, swap, &stop), 0);
	for (int i = 0; i < 3000; i++) {
		int error;

		write_file("new", "new");
		error = vmm_replace("new", "name");
		assert_true(error == 0 || error == -EEXIST);
		if (error == -EEXIST && type_of("new") == S_IFIFO)
			fail_msg("the FIFO was left under the temporary name");
	}
	atomic_store(&stop, true);
	pthread_join(thread, NULL);
	assert_true((type_of("fifo") == S_IFIFO) != (type_of("name") == S_IFIFO));
	unlink("fifo");
	unlink("name");
	unlink("new");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_absent_or_a_regular_file_is_replaced),
		cmocka_unit_test(other_types_of_files_are_not_replaced),
		cmocka_unit_test(after_an_error_both_files_are_unchanged),
		cmocka_unit_test(the_type_of_the_file_is_checked_by_the_rename_itself),
	};

	return cmocka_run_group_tests(tests, enter_folder, leave_folder);
}
