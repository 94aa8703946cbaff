/*
 * origin: on whose behalf a module's code runs now: a service, and the route of its request if
 * it has one.  What that code starts (a task, a timer, a post) has its origin, and so on.  The
 * log needs it: of a crash, and of who has held the loop.
 *
 * Every call of a module's code stands between origin_enter and origin_leave; the texts of an
 * origin live as long as the service.
 */
#ifndef BATON_WORKER_RUNTIME_ORIGIN_H
#define BATON_WORKER_RUNTIME_ORIGIN_H

#include <stdint.h>

struct escape_out;

struct origin {
	const char *service; /* NULL: nothing is known */
	const char *method;  /* of the route; NULL: there is none */
	const char *path;
	uint64_t since_ms; /* clock_tick_ms of its entry */
};

/* That of this thread.  Async-signal-safe. */
struct origin origin_now(void);

/* It is this one from now on; returns the one before, for origin_leave. */
struct origin origin_enter(struct origin o);

/* It is the one before again.  One that has held the loop for more than a second is told of in
 * the log, and so at most one in a second. */
void origin_leave(struct origin before);

/* "[service:NAME] GET /path", as far as it is known.  Async-signal-safe. */
void origin_say(const struct origin *o, struct escape_out *out);

#endif
