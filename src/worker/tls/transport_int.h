/* transport_int: what the files of transport.h share: transport_io.c (bytes), and above it
 * transport.c (the handshake, moving). */
#ifndef BATON_WORKER_TLS_TRANSPORT_INT_H
#define BATON_WORKER_TLS_TRANSPORT_INT_H

#include <sys/queue.h>

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "tls/record.h"
#include "tls/state.h"
#include "worker/tls/transport.h"

#define WORK_MAX (TLS_RECORD_MAX + 64 * 1024)

/* Until the handshake is over. */
struct shaking {
	TAILQ_ENTRY(shaking) link; /* of those that have begun, the oldest first */
	uint64_t left_ms;
	struct timed limit;
	void *owner;
	uint32_t listener;
	struct shake *shake; /* NULL: no record was fed */
};

/* That wait for somebody. */
struct bytes {
	uint8_t *p;
	uint32_t from, to;
};

struct transport {
	struct tls_state state;
	struct shaking *shaking;
	struct facts *facts;
	const char *why; /* it is broken; a literal, or whyown */
	char *whyown;
	struct bytes in;    /* come, and not opened yet */
	struct bytes plain; /* opened, and not read yet */
	struct bytes out;   /* sealed, and not sent yet */
	bool narrow : 1;    /* the socket has taken less than was sealed at once */
	bool ends : 1;      /* when `out` is sent the socket is half-closed */
	bool ended : 1;     /* it is */
	bool http : 1;
	bool end_told : 1; /* its service has heard of the end, or of what is broken */
	bool resumed : 1;  /* its session is one from before */
};

/* What is read from a socket, before it is opened. */
extern uint8_t transport_work[WORK_MAX];

size_t bytes_left(const struct bytes *b);

/* What they were is cleansed: it may have been in clear. */
void bytes_drop(struct bytes *b);

/* Copies, where nothing waits, and behind what waits. */
void bytes_keep(struct bytes *b, const void *bytes, size_t n);
void bytes_add(struct bytes *b, const void *bytes, size_t n);

/* It goes on no more; why: a literal, or what the transport owns.  -1. */
int transport_broken(struct transport *t, const char *why);

/* Of errno. */
bool transport_would_block(void);

/* Send what is sealed, or keep it, behind what waits already.  0, or -1: it is broken. */
int transport_put(struct transport *t, int fd, const void *bytes, size_t n, bool more);

#endif
