#include "service/http/handler_id.h"

#include "base/mem.h"
#include "worker/runtime/loop.h"

#define NONE     UINT32_MAX
#define REST_MAX 1024 /* places that tell how their last one has ended */

#ifndef HANDLER_ID_LAST /* a test need not wait for it */
#	define HANDLER_ID_LAST UINT32_MAX
#endif

/* What a handle means: `handler` if its generation is this one.  0 is nobody's, so that a
 * zeroed handle means no request. */
struct slot {
	struct handler *handler;
	uint32_t generation;
	int cause; /* how the one before ended */
	uint32_t next_free;
};

/* A place whose request was not answered by its handler rests before it is used again: he
 * may come yet, and is told why he is late. */
static struct {
	struct slot *slot;
	size_t n;
	uint32_t free;                  /* NONE: none */
	uint32_t resting, resting_last; /* the first and the last of those */
	unsigned nresting;
} ha = {.free = NONE, .resting = NONE};

static uint32_t
take(uint32_t *first)
{
	uint32_t i = *first;

	*first = ha.slot[i].next_free;
	return i;
}

static uint32_t
take_slot(void)
{
	uint32_t i;

	if (ha.free != NONE)
		return take(&ha.free);
	if (ha.nresting > REST_MAX) {
		ha.nresting--;
		return take(&ha.resting);
	}
	ha.slot = mem_grow(ha.slot, ha.n, sizeof *ha.slot);
	i = (uint32_t)ha.n++;
	ha.slot[i] = (struct slot){.generation = 1, .cause = BATON_ANSWERED};
	return i;
}

baton_request
handler_id_new(struct handler *handler)
{
	uint32_t i = take_slot();

	ha.slot[i].handler = handler;
	return (baton_request){(uint64_t)ha.slot[i].generation << 32 | i};
}

static void
rest(uint32_t i)
{
	ha.slot[i].next_free = NONE;
	if (ha.nresting++ == 0)
		ha.resting = i;
	else
		ha.slot[ha.resting_last].next_free = i;
	ha.resting_last = i;
}

void
handler_id_end(baton_request r, int cause)
{
	uint32_t i = (uint32_t)r.id;
	struct slot *s = &ha.slot[i];

	s->handler = NULL;
	s->cause = cause;
	if (s->generation++ == HANDLER_ID_LAST)
		return; /* all its numbers are used up */
	if (cause != BATON_ANSWERED) {
		rest(i);
		return;
	}
	s->next_free = ha.free;
	ha.free = i;
}

struct handler *
handler_id_find(const char *function, baton_request r, int *status)
{
	uint32_t i = (uint32_t)r.id, generation = (uint32_t)(r.id >> 32);
	struct slot *s;

	loop_need(function);
	*status = BATON_ANSWERED;
	if (i >= ha.n)
		return NULL;
	s = &ha.slot[i];
	if (s->generation == generation && s->handler != NULL)
		return s->handler;
	if (s->generation == generation + 1)
		*status = s->cause;
	return NULL;
}

struct handler *
handler_id_look_up(const char *function, baton_request r)
{
	int status;

	return handler_id_find(function, r, &status);
}

void
handler_id_free_all(void)
{
	mem_free(&ha.slot);
	ha.n = 0;
	ha.free = ha.resting = NONE;
	ha.nresting = 0;
}
