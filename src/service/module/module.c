#include "service/module/module.h"

#include <dlfcn.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/mem.h"
#include "service/http/exchange.h"
#include "service/http/http.h"
#include "service/http/route.h"
#include "service/http/serve_handlers.h"
#include "service/module/served.h"
#include "service/module/stream.h"
#include "service/module/table.h"
#include "worker/conn/conn.h"
#include "worker/runtime/crash.h"
#include "worker/runtime/origin.h"
#include "worker/runtime/runtime.h"

#define NAME_MAX_BYTES 31

/* Name one function of each file that only modules use, or the linker would drop it. */
typedef void (*symbol)(void);
__attribute__((used)) static const symbol needed[] = {
    (symbol)baton_timer_new,    (symbol)baton_group_new_at, (symbol)baton_freelist_get,
    (symbol)baton_counter,      (symbol)baton_breaker_new,  (symbol)baton_pool_new,
    (symbol)baton_request_body, (symbol)baton_answer,       (symbol)baton_work_body,
};

/* --- loading --- */

/* Is it what it says?  0, or -1 with *cause. */
static int
judge(const char *path, const struct baton_module *m, char **cause)
{
	if (m->abi < TABLE_OLDEST_ABI || m->abi > BATON_ABI)
		return cause_set(cause, "%s is for version %u of baton.h; this baton has %u",
		                 path, m->abi, BATON_ABI);
	if (m->size < sizeof *m)
		return cause_set(cause, "%s has a descriptor of %u bytes, not %zu", path,
		                 m->size, sizeof *m);
	if (m->name == NULL || *m->name == '\0' || strlen(m->name) > NAME_MAX_BYTES)
		return cause_set(cause, "%s has no name of 1 to %d bytes", path,
		                 NAME_MAX_BYTES);
	if ((m->data == NULL) == (m->routes == NULL))
		return cause_set(cause, "%s has %s: a module is either a stream or HTTP", path,
		                 m->data == NULL ? "neither data nor routes"
		                                 : "both data and routes");
	if ((m->freeze == NULL) != (m->thaw == NULL))
		return cause_set(cause, "%s has one of freeze and thaw without the other",
		                 path);
	return 0;
}

static int
judge_routes(const char *path, const struct baton_route *routes, char **cause)
{
	char *why = NULL;

	if (table_judge(routes, &why) == 0)
		return 0;
	cause_set(cause, "%s: %s", path, why);
	free(why);
	return -1;
}

/* It stays loaded until the process ends: threads may be in it.  Its routes are the
 * caller's. */
static const struct baton_module *
load(const char *path, struct baton_route **routes, char **cause)
{
	void *handle = dlopen(path, RTLD_NOW | RTLD_LOCAL);
	const struct baton_module *m;

	if (handle == NULL) {
		cause_set(cause, "cannot load the module: %s", dlerror());
		return NULL;
	}
	m = dlsym(handle, "baton_module");
	if (m == NULL) {
		cause_set(cause, "%s exports no baton_module", path);
		return NULL;
	}
	if (judge(path, m, cause) < 0)
		return NULL;
	*routes = table_read(m);
	if (judge_routes(path, *routes, cause) == 0)
		return m;
	mem_free(routes);
	return NULL;
}

/* --- the service_type --- */

static void
examine(const struct conf *conf, const struct conf_service *s, struct conf_errors *errors)
{
	char *cause = NULL;
	struct baton_route *routes = NULL;
	const struct baton_module *m = load(s->path, &routes, &cause);
	struct own_value *values;

	free(routes);

	if (m == NULL) {
		conf_error(errors,
		           conf_line(conf, CONF_SERVICE, (size_t)(s - conf->service), "path"),
		           "[service:%s]: %s", s->name, cause);
		mem_free(&cause);
		return;
	}
	values = modulekeys_read(s, m->keys, errors);
	modulekeys_free(&values, m->keys);
}

static int
read_own(struct baton_service *s, char **cause)
{
	struct conf_errors errors = {0};

	s->value = modulekeys_read(s->service->conf, s->module->keys, &errors);
	if (s->value != NULL)
		return 0;
	*cause = conf_errors_join(&errors);
	conf_errors_free(&errors);
	return -1;
}

static int
start_module(struct baton_service *s, char **cause)
{
	struct origin before = origin_enter((struct origin){.service = baton_service_name(s)});
	int status = s->module->start != NULL ? s->module->start(s) : 0;

	origin_leave(before);
	if (status == 0)
		return 0;
	return cause_set(cause, "module '%s': %s", s->module->name,
	                 s->cause != NULL ? s->cause : "its start fails without a reason");
}

/* http's own, but for its end. */
static struct service_type routed_type;

static void
stop_routes(struct service *service)
{
	struct http *h = service->data;
	struct baton_service *s = h->owner;

	http_service.stop(service);
	served_stop(s);
	serve_handlers_stop();
}

/* A request may be with its handler until its deadline. */
static uint64_t
routed_patience(const struct conn *c)
{
	const struct http *h = c->service->data;
	uint64_t own = http_service.patience(c), routes = route_longest(h->routes);

	return own > routes ? own : routes;
}

static int
start_routes(struct baton_service *s, char **cause)
{
	struct http *h;

	if (http_service.start(s->service, cause) < 0)
		return -1;
	h = s->service->data;
	table_prepare(s->routes);
	h->routes = s->routes;
	h->responder = &serve_handlers_responder;
	h->owner = s;
	serve_handlers_start();
	routed_type = http_service;
	routed_type.name = "module";
	routed_type.stop = stop_routes;
	routed_type.patience = routed_patience;
	s->service->type = &routed_type;
	return 0;
}

static int
start(struct service *service, char **cause)
{
	const struct conf_service *conf = service->conf;
	struct runtime_limits limits = {.threads = (unsigned)conf->offload_threads,
	                                .queue = (unsigned)conf->offload_queue,
	                                .background = (unsigned)conf->background_max};
	struct baton_route *routes = NULL;
	const struct baton_module *m = load(conf->path, &routes, cause);
	struct baton_service *s;

	if (m == NULL)
		return -1;
	s = mem_alloc(sizeof *s);
	s->service = service;
	s->module = m;
	s->routes = routes;
	runtime_start(service->base, &limits);
	crash_watch();
	if (read_own(s, cause) < 0 || start_module(s, cause) < 0) {
		served_free(s);
		return -1;
	}
	if (m->routes == NULL) {
		stream_start(s);
		return 0;
	}
	return start_routes(s, cause);
}

static unsigned
needs(const struct conf_service *conf)
{
	(void)conf;
	return SERVICE_IS_FREE;
}

const struct service_type module_service = {
    .name = "module",
    .needs = needs,
    .examine = examine,
    .start = start,
};
