#include "service/module/served.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/mem.h"
#include "worker/runtime/origin.h"

void
served_free(struct baton_service *s)
{
	modulekeys_free(&s->value, s->module->keys);
	mem_free(&s->routes);
	mem_free(&s->cause);
	free(s);
}

void
served_stop(struct baton_service *s)
{
	struct origin before = origin_enter((struct origin){.service = baton_service_name(s)});

	if (s->module->stop != NULL)
		s->module->stop(s);
	origin_leave(before);
	served_free(s);
}

const char *
baton_service_name(const struct baton_service *service)
{
	return service->service->conf->name;
}

static const struct own_value *
value_of(const struct baton_service *s, const char *key, bool text)
{
	int i = modulekeys_find(s->module->keys, key);

	if (i < 0)
		log_panic("module '%s' has no key '%s'", s->module->name, key);
	if ((s->module->keys[i].type >= BATON_KEY_TEXT) != text)
		log_panic("module '%s': key '%s' is %s text", s->module->name, key,
		          text ? "no" : "a");
	return &s->value[i];
}

int64_t
baton_service_number(const struct baton_service *service, const char *key)
{
	const struct own_value *v = value_of(service, key, false);
	int i = modulekeys_find(service->module->keys, key);

	return service->module->keys[i].type == BATON_KEY_BOOL ? v->as.flag : v->as.number;
}

const char *
baton_service_text(const struct baton_service *service, const char *key)
{
	return value_of(service, key, true)->text;
}

void
baton_service_set_data(struct baton_service *service, void *data)
{
	service->data = data;
}

void *
baton_service_data(const struct baton_service *service)
{
	return service->data;
}

int
baton_service_fail(struct baton_service *service, const char *fmt, ...)
{
	va_list ap;

	mem_free(&service->cause);
	va_start(ap, fmt);
	service->cause = mem_vprintf(fmt, ap);
	va_end(ap);
	return -1;
}
