/*
 * log: one line per event, each written by a single write(2), so that lines of
 * several processes never mix and nothing is printed twice after a fork.
 *
 * Promises: a call waits for nobody and never fails visibly.  What a full pipe,
 * terminal or journal does not take is dropped and counted, and the number is told
 * when there is room again; a regular file is written at the pace of its disk.
 * Failures are ranked by word: debug, info, warn, error; fatal (the environment, at
 * start; exits 1) and panic (our own bug; aborts, with its place).  Kinds of events
 * and their fields: base/event.h.
 */
#ifndef BATON_BASE_LOG_H
#define BATON_BASE_LOG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/level.h"

/* auto: with fields where it is the journal, else text. */
enum log_format { LOGF_AUTO, LOGF_TEXT, LOGF_JSON };

/* Their names, in order, ended by NULL: the values of `log_format`. */
extern const char *const log_format_names[];

/*
 * Choose where lines go: "auto" (stderr, and the journal itself when that is the
 * journal), "stderr", or the path of a file that is opened for append.
 * Returns 0, or -1 with a sentence in *cause; then nothing has changed.
 */
int log_open(const char *where, enum log_level level, enum log_format format, char **cause);

/* Open the log file again by its path (after a rotation).  0 or -1 with *cause. */
int log_reopen(char **cause);

/* While a program starts, who has started it looks at stderr: with yes, lines of rank error go
 * there, too, when the log is a file.  A worker (log_set_worker) does not. */
void log_echo_errors(bool yes);

/* The descriptor that lines are written to. */
int log_fd(void);

/* It is a regular file that was opened by its path. */
bool log_is_file(void);

#define LOG_FORM_TEXT 0

/* And how: a number that means the same to a worker of another version. */
uint32_t log_form(void);

/* Write to fd from now on, in that form; log owns it.  A worker gets its file this way. */
void log_set_fd(int fd, uint32_t form);

/* Write the lines of another process, whole ones, as they are.  What finds no room is dropped
 * and counted. */
void log_pass(const char *lines, size_t n);

/* The beginning of this process's lines, as "master".  Copied. */
void log_set_who(const char *name);

/* The same of a worker, "worker 2", whose lines have these as fields. */
void log_set_worker(uint32_t generation, uint32_t slot, uint64_t birth);

/* Called with the number of lines that were dropped, each time. */
void log_set_counter(void (*fn)(uint64_t lines));

/* If lines were dropped and this was not told yet: now, if there is room.  Called now
 * and then, as the next event may be far. */
void log_tell_dropped(void);

/* Called by log_fatal and log_panic before they end the process; may not return. */
void log_set_last_words(void (*fn)(const char *reason));

/* A line of rank error from a signal's handler, of a process that ends then: it takes no
 * memory and no lock, and waits a moment for room if there is none. */
void log_dying(const char *text);

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
