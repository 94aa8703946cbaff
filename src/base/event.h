/*
 * event: the kinds of events that the log tells of, each with an id that never
 * changes (MESSAGE_ID of the journal), its rank and its fields.
 *
 * Every line has GENERATION, SLOT and BIRTH of the worker that writes it; an event
 * of the master about a worker names that worker's.  docs/logs.md is the page for
 * this table; a test compares them.
 */
#ifndef BATON_BASE_EVENT_H
#define BATON_BASE_EVENT_H

#include <stdint.h>

#include "base/log.h"

/* clang-format off */
/* id, name, rank, MESSAGE_ID, fields of its own, what has happened */
#define EVENT_TABLE(X) \
	X(START, "start", LOGL_INFO, "2a3c6319dca4438f93d2c120268cdfc3", \
	  "VERSION CONFIGURATION", \
	  "baton starts") \
	X(TAKEN_OVER, "taken-over", LOGL_INFO, "7b94263d37d04d29a109e3bfae9ef290", \
	  "VERSION CONFIGURATION", \
	  "baton starts after a crash of the master before it") \
	X(NOT_TAKEN_OVER, "not-taken-over", LOGL_ERROR, "4af11bfb45144e83bb5a566bd5a20d2e", \
	  "REASON", \
	  "what a crash has left is let go, and this is a clean start") \
	X(CHANGE_BEGUN, "change-begun", LOGL_INFO, "538ebcf9f23943da8e8e37f6fe8d404a", \
	  "CHANGE", \
	  "a reload or an upgrade begins") \
	X(CHANGE_COMMITTED, "change-committed", LOGL_INFO, "f615248a03aa42259378024e2a3d78fd", \
	  "CHANGE GENERATION TOOK_MS", \
	  "a new generation serves, and stays") \
	X(CHANGE_REFUSED, "change-refused", LOGL_ERROR, "e66a22a0a8804b07aa67928e477b17b0", \
	  "CHANGE REASON", \
	  "a reload or an upgrade that nothing came of") \
	X(CHANGE_ROLLED_BACK, "change-rolled-back", LOGL_ERROR, "544208a5f455409dbab8b9498fdcb80c", \
	  "CHANGE REASON", \
	  "the generation before it serves again") \
	X(GENERATION_STATE, "generation-state", LOGL_INFO, "d4552182f4044e8c8c9eff57479bfe82", \
	  "GENERATION STATE STATE_BEFORE", \
	  "a generation is in another state") \
	X(GENERATION_GONE, "generation-gone", LOGL_INFO, "041194352c5b4766bc83f90a39bc8de8", \
	  "GENERATION", \
	  "its last worker has gone") \
	X(WORKER_BORN, "worker-born", LOGL_DEBUG, "068582fe4e1a488ca0ee4a07a8b08abd", \
	  "GENERATION SLOT BIRTH WORKER_PID", \
	  "a worker was forked") \
	X(WORKER_READY, "worker-ready", LOGL_DEBUG, "db8f21cf18934b62839ba6759a39d352", \
	  "GENERATION SLOT BIRTH WORKER_PID", \
	  "its services have started") \
	X(WORKER_LEFT, "worker-left", LOGL_DEBUG, "db58daf67f6c43359c11bb22f2db2260", \
	  "GENERATION SLOT BIRTH WORKER_PID", \
	  "it has ended in order") \
	X(WORKER_DIED, "worker-died", LOGL_WARN, "4ece1a55d3f14e74adc62dc5242a037c", \
	  "GENERATION SLOT BIRTH WORKER_PID STATUS LOST", \
	  "it has ended, and not in order, or with connections") \
	X(WORKER_KILLED, "worker-killed", LOGL_WARN, "c854c75d532b49a5ad1af5350116390d", \
	  "GENERATION SLOT BIRTH WORKER_PID REASON", \
	  "the master kills it") \
	X(WORKER_STUCK, "worker-stuck", LOGL_ERROR, "5c500469b50c443db27817db7206f9a2", \
	  "GENERATION SLOT BIRTH WORKER_PID", \
	  "its loop stands still") \
	X(WORKER_LIED, "worker-lied", LOGL_ERROR, "f780c74ff5a04437a5d2ce3b29a0fde1", \
	  "GENERATION SLOT BIRTH WORKER_PID REASON", \
	  "it did or said what no worker does, and is replaced") \
	X(LISTENER_OPENED, "listener-opened", LOGL_INFO, "1e8557f7ad174d5782a75a9010934abb", \
	  "ADDRESS", \
	  "a listener is there from now on") \
	X(LISTENER_CLOSED, "listener-closed", LOGL_INFO, "8a484818e9454501bd703e35e4c7f6ce", \
	  "ADDRESS", \
	  "a listener is no more") \
	X(CUT, "cut", LOGL_WARN, "ac73912412344bf0946d667d28ee3a0c", \
	  "LISTENER SERVICE PEER REASON AGE_MS BYTES_IN BYTES_OUT", \
	  "a connection is closed by force") \
	X(HANDOFF_REFUSED, "handoff-refused", LOGL_INFO, "06d2c445b291459a8303328845806392", \
	  "TAKER REASON", \
	  "another worker does not take a connection") \
	X(STOP, "stop", LOGL_INFO, "bbe3199878a54f3bb91ea1249480fc92", \
	  "", \
	  "a stop begins") \
	X(STOP_NOW, "stop-now", LOGL_WARN, "ab82290276674e33bab835cbdf39a9fe", \
	  "", \
	  "what is open is cut") \
	X(STOP_CALLED_OFF, "stop-called-off", LOGL_INFO, "d4b2ba81903842e3aea0e389a3c3d61f", \
	  "", \
	  "baton serves on") \
	X(STOPPED, "stopped", LOGL_INFO, "5e168767f66548ff82ff50ceb0e82bfb", \
	  "CUT", \
	  "the master ends") \
	X(REOPENED, "reopened", LOGL_INFO, "f238a2e95afe440aaf640b216dd6c047", \
	  "", \
	  "the log files were opened again") \
	X(DROPPED, "dropped", LOGL_WARN, "7ff082ee4b724a6f8638205e9eebb45e", \
	  "LINES", \
	  "lines of the log could not be written, and were dropped")
/* clang-format on */

enum event_id {
#define X(id, name, level, message_id, fields, help) EVENT_##id,
	EVENT_TABLE(X)
#undef X
	    EVENTS_N
};

struct event_kind {
	const char *name;
	enum log_level level;
	const char *id; /* 32 hexadecimal digits */
	const char *fields;
	const char *help;
};

extern const struct event_kind event_kinds[];

/* What an event is told with: a name of capital letters, and a text or a number. */
struct event_field {
	const char *name;
	const char *text; /* NULL: n counts */
	uint64_t n;
};

#define EVENT_TEXT(name, text)                                                                 \
	{                                                                                      \
		name, text, 0                                                                  \
	}
#define EVENT_NUMBER(name, n)                                                                  \
	{                                                                                      \
		name, NULL, n                                                                  \
	}

/* The fields of one event, ended by one without a name. */
#define EVENT_FIELDS(...) ((const struct event_field[]){__VA_ARGS__, {NULL, NULL, 0}})

/* Log an event; fields: EVENT_FIELDS, or NULL for none. */
void log_event(enum event_id event, const struct event_field *fields, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

#endif
