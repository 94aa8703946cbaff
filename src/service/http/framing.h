/*
 * framing: what reads requests and writes answers, below the responders: HTTP/1 is one.
 *
 * A responder says an answer's status, its fields, how its body ends, and its bytes; what of
 * what is read belongs to the request's body, and how an answer looks on the wire, is its
 * framing's to know.  So another framing is another table, and no responder notices.
 */
#ifndef BATON_SERVICE_HTTP_FRAMING_H
#define BATON_SERVICE_HTTP_FRAMING_H

#include <sys/types.h>
#include <sys/uio.h>

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct conn;
struct exchange;
struct http;
struct piece;
struct request_text;
struct upstream_head;

/* How the body of an answer ends. */
enum framing_body {
	FRAMING_NO_BODY, /* there is none, and no word of its length */
	FRAMING_LENGTH,  /* after so many bytes */
	FRAMING_PIECES,  /* with a last piece */
};

/* What has come of a request's body. */
enum framing_taken {
	FRAMING_MORE,     /* and more is to come */
	FRAMING_WHOLE,    /* its end, too */
	FRAMING_BAD,      /* what is no body */
	FRAMING_TOO_LONG, /* more than max_body */
};

struct framing_part {
	size_t n;             /* bytes of the body */
	const char *trailers; /* bytes of its trailers; until more is read */
	size_t ntrailers;
};

struct framing {
	/* Something was said about the request of c; from the loop's top level. */
	void (*go_on)(struct conn *c);

	/* --- requests --- */

	/* The first bytes that are unread, most at most, into to, which may be where they
	 * stand: what of them is the body's. */
	enum framing_taken (*take)(struct exchange *x, size_t most, char *to,
	                           struct framing_part *part);

	/* Is more of the request read for now? */
	void (*hear)(struct exchange *x, bool more);

	/* The bytes of "100 Continue". */
	const struct request_text *(*go_ahead)(void);

	/* --- answers of our own --- */

	/* Begin a head in x->text: its length so far.  Then fields are added (respond_field).
	 */
	size_t (*begin)(struct exchange *x, int status, enum framing_body body);

	/* The head is whole: its length.  n: of the body (FRAMING_LENGTH). */
	size_t (*end)(struct exchange *x, size_t len, enum framing_body body, uint64_t n);

	/* An answer that is its status, in x->text, with its body: its length. */
	size_t (*error)(struct exchange *x, int status);

	/* The text of a service (`respond`) becomes what is to be sent; made once, and freed.
	 */
	void (*constant)(struct exchange *x);
	void (*prepare)(struct http *h);
	void (*forget)(struct http *h);

	/* What is to be sent next of a body in pieces: bytes, until they are sent; its end. */
	void (*piece)(struct exchange *x, const char *bytes, size_t n);
	void (*last)(struct exchange *x);

	/* --- answers of upstreams --- */

	/* A head of an upstream's goes on, in h->scratch: its length; 0: it grows too long. */
	size_t (*pass_head)(struct exchange *x, const char *head, size_t len,
	                    const struct upstream_head *r, enum framing_body body);

	/* Does the client read chunks, so that they go on as they come? */
	bool (*passes_chunks)(const struct exchange *x);

	/* Bytes of a body in pieces; and its end, with n bytes of trailers. */
	void (*pass_piece)(const struct exchange *x, struct piece *p, const char *bytes,
	                   size_t n);
	void (*pass_last)(const struct exchange *x, struct piece *p, const char *trailers,
	                  size_t n);

	/* --- the connection, as far as it is this request's --- */

	/* As conn_write. */
	ssize_t (*write)(struct exchange *x, const struct iovec *iov, int n);

	/* It is the responder's: told when there is EV_READ, EV_WRITE, both; or it is the
	 * framing's again. */
	void (*want)(struct exchange *x, short events);
	void (*give_back)(struct exchange *x);

	/* It ends here; amid an answer, so that this is not taken for its end; by force. */
	void (*close)(struct exchange *x, const char *why);
	void (*break_off)(struct exchange *x, const char *why);
	void (*cut)(struct exchange *x, const char *why);
};

#endif
