/* SPDX-License-Identifier: BSD-2-Clause */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "../unit_test.h"
#include "config/config.h"

#define ARGUMENTS_MAX 40

struct bench {
	struct vmm_config config;
	struct vsm_log log;
	unsigned int messages;
	char text[512];
};

static void record(void *opaque, const struct vsm_log_record *log_record)
{
	struct bench *bench = opaque;

	bench->messages++;
	snprintf(bench->text, sizeof(bench->text), "%s", log_record->text);
}

static int parse(struct bench *bench, const char *line)
{
	const char *argv[ARGUMENTS_MAX];
	char copy[1024], *save = NULL;
	int argc = 0;

	memset(bench, 0, sizeof(*bench));
	bench->log = (struct vsm_log){record, bench, VSM_LOG_DEBUG};
	snprintf(copy, sizeof(copy), "%s", line);
	for (char *word = strtok_r(copy, " ", &save); word; word = strtok_r(NULL, " ", &save)) {
		assert_true(argc < ARGUMENTS_MAX);
		argv[argc++] = word;
	}
	return vmm_config_parse(&bench->config, argc, argv, &bench->log);
}

static void refused(const char *line, const char *words)
{
	struct bench bench;

	assert_int_equal(parse(&bench, line), -EINVAL);
	assert_int_equal(bench.messages, 1);
	if (!strstr(bench.text, words))
		fail_msg("'%s': \"%s\" does not contain \"%s\"", line, bench.text, words);
	vmm_config_free(&bench.config);
}

static void an_unknown_option_gets_the_closest_name(void **state)
{
	refused("k --paus", "'--paus'; did you mean '--paused'?");
	refused("k --memroy=4M", "did you mean '--memory'?");
	refused("k --conifg x", "did you mean '--config'?");
	refused("k --log-lvl error", "did you mean '--log-level'?");
	refused("k --xyzzy", "'--xyzzy': see");
}

static void a_kernel_alone_gets_the_defaults(void **state)
{
	struct bench bench;

	assert_int_equal(parse(&bench, "bzImage"), 0);
	assert_string_equal(bench.config.kernel, "bzImage");
	assert_int_equal(bench.config.cpus, 1);
	assert_int_equal(bench.config.memory, 512u << 20);
	assert_int_equal(bench.config.vtls, 3);
	assert_int_equal(bench.config.boot_vtl, 0);
	assert_int_equal(bench.config.serial, VMM_SERIAL_STDIO);
	assert_string_equal(bench.config.engine, "auto");
	assert_null(bench.config.append);
	assert_null(bench.config.trace);
	assert_false(bench.config.testdev);
	assert_int_equal(bench.config.initrds, 0);
	vmm_config_free(&bench.config);
}

static void options_are_accepted_in_both_forms(void **state)
{
	struct bench bench;

	for (int form = 0; form < 2; form++) {
		assert_int_equal(
			parse(&bench,
			      form ? "--kernel k --initrd i1 --initrd i2 --append a --cpus 4 "
				     "--memory 2G --vtls 2 --boot-vtl 1 --serial file:/log --trace "
				     "t "
				     "--testdev --engine uffd"
				   : "k --initrd=i1 --initrd=i2 --append=a --cpus=4 --memory=2G "
				     "--vtls=2 --boot-vtl=1 --serial=file:/log --trace=t "
				     "--testdev=yes --engine=uffd"),
			0);
		assert_string_equal(bench.config.kernel, "k");
		assert_int_equal(bench.config.initrds, 2);
		assert_string_equal(bench.config.initrd[0], "i1");
		assert_string_equal(bench.config.initrd[1], "i2");
		assert_string_equal(bench.config.append, "a");
		assert_int_equal(bench.config.cpus, 4);
		assert_int_equal(bench.config.memory, 2ull << 30);
		assert_int_equal(bench.config.vtls, 2);
		assert_int_equal(bench.config.boot_vtl, 1);
		assert_int_equal(bench.config.serial, VMM_SERIAL_FILE);
		assert_string_equal(bench.config.serial_file, "/log");
		assert_string_equal(bench.config.trace, "t");
		assert_true(bench.config.testdev);
		assert_string_equal(bench.config.engine, "uffd");
		vmm_config_free(&bench.config);
	}
	assert_int_equal(parse(&bench, "k --serial pty"), 0);
	assert_int_equal(bench.config.serial, VMM_SERIAL_PTY);
	vmm_config_free(&bench.config);
	assert_int_equal(parse(&bench, "k --gdb :1234 --paused"), 0);
	assert_string_equal(bench.config.gdb, ":1234");
	vmm_config_free(&bench.config);
	assert_int_equal(parse(&bench, "-- --odd-name"), 0);
	assert_string_equal(bench.config.kernel, "--odd-name");
	vmm_config_free(&bench.config);
}

static void invalid_values_are_refused_with_the_valid_ones(void **state)
{
	static const char *const row[][2] = {
		{"", "no kernel"},
		{"k --cpus 0", "--cpus takes a number from 1 to 2048"},
		{"k --cpus 2049", "1 to 2048"},
		{"k --cpus -1", "1 to 2048"},
		{"k --cpus 4x", "not '4x'"},
		{"k --cpus 99999999999999999999", "1 to 2048"},
		{"k --memory 3M", "multiple of 2M"},
		{"k --memory 2M", "from 4M"},
		{"k --memory 8T", "to 4T"},
		{"k --memory 99999999999T", "to 4T"},
		{"k --memory lots", "not 'lots'"},
		{"k --memory M", "not 'M'"},
		{"k --vtls 0", "1 (VTL0 alone)"},
		{"k --vtls 17", "to 16"},
		{"k --boot-vtl 16", "0 to 15"},
		{"k --boot-vtl 3", "--boot-vtl 3 is not below --vtls 3"},
		{"k --vtls 1 --boot-vtl 1", "not below --vtls 1"},
		{"k --serial tcp", "stdio, pty, or file:PATH"},
		{"k --serial file:", "stdio, pty, or file:PATH"},
		{"k --engine magic", "auto, uffd, nested, or attr"},
		{"k --trace=", "nonempty"},
		{"k --gdb :0", ":PORT with a number from 1 to 65535"},
		{"k --gdb :65536", ":PORT"},
		{"k --gdb :12x", ":PORT"},
		{"k --paused", "--paused needs --control or --gdb"},
		{"k --save-dir d", "--save-dir needs --control"},
		{"--restore r --cpus 1", "--cpus is part of the saved machine"},
		{"k --testdev=maybe", "yes, no, or no value"},
		{"k --sandbox maybe", "auto, on, log, or off"},
		{"k --cpus 1 --cpus 2", "--cpus is given twice"},
		{"k other", "kernel is given twice"},
		{"k --speed 9", "'--speed'"},
		{"k -m 64M", "'-m'"},
		{"k --cpus", "--cpus N"},
		{"k --config", "--config FILE"},
		{"k --config a --config b", "--config is given twice"},
		{"k --initrd 1 --initrd 2 --initrd 3 --initrd 4 --initrd 5 --initrd 6 --initrd 7 "
		 "--initrd 8 --initrd 9 --initrd a --initrd b --initrd c --initrd d --initrd e "
		 "--initrd f --initrd g --initrd h",
		 "16 times"},
	};
	for (size_t i = 0; i < sizeof(row) / sizeof(row[0]); i++)
		refused(row[i][0], row[i][1]);
}

static void sizes_have_suffixes_of_1024(void **state)
{
	static const struct {
		const char *text;
		uint64_t bytes;
	} row[] = {{"4096", 4096},	  {"1k", 1024},	      {"64M", 64ull << 20},
		   {"2g", 2ull << 30},	  {"1T", 1ull << 40}, {"0x10000", 65536},
		   {"010", 10},		  {"0", 0},	      {"16777215T", 16777215ull << 40},
		   {"0x10M", 16ull << 20}};
	static const char *const wrong[] = {"",
					    "K",
					    "4KK",
					    " 4",
					    "4 ",
					    "-4",
					    "+4",
					    "16777216T",
					    "1E",
					    "4KB",
					    "1.5G",
					    "18446744073709551616",
					    "00000000000000000000000000000000004"};
	uint64_t bytes;

	for (size_t i = 0; i < sizeof(row) / sizeof(row[0]); i++) {
		assert_true(vmm_parse_size(row[i].text, &bytes));
		assert_true(bytes == row[i].bytes);
	}
	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++)
		assert_false(vmm_parse_size(wrong[i], &bytes));
}

static int parse_file(struct bench *bench, const char *text, size_t size, const char *rest)
{
	char name[] = "/tmp/vsm-config-XXXXXX", line[256];
	const int fd = mkstemp(name);
	int error;

	assert_true(fd >= 0);
	assert_int_equal(write(fd, text, size), size);
	close(fd);
	snprintf(line, sizeof(line), "--config %s %s", name, rest);
	error = parse(bench, line);
	unlink(name);
	return error;
}

static void a_file_has_the_same_names_and_the_command_line_has_precedence(void **state)
{
	static const char text[] = "# a machine\n"
				   "kernel = bzImage\r\n"
				   "\n"
				   "  initrd = one with words  \n"
				   "append=console=ttyS0 a=\"b\" # c=\"d\"\n"
				   "cpus = 2\n"
				   "memory = 1G\n"
				   "trace = t#1\n"
				   "sandbox = auto\n"
				   "testdev";
	struct bench bench;

	assert_int_equal(parse_file(&bench, text, sizeof(text) - 1, "--cpus 8 --initrd zero"), 0);
	assert_string_equal(bench.config.kernel, "bzImage");
	assert_int_equal(bench.config.initrds, 2);
	assert_string_equal(bench.config.initrd[0], "zero");
	assert_string_equal(bench.config.initrd[1], "one with words");
	assert_string_equal(bench.config.append, "console=ttyS0 a=\"b\" # c=\"d\"");
	assert_string_equal(bench.config.trace, "t#1");
	assert_int_equal(bench.config.sandbox, VMM_SANDBOX_DEFAULT);
	assert_int_equal(bench.config.cpus, 8);
	assert_int_equal(bench.config.memory, 1u << 30);
	assert_true(bench.config.testdev);
	vmm_config_free(&bench.config);
}

static void errors_in_a_file_are_reported_with_their_line(void **state)
{
	static const struct {
		const char *text;
		const char *words; /* '^': the message begins with them */
		const char *rest;  /* of the command line */
	} row[] = {{"kernel=k\n\ncpus = many\n", ":3: cpus takes a number"},
		   {"kernel\n", ":1: kernel needs a value: kernel = FILE"},
		   {"kernel bzImage\n", ":1: no '='"},
		   {"kernel=k\npaused = on", ":2: paused takes yes, no, or no value"},
		   {"kernel=k\nmemroy = 1G",
		    ":2: no option is called 'memroy'; did you mean 'memory'"},
		   {"kernel=k\npaused", "^paused needs control or gdb"},
		   {"kernel = \"/srv/k\"", ":1: kernel: quotes would be part of the value"},
		   {"kernel=k\nappend = 'console=ttyS0'", ":2: append: quotes"},
		   {"cpus = 2 # two", ":1: cpus: a comment is a line of its own"},
		   {"kernel = /k\t# the kernel", ":1: kernel: a comment is a line of its own"},
		   {"kernel=k\nspeed = 9", ":2: no option is called 'speed'"},
		   {"config = x", ":1: config is an option of the command line, not of a file"},
		   {"check = yes", ":1: check is an option of the command line, not of a file"},
		   {"cpus=1\ncpus=2", ":2: cpus is given twice"},
		   {"kernel=k\nboot-vtl = 16",
		    ":2: boot-vtl takes a number from 0 to 15, below that of"},
		   {"restore=r\ncpus=1", "^cpus is part of the saved machine"},
		   {"restore=r", "^--cpus is part of the saved machine", "--cpus 1"},
		   {"kernel=k", "^--paused needs control or gdb", "--paused"},
		   {"kernel=k", "^--save-dir needs control", "--save-dir d"},
		   {"kernel=k\nsave-dir=d", "^save-dir needs control"},
		   {"vtls=2", "^--boot-vtl 2 is not below vtls 2", "k --boot-vtl 2"},
		   {"boot-vtl=2", "^boot-vtl 2 is not below --vtls 2", "k --vtls 2"},
		   {"append=x", "no kernel"}};
	struct bench bench;

	for (size_t i = 0; i < sizeof(row) / sizeof(row[0]); i++) {
		const char *rest = row[i].rest ? row[i].rest : "";

		assert_int_equal(parse_file(&bench, row[i].text, strlen(row[i].text), rest),
				 -EINVAL);
		assert_int_equal(bench.messages, 1);
		if (row[i].words[0] == '^' ? strstr(bench.text, row[i].words + 1) != bench.text
					   : !strstr(bench.text, row[i].words))
			fail_msg("\"%s\" does not contain \"%s\"", bench.text, row[i].words);
		vmm_config_free(&bench.config);
	}
	assert_int_equal(parse_file(&bench, "kernel=k\0x", 10, ""), -EINVAL);
	assert_non_null(strstr(bench.text, "not a text file"));
	vmm_config_free(&bench.config);
	assert_int_equal(parse(&bench, "--config /nonexistent/file"), -ENOENT);
	assert_non_null(strstr(bench.text, "/nonexistent/file"));
	vmm_config_free(&bench.config);
}

static void the_help_names_options_in_at_most_100_columns(void **state)
{
	static const char *const names[] = {"--kernel", "--initrd",  "--append",   "--cpus",
					    "--memory", "--vtls",    "--boot-vtl", "--serial",
					    "--trace",	"--testdev", "--engine",   "--config"};
	char *text = NULL;
	size_t size;
	FILE *out = open_memstream(&text, &size);

	assert_non_null(out);
	vmm_config_help(out);
	fclose(out);
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		assert_non_null(strstr(text, names[i]));
	for (char *line = text; *line;) {
		char *end = strchr(line, '\n');

		assert_non_null(end);
		assert_true(end - line <= 100);
		line = end + 1;
	}
	free(text);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_unknown_option_gets_the_closest_name),
		cmocka_unit_test(a_kernel_alone_gets_the_defaults),
		cmocka_unit_test(options_are_accepted_in_both_forms),
		cmocka_unit_test(invalid_values_are_refused_with_the_valid_ones),
		cmocka_unit_test(sizes_have_suffixes_of_1024),
		cmocka_unit_test(a_file_has_the_same_names_and_the_command_line_has_precedence),
		cmocka_unit_test(errors_in_a_file_are_reported_with_their_line),
		cmocka_unit_test(the_help_names_options_in_at_most_100_columns),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
