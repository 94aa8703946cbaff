#include "worker/access/access.h"

#include <sys/socket.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <event2/event.h>
#include <event2/event_struct.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "conf/conf.h"
#include "tls/suite.h"
#include "wire/heritage.h"
#include "wire/msg.h"
#include "wire/stats.h"
#include "worker/access/accessfile.h"
#include "worker/conn/conn.h"
#include "worker/core/peer.h"
#include "worker/core/self.h"
#include "worker/tls/facts.h"
#include "worker/tls/transport.h"
#include "worker/core/service.h"

#define FLUSH_MS 1000  /* a line waits no longer for others */
#define TELL_MS  10000 /* between two lines of the log about drops */
#define LEAVE_MS 100   /* for a disk, at the worker's end */

struct access_of {
	const struct conf_listen *conf;
	struct accessfile *file; /* shared by the listeners that name the same path */
	bool owner;              /* and this one sees to it */
};

struct access_of **access_logs;

static struct {
	struct event flush;
	bool waits; /* lines are collected, and the timer runs */
	size_t n;
	uint64_t untold;
	uint64_t told_ms;
	struct accessline_time now;
} ac;

static struct access_of *
with_path(const char *path)
{
	for (size_t i = 0; i < ac.n; i++)
		if (access_logs[i] != NULL &&
		    strcmp(access_logs[i]->conf->access_log, path) == 0)
			return access_logs[i];
	return NULL;
}

static void
count_drops(struct access_of *a)
{
	uint64_t n = accessfile_dropped(a->file), now = clock_tick_ms();

	if (n == 0)
		return;
	stats_add(self_page(), STATS_ACCESS_DROPPED, n);
	ac.untold += n;
	if (ac.told_ms != 0 && now - ac.told_ms < TELL_MS)
		return;
	log_warn("access log %s: %llu lines were dropped", a->conf->access_log,
	         (unsigned long long)ac.untold);
	ac.told_ms = now;
	ac.untold = 0;
}

static void
flush_later(void)
{
	static const struct timeval tv = {FLUSH_MS / 1000, FLUSH_MS % 1000 * 1000};

	if (ac.waits)
		return;
	ac.waits = true;
	event_add(&ac.flush, &tv);
}

static void
on_flush(evutil_socket_t fd, short what, void *arg)
{
	bool again = false;

	(void)fd;
	(void)what;
	(void)arg;
	ac.waits = false;
	for (size_t i = 0; i < ac.n; i++) {
		if (access_logs[i] == NULL || !access_logs[i]->owner)
			continue;
		again |= accessfile_tick(access_logs[i]->file);
		count_drops(access_logs[i]);
	}
	if (again)
		flush_later();
}

static void
open_one(size_t i, const struct conf_listen *conf, int fd)
{
	struct access_of *same = with_path(conf->access_log), *a = mem_alloc(sizeof *a);

	a->conf = conf;
	a->owner = same == NULL;
	a->file = same != NULL ? same->file : accessfile_new(fd);
	if (a->file != NULL) {
		access_logs[i] = a;
		return;
	}
	log_error("access log %s: no thread can be had for it", conf->access_log);
	free(a);
}

void
access_start(struct event_base *base, const struct heritage *h)
{
	evtimer_assign(&ac.flush, base, on_flush, NULL);
	if (h->access == NULL)
		return;
	ac.n = h->conf->nlisten;
	access_logs = mem_alloc(ac.n * sizeof(struct access_of *));
	for (size_t i = 0; i < ac.n; i++)
		if (h->conf->listen[i].access_log != NULL)
			open_one(i, &h->conf->listen[i], h->access[i]);
}

void
access_stop(void)
{
	struct access_of **logs = access_logs;

	access_logs = NULL;
	event_del(&ac.flush);
	for (size_t i = 0; i < ac.n; i++)
		if (logs[i] != NULL && logs[i]->owner)
			stats_add(self_page(), STATS_ACCESS_DROPPED,
			          accessfile_free(&logs[i]->file, LEAVE_MS));
	for (size_t i = 0; i < ac.n; i++)
		free(logs[i]);
	free(logs);
	ac.n = 0;
}

void
access_reopen(struct msg *m)
{
	const uint32_t *listener = m->data;

	for (size_t i = 0; i < m->nfd; i++) {
		if (listener[i] >= ac.n || access_logs[listener[i]] == NULL)
			continue;
		accessfile_reopen(access_logs[listener[i]]->file, m->fd[i]);
		m->fd[i] = -1;
	}
}

void
access_open(struct conn *c)
{
	c->ends = mem_alloc(sizeof *c->ends);
	peer_name(c->fd, c->ends->peer, sizeof c->ends->peer);
}

void
access_upstream(struct conn *c, int fd)
{
	if (c->ends != NULL)
		peer_name(fd, c->ends->upstream, sizeof c->ends->upstream);
}

void
access_client(struct conn *c, const char *address)
{
	if (c->ends != NULL)
		snprintf(c->ends->client, sizeof c->ends->client, "%s", address);
}

void
access_fault(struct conn *c, const char *why)
{
	if (c->ends != NULL)
		c->ends->fault = why;
}

static struct handoff_bytes
bytes_of(const char *name)
{
	return (struct handoff_bytes){name, strlen(name)};
}

void
access_freeze(const struct conn *c, struct handoff_record *r)
{
	if (c->ends == NULL)
		return;
	r->peer = bytes_of(c->ends->peer);
	r->client = bytes_of(c->ends->client);
	r->upstream = bytes_of(c->ends->upstream);
}

static void
take_name(char *name, size_t size, const struct handoff_bytes *told)
{
	if (told->n > 0 && told->n < size)
		snprintf(name, size, "%.*s", (int)told->n, told->p);
}

void
access_thaw(struct conn *c, const struct handoff_record *r)
{
	if (c->ends == NULL)
		return;
	take_name(c->ends->peer, sizeof c->ends->peer, &r->peer);
	take_name(c->ends->client, sizeof c->ends->client, &r->client);
	take_name(c->ends->upstream, sizeof c->ends->upstream, &r->upstream);
}

static void
set_time(struct accessline *line)
{
	struct timespec now;

	clock_gettime(CLOCK_REALTIME_COARSE, &now);
	if (now.tv_sec != ac.now.of)
		accessline_set_time(&ac.now, now.tv_sec);
	line->time = &ac.now;
	line->ms = (unsigned)(now.tv_nsec / 1000000);
}

static void
tell_tls(const struct conn *c, struct accessline *line)
{
	const struct tls_suite *suite = transport_suite(c->tls);
	const struct facts *f = transport_facts(c->tls);

	line->tls = tls_version_name(suite->version);
	line->suite = suite->name;
	if (f == NULL)
		return;
	if (f->subject.n > 0)
		line->subject = (struct accessline_text){f->subject.p, f->subject.n};
	if (f->fingerprint.n > 0)
		line->fingerprint =
		    (struct accessline_text){f->fingerprint.p, f->fingerprint.n};
}

void
access_request(const struct conn *c, struct accessline *line)
{
	struct access_of *a = access_logs[c->listener];
	char *room = accessfile_room(a->file, ACCESSLINE_MAX);

	flush_later();
	if (room == NULL)
		return;
	set_time(line);
	line->peer = c->ends != NULL ? c->ends->peer : NULL;
	line->listener = a->conf->name;
	line->service = c->service->conf->name;
	if (c->tls != NULL)
		tell_tls(c, line);
	if (a->conf->access_format == CONF_ACCESS_JSON)
		accessfile_add(a->file, accessline_json(line, room));
	else
		accessfile_add(a->file, accessline_combined(line, room));
}

void
access_connection(const struct conn *c)
{
	struct accessline line = {.bytes_in = c->bytes_in,
	                          .bytes_out = c->bytes_out,
	                          .body_out = c->bytes_out,
	                          .us = (clock_tick_ms() - c->opened_ms) * 1000};

	if (c->ends != NULL && c->ends->upstream[0] != '\0')
		line.upstream = c->ends->upstream;
	if (c->ends != NULL)
		line.fault = c->ends->fault;
	if (c->ends != NULL && c->ends->client[0] != '\0')
		line.client = c->ends->client;
	access_request(c, &line);
}
