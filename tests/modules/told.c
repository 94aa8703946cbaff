/* told: says what it is told of a client's TLS.  -DSTREAM: of each line; else at /. */
#include <baton.h>

#include <stdio.h>
#include <string.h>

static int
tell(bool is, const struct baton_tls *tls, char *text, size_t size)
{
	return snprintf(text, size, "%d|%s|%s|%s|%s|%s|%.16s\n", is, tls->version, tls->suite,
	                tls->name, tls->protocol, tls->subject, tls->fingerprint);
}

#ifdef STREAM
static size_t
data(struct baton_conn *conn, const char *bytes, size_t n)
{
	struct baton_tls tls;
	char text[1200];

	(void)bytes;
	baton_conn_write(conn, text,
	                 (size_t)tell(baton_conn_tls(conn, &tls), &tls, text, sizeof text));
	return n;
}

static bool
freeze(struct baton_conn *conn, struct baton_blob *blob)
{
	(void)conn;
	(void)blob;
	return true;
}

static int
thaw(struct baton_conn *conn, const struct baton_blob *blob)
{
	(void)conn;
	(void)blob;
	return 0;
}
#else
static void
answer(baton_request r)
{
	struct baton_tls tls;
	char text[1200];
	int n = tell(baton_request_tls(r, &tls), &tls, text, sizeof text);

	baton_answer(r, 200, "text/plain", text, (size_t)n);
}

static const struct baton_route routes[] = {
    {.method = "GET", .path = "/", .handle = answer},
    {.path = NULL},
};
#endif

const struct baton_module baton_module = {
    .abi = BATON_ABI,
    .size = sizeof(struct baton_module),
    .name = "told",
#ifdef STREAM
    .data = data,
    .freeze = freeze,
    .thaw = thaw,
#else
    .routes = routes,
#endif
};
