/* handler_request: baton.h, what a handler asks of his request. */
#include "base/mem.h"
#include "baton.h"
#include "service/http/exchange.h"
#include "service/http/handler_facts.h"
#include "service/http/handler_id.h"
#include "service/http/handler_int.h"
#include "service/told.h"

struct handler_facts
handler_asked(struct handler *handler)
{
	struct exchange *x = handler->x;

	return (struct handler_facts){.request = &x->request,
	                              .match = &handler->match,
	                              .head = x->in + x->body_at - x->head_len,
	                              .head_len = x->head_len,
	                              .texts = &handler->texts};
}

/* False: it is over. */
static bool
ask(const char *function, baton_request r, struct handler_facts *a)
{
	struct handler *handler = handler_id_look_up(function, r);

	if (handler == NULL)
		return false;
	*a = handler_asked(handler);
	return true;
}

struct baton_service *
baton_request_service(baton_request r)
{
	struct handler *handler = handler_id_look_up(__func__, r);

	return handler != NULL ? call_http(handler)->owner : NULL;
}

struct baton_ctx *
baton_request_ctx(baton_request r)
{
	struct handler *handler = handler_id_look_up(__func__, r);

	if (handler == NULL)
		return NULL;
	handler_need_ctx(handler);
	return handler->ctx;
}

int
baton_request_refused(baton_request r)
{
	struct handler *handler = handler_id_look_up(__func__, r);

	return handler != NULL ? handler->refused : 0;
}

const char *
baton_request_method(baton_request r)
{
	struct handler_facts a;

	return ask(__func__, r, &a) ? handler_facts_method(&a) : NULL;
}

const char *
baton_request_path(baton_request r)
{
	struct handler_facts a;

	return ask(__func__, r, &a) ? handler_facts_path(&a) : NULL;
}

const char *
baton_request_var(baton_request r, const char *name)
{
	struct handler_facts a;

	return ask(__func__, r, &a) ? handler_facts_var(&a, name) : NULL;
}

const char *
baton_request_segment(baton_request r, const char *name)
{
	struct handler_facts a;

	return ask(__func__, r, &a) ? handler_facts_segment(&a, name) : NULL;
}

const char *
baton_request_query(baton_request r, const char *name)
{
	struct handler_facts a;

	return ask(__func__, r, &a) ? handler_facts_query(&a, name) : NULL;
}

const char *
baton_request_header(baton_request r, const char *name)
{
	struct handler_facts a;

	return ask(__func__, r, &a) ? handler_facts_header(&a, name) : NULL;
}

bool
baton_request_tls(baton_request r, struct baton_tls *tls)
{
	struct handler *handler = handler_id_look_up(__func__, r);

	return told_tls(handler != NULL ? handler->x->conn : NULL, tls);
}

const char *
baton_request_body(baton_request r, size_t *n)
{
	struct handler *handler = handler_id_look_up(__func__, r);

	*n = 0;
	if (handler == NULL)
		return NULL;
	if (handler->streamed || handler->body == NULL)
		return "";
	*n = handler->nbody;
	return handler->body;
}

char *
baton_request_take_body(baton_request r, size_t *n)
{
	struct handler *handler = handler_id_look_up(__func__, r);
	char *body;

	*n = 0;
	if (handler == NULL)
		return NULL;
	if (handler->streamed || handler->body == NULL)
		return mem_strdup("");
	*n = handler->nbody;
	body = handler->body;
	handler->body = NULL;
	handler->nbody = handler->body_room = 0;
	return body;
}
