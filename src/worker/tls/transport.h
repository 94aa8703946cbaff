/*
 * transport: what stands between the socket of a connection and its service where the listener
 * speaks TLS: the handshake, then records, opened and sealed.  It knows no connection.
 *
 * A socket is read here by what its service asks for, and written by what it gives; bytes that
 * are sealed and not sent yet are kept, as they can't be sealed a second time.
 */
#ifndef BATON_WORKER_TLS_TRANSPORT_H
#define BATON_WORKER_TLS_TRANSPORT_H

#include <sys/types.h>
#include <sys/uio.h>

#include <stdbool.h>
#include <stdint.h>

#include "worker/core/timelist.h"

struct facts;
struct handoff_record;
struct tls_suite;
struct transport;

/* Results below 0 of all that moves bytes; as conn.h has them. */
#define TRANSPORT_AGAIN (-1)
#define TRANSPORT_ERROR (-2)

/* Of a new connection.  owner: whose handshake has its limit in transport_limit. */
struct transport *transport_new(uint32_t listener, void *owner);

/* Its keys are cleansed.  *t may be NULL. */
void transport_free(struct transport **t);

/* --- the handshake --- */

/* It is not over yet. */
bool transport_shakes(const struct transport *t);

/* The limit of the handshake, and whom transport_new was told of. */
struct timed *transport_limit(struct transport *t);
void *transport_owner(struct timed *limit);

/* What is left of it, ms, for when it goes on; UINT64_MAX: all. */
uint64_t *transport_left(struct transport *t);

/* A record was fed. */
bool transport_has_begun(const struct transport *t);

/* The owner of the oldest one that has begun, and is not over.  There is one. */
void *transport_oldest_shaking(void);

/* How many of all have begun, and are not over: each holds some 46 kB of OpenSSL's. */
unsigned transport_shaking(void);

/* Read what has come, and answer.  1: it is over; 0: not yet; -1: it has failed, and
 * transport_why tells. */
int transport_shake(struct transport *t, int fd);

/* It is over, and went on with a session from before. */
bool transport_resumed(const struct transport *t);

/* A handshake that is not over will not be: it has no limit, and OpenSSL's part is freed. */
void transport_give_up(struct transport *t);

/* Why it is broken: valid as long as the transport; NULL: it isn't. */
const char *transport_why(const struct transport *t);

/* Has the client spoken HTTP in clear? */
bool transport_met_http(const struct transport *t);

/* --- bytes --- */

/* > 0: so many; 0: the client has said all; TRANSPORT_AGAIN, TRANSPORT_ERROR. */
ssize_t transport_read(struct transport *t, int fd, void *buf, size_t len);

/* >= 0: so many were taken, and are sent or kept. */
ssize_t transport_write(struct transport *t, int fd, const struct iovec *iov, int n, bool more);
ssize_t transport_sendfile(struct transport *t, int fd, int file, off_t *offset, size_t len);

/* Something can be read that the socket does not tell of. */
bool transport_has_input(const struct transport *t);

/* All is said (transport_end), and some of it waits for the socket to take it. */
bool transport_ends(const struct transport *t);

/* A part of a record has come. */
bool transport_is_amid_record(const struct transport *t);

/* Something waits for the socket to take it. */
bool transport_has_unsent(const struct transport *t);

/* Send that.  0: nothing is left, or the socket takes no more; -1: it is broken. */
int transport_flush(struct transport *t, int fd);

/* Say that all is said; the socket is half-closed when it has taken it.  -1: it is broken. */
int transport_end(struct transport *t, int fd);

/* --- facts --- */

const struct tls_suite *transport_suite(const struct transport *t);

/* NULL: none. */
const struct facts *transport_facts(const struct transport *t);

/* --- moving --- */

/* Into the record.  False: it can't move now.  Changes nothing.  r->tls is a buffer of ours,
 * which the caller cleanses. */
bool transport_freeze(const struct transport *t, struct handoff_record *r);

/* From a record, which has a `tls`; *t is set.  NULL, or why not: a literal. */
const char *transport_thaw(struct transport **t, uint32_t listener, void *owner,
                           const struct handoff_record *r);

#endif
