#include "master/core/env.h"

#include <event2/event.h>

struct env env;

static struct event *converge;

void
env_converge(void)
{
	event_active(converge, EV_TIMEOUT, 0);
}

void
env_on_converge(struct event *ev)
{
	converge = ev;
}
