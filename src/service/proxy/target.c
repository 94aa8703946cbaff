#include "service/proxy/target.h"

#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/mem.h"
#include "conf/conf.h"

#define DOWN_MS 1000

static void
add(struct targets *list, const char *text, const void *sa, socklen_t len)
{
	struct target *t;

	list->v = mem_grow(list->v, list->n, sizeof *list->v);
	t = &list->v[list->n++];
	*t = (struct target){.text = text, .len = len};
	memcpy(&t->sa, sa, len);
}

static int
look_up(struct targets *list, const struct conf_addr *a, char **cause)
{
	struct addrinfo hints = {.ai_socktype = SOCK_STREAM}, *found, *i;
	char port[8];
	int fault;

	snprintf(port, sizeof port, "%u", a->port);
	fault = getaddrinfo(a->name, port, &hints, &found);
	if (fault != 0)
		return cause_set(cause, "cannot look up upstream %s: %s", a->text,
		                 gai_strerror(fault));
	for (i = found; i != NULL; i = i->ai_next)
		add(list, a->text, i->ai_addr, i->ai_addrlen);
	freeaddrinfo(found);
	return 0;
}

int
targets_resolve(struct targets *list, const struct conf_service *conf, char **cause)
{
	memset(list, 0, sizeof *list);
	for (size_t i = 0; i < conf->nupstream; i++) {
		const struct conf_addr *a = &conf->upstream[i];

		if (a->kind != CONF_ADDR_NAME) {
			add(list, a->text, &a->sa, a->salen);
		} else if (look_up(list, a, cause) < 0) {
			targets_free(list);
			return -1;
		}
	}
	return 0;
}

void
targets_free(struct targets *list)
{
	mem_free(&list->v);
	list->n = 0;
}

struct target *
targets_next(struct targets *list)
{
	uint64_t now = clock_tick_ms();

	for (size_t i = 0; i < list->n; i++) {
		struct target *t = &list->v[(list->next + i) % list->n];

		if (t->down_until_ms > now)
			continue;
		list->next = (list->next + i + 1) % list->n;
		return t;
	}
	return &list->v[list->next++ % list->n];
}

void
target_down(struct target *t)
{
	t->down_until_ms = clock_tick_ms() + DOWN_MS;
}
