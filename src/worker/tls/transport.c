#include "worker/tls/transport.h"

#include <sys/socket.h>

#include <stdlib.h>
#include <string.h>

#include <openssl/crypto.h>

#include "base/log.h"
#include "base/mem.h"
#include "wire/handoff.h"
#include "worker/tls/facts.h"
#include "worker/tls/shake.h"
#include "worker/tls/transport_int.h"

/* --- life --- */

struct transport *
transport_new(uint32_t listener, void *owner)
{
	struct transport *t = mem_alloc(sizeof *t);

	t->shaking = mem_alloc(sizeof *t->shaking);
	t->shaking->owner = owner;
	t->shaking->listener = listener;
	t->shaking->left_ms = UINT64_MAX;
	return t;
}

static unsigned nshaking;
static TAILQ_HEAD(, shaking) begun = TAILQ_HEAD_INITIALIZER(begun);

unsigned
transport_shaking(void)
{
	return nshaking;
}

static void
begin_shaking(struct shaking *s)
{
	s->shake = shake_new(s->listener);
	nshaking++;
	TAILQ_INSERT_TAIL(&begun, s, link);
}

void
transport_give_up(struct transport *t)
{
	if (t->shaking == NULL)
		return;
	timelist_leave(&t->shaking->limit);
	if (t->shaking->shake == NULL)
		return;
	nshaking--;
	TAILQ_REMOVE(&begun, t->shaking, link);
	shake_free(&t->shaking->shake);
}

static void
end_shaking(struct transport *t)
{
	transport_give_up(t);
	mem_free(&t->shaking);
}

void
transport_free(struct transport **tp)
{
	struct transport *t = *tp;

	if (t == NULL)
		return;
	end_shaking(t);
	tls_record_forget(&t->state);
	bytes_drop(&t->in);
	bytes_drop(&t->plain);
	bytes_drop(&t->out);
	free(t->facts);
	free(t->whyown);
	OPENSSL_cleanse(t, sizeof *t);
	mem_free(tp);
}

bool
transport_shakes(const struct transport *t)
{
	return t->shaking != NULL;
}

struct timed *
transport_limit(struct transport *t)
{
	AN(t->shaking != NULL);
	return &t->shaking->limit;
}

void *
transport_owner(struct timed *limit)
{
	return timed_owner(limit, struct shaking, limit)->owner;
}

const char *
transport_why(const struct transport *t)
{
	return t->why;
}

bool
transport_resumed(const struct transport *t)
{
	return t->resumed;
}

uint64_t *
transport_left(struct transport *t)
{
	AN(t->shaking != NULL);
	return &t->shaking->left_ms;
}

bool
transport_has_begun(const struct transport *t)
{
	return t->shaking == NULL || t->shaking->shake != NULL;
}

void *
transport_oldest_shaking(void)
{
	AN(!TAILQ_EMPTY(&begun));
	return TAILQ_FIRST(&begun)->owner;
}

bool
transport_met_http(const struct transport *t)
{
	return t->http;
}

const struct tls_suite *
transport_suite(const struct transport *t)
{
	return t->state.suite;
}

const struct facts *
transport_facts(const struct transport *t)
{
	return t->facts;
}

/* --- the handshake --- */

static bool
is_http(const uint8_t *p, size_t n)
{
	static const char *const methods[] = {"GET ", "POST", "HEAD", "PUT ", "OPTI",
	                                      "DELE", "CONN", "PATC", "PRI "};

	for (size_t i = 0; i < sizeof methods / sizeof *methods; i++)
		if (n >= 4 && memcmp(p, methods[i], 4) == 0)
			return true;
	return false;
}

static int
shake_over(struct transport *t)
{
	t->facts = shake_facts(t->shaking->shake);
	t->resumed = shake_resumed(t->shaking->shake);
	end_shaking(t);
	return 1;
}

static int
shake_failed(struct transport *t)
{
	t->whyown = mem_printf("TLS handshake: %s", shake_why(t->shaking->shake));
	return transport_broken(t, t->whyown);
}

/* Feed it the whole records that are in transport_work; the rest is kept. */
static int
feed(struct transport *t, int fd, size_t have)
{
	struct shaking *s = t->shaking;
	enum shake_result result = SHAKE_GOES_ON;
	size_t at = 0, len, n;

	while (result == SHAKE_GOES_ON &&
	       (len = tls_record_length(transport_work + at, have - at)) > 0) {
		const uint8_t *out;

		if (len > TLS_RECORD_MAX || transport_work[at] < TLS_CCS ||
		    transport_work[at] > TLS_DATA)
			return transport_broken(t, "TLS handshake: a record that is none");
		if (len > have - at)
			break;
		if (s->shake == NULL)
			begin_shaking(s);
		result = shake_take(s->shake, transport_work + at, len, &t->state);
		at += len;
		out = shake_out(s->shake, &n);
		if (transport_put(t, fd, out, n, false) < 0)
			return -1;
	}
	t->narrow = false;
	bytes_keep(&t->in, transport_work + at, have - at);
	if (result == SHAKE_FAILED)
		return shake_failed(t);
	return result == SHAKE_DONE ? shake_over(t) : 0;
}

int
transport_shake(struct transport *t, int fd)
{
	size_t have = bytes_left(&t->in);
	ssize_t n;

	AN(t->shaking != NULL && t->why == NULL);
	if (transport_flush(t, fd) < 0)
		return -1;
	if (have > 0)
		memcpy(transport_work, t->in.p + t->in.from, have);
	n = recv(fd, transport_work + have, TLS_RECORD_MAX, MSG_DONTWAIT);
	if (n < 0 && transport_would_block())
		return 0;
	if (n <= 0)
		return transport_broken(t, n == 0 ? "TLS handshake: the client has left"
		                                  : "broken by the peer");
	bytes_drop(&t->in);
	have += (size_t)n;
	if (t->shaking->shake == NULL &&
	    (transport_work[0] != TLS_HANDSHAKE || (have > 1 && transport_work[1] != 3))) {
		t->http = is_http(transport_work, have);
		return transport_broken(t, t->http ? "HTTP in clear, where TLS is spoken"
		                                   : "no TLS, where TLS is spoken");
	}
	return feed(t, fd, have);
}

/* --- moving --- */

#define RAW 0 /* the form of one whose handshake has not begun: all there is */

static void
freeze_facts(const struct facts *f, struct handoff_record *r)
{
	if (f == NULL)
		return;
	r->tls_name = f->name;
	r->tls_protocol = f->protocol;
	r->tls_subject = f->subject;
	r->tls_fingerprint = f->fingerprint;
}

static struct handoff_bytes
rest_of(const struct bytes *b)
{
	return (struct handoff_bytes){(const char *)b->p + b->from, bytes_left(b)};
}

bool
transport_freeze(const struct transport *t, struct handoff_record *r)
{
	static uint8_t state[TLS_STATE_MAX];

	if (t->why != NULL || (t->shaking != NULL && t->shaking->shake != NULL))
		return false;
	state[0] = RAW;
	r->tls = (struct handoff_bytes){(const char *)state, 1};
	if (t->shaking == NULL)
		r->tls.n = tls_state_write(&t->state, state);
	if (bytes_left(&t->in) > 0)
		r->tls_in = rest_of(&t->in);
	if (bytes_left(&t->plain) > 0)
		r->tls_plain = rest_of(&t->plain);
	if (bytes_left(&t->out) > 0)
		r->tls_out = rest_of(&t->out);
	freeze_facts(t->facts, r);
	return true;
}

const char *
transport_thaw(struct transport **tp, uint32_t listener, void *owner,
               const struct handoff_record *r)
{
	struct transport *t = *tp = transport_new(listener, owner);
	const char *fault;

	if (r->tls_in.n > WORK_MAX - TLS_RECORD_MAX || r->tls_plain.n > TLS_PLAIN_MAX)
		return "more of its bytes wait than can";
	if (r->tls.n == 1 && *r->tls.p == RAW) {
		bytes_keep(&t->in, r->tls_in.p, r->tls_in.n);
		return r->tls_in.n > TLS_RECORD_MAX ? "more of its bytes wait than can" : NULL;
	}
	fault = tls_state_read(&t->state, r->tls.p, r->tls.n);
	if (fault != NULL)
		return fault;
	end_shaking(t);
	bytes_keep(&t->in, r->tls_in.p, r->tls_in.n);
	bytes_keep(&t->plain, r->tls_plain.p, r->tls_plain.n);
	bytes_keep(&t->out, r->tls_out.p, r->tls_out.n);
	t->narrow = r->tls_out.n > 0;
	t->ends = t->state.closed_out;
	t->ended = t->ends && r->tls_out.n == 0;
	t->facts = facts_copy(
	    &(struct facts){r->tls_name, r->tls_protocol, r->tls_subject, r->tls_fingerprint});
	return NULL;
}
