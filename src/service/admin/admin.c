#include "service/admin/admin.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "baton.h"
#include "service/admin/events.h"
#include "service/admin/host.h"
#include "service/admin/metrics.h"
#include "service/admin/page.h"
#include "service/admin/view.h"
#include "service/http/exchange.h"
#include "service/http/http.h"
#include "service/http/serve_handlers.h"
#include "wire/handoff.h"
#include "worker/conn/conn.h"
#include "worker/core/self.h"
#include "worker/runtime/runtime.h"

/* --- what is asked for --- */

static const struct {
	const char *path, *type;
	const unsigned char *bytes;
	const size_t *n;
} files[] = {
    {"/", "text/html; charset=utf-8", page_index_html, &page_index_html_size},
    {"/page.css", "text/css; charset=utf-8", page_page_css, &page_page_css_size},
    {"/page.js", "text/javascript; charset=utf-8", page_page_js, &page_page_js_size},
    {"/icon.svg", "image/svg+xml", page_icon_svg, &page_icon_svg_size},
};

/* Nobody else's page may use, frame or guess at what is answered. */
static void
guard(baton_request r)
{
	baton_answer_header(r, "Cache-Control", "no-store");
	baton_answer_header(r, "X-Content-Type-Options", "nosniff");
	baton_answer_header(r, "Cross-Origin-Resource-Policy", "same-origin");
	baton_answer_header(r, "Referrer-Policy", "no-referrer");
	baton_answer_header(r, "Content-Security-Policy",
	                    "default-src 'none'; script-src 'self'; style-src 'self'; "
	                    "img-src 'self'; connect-src 'self'; base-uri 'none'; "
	                    "form-action 'none'; frame-ancestors 'none'");
}

static void
answer_text(baton_request r, int status, const char *type, const char *text)
{
	guard(r);
	baton_answer(r, status, type, text, strlen(text));
}

static void
answer_file(baton_request r)
{
	const char *path = serve_handlers_route_path(r);
	size_t i = 0;

	while (strcmp(files[i].path, path) != 0)
		i++;
	guard(r);
	baton_answer(r, 200, files[i].type, files[i].bytes, *files[i].n);
}

static void
answer_metrics(baton_request r)
{
	char *text = metrics_text();

	answer_text(r, 200, "text/plain; version=0.0.4; charset=utf-8", text);
	free(text);
}

static void
answer_status(baton_request r)
{
	json_t *view = view_json();
	char *text = json_dumps(view, JSON_INDENT(2));

	answer_text(r, 200, "application/json", text);
	free(text);
	json_decref(view);
}

static void
answer_alive(baton_request r)
{
	answer_text(r, 200, "text/plain", "ok\n");
}

static void
answer_ready(baton_request r)
{
	bool ready = !self_lame() && !self_stopping();

	answer_text(r, ready ? 200 : 503, "text/plain", ready ? "ok\n" : "stopping\n");
}

static void
answer_events(baton_request r)
{
	if (!events_room(r)) {
		answer_text(r, 503, "text/plain", "too many streams\n");
		return;
	}
	guard(r);
	events_begin(r);
}

static const struct {
	const char *path;
	void (*answer)(baton_request r);
	bool for_all; /* whatever it is asked by: it tells nothing but that it is there */
} pages[] = {
    {"/", answer_file, false},
    {"/page.css", answer_file, false},
    {"/page.js", answer_file, false},
    {"/icon.svg", answer_file, false},
    {"/events", answer_events, false},
    {"/metrics", answer_metrics, false},
    {"/status.json", answer_status, false},
    {"/healthz", answer_alive, true},
    {"/readyz", answer_ready, true},
};

#define PAGES (sizeof pages / sizeof *pages)

static struct baton_route routes[PAGES + 1];

static void
refuse_host(baton_request r, const char *host, const char *name)
{
	char *text = mem_printf("this page is asked by an address or as localhost%s%s, not as "
	                        "%s; another name is given by host in [service:%s]\n",
	                        name != NULL ? " or " : "", name != NULL ? name : "", host,
	                        serve_handlers_connection(r)->service->conf->name);

	answer_text(r, 403, "text/plain; charset=utf-8", text);
	free(text);
}

static void
on_request(baton_request r)
{
	const char *path = serve_handlers_route_path(r),
	           *host = baton_request_header(r, "Host");
	const char *name = serve_handlers_connection(r)->service->conf->host;
	size_t i = 0;

	while (strcmp(pages[i].path, path) != 0)
		i++;
	if (pages[i].for_all || host_is_ours(host, name))
		pages[i].answer(r);
	else
		refuse_host(r, host, name);
}

static void
make_routes(void)
{
	for (size_t i = 0; i < PAGES; i++)
		routes[i] = (struct baton_route){
		    .method = "GET", .path = pages[i].path, .handle = on_request};
}

/* --- the service_type: http's own, but for its ends and its streams --- */

static struct service_type routed_type;

static const char *
thaw(struct conn *c, struct handoff_record *r)
{
	return r->blob_version == EVENTS_BLOB ? events_thaw(c, r) : http_service.thaw(c, r);
}

static void
stop(struct service *service)
{
	struct http *h = service->data;

	events_stop(h);
	http_service.stop(service);
	serve_handlers_stop();
}

static int
start(struct service *service, char **cause)
{
	static const struct runtime_limits limits = {.threads = 1};
	struct http *h;

	if (http_service.start(service, cause) < 0)
		return -1;
	h = service->data;
	make_routes();
	h->routes = routes;
	h->responder = &serve_handlers_responder;
	runtime_start(service->base, &limits);
	serve_handlers_start();
	events_start(h, service->base);
	routed_type = http_service;
	routed_type.name = "admin";
	routed_type.thaw = thaw;
	routed_type.stop = stop;
	service->type = &routed_type;
	return 0;
}

const struct service_type admin_service = {
    .name = "admin",
    .start = start,
};
