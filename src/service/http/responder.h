/*
 * responder: who answers a request, and what it hears of it.
 *
 * A service has one, a table for each kind: text, files, a module's handlers, upstreams.  What
 * reads requests and writes answers is the framing (framing.h), below it.  In PHASE_RESPONDER
 * the request is with its responder, which leaves the exchange in PHASE_ANSWER when there is
 * something to send, and then says so (go_on).
 */
#ifndef BATON_SERVICE_HTTP_RESPONDER_H
#define BATON_SERVICE_HTTP_RESPONDER_H

#include <stdbool.h>
#include <stddef.h>

struct conn;
struct exchange;

/* Members may be NULL unless they are said to be needed. */
struct responder {
	/* The head is there, and no body yet: answer, go to PHASE_RESPONDER, or let the body
	 * come.  Needed. */
	void (*begin)(struct conn *c, struct exchange *x);
	/* n more bytes of the body, unframed.  NULL: nobody wants them. */
	void (*body)(struct exchange *x, const char *bytes, size_t n);
	/* The request is whole.  Needed. */
	void (*answer)(struct conn *c, struct exchange *x);
	/* The body is longer than max_body.  False: it does not answer that itself. */
	bool (*too_long)(struct exchange *x);
	/* Does a part of the body still come, while the answer begins? */
	bool (*amid_body)(const struct exchange *x);

	/* In PHASE_RESPONDER, and needed by who goes there.  Is there nothing to do but to
	 * wait?  If not, the phase is another. */
	bool (*wait)(struct conn *c, struct exchange *x);
	/* A limit of the connection has passed. */
	void (*late)(struct conn *c, struct exchange *x);
	/* The client has ended its side. */
	void (*hung_up)(struct conn *c, struct exchange *x);
	/* An event of the connection; NULL: it is read from and written to as its framing
	 * likes. */
	void (*ready)(struct conn *c, struct exchange *x, short what);
	/* There is time again for the connection; NULL: as go_on. */
	void (*resume)(struct conn *c, struct exchange *x);

	/* All that was to be sent is sent: is there more, now or later?  NULL: no. */
	bool (*continues)(struct exchange *x);
	/* From now on bytes are read into `in`, no longer into x->in. */
	void (*moved)(struct exchange *x, const char *in);
	/* The connection is gone, or the request is over. */
	void (*gone)(struct exchange *x);
};

#endif
