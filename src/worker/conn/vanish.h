/*
 * vanish: the end of connections whose peer is not there any more, and never said so.
 *
 * A silent peer is asked by the kernel (fd_keepalive).  It isn't while bytes are under way
 * to it: these are sent again, for a quarter of an hour and more.  TCP_USER_TIMEOUT would be
 * shorter, but it also ends a living peer that does not read for as long (its window is
 * closed, and it answers each probe).  So connections are looked at here, in pieces: one
 * whose peer has been asked several times, and has acknowledged nothing for twice
 * `keepalive`, ends as if it had been reset.
 */
#ifndef BATON_WORKER_CONN_VANISH_H
#define BATON_WORKER_CONN_VANISH_H

#include <stdbool.h>
#include <stdint.h>

struct tcp_info;

void vanish_start(void);
void vanish_stop(void);

/* Is the peer of such a connection gone?  keepalive_ms 0: it never is. */
bool vanish_is_sure(const struct tcp_info *info, int64_t keepalive_ms);

#endif
