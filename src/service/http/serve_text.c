#include "service/http/exchange.h"
#include "service/http/framing.h"
#include "service/http/respond.h"
#include "service/http/serve.h"

static void
answer(struct conn *c, struct exchange *x)
{
	char path[TARGET_MAX + 1];

	if (http_of(c)->conf->health != NULL &&
	    target_path(&x->request.target, path, sizeof path) == 0 &&
	    respond_health(c, x, path))
		return;
	x->status = 200;
	x->framing->constant(x);
	x->phase = PHASE_ANSWER;
}

const struct responder serve_text = {.begin = respond_begin, .answer = answer};
