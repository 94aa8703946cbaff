#include "service/http/handle.h"

#include "base/mem.h"

#ifndef HANDLE_LAST /* a test need not wait for it */
#	define HANDLE_LAST UINT32_MAX
#endif

/* What a handle means: `call` if its generation is this one.  0 is nobody's, so that a
 * zeroed handle means no request. */
struct slot {
	struct call *call;
	uint32_t generation;
	int cause; /* how the one before ended */
	uint32_t next_free;
};

static struct {
	struct slot *slot;
	size_t n;
	uint32_t free; /* UINT32_MAX: none */
} ha = {.free = UINT32_MAX};

static uint32_t
take_slot(void)
{
	uint32_t i = ha.free;

	if (i != UINT32_MAX) {
		ha.free = ha.slot[i].next_free;
		return i;
	}
	ha.slot = mem_grow(ha.slot, ha.n, sizeof *ha.slot);
	i = (uint32_t)ha.n++;
	ha.slot[i] = (struct slot){.generation = 1, .cause = BATON_ANSWERED};
	return i;
}

baton_request
handle_new(struct call *call)
{
	uint32_t i = take_slot();

	ha.slot[i].call = call;
	return (baton_request){(uint64_t)ha.slot[i].generation << 32 | i};
}

void
handle_end(baton_request r, int cause)
{
	uint32_t i = (uint32_t)r.id;
	struct slot *s = &ha.slot[i];

	s->call = NULL;
	s->cause = cause;
	if (s->generation++ == HANDLE_LAST)
		return; /* all its numbers are used up */
	s->next_free = ha.free;
	ha.free = i;
}

struct call *
handle_find(baton_request r, int *status)
{
	uint32_t i = (uint32_t)r.id, generation = (uint32_t)(r.id >> 32);
	struct slot *s;

	*status = BATON_ANSWERED;
	if (i >= ha.n)
		return NULL;
	s = &ha.slot[i];
	if (s->generation == generation && s->call != NULL)
		return s->call;
	if (s->generation == generation + 1)
		*status = s->cause;
	return NULL;
}

struct call *
handle_look_up(baton_request r)
{
	int status;

	return handle_find(r, &status);
}

void
handle_free_all(void)
{
	mem_free(&ha.slot);
	ha.n = 0;
	ha.free = UINT32_MAX;
}
