/*
 * vanish: the end of connections whose peer is not there any more, and never said so.
 *
 * A silent peer is asked by the kernel (fd_keepalive).  It isn't while bytes are under way
 * to it: these are sent again, for a quarter of an hour and more.  TCP_USER_TIMEOUT would be
 * shorter, but it also ends a living peer that does not read for as long (its window is
 * closed, and it answers each probe).  So connections are looked at here, in pieces: one
 * whose peer has been asked several times, and has acknowledged nothing for twice
 * `keepalive`, ends as if it had been reset if the next look finds the same.  One look is
 * not enough: after a pause of the whole machine it can come before the answer is read.
 */
#ifndef BATON_WORKER_CONN_VANISH_H
#define BATON_WORKER_CONN_VANISH_H

#include <stdbool.h>
#include <stdint.h>

struct tcp_info;

void vanish_start(void);
void vanish_stop(void);

/* Doesn't the peer of such a connection answer?  keepalive_ms 0: nobody wants to know. */
bool vanish_is_silent(const struct tcp_info *info, int64_t keepalive_ms);

/* It is silent now, or isn't: has it vanished?  *silent: a bit for each side, what the look
 * before has found. */
bool vanish_is_sure(uint8_t *silent, uint8_t side, bool now);

#endif
