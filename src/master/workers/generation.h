/*
 * generation: the workers born from one (binary, configuration).
 *
 * A generation owns its configuration and its workers, and knows which
 * listeners it uses.  Its state changes only through the functions here, each a
 * transition; they are called by the change in progress and by the stop.
 */
#ifndef BATON_MASTER_WORKERS_GENERATION_H
#define BATON_MASTER_WORKERS_GENERATION_H

#include <sys/queue.h>

#include <jansson.h>

#include <stdbool.h>
#include <stdint.h>

#include "conf/conf.h"
#include "master/core/policy.h"
#include "master/workers/slot.h"

struct fdlist;
struct listener;
struct msg_certificate;

/* A listener as this generation uses it. */
struct generation_use {
	struct listener *listener; /* NULL: was closed after the commit of another */
	uint32_t listen_ix;        /* into conf.listen */
	uint32_t addr_ix;          /* into its addresses */
};

struct generation {
	TAILQ_ENTRY(generation) link; /* oldest first */
	uint32_t id;
	uint32_t image; /* of the master that made it: whose binary its workers run */
	char *version;
	struct conf *conf;
	enum gen_state state;
	uint64_t born_ms;
	uint64_t since_ms; /* of the state */
	uint64_t moved;    /* connections handed off, as last seen */
	uint64_t moved_ms; /* when that had grown */
	uint32_t want;
	bool died;
	bool aborted; /* was sent away by request: nobody goes back to it */
	bool told_to_cut;
	char *cause;  /* why it failed */
	uint64_t cut; /* connections cut, in its drain, by workers that are gone */
	struct policy_slot *slot;
	uint32_t nslots;
	struct worker_list workers;
	struct msg_certificate *certificates; /* certificates.h */
	size_t ncertificates;
	int *secrets; /* secrets.h; NULL: none are open */
	struct generation_use *use;
	size_t nuse;
};

TAILQ_HEAD(generation_list, generation);

struct generation_list *generation_all(void);

/* A new one, STARTING, that owns conf.  Its listeners must be acquired first. */
struct generation *generation_new(struct conf *conf, uint32_t want);

struct generation *generation_find(uint32_t id);

/* Is there one that has served? */
bool generation_serves(void);

/* The one that accepts; NULL. */
struct generation *generation_active(void);

/* The newest draining one that is older than g and was not aborted; NULL. */
struct generation *generation_before(const struct generation *g);

/* Is the listener one of its own? */
bool generation_uses(const struct generation *g, const struct listener *l);

void generation_activate(struct generation *g);
void generation_pause(struct generation *g);

/*
 * Drain.  What listeners nobody else uses is to drop bare SYNs from now on (retire.h).  The
 * policy has the order to its workers follow (generation_order) when no handshake is under way
 * there any more: what came to a queue before is swept, and nobody comes after.
 */
void generation_drain(struct generation *g);

/* Its workers leave by the active generation's limits, and sweep what listeners they hold. */
void generation_order(struct generation *g);

/* The same to all whose order has not followed yet: another program may come. */
void generation_order_all(void);

/* It did not make it: the ready workers drain (generation_drain), the others are killed. */
void generation_fail(struct generation *g);

/* The generation to fall back to among those this image created: paused first, then active,
 * then draining and not aborted.  NULL if there is none. */
struct generation *generation_own(void);

/* Repeat the drain order to every leaving worker; it may have been lost over the exec. */
void generation_drain_on(void);

/* Its listeners again, those that were closed bound anew.  0, or -1 with *cause, and it has
 * what it had. */
int generation_acquire(struct generation *g, char **cause);

/* Its drain is called off and it accepts again. */
void generation_resume(struct generation *g);

/* The deadline is now. */
void generation_cut(struct generation *g);

/* Another number of slots. */
void generation_scale(struct generation *g, uint32_t want);

/* Forget one whose workers are gone: it is on no list any more when gone is told. */
typedef void generation_gone_fn(const struct generation *g);
void generation_free(struct generation *g, generation_gone_fn *gone);
void generation_free_all(generation_gone_fn *gone);

/* A worker died or could not be born. */
void generation_note_death(struct generation *g, uint32_t slot, uint64_t lived_ms,
                           const char *cause);

json_t *generation_save(struct fdlist *fds);
int generation_restore(const json_t *j, char **cause);

#endif
