/*
 * fuzz_handoff: what the bytes of another worker may do to the record of a
 * connection.
 *
 * The low half of the first byte is the number of descriptors that came; with its
 * top bit set the record is told how long it is, as random bytes seldom know.  What
 * is let in must lie within the bytes, be in range, and come back the same.
 *
 * tests/fuzz/run builds and runs it.
 */
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "wire/handoff.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define VERSION_AT 4 /* uint16_t, in the head */
#define LENGTH_AT  8 /* uint32_t */
#define FIELD_SIZE 8 /* of its head */

/* An assertion that no NDEBUG takes away. */
#define MUST(what)                                                                             \
	do {                                                                                   \
		if (!(what))                                                                   \
			abort();                                                               \
	} while (0)

/* Volatile: every byte is looked at. */
static void
must_be_within(const struct handoff_bytes *b, const char *bytes, size_t len)
{
	const volatile char *p = b->p;

	MUST(b->n == 0 || (b->p >= bytes && b->n <= len && b->p <= bytes + len - b->n));
	for (size_t i = 0; i < b->n; i++)
		(void)p[i];
}

static void
check_bounds(const struct handoff_record *r, const char *bytes, size_t len, size_t nfd)
{
	must_be_within(&r->service, bytes, len);
	must_be_within(&r->listener, bytes, len);
	must_be_within(&r->unread, bytes, len);
	must_be_within(&r->unsent, bytes, len);
	must_be_within(&r->blob, bytes, len);
	MUST(r->service.n > 0 && r->service.n <= 64);
	MUST(r->listener.n > 0 && r->listener.n <= 256);
	must_be_within(&r->peer, bytes, len);
	must_be_within(&r->client, bytes, len);
	must_be_within(&r->upstream, bytes, len);
	MUST(r->peer.n <= 64 && r->client.n <= 64 && r->upstream.n <= 64);
	MUST(len <= HANDOFF_RECORD_MAX);
	MUST(r->unread.n + r->unsent.n + r->blob.n < len);
	MUST(r->state <= 2);
	MUST(r->requests <= UINT32_MAX && r->blob_version <= UINT32_MAX);
	MUST(r->nfd == nfd && nfd > 0 && nfd <= HANDOFF_FDS_MAX);
}

static bool
same(const struct handoff_bytes *a, const struct handoff_bytes *b)
{
	return a->n == b->n && (a->n == 0 || memcmp(a->p, b->p, a->n) == 0);
}

static void
must_be_same(const struct handoff_record *a, const struct handoff_record *b)
{
	MUST(same(&a->service, &b->service) && same(&a->listener, &b->listener));
	MUST(same(&a->unread, &b->unread) && same(&a->unsent, &b->unsent));
	MUST(same(&a->peer, &b->peer) && same(&a->client, &b->client));
	MUST(same(&a->upstream, &b->upstream));
	MUST(same(&a->blob, &b->blob) && a->blob_version == b->blob_version);
	MUST(a->state == b->state && a->nfd == b->nfd && a->requests == b->requests);
	MUST(a->age_ms == b->age_ms && a->state_ms == b->state_ms && a->left_ms == b->left_ms);
	MUST(a->bytes_in == b->bytes_in && a->bytes_out == b->bytes_out);
}

/* Written again it lacks at most the heads of fields without bytes, and there is one
 * way to write it. */
static void
check_way_back(const struct handoff_record *r, unsigned version, size_t len)
{
	char *once = malloc(len), *twice = malloc(len);
	struct handoff_record back;
	size_t n;

	MUST(once != NULL && twice != NULL);
	n = handoff_encode(r, version, once, len);
	MUST(n > 0 && n <= len);
	MUST((len - n) % FIELD_SIZE == 0 && len - n <= 6 * FIELD_SIZE);
	MUST(handoff_decode(once, n, (size_t)r->nfd, &back) == NULL);
	must_be_same(r, &back);
	MUST(handoff_encode(&back, version, twice, n) == n);
	MUST(memcmp(once, twice, n) == 0);
	MUST(handoff_encode(&back, version, twice, n - 1) == 0);
	free(once);
	free(twice);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct handoff_record r;
	uint32_t length = (uint32_t)(size - 1);
	uint16_t version;
	size_t len, nfd;
	char *bytes;

	if (size < 1)
		return 0;
	len = size - 1;
	nfd = data[0] & 15;
	bytes = malloc(len > 0 ? len : 1); /* of its own: a step beside it is seen */
	MUST(bytes != NULL);
	memcpy(bytes, data + 1, len);
	if ((data[0] & 128) && len >= LENGTH_AT + sizeof length)
		memcpy(bytes + LENGTH_AT, &length, sizeof length);
	if (handoff_decode(bytes, len, nfd, &r) == NULL) {
		memcpy(&version, bytes + VERSION_AT, sizeof version);
		check_bounds(&r, bytes, len, nfd);
		check_way_back(&r, version, len);
		for (size_t n = 0; n < len; n++) /* it ends where it says, nowhere else */
			MUST(handoff_decode(bytes, n, nfd, &r) != NULL);
	}
	free(bytes);
	return 0;
}
