/* handler_request: baton.h, what a handler asks of his request. */
#include "baton.h"
#include "base/mem.h"
#include "service/http/asked.h"
#include "service/http/called.h"
#include "service/http/exchange.h"
#include "service/http/handle.h"

struct asked
call_asked(struct call *call)
{
	struct exchange *x = call->x;

	return (struct asked){.request = &x->request,
	                      .match = &call->match,
	                      .head = x->in + x->body_at - x->head_len,
	                      .head_len = x->head_len,
	                      .texts = &call->texts};
}

/* False: it is over. */
static bool
ask(const char *function, baton_request r, struct asked *a)
{
	struct call *call = handle_look_up(function, r);

	if (call == NULL)
		return false;
	*a = call_asked(call);
	return true;
}

struct baton_service *
baton_request_service(baton_request r)
{
	struct call *call = handle_look_up(__func__, r);

	return call != NULL ? call_http(call)->owner : NULL;
}

struct baton_ctx *
baton_request_ctx(baton_request r)
{
	struct call *call = handle_look_up(__func__, r);

	if (call == NULL)
		return NULL;
	call_need_ctx(call);
	return call->ctx;
}

int
baton_request_refused(baton_request r)
{
	struct call *call = handle_look_up(__func__, r);

	return call != NULL ? call->refused : 0;
}

const char *
baton_request_method(baton_request r)
{
	struct asked a;

	return ask(__func__, r, &a) ? asked_method(&a) : NULL;
}

const char *
baton_request_path(baton_request r)
{
	struct asked a;

	return ask(__func__, r, &a) ? asked_path(&a) : NULL;
}

const char *
baton_request_var(baton_request r, const char *name)
{
	struct asked a;

	return ask(__func__, r, &a) ? asked_var(&a, name) : NULL;
}

const char *
baton_request_segment(baton_request r, const char *name)
{
	struct asked a;

	return ask(__func__, r, &a) ? asked_segment(&a, name) : NULL;
}

const char *
baton_request_query(baton_request r, const char *name)
{
	struct asked a;

	return ask(__func__, r, &a) ? asked_query(&a, name) : NULL;
}

const char *
baton_request_header(baton_request r, const char *name)
{
	struct asked a;

	return ask(__func__, r, &a) ? asked_header(&a, name) : NULL;
}

const char *
baton_request_body(baton_request r, size_t *n)
{
	struct call *call = handle_look_up(__func__, r);

	*n = 0;
	if (call == NULL)
		return NULL;
	if (call->streamed || call->body == NULL)
		return "";
	*n = call->nbody;
	return call->body;
}

char *
baton_request_take_body(baton_request r, size_t *n)
{
	struct call *call = handle_look_up(__func__, r);
	char *body;

	*n = 0;
	if (call == NULL)
		return NULL;
	if (call->streamed || call->body == NULL)
		return mem_strdup("");
	*n = call->nbody;
	body = call->body;
	call->body = NULL;
	call->nbody = call->body_room = 0;
	return body;
}
