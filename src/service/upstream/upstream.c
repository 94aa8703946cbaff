#include "service/upstream/upstream.h"

#include <sys/un.h>

#include <netdb.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "baton.h"
#include "conf/conf.h"
#include "service/upstream/health.h"
#include "service/upstream/resolve.h"
#include "wire/figures.h"
#include "worker/core/self.h"
#include "worker/runtime/dial.h"
#include "worker/runtime/pool.h"

#define LOOK_MS  1000
#define DOWN_MS  1000 /* after a failed connect, while there are others */
#define LAST_BIT 63   /* those behind it share it: of them one is tried per request */

/* --- one of them --- */

static struct baton_breaker *
new_breaker(const struct conf_service *conf, const struct upstream *u)
{
	struct baton_breaker_rules rules = {.percent = (unsigned)conf->breaker_percent,
	                                    .calls = (unsigned)conf->breaker_calls,
	                                    .window_ms = (uint64_t)conf->breaker_window,
	                                    .open_ms = (uint64_t)conf->breaker_open};
	char *name = mem_printf("%s %s", conf->name, u->name);
	struct baton_breaker *b = baton_breaker_new(name, &rules);

	if (b == NULL)
		log_warn("service %s: upstream %s has no breaker: there are too many",
		         conf->name, u->name);
	mem_free(&name);
	return b;
}

static char *
address_text(const struct sockaddr_storage *sa, socklen_t len)
{
	char host[NI_MAXHOST], port[NI_MAXSERV];

	if (getnameinfo((const struct sockaddr *)sa, len, host, sizeof host, port, sizeof port,
	                NI_NUMERICHOST | NI_NUMERICSERV) != 0)
		return mem_strdup("?");
	return mem_printf(sa->ss_family == AF_INET6 ? "[%s]:%s" : "%s:%s", host, port);
}

/* The next in turn that none of the set has: who has tried one that is gone has not tried the
 * one that came for it. */
static unsigned
free_bit(struct upstreams *us)
{
	uint64_t taken = 0;

	for (size_t i = 0; i < us->n; i++)
		taken |= UINT64_C(1) << us->v[i]->bit;
	for (unsigned i = 0; i < LAST_BIT; i++) {
		unsigned bit = us->next_bit++ % LAST_BIT;

		if ((taken & UINT64_C(1) << bit) == 0)
			return bit;
	}
	return LAST_BIT;
}

/* Behind those of its line: they stand in the order of the file. */
static void
insert(struct upstreams *us, struct upstream *u)
{
	size_t at = us->n;

	while (at > 0 && us->v[at - 1]->line > u->line)
		at--;
	us->v = mem_grow(us->v, us->n, sizeof(struct upstream *));
	memmove(&us->v[at + 1], &us->v[at], (us->n - at) * sizeof(struct upstream *));
	us->v[at] = u;
	if (us->next >= at && us->n > 0)
		us->next++; /* it is the same one's turn */
	us->n++;
}

/* addr: NULL where the text is dialled. */
static void
add(struct upstreams *us, size_t line, const struct dial_addr *addr)
{
	const struct conf_service *conf = us->conf;
	const struct conf_addr *from = &conf->upstream[line];
	struct upstream *u = mem_alloc(sizeof *u);

	u->text = from->text;
	u->host = strncmp(u->text, "unix:", 5) == 0 ? "localhost" : u->text;
	u->line = line;
	u->bit = free_bit(us);
	u->figures = us->figures[line];
	if (addr != NULL) {
		u->sa = addr->sa;
		u->len = addr->len;
	}
	u->dialled = from->kind == CONF_ADDR_NAME && addr != NULL ? address_text(&u->sa, u->len)
	                                                          : mem_strdup(u->text);
	u->name = strcmp(u->dialled, u->text) == 0 ? mem_strdup(u->text)
	                                           : mem_printf("%s (%s)", u->text, u->dialled);
	if (us->pool != NULL)
		u->target = pool_target(us->pool, u->text);
	if (conf->breaker)
		u->breaker = new_breaker(conf, u);
	if (conf->check != NULL)
		u->health = health_new(conf, u->name, u->dialled, u->host);
	insert(us, u);
}

static void
free_if_unused(struct upstream *u)
{
	if (!u->gone || u->holders > 0)
		return;
	free(u->name);
	free(u->dialled);
	free(u);
}

struct upstream *
upstream_hold(struct upstream *u)
{
	u->holders++;
	return u;
}

void
upstream_drop(struct upstream **u)
{
	struct upstream *old = *u;

	*u = NULL;
	if (old == NULL)
		return;
	AN(old->holders > 0);
	old->holders--;
	free_if_unused(old);
}

unsigned
upstream_busy(const struct upstream *u)
{
	return u->target != NULL ? pool_busy(u->target) : u->holders;
}

void
upstream_asked(struct upstream *u)
{
	figures_count(u->figures, FIGURES_ASKED);
}

void
upstream_good(struct upstream *u)
{
	if (u->breaker != NULL)
		baton_breaker_tell(u->breaker, true);
}

void
upstream_bad(struct upstream *u, bool down)
{
	figures_count(u->figures, FIGURES_FAILED);
	if (down)
		u->down_until_ms = clock_tick_ms() + DOWN_MS;
	if (u->breaker != NULL)
		baton_breaker_tell(u->breaker, false);
}

/* --- the set --- */

/* forget: nobody is to know of it any more what we have found out. */
static void
retire(struct upstream *u, bool forget)
{
	AN(!u->gone);
	u->gone = true;
	health_free(&u->health, forget);
	baton_breaker_free(&u->breaker);
	free_if_unused(u);
}

static void
remove_at(struct upstreams *us, size_t i)
{
	struct upstream *u = us->v[i];

	us->n--;
	memmove(&us->v[i], &us->v[i + 1], (us->n - i) * sizeof(struct upstream *));
	if (us->next > i)
		us->next--;
	if (us->next >= us->n)
		us->next = 0;
	retire(u, true);
}

static bool
is_at(const struct upstream *u, const struct sockaddr_storage *sa, socklen_t len)
{
	const struct sockaddr_un *mine = (const struct sockaddr_un *)(const void *)&u->sa,
	                         *its = (const struct sockaddr_un *)(const void *)sa;

	if (u->len == 0 || u->sa.ss_family != sa->ss_family)
		return false;
	if (sa->ss_family == AF_UNIX) /* the kernel counts only the bytes of the path */
		return strncmp(mine->sun_path, its->sun_path, sizeof mine->sun_path) == 0;
	return u->len == len && memcmp(&u->sa, sa, len) == 0;
}

static bool
is_among(const struct upstream *u, const struct dial_addr *addr, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (is_at(u, &addr[i].sa, addr[i].len))
			return true;
	return false;
}

static struct upstream *
find_of_line(const struct upstreams *us, size_t line, const struct dial_addr *addr)
{
	for (size_t i = 0; i < us->n; i++)
		if (us->v[i]->line == line && is_at(us->v[i], &addr->sa, addr->len))
			return us->v[i];
	return NULL;
}

void
upstreams_replace(struct upstreams *us, size_t line, const struct dial_addr *addr, size_t n)
{
	for (size_t i = us->n; i-- > 0;)
		if (us->v[i]->line == line && !is_among(us->v[i], addr, n))
			remove_at(us, i);
	for (size_t i = 0; i < n; i++)
		if (find_of_line(us, line, &addr[i]) == NULL)
			add(us, line, &addr[i]);
}

struct upstream *
upstreams_find(const struct upstreams *us, const struct sockaddr_storage *sa, socklen_t len)
{
	for (size_t i = 0; i < us->n; i++)
		if (is_at(us->v[i], sa, len))
			return us->v[i];
	return NULL;
}

static void
on_found(void *arg, size_t line, const struct dial_addr *addr, size_t n)
{
	upstreams_replace(arg, line, addr, n);
}

/* --- what is so now --- */

static unsigned
ills_of(const struct upstreams *us, const struct upstream *u)
{
	unsigned ills = 0;

	if (u->health != NULL && !health_is_good(u->health))
		ills |= FIGURES_CHECK_FAILS;
	if (us->conf->breaker && u->breaker == NULL)
		ills |= FIGURES_NO_BREAKER;
	else if (u->breaker != NULL && baton_breaker_state(u->breaker) != BATON_BREAKER_CLOSED)
		ills |= FIGURES_BREAKER_OPEN;
	return ills;
}

/* At all addresses of a line together, which begin at i: it is as ill as the worst of them.
 * Where the next line's begin. */
static size_t
look_at(const struct upstreams *us, size_t line, size_t i)
{
	struct figures_row *row = us->figures[line];
	uint64_t busy = 0, idle = 0, ills = 0;

	for (; i < us->n && us->v[i]->line == line; i++) {
		const struct upstream *u = us->v[i];

		busy += upstream_busy(u);
		idle += u->target != NULL ? pool_idle(u->target) : 0;
		ills |= ills_of(us, u);
	}
	if ((ills & FIGURES_CHECK_FAILS) != 0 && us->resolve != NULL)
		resolve_failed(us->resolve, line); /* its name may have others by now */
	if (row == NULL)
		return i;
	row->v[FIGURES_BUSY] = busy;
	row->v[FIGURES_IDLE] = idle;
	row->v[FIGURES_ILL] = ills;
	return i;
}

static void
on_look(void *arg)
{
	struct upstreams *us = arg;
	size_t i = 0;

	for (size_t line = 0; line < us->conf->nupstream; line++)
		i = look_at(us, line, i);
	baton_timer_set(us->look, LOOK_MS);
}

struct upstreams *
upstreams_new(const struct conf_service *conf, struct baton_pool *pool)
{
	struct upstreams *us = mem_alloc(sizeof *us);

	us->conf = conf;
	us->pool = pool;
	us->figures = mem_alloc((conf->nupstream + 1) * sizeof(struct figures_row *));
	for (size_t i = 0; i < conf->nupstream; i++)
		us->figures[i] = self_figures("upstream", conf->name, conf->upstream[i].text);
	for (size_t i = 0; i < conf->nupstream; i++) {
		const struct conf_addr *a = &conf->upstream[i];
		struct dial_addr addr = {.sa = a->sa, .len = a->salen};

		if (pool != NULL)
			add(us, i, NULL);
		else if (a->kind != CONF_ADDR_NAME)
			add(us, i, &addr);
	}
	if (pool == NULL)
		us->resolve = resolve_new(conf, on_found, us);
	us->look = baton_timer_new(on_look, us);
	baton_timer_set(us->look, 0);
	return us;
}

void
upstreams_free(struct upstreams **us)
{
	if (*us == NULL)
		return;
	resolve_free(&(*us)->resolve);
	baton_timer_free(&(*us)->look);
	for (size_t i = 0; i < (*us)->n; i++)
		retire((*us)->v[i], false);
	free((*us)->v);
	free((*us)->figures);
	mem_free(us);
}
