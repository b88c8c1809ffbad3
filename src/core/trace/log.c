/* SPDX-License-Identifier: BSD-2-Clause */
#include <vsm/log.h>

#include <stdio.h>

#include "core/array.h"

const char *vsm_log_level_name(enum vsm_log_level level)
{
	static const char *const name[] = {"error", "warn", "info", "debug"};

	return (unsigned int)level < ARRAY_SIZE(name) ? name[level] : "?";
}

int vsm_log_write(const struct vsm_log *log, enum vsm_log_level level, int error, const char *file,
		  int line, const char *function, const char *format, ...)
{
	if (log && log->fn && level <= log->max_level) {
		char text[512];
		struct vsm_log_record record = {
			.level = level,
			.error = error,
			.line = line,
			.file = file,
			.function = function,
			.text = text,
		};
		va_list args;

		va_start(args, format);
		vsnprintf(text, sizeof(text), format, args);
		va_end(args);
		log->fn(log->opaque, &record);
	}
	return -error;
}
