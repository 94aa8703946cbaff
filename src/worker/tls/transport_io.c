/* transport_io: bytes of a transport, opened and sealed. */
#include "worker/tls/transport_int.h"

#include <sys/socket.h>

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include <openssl/crypto.h>

#include "base/log.h"
#include "base/mem.h"

#define SEAL_MAX   (64 * 1024) /* sealed at once, of a socket that takes it */
#define SEAL_LESS  (16 * 1024) /* of one that took less: at most so much is kept of it */
#define READ_LEAST 4096        /* asked of a socket at once */
#define SEALED_MAX                                                                             \
	(SEAL_MAX + (SEAL_MAX / 256 + 1) * TLS_MORE_MAX +                                      \
	 TLS_SAYS_MAX) /* fragments of 512 at least */

uint8_t transport_work[WORK_MAX];
static uint8_t sealed[SEALED_MAX]; /* what is to be sent */

/* --- bytes that wait --- */

size_t
bytes_left(const struct bytes *b)
{
	return b->to - b->from;
}

void
bytes_drop(struct bytes *b)
{
	if (b->p != NULL)
		OPENSSL_cleanse(b->p, b->to);
	mem_free(&b->p);
	b->from = b->to = 0;
}

void
bytes_keep(struct bytes *b, const void *bytes, size_t n)
{
	AN(bytes_left(b) == 0);
	bytes_drop(b);
	if (n == 0)
		return;
	b->p = mem_alloc(n);
	memcpy(b->p, bytes, n);
	b->to = (uint32_t)n;
}

void
bytes_add(struct bytes *b, const void *bytes, size_t n)
{
	size_t before = bytes_left(b);
	uint8_t *p = mem_alloc(before + n);

	if (before > 0)
		memcpy(p, b->p + b->from, before);
	memcpy(p + before, bytes, n);
	bytes_drop(b);
	b->p = p;
	b->to = (uint32_t)(before + n);
}

static ssize_t
bytes_take(struct bytes *b, void *buf, size_t len)
{
	size_t n = bytes_left(b) < len ? bytes_left(b) : len;

	memcpy(buf, b->p + b->from, n);
	b->from += (uint32_t)n;
	if (bytes_left(b) == 0)
		bytes_drop(b);
	return (ssize_t)n;
}

int
transport_broken(struct transport *t, const char *why)
{
	if (t->why == NULL)
		t->why = why;
	return -1;
}

bool
transport_would_block(void)
{
	return errno == EAGAIN || errno == EINTR;
}

/* --- out --- */

int
transport_flush(struct transport *t, int fd)
{
	while (bytes_left(&t->out) > 0) {
		ssize_t n = send(fd, t->out.p + t->out.from, bytes_left(&t->out),
		                 MSG_DONTWAIT | MSG_NOSIGNAL);

		if (n < 0)
			return transport_would_block()
			           ? 0
			           : transport_broken(t, "broken by the peer");
		t->out.from += (uint32_t)n;
	}
	bytes_drop(&t->out);
	if (t->ends && !t->ended) {
		t->ended = true;
		if (shutdown(fd, SHUT_WR) < 0)
			return transport_broken(t, "broken by the peer");
	}
	return 0;
}

int
transport_put(struct transport *t, int fd, const void *bytes, size_t n, bool more)
{
	int flags = MSG_DONTWAIT | MSG_NOSIGNAL | (more ? MSG_MORE : 0);
	ssize_t sent = 0;

	if (n == 0)
		return 0;
	if (bytes_left(&t->out) == 0)
		sent = send(fd, bytes, n, flags);
	if (sent < 0 && !transport_would_block())
		return transport_broken(t, "broken by the peer");
	if (sent < 0)
		sent = 0;
	t->narrow = (size_t)sent < n;
	if (t->narrow)
		bytes_add(&t->out, (const char *)bytes + sent, n - (size_t)sent);
	return 0;
}

bool
transport_has_unsent(const struct transport *t)
{
	return bytes_left(&t->out) > 0 && t->why == NULL;
}

bool
transport_ends(const struct transport *t)
{
	return t->ends && bytes_left(&t->out) > 0 && t->why == NULL;
}

bool
transport_is_amid_record(const struct transport *t)
{
	return t->shaking == NULL && bytes_left(&t->in) > 0;
}

/* What the protocol owes, before any data. */
static ptrdiff_t
say(struct transport *t)
{
	ptrdiff_t n = t->state.closed_out ? 0 : tls_say(&t->state, sealed);

	return n < 0 ? transport_broken(t, "its key has sealed as much as it may") : n;
}

/* Seal so much of the source as one call does; the length of it all. */
static ssize_t
seal(struct transport *t, struct tls_source *source, size_t begin, size_t *taken)
{
	size_t whole = tls_source_left(source), max = t->narrow ? SEAL_LESS : SEAL_MAX,
	       at = begin;

	if (whole > max)
		whole = max;
	for (*taken = 0; *taken < whole;) {
		size_t part = whole - *taken, n;

		if (part > t->state.max_plain)
			part = t->state.max_plain;
		n = tls_seal(&t->state, TLS_DATA, source, part, sealed + at);
		if (n == 0)
			return transport_broken(t, "its key has sealed as much as it may");
		at += n;
		*taken += part;
	}
	return (ssize_t)at;
}

ssize_t
transport_write(struct transport *t, int fd, const struct iovec *iov, int n, bool more)
{
	struct tls_source source = {.iov = iov, .n = n};
	ptrdiff_t begin;
	ssize_t len;
	size_t taken;

	if (t->shaking != NULL)
		return TRANSPORT_AGAIN;
	if (t->why != NULL || transport_flush(t, fd) < 0)
		return TRANSPORT_ERROR;
	AN(!t->state.closed_out);
	if (bytes_left(&t->out) > 0)
		return TRANSPORT_AGAIN;
	begin = say(t);
	len = begin < 0 ? -1 : seal(t, &source, (size_t)begin, &taken);
	if (len < 0 || transport_put(t, fd, sealed, (size_t)len, more) < 0)
		return TRANSPORT_ERROR;
	return (ssize_t)taken;
}

ssize_t
transport_sendfile(struct transport *t, int fd, int file, off_t *offset, size_t len)
{
	static uint8_t clear[SEAL_MAX];
	struct iovec iov = {.iov_base = clear};
	size_t max = t->narrow ? SEAL_LESS : SEAL_MAX;
	ssize_t n;

	if (t->shaking != NULL)
		return TRANSPORT_AGAIN;
	if (t->why != NULL || transport_flush(t, fd) < 0)
		return TRANSPORT_ERROR;
	if (bytes_left(&t->out) > 0)
		return TRANSPORT_AGAIN;
	n = pread(file, clear, len < max ? len : max, *offset);
	if (n <= 0)
		return n == 0 ? 0 : TRANSPORT_ERROR;
	iov.iov_len = (size_t)n;
	n = transport_write(t, fd, &iov, 1, (size_t)n < len);
	if (n > 0)
		*offset += n;
	return n;
}

int
transport_end(struct transport *t, int fd)
{
	size_t n = 0;

	t->ends = true;
	if (t->why != NULL)
		return -1;
	if (t->shaking == NULL && !t->state.closed_out)
		n = tls_seal_alert(&t->state, TLS_CLOSE_NOTIFY, sealed);
	if (n > 0)
		bytes_add(&t->out, sealed, n);
	return transport_flush(t, fd);
}

/* --- in --- */

/* The peer is told why, if it can be. */
static ssize_t
end_with(struct transport *t, int fd, size_t alert)
{
	static const struct {
		size_t alert;
		const char *why;
	} reasons[] = {{TLS_UNEXPECTED_MESSAGE, "TLS: a record that has no place here"},
	               {TLS_BAD_RECORD_MAC, "TLS: a record that was changed on its way"},
	               {TLS_RECORD_OVERFLOW, "TLS: a record that is too long"},
	               {TLS_NO_RENEGOTIATION, "TLS: a client that renegotiates"}};
	const char *why = "TLS: a record that is none";
	size_t n = tls_seal_alert(&t->state, (enum tls_alert)alert, sealed);

	for (size_t i = 0; i < sizeof reasons / sizeof *reasons; i++)
		if (reasons[i].alert == alert)
			why = reasons[i].why;
	transport_put(t, fd, sealed, n, false);
	bytes_drop(&t->out);
	transport_broken(t, why);
	return TRANSPORT_ERROR;
}

/* Open records from transport_work, of which there are `have` bytes, until buf is full.  *at
 * moves on. */
static ssize_t
open_records(struct transport *t, int fd, size_t have, size_t *at, void *buf, size_t len)
{
	size_t done = 0, used, n;
	uint8_t *plain;

	while (done < len && t->why == NULL && !t->state.closed_in) {
		enum tls_result result =
		    tls_take(&t->state, transport_work + *at, have - *at, &used, &plain, &n);

		if (result == TLS_GOT_PART)
			break;
		*at += used < have - *at ? used : have - *at;
		if (result == TLS_GOT_WRONG)
			end_with(t, fd, n);
		else if (result == TLS_GOT_ALERT)
			transport_broken(t, "TLS: the client gives up");
		else if (result == TLS_GOT_DATA) {
			size_t part = n < len - done ? n : len - done;

			memcpy((char *)buf + done, plain, part);
			bytes_keep(&t->plain, plain + part, n - part);
			done += part;
		}
	}
	return (ssize_t)done;
}

/* How much to ask the socket for: what is asked of us, or the rest of a record. */
static size_t
wanted(size_t have, size_t len)
{
	size_t record = tls_record_length(transport_work, have);
	size_t want = len + (len / TLS_PLAIN_MAX + 1) * TLS_MORE_MAX;

	if (want < READ_LEAST)
		want = READ_LEAST;
	if (record > have && record - have > want)
		want = record - have;
	return want < WORK_MAX - have ? want : WORK_MAX - have;
}

static bool
has_record(const struct transport *t)
{
	size_t n = bytes_left(&t->in), len;

	if (n < TLS_HEAD)
		return false;
	len = tls_record_length(t->in.p + t->in.from, n);
	return len <= n || len > TLS_RECORD_MAX;
}

bool
transport_has_input(const struct transport *t)
{
	bool over = t->state.closed_in || t->why != NULL;

	if (t->shaking != NULL)
		return false;
	return bytes_left(&t->plain) > 0 || (over ? !t->end_told : has_record(t));
}

/* What was read before, and more of it from the socket if there is no whole record.  > 0: so
 * many bytes are in transport_work. */
static ssize_t
fill(struct transport *t, int fd, size_t len)
{
	size_t have = bytes_left(&t->in);
	bool whole = has_record(t);
	ssize_t n;

	AN(have < WORK_MAX);
	if (have > 0)
		memcpy(transport_work, t->in.p + t->in.from, have);
	if (whole) {
		bytes_drop(&t->in);
		return (ssize_t)have;
	}
	n = recv(fd, transport_work + have, wanted(have, len), MSG_DONTWAIT);
	if (n < 0)
		return transport_would_block()
		           ? TRANSPORT_AGAIN
		           : (transport_broken(t, "broken by the peer"), TRANSPORT_ERROR);
	if (n == 0) /* no close_notify: it may have been cut off by anybody (RFC 8446, 6.1) */
		return transport_broken(t, "TLS: the client has ended without saying so"),
		       TRANSPORT_ERROR;
	bytes_drop(&t->in);
	return (ssize_t)have + n;
}

/* Answer what came beside data, unless something waits already: then with the next data. */
static void
answer(struct transport *t, int fd)
{
	ptrdiff_t n;

	if ((!t->state.owe_update && !t->state.owe_no) || bytes_left(&t->out) > 0 ||
	    t->why != NULL)
		return;
	n = say(t);
	if (n > 0)
		transport_put(t, fd, sealed, (size_t)n, false);
}

/* 0, TRANSPORT_ERROR, or TRANSPORT_AGAIN where it goes on. */
static ssize_t
tell_end(struct transport *t)
{
	bool over = t->state.closed_in || t->why != NULL;

	t->end_told |= over;
	if (t->state.closed_in)
		return 0;
	return over ? TRANSPORT_ERROR : TRANSPORT_AGAIN;
}

ssize_t
transport_read(struct transport *t, int fd, void *buf, size_t len)
{
	size_t at = 0;
	ssize_t have, n;

	if (t->shaking != NULL)
		return TRANSPORT_AGAIN;
	if (bytes_left(&t->plain) > 0)
		return bytes_take(&t->plain, buf, len);
	if (t->state.closed_in || t->why != NULL)
		return tell_end(t);
	have = fill(t, fd, len);
	if (have < 0)
		return have == TRANSPORT_AGAIN ? have : tell_end(t);
	n = open_records(t, fd, (size_t)have, &at, buf, len);
	if (t->state.closed_in || t->why != NULL)
		at = (size_t)have;
	bytes_keep(&t->in, transport_work + at, (size_t)have - at);
	answer(t, fd);
	return n > 0 ? n : tell_end(t);
}
