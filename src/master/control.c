#include "master/control.h"

#include <sys/queue.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
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
#include "master/adopt.h"
#include "master/asker.h"
#include "master/change.h"
#include "master/fdlist.h"
#include "master/generation.h"
#include "master/history.h"
#include "master/listener.h"
#include "master/env.h"
#include "master/stop.h"
#include "master/preflight.h"
#include "master/record.h"
#include "master/requests.h"
#include "master/scale.h"
#include "master/settings.h"
#include "master/slot.h"
#include "master/socketfile.h"
#include "master/status.h"
#include "master/survey.h"
#include "wire/control.h"

#define CLIENTS_MAX 64
#define WAITING_MAX 48 /* who waits for more than we can tell at once */
#define HEARD_MAX   16 /* beyond CLIENTS_MAX, to hear what they ask */
#define PATIENCE_S  10 /* a client has this long to ask, and to take a part of its answer */
#define UNREAD_MAX  65536
#define DOUBT_MS    2000

_Static_assert(WAITING_MAX < CLIENTS_MAX, "status finds a place, and stop --now");

struct control_client {
	TAILQ_ENTRY(control_client) link;
	uint32_t id;
	struct bufferevent *bev;
	char *line;   /* its request; NULL: not yet */
	bool asked;   /* its line was read; the answer is owed */
	bool stop;    /* waits for the end */
	bool waits;   /* has one of WAITING_MAX places */
	bool closing; /* answered; the last bytes are on their way */
	struct event *limit;
	size_t unsent; /* of its answer, when its limit was set */
	struct preflight *check;
};

static struct {
	TAILQ_HEAD(client_list, control_client) clients;
	size_t n;
	uint32_t last_id;
	int reserve;          /* given up to answer when no descriptor is left */
	uint64_t restored_ms; /* 0: there was no image before us */
} ct = {.clients = TAILQ_HEAD_INITIALIZER(ct.clients), .reserve = -1};

static void
keep_reserve(void)
{
	if (ct.reserve < 0)
		ct.reserve = open("/dev/null", O_RDONLY | O_CLOEXEC);
}

static void
client_free(struct control_client *c)
{
	requests_forget(c);
	survey_forget(c);
	scale_forget(c);
	preflight_cancel(&c->check);
	TAILQ_REMOVE(&ct.clients, c, link);
	ct.n--;
	event_free(c->limit);
	bufferevent_free(c->bev);
	free(c->line);
	free(c);
	keep_reserve();
}

/* Who makes us wait may not do so for ever. */
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

/* What the socket takes now goes now: an exec or the end may follow.  (A
 * bufferevent keeps its output frozen for all but itself.) */
static void
push(struct control_client *c)
{
	struct evbuffer *out = bufferevent_get_output(c->bev);

	evbuffer_unfreeze(out, 1);
	while (evbuffer_get_length(out) > 0 &&
	       evbuffer_write(out, bufferevent_getfd(c->bev)) > 0)
		;
	evbuffer_freeze(out, 1);
}

/* The last line is with c: away with it. */
static void
close_after(struct control_client *c)
{
	push(c);
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
	    json_pack("{s:i, s:o}", "exit", exit_code, "text", record_shown(text, SIZE_MAX));

	free(text);
	return j;
}

void
control_answer(struct control_client *c, int exit_code, json_t *data, const char *fmt, ...)
{
	va_list ap;
	json_t *line;

	va_start(ap, fmt);
	line = last_line(exit_code, fmt, ap);
	va_end(ap);
	json_object_set_new(line, "data", data != NULL ? data : json_null());
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

	va_start(ap, fmt);
	line = last_line(exit_code, fmt, ap);
	va_end(ap);
	head = json_dumps(line, JSON_COMPACT);
	AN(head != NULL);
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
		                       record_shown(text, SIZE_MAX), "percent", percent));
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

/* --- verbs --- */

static void
do_status(struct control_client *c, const json_t *request)
{
	(void)request;
	control_answer(c, 0, status_json(), "%s", status_sentence());
}

static void
do_history(struct control_client *c, const json_t *request)
{
	(void)request;
	control_answer(c, 0, history_json(), "the last changes");
}

static const char *
argument(const json_t *request)
{
	return json_string_value(json_array_get(json_object_get(request, "args"), 0));
}

static void
do_reload(struct control_client *c, const json_t *request)
{
	struct asker by = asker_peer(bufferevent_getfd(c->bev), c);

	change_request(CHANGE_RELOAD, NULL, json_is_true(json_object_get(request, "wait")),
	               &by);
}

static void
do_upgrade(struct control_client *c, const json_t *request)
{
	struct asker by = asker_peer(bufferevent_getfd(c->bev), c);

	change_request(CHANGE_UPGRADE, argument(request),
	               json_is_true(json_object_get(request, "wait")), &by);
}

static void
do_stop(struct control_client *c, const json_t *request)
{
	c->stop = true;
	if (json_is_true(json_object_get(request, "now")))
		stop_begin(true);
	else if (env.stop == STOP_NO)
		stop_begin(false);
}

static void
do_scale(struct control_client *c, const json_t *request)
{
	const char *text = argument(request);
	char *end = NULL;
	long n = text != NULL ? strtol(text, &end, 10) : 0;

	if (text == NULL || *text == '\0' || *end != '\0' || n < 1 || n > 256)
		control_answer(c, 2, NULL, "scale needs a number of workers from 1 to 256");
	else
		scale_request((uint32_t)n, c);
}

/* The number was taken by the image before; its workers may be ours by now. */
static void
scale_again(struct control_client *c, const json_t *request)
{
	scale_wait((uint32_t)strtol(argument(request), NULL, 10), c);
}

static void
do_drain(struct control_client *c, const json_t *request)
{
	(void)request;
	survey_begin(c, MSG_LIST_HOLDERS);
}

static void
do_conns(struct control_client *c, const json_t *request)
{
	(void)request;
	survey_begin(c, MSG_LIST_CONNS);
}

static void
do_tasks(struct control_client *c, const json_t *request)
{
	(void)request;
	survey_begin(c, MSG_LIST_TASKS);
}

static void
do_abort(struct control_client *c, const json_t *request)
{
	struct asker by = asker_peer(bufferevent_getfd(c->bev), c);
	char *cause = NULL;

	(void)request;
	if (env.stop == STOP_NO) {
		if (change_abort(&by, &cause) < 0)
			control_answer(c, 1, NULL, "%s", cause);
	} else if (stop_call_off(&cause) < 0) {
		control_answer(c, 1, NULL, "%s", cause);
	} else {
		control_answer(c, 0, NULL, "the stop is called off");
	}
	free(cause);
}

static void
checked(void *arg, bool yes, const char *text)
{
	struct control_client *c = arg;

	c->check = NULL;
	control_answer(c, yes ? 0 : 1, NULL, "%s", text);
}

static void
do_check(struct control_client *c, const json_t *request)
{
	const char *path = argument(request);
	const struct generation *g = generation_active();
	uint64_t limit = g != NULL ? (uint64_t)g->conf->server.start_timeout : 10000;
	char *cause = NULL;

	c->check = preflight_conf(path != NULL ? path : env.conf_path, NULL, 0, limit,
	                          checked, c, &cause);
	if (c->check == NULL)
		control_answer(c, 1, NULL, "%s", cause);
	free(cause);
}

static void
do_reopen(struct control_client *c, const json_t *request)
{
	char *cause = NULL;

	(void)request;
	if (settings_reopen_logs(&cause) < 0)
		control_answer(c, 1, NULL, "%s", cause);
	else
		control_answer(c, 0, NULL, "log files are open again");
	free(cause);
}

/* Who waits for what takes long must leave a place to who does not. */
enum wait { AT_ONCE, WAITS, WAITS_BUT_NOW /* stop, unless it is stop --now */ };

/* again: what brings the answer when the image that was asked is another program by
 * now.  NULL: the answer is owed elsewhere (requests.c, c->stop), or was given. */
static const struct verb {
	const char *name;
	enum wait wait;
	void (*run)(struct control_client *c, const json_t *request);
	void (*again)(struct control_client *c, const json_t *request);
} verbs[] = {
    {"status", AT_ONCE, do_status, do_status}, {"reload", WAITS, do_reload, NULL},
    {"upgrade", WAITS, do_upgrade, NULL},      {"stop", WAITS_BUT_NOW, do_stop, NULL},
    {"scale", WAITS, do_scale, scale_again},   {"drain", WAITS, do_drain, do_drain},
    {"abort", AT_ONCE, do_abort, NULL},        {"check", WAITS, do_check, do_check},
    {"reopen", AT_ONCE, do_reopen, do_reopen}, {"conns", WAITS, do_conns, do_conns},
    {"tasks", WAITS, do_tasks, do_tasks},      {"history", AT_ONCE, do_history, do_history},
};

static const struct verb *
verb_of(const json_t *request)
{
	const char *name = json_string_value(json_object_get(request, "verb"));

	for (size_t i = 0; name != NULL && i < sizeof verbs / sizeof *verbs; i++)
		if (strcmp(verbs[i].name, name) == 0)
			return &verbs[i];
	return NULL;
}

static bool
waits(const struct verb *verb, const json_t *request)
{
	return verb->wait == WAITS ||
	       (verb->wait == WAITS_BUT_NOW && !json_is_true(json_object_get(request, "now")));
}

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
run_verb(struct control_client *c, const struct verb *verb, const json_t *request)
{
	c->waits = waits(verb, request);
	if (c->waits && count_waiting() > WAITING_MAX)
		control_answer(c, 1, NULL,
		               "too many requests wait for their answers; ask again later");
	else
		verb->run(c, request);
}

static void
run(struct control_client *c, const char *line)
{
	json_error_t error;
	json_t *request = json_loads(line, 0, &error);
	const struct verb *verb = verb_of(request);
	const char *name = json_string_value(json_object_get(request, "verb"));

	c->asked = true;
	c->line = mem_strdup(line);
	evtimer_del(c->limit);
	if (request == NULL)
		control_answer(c, 2, NULL, "the request is not JSON: %s", error.text);
	else if (verb == NULL)
		control_answer(c, 2, NULL, "this baton (%s) does not know the verb '%s'",
		               env.program->version, name != NULL ? name : "");
	else
		run_verb(c, verb, request);
	json_decref(request);
}

static void
run_again(struct control_client *c)
{
	json_t *request = c->line != NULL ? json_loads(c->line, 0, NULL) : NULL;
	const struct verb *verb = verb_of(request);

	if (verb != NULL && verb->again != NULL)
		verb->again(c, request);
	else
		control_answer(c, 1, NULL, "baton was upgraded meanwhile; ask again");
	json_decref(request);
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

/* What was said last needs no line's end. */
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

static struct control_client *
client_new(int fd, uint32_t id)
{
	struct control_client *c = mem_alloc(sizeof *c);

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

/* What it asks may be on its way through the loop. */
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

	TAILQ_FOREACH_REVERSE(c, &ct.clients, client_list, link)
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

/* Who only holds a place gives it up: nobody is locked out by silence, nor by who does
 * not take an answer.  But who has just come has a moment to ask. */
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

/* A worker that has ended may have left its words in the queue.  Of those that ended under the
 * image before us nobody knows: for a moment whoever is gone may have been one.  (0: of another
 * namespace, where no worker of ours is.) */
static bool
may_be_a_late_worker(pid_t pid)
{
	if (slot_was_ours(pid) || adopt_knows(pid))
		return true;
	return ct.restored_ms != 0 && clock_ms() - ct.restored_ms < DOUBT_MS && pid > 0 &&
	       kill(pid, 0) < 0 && errno == ESRCH;
}

/* A worker of our user may connect, too, and asks for nothing in order. */
static bool
may_ask(int fd, struct ucred *peer)
{
	socklen_t len = sizeof *peer;
	struct worker *w;

	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, peer, &len) < 0)
		return false;
	if ((w = slot_of_pid(peer->pid)) != NULL) {
		slot_distrust(w, "it has connected to the control socket");
		return false;
	}
	return !may_be_a_late_worker(peer->pid) && (peer->uid == 0 || peer->uid == geteuid());
}

static void
on_acceptable(evutil_socket_t sock, short what, void *arg)
{
	int fd = accept4((int)sock, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
	struct control_client *c;
	struct ucred peer = {.uid = (uid_t)-1};

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
	c = client_new(fd, ++ct.last_id);
	if (!may_ask(fd, &peer)) {
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
	keep_reserve();
	return socketfile_start(path, on_acceptable, cause);
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

static json_t *
save_buffer(struct evbuffer *buffer)
{
	size_t len = evbuffer_get_length(buffer);

	return record_bytes(evbuffer_pullup(buffer, -1), len);
}

static json_t *
save_client(const struct control_client *c, struct fdlist *fds)
{
	return json_pack("{s:i, s:o, s:b, s:b, s:b, s:o, s:o, s:o}", "id", (int)c->id, "socket",
	                 fdlist_put(fds, bufferevent_getfd(c->bev)), "asked", c->asked, "stop",
	                 c->stop, "closing", c->closing, "line", record_text(c->line), "input",
	                 save_buffer(bufferevent_get_input(c->bev)), "output",
	                 save_buffer(bufferevent_get_output(c->bev)));
}

json_t *
control_save(struct fdlist *fds)
{
	json_t *list = json_array();
	struct control_client *c;
	struct place_id own;

	TAILQ_FOREACH (c, &ct.clients, link) {
		push(c);
		if (!c->closing || evbuffer_get_length(bufferevent_get_output(c->bev)) > 0)
			json_array_append_new(list, save_client(c, fds));
	}
	own = socketfile_own();
	return json_pack("{s:o, s:i, s:o, s:o, s:I, s:I}", "path",
	                 record_text(socketfile_path()), "last_id", (int)ct.last_id, "socket",
	                 fdlist_put(fds, socketfile_fd()), "clients", list, "inode",
	                 (json_int_t)own.inode, "device", (json_int_t)own.device);
}

/* What was read of it, and what was not yet written to it. */
static void
restore_buffers(struct control_client *c, const json_t *j)
{
	struct evbuffer *in = bufferevent_get_input(c->bev);
	size_t nread = 0, nwritten = 0;
	char *input = record_read(json_object_get(j, "input"), &nread);
	char *output = record_read(json_object_get(j, "output"), &nwritten);

	evbuffer_unfreeze(in, 0);
	evbuffer_add(in, input, nread);
	evbuffer_freeze(in, 0);
	if (nwritten > 0)
		bufferevent_write(c->bev, output, nwritten);
	free(input);
	free(output);
}

static bool
did_wait(const struct control_client *c)
{
	json_t *request = c->line != NULL ? json_loads(c->line, 0, NULL) : NULL;
	const struct verb *verb = verb_of(request);
	bool yes = verb != NULL && waits(verb, request);

	json_decref(request);
	return yes;
}

static void
restore_client(const json_t *j)
{
	int id, asked, stop, closing, fd = fdlist_get(json_object_get(j, "socket"));
	struct control_client *c;

	if (fd < 0 || json_unpack((json_t *)(uintptr_t)j, "{s:i, s:b, s:b, s:b}", "id", &id,
	                          "asked", &asked, "stop", &stop, "closing", &closing) < 0)
		return;
	c = client_new(fd, (uint32_t)id);
	c->line = record_read_text(json_object_get(j, "line"));
	c->asked = asked;
	c->stop = stop;
	c->closing = closing;
	c->waits = did_wait(c);
	restore_buffers(c, j);
	if (c->asked && !c->closing)
		evtimer_del(c->limit);
}

/* An image before this one did not tell: then it is what stands there. */
static struct place_id
restore_own(const json_t *j, const char *path)
{
	struct place_id own = {.device =
	                           (dev_t)json_integer_value(json_object_get(j, "device")),
	                       .inode = (ino_t)json_integer_value(json_object_get(j, "inode"))};
	struct stat st;

	if (own.inode == 0 && lstat(path, &st) == 0)
		own = (struct place_id){.device = st.st_dev, .inode = st.st_ino};
	return own;
}

int
control_restore(const json_t *j, char **cause)
{
	char *path = record_read_text(json_object_get(j, "path"));
	int fd = fdlist_get(json_object_get(j, "socket"));
	struct place_id own;
	size_t i;
	json_t *one;

	if (fd < 0 || path == NULL)
		return cause_set(cause, "the control socket did not come over");
	keep_reserve();
	own = restore_own(j, path);
	socketfile_take(fd, path, &own, on_acceptable);
	free(path);
	ct.last_id = (uint32_t)json_integer_value(json_object_get(j, "last_id"));
	json_array_foreach(json_object_get(j, "clients"), i, one) restore_client(one);
	return 0;
}

void
control_after_restore(void)
{
	struct control_client *c, *next;

	ct.restored_ms = clock_ms();
	for (c = TAILQ_FIRST(&ct.clients); c != NULL; c = next) {
		next = TAILQ_NEXT(c, link);
		if (c->asked && !c->stop && !c->closing && !requests_owe(c))
			run_again(c);
	}
}
