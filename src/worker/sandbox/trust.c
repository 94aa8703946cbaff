#include "worker/sandbox/trust.h"

#include <stdlib.h>

#include "base/log.h"
#include "base/mem.h"
#include "conf/conf.h"
#include "worker/conn/conn.h"

static struct {
	struct nets **of; /* by listener */
	size_t n;
} tr;

void
trust_start(const struct conf *conf)
{
	tr.n = conf->nlisten;
	tr.of = mem_alloc(tr.n * sizeof(struct nets *));
	for (size_t i = 0; i < tr.n; i++) {
		if (conf->listen[i].trusted == NULL)
			continue;
		tr.of[i] = mem_alloc(sizeof(struct nets));
		AN(nets_read(conf->listen[i].trusted, tr.of[i], NULL) == 0);
	}
}

void
trust_stop(void)
{
	for (size_t i = 0; i < tr.n; i++)
		free(tr.of[i]);
	mem_free(&tr.of);
	tr.n = 0;
}

const struct nets *
trust_of(uint32_t listener)
{
	return tr.of[listener];
}

bool
trust_peer(const struct conn *c)
{
	const struct nets *nets = tr.of[c->listener];
	struct sockaddr_storage sa = {.ss_family = AF_UNSPEC};
	socklen_t len = sizeof sa;
	struct net_addr addr;

	return nets != NULL && getpeername(c->fd, (struct sockaddr *)&sa, &len) == 0 &&
	       net_addr_of(&sa, &addr) && nets_have(nets, &addr);
}
