#include "wire/chan.h"

#include <sys/queue.h>
#include <sys/socket.h>
#include <sys/uio.h>

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include <event2/event.h>

#include "base/clock.h"
#include "base/fd.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/spawn.h"
#include "wire/packet.h"

#define MESSAGES_PER_TURN 64 /* a talkative peer does not starve the others */
#define LOG_EVERY_MS      1000

/* Of a peer that is guarded against.  A worker that is stopped for half an hour has no more
 * orders waiting than that. */
#define QUEUE_MAX     4096
#define QUEUE_FDS_MAX 2048
#define FAULTS_MAX    64

/* A message that waits for room; its descriptors are copies of its own. */
struct queued {
	STAILQ_ENTRY(queued) link;
	size_t len;
	size_t nfd;
	int fd[MSG_FDS_MAX];
	char bytes[];
};

struct chan {
	int fd;
	struct event *readable;
	struct event *writable;
	STAILQ_HEAD(, queued) queue;
	size_t nqueue;
	size_t nqueue_fds;
	chan_fn *fn;
	chan_breach_fn *breach; /* NULL: the peer is trusted */
	void *arg;
	bool gone;
	bool breached;
	unsigned faults;
	uint64_t logged_ms;
	unsigned unlogged; /* since then */
	int *kept;         /* of a breach */
	size_t nkept;
	bool *freed; /* set while a callback runs: tells that it freed us */
};

int
chan_pair(int end[2])
{
	return packet_pair(end);
}

static void
queued_free(struct queued *q)
{
	for (size_t i = 0; i < q->nfd; i++)
		fd_close(&q->fd[i]);
	free(q);
}

/* ETOOMANYREFS: too many descriptors are in flight; the peer has to read first. */
static bool
must_wait(void)
{
	return errno == EAGAIN || errno == ENOBUFS || errno == ETOOMANYREFS;
}

static void
breach(struct chan *ch, const char *what)
{
	if (ch->breach == NULL || ch->breached)
		return;
	ch->breached = true;
	event_del(ch->readable);
	ch->breach(ch, what, ch->arg);
}

/* Did the send fail because the peer has ended?  Then the callback tells.  A peer that lives
 * has shut its end, and would never obey again. */
static bool
peer_is_gone(struct chan *ch)
{
	if (errno != EPIPE && errno != ECONNRESET && errno != ECONNREFUSED && errno != ENOTCONN)
		return false;
	if (chan_is_alive(ch))
		breach(ch, "it has shut its channel");
	return true;
}

/* Send from the queue's head.  True when the queue is empty. */
static bool
drain_queue(struct chan *ch)
{
	struct queued *q;

	while ((q = STAILQ_FIRST(&ch->queue)) != NULL) {
		struct iovec iov = {.iov_base = q->bytes, .iov_len = q->len};

		if (packet_send(ch->fd, &iov, 1, q->fd, q->nfd) < 0 && !peer_is_gone(ch) &&
		    must_wait())
			return false;
		STAILQ_REMOVE_HEAD(&ch->queue, link);
		ch->nqueue--;
		ch->nqueue_fds -= q->nfd;
		queued_free(q);
	}
	return true;
}

/* --- a peer in hostile hands --- */

/* While it lives it has copies, and may set them to hold up a close. */
static void
keep(struct chan *ch, int *fd, size_t nfd)
{
	for (size_t i = 0; i < nfd; i++) {
		ch->kept = mem_grow(ch->kept, ch->nkept, sizeof *ch->kept);
		ch->kept[ch->nkept++] = fd[i];
		fd[i] = -1;
	}
}

void
chan_guard(struct chan *ch, chan_breach_fn *fn)
{
	ch->breach = fn;
}

bool
chan_may_log(struct chan *ch)
{
	uint64_t now = clock_ms();

	if (ch->logged_ms != 0 && now - ch->logged_ms < LOG_EVERY_MS) {
		ch->unlogged++;
		return false;
	}
	if (ch->unlogged > 0)
		log_warn("channel %d: %u faults more were not logged", ch->fd, ch->unlogged);
	ch->unlogged = 0;
	ch->logged_ms = now;
	return true;
}

static void
on_writable(evutil_socket_t fd, short what, void *arg)
{
	struct chan *ch = arg;

	(void)fd;
	(void)what;
	if (drain_queue(ch))
		event_del(ch->writable);
}

static int
enqueue(struct chan *ch, const struct msg_head *head, const void *body, const int *fd,
        size_t nfd)
{
	size_t len = sizeof *head + head->length;
	struct queued *q;

	if (ch->breach != NULL &&
	    (ch->nqueue >= QUEUE_MAX || ch->nqueue_fds + nfd > QUEUE_FDS_MAX)) {
		breach(ch, "it does not read what it is told");
		errno = ENOBUFS;
		return -1;
	}
	q = mem_alloc(sizeof *q + len);
	q->len = len;
	memcpy(q->bytes, head, sizeof *head);
	if (head->length > 0)
		memcpy(q->bytes + sizeof *head, body, head->length);
	for (; q->nfd < nfd; q->nfd++) {
		q->fd[q->nfd] = fcntl(fd[q->nfd], F_DUPFD_CLOEXEC, 3);
		if (q->fd[q->nfd] < 0) {
			int saved = errno;

			queued_free(q);
			errno = saved;
			return -1;
		}
	}
	STAILQ_INSERT_TAIL(&ch->queue, q, link);
	ch->nqueue++;
	ch->nqueue_fds += nfd;
	event_add(ch->writable, NULL);
	return 0;
}

int
chan_send(struct chan *ch, enum msg_type type, uint64_t birth, const void *body, size_t len,
          const struct msg_fds *fds)
{
	struct msg_head head = {.version = MSG_VERSION,
	                        .type = (uint16_t)type,
	                        .length = (uint32_t)len,
	                        .birth = birth};
	struct iovec iov[2] = {{.iov_base = &head, .iov_len = sizeof head},
	                       {.iov_base = (void *)(uintptr_t)body, .iov_len = len}};
	const int *fd = fds != NULL ? fds->fd : NULL;
	size_t nfd = fds != NULL ? fds->n : 0;

	AN(len <= MSG_BODY_MAX && nfd <= MSG_FDS_MAX);
	if (ch->gone)
		return 0;
	if (STAILQ_EMPTY(&ch->queue)) {
		if (packet_send(ch->fd, iov, len > 0 ? 2 : 1, fd, nfd) >= 0 || peer_is_gone(ch))
			return 0;
		if (!must_wait())
			return -1;
	}
	return enqueue(ch, &head, body, fd, nfd);
}

int
chan_try_send(struct chan *ch, enum msg_type type, uint64_t birth, const struct iovec *body,
              size_t nbody, const struct msg_fds *fds)
{
	struct msg_head head = {.version = MSG_VERSION, .type = (uint16_t)type, .birth = birth};
	struct iovec iov[4] = {{.iov_base = &head, .iov_len = sizeof head}};

	AN(nbody <= 3 && fds->n <= MSG_FDS_MAX);
	for (size_t i = 0; i < nbody; i++) {
		iov[i + 1] = body[i];
		head.length += (uint32_t)body[i].iov_len;
	}
	errno = EAGAIN;
	if (ch->gone || !STAILQ_EMPTY(&ch->queue))
		return -1;
	return packet_send(ch->fd, iov, nbody + 1, fds->fd, fds->n) >= 0 ? 0 : -1;
}

bool
chan_idle(const struct chan *ch)
{
	return STAILQ_EMPTY(&ch->queue);
}

void
chan_flush(struct chan *ch, int ms)
{
	struct pollfd p = {.fd = ch->fd, .events = POLLOUT};

	while (!ch->gone && !drain_queue(ch) && poll(&p, 1, ms) > 0)
		;
}

static void
dispatch(struct chan *ch, const char *bytes, size_t len, int *fd, size_t nfd, bool lost_fds)
{
	struct msg m = {.fd = fd, .nfd = nfd, .lost_fds = lost_fds};
	const char *fault = msg_check(bytes, len, nfd, &m);

	if (fault == NULL) {
		ch->fn(ch, &m, ch->arg);
	} else {
		if (chan_may_log(ch))
			log_warn("a message on channel %d is %s%s; dropped", ch->fd, fault,
			         lost_fds ? ", as there is no room for its descriptors" : "");
		if (++ch->faults > FAULTS_MAX)
			breach(ch, "what it says is no message");
	}
	for (size_t i = 0; i < nfd; i++)
		fd_discard(&fd[i]);
}

/* One message.  False when there is no more for now; the end is told here. */
static bool
receive(struct chan *ch)
{
	static _Alignas(16) char bytes[sizeof(struct msg_head) + MSG_BODY_MAX + 1];
	struct packet r;

	if (ch->breached)
		return false;
	packet_receive(ch->fd, bytes, sizeof bytes, &r);
	if (r.n < 0 && errno == EAGAIN)
		return false;
	if (ch->breach != NULL && (r.nfd > 0 || r.lost_fds)) {
		keep(ch, r.fd, r.nfd);
		breach(ch, "it passes descriptors, which no worker does");
		return false;
	}
	if (r.n == 0 && chan_is_alive(ch)) {
		for (size_t i = 0; i < r.nfd; i++)
			fd_discard(&r.fd[i]);
		breach(ch, "what it says is empty");
		return ch->breach == NULL;
	}
	if (r.n <= 0) {
		for (size_t i = 0; i < r.nfd; i++)
			fd_discard(&r.fd[i]);
		ch->gone = true;
		event_del(ch->readable);
		event_del(ch->writable);
		ch->fn(ch, NULL, ch->arg);
		return false;
	}
	dispatch(ch, bytes, (size_t)r.n, r.fd, r.nfd, r.lost_fds);
	return true;
}

/* Unread messages would be closed with the channel, descriptors and all.  An empty message
 * looks like the end, and there may be many: believe the end when it was met more often than
 * there is room for messages. */
static void
read_to_the_end(struct chan *ch)
{
	struct packet r;
	char waste;

	for (int i = 0; i < CHAN_REST_MAX; i++) {
		packet_receive(ch->fd, &waste, 1, &r);
		if (r.n < 0)
			return;
		if (ch->breach != NULL)
			keep(ch, r.fd, r.nfd);
		for (size_t k = 0; k < r.nfd; k++)
			fd_discard(&r.fd[k]);
	}
}

/* In a process of its own, which ends with all that has come.  What is no socket, or another's,
 * has nothing for us. */
static void
empty(int fd)
{
	struct packet r;
	char waste;

	for (int i = 0; i < CHAN_REST_MAX; i++) {
		packet_receive(fd, &waste, 1, &r);
		if (r.n < 0)
			return;
	}
}

/* Unread messages end with the channel's last copy, which may be the store's, closed by the
 * service manager: so leave nothing in its queue. */
static void
bury(struct chan *ch)
{
	if (ch->breached) {
		shutdown(ch->fd, SHUT_RDWR); /* for all copies: nothing more comes */
		keep(ch, &ch->fd, 1);
	}
	if (ch->nkept > 0)
		spawn_bury(ch->kept, ch->nkept, empty);
	mem_free(&ch->kept);
}

void
chan_discard(int *fd)
{
	shutdown(*fd, SHUT_RDWR);
	spawn_bury(fd, 1, empty);
}

static void
receive_many(struct chan *ch, int max)
{
	bool freed = false;

	ch->freed = &freed;
	while (max-- > 0 && receive(ch) && !freed)
		;
	if (!freed)
		ch->freed = NULL;
}

static void
on_readable(evutil_socket_t sock, short what, void *arg)
{
	(void)sock;
	(void)what;
	receive_many(arg, MESSAGES_PER_TURN);
}

void
chan_read_rest(struct chan *ch)
{
	receive_many(ch, CHAN_REST_MAX);
}

struct chan *
chan_new(struct event_base *base, int fd, chan_fn *fn, void *arg)
{
	struct chan *ch = mem_alloc(sizeof *ch);

	ch->fd = fd;
	ch->fn = fn;
	ch->arg = arg;
	STAILQ_INIT(&ch->queue);
	ch->readable = event_new(base, fd, EV_READ | EV_PERSIST, on_readable, ch);
	ch->writable = event_new(base, fd, EV_WRITE | EV_PERSIST, on_writable, ch);
	if (ch->readable == NULL || ch->writable == NULL || event_add(ch->readable, NULL) < 0)
		log_fatal("cannot watch a channel");
	return ch;
}

void
chan_free(struct chan **chp)
{
	struct chan *ch = *chp;
	struct queued *q;

	if (ch == NULL)
		return;
	if (ch->freed != NULL)
		*ch->freed = true;
	while ((q = STAILQ_FIRST(&ch->queue)) != NULL) {
		STAILQ_REMOVE_HEAD(&ch->queue, link);
		queued_free(q);
	}
	event_free(ch->readable);
	event_free(ch->writable);
	if (!ch->breached)
		read_to_the_end(ch);
	bury(ch);
	fd_close(&ch->fd);
	mem_free(chp);
}

int
chan_fd(const struct chan *ch)
{
	return ch->fd;
}

bool
chan_is_alive(const struct chan *ch)
{
	struct pollfd p = {.fd = ch->fd};

	return poll(&p, 1, 0) >= 0 && (p.revents & POLLHUP) == 0;
}
