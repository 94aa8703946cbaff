#include "master/signals.h"

#include <signal.h>
#include <stdlib.h>

#include <event2/event.h>

#include "base/log.h"
#include "base/spawn.h"
#include "master/change.h"
#include "master/master.h"
#include "master/notify.h"
#include "master/scale.h"
#include "master/slot.h"

static const int list[] = {SIGTERM, SIGINT,  SIGQUIT, SIGHUP, SIGUSR2,
                           SIGUSR1, SIGTTIN, SIGTTOU, SIGCHLD};

#define COUNT (sizeof list / sizeof *list)

static struct event *watched[COUNT];
static size_t nwatched;

static void
on_signal(evutil_socket_t sig, short what, void *arg)
{
	char *cause = NULL;

	(void)what;
	(void)arg;
	switch (sig) {
	case SIGTERM:
	case SIGINT:
	case SIGQUIT:
		master_stop(false);
		notify_stopping();
		break;
	case SIGHUP:
		change_request(CHANGE_RELOAD, NULL, false, NULL);
		break;
	case SIGUSR2:
		change_request(CHANGE_UPGRADE, NULL, false, NULL);
		break;
	case SIGUSR1:
		master_reopen_log(&cause);
		free(cause);
		break;
	case SIGTTIN:
		scale_step(1);
		break;
	case SIGTTOU:
		scale_step(-1);
		break;
	case SIGCHLD:
		slot_reap();
		break;
	default:
		break;
	}
}

void
signals_start(void)
{
	signal(SIGPIPE, SIG_IGN);
	for (size_t i = 0; i < COUNT; i++) {
		struct event *ev = evsignal_new(master.base, list[i], on_signal, NULL);

		if (ev == NULL || event_add(ev, NULL) < 0)
			log_fatal("cannot watch for signal %d", list[i]);
		watched[nwatched++] = ev;
	}
	spawn_unblock_signals();
}

void
signals_stop(void)
{
	while (nwatched > 0)
		event_free(watched[--nwatched]);
}
