#include "worker/conn/accept_room.h"

#include <sys/resource.h>

#include "base/clock.h"
#include "conf/conf.h"
#include "worker/conn/accept.h"
#include "worker/conn/conn.h"
#include "worker/conn/reserve.h"
#include "worker/core/incoming.h"
#include "worker/core/self.h"
#include "worker/core/waitgroup.h"

#define FD_HEADROOM 48 /* descriptors that are not connections or listeners */
#define FEW         4  /* connections, which are not what there is no descriptor for */

static struct {
	uint64_t max_connections; /* as configured */
	uint64_t limit;           /* as RLIMIT_NOFILE allows */
	uint64_t incoming;        /* connections that others may hand to us */
	uint64_t incoming_ms;     /* when they were counted */
	uint32_t newcomer;        /* the listener for which there is no room */
} ar;

void
accept_room_start(uint64_t max_connections)
{
	ar.max_connections = max_connections;
}

void
accept_make_room_for(uint32_t listener)
{
	ar.newcomer = listener;
}

/* One with an upstream has two descriptors. */
static uint64_t
descriptors_each(void)
{
	const struct conf *conf = self_conf();

	for (size_t i = 0; i < conf->nservice; i++)
		if (conf->service[i].nupstream > 0)
			return 2;
	return 1;
}

void
accept_find_limit(size_t nsockets)
{
	struct rlimit rl;
	uint64_t headroom = FD_HEADROOM + nsockets;

	if (getrlimit(RLIMIT_NOFILE, &rl) < 0)
		rl.rlim_cur = 1024;
	ar.limit = rl.rlim_cur > headroom ? (rl.rlim_cur - headroom) / descriptors_each() : 1;
	if (ar.max_connections != 0 && ar.max_connections < ar.limit)
		ar.limit = ar.max_connections;
}

bool
accept_full(uint32_t listener)
{
	return !reserve_has(listener) && waitgroup_count() + reserve_kept(ar.limit) >= ar.limit;
}

/* Connections of other generations that may come by hand-off: they were there first.
 * Counted once per tick, as every accept asks. */
static uint64_t
incoming(void)
{
	uint64_t now = clock_tick_ms();

	if (!self_conf()->drain.handoff || self_draining())
		return 0;
	if (now != ar.incoming_ms)
		ar.incoming = incoming_count(self_stats(), self_page(), ar.limit);
	ar.incoming_ms = now;
	return ar.incoming;
}

bool
accept_has_no_room(uint32_t listener)
{
	return accept_full(listener) ||
	       (!reserve_has(listener) &&
	        waitgroup_count() + reserve_kept(ar.limit) + incoming() >= ar.limit);
}

/* Does its end leave room for the newcomer?  What is in reserve stays so. */
bool
accept_makes_room(const struct conn *c)
{
	return c->listener == ar.newcomer || reserve_is_exceeded(c->listener);
}

/* The same, of descriptors.  But where hardly any is a connection's, to close one for
 * another would go round and round. */
bool
accept_gives_descriptor(const struct conn *c)
{
	return accept_makes_room(c) && waitgroup_count() - waitgroup_tasks() > FEW;
}
