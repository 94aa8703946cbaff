#include "service/module/streamed.h"

#include "base/log.h"
#include "base/mem.h"
#include "worker/runtime/loop.h"

struct origin
stream_enter(const struct baton_conn *bc)
{
	return origin_enter(
	    (struct origin){.service = baton_service_name(bc->stream->service)});
}

void
stream_look_soon(struct baton_conn *bc)
{
	struct stream *st = bc->stream;

	AN(loop_is_mine());
	if (bc->queued || bc->c == NULL)
		return;
	if (STAILQ_EMPTY(&st->todo) && !st->turning)
		event_active(&st->turn, EV_TIMEOUT, 0);
	STAILQ_INSERT_TAIL(&st->todo, bc, todo);
	st->ntodo++;
	bc->queued = true;
}

struct baton_conn *
stream_new_conn(struct conn *c)
{
	struct baton_conn *bc = mem_alloc(sizeof *bc);

	bc->c = c;
	bc->stream = stream_of(c);
	bc->holds = 1;
	STAILQ_INIT(&bc->chunks);
	c->data = bc;
	return bc;
}
