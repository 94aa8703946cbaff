/*
 * self: what a worker is, for all of its files: the facts of its birth, and what the master has
 * told it to be.  Stands on nothing of this room; worker.c and drain.c write it.
 */
#ifndef BATON_WORKER_CORE_SELF_H
#define BATON_WORKER_CORE_SELF_H

#include <stdbool.h>
#include <stdint.h>

#include "wire/msg.h"

struct chan;
struct conf;
struct event_base;
struct figures_row;
struct heritage;
struct service;
struct stats;
struct stats_page;

struct self {
	const struct heritage *heritage; /* NULL: a part of a worker, in a test */
	struct event_base *base;
	struct chan *chan;       /* to the master; NULL: it has ended */
	struct service *service; /* one per conf.service */
	bool lame;
	bool drains;
	bool succeeded; /* drains, and others serve on */
	bool outdated;  /* a successor was asked for */
};

extern struct self self;

uint64_t self_birth(void);
uint32_t self_slot(void);
struct event_base *self_base(void);
struct stats_page *self_page(void);
const struct stats *self_stats(void);
const struct conf *self_conf(void);

/* The service of a listener of this generation; NULL: there is no such. */
struct service *self_service(uint32_t listener);

/* Name of a listener of this generation, for the log. */
const char *self_listener_name(uint32_t listener);

/* This worker's row of that name (wire/figures.h); NULL: no room, which the log tells once. */
struct figures_row *self_figures(const char *kind, const char *name, const char *part);

/* Say something to the master. */
void self_tell(enum msg_type type, const void *body, size_t len);

/* The master has taken all that was said before. */
bool self_is_heard(void);

/* Something was done, so the loop does not stand still however long it takes to come round:
 * for the heartbeat.  Costs next to nothing. */
void self_progress(void);

/* What it was started with holds no longer (why: for the log): a successor is to take its slot,
 * and what it holds.  Once. */
void self_want_successor(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

/* Nothing is left to do: end the loop. */
void self_leave(void);

/* It drains: its connections end or are handed off. */
bool self_draining(void);

/* It drains and nobody serves on: what is idle is to be let go. */
bool self_stopping(void);

/* A stop has been announced: health checks answer no, all else goes on. */
bool self_lame(void);

#endif
