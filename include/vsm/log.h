/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Log messages of libvsm.
 *
 * The library never prints. Each object that can fail holds a `struct vsm_log`; an error whose
 * errno does not say enough is logged once, where it arises. Each error is returned to the caller.
 */
#ifndef VSM_LOG_H
#define VSM_LOG_H

#include <stdarg.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

enum vsm_log_level {
	VSM_LOG_ERROR = 0, /* an operation failed */
	VSM_LOG_WARN = 1,  /* succeeded with a restriction; a feature is off */
	VSM_LOG_INFO = 2,  /* a few lines per run */
	VSM_LOG_DEBUG = 3, /* errors of the guest, and messages that a guest can cause at will */
};

/* The strings are valid until the callback returns. */
struct vsm_log_record {
	enum vsm_log_level level;
	int error; /* errno value (positive) that is about to be returned, or 0 */
	int line;
	const char *file;
	const char *function;
	const char *text; /* without a newline at the end */
};

/*
 * Receives every message up to max_level. Called on any thread that calls the library and on
 * threads of the library, on several at the same time; must not call the library.
 */
typedef void vsm_log_fn(void *opaque, const struct vsm_log_record *record);

struct vsm_log {
	vsm_log_fn *fn; /* NULL: no log */
	void *opaque;
	enum vsm_log_level max_level;
};

/* Returns: the name of a level in lower case ("error", "warn", ...), or "?" for anything else. */
const char *vsm_log_level_name(enum vsm_log_level level);

/*
 * Passes a message to @log, which may be NULL; for the macros below. Messages longer than 511 bytes
 * are truncated.
 *
 * Returns: -@error, so that a function can end with it.
 */
int vsm_log_write(const struct vsm_log *log, enum vsm_log_level level, int error, const char *file,
		  int line, const char *function, const char *format, ...)
	__attribute__((format(printf, 7, 8)));

/* A message without an error. */
#define vsm_log(log, level, ...) \
	((void)vsm_log_write((log), (level), 0, __FILE__, __LINE__, __func__, __VA_ARGS__))

/*
 * `return vsm_error(log, EINVAL, "vtl %u: above the maximum %u", vtl, max);`
 *
 * Call it once for each failure, where it arises; callers return the value
 * without logging it again.
 */
#define vsm_error(log, errno_value, ...)                                                 \
	vsm_log_write((log), VSM_LOG_ERROR, (errno_value), __FILE__, __LINE__, __func__, \
		      __VA_ARGS__)

#ifdef __cplusplus
}
#endif

#endif
