#include "worker/accept.h"

#include <sys/queue.h>
#include <sys/resource.h>
#include <sys/socket.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <event2/event.h>
#include <event2/event_struct.h>

#include "base/clock.h"
#include "base/fd.h"
#include "base/log.h"
#include "base/mem.h"
#include "conf/conf.h"
#include "worker/conn.h"
#include "worker/waitgroup.h"
#include "worker/worker.h"

#define BATCH        64  /* accepts per wake: one socket does not hog the loop */
#define GROW_AFTER   16  /* wakes in a row that used up the batch: the queue is longer */
#define PAUSE_MS     100 /* after EMFILE and the like */
#define LOG_EVERY_MS 1000
#define FD_HEADROOM  48 /* descriptors that are not connections or listeners */

struct socket {
	TAILQ_ENTRY(socket) link;
	uint32_t id;
	uint32_t listener;
	int fd;
	bool wanted;   /* named by the last ACCEPT */
	bool polled;   /* ev is added */
	bool sweeping; /* to be closed at the first EAGAIN */
	int batch;     /* accepts per wake, 1 to BATCH: an accept in vain costs, too */
	int full;      /* wakes in a row that used it up */
	struct event ev;
};

static struct {
	TAILQ_HEAD(, socket) sockets;
	size_t n;
	uint64_t max_connections; /* as configured */
	uint64_t limit;           /* as RLIMIT_NOFILE allows */
	bool paused;              /* for want of descriptors or connections */
	struct event resume;
	struct event again; /* sweeps go on */
	uint64_t logged_ms;
	void (*swept)(void); /* NULL: no sweep */
} ac;

/* One with an upstream has two descriptors. */
static uint64_t
descriptors_each(void)
{
	const struct conf *conf = worker_conf();

	for (size_t i = 0; i < conf->nservice; i++)
		if (conf->service[i].nupstream > 0)
			return 2;
	return 1;
}

static void
find_limit(void)
{
	struct rlimit rl;
	uint64_t headroom = FD_HEADROOM + ac.n;

	if (getrlimit(RLIMIT_NOFILE, &rl) < 0)
		rl.rlim_cur = 1024;
	ac.limit = rl.rlim_cur > headroom ? (rl.rlim_cur - headroom) / descriptors_each() : 1;
	if (ac.max_connections != 0 && ac.max_connections < ac.limit)
		ac.limit = ac.max_connections;
}

/* What should be polled is, what should not is not. */
static void
converge(struct socket *s)
{
	bool want = (s->wanted || s->sweeping) && !ac.paused;

	if (want == s->polled)
		return;
	if (want)
		event_add(&s->ev, NULL);
	else
		event_del(&s->ev);
	s->polled = want;
}

static void
converge_all(void)
{
	struct socket *s;

	TAILQ_FOREACH (s, &ac.sockets, link)
		converge(s);
}

/* The descriptor stays armed in our epoll set while other processes hold
 * copies: it is taken out before the close. */
static void
drop(struct socket *s)
{
	s->wanted = s->sweeping = false;
	converge(s);
	TAILQ_REMOVE(&ac.sockets, s, link);
	ac.n--;
	fd_close(&s->fd);
	free(s);
}

static void
finish_sweep(void)
{
	void (*swept)(void) = ac.swept;
	struct socket *s;

	if (swept == NULL)
		return;
	TAILQ_FOREACH (s, &ac.sockets, link)
		if (s->sweeping)
			return;
	ac.swept = NULL;
	swept();
}

static void
pause_accepting(const char *why, bool timed)
{
	struct timeval tv = {.tv_usec = PAUSE_MS * 1000};
	uint64_t now = clock_tick_ms();

	if (ac.logged_ms == 0 || now - ac.logged_ms >= LOG_EVERY_MS) {
		log_warn("accepting pauses: %s", why);
		ac.logged_ms = now;
	}
	ac.paused = true;
	converge_all();
	if (timed)
		event_add(&ac.resume, &tv);
}

/* An empty queue never wakes a sweep. */
static void
wake_sweeps(void)
{
	struct socket *s;

	TAILQ_FOREACH (s, &ac.sockets, link)
		if (s->sweeping)
			event_active(&s->ev, EV_READ, 0);
}

static void
unpause(void)
{
	ac.paused = false;
	event_del(&ac.resume);
	converge_all();
	wake_sweeps();
}

static void
on_resume(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	(void)arg;
	unpause();
}

bool
accept_full(void)
{
	return waitgroup_count() >= ac.limit;
}

enum accepted { ACCEPTED, QUEUE_EMPTY, PAUSED };

static enum accepted
accept_one(struct socket *s)
{
	int fd;

	if (accept_full())
		find_limit(); /* it may have been raised */
	if (accept_full()) {
		pause_accepting("the worker holds as many connections as it may", false);
		return PAUSED;
	}
	fd = accept4(s->fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
	if (fd >= 0) {
		conn_open(fd, s->listener);
		return ACCEPTED;
	}
	switch (errno) {
	case EAGAIN:
		return QUEUE_EMPTY;
	case EMFILE:
	case ENFILE:
	case ENOBUFS:
	case ENOMEM:
		pause_accepting(strerror(errno), true);
		return PAUSED;
	default:
		return ACCEPTED; /* ECONNABORTED and its like: about that client only */
	}
}

/* A queue that keeps filling its batch gets a larger one; an accept in vain, the
 * price of each wake otherwise, makes it small again. */
static void
adapt(struct socket *s, int accepted)
{
	if (accepted < s->batch) {
		s->batch = accepted > 0 ? accepted : 1;
		s->full = 0;
	} else if (s->batch < BATCH && ++s->full == GROW_AFTER) {
		s->batch *= 2;
		s->full = 0;
	}
}

/* In the next turn of the loop: others come first. */
static void
look_again(void)
{
	static const struct timeval next_turn;

	event_add(&ac.again, &next_turn);
}

static void
on_again(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	(void)arg;
	wake_sweeps();
}

static void
on_acceptable(evutil_socket_t fd, short what, void *arg)
{
	struct socket *s = arg;
	int n = 0, max = s->sweeping ? BATCH : s->batch;
	enum accepted last = ACCEPTED;

	(void)fd;
	(void)what;
	while (n < max && (last = accept_one(s)) == ACCEPTED)
		n++;
	if (!s->sweeping) {
		adapt(s, n);
	} else if (last == QUEUE_EMPTY) {
		drop(s);
		finish_sweep();
	} else if (last == ACCEPTED) {
		look_again(); /* the queue may be empty now, and silent */
	}
}

void
accept_start(uint64_t max_connections)
{
	TAILQ_INIT(&ac.sockets);
	ac.max_connections = max_connections;
	find_limit();
	evtimer_assign(&ac.resume, worker_base(), on_resume, NULL);
	evtimer_assign(&ac.again, worker_base(), on_again, NULL);
}

void
accept_stop(void)
{
	accept_close_all();
	event_del(&ac.resume);
	event_del(&ac.again);
}

static struct socket *
find(uint32_t id)
{
	struct socket *s;

	TAILQ_FOREACH (s, &ac.sockets, link)
		if (s->id == id)
			return s;
	return NULL;
}

void
accept_give(struct msg *m)
{
	const struct msg_socket *ms = m->data;

	for (size_t i = 0; i < m->nfd; i++) {
		struct socket *s = find(ms[i].id);

		if (s != NULL || worker_service(ms[i].listener) == NULL)
			continue;
		s = mem_alloc(sizeof *s);
		s->id = ms[i].id;
		s->listener = ms[i].listener;
		s->batch = 1;
		s->fd = m->fd[i];
		m->fd[i] = -1;
		event_assign(&s->ev, worker_base(), s->fd, EV_READ | EV_PERSIST, on_acceptable,
		             s);
		TAILQ_INSERT_TAIL(&ac.sockets, s, link);
		ac.n++;
	}
	find_limit();
}

void
accept_list(const uint32_t *id, size_t n)
{
	struct socket *s, *next;

	TAILQ_FOREACH (s, &ac.sockets, link)
		s->wanted = s->sweeping = false;
	ac.swept = NULL;
	for (size_t i = 0; i < n; i++) {
		if ((s = find(id[i])) != NULL)
			s->wanted = true;
		else
			log_error("told to accept on socket %u, which was not given", id[i]);
	}
	for (s = TAILQ_FIRST(&ac.sockets); s != NULL; s = next) {
		next = TAILQ_NEXT(s, link);
		if (!s->wanted)
			drop(s);
	}
	converge_all();
}

void
accept_sweep(void (*done)(void))
{
	struct socket *s;

	ac.swept = done;
	TAILQ_FOREACH (s, &ac.sockets, link) {
		s->sweeping = true;
		converge(s);
		event_active(&s->ev, EV_READ, 0); /* an empty queue never wakes us */
	}
	finish_sweep();
}

void
accept_unsweep(void)
{
	struct socket *s;

	ac.swept = NULL;
	TAILQ_FOREACH (s, &ac.sockets, link)
		s->sweeping = false;
	converge_all();
}

bool
accept_sweeping(void)
{
	return ac.swept != NULL;
}

void
accept_close_all(void)
{
	struct socket *s;

	while ((s = TAILQ_FIRST(&ac.sockets)) != NULL)
		drop(s);
	finish_sweep();
}

void
accept_relief(void)
{
	if (ac.paused)
		unpause();
}
