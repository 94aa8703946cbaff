#include "service/http/handler_facts.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/mem.h"
#include "baton.h"
#include "service/head/request.h"

static const char *
keep_text(const struct handler_facts *a, char *bytes)
{
	size_t n = strlen(bytes) + 1;
	struct asked_text *t = mem_alloc(sizeof *t + n);

	memcpy(t->bytes, bytes, n);
	t->next = *a->texts;
	*a->texts = t;
	free(bytes);
	return t->bytes;
}

void
handler_facts_free(struct asked_text **texts)
{
	struct asked_text *t;

	while ((t = *texts) != NULL) {
		*texts = t->next;
		free(t);
	}
}

const char *
handler_facts_method(const struct handler_facts *a)
{
	const struct request *r = a->request;

	if (r->method != METHOD_OTHER)
		return method_name(r->method);
	return keep_text(a, mem_strndup(r->method_name.p, r->method_name.n));
}

const char *
handler_facts_path(const struct handler_facts *a)
{
	struct request_text path, query;

	target_split(&a->request->target, &path, &query);
	return keep_text(a, mem_strndup(path.p, path.n));
}

const char *
handler_facts_var(const struct handler_facts *a, const char *name)
{
	for (size_t i = 0; i < a->match->n; i++) {
		const struct route_var *v = &a->match->var[i];

		if (strlen(name) == v->name.n && memcmp(name, v->name.p, v->name.n) == 0)
			return keep_text(a, target_decode(&v->value, false));
	}
	return NULL;
}

/* Can it name something in one folder, and nothing else?  A NUL is in no path (400). */
static bool
is_segment(const char *text)
{
	return *text != '\0' && strchr(text, '/') == NULL && strcmp(text, ".") != 0 &&
	       strcmp(text, "..") != 0;
}

const char *
handler_facts_segment(const struct handler_facts *a, const char *name)
{
	const char *text = handler_facts_var(a, name);

	return text != NULL && is_segment(text) ? text : NULL;
}

/* Is that parameter called name?  Then *value is what stands after its '='. */
static bool
is_parameter(struct request_text t, const char *name, struct request_text *value)
{
	const char *sign = memchr(t.p, '=', t.n);
	struct request_text key = {t.p, sign != NULL ? (size_t)(sign - t.p) : t.n};

	*value = (struct request_text){t.p + t.n, 0};
	if (sign != NULL)
		*value = (struct request_text){sign + 1, t.n - key.n - 1};
	return target_says(&key, true, name, strlen(name));
}

const char *
handler_facts_query(const struct handler_facts *a, const char *name)
{
	struct request_text path, query, value;

	target_split(&a->request->target, &path, &query);
	while (query.p != NULL) { /* at most TARGET_PARAMETERS_MAX times */
		const char *amp = memchr(query.p, '&', query.n);
		struct request_text t = query;

		if (amp != NULL)
			t.n = (size_t)(amp - query.p);
		if (is_parameter(t, name, &value))
			return keep_text(a, target_decode(&value, true));
		query.p = amp != NULL ? amp + 1 : NULL;
		query.n -= amp != NULL ? t.n + 1 : 0;
	}
	return NULL;
}

const char *
handler_facts_header(const struct handler_facts *a, const char *name)
{
	struct request_text v = request_header(a->head, a->head_len, name);

	if (strcasecmp(name, "host") == 0)
		v = a->request->host; /* of the target, if it has one (RFC 9112, 3.2.2) */
	return v.p != NULL ? keep_text(a, mem_strndup(v.p, v.n)) : NULL;
}
