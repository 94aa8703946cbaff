#include "service/http/call.h"

#include <sys/queue.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include <event2/event.h>
#include <event2/event_struct.h>
#include <http_parser.h>

#include "baton.h"
#include "base/log.h"
#include "base/mem.h"
#include "service/http/answer.h"
#include "service/http/exchange.h"
#include "service/http/http.h"
#include "service/http/request.h"
#include "service/http/respond.h"
#include "service/http/route.h"
#include "worker/conn.h"
#include "worker/ctx.h"
#include "worker/runtime.h"

#define DEADLINE_MS 30000 /* of a route that names none */
#define HEADERS_MAX 8192  /* of the handler's own */
#define CALLS_KEPT  128
#define LAST_TURNS  4 /* a task's end, and its group's, are heard by then */

_Static_assert(HEADERS_MAX + 1024 < ANSWER_HEAD_MAX, "a head has room for them");

enum state {
	COLLECTING, /* the body */
	WAITING,    /* for the handler */
	STREAMING,  /* the handler has begun an answer in pieces */
	ANSWERED,   /* all of the answer is there, if not sent */
};

/* A piece of an answer, in the form it is sent in. */
struct piece {
	STAILQ_ENTRY(piece) link;
	size_t n;
	char bytes[];
};

/* A text that the handler was given. */
struct text {
	struct text *next;
	char bytes[];
};

struct call {
	struct exchange *x;
	uint32_t slot; /* in the table of handles */
	bool has_slot;
	bool handling; /* the handler is running: no need to wake anybody */
	bool ready;    /* is on that list */
	bool cut;      /* the connection is to be closed */
	enum state state;
	STAILQ_ENTRY(call) ready_link;
	struct baton_ctx *ctx;
	struct baton_watch watch;
	struct route_match match;
	struct text *texts;
	char *body;
	size_t nbody, body_room;
	char *headers; /* of the answer */
	size_t nheaders;
	bool bare;    /* the answer has no body: HEAD, 204, 304 */
	bool chunked; /* else it ends with the connection */
	STAILQ_HEAD(, piece) pieces;
	size_t unsent; /* of them, and of sending */
	struct piece *sending;
	void (*flushed)(void *arg);
	void *flushed_arg;
};

/* What a handle means: `call` if its generation is this one. */
struct slot {
	struct call *call;
	uint32_t generation;
	int cause; /* how the one before ended */
	uint32_t next_free;
};

static struct {
	struct slot *slot;
	size_t nslot;
	uint32_t free; /* UINT32_MAX: none */
	STAILQ_HEAD(, call) ready;
	struct event turn;
	struct baton_freelist unused;
} cl = {.unused = {.size = sizeof(struct call), .max = CALLS_KEPT}};

static void on_turn(evutil_socket_t fd, short what, void *arg);

void
call_start(void)
{
	if (cl.slot != NULL)
		return;
	cl.free = UINT32_MAX;
	STAILQ_INIT(&cl.ready);
	evtimer_assign(&cl.turn, runtime_base(), on_turn, NULL);
	cl.slot = mem_grow(NULL, 0, sizeof *cl.slot);
}

void
call_stop(void)
{
	if (cl.slot == NULL)
		return;
	event_del(&cl.turn);
	mem_free(&cl.slot);
	cl.nslot = 0;
	baton_freelist_empty(&cl.unused);
}

/* --- handles --- */

static baton_request
handle_of(const struct call *call)
{
	return (baton_request){(uint64_t)cl.slot[call->slot].generation << 32 | call->slot};
}

static void
take_slot(struct call *call)
{
	uint32_t i = cl.free;

	if (i != UINT32_MAX) {
		cl.free = cl.slot[i].next_free;
	} else {
		cl.slot = mem_grow(cl.slot, cl.nslot, sizeof *cl.slot);
		i = (uint32_t)cl.nslot++;
		cl.slot[i] = (struct slot){.generation = 1};
	}
	cl.slot[i].call = call;
	call->slot = i;
	call->has_slot = true;
}

static void
give_slot_back(struct call *call, int cause)
{
	struct slot *s = &cl.slot[call->slot];

	if (!call->has_slot)
		return;
	call->has_slot = false;
	s->call = NULL;
	s->cause = cause;
	s->generation++;
	s->next_free = cl.free;
	cl.free = call->slot;
}

/* The call behind a handle, or NULL and *status. */
static struct call *
find(baton_request r, int *status)
{
	uint32_t i = (uint32_t)r.id, generation = (uint32_t)(r.id >> 32);
	struct slot *s;

	*status = BATON_ANSWERED;
	if (i >= cl.nslot)
		return NULL;
	s = &cl.slot[i];
	if (s->generation == generation && s->call != NULL)
		return s->call;
	if (s->generation == generation + 1)
		*status = s->cause;
	return NULL;
}

static struct call *
look_up(baton_request r)
{
	int status;

	return find(r, &status);
}

/* --- life --- */

static struct http *
http_of_call(const struct call *call)
{
	return http_of(call->x->conn);
}

void
call_begin(struct conn *c, struct exchange *x)
{
	struct call *call;

	(void)c;
	if (x->call != NULL)
		return;
	call = baton_freelist_get(&cl.unused);
	call->x = x;
	STAILQ_INIT(&call->pieces);
	x->call = call;
}

static void
end_later(void *arg)
{
	struct baton_ctx *ctx = arg;

	baton_ctx_cancel(ctx, BATON_ANSWERED);
	baton_ctx_drop(&ctx);
}

/* The request is over for the handler.  What still runs below its ctx is told: from the
 * loop's top level if it is the handler that has just answered. */
static void
end_request(struct call *call, int cause)
{
	struct baton_ctx *ctx = call->ctx;

	give_slot_back(call, cause);
	call->ctx = NULL;
	baton_ctx_unwatch(&call->watch);
	if (ctx == NULL)
		return;
	if (cause != BATON_ANSWERED)
		baton_ctx_cancel(ctx, cause);
	else if (!ctx_lonely(ctx)) {
		baton_post(end_later, ctx);
		return;
	}
	baton_ctx_drop(&ctx);
}

static void
free_pieces(struct call *call)
{
	struct piece *p;

	while ((p = STAILQ_FIRST(&call->pieces)) != NULL) {
		STAILQ_REMOVE_HEAD(&call->pieces, link);
		free(p);
	}
	mem_free(&call->sending);
}

static void
destroy(struct call *call)
{
	struct text *t;

	if (call->ready)
		STAILQ_REMOVE(&cl.ready, call, call, ready_link);
	free_pieces(call);
	while ((t = call->texts) != NULL) {
		call->texts = t->next;
		free(t);
	}
	free(call->body);
	free(call->headers);
	baton_freelist_put(&cl.unused, call);
}

void
call_gone(struct exchange *x)
{
	struct call *call = x->call;

	x->call = NULL;
	end_request(call, BATON_CLOSED);
	destroy(call);
}

void
call_body(struct exchange *x, const char *bytes, size_t n)
{
	struct call *call = x->call;

	if (call->nbody + n >= call->body_room) {
		call->body_room = (call->nbody + n + 1) * 2;
		call->body = mem_realloc(call->body, call->body_room);
	}
	memcpy(call->body + call->nbody, bytes, n);
	call->nbody += n;
	call->body[call->nbody] = '\0';
}

/* --- the answer's way out --- */

/* Go on with the connection from the loop's top level. */
static void
wake(struct call *call)
{
	if (call->handling || call->ready)
		return;
	if (STAILQ_EMPTY(&cl.ready))
		event_active(&cl.turn, EV_TIMEOUT, 0);
	STAILQ_INSERT_TAIL(&cl.ready, call, ready_link);
	call->ready = true;
}

/* The next piece, if there is one. */
static bool
next_piece(struct call *call)
{
	struct piece *p = STAILQ_FIRST(&call->pieces);

	if (call->sending != NULL)
		call->unsent -= call->sending->n;
	mem_free(&call->sending);
	if (p == NULL)
		return false;
	STAILQ_REMOVE_HEAD(&call->pieces, link);
	call->sending = p;
	call->x->out = p->bytes;
	call->x->out_len = p->n;
	call->x->phase = PHASE_ANSWER;
	return true;
}

static void
tell_flushed(struct call *call)
{
	void (*fn)(void *) = call->flushed;

	call->flushed = NULL;
	if (fn != NULL)
		baton_post(fn, call->flushed_arg);
}

bool
call_continues(struct exchange *x)
{
	struct call *call = x->call;

	if (call->state != COLLECTING && next_piece(call))
		return true;
	if (call->state == STREAMING) {
		x->phase = PHASE_CALL;
		tell_flushed(call);
		return true;
	}
	x->call = NULL;
	destroy(call);
	return false;
}

static void
go_on(struct call *call)
{
	struct exchange *x = call->x;
	struct conn *c = x->conn;

	if (call->cut) {
		conn_close(c, "its answer was not ended in time");
		return;
	}
	if (c->writing)
		return; /* it will come by itself */
	if (x->phase == PHASE_CALL && !next_piece(call))
		return;
	if (!c->watched && !c->is_opening)
		conn_watch(c);
	if (!c->closed)
		http_go_on(c);
}

static void
on_turn(evutil_socket_t fd, short what, void *arg)
{
	struct call *call;

	(void)fd;
	(void)what;
	(void)arg;
	while ((call = STAILQ_FIRST(&cl.ready)) != NULL) {
		STAILQ_REMOVE_HEAD(&cl.ready, ready_link);
		call->ready = false;
		go_on(call);
	}
}

void
call_wait(struct conn *c, struct exchange *x)
{
	timelist_leave(&c->timed);
	if (exchange_room(c, x) == 0)
		conn_unwatch(c); /* requests ahead fill the buffer: the client has to wait */
}

void
call_hung_up(struct conn *c, struct exchange *x)
{
	if (exchange_room(c, x) == 0) {
		conn_unwatch(c);
		return;
	}
	conn_close(c, "the client hung up");
}

/* --- the end of its time --- */

static void
answer_for(struct call *call, int status, int cause)
{
	struct exchange *x = call->x;

	call->state = ANSWERED;
	respond_status(x->conn, x, status);
	end_request(call, cause);
	wake(call);
}

static void
give_up(struct call *call, int cause)
{
	const struct baton_route *route = call->match.route;
	const char *service = http_of_call(call)->conf->name;

	if (call->state == STREAMING) {
		log_warn("[service:%s] %s %s: its answer was not ended in time (%s): cut off",
		         service, route->method, route->path, baton_status_text(cause));
		call->cut = true;
		wake(call);
	} else if (cause == BATON_DRAIN) {
		answer_for(call, 503, cause);
	} else {
		log_warn("[service:%s] %s %s was not answered (%s): answered %d in its name",
		         service, route->method, route->path, baton_status_text(cause),
		         cause == BATON_DEADLINE ? 504 : 500);
		answer_for(call, cause == BATON_DEADLINE ? 504 : 500, cause);
	}
}

/* What the end of the ctx has ended tells the handler in the next turns of the loop, and
 * it may answer then. */
struct last_chance {
	baton_request r;
	int cause, turns;
};

static void
on_last_chance(void *arg)
{
	struct last_chance *l = arg;
	struct call *call = look_up(l->r);

	if (call != NULL && --l->turns > 0) {
		baton_post(on_last_chance, l);
		return;
	}
	if (call != NULL)
		give_up(call, l->cause);
	free(l);
}

/* After the handler's own watches. */
static void
on_end(void *arg, int cause)
{
	struct call *call = arg;
	struct last_chance *l = mem_alloc(sizeof *l);

	*l = (struct last_chance){handle_of(call), cause, LAST_TURNS};
	baton_post(on_last_chance, l);
}

static void
need_ctx(struct call *call)
{
	uint64_t ms = call->match.route->deadline_ms;

	if (call->ctx != NULL)
		return;
	call->ctx = baton_ctx_new_at(NULL, ms != 0 ? ms : DEADLINE_MS, call->match.route->path);
	if (baton_ctx_watch(call->ctx, &call->watch, on_end, call) != 0)
		answer_for(call, 503, BATON_DRAIN);
}

/* --- to the handler --- */

static void
refuse_method(struct conn *c, struct exchange *x, const struct request_text *path)
{
	static const char body[] = "405 Method Not Allowed\n";
	char allow[256];
	size_t len = respond_head(c, x, 405), n = sizeof body - 1;

	len = answer_header(x->text, len,
	                    "Allow: %s\r\nContent-Type: text/plain\r\nContent-Length: %zu\r\n",
	                    route_allow(http_of(c)->routes, path, allow, sizeof allow), n);
	len = answer_end(x->text, len);
	memcpy(x->text + len, body, n);
	respond_text(x, len + (x->request.method == HTTP_HEAD ? 0 : n));
}

void
call_route(struct conn *c, struct exchange *x)
{
	const char *method = http_method_str((enum http_method)x->request.method);
	struct request_text path, query;
	struct call *call;
	int status;

	call_begin(c, x);
	call = x->call;
	request_split(&x->request.target, &path, &query);
	status = route_find(http_of(c)->routes, method, &path, &call->match);
	if (status == 405)
		refuse_method(c, x, &path);
	else if (status != 0)
		respond_status(c, x, status);
	if (status != 0)
		return;
	x->phase = PHASE_CALL;
	call->state = WAITING;
	take_slot(call);
	call->handling = true;
	call->match.route->handle(handle_of(call));
	if (call->has_slot)
		need_ctx(call);
	call->handling = false;
}

/* --- baton.h: the request --- */

static const char *
keep_text(struct call *call, char *bytes)
{
	size_t n = strlen(bytes) + 1;
	struct text *t = mem_alloc(sizeof *t + n);

	memcpy(t->bytes, bytes, n);
	t->next = call->texts;
	call->texts = t;
	free(bytes);
	return t->bytes;
}

struct baton_service *
baton_request_service(baton_request r)
{
	struct call *call = look_up(r);

	return call != NULL ? http_of_call(call)->owner : NULL;
}

struct baton_ctx *
baton_request_ctx(baton_request r)
{
	struct call *call = look_up(r);

	if (call == NULL)
		return NULL;
	need_ctx(call);
	return call->ctx;
}

const char *
baton_request_method(baton_request r)
{
	struct call *call = look_up(r);

	return call != NULL ? http_method_str((enum http_method)call->x->request.method) : NULL;
}

const char *
baton_request_path(baton_request r)
{
	struct call *call = look_up(r);
	struct request_text path, query;

	if (call == NULL)
		return NULL;
	request_split(&call->x->request.target, &path, &query);
	return keep_text(call, mem_strndup(path.p, path.n));
}

const char *
baton_request_var(baton_request r, const char *name)
{
	struct call *call = look_up(r);

	for (size_t i = 0; call != NULL && i < call->match.n; i++) {
		struct route_var *v = &call->match.var[i];

		if (strlen(name) == v->name.n && memcmp(name, v->name.p, v->name.n) == 0)
			return keep_text(call, request_decode(&v->value, false));
	}
	return NULL;
}

/* Is that parameter called name?  Then *value is what stands after its '='. */
static bool
is_parameter(struct request_text t, const char *name, struct request_text *value)
{
	const char *sign = memchr(t.p, '=', t.n);
	struct request_text key = {t.p, sign != NULL ? (size_t)(sign - t.p) : t.n};
	char *decoded = request_decode(&key, true);
	bool is = strcmp(decoded, name) == 0;

	free(decoded);
	*value = (struct request_text){t.p + t.n, 0};
	if (sign != NULL)
		*value = (struct request_text){sign + 1, t.n - key.n - 1};
	return is;
}

const char *
baton_request_query(baton_request r, const char *name)
{
	struct call *call = look_up(r);
	struct request_text path, query, value;

	if (call == NULL)
		return NULL;
	request_split(&call->x->request.target, &path, &query);
	while (query.p != NULL) {
		const char *amp = memchr(query.p, '&', query.n);
		struct request_text t = query;

		if (amp != NULL)
			t.n = (size_t)(amp - query.p);
		if (is_parameter(t, name, &value))
			return keep_text(call, request_decode(&value, true));
		query.p = amp != NULL ? amp + 1 : NULL;
		query.n -= amp != NULL ? t.n + 1 : 0;
	}
	return NULL;
}

const char *
baton_request_header(baton_request r, const char *name)
{
	struct call *call = look_up(r);
	struct request_text v;
	struct exchange *x;

	if (call == NULL)
		return NULL;
	x = call->x;
	v = request_header(x->in + x->body_at - x->head_len, x->head_len, name);
	return v.p != NULL ? keep_text(call, mem_strndup(v.p, v.n)) : NULL;
}

const char *
baton_request_body(baton_request r, size_t *n)
{
	struct call *call = look_up(r);

	*n = call != NULL ? call->nbody : 0;
	if (call == NULL)
		return NULL;
	return call->body != NULL ? call->body : "";
}

char *
baton_request_take_body(baton_request r, size_t *n)
{
	struct call *call = look_up(r);
	char *body;

	*n = call != NULL ? call->nbody : 0;
	if (call == NULL)
		return NULL;
	body = call->body != NULL ? call->body : mem_strdup("");
	call->body = NULL;
	call->nbody = call->body_room = 0;
	return body;
}

/* --- baton.h: the answer --- */

/* Nothing in it could begin another header. */
static bool
is_clean(const char *text)
{
	for (; *text != '\0'; text++)
		if (((unsigned char)*text < 0x20 && *text != '\t') || *text == 0x7f)
			return false;
	return true;
}

static bool
is_name(const char *name)
{
	static const char *const ours[] = {"Content-Length", "Transfer-Encoding", "Connection",
	                                   "Date", NULL};

	for (size_t i = 0; ours[i] != NULL; i++)
		if (strcasecmp(name, ours[i]) == 0)
			return false;
	for (const char *p = name; *p != '\0'; p++)
		if (strchr("!#$%&'*+-.^_`|~", *p) == NULL && !(*p >= '0' && *p <= '9') &&
		    !(*p >= 'a' && *p <= 'z') && !(*p >= 'A' && *p <= 'Z'))
			return false;
	return *name != '\0';
}

int
baton_answer_header(baton_request r, const char *name, const char *value)
{
	int status;
	struct call *call = find(r, &status);
	size_t n = strlen(name) + strlen(value) + 4;

	if (call == NULL)
		return status;
	if (call->state != WAITING)
		return BATON_ANSWERED;
	if (!is_name(name) || !is_clean(value))
		return BATON_INVALID;
	if (call->nheaders + n >= HEADERS_MAX)
		return BATON_FULL;
	if (call->headers == NULL)
		call->headers = mem_alloc(HEADERS_MAX);
	call->nheaders +=
	    (size_t)snprintf(call->headers + call->nheaders, HEADERS_MAX - call->nheaders,
	                     "%s: %s\r\n", name, value);
	return 0;
}

/* The call of a handle that may be answered now in this way; else NULL and *status. */
static struct call *
to_answer(baton_request r, int *status, int code, const char *type)
{
	struct call *call = find(r, status);

	if (call == NULL)
		return NULL;
	*status = BATON_ANSWERED;
	if (call->state != WAITING)
		return NULL;
	*status = BATON_INVALID;
	if (code < 200 || code > 599 ||
	    (type != NULL && (!is_clean(type) || strlen(type) > 512)))
		return NULL;
	call->bare = code == 204 || code == 304 || call->x->request.method == HTTP_HEAD;
	return call;
}

/* The head up to what tells the length. */
static size_t
begin_head(struct call *call, int code, const char *type)
{
	struct exchange *x = call->x;
	size_t len = respond_head(x->conn, x, code);

	if (type != NULL)
		len = answer_header(x->text, len, "Content-Type: %s\r\n", type);
	if (call->nheaders > 0)
		len = answer_header(x->text, len, "%s", call->headers);
	return len;
}

/* A body that has room behind the head goes there. */
static void
add_body(struct call *call, size_t head, const void *body, size_t n)
{
	struct exchange *x = call->x;
	struct piece *p;

	if (n <= sizeof x->text - head) {
		memcpy(x->text + head, body, n);
		respond_text(x, head + n);
		return;
	}
	p = mem_alloc(sizeof *p + n);
	p->n = n;
	memcpy(p->bytes, body, n);
	respond_text(x, head);
	call->sending = p;
	call->unsent = n;
	x->more = p->bytes;
	x->more_len = n;
}

int
baton_answer(baton_request r, int status, const char *type, const void *body, size_t n)
{
	int result;
	struct call *call = to_answer(r, &result, status, type);
	size_t len;

	if (call == NULL)
		return result;
	len = begin_head(call, status, type);
	if (status != 204 && status != 304)
		len = answer_header(call->x->text, len, "Content-Length: %zu\r\n", n);
	len = answer_end(call->x->text, len);
	add_body(call, len, body, call->bare ? 0 : n);
	call->state = ANSWERED;
	end_request(call, BATON_ANSWERED);
	wake(call);
	return 0;
}

int
baton_answer_begin(baton_request r, int status, const char *type)
{
	int result;
	struct call *call = to_answer(r, &result, status, type);
	struct exchange *x;
	size_t len;

	if (call == NULL)
		return result;
	x = call->x;
	call->chunked = !x->request.http10;
	if (!call->chunked)
		x->close = true;
	len = begin_head(call, status, type);
	if (call->chunked && status != 204 && status != 304)
		len = answer_header(x->text, len, "Transfer-Encoding: chunked\r\n");
	respond_text(x, answer_end(x->text, len));
	call->state = STREAMING;
	wake(call);
	return 0;
}

static void
add_piece(struct call *call, const void *bytes, size_t n)
{
	struct piece *p = mem_alloc(sizeof *p + n + 32);

	if (call->chunked)
		p->n = (size_t)snprintf(p->bytes, 32, "%zx\r\n", n);
	memcpy(p->bytes + p->n, bytes, n);
	p->n += n;
	if (call->chunked)
		memcpy(p->bytes + p->n, "\r\n", 2);
	p->n += call->chunked ? 2 : 0;
	STAILQ_INSERT_TAIL(&call->pieces, p, link);
	call->unsent += p->n;
}

int
baton_answer_write(baton_request r, const void *bytes, size_t n)
{
	int status;
	struct call *call = find(r, &status);

	if (call == NULL)
		return status;
	if (call->state != STREAMING)
		return BATON_INVALID;
	if (call->bare || n == 0)
		return 0;
	if (call->unsent > 0 && call->unsent + n > (size_t)http_of_call(call)->conf->max_unsent)
		return BATON_FULL;
	add_piece(call, bytes, n);
	wake(call);
	return 0;
}

int
baton_answer_end(baton_request r)
{
	int status;
	struct call *call = find(r, &status);

	if (call == NULL)
		return status;
	if (call->state != STREAMING)
		return BATON_INVALID;
	if (call->chunked && !call->bare)
		add_piece(call, "", 0);
	call->state = ANSWERED;
	end_request(call, BATON_ANSWERED);
	if (call->x->phase == PHASE_CALL && STAILQ_EMPTY(&call->pieces))
		call->x->phase = PHASE_ANSWER; /* nothing to say, but the end */
	wake(call);
	return 0;
}

int
baton_answer_flushed(baton_request r, void (*fn)(void *arg), void *arg)
{
	int status;
	struct call *call = find(r, &status);

	if (call == NULL)
		return status;
	call->flushed = fn;
	call->flushed_arg = arg;
	if (call->x->phase == PHASE_CALL && STAILQ_EMPTY(&call->pieces))
		tell_flushed(call);
	return 0;
}
