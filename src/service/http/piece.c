#include "service/http/piece.h"

#include <stdint.h>
#include <stdio.h>

#include "base/log.h"

void
piece_add(struct piece *p, const void *bytes, size_t n)
{
	AN(n == 0 || p->n < PIECES);
	if (n > 0)
		p->iov[p->n++] = (struct iovec){(void *)(uintptr_t)bytes, n};
}

void
piece_add_chunk(struct piece *p, const char *bytes, size_t n)
{
	if (n == 0)
		return;
	piece_add(p, p->size, (size_t)snprintf(p->size, sizeof p->size, "%zx\r\n", n));
	piece_add(p, bytes, n);
	piece_add(p, "\r\n", 2);
}

void
piece_add_end(struct piece *p, const char *trailers, size_t n)
{
	piece_add(p, "0\r\n", 3);
	piece_add(p, trailers, n);
	piece_add(p, "\r\n", 2);
}
