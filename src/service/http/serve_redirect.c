#include <stdlib.h>
#include <string.h>

#include "service/http/exchange.h"
#include "service/http/framing.h"
#include "service/http/respond.h"
#include "service/http/response_head.h"
#include "service/http/serve.h"
#include "worker/conn/conn.h"
#include "worker/core/self.h"

#define HOST_LONG 300 /* a name has 255 bytes at most */

/* The name without its port; an IPv6 address stands in brackets. */
static struct request_text
without_port(struct request_text host)
{
	size_t n = host.n;

	while (n > 0 && host.p[n - 1] >= '0' && host.p[n - 1] <= '9')
		n--;
	if (n > 0 && host.p[n - 1] == ':')
		host.n = n - 1;
	return host;
}

/* From '/' or '?' on: also of a target that names the host (RFC 9112, 3.2.2). */
static struct request_text
path_of(const struct request *r)
{
	static const struct request_text root = {"/", 1};
	const char *end = r->target.p + r->target.n, *at = r->target.p;

	if (r->target.n > 0 && *at == '/')
		return r->target;
	if (r->host.p < r->target.p || r->host.p + r->host.n > end)
		return root; /* OPTIONS * */
	at = r->host.p + r->host.n;
	return at < end ? (struct request_text){at, (size_t)(end - at)} : root;
}

static void
answer(struct conn *c, struct exchange *x)
{
	const char *port = self_conf()->listen[c->listener].redirect + strlen("https");
	struct request_text host = without_port(x->request.host), path = path_of(&x->request);
	char own[TARGET_MAX + 1];
	size_t len;

	if (target_path(&x->request.target, own, sizeof own) == 0 && respond_health(c, x, own))
		return;
	if (host.n == 0 || host.n > HOST_LONG) { /* HTTP/1.0 has none */
		respond_status(c, x, 400);
		return;
	}
	len = respond_head(x, 301, FRAMING_LENGTH);
	len = respond_field(x, len, "Location: https://%.*s%s%s%.*s\r\n", (int)host.n, host.p,
	                    strcmp(port, ":443") == 0 ? "" : port, *path.p == '/' ? "" : "/",
	                    (int)path.n, path.p);
	respond_end(x, len, FRAMING_LENGTH, 0);
}

const struct responder serve_redirect = {.begin = respond_begin, .answer = answer};
