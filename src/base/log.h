/*
 * log: one line per event, each written by a single write(2), so that lines of
 * several processes never mix and nothing is printed twice after a fork.
 *
 * Promises: a call never blocks the caller for longer than the write takes and
 * never fails visibly; what cannot be written is dropped.  Failures are ranked
 * by word: debug, info, warn, error; fatal (the environment, at start; exits 1)
 * and panic (our own bug; aborts, with its place).
 */
#ifndef BATON_BASE_LOG_H
#define BATON_BASE_LOG_H

#include <stdbool.h>

enum log_level { LOGL_DEBUG, LOGL_INFO, LOGL_WARN, LOGL_ERROR };

/* Names of the levels, in order, ended by NULL: the values of `log_level`. */
extern const char *const log_level_names[];

/*
 * Choose where lines go: "auto" (stderr, in the journal's form when it is the
 * journal), "stderr", or the path of a file that is opened for append.
 * Returns 0, or -1 with a sentence in *cause; then nothing has changed.
 */
int log_open(const char *where, enum log_level level, char **cause);

/* Open the log file again by its path (after a rotation).  0 or -1 with *cause. */
int log_reopen(char **cause);

/* The descriptor that lines are written to. */
int log_fd(void);

/* Write to fd from now on; log owns it.  A worker gets its file this way. */
void log_set_fd(int fd);

/* What the lines of this process begin with: "master", "worker 2".  Copied. */
void log_set_who(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

/* Called by log_fatal and log_panic before they end the process; may not return. */
void log_set_last_words(void (*fn)(const char *reason));

void log_debug(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
void log_info(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
void log_warn(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
void log_error(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
_Noreturn void log_fatal(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

_Noreturn void log_panic_at(const char *file, int line, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
#define log_panic(...) log_panic_at(__FILE__, __LINE__, __VA_ARGS__)

/* An assertion that stays in release builds: a broken promise is our bug. */
#define AN(cond)                                                                               \
	do {                                                                                   \
		if (!(cond))                                                                   \
			log_panic("assertion failed: %s", #cond);                              \
	} while (0)

#endif
