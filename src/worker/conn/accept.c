#include "worker/conn/accept.h"

#include <sys/queue.h>
#include <sys/socket.h>

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <linux/tcp.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>

#include <event2/event.h>
#include <event2/event_struct.h>

#include "base/clock.h"
#include "base/fd.h"
#include "base/log.h"
#include "base/mem.h"
#include "worker/conn/accept_room.h"
#include "worker/conn/conn.h"
#include "worker/conn/reserve.h"
#include "worker/core/self.h"
#include "worker/core/turn.h"

#define BATCH        64  /* accepts per wake: one socket does not hog the loop */
#define GROW_AFTER   16  /* wakes in a row that used up the batch: the queue is longer */
#define PAUSE_MS     100 /* until the next attempt, unless there is room before */
#define LOG_EVERY_MS 1000

struct socket {
	TAILQ_ENTRY(socket) link;
	uint32_t id;
	uint32_t listener;
	int fd;
	bool wanted;   /* named by the last ACCEPT */
	bool polled;   /* ev is added */
	bool paused;   /* for want of room or of descriptors */
	bool sweeping; /* to be closed at the first EAGAIN */
	int batch;     /* accepts per wake, 1 to BATCH: an accept in vain costs, too */
	int full;      /* wakes in a row that used it up */
	struct event ev;
};

static struct {
	TAILQ_HEAD(, socket) sockets;
	size_t n;
	size_t npaused;
	struct event resume;
	struct event again; /* sweeps go on */
	uint64_t logged_ms;
	uint64_t let_go;     /* since they were logged */
	void (*swept)(void); /* NULL: no sweep */
} ac;

/* --- sockets --- */

/* Poll the socket if it should be polled, and only then. */
static void
converge(struct socket *s)
{
	bool want = (s->wanted || s->sweeping) && !s->paused;

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
	AN(ac.n > 0 && ac.npaused >= s->paused);
	ac.npaused -= s->paused;
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

	AN((ac.n == 0) == TAILQ_EMPTY(&ac.sockets));
	if (swept == NULL)
		return;
	TAILQ_FOREACH (s, &ac.sockets, link)
		if (s->sweeping)
			return;
	ac.swept = NULL;
	swept();
}

/* --- pauses --- */

static void
log_pause(const char *why)
{
	uint64_t now = clock_tick_ms();

	if (ac.logged_ms != 0 && now - ac.logged_ms < LOG_EVERY_MS)
		return;
	if (ac.let_go > 0)
		log_warn("accepting pauses: %s; %llu idle connections were closed to make room",
		         why, (unsigned long long)ac.let_go);
	else
		log_warn("accepting pauses: %s", why);
	ac.let_go = 0;
	ac.logged_ms = now;
}

/* The others have what comes free before it. */
static void
pause_socket(struct socket *s)
{
	static const struct timeval tv = {.tv_usec = PAUSE_MS * 1000};

	if (s->paused)
		return;
	s->paused = true;
	ac.npaused++;
	converge(s);
	TAILQ_REMOVE(&ac.sockets, s, link);
	TAILQ_INSERT_TAIL(&ac.sockets, s, link);
	if (!evtimer_pending(&ac.resume, NULL))
		event_add(&ac.resume, &tv);
}

/* An empty queue never wakes a sweep. */
static void
unpause(struct socket *s)
{
	AN(s->paused && ac.npaused > 0);
	s->paused = false;
	ac.npaused--;
	converge(s);
	if (s->sweeping)
		event_active(&s->ev, EV_READ, 0);
}

static void
on_resume(evutil_socket_t fd, short what, void *arg)
{
	struct socket *s;

	(void)fd;
	(void)what;
	(void)arg;
	TAILQ_FOREACH (s, &ac.sockets, link)
		if (s->paused)
			unpause(s);
}

void
accept_relief(uint32_t listener)
{
	struct socket *s;

	reserve_give_back(listener);
	if (ac.npaused == 0)
		return;
	TAILQ_FOREACH (s, &ac.sockets, link)
		if (s->paused && !accept_has_no_room(s->listener))
			unpause(s);
}

void
accept_retry(void)
{
	static const struct timeval next_turn;

	if (ac.npaused > 0)
		event_add(&ac.resume, &next_turn);
}

/* --- room --- */

/* How many wait, as far as the kernel tells. */
static size_t
backlog(const struct socket *s)
{
	struct tcp_info info = {0};
	socklen_t len = sizeof info;

	if (getsockopt(s->fd, IPPROTO_TCP, TCP_INFO, &info, &len) < 0 || info.tcpi_unacked == 0)
		return 1;
	return info.tcpi_unacked < BATCH ? info.tcpi_unacked : BATCH;
}

/* For as many as wait. */
static void
make_room(const struct socket *s, conn_filter *helps)
{
	accept_make_room_for(s->listener);
	ac.let_go += conn_make_room(backlog(s), helps);
}

static bool
somebody_waits(const struct socket *s)
{
	struct pollfd p = {.fd = s->fd, .events = POLLIN};

	return poll(&p, 1, 0) > 0;
}

enum accepted { ACCEPTED, QUEUE_EMPTY, PAUSED };

/* The kernel looks for a descriptor first, and then whether anybody waits.  To make room takes
 * a moment, in any case; a sweep lasts until there is some. */
static enum accepted
no_room(struct socket *s, const char *why, conn_filter *helps)
{
	if (somebody_waits(s))
		make_room(s, helps);
	else if (!s->sweeping)
		return QUEUE_EMPTY;
	log_pause(why);
	pause_socket(s);
	return PAUSED;
}

static int
take(struct socket *s)
{
	int fd = accept4(s->fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);

	if (fd >= 0 || errno != EMFILE || !reserve_has(s->listener) || !somebody_waits(s) ||
	    !reserve_free_descriptor(s->listener))
		return fd;
	return accept4(s->fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
}

static enum accepted
accept_one(struct socket *s)
{
	int fd;

	if (accept_has_no_room(s->listener))
		accept_find_limit(ac.n); /* it may have been raised */
	if (accept_has_no_room(s->listener))
		return no_room(s, "the worker holds as many connections as it may",
		               accept_makes_room);
	fd = take(s);
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
		return no_room(s, strerror(errno), accept_gives_descriptor);
	case EINVAL: /* somebody has shut it; the master looks for that */
		if (!s->sweeping)
			pause_socket(s);
		return s->sweeping ? QUEUE_EMPTY : PAUSED;
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
	struct socket *s;

	(void)fd;
	(void)what;
	(void)arg;
	TAILQ_FOREACH (s, &ac.sockets, link)
		if (s->sweeping && !s->paused)
			event_active(&s->ev, EV_READ, 0);
}

/* Where the loop comes round seldom, an accept in vain costs little. */
static int
batch_of(const struct socket *s)
{
	return s->sweeping || turn_count() > 0 ? BATCH : s->batch;
}

static void
on_acceptable(evutil_socket_t fd, short what, void *arg)
{
	struct socket *s = arg;
	int n = 0, max = batch_of(s);
	enum accepted last = ACCEPTED;

	(void)fd;
	(void)what;
	while (n < max && (last = accept_one(s)) == ACCEPTED)
		n++;
	if (!s->sweeping) {
		if (max == s->batch)
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
	reserve_start();
	accept_room_start(max_connections);
	accept_find_limit(ac.n);
	evtimer_assign(&ac.resume, self_base(), on_resume, NULL);
	evtimer_assign(&ac.again, self_base(), on_again, NULL);
}

void
accept_stop(void)
{
	accept_close_all();
	event_del(&ac.resume);
	event_del(&ac.again);
	reserve_stop();
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

		if (s != NULL || self_service(ms[i].listener) == NULL)
			continue;
		s = mem_alloc(sizeof *s);
		s->id = ms[i].id;
		s->listener = ms[i].listener;
		s->batch = 1;
		s->fd = m->fd[i];
		m->fd[i] = -1;
		event_assign(&s->ev, self_base(), s->fd, EV_READ | EV_PERSIST, on_acceptable,
		             s);
		TAILQ_INSERT_TAIL(&ac.sockets, s, link);
		ac.n++;
	}
	accept_find_limit(ac.n);
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

	AN(done != NULL);
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
