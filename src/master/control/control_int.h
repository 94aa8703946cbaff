/*
 * control_int: what control.c and control_state.c share.
 */
#ifndef BATON_MASTER_CONTROL_CONTROL_INT_H
#define BATON_MASTER_CONTROL_CONTROL_INT_H

#include <sys/queue.h>

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <event2/util.h>

#include "master/control/control.h"

struct control_client {
	TAILQ_ENTRY(control_client) link;
	uint32_t id;
	struct bufferevent *bev;
	char *line;   /* its request; NULL: not yet */
	bool asked;   /* its line was read; the answer is owed */
	bool stop;    /* waits for the end */
	bool waits;   /* has one of WAITING_MAX places */
	bool closing; /* answered; the last bytes are on their way */
	struct event *limit;
	size_t unsent;            /* of its answer, when its limit was set */
	void (*gone)(void *owed); /* who owes the answer is told; NULL: nobody does yet */
	void *owed;
};

struct control {
	TAILQ_HEAD(client_list, control_client) clients;
	size_t n;
	uint32_t last_id;
	int reserve; /* given up to answer when no descriptor is left */
	const struct control_rules *rules;
};

extern struct control ct;

/* A client at fd, which becomes its own. */
struct control_client *control_client_new(int fd, uint32_t id);

/* Write what the socket takes now. */
void control_push(struct control_client *c);

void control_keep_reserve(void);

/* The socket's event. */
void control_acceptable(evutil_socket_t sock, short what, void *arg);

#endif
