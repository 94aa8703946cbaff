/*
 * piece: what goes out in one write.
 */
#ifndef BATON_SERVICE_HTTP_PIECE_H
#define BATON_SERVICE_HTTP_PIECE_H

#include <sys/uio.h>

#include <stddef.h>

/* Head, a chunk (size, bytes, end), and the end of all of them
 * (size, trailers, empty line). */
#define PIECES 7

struct piece {
	struct iovec iov[PIECES];
	int n;
	char size[24];
};

/* Bytes that follow; and as a chunk; and the end of all chunks, with n bytes of trailers. */
void piece_add(struct piece *p, const void *bytes, size_t n);
void piece_add_chunk(struct piece *p, const char *bytes, size_t n);
void piece_add_end(struct piece *p, const char *trailers, size_t n);

#endif
