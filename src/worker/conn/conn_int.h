/*
 * conn_int: what the files of conn.h share: conn_list.c (all there are), conn_io.c (bytes),
 * conn_place.c (the list on which one stands), conn_end.c (ends), and above them conn.c (a
 * connection's life in the loop).
 */
#ifndef BATON_WORKER_CONN_CONN_INT_H
#define BATON_WORKER_CONN_CONN_INT_H

#include <stdatomic.h>
#include <stdint.h>

#include <event2/event.h>

#include "wire/stats.h"
#include "worker/conn/conn.h"
#include "worker/core/self.h"

/* For the master, if the loop stands still. */
static inline void
conn_doing(uint64_t id, uint32_t listener)
{
	struct stats_page *page = self_page();

	atomic_store_explicit(&page->doing_listener, listener, memory_order_relaxed);
	atomic_store_explicit(&page->doing, id, memory_order_relaxed);
}

/* --- conn_list.c --- */

void conn_list_start(void);
void conn_list_stop(void);

/* One more, whose events go to on_event.  It is not in the loop. */
struct conn *conn_new(int fd, uint32_t listener, event_callback_fn on_event);

/* It is closed: it leaves the list, and its memory goes when the loop is at its top level. */
void conn_bury(struct conn *c);

/* --- conn_io.c --- */

/* It waits for what its service and its transport want. */
void conn_arm(struct conn *c);

/* Something can be read that the socket does not tell of: the loop tells instead. */
void conn_again(struct conn *c);

/* --- conn_tls.c --- */

void conn_tls_start(const struct conn_rules *rules);
void conn_tls_stop(void);

/* It was accepted: if its listener speaks TLS, its handshake begins. */
void conn_tls_open(struct conn *c);

/* Something has come for its transport.  What of it is for the service (EV_READ, EV_WRITE); 0:
 * nothing, or it has ended. */
short conn_tls_event(struct conn *c, short what);

/* The limit of a handshake that is not over, and none while it moves. */
void conn_tls_limit(struct conn *c);
void conn_tls_no_limit(struct conn *c);

/* --- conn_place.c --- */

/* let_go: finishes one for the sake of others, if it can be. */
typedef void conn_place_let_go(struct conn *c, const char *why);
void conn_place_start(const struct conn_rules *rules, conn_place_let_go *let_go);

/* It stands nowhere, whatever it waited for. */
void conn_place_leave(struct conn *c);

/* If it stands nowhere, and may be let go of: remembered in the order of its state's age. */
void conn_place_settle(struct conn *c);

/* It was accepted in this turn of the loop; and the first of those, or NULL. */
void conn_place_open(struct conn *c);
struct conn *conn_place_opening(void);

/* It has ended: its place is another's, if it was let go of for that. */
void conn_place_made_room(const struct conn *c);

/* --- conn_end.c --- */

void conn_end_start(const struct conn_rules *rules);
void conn_end_stop(void);

/* Half-closed: what still comes is thrown away, until the peer closes. */
void conn_linger_read(struct conn *c);

/* Its limit begins again. */
void conn_linger_again(struct conn *c);

/* A stop waits for first bytes for a moment only. */
void conn_look_for_silence(void);

#endif
