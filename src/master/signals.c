#include "master/signals.h"

#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>

#include <event2/event.h>

#include "base/log.h"
#include "base/spawn.h"
#include "master/asker.h"
#include "master/change.h"
#include "master/master.h"
#include "master/notify.h"
#include "master/scale.h"
#include "master/settings.h"
#include "master/slot.h"

static const int list[] = {SIGTERM, SIGINT,  SIGQUIT, SIGHUP, SIGUSR2,
                           SIGUSR1, SIGTTIN, SIGTTOU, SIGCHLD};

#define COUNT (sizeof list / sizeof *list)

static struct event *watched[COUNT];
static size_t nwatched;

/* Who sent the last one of each, pid and uid in one word: 0 when the kernel does not tell. */
static _Atomic uint64_t senders[NSIG];
static void (*libevents)(int);

_Static_assert(ATOMIC_LLONG_LOCK_FREE == 2, "a handler may write it");

/* Around the handler of libevent, which is not told. */
static void
note_sender(int sig, siginfo_t *si, void *context)
{
	(void)context;
	senders[sig] = si->si_code <= 0 ? (uint64_t)(uint32_t)si->si_pid << 32 | si->si_uid : 0;
	libevents(sig);
}

static void
watch_sender(int sig)
{
	struct sigaction sa;

	sigaction(sig, NULL, &sa);
	if (sa.sa_flags & SA_SIGINFO)
		return;
	libevents = sa.sa_handler;
	sa.sa_flags |= SA_SIGINFO;
	sa.sa_sigaction = note_sender;
	sigaction(sig, &sa, NULL);
}

static struct asker
sender(int sig)
{
	uint64_t who = senders[sig];

	return (struct asker){
	    .how = ASKER_SIGNAL, .uid = (uid_t)who, .pid = (pid_t)(who >> 32)};
}

static void
on_signal(evutil_socket_t sig, short what, void *arg)
{
	struct asker by = sender((int)sig);
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
		watch_sender(list[i]);
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
