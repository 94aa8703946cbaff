/*
 * accessline: one line of an access log.  Pure.
 *
 * combined: CLIENT - - [TIME] "METHOD TARGET VERSION" STATUS BODY_OUT "REFERER" "AGENT"
 *           LISTENER SERVICE BYTES_IN MILLISECONDS UPSTREAM PORT "FAULT"
 *           (CLIENT: an address; PORT: the peer's; where TLS is spoken, then
 *           TLS SUITE "SUBJECT" FINGERPRINT: of the client's certificate)
 * json:     an object with the same by their names
 *
 * What is not there is "-", or null.  Whatever a client sends, a line stays one line of
 * printable characters; what is very long is cut.
 */
#ifndef BATON_WORKER_ACCESS_ACCESSLINE_H
#define BATON_WORKER_ACCESS_ACCESSLINE_H

#include <stddef.h>
#include <stdint.h>
#include <time.h>

#define ACCESSLINE_MAX 4000 /* bytes; less than PIPE_BUF: a FIFO takes a line in one piece */

/* p NULL: it is not there. */
struct accessline_text {
	const char *p;
	size_t n;
};

/* A second, in both forms: made once and used by all lines of it. */
struct accessline_time {
	time_t of;
	char combined[40];
	char json[40]; /* up to the second's fraction */
};

struct accessline {
	const struct accessline_time *time;
	unsigned ms;        /* of the second */
	const char *peer;   /* with its port; NULL: not known */
	const char *client; /* of whom a trusted peer tells; NULL: it is the peer */
	const char *listener;
	const char *service;
	const char *upstream; /* NULL: none */
	const char *fault;    /* of the upstream; NULL: none */
	const char *tls;      /* "TLSv1.3"; NULL: in clear */
	const char *suite;
	struct accessline_text subject;     /* of the client's certificate */
	struct accessline_text fingerprint; /* of it: 32 bytes */
	struct accessline_text method;      /* of a connection without requests: none */
	struct accessline_text target;
	struct accessline_text referer;
	struct accessline_text agent;
	const char *version; /* "HTTP/1.1"; NULL */
	int status;          /* 0: none was sent */
	uint64_t bytes_in, bytes_out;
	uint64_t body_out; /* of bytes_out: without heads */
	uint64_t us;       /* how long it took */
};

/* Make *t say sec. */
void accessline_set_time(struct accessline_time *t, time_t sec);

/* Into buf, which holds ACCESSLINE_MAX bytes; the length, with the line feed. */
size_t accessline_combined(const struct accessline *l, char *buf);
size_t accessline_json(const struct accessline *l, char *buf);

#endif
