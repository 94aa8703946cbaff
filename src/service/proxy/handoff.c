/* How a client begins here, as a newcomer or from another worker, and goes there. */
#include "service/proxy/proxy_int.h"

#include <sys/socket.h>

#include <string.h>

#include "base/mem.h"
#include "conf/conf.h"
#include "service/upstream/upstream.h"
#include "wire/handoff.h"
#include "worker/access/access.h"
#include "worker/core/service.h"

#define BLOB_VERSION 3 /* a struct source_key, then a pair; before it the pair alone */
#define BLOB_OLDEST  1

struct client *
proxy_new_client(struct conn *c)
{
	struct client *cl = mem_alloc(sizeof *cl);

	cl->pair.fd = -1;
	c->data = cl;
	proxy_of(c)->clients++;
	return cl;
}

bool
proxy_freeze(struct conn *c, struct handoff_record *r)
{
	static char blob[sizeof(struct source_key) + DUPLEX_FROZEN_MAX];
	const struct client *cl = c->data;
	struct source_key key = source_key(cl->source);
	size_t n;

	if (cl->dialing != NULL)
		return false;
	memcpy(blob, &key, sizeof key);
	n = duplex_freeze(&cl->pair, r, blob + sizeof key);
	r->blob = (struct handoff_bytes){blob, sizeof key + n};
	r->blob_version = BLOB_VERSION;
	return n > 0;
}

void
proxy_rest(struct conn *c)
{
	struct client *cl = c->data;

	duplex_rest(&cl->pair);
}

/* A limit is for those who come, not for those who are there. */
static void
count_source(struct conn *c, struct client *cl, struct source_key key)
{
	struct proxy *px = proxy_of(c);
	struct sockaddr_storage from = {.ss_family = AF_UNSPEC};
	socklen_t len = sizeof from;

	if (px->sources == NULL)
		return;
	if (key.family == AF_UNSPEC && !px->conf->accept_proxy) { /* it was not counted */
		getpeername(c->fd, (struct sockaddr *)&from, &len);
		key = source_key_of(&from);
	}
	cl->source = sources_enter(px->sources, &key, UINT64_MAX);
}

/* One that the set doesn't have, or not yet, has a client more than it is known to have. */
static void
count_upstream(struct conn *c, struct client *cl, int fd)
{
	struct sockaddr_storage sa = {.ss_family = AF_UNSPEC};
	socklen_t len = sizeof sa;
	struct upstream *u;

	if (getpeername(fd, (struct sockaddr *)&sa, &len) != 0)
		return;
	u = upstreams_find(proxy_of(c)->upstreams, &sa, len);
	if (u != NULL)
		cl->upstream = upstream_hold(u);
}

const char *
proxy_thaw(struct conn *c, struct handoff_record *r)
{
	struct proxy *px = proxy_of(c);
	struct source_key key = {.family = AF_UNSPEC};
	size_t head = r->blob_version == BLOB_VERSION ? sizeof key : 0;
	struct client *cl;

	if (r->blob_version < BLOB_OLDEST || r->blob_version > BLOB_VERSION ||
	    r->blob.n < head || r->unread.n > 0 || r->unsent.n > 0)
		return "its state is not one of this proxy";
	if (head > 0)
		memcpy(&key, r->blob.p, head);
	cl = proxy_new_client(c);
	count_source(c, cl, key);
	count_upstream(c, cl, r->fd[1]);
	access_upstream(c, r->fd[1]);
	return duplex_thaw(&cl->pair, c, &px->home, r->blob.p + head, r->blob.n - head, r);
}

void
proxy_resume(struct conn *c)
{
	struct client *cl = c->data;

	duplex_go(&cl->pair);
}
