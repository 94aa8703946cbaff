/*
 * fuzz_tls: what a peer's records, and another worker's bytes, may do to a live TLS connection.
 *
 * The first byte chooses.  Even: the rest is a state that a worker has sent; what is let in
 * must be written again as it was.  Odd: a suite, then what a peer does with good keys, a byte
 * each for the type, for how the record is bent and for its length, and its data; behind each
 * record the connection is thawed.  Numbers and epochs never go back, and no data is longer
 * than a record.
 *
 * tests/fuzz/run builds and runs it.
 */
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "tls/record.h"
#include "tls/state.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* An assertion that no NDEBUG takes away. */
#define MUST(what)                                                                             \
	do {                                                                                   \
		if (!(what))                                                                   \
			abort();                                                               \
	} while (0)

enum bend { BEND_NOT, BEND_FLIP, BEND_REPLAY, BEND_CUT, BEND_LENGTH, BENDS_N };

static void
thaw(struct tls_state *s)
{
	uint8_t buf[TLS_STATE_MAX], again[TLS_STATE_MAX];
	size_t n = tls_state_write(s, buf);
	struct tls_state back;

	MUST(n <= sizeof buf && tls_state_read(&back, buf, n) == NULL);
	MUST(tls_state_write(&back, again) == n && memcmp(buf, again, n) == 0);
	*s = back;
}

static void
read_state(const uint8_t *data, size_t size)
{
	struct tls_state s;

	if (tls_state_read(&s, data, size) == NULL) {
		MUST(s.max_plain >= TLS_PLAIN_LEAST && s.max_plain <= TLS_PLAIN_MAX);
		thaw(&s);
	}
}

static void
begin(struct tls_state *s, unsigned which)
{
	size_t n = 0;

	while (tls_suite_at(n) != NULL)
		n++;
	*s = (struct tls_state){.suite = tls_suite_at(which % n), .max_plain = TLS_PLAIN_MAX};
	memset(s->rx.secret, 1, sizeof s->rx.secret);
	memset(s->tx.secret, 2, sizeof s->tx.secret);
	if (s->suite->version == TLS_1_3)
		MUST(tls_half_derive(s->suite, &s->rx) == 0 &&
		     tls_half_derive(s->suite, &s->tx) == 0);
}

/* Hear one record; false: it is over. */
static bool
hear(struct tls_state *s, uint8_t *record, size_t len)
{
	struct tls_state before = *s;
	uint8_t *plain = NULL, out[TLS_SAYS_MAX];
	size_t used, n = 0;
	enum tls_result result = tls_take(s, record, len, &used, &plain, &n);

	MUST(s->rx.epoch > before.rx.epoch || s->rx.seq >= before.rx.seq);
	MUST(result != TLS_GOT_DATA || (n > 0 && n <= TLS_PLAIN_MAX && plain >= record &&
	                                plain + n <= record + len && used <= len));
	if (result == TLS_GOT_PART || result == TLS_GOT_WRONG || result == TLS_GOT_ALERT)
		return false;
	thaw(s);
	MUST(tls_say(s, out) >= 0);
	return !s->closed_in;
}

static size_t
bend(uint8_t *record, size_t len, enum bend how, uint8_t at)
{
	if (how == BEND_FLIP)
		record[at % len] ^= 1;
	if (how == BEND_LENGTH)
		record[4] ^= at;
	return how == BEND_CUT ? at % len : len;
}

static void
talk(const uint8_t *data, size_t size)
{
	static uint8_t record[TLS_RECORD_MAX + 1];
	struct tls_state s, peer;

	begin(&s, data[0]);
	peer = s;
	peer.rx = s.tx;
	peer.tx = s.rx;
	for (size_t i = 1; i + 3 < size;) {
		size_t n = data[i + 2] < size - i - 3 ? data[i + 2] : size - i - 3, len;
		struct iovec iov = {(void *)(uintptr_t)(data + i + 3), n};
		struct tls_source source = {.iov = &iov, .n = 1};
		enum bend how = data[i + 1] % BENDS_N;

		len = tls_seal(&peer, data[i] % 32, &source, n, record);
		MUST(len > 0 && len <= n + TLS_MORE_MAX);
		if (how == BEND_REPLAY)
			peer.tx.seq -= peer.tx.seq > 0;
		len = bend(record, len, how, data[i + 2]);
		if (!hear(&s, record, len))
			return;
		if (s.rx.epoch > peer.tx.epoch)
			MUST(tls_half_update(peer.suite, &peer.tx) == 0);
		i += 3 + n;
	}
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (size < 2)
		return 0;
	if (data[0] % 2 == 0)
		read_state(data + 1, size - 1);
	else
		talk(data + 1, size - 1);
	return 0;
}
