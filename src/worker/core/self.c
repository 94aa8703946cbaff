#include "worker/core/self.h"

#include <stdarg.h>
#include <stdlib.h>

#include <event2/event.h>

#include "base/clock.h"
#include "base/fault.h"
#include "base/log.h"
#include "base/mem.h"
#include "conf/conf.h"
#include "wire/chan.h"
#include "wire/figures.h"
#include "wire/heritage.h"
#include "wire/stats.h"
#include "worker/core/service.h"

#define PROGRESS_MS 100 /* a beat amid a turn of the loop */

struct self self;

struct event_base *
self_base(void)
{
	return self.base;
}

uint64_t
self_birth(void)
{
	return self.heritage->birth;
}

uint32_t
self_slot(void)
{
	return self.heritage->slot;
}

struct stats_page *
self_page(void)
{
	return self.heritage->page;
}

const struct stats *
self_stats(void)
{
	return self.heritage->stats;
}

const struct conf *
self_conf(void)
{
	return self.heritage->conf;
}

struct figures_row *
self_figures(const char *kind, const char *name, const char *part)
{
	static bool told;
	struct figures_row *row = figures_row(self.heritage->stats, self.heritage->page,
	                                      (struct figures_name){kind, name, part});

	if (row == NULL && !told)
		log_warn("%s %s%s%s is not counted, nor is what comes behind it: a worker has "
		         "no room for so much",
		         kind, name, part != NULL ? " " : "", part != NULL ? part : "");
	told |= row == NULL;
	return row;
}

bool
self_lame(void)
{
	return self.lame;
}

struct service *
self_service(uint32_t listener)
{
	const struct conf *conf = self.heritage->conf;

	if (listener >= conf->nlisten)
		return NULL;
	return &self.service[conf->listen[listener].service_ix];
}

const char *
self_listener_name(uint32_t listener)
{
	const struct conf *conf = self.heritage->conf;

	return listener < conf->nlisten ? conf->listen[listener].name : "?";
}

void
self_tell(enum msg_type type, const void *body, size_t len)
{
	if (self.chan != NULL)
		chan_send(self.chan, type, self.heritage->birth, body, len, NULL);
}

bool
self_is_heard(void)
{
	return self.chan != NULL && chan_idle(self.chan);
}

void
self_progress(void)
{
	uint64_t now = clock_tick_ms();

	if (self.heritage == NULL) /* nobody watches: a part of a worker, in a test */
		return;
	if (now >= self.heritage->page->heartbeat_ms + PROGRESS_MS)
		self.heritage->page->heartbeat_ms = now;
}

void
self_want_successor(const char *fmt, ...)
{
	va_list ap;
	char *why;

	if (self.outdated || self_draining())
		return;
	self.outdated = true;
	va_start(ap, fmt);
	why = mem_vprintf(fmt, ap);
	va_end(ap);
	log_info("%s: a successor takes over", why);
	free(why);
	self_tell(MSG_LEAVING, NULL, 0);
}

void
self_leave(void)
{
	FAULT("worker-leave");
	event_base_loopbreak(self.base);
}

bool
self_draining(void)
{
	return self.drains;
}

bool
self_stopping(void)
{
	return self.drains && !self.succeeded;
}
