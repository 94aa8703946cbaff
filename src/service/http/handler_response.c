/* answered: baton.h, what a handler answers. */
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "base/mem.h"
#include "baton.h"
#include "service/http/exchange.h"
#include "service/http/framing.h"
#include "service/http/handler_id.h"
#include "service/http/handler_int.h"
#include "service/http/respond.h"
#include "service/http/response_head.h"

#define HEADERS_MAX 8192 /* of the handler's own */

_Static_assert(HEADERS_MAX + 1024 < RESPONSE_HEAD_MAX, "a head has room for them");

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
handler_response_add_header(char **headers, size_t *len, const char *name, const char *value)
{
	size_t n = strlen(name) + strlen(value) + 4;

	if (!is_name(name) || !is_clean(value))
		return BATON_INVALID;
	if (*len + n >= HEADERS_MAX)
		return BATON_FULL;
	if (*headers == NULL)
		*headers = mem_alloc(HEADERS_MAX);
	*len +=
	    (size_t)snprintf(*headers + *len, HEADERS_MAX - *len, "%s: %s\r\n", name, value);
	return 0;
}

int
baton_answer_header(baton_request r, const char *name, const char *value)
{
	int status;
	struct handler *handler = handler_id_find(__func__, r, &status);

	if (handler == NULL)
		return status;
	if (handler->state != HANDLER_WAITING)
		return BATON_ANSWERED;
	return handler_response_add_header(&handler->headers, &handler->nheaders, name, value);
}

/* The handler of a handle that may be answered now in this way; else NULL and *status. */
static struct handler *
to_answer(const char *function, baton_request r, int *status, int code, const char *type)
{
	struct handler *handler = handler_id_find(function, r, status);

	if (handler == NULL)
		return NULL;
	*status = BATON_ANSWERED;
	if (handler->state != HANDLER_WAITING)
		return NULL;
	*status = BATON_INVALID;
	if (code < 200 || code > 599 ||
	    (type != NULL && (!is_clean(type) || strlen(type) > 512)))
		return NULL;
	handler_displace(handler);
	handler->bare = code == 204 || code == 304 || handler->x->request.method == METHOD_HEAD;
	return handler;
}

/* The head up to what tells how its body ends. */
static size_t
begin_head(struct handler *handler, int code, const char *type, enum framing_body body)
{
	struct exchange *x = handler->x;
	char allow[HANDLER_ALLOW_MAX];
	size_t len = respond_head(x, code, body);

	if (type != NULL)
		len = respond_field(x, len, "Content-Type: %s\r\n", type);
	if (code == 405 && handler->refused == 405)
		len = respond_field(x, len, "Allow: %s\r\n",
		                    handler_allow(handler, allow, sizeof allow));
	if (handler->nheaders > 0)
		len = respond_field(x, len, "%s", handler->headers);
	return len;
}

/* A body that has no room behind the head. */
static void
add_body(struct handler *handler, const void *body, size_t n)
{
	struct handler_piece *p = mem_alloc(sizeof *p + n);

	p->n = n;
	memcpy(p->bytes, body, n);
	handler->sending = p;
	handler->unsent = n;
	respond_body(handler->x, p->bytes, n);
}

static enum framing_body
body_of(int status, enum framing_body body)
{
	return status == 204 || status == 304 ? FRAMING_NO_BODY : body;
}

int
baton_answer(baton_request r, int status, const char *type, const void *body, size_t n)
{
	int result;
	struct handler *handler = to_answer(__func__, r, &result, status, type);
	enum framing_body ends = body_of(status, FRAMING_LENGTH);

	if (handler == NULL)
		return result;
	respond_end(handler->x, begin_head(handler, status, type, ends), ends, n);
	if (!handler->bare && !respond_copy(handler->x, body, n))
		add_body(handler, body, n);
	handler->state = HANDLER_ANSWERED;
	handler_end(handler, BATON_ANSWERED);
	handler_wake(handler);
	return 0;
}

int
baton_answer_begin(baton_request r, int status, const char *type)
{
	int result;
	struct handler *handler = to_answer(__func__, r, &result, status, type);
	enum framing_body ends = body_of(status, FRAMING_PIECES);

	if (handler == NULL)
		return result;
	respond_end(handler->x, begin_head(handler, status, type, ends), ends, 0);
	handler->state = HANDLER_STREAMING;
	handler_wake(handler);
	return 0;
}

static void
add_piece(struct handler *handler, const void *bytes, size_t n)
{
	struct handler_piece *p = mem_alloc(sizeof *p + n);

	p->n = n;
	memcpy(p->bytes, bytes, n);
	STAILQ_INSERT_TAIL(&handler->pieces, p, link);
	handler->unsent += n;
}

int
baton_answer_write(baton_request r, const void *bytes, size_t n)
{
	int status;
	struct handler *handler = handler_id_find(__func__, r, &status);

	if (handler == NULL)
		return status;
	if (handler->state != HANDLER_STREAMING)
		return BATON_INVALID;
	if (handler->bare || n == 0)
		return 0;
	if (handler->unsent > 0 &&
	    handler->unsent + n > (size_t)call_http(handler)->conf->max_unsent)
		return BATON_FULL;
	add_piece(handler, bytes, n);
	handler_wake(handler);
	return 0;
}

int
baton_answer_end(baton_request r)
{
	int status;
	struct handler *handler = handler_id_find(__func__, r, &status);

	if (handler == NULL)
		return status;
	if (handler->state != HANDLER_STREAMING)
		return BATON_INVALID;
	handler->ends = !handler->bare;
	handler->state = HANDLER_ANSWERED;
	handler_end(handler, BATON_ANSWERED);
	if (handler->x->phase == PHASE_RESPONDER && STAILQ_EMPTY(&handler->pieces) &&
	    !handler->ends)
		handler->x->phase = PHASE_ANSWER; /* nothing to say */
	handler_wake(handler);
	return 0;
}

int
baton_answer_flushed(baton_request r, void (*fn)(void *arg), void *arg)
{
	int status;
	struct handler *handler = handler_id_find(__func__, r, &status);

	if (handler == NULL)
		return status;
	handler->flushed = fn;
	handler->flushed_arg = arg;
	if (handler->x->phase == PHASE_RESPONDER && STAILQ_EMPTY(&handler->pieces))
		handler_tell_flushed(handler);
	return 0;
}
