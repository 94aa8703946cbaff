#include "master/workers/ticketkeys.h"

#include <sys/random.h>

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "conf/conf.h"
#include "master/state/jsontext.h"
#include "master/workers/generation.h"
#include "master/workers/slot.h"
#include "wire/msg.h"

static struct {
	struct msg_ticket key[MSG_TICKETS_MAX]; /* the newest first */
	uint32_t n;
	uint64_t since_ms; /* of the newest */
} tk;

static void
renew(void)
{
	tk.key[1] = tk.key[0];
	tk.n = tk.n > 0 ? 2 : 1;
	/* Blocks at most until the kernel has been fed for the first time. */
	if (getrandom(&tk.key[0], sizeof tk.key[0], 0) != (ssize_t)sizeof tk.key[0])
		log_fatal("the kernel gives no random bytes");
	tk.since_ms = clock_ms();
}

static bool
speaks_tls(const struct worker *w)
{
	return w->gen->conf->ntls > 0;
}

static void
tell(struct worker *w)
{
	if (speaks_tls(w))
		slot_tell(w, MSG_TICKETS, tk.key, tk.n * sizeof tk.key[0]);
}

void
ticketkeys_tell(struct worker *w)
{
	if (tk.n == 0 && speaks_tls(w))
		renew();
	tell(w);
}

void
ticketkeys_look(void)
{
	const struct generation *now = generation_active();
	struct generation *g;
	struct worker *w;

	if (tk.n == 0 || now == NULL ||
	    clock_ms() - tk.since_ms < (uint64_t)now->conf->server.ticket_life)
		return;
	renew();
	TAILQ_FOREACH (g, generation_all(), link)
		TAILQ_FOREACH (w, &g->workers, link)
			tell(w);
}

json_t *
ticketkeys_save(void)
{
	json_t *j;

	if (tk.n == 0)
		return json_null();
	j = json_object();
	json_object_set_new(j, "keys", jsontext_bytes(tk.key, tk.n * sizeof tk.key[0]));
	json_object_set_new(j, "since_ms", json_integer((json_int_t)tk.since_ms));
	return j;
}

void
ticketkeys_restore(const json_t *j)
{
	const json_t *since = json_object_get(j, "since_ms");
	size_t len = 0;
	char *keys = jsontext_read(json_object_get(j, "keys"), &len);

	if (keys != NULL && len > 0 && len <= sizeof tk.key && len % sizeof tk.key[0] == 0) {
		memcpy(tk.key, keys, len);
		tk.n = (uint32_t)(len / sizeof tk.key[0]);
		tk.since_ms = (uint64_t)json_integer_value(since);
	}
	if (keys != NULL)
		explicit_bzero(keys, len);
	free(keys);
}

void
ticketkeys_stop(void)
{
	explicit_bzero(&tk, sizeof tk);
}
