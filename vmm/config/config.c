/* SPDX-License-Identifier: BSD-2-Clause */
#include "config/closest.h"
#include "config/config.h"
#include "config/option.h"
#include "load/file.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define FILE_LIMIT  65536u
#define LONGEST_KEY 32u
#define OPTIONS_MAX 32u /* each has a bit of `seen` */

/* State of parsing one source, the command line or a file. */
struct parser {
	struct vmm_config *config;
	const struct vsm_log *log;
	char where[512]; /* "" for the command line, else "FILE:LINE: " */
	uint32_t seen;	 /* bits of vmm_options given in this source */
	uint32_t fixed;	 /* given on the command line, which overrides the file */
};

static const struct vmm_option *find_option(const char *name, size_t length)
{
	for (size_t i = 0; i < vmm_option_count; i++)
		if (strlen(vmm_options[i].name) == length &&
		    !strncmp(vmm_options[i].name, name, length))
			return &vmm_options[i];
	return NULL;
}

/* Options have dashes on the command line, and none in a file. */
static const char *lead(const struct parser *parser)
{
	return parser->where[0] ? "" : "--";
}

/* After all sources: that of the source which has the option. */
static const char *lead_of(const struct parser *parser, const char *name)
{
	const struct vmm_option *option = find_option(name, strlen(name));

	return parser->fixed >> (option - vmm_options) & 1 ? "--" : lead(parser);
}

static int set(struct parser *parser, const struct vmm_option *option, const char *value)
{
	const uint32_t bit = 1u << (option - vmm_options);
	const char *wrong;

	if (!option->repeats && (parser->seen & bit))
		return vsm_error(parser->log, EINVAL, "%s%s%s is given twice", parser->where,
				 lead(parser), option->name);
	parser->seen |= bit;
	if (!option->repeats && (parser->fixed & bit))
		return 0;
	wrong = option->set(parser->config, value);
	if (wrong)
		return vsm_error(parser->log, EINVAL, "%s%s%s %s, not '%s'", parser->where,
				 lead(parser), option->name, wrong, value ? value : "");
	return 0;
}

static char *trim(char *text)
{
	size_t length;

	while (*text == ' ' || *text == '\t')
		text++;
	length = strlen(text);
	while (length && strchr(" \t\r", text[length - 1]))
		text[--length] = 0;
	return text;
}

static int unknown(const struct parser *parser, const char *typed)
{
	const char *names[OPTIONS_MAX];
	size_t length = strspn(typed, "-"), count = 0;
	const char *meant;
	char name[LONGEST_KEY];

	for (; count < vmm_option_count && count < OPTIONS_MAX; count++)
		names[count] = vmm_options[count].name;
	snprintf(name, sizeof(name), "%.*s", (int)strcspn(typed + length, "="), typed + length);
	meant = closest_name(name, names, count);
	if (meant)
		return vsm_error(
			parser->log, EINVAL,
			"%sno option is called '%s'; did you mean '%s%s'? `vsm help run` lists "
			"them",
			parser->where, typed, lead(parser), meant);
	return vsm_error(parser->log, EINVAL, "%sno option is called '%s': see `vsm help run`",
			 parser->where, typed);
}

/* Refuses quotes and comments, which other formats permit: they would be part of the value. */
static int check_value(const struct parser *parser, const struct vmm_option *option,
		       const char *value)
{
	const size_t length = strlen(value);
	const char quote = value[0];

	if (length > 1 && (quote == '"' || quote == '\'') &&
	    strchr(value + 1, quote) == value + length - 1)
		return vsm_error(parser->log, EINVAL,
				 "%s%s: quotes would be part of the value: omit them",
				 parser->where, option->name);
	if (!option->text && (strstr(value, " #") || strstr(value, "\t#")))
		return vsm_error(parser->log, EINVAL,
				 "%s%s: a comment is a line of its own, which begins with '#'",
				 parser->where, option->name);
	return 0;
}

static int take_line(struct parser *parser, char *line)
{
	const struct vmm_option *option;
	char *name = trim(line), *value = strchr(name, '=');
	int error;

	if (*name == 0 || *name == '#')
		return 0;
	if (value) {
		*value++ = 0;
		name = trim(name);
		value = trim(value);
	}
	option = find_option(name, strlen(name));
	if (!option && !value && strpbrk(name, " \t"))
		return vsm_error(parser->log, EINVAL, "%sno '=': a line is 'name = value'",
				 parser->where);
	if (!option)
		return unknown(parser, name);
	if (option->command_line)
		return vsm_error(parser->log, EINVAL,
				 "%s%s is an option of the command line, not of a file",
				 parser->where, name);
	if (!value && option->argument)
		return vsm_error(parser->log, EINVAL, "%s%s needs a value: %s = %s", parser->where,
				 name, name, option->argument);
	error = value ? check_value(parser, option, value) : 0;
	return error ? error : set(parser, option, value);
}

static int take_lines(struct parser *parser, const char *path, char *text)
{
	unsigned int number = 0;

	parser->seen = 0;
	while (text) {
		char *end = strchr(text, '\n');
		int error;

		if (end)
			*end++ = 0;
		snprintf(parser->where, sizeof(parser->where), "%s:%u: ", path, ++number);
		error = take_line(parser, text);
		if (error)
			return error;
		text = end;
	}
	return 0;
}

static int take_file(struct parser *parser, const char *path)
{
	const struct vmm_file_limit limit = {FILE_LIMIT, "that a configuration may have", NULL,
					     false};
	struct vmm_file file;
	char *text;
	int error;

	error = vmm_file_read(&file, path, &limit, parser->log);
	if (error)
		return error;
	text = malloc(file.size + 1);
	if (!text) {
		vmm_file_free(&file);
		return vsm_error(parser->log, ENOMEM, "%s: no memory to read it", path);
	}
	memcpy(text, file.data, file.size);
	text[file.size] = 0;
	if (memchr(file.data, 0, file.size))
		error = vsm_error(parser->log, EINVAL, "%s: not a text file", path);
	else
		error = take_lines(parser, path, text);
	free(text);
	vmm_file_free(&file);
	return error;
}

/* --name=value, --name value, or --name of a switch. Sets *@used to the number of arguments. */
static int take_option(struct parser *parser, const char *const *argv, int left, int *used)
{
	const char *name = argv[0] + 2;
	const char *equals = strchr(name, '=');
	const size_t length = equals ? (size_t)(equals - name) : strlen(name);
	const struct vmm_option *option = find_option(name, length);
	const char *value = equals ? equals + 1 : NULL;

	*used = 1;
	if (!option)
		return unknown(parser, argv[0]);
	if (!value && option->argument) {
		if (left < 2)
			return vsm_error(parser->log, EINVAL, "%s needs a value: --%s %s", argv[0],
					 option->name, option->argument);
		value = argv[1];
		*used = 2;
	}
	return set(parser, option, value);
}

static int check_whole(const struct parser *parser)
{
	const struct vmm_config *config = parser->config;
	const uint32_t seen = parser->seen | parser->fixed;
	const char *const more = lead(parser);

	for (size_t i = 0; config->restore && i < vmm_option_count; i++)
		if (vmm_options[i].saved && (seen >> i & 1))
			return vsm_error(parser->log, EINVAL,
					 "%s%s is part of the saved machine: omit it",
					 lead_of(parser, vmm_options[i].name), vmm_options[i].name);
	if (config->paused && !config->control && !config->gdb)
		return vsm_error(parser->log, EINVAL,
				 "%spaused needs %scontrol or %sgdb: nothing else can resume the "
				 "machine",
				 lead_of(parser, "paused"), more, more);
	if (config->save_dir && !config->control)
		return vsm_error(parser->log, EINVAL,
				 "%ssave-dir needs %scontrol: nothing else can save the machine",
				 lead_of(parser, "save-dir"), more);
	if (!config->kernel && !config->restore)
		return vsm_error(parser->log, EINVAL,
				 "no kernel: name one, as in `vsm run bzImage`");
	if (config->boot_vtl >= config->vtls)
		return vsm_error(parser->log, EINVAL, "%sboot-vtl %u is not below %svtls %u",
				 lead_of(parser, "boot-vtl"), config->boot_vtl,
				 lead_of(parser, "vtls"), config->vtls);
	return 0;
}

int vmm_config_parse(struct vmm_config *config, int argc, const char *const *argv,
		     const struct vsm_log *log)
{
	struct parser parser = {.config = config, .log = log};
	const struct vmm_option *kernel = find_option("kernel", 6);
	bool options = true;
	int error = 0, used;

	memset(config, 0, sizeof(*config));
	config->cpus = 1;
	config->memory = VMM_MEMORY_DEFAULT;
	config->vtls = 3;
	config->log_level = VSM_LOG_INFO;
	for (int i = 0; i < argc && !error; i += used) {
		used = 1;
		if (options && !strcmp(argv[i], "--"))
			options = false;
		else if (options && !strncmp(argv[i], "--", 2))
			error = take_option(&parser, argv + i, argc - i, &used);
		else if (options && argv[i][0] == '-' && argv[i][1])
			error = unknown(&parser, argv[i]);
		else
			error = set(&parser, kernel, argv[i]);
	}
	if (!error && config->file) {
		parser.fixed = parser.seen;
		error = take_file(&parser, config->file);
	}
	if (!error && !config->engine) {
		config->engine = strdup("auto");
		if (!config->engine)
			error = vsm_error(log, ENOMEM, "no memory");
	}
	return error ? error : check_whole(&parser);
}

void vmm_config_free(struct vmm_config *config)
{
	for (unsigned int i = 0; i < config->initrds; i++)
		free(config->initrd[i]);
	free(config->kernel);
	free(config->append);
	free(config->serial_file);
	free(config->trace);
	free(config->control);
	free(config->gdb);
	free(config->restore);
	free(config->engine);
	free(config->user);
	free(config->save_dir);
	free(config->log_file);
	free(config->file);
	memset(config, 0, sizeof(*config));
}

void vmm_config_help(FILE *out)
{
	for (size_t i = 0; i < vmm_option_count; i++) {
		const struct vmm_option *option = &vmm_options[i];
		char left[LONGEST_KEY];

		snprintf(left, sizeof(left), "--%s %s", option->name,
			 option->argument ? option->argument : "");
		fprintf(out, "  %-18s %s\n", left, option->help);
	}
}
