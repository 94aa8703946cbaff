#include "master/signals.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include <event2/event.h>

#include "base/fd.h"
#include "base/log.h"
#include "master/change/change.h"
#include "master/change/scale.h"
#include "master/change/settings.h"
#include "master/change/stop.h"
#include "master/control/requester.h"
#include "master/core/env.h"
#include "master/core/notify.h"
#include "master/verbs/dispatch.h"
#include "master/workers/slot.h"

static const int list[] = {SIGTERM, SIGINT,  SIGQUIT, SIGHUP, SIGUSR2,
                           SIGUSR1, SIGTTIN, SIGTTOU, SIGCHLD};

#define COUNT (sizeof list / sizeof *list)

/* Signals wait in the kernel until they are read: what comes just before an exec, or a crash,
 * waits for the next image.  A handler would have taken it with it. */
static struct event *watch;

static void
handle(const struct signalfd_siginfo *si)
{
	struct requester by = requester_sender(si);
	char *cause = NULL;

	switch ((int)si->ssi_signo) {
	case SIGTERM:
	case SIGINT:
	case SIGQUIT:
		stop_begin(false);
		notify_stopping();
		break;
	case SIGHUP:
		change_request(CHANGE_RELOAD, NULL, false, &by);
		break;
	case SIGUSR2:
		change_request(CHANGE_UPGRADE, NULL, false, &by);
		break;
	case SIGUSR1:
		settings_reopen_logs(&cause);
		free(cause);
		break;
	case SIGTTIN:
		scale_step(1);
		break;
	case SIGTTOU:
		scale_step(-1);
		break;
	case SIGCHLD:
		dispatch_reap();
		break;
	default:
		break;
	}
}

/* One at a time: what is read is ours alone, and to handle it may be to execute another image.
 */
static void
on_signals(evutil_socket_t fd, short what, void *arg)
{
	struct signalfd_siginfo si;

	(void)what;
	(void)arg;
	for (size_t i = 0; i < COUNT && read((int)fd, &si, sizeof si) == (ssize_t)sizeof si;
	     i++)
		handle(&si);
}

void
signals_start(void)
{
	sigset_t set;
	int fd;

	signal(SIGPIPE, SIG_IGN);
	sigemptyset(&set);
	for (size_t i = 0; i < COUNT; i++)
		sigaddset(&set, list[i]);
	fd = signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC);
	watch =
	    fd >= 0 ? event_new(env.base, fd, EV_READ | EV_PERSIST, on_signals, NULL) : NULL;
	if (watch == NULL || event_add(watch, NULL) < 0)
		log_fatal("cannot watch for signals: %s", strerror(errno));
	sigprocmask(SIG_SETMASK, &set, NULL);
}

void
signals_stop(void)
{
	int fd = event_get_fd(watch);

	event_free(watch);
	watch = NULL;
	fd_close(&fd);
}
