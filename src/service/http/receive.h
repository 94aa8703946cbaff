/*
 * receive: a request out of the bytes that have been read, its head and then its
 * body.
 *
 * Nothing is read from the socket and nothing waits here: each function takes what
 * it can of in[from..to).  A request that is whole is answered (respond), one that
 * never will be is refused.
 */
#ifndef BATON_SERVICE_HTTP_RECEIVE_H
#define BATON_SERVICE_HTTP_RECEIVE_H

#include <stdbool.h>
#include <stddef.h>

#include "service/http/framing.h"

struct conn;
struct exchange;

/* Before a head: empty lines mean nothing. */
void receive_empty_lines(struct exchange *x);

/* Has no byte of a request come that is more than an empty line, or half of one? */
bool receive_is_nothing(const struct exchange *x);

/* In PHASE_HEAD.  False: more bytes are needed; true: the phase is another. */
bool receive_head(struct conn *c, struct exchange *x);

/* In PHASE_BODY; otherwise like receive_head. */
bool receive_body(struct conn *c, struct exchange *x);

/* As struct framing has it. */
enum framing_taken receive_take(struct exchange *x, size_t most, char *to,
                                struct framing_part *part);

#endif
