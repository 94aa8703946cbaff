/*
 * listener: the listening sockets, which the master holds for as long as it lives.
 *
 * A listener is an address.  Its sockets are never closed while a generation
 * uses it: a TCP address has one socket per slot (SO_REUSEPORT), a unix or
 * inherited one has a single socket that all share (assign.h says who accepts).
 * A retired listener drops bare SYNs, is swept by who held it, and then closed.
 */
#ifndef BATON_MASTER_LISTEN_LISTENER_H
#define BATON_MASTER_LISTEN_LISTENER_H

#include <sys/queue.h>
#include <sys/types.h>

#include <jansson.h>

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/place.h"
#include "conf/conf.h"

struct fdlist;
struct generation;
struct generation_use;

struct lsocket {
	uint32_t id; /* what workers know it by; never reused */
	int fd;
};

/* An address and its sockets.  Generations know which section names it:
 * a renamed listener keeps its sockets and their queues. */
struct listener {
	TAILQ_ENTRY(listener) link;
	uint32_t id;
	char *text;  /* the identity: as in the file, unless its port is 0 */
	char *bound; /* with the port that the kernel chose */
	enum conf_addr_kind kind;
	bool retired;
	bool filtered;
	bool coming;         /* of a generation that is not promoted: it lets nobody in yet */
	struct place_id own; /* of a unix socket's path: what may be changed and removed */
	int backlog;         /* as its last configuration says, as the next */
	int64_t keepalive;
	struct lsocket *sock;
	size_t nsock;
};

/* Take over what the service manager passed (LISTEN_FDS); once, at first start. */
void listener_start(void);
void listener_stop(void);

/* The process ends, and nobody has served: no path of theirs is to stay. */
void listener_unlink_all(void);

/*
 * Find or bind every address of conf, with sockets for so many slots.  *use,
 * owned by the caller, lists them in the order of the file.  What was not
 * served before lets nobody in until it is opened.  A unix socket whose path is lost is opened
 * anew; if somebody stands in its way it stays as it is, with a line in the log.  0; or -1 with
 * *cause, and all is as before.
 */
int listener_acquire(const struct conf *conf, uint32_t slots, struct generation_use **use,
                     size_t *nuse, char **cause);

/* From now on clients may come to all addresses of g; there is somebody to serve them, or
 * will be.  0 or -1 with *cause. */
int listener_open(const struct generation *g, char **cause);

/* Sockets for more slots.  0 or -1 with *cause; what there was stays. */
int listener_grow(const struct generation *g, uint32_t slots, char **cause);

/* The same for what another image is about to serve by conf, and we have already: no
 * address is bound that is not ours. */
int listener_grow_ahead(const struct conf *conf, uint32_t slots, char **cause);

/* Apply what needs no new socket (backlog, mode, keepalive) for the generation that serves. */
void listener_apply(const struct generation *g);

/* Is the one with the socket of that number retired, or gone? */
bool listener_is_retired(uint32_t socket);

/* Stop: drop bare SYNs on every listener (or no more). */
void listener_filter(bool on);

/* Handshakes that the kernel has under way on addresses that drop bare SYNs. */
bool listener_half_open(void);

/* A sentence for each that is lost, appended to list. */
void listener_warn(json_t *list);

/* The newest number of a socket. */
uint32_t listener_last_id(void);

/* The actual address of a listener, with the port that the kernel chose. */
const char *listener_address(const struct listener *l);

json_t *listener_save(struct fdlist *fds);
int listener_restore(const json_t *j, char **cause);

/* Use by number, for the records of generations. */
uint32_t listener_id(const struct listener *l);
struct listener *listener_find(uint32_t id);

#endif
