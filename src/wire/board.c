#include "wire/board.h"

#include <stdatomic.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "wire/stats.h"

#define TRIES 100

struct side {
	_Atomic uint64_t number; /* of the text; 0: it is being written */
	uint64_t written_ms;
	uint64_t len;
	char text[];
};

struct board {
	_Atomic uint64_t number; /* of the newest text, which is on side number % 2 */
};

#define HEAD 64 /* bytes for struct board */

_Static_assert(sizeof(struct board) <= HEAD, "room for what comes first");

static size_t
side_size(const struct stats *stats)
{
	size_t size;

	stats_board(stats, &size);
	return (size / 2 - HEAD) & ~(size_t)63;
}

static struct board *
board_of(const struct stats *stats)
{
	size_t size;

	return stats_board(stats, &size);
}

static struct side *
side_of(const struct stats *stats, uint64_t number)
{
	return (struct side *)(void *)((char *)board_of(stats) + HEAD +
	                               number % 2 * side_size(stats));
}

size_t
board_room(const struct stats *stats)
{
	return side_size(stats) - sizeof(struct side);
}

void
board_write(struct stats *stats, const char *text, size_t n)
{
	struct board *b = board_of(stats);
	uint64_t number = b->number + 1;
	struct side *s = side_of(stats, number);

	AN(n <= board_room(stats));
	s->number = 0;
	atomic_thread_fence(memory_order_seq_cst);
	memcpy(s->text, text, n);
	s->len = n;
	s->written_ms = clock_ms();
	atomic_thread_fence(memory_order_seq_cst);
	s->number = number;
	b->number = number;
}

static char *
copy(const struct stats *stats, const struct side *s, uint64_t number, uint64_t *written_ms)
{
	size_t n = s->len;
	char *text;

	if (s->number != number || n > board_room(stats))
		return NULL;
	*written_ms = s->written_ms;
	text = mem_alloc(n + 1);
	memcpy(text, s->text, n);
	atomic_thread_fence(memory_order_seq_cst);
	if (s->number != number)
		mem_free(&text);
	return text;
}

char *
board_read(const struct stats *stats, uint64_t *written_ms)
{
	char *text = NULL;

	for (int i = 0; text == NULL && i < TRIES; i++) {
		uint64_t number = board_number(stats);

		if (number == 0)
			return NULL;
		text = copy(stats, side_of(stats, number), number, written_ms);
	}
	return text;
}

uint64_t
board_number(const struct stats *stats)
{
	return board_of(stats)->number;
}
