#include "worker/worker.h"

#include <sys/prctl.h>

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <event2/event.h>
#include <event2/event_struct.h>

#include "base/clock.h"
#include "base/fault.h"
#include "base/fd.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/process.h"
#include "base/spawn.h"
#include "base/title.h"
#include "conf/conf.h"
#include "conf/errors.h"
#include "tls/record.h"
#include "wire/chan.h"
#include "wire/figures.h"
#include "wire/stats.h"
#include "worker/access/access.h"
#include "worker/conn/accept.h"
#include "worker/conn/reserve.h"
#include "worker/conn/vanish.h"
#include "worker/core/self.h"
#include "worker/core/service.h"
#include "worker/core/waitgroup.h"
#include "worker/drain.h"
#include "worker/handoff/give.h"
#include "worker/handoff/take.h"
#include "worker/listing.h"
#include "worker/overdue.h"
#include "worker/runtime/runtime.h"
#include "worker/sandbox/confine.h"
#include "worker/sandbox/eyes.h"
#include "worker/sandbox/trust.h"
#include "worker/tls/context.h"
#include "worker/tls/shake.h"
#include "worker/tls/tickets.h"

#define LACK_MS      500
#define HEARTBEAT_MS 500

static struct {
	bool piped; /* the log is a pipe, and the master reads it */
	struct event heartbeat;
	struct event lack; /* time to ask again for what there was no room for */
	struct event *sigterm;
} w;

static void
count_dropped(uint64_t lines)
{
	stats_add(self.heritage->page, STATS_LOG_DROPPED, lines);
}

/* Read the keys, and close them. */
static int
take_keys(const struct heritage *h, char **cause)
{
	struct conf_errors errors = {.path = h->conf->path};

	shake_start();
	context_start(h->conf, h->tls, &errors);
	for (size_t i = 0; h->tls != NULL && i < conf_tls_files_of_all(h->conf); i++)
		if (h->tls[i] >= 0)
			close(h->tls[i]);
	if (errors.n == 0)
		return 0;
	*cause = conf_errors_join(&errors);
	conf_errors_free(&errors);
	return -1;
}

/* The parent's descriptors came along by fork: they are closed, and it is checked
 * that no other is left. */
static void
keep_heritage(const struct heritage *h)
{
	size_t n = 2, naccess = h->access != NULL ? h->conf->nlisten : 0;
	size_t ntls = h->tls != NULL ? conf_tls_files_of_all(h->conf) : 0;
	int *keep = mem_alloc((n + naccess + ntls) * sizeof *keep);
	int null = open("/dev/null", O_RDWR | O_CLOEXEC), foreign;

	stats_protect(h->stats, h->page); /* as long as its descriptor is there */
	if (null < 0 || dup2(null, STDIN_FILENO) < 0)
		log_fatal("cannot open /dev/null: %s", strerror(errno));
	w.piped = h->log >= 0;
	if (w.piped)
		log_set_fd(h->log, log_form());
	keep[0] = h->channel;
	keep[1] = log_fd();
	for (size_t i = 0; i < naccess; i++)
		if (h->access[i] >= 0)
			keep[n++] = h->access[i];
	for (size_t i = 0; i < ntls; i++)
		if (h->tls[i] >= 0)
			keep[n++] = h->tls[i];
	fd_close_except(keep, n);
	if (fd_count_foreign(keep, n, &foreign) != 0)
		log_panic("descriptor %d is not heritage", foreign);
	free(keep);
}

static void
on_sigterm(evutil_socket_t sig, short what, void *arg)
{
	(void)sig;
	(void)what;
	(void)arg;
	self_tell(MSG_LEAVING, NULL, 0);
}

/* Ignore signals that a terminal or `systemctl kill` sends to the whole group: the master
 * acts on them. */
static void
set_signals(void)
{
	static const int ignored[] = {SIGHUP,  SIGINT,  SIGQUIT, SIGUSR1,
	                              SIGUSR2, SIGTTIN, SIGTTOU, SIGPIPE};

	for (size_t i = 0; i < sizeof ignored / sizeof *ignored; i++)
		signal(ignored[i], SIG_IGN);
	w.sigterm = evsignal_new(self.base, SIGTERM, on_sigterm, NULL);
	if (w.sigterm == NULL || event_add(w.sigterm, NULL) < 0)
		log_fatal("cannot watch for SIGTERM");
	spawn_unblock_signals();
}

static void
take_log(struct msg *m)
{
	uint32_t form = log_form(); /* of a master that tells none */

	if (m->len == sizeof form)
		memcpy(&form, m->data, sizeof form);
	log_set_fd(m->fd[0], form);
	w.piped = false;
	m->fd[0] = -1;
}

static void
take_end(struct msg *m)
{
	const struct msg_peer *pair = m->data;

	if (pair->taker)
		take_pair(pair, m->fd[0]);
	else
		give_pair(pair, m->fd[0]);
	m->fd[0] = -1;
}

static void
accept_order(const struct msg *m)
{
	size_t n = m->len / sizeof(uint32_t);

	drain_resume();
	accept_list(m->data, n);
	self_page()->state = n > 0 ? STATS_ACTIVE : STATS_PAUSED;
}

static void
orphaned(void)
{
	uint64_t ms = (uint64_t)self.heritage->conf->drain.deadline;
	struct msg_drain order = {.deadline_ms = clock_ms() + ms,
	                          .cut_over_ms = (uint32_t)self.heritage->conf->drain.cut_over,
	                          .flags = MSG_DRAIN_SWEEP};

	AN(self.chan != NULL);
	if (w.piped)
		log_set_fd(STDERR_FILENO, log_form());
	log_warn("the master is gone: drain and leave");
	chan_free(&self.chan);
	listing_stop();
	if (!self_draining())
		drain_begin(&order);
}

/* There was no room for the descriptors of an order; in a moment there may be. */
static void
lacks(const struct msg *m)
{
	struct timeval tv = {.tv_usec = LACK_MS * 1000};

	log_warn("there is no room for the descriptors of '%s'", msg_name(m->type));
	event_add(&w.lack, &tv);
}

static void
on_message(struct chan *ch, struct msg *m, void *arg)
{
	(void)ch;
	(void)arg;
	if (m == NULL) {
		orphaned();
		return;
	}
	if (m->lost_fds) {
		lacks(m);
		return;
	}
	switch (m->type) {
	case MSG_SOCKETS:
		accept_give(m);
		break;
	case MSG_ACCEPT:
		accept_order(m);
		break;
	case MSG_LAME:
		self.lame = *(const uint32_t *)m->data != 0;
		break;
	case MSG_DRAIN:
		drain_begin(m->data);
		break;
	case MSG_RESUME:
		drain_resume();
		break;
	case MSG_CUT:
		drain_cut_now();
		break;
	case MSG_LOG:
		take_log(m);
		break;
	case MSG_ACCESS:
		access_reopen(m);
		break;
	case MSG_TICKETS:
		tickets_use(m->data, (unsigned)(m->len / sizeof(struct msg_ticket)));
		break;
	case MSG_PEER:
		take_end(m);
		break;
	case MSG_SUCCESSORS:
		give_aim(m->data, m->len / sizeof(uint64_t));
		break;
	case MSG_LIST:
		listing_begin(m);
		break;
	default:
		log_warn("message '%s' is not for a worker; dropped", msg_name(m->type));
	}
}

static void
on_lack(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	(void)arg;
	self_tell(MSG_NO_FDS, NULL, 0);
}

static void
on_heartbeat(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	(void)arg;
	self.heritage->page->heartbeat_ms = clock_ms();
	log_tell_dropped();
}

static void
conn_ends(struct conn *c)
{
	give_ended(c);
	if (c->life == CONN_HELD)
		take_forget(c);
}

static const struct conn_rules conn_rules = {.took = reserve_take,
                                             .ends = conn_ends,
                                             .ended = accept_relief,
                                             .rests = accept_retry,
                                             .ends_here = conn_ends_here,
                                             .may_move = give_look};

static void
start_heartbeat(void)
{
	struct timeval tv = {.tv_usec = HEARTBEAT_MS * 1000};

	event_assign(&w.heartbeat, self.base, -1, EV_PERSIST, on_heartbeat, NULL);
	event_add(&w.heartbeat, &tv);
	on_heartbeat(-1, 0, NULL);
}

/* Look at the files first: errors of start have no line. */
static int
see_files(char **cause)
{
	const struct conf *conf = self.heritage->conf;
	struct conf_errors errors = {.path = conf->path};

	for (size_t i = 0; i < conf->nservice; i++)
		eyes_look(conf, i, &errors);
	if (errors.n == 0)
		return 0;
	*cause = conf_errors_join(&errors);
	conf_errors_free(&errors);
	return -1;
}

static int
start_services(char **cause)
{
	const struct conf *conf = self.heritage->conf;

	self.service = mem_alloc(conf->nservice * sizeof *self.service);
	for (size_t i = 0; i < conf->nservice; i++) {
		struct service *s = &self.service[i];
		char *why = NULL;

		s->conf = &conf->service[i];
		s->type = service_type_find(s->conf->type);
		AN(s->type != NULL);
		s->base = self.base;
		if (s->type->start == NULL || s->type->start(s, &why) == 0)
			continue;
		cause_set(cause, "[service:%s]: %s", s->conf->name, why);
		free(why);
		return -1;
	}
	return 0;
}

static void
stop_services(void)
{
	for (size_t i = 0; i < self.heritage->conf->nservice; i++)
		if (self.service[i].type->stop != NULL)
			self.service[i].type->stop(&self.service[i]);
	free(self.service);
}

static struct event_base *
new_base(void)
{
	struct event_config *config = event_config_new();
	struct event_base *base;

	event_config_set_flag(config, EVENT_BASE_FLAG_NOLOCK);
	base = event_base_new_with_config(config);
	event_config_free(config);
	if (base == NULL)
		log_fatal("cannot make an event loop");
	return base;
}

/* The master tells it, once, of however many workers; but not what a message has no room for.
 */
static void
say_failed(const char *cause)
{
	size_t len = strlen(cause), told = len < MSG_TEXT_MAX ? len : MSG_TEXT_MAX;

	if (told < len)
		log_error("%s", cause);
	self_tell(MSG_FAILED, cause, told);
	chan_flush(self.chan, 1000);
}

static void
start(const struct heritage *h)
{
	char *cause = NULL;

	self.heritage = h;
	log_set_worker(h->generation, h->slot, h->birth);
	log_set_counter(count_dropped);
	prctl(PR_SET_NAME, "baton-worker");
	title_set("baton: worker %u, generation %u", h->slot, h->generation);
	h->page->started = process_started(getpid()); /* nobody else may look it up */
	keep_heritage(h);
	spawn_scrub_environment();
	self.base = new_base();
	set_signals();
	self.chan = chan_new(self.base, h->channel, on_message, NULL);
	if (take_keys(h, &cause) < 0 || confine_user(h, &cause) < 0) {
		say_failed(cause);
		_exit(1);
	}
	waitgroup_start(self.base, h->page);
	access_start(self.base, h);
	conn_start(self.base, &conn_rules);
	accept_start((uint64_t)h->conf->server.max_connections);
	drain_start();
	give_start();
	take_start();
	listing_start();
	overdue_start();
	vanish_start();
	trust_start(self.heritage->conf);
	start_heartbeat();
	evtimer_assign(&w.lack, self.base, on_lack, NULL);
}

/* A task that ignores its end runs in a thread of its module: nothing that it may use
 * can be taken down. */
static _Noreturn void
leave_at_once(void)
{
	chan_free(&self.chan);
	_exit(0);
}

static void
stop(void)
{
	listing_stop();
	overdue_stop();
	vanish_stop();
	trust_stop();
	accept_close_all();
	give_stop();
	conn_stop();
	accept_stop();
	take_stop();
	drain_stop();
	access_stop();
	if (!runtime_stop())
		leave_at_once();
	stop_services();
	runtime_free();
	context_stop();
	tls_record_stop();
	chan_free(&self.chan);
	event_free(w.sigterm);
	event_del(&w.heartbeat);
	event_del(&w.lack);
	event_base_free(self.base);
}

int
worker_main(const struct heritage *heritage)
{
	char *cause = NULL;

	start(heritage);
	FAULT("worker-start");
	if (see_files(&cause) < 0 || confine_reach(heritage->conf, &cause) < 0 ||
	    start_services(&cause) < 0 || confine_calls(heritage->conf, &cause) < 0) {
		say_failed(cause);
		free(cause);
		return 1;
	}
	FAULT("worker-ready");
	self_page()->state = STATS_READY;
	if (self_slot() == 0)
		context_tell();
	self_tell(MSG_READY, NULL, 0);
	event_base_dispatch(self.base);
	stop();
	return 0;
}
