#include "service/http/work.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/mem.h"
#include "service/http/exchange.h"
#include "service/http/handler_facts.h"
#include "service/http/handler_id.h"
#include "service/http/handler_int.h"
#include "service/head/request.h"

struct baton_work {
	baton_request r; /* of the loop */
	struct baton_service *owner;
	struct baton_ctx *ctx; /* the task holds it */
	int refused;
	/* the copy */
	struct request request;
	struct route_match match;
	char *head;
	size_t head_len;
	struct asked_text *texts;
	char *body; /* NULL: none */
	size_t nbody;
	/* the answer */
	int status;
	char *headers;
	size_t nheaders;
	char *answer;
	size_t nanswer, answer_room;
};

/* --- the copy --- */

static struct baton_work *
copy(struct handler *handler)
{
	struct baton_work *w = mem_alloc(sizeof *w);
	struct handler_facts a = handler_asked(handler);

	w->r = handler->handle;
	w->owner = call_http(handler)->owner;
	w->ctx = handler->ctx;
	w->refused = handler->refused;
	w->head = mem_strndup(a.head, a.head_len);
	w->head_len = a.head_len;
	w->request = *a.request;
	request_move(&w->request, a.head, w->head);
	w->match = *a.match;
	for (size_t i = 0; i < w->match.n; i++)
		request_text_move(&w->match.var[i].value, a.head, w->head);
	w->body = baton_request_take_body(handler->handle, &w->nbody);
	return w;
}

static void
destroy(void *arg)
{
	struct baton_work *w = arg;

	handler_facts_free(&w->texts);
	free(w->head);
	free(w->body);
	free(w->headers);
	free(w->answer);
	free(w);
}

/* --- there and back --- */

/* In the thread. */
static int
run(void *arg)
{
	struct baton_work *w = arg;

	w->status = w->match.route->work(w);
	return 0;
}

static void
answer(struct handler *handler, struct baton_work *w)
{
	const struct baton_route *route = w->match.route;

	handler->headers = w->headers;
	handler->nheaders = w->nheaders;
	w->headers = NULL;
	if (baton_answer(w->r, w->status, NULL, w->answer != NULL ? w->answer : "",
	                 w->nanswer) != BATON_INVALID)
		return;
	log_warn("[service:%s] %s %s: its work returned %d, which is no status: answered 500",
	         call_http(handler)->conf->name, route->method, route->path, w->status);
	handler_refuse(handler, 500, BATON_INVALID);
}

/* If its ctx has ended, the request is answered by whom that has ended, as any other. */
static void
done(void *arg, int cause)
{
	struct baton_work *w = arg;
	struct handler *handler = handler_id_look_up(__func__, w->r);

	if (cause == 0 && handler != NULL)
		answer(handler, w);
}

void
work_handle(baton_request r)
{
	struct handler *handler = handler_id_look_up(__func__, r);
	const struct baton_route *route = handler->match.route;
	struct baton_task task = {
	    .name = route->path, .work = run, .done = done, .release = destroy};
	int status;

	handler_need_ctx(handler);
	if (handler->ctx == NULL)
		return; /* the worker is at its end, and it is answered */
	task.limit_ms = route->deadline_ms != 0 ? route->deadline_ms : ROUTE_DEADLINE_MS;
	task.arg = copy(handler);
	status = baton_offload_at(handler->ctx, &task, "a route that blocks");
	if (status == 0)
		return;
	destroy(task.arg);
	handler_refuse(handler, 503, status);
}

/* --- baton.h: in the thread --- */

static struct handler_facts
of_work(struct baton_work *w)
{
	return (struct handler_facts){.request = &w->request,
	                              .match = &w->match,
	                              .head = w->head,
	                              .head_len = w->head_len,
	                              .texts = &w->texts};
}

struct baton_service *
baton_work_service(const struct baton_work *work)
{
	return work->owner;
}

const struct baton_ctx *
baton_work_ctx(const struct baton_work *work)
{
	return work->ctx;
}

int
baton_work_refused(const struct baton_work *work)
{
	return work->refused;
}

const char *
baton_work_method(struct baton_work *work)
{
	struct handler_facts a = of_work(work);

	return handler_facts_method(&a);
}

const char *
baton_work_path(struct baton_work *work)
{
	struct handler_facts a = of_work(work);

	return handler_facts_path(&a);
}

const char *
baton_work_var(struct baton_work *work, const char *name)
{
	struct handler_facts a = of_work(work);

	return handler_facts_var(&a, name);
}

const char *
baton_work_segment(struct baton_work *work, const char *name)
{
	struct handler_facts a = of_work(work);

	return handler_facts_segment(&a, name);
}

const char *
baton_work_query(struct baton_work *work, const char *name)
{
	struct handler_facts a = of_work(work);

	return handler_facts_query(&a, name);
}

const char *
baton_work_header(struct baton_work *work, const char *name)
{
	struct handler_facts a = of_work(work);

	return handler_facts_header(&a, name);
}

const char *
baton_work_body(const struct baton_work *work, size_t *n)
{
	*n = work->nbody;
	return work->body;
}

int
baton_work_answer_header(struct baton_work *work, const char *name, const char *value)
{
	return handler_response_add_header(&work->headers, &work->nheaders, name, value);
}

void
baton_work_write(struct baton_work *work, const void *bytes, size_t n)
{
	if (n == 0)
		return;
	if (work->nanswer + n > work->answer_room) {
		work->answer_room = 2 * (work->nanswer + n);
		work->answer = mem_realloc(work->answer, work->answer_room);
	}
	memcpy(work->answer + work->nanswer, bytes, n);
	work->nanswer += n;
}

void
baton_work_printf(struct baton_work *work, const char *fmt, ...)
{
	va_list ap;
	char *text;

	va_start(ap, fmt);
	text = mem_vprintf(fmt, ap);
	va_end(ap);
	baton_work_write(work, text, strlen(text));
	free(text);
}
