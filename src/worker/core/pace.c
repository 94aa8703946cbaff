#include "worker/core/pace.h"

#include <event2/event.h>
#include <event2/event_struct.h>

#include "base/clock.h"
#include "worker/core/self.h"

#define LOOK_EVERY 16 /* things done between two looks at the clock */

static struct {
	struct event turn_ends; /* behind all that is ready now */
	bool measured;          /* it is set: this turn has begun before until_us */
	bool over;
	uint64_t until_us;
	unsigned done; /* since the last look */
} pc;

static void
on_turn_ends(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	(void)arg;
	pc.measured = pc.over = false;
	pc.done = 0;
}

void
pace_start(struct event_base *base)
{
	evtimer_assign(&pc.turn_ends, base, on_turn_ends, NULL);
}

void
pace_stop(void)
{
	event_del(&pc.turn_ends);
}

/* The turn is measured from the first look in it; what has been done before is little. */
void
pace_look(void)
{
	uint64_t now = clock_us();

	pc.done = 0;
	self_progress();
	if (pc.measured) {
		pc.over = now >= pc.until_us;
		return;
	}
	pc.measured = true;
	pc.until_us = now + PACE_US;
	event_active(&pc.turn_ends, EV_TIMEOUT, 0);
}

void
pace_count(void)
{
	if (++pc.done == LOOK_EVERY)
		pace_look();
}

bool
pace_is_over(void)
{
	return pc.over;
}

bool
pace_is_enough(uint64_t start_us)
{
	self_progress();
	return clock_us() - start_us >= PACE_US;
}
