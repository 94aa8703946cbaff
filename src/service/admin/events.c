#include "service/admin/events.h"

#include <sys/queue.h>

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <event2/event.h>
#include <event2/event_struct.h>

#include "base/log.h"
#include "base/mem.h"
#include "service/admin/view.h"
#include "service/http/exchange.h"
#include "service/http/serve_handlers.h"
#include "wire/handoff.h"
#include "worker/conn/conn.h"

#define EVERY_MS    500
#define SOON_MS     10  /* many may come at a time: one view for all of them */
#define STREAMS_MAX 256 /* per service and worker */

struct stream {
	TAILQ_ENTRY(stream) link;
	struct conn *c;
	uint64_t n;   /* of the last event */
	uint64_t seq; /* of the newest change that it was told */
	bool begun;   /* seq is known */
	bool chunked;
	bool ends; /* when what is unsent is sent */
	char *unsent;
	size_t from, to; /* unsent[from..to) */
};

/* What travels. */
struct frozen {
	uint64_t n, seq, begun, chunked;
};

/* Those of a service. */
struct events {
	struct service service; /* that their connections belong to */
	struct http *http;
	TAILQ_HEAD(, stream) streams;
	size_t n;
	struct event tick;
	bool soon; /* the next one is */
};

/* --- what is said --- */

/* What a tick has to say, made once for all streams. */
struct news {
	json_t *view;
	char *status; /* the view as text */
};

static struct news
make_news(void)
{
	struct news news = {.view = view_json()};

	news.status = json_dumps(news.view, JSON_COMPACT);
	if (news.status == NULL)
		log_panic("the view cannot be written");
	return news;
}

static void
free_news(struct news *news)
{
	json_decref(news->view);
	mem_free(&news->status);
}

static uint64_t
seq_of(const json_t *change)
{
	return (uint64_t)json_integer_value(json_object_get(change, "seq"));
}

/* The changes that are known, oldest first; a borrowed reference. */
static const json_t *
changes(const struct news *news)
{
	return json_object_get(news->view, "history");
}

static void
put_event(struct stream *s, FILE *f, const char *name, const char *data)
{
	fprintf(f, "id: %" PRIu64 ".%" PRIu64 "\nevent: %s\ndata: %s\n\n", ++s->n, s->seq, name,
	        data);
}

static void
put_changes(struct stream *s, FILE *f, const struct news *news)
{
	const json_t *change;
	size_t i;

	json_array_foreach ((json_t *)(uintptr_t)changes(news), i, change) {
		char *text;

		if (seq_of(change) <= s->seq)
			continue;
		s->seq = seq_of(change);
		text = json_dumps(change, JSON_COMPACT);
		put_event(s, f, "change", text);
		free(text);
	}
}

/* Nothing is told of changes: by a master of before the board, or for want of room. */
static bool
is_without_changes(const struct news *news)
{
	const json_t *list = changes(news);

	return list == NULL ||
	       (json_array_size(list) == 0 && json_object_get(news->view, "left_out") != NULL);
}

/* A newcomer finds in the status what has been, and so does one who comes back to a baton
 * that was started anew, and counts from one again. */
static void
begin(struct stream *s, const struct news *news)
{
	const json_t *list = changes(news);
	uint64_t newest = seq_of(json_array_get(list, json_array_size(list) - 1));

	if (!s->begun || (newest < s->seq && !is_without_changes(news)))
		s->seq = newest;
	s->begun = true;
}

/* All that is news to a stream, malloc'd; *n bytes. */
static char *
compose(struct stream *s, const struct news *news, size_t *n)
{
	char *text = NULL;
	FILE *f = open_memstream(&text, n);

	if (f == NULL)
		log_fatal("no memory for an event");
	begin(s, news);
	if (s->n == 0)
		fputs("retry: 1000\n", f);
	put_changes(s, f, news);
	put_event(s, f, "status", news->status);
	if (fclose(f) != 0)
		log_fatal("no memory for an event");
	return text;
}

/* --- the way out --- */

static struct events *
events_of(const struct conn *c)
{
	return c->service->data;
}

static void
end(struct stream *s)
{
	struct iovec last = {(void *)(uintptr_t) "0\r\n\r\n", 5};

	if (s->chunked && conn_write(s->c, &last, 1, false) == CONN_ERROR)
		conn_close(s->c, "broken by the peer");
	else
		conn_finish(s->c, "its worker leaves");
}

static void
all_sent(struct stream *s)
{
	struct conn *c = s->c;

	mem_free(&s->unsent);
	s->from = s->to = 0;
	timelist_leave(&c->timed);
	if (s->ends) {
		end(s);
		return;
	}
	if (c->writing)
		conn_want_read(c);
	conn_set_state(c, CONN_IDLE);
}

/* As far as it goes. */
static void
flush(struct stream *s)
{
	struct conn *c = s->c;

	while (s->from < s->to) {
		struct iovec iov = {s->unsent + s->from, s->to - s->from};
		ssize_t w = conn_write(c, &iov, 1, false);

		if (w == CONN_ERROR) {
			conn_close(c, "broken by the peer");
			return;
		}
		if (w == CONN_AGAIN) {
			conn_set_state(c, CONN_BUSY);
			conn_want_write(c);
			timelist_join(events_of(c)->http->send, &c->timed);
			return;
		}
		s->from += (size_t)w;
	}
	all_sent(s);
}

/* A text becomes what is to be sent; it is freed. */
static void
say(struct stream *s, char *text, size_t n)
{
	AN(s->unsent == NULL);
	s->unsent = mem_alloc(n + 32);
	if (s->chunked)
		s->to = (size_t)snprintf(s->unsent, 32, "%zx\r\n", n);
	memcpy(s->unsent + s->to, text, n);
	s->to += n;
	if (s->chunked) {
		memcpy(s->unsent + s->to, "\r\n", 2);
		s->to += 2;
	}
	free(text);
	flush(s);
}

/* One that is on its way is the next worker's to tell. */
static void
tell(struct stream *s, const struct news *news)
{
	const struct conn *c = s->c;
	size_t n;
	char *text;

	if (s->unsent != NULL || conn_is_away(c) || c->is_opening)
		return;
	text = compose(s, news, &n);
	say(s, text, n);
}

static void
schedule(struct events *e, unsigned ms)
{
	struct timeval tv = {.tv_usec = (suseconds_t)ms * 1000};

	if (e->n > 0)
		evtimer_add(&e->tick, &tv);
}

/* There is one that has waited for its first word here. */
static void
tell_soon(struct events *e)
{
	if (!e->soon)
		schedule(e, SOON_MS);
	e->soon = true;
}

static void
on_tick(evutil_socket_t fd, short what, void *arg)
{
	struct events *e = arg;
	struct news news = make_news();
	struct stream *s, *next;

	(void)fd;
	(void)what;
	for (s = TAILQ_FIRST(&e->streams); s != NULL; s = next) {
		next = TAILQ_NEXT(s, link); /* it may be closed now, but no other */
		tell(s, &news);
	}
	free_news(&news);
	e->soon = false;
	schedule(e, EVERY_MS);
}

/* --- life --- */

/* From here on the connection is a stream. */
static struct stream *
become(struct conn *c, struct events *e)
{
	struct stream *s = mem_alloc(sizeof *s);

	s->c = c;
	c->service = &e->service;
	c->data = s;
	TAILQ_INSERT_TAIL(&e->streams, s, link);
	e->n++;
	return s;
}

static void
release(struct conn *c)
{
	struct stream *s = c->data;

	if (s == NULL)
		return;
	TAILQ_REMOVE(&events_of(c)->streams, s, link);
	events_of(c)->n--;
	mem_free(&s->unsent);
	mem_free(&s);
	c->data = NULL;
}

/* Where a client that comes back was. */
static void
go_on_from(struct stream *s, const char *id)
{
	uint64_t n, seq;

	if (id == NULL || sscanf(id, "%" SCNu64 ".%" SCNu64, &n, &seq) != 2)
		return;
	s->n = n;
	s->seq = seq;
	s->begun = true;
}

static void
on_head_sent(void *arg)
{
	baton_request r = {(uint64_t)(uintptr_t)arg};
	const char *header = baton_request_header(r, "Last-Event-ID");
	char *id = header != NULL ? mem_strdup(header) : NULL;
	bool chunked = false;
	struct conn *c = serve_handlers_leave(r, &chunked);
	struct stream *s;

	if (c != NULL) {
		s = become(c, http_of(c)->events);
		s->chunked = chunked;
		go_on_from(s, id);
		conn_hear(c, true);
		conn_set_state(c, CONN_IDLE);
		if (!conn_moves(c))
			tell_soon(events_of(c));
	}
	free(id);
}

bool
events_room(baton_request r)
{
	struct conn *c = serve_handlers_connection(r);

	return http_of(c)->events->n < STREAMS_MAX;
}

_Static_assert(sizeof(void *) >= sizeof(uint64_t), "a request's number fits a pointer");

void
events_begin(baton_request r)
{
	bool bare = strcmp(baton_request_method(r), "HEAD") == 0;

	baton_answer_begin(r, 200, "text/event-stream");
	if (bare)
		baton_answer_end(r);
	else
		baton_answer_flushed(r, on_head_sent, (void *)(uintptr_t)r.id);
}

/* Discard what the client sends, and watch for its end.  One read a turn: it may send as
 * fast as we read. */
static void
readable(struct conn *c)
{
	static char waste[16384];
	ssize_t n = conn_read(c, waste, sizeof waste);

	if (n == 0)
		conn_done(c, "closed by the peer");
	else if (n == CONN_ERROR)
		conn_close(c, "broken by the peer");
}

static void
writable(struct conn *c)
{
	flush(c->data);
}

/* Nobody goes on with it: the client asks again, somewhere. */
static void
drain(struct conn *c)
{
	struct stream *s = c->data;

	if (!conn_ends_here(c))
		return;
	s->ends = true;
	if (s->unsent == NULL)
		end(s);
}

/* --- moving --- */

static bool
freeze(struct conn *c, struct handoff_record *r)
{
	static struct frozen frozen;
	const struct stream *s = c->data;

	frozen = (struct frozen){s->n, s->seq, s->begun, s->chunked};
	r->blob = (struct handoff_bytes){(const char *)&frozen, sizeof frozen};
	r->blob_version = EVENTS_BLOB;
	if (s->unsent != NULL)
		r->unsent = (struct handoff_bytes){s->unsent + s->from, s->to - s->from};
	return true;
}

const char *
events_thaw(struct conn *c, struct handoff_record *r)
{
	struct events *e = http_of(c)->events;
	struct frozen frozen;
	struct stream *s;

	if (r->blob.n != sizeof frozen || r->unread.n > 0 ||
	    (r->unsent.n > 0) != (c->state == CONN_BUSY))
		return "its state is not one of a stream of events";
	memcpy(&frozen, r->blob.p, sizeof frozen);
	s = become(c, e);
	s->n = frozen.n;
	s->seq = frozen.seq;
	s->begun = frozen.begun != 0;
	s->chunked = frozen.chunked != 0;
	if (r->unsent.n == 0)
		return NULL;
	s->unsent = mem_alloc(r->unsent.n);
	memcpy(s->unsent, r->unsent.p, r->unsent.n);
	s->to = r->unsent.n;
	conn_want_write(c);
	timelist_join(e->http->send, &c->timed);
	return NULL;
}

static void
resume(struct conn *c)
{
	tell_soon(events_of(c));
}

static const struct service_type stream_type = {
    .name = "admin",
    .logs_requests = true,
    .readable = readable,
    .writable = writable,
    .drain = drain,
    .freeze = freeze,
    .thaw = events_thaw,
    .resume = resume,
    .release = release,
};

/* --- start and stop --- */

void
events_start(struct http *h, struct event_base *base)
{
	struct events *e = mem_alloc(sizeof *e);

	e->service = (struct service){.type = &stream_type, .conf = h->conf, .base = base};
	e->service.data = e;
	e->http = h;
	TAILQ_INIT(&e->streams);
	evtimer_assign(&e->tick, base, on_tick, e);
	h->events = e;
}

void
events_stop(struct http *h)
{
	event_del(&h->events->tick);
	mem_free(&h->events);
}
