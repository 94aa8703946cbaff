/*
 * logline: one event of the log in its three forms.  Pure, and async-signal-safe.
 *
 * text:    2026-11-21T13:52:53.123Z master[4711] info: reload committed: ...
 * json:    an object with the same and the fields, in one line
 * journal: a datagram of systemd's native protocol
 */
#ifndef BATON_BASE_LOGLINE_H
#define BATON_BASE_LOGLINE_H

#include <stddef.h>
#include <time.h>

#include "base/event.h"
#include "base/log.h"

#define LOGLINE_MAX 4000 /* bytes; less than PIPE_BUF: a pipe takes it whole or not */

/* The process that writes; a master has no slot and no birth. */
struct logline_who {
	char name[32]; /* "master", "worker 2" */
	int pid;
	bool is_worker;
	uint32_t generation, slot;
	uint64_t birth;
};

struct logline {
	enum log_level level;
	struct timespec time;
	const struct logline_who *who;
	const struct event_kind *kind;    /* NULL: of no kind that the table names */
	const struct event_field *fields; /* ended by one without a name; NULL: none */
	const char *message;
};

/* Each writes at most size bytes, the line feed at the end among them, and returns how
 * many.  What is too long is cut, and is whole in its form even so. */
size_t logline_text(const struct logline *l, char *buf, size_t size);
size_t logline_json(const struct logline *l, char *buf, size_t size);
size_t logline_journal(const struct logline *l, char *buf, size_t size);

/* For what systemd reads from stderr: "<6>master: ..." */
size_t logline_stderr(const struct logline *l, char *buf, size_t size);

#endif
