#include "master/control/control.h"

#include <sys/queue.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/event.h>

#include "base/clock.h"
#include "base/fd.h"
#include "base/log.h"
#include "base/mem.h"
#include "master/control/control_int.h"
#include "master/control/socketfile.h"
#include "master/core/env.h"
#include "master/state/jsontext.h"
#include "wire/control.h"

#define CLIENTS_MAX 64
#define WAITING_MAX 48 /* who waits for more than we can tell at once */
#define HEARD_MAX   16 /* beyond CLIENTS_MAX, to hear what they ask */
#define PATIENCE_S  10 /* a client has this long to ask, and to take a part of its answer */
#define UNREAD_MAX  65536
#define DOUBT_MS    2000

_Static_assert(WAITING_MAX < CLIENTS_MAX, "status finds a place, and stop --now");

struct control ct = {.clients = TAILQ_HEAD_INITIALIZER(ct.clients), .reserve = -1};

void
control_use(const struct control_rules *rules)
{
	ct.rules = rules;
}

void
control_owe(struct control_client *c, void (*gone)(void *owed), void *owed)
{
	c->gone = gone;
	c->owed = owed;
}

void
control_await_stop(struct control_client *c)
{
	c->stop = true;
}

int
control_fd(const struct control_client *c)
{
	return bufferevent_getfd(c->bev);
}

void
control_keep_reserve(void)
{
	if (ct.reserve < 0)
		ct.reserve = open("/dev/null", O_RDONLY | O_CLOEXEC);
}

static void
client_free(struct control_client *c)
{
	if (c->gone != NULL)
		c->gone(c->owed);
	AN(ct.n > 0);
	TAILQ_REMOVE(&ct.clients, c, link);
	ct.n--;
	event_free(c->limit);
	bufferevent_free(c->bev);
	free(c->line);
	free(c);
	control_keep_reserve();
}

/* A client may hold us up only this long. */
static void
set_limit(struct control_client *c)
{
	struct timeval tv = {.tv_sec = PATIENCE_S};

	c->unsent = evbuffer_get_length(bufferevent_get_output(c->bev));
	evtimer_add(c->limit, &tv);
}

static void
send_json(struct control_client *c, json_t *j)
{
	char *line = json_dumps(j, JSON_COMPACT);

	AN(line != NULL);
	bufferevent_write(c->bev, line, strlen(line));
	bufferevent_write(c->bev, "\n", 1);
	free(line);
	json_decref(j);
}

/* Write what the socket takes now: an exec or the end may follow.  (A bufferevent keeps its
 * output frozen for all but itself.) */
void
control_push(struct control_client *c)
{
	struct evbuffer *out = bufferevent_get_output(c->bev);

	evbuffer_unfreeze(out, 1);
	while (evbuffer_get_length(out) > 0 &&
	       evbuffer_write(out, bufferevent_getfd(c->bev)) > 0)
		;
	evbuffer_freeze(out, 1);
}

/* c has its last line: close it once the bytes are out. */
static void
close_after(struct control_client *c)
{
	control_push(c);
	if (evbuffer_get_length(bufferevent_get_output(c->bev)) == 0) {
		client_free(c);
	} else {
		c->closing = true;
		set_limit(c);
	}
}

static json_t *
last_line(int exit_code, const char *fmt, va_list ap)
{
	char *text = mem_vprintf(fmt, ap);
	json_t *j =
	    json_pack("{s:i, s:o}", "exit", exit_code, "text", jsontext_shown(text, SIZE_MAX));

	free(text);
	return j;
}

void
control_answer(struct control_client *c, int exit_code, json_t *data, const char *fmt, ...)
{
	va_list ap;
	json_t *line;

	AN(!c->closing);
	va_start(ap, fmt);
	line = last_line(exit_code, fmt, ap);
	va_end(ap);
	json_object_set_new(line, "data", data != NULL ? data : json_null());
	control_owe(c, NULL, NULL);
	send_json(c, line);
	close_after(c);
}

void
control_answer_bytes(struct control_client *c, int exit_code, struct evbuffer *data,
                     const char *fmt, ...)
{
	va_list ap;
	json_t *line;
	char *head;

	AN(!c->closing);
	va_start(ap, fmt);
	line = last_line(exit_code, fmt, ap);
	va_end(ap);
	head = json_dumps(line, JSON_COMPACT);
	AN(head != NULL);
	control_owe(c, NULL, NULL);
	bufferevent_write(c->bev, head, strlen(head) - 1); /* its last brace comes last */
	bufferevent_write(c->bev, ",\"data\":", strlen(",\"data\":"));
	bufferevent_write_buffer(c->bev, data);
	bufferevent_write(c->bev, "}\n", 2);
	free(head);
	json_decref(line);
	close_after(c);
}

void
control_progress(struct control_client *c, const char *text, int percent)
{
	size_t unread = evbuffer_get_length(bufferevent_get_output(c->bev));

	if (!c->closing && unread < UNREAD_MAX)
		send_json(c, json_pack("{s:{s:o, s:i}}", "progress", "text",
		                       jsontext_shown(text, SIZE_MAX), "percent", percent));
}

void
control_answer_stop(int exit_code, const char *text)
{
	struct control_client *c, *next;

	for (c = TAILQ_FIRST(&ct.clients); c != NULL; c = next) {
		next = TAILQ_NEXT(c, link);
		if (c->stop && !c->closing)
			control_answer(c, exit_code, NULL, "%s", text);
	}
}

void
control_tell_stop(const char *text)
{
	struct control_client *c;

	TAILQ_FOREACH (c, &ct.clients, link)
		if (c->stop)
			control_progress(c, text, 0);
}

/* --- requests --- */

static size_t
count_waiting(void)
{
	const struct control_client *c;
	size_t n = 0;

	TAILQ_FOREACH (c, &ct.clients, link)
		n += c->waits && !c->closing;
	return n;
}

static void
run(struct control_client *c, const char *line)
{
	AN(!c->asked && !c->closing);
	c->asked = true;
	c->line = mem_strdup(line);
	evtimer_del(c->limit);
	c->waits = ct.rules->waits(line);
	if (c->waits && count_waiting() > WAITING_MAX)
		control_answer(c, 1, NULL,
		               "too many requests wait for their answers; ask again later");
	else
		ct.rules->run(c, line);
}

/* --- clients --- */

static void
on_read(struct bufferevent *bev, void *arg)
{
	struct control_client *c = arg;
	struct evbuffer *in = bufferevent_get_input(bev);
	char *line;

	if (c->asked || c->closing) {
		evbuffer_drain(in, evbuffer_get_length(in));
		return;
	}
	line = evbuffer_readln(in, NULL, EVBUFFER_EOL_LF);
	if (line != NULL)
		run(c, line);
	else if (evbuffer_get_length(in) > CONTROL_REQUEST_MAX)
		control_answer(c, 2, NULL, "the request is too long");
	free(line);
}

static void
on_written(struct bufferevent *bev, void *arg)
{
	struct control_client *c = arg;

	(void)bev;
	if (c->closing)
		client_free(c);
}

/* It has closed, and not only said that it has nothing more to ask. */
static bool
hung_up(const struct control_client *c)
{
	struct pollfd p = {.fd = bufferevent_getfd(c->bev)};

	return poll(&p, 1, 0) > 0 && (p.revents & (POLLHUP | POLLERR)) != 0;
}

/* The last line needs no newline. */
static void
take_rest(struct control_client *c)
{
	struct evbuffer *in = bufferevent_get_input(c->bev);
	size_t len = evbuffer_get_length(in);
	char *line = mem_alloc(len + 1);

	evbuffer_remove(in, line, len);
	if (len > 0)
		run(c, line);
	else
		client_free(c);
	free(line);
}

/* Half a close (`nc -N`) is no reason to withhold an answer. */
static void
on_end(struct bufferevent *bev, short what, void *arg)
{
	struct control_client *c = arg;

	(void)bev;
	if (!(what & BEV_EVENT_EOF))
		client_free(c);
	else if (!c->asked && !c->closing)
		take_rest(c);
	else if (hung_up(c))
		client_free(c);
}

/* A long answer takes its time, as long as some of it is taken. */
static void
on_limit(evutil_socket_t fd, short what, void *arg)
{
	struct control_client *c = arg;

	(void)fd;
	(void)what;
	if (c->closing && evbuffer_get_length(bufferevent_get_output(c->bev)) < c->unsent)
		set_limit(c);
	else
		client_free(c);
}

struct control_client *
control_client_new(int fd, uint32_t id)
{
	struct control_client *c = mem_alloc(sizeof *c);

	AN(fd >= 0);
	c->id = id;
	c->bev = bufferevent_socket_new(env.base, fd, BEV_OPT_CLOSE_ON_FREE);
	c->limit = evtimer_new(env.base, on_limit, c);
	if (c->bev == NULL || c->limit == NULL)
		log_fatal("cannot make a buffer for a control client");
	bufferevent_setcb(c->bev, on_read, on_written, on_end, c);
	bufferevent_enable(c->bev, EV_READ | EV_WRITE);
	TAILQ_INSERT_TAIL(&ct.clients, c, link);
	ct.n++;
	set_limit(c);
	return c;
}

/* Its request may still be on its way through the loop. */
static bool
is_silent(const struct control_client *c)
{
	struct pollfd p = {.fd = bufferevent_getfd(c->bev), .events = POLLIN};

	return !c->asked && !c->closing && poll(&p, 1, 0) <= 0;
}

/* NULL: no more than so many have come and not asked. */
static struct control_client *
oldest_silent(size_t beyond)
{
	struct control_client *c, *oldest = NULL;
	size_t n = 0;

	TAILQ_FOREACH_REVERSE (c, &ct.clients, client_list, link)
		if (is_silent(c) && ++n > beyond)
			oldest = c;
	return oldest;
}

static struct control_client *
oldest_closing(void)
{
	struct control_client *c;

	TAILQ_FOREACH (c, &ct.clients, link)
		if (c->closing)
			return c;
	return NULL;
}

/* When full, drop a client that has not asked yet, or does not read its answer, so that
 * silent clients can't lock others out.  A newcomer gets a moment to ask. */
static void
make_room(void)
{
	bool full = ct.n >= CLIENTS_MAX + HEARD_MAX;
	struct control_client *c;

	if (ct.n < CLIENTS_MAX)
		return;
	if ((c = oldest_silent(HEARD_MAX)) != NULL)
		log_warn("a control client that has not asked makes room for another");
	else if ((c = oldest_closing()) != NULL)
		log_warn(
		    "a control client that does not take its answer makes room for another");
	else if (full && (c = oldest_silent(0)) != NULL)
		log_warn("a control client that has not asked makes room for another");
	else
		return;
	client_free(c);
}

void
control_acceptable(evutil_socket_t sock, short what, void *arg)
{
	int fd = accept4((int)sock, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
	struct control_client *c;
	struct ucred peer = {.uid = (uid_t)-1};
	socklen_t len = sizeof peer;

	(void)what;
	(void)arg;
	if (fd < 0 && (errno == EMFILE || errno == ENFILE) && ct.reserve >= 0) {
		log_warn("no descriptor is left; the reserve answers a control request");
		fd_close(&ct.reserve);
		fd = accept4((int)sock, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
	}
	if (fd < 0)
		return;
	make_room();
	c = control_client_new(fd, ++ct.last_id);
	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &len) < 0 ||
	    !ct.rules->admits(&peer)) {
		log_warn("control request of uid %d refused", (int)peer.uid);
		control_answer(c, 1, NULL, "uid %d may not control this baton", (int)peer.uid);
	} else if (ct.n > CLIENTS_MAX + HEARD_MAX) {
		control_answer(c, 1, NULL, "too many control requests are open");
	}
}

struct control_client *
control_find(uint32_t id)
{
	struct control_client *c;

	TAILQ_FOREACH (c, &ct.clients, link)
		if (c->id == id)
			return c;
	return NULL;
}

uint32_t
control_id(const struct control_client *client)
{
	return client->id;
}

/* --- the socket --- */

int
control_start(const char *path, char **cause)
{
	control_keep_reserve();
	return socketfile_start(path, control_acceptable, cause);
}

void
control_start_later(const char *path)
{
	control_keep_reserve();
	socketfile_miss(path, control_acceptable);
}

void
control_stop(void)
{
	struct control_client *c;

	socketfile_stop();
	while ((c = TAILQ_FIRST(&ct.clients)) != NULL)
		client_free(c);
	fd_close(&ct.reserve);
}
