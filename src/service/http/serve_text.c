#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "service/http/exchange.h"
#include "service/http/respond.h"
#include "service/http/response_head.h"
#include "service/http/serve.h"

static void
can(struct http *h, enum response_head_connection c)
{
	struct canned *a = &h->canned[c];
	size_t body = strlen(h->conf->respond) + 1;

	a->text = mem_alloc(RESPONSE_HEAD_MAX + body);
	a->len = response_head_begin(a->text, 200, h->date, c);
	a->len = response_head_header(
	    a->text, a->len, "Content-Type: text/plain\r\nContent-Length: %zu\r\n", body);
	a->head = response_head_end(a->text, a->len);
	memcpy(a->text + a->head, h->conf->respond, body - 1);
	a->text[a->head + body - 1] = '\n';
	a->len = a->head + body;
	a->date = strstr(a->text, h->date);
}

void
serve_text_prepare(struct http *h)
{
	respond_date(h);
	for (enum response_head_connection c = 0;
	     c < RESPONSE_HEAD_CONNECTIONS_N && h->conf->respond != NULL; c++)
		can(h, c);
}

void
serve_text_free(struct http *h)
{
	for (int i = 0; i < RESPONSE_HEAD_CONNECTIONS_N; i++)
		free(h->canned[i].text);
}

static void
answer_canned(struct conn *c, struct exchange *x)
{
	struct http *h = http_of(c);
	const struct canned *a = &h->canned[respond_connection(x)];

	respond_date(h);
	x->status = 200;
	x->out = a->text;
	x->out_len = x->request.method == METHOD_HEAD ? a->head : a->len;
	x->heads_out += a->head;
	x->more_len = 0;
	x->phase = PHASE_ANSWER;
}

static void
answer(struct conn *c, struct exchange *x)
{
	char path[TARGET_MAX + 1];

	if (http_of(c)->conf->health == NULL ||
	    target_path(&x->request.target, path, sizeof path) != 0 ||
	    !respond_health(c, x, path))
		answer_canned(c, x);
}

const struct responder serve_text = {.begin = respond_begin, .answer = answer};
