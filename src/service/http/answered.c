/* answered: baton.h, what a handler answers. */
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "baton.h"
#include "base/mem.h"
#include "service/http/answer.h"
#include "service/http/called.h"
#include "service/http/exchange.h"
#include "service/http/handle.h"
#include "service/http/respond.h"

#define HEADERS_MAX 8192 /* of the handler's own */

_Static_assert(HEADERS_MAX + 1024 < ANSWER_HEAD_MAX, "a head has room for them");

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
answered_add_header(char **headers, size_t *len, const char *name, const char *value)
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
	struct call *call = handle_find(__func__, r, &status);

	if (call == NULL)
		return status;
	if (call->state != CALL_WAITING)
		return BATON_ANSWERED;
	return answered_add_header(&call->headers, &call->nheaders, name, value);
}

/* The call of a handle that may be answered now in this way; else NULL and *status. */
static struct call *
to_answer(const char *function, baton_request r, int *status, int code, const char *type)
{
	struct call *call = handle_find(function, r, status);

	if (call == NULL)
		return NULL;
	*status = BATON_ANSWERED;
	if (call->state != CALL_WAITING)
		return NULL;
	*status = BATON_INVALID;
	if (code < 200 || code > 599 ||
	    (type != NULL && (!is_clean(type) || strlen(type) > 512)))
		return NULL;
	call_displace(call);
	call->bare = code == 204 || code == 304 || call->x->request.method == METHOD_HEAD;
	return call;
}

/* The head up to what tells the length. */
static size_t
begin_head(struct call *call, int code, const char *type)
{
	struct exchange *x = call->x;
	char allow[CALL_ALLOW_MAX];
	size_t len = respond_head(x->conn, x, code);

	if (type != NULL)
		len = answer_header(x->text, len, "Content-Type: %s\r\n", type);
	if (code == 405 && call->refused == 405)
		len = answer_header(x->text, len, "Allow: %s\r\n",
		                    call_allow(call, allow, sizeof allow));
	if (call->nheaders > 0)
		len = answer_header(x->text, len, "%s", call->headers);
	return len;
}

/* A body that has room behind the head goes there. */
static void
add_body(struct call *call, size_t head, const void *body, size_t n)
{
	struct exchange *x = call->x;
	struct call_piece *p;

	if (n <= ANSWER_HEAD_MAX - head) {
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
	struct call *call = to_answer(__func__, r, &result, status, type);
	size_t len;

	if (call == NULL)
		return result;
	len = begin_head(call, status, type);
	if (status != 204 && status != 304)
		len = answer_header(call->x->text, len, "Content-Length: %zu\r\n", n);
	len = answer_end(call->x->text, len);
	add_body(call, len, body, call->bare ? 0 : n);
	call->state = CALL_ANSWERED;
	call_end(call, BATON_ANSWERED);
	call_wake(call);
	return 0;
}

int
baton_answer_begin(baton_request r, int status, const char *type)
{
	int result;
	struct call *call = to_answer(__func__, r, &result, status, type);
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
	call->state = CALL_STREAMING;
	call_wake(call);
	return 0;
}

static void
add_piece(struct call *call, const void *bytes, size_t n)
{
	struct call_piece *p = mem_alloc(sizeof *p + n + 32);

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
	struct call *call = handle_find(__func__, r, &status);

	if (call == NULL)
		return status;
	if (call->state != CALL_STREAMING)
		return BATON_INVALID;
	if (call->bare || n == 0)
		return 0;
	if (call->unsent > 0 && call->unsent + n > (size_t)call_http(call)->conf->max_unsent)
		return BATON_FULL;
	add_piece(call, bytes, n);
	call_wake(call);
	return 0;
}

int
baton_answer_end(baton_request r)
{
	int status;
	struct call *call = handle_find(__func__, r, &status);

	if (call == NULL)
		return status;
	if (call->state != CALL_STREAMING)
		return BATON_INVALID;
	if (call->chunked && !call->bare)
		add_piece(call, "", 0);
	call->state = CALL_ANSWERED;
	call_end(call, BATON_ANSWERED);
	if (call->x->phase == PHASE_RESPONDER && STAILQ_EMPTY(&call->pieces))
		call->x->phase = PHASE_ANSWER; /* nothing to say, but the end */
	call_wake(call);
	return 0;
}

int
baton_answer_flushed(baton_request r, void (*fn)(void *arg), void *arg)
{
	int status;
	struct call *call = handle_find(__func__, r, &status);

	if (call == NULL)
		return status;
	call->flushed = fn;
	call->flushed_arg = arg;
	if (call->x->phase == PHASE_RESPONDER && STAILQ_EMPTY(&call->pieces))
		call_tell_flushed(call);
	return 0;
}
