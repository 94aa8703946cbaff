/*
 * load: the strict client of the flow tests and of tools/bench.
 *
 * It drives a server from outside, in one of four modes, and knows for each request what became
 * of it; every way to lose one has its own counter. One process, one libevent loop, an event
 * per client; nothing on the path of a request allocates. It shares no code with baton: the
 * witness must not have the faults of the accused.
 *
 * The file reads from top to bottom: options, time, the tally and its report, the HTTP answer
 * parser (pure), the byte stream (pure), the life of a client, the four modes, start and stop.
 *
 * A request ends in exactly one of: answered, reset, timeout, truncated, lost_after_send,
 * bad_answer, wrong_bytes, retried (it stood behind an answer that announced the close), or
 * given up by us because its connection had failed already. An answer after which the server
 * must close counts only when the end of file has come: a RST in its place is a reset.
 */
#ifndef _GNU_SOURCE
#	define _GNU_SOURCE
#endif
#include <arpa/inet.h>
#include <ctype.h>
#include <endian.h>
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <inttypes.h>
#include <math.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include <event2/event.h>
#include <event2/event_struct.h>

#define RAMP      128 /* clients that open for the first time at once */
#define SWEEP_MS  50  /* how often time limits are looked at */
#define PAUSE_MS  20  /* before a client that was cut or refused opens again */
#define AGAIN_MS  2   /* before a connect to a full unix listener is repeated */
#define ACK_MS    20  /* from a connect by a repeated SYN to the first byte */
#define MARKS     32  /* writes of one stream that may await their echo */
#define ERRORS    10  /* sentences kept for the report */
#define SPARE_FDS 32  /* descriptors that are not clients */
#define READ_SIZE 65536

enum phase {
	PHASE_OFF,        /* no connection; waits for its turn or its timer */
	PHASE_CONNECTING, /* connect() has not answered */
	PHASE_IDLE,       /* connected, nothing outstanding */
	PHASE_WAITING,    /* requests or bytes outstanding */
	PHASE_ENDING,     /* everything received, the server's end of file is due */
	PHASE_DONE,       /* will not open again */
};

enum ending { BY_EOF, BY_RESET, BY_TIMEOUT };

struct range {
	unsigned low, high;
};

struct client;

/* What differs between the modes. */
struct mode {
	const char *name;
	void (*connected)(struct client *c);
	void (*bytes)(struct client *c, const char *data, size_t n);
	void (*timer)(struct client *c);  /* of an open connection */
	void (*reopen)(struct client *c); /* after a connection has ended */
	void (*last)(struct client *c);   /* one more request, for --last; NULL: none */
	bool asks_close;                  /* every request is the last on its connection */
	bool once;                        /* not opened again, unless --reopen */
};

static struct {
	const struct mode *mode;
	const char *host; /* as given, also the Host header */
	struct sockaddr_storage target;
	socklen_t target_len;
	struct sockaddr_storage source; /* family AF_UNSPEC: the kernel chooses */
	uint32_t sources;               /* how many addresses from it on */
	unsigned clients;
	double rate;       /* requests a second; 0: as fast as the answers come */
	double seconds;    /* 0: until a signal */
	uint64_t requests; /* 0: no limit */
	double grace;      /* seconds that requests in flight have at the stop */
	double timeout;    /* seconds for a connect, for an answer, for an end of file */
	struct range think, size, pace, post_size, probe, split_pause;
	unsigned post_share;     /* percent of requests */
	unsigned split_share;    /* percent of bursts that are sent in two parts */
	unsigned pipeline;       /* longest burst */
	unsigned pipeline_share; /* percent of clients that send bursts */
	bool touch, reopen, last, ready, until_eof;
	bool upgrade; /* streams begin with a 101 */
	const char *path;
	char *body; /* NULL: any */
	size_t body_len;
	unsigned status;
	uint64_t seed;
} opt = {
    .clients = 64,
    .grace = 5,
    .timeout = 10,
    .think = {0, 50},
    .size = {1, 4096},
    .pace = {20, 20},
    .post_size = {0, 2000},
    .split_pause = {0, 50},
    .pipeline = 1,
    .pipeline_share = 25,
    .path = "/",
    .status = 200,
    .seed = 1,
};

/* --- Time and chance --- */

static uint64_t
now_us(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000 + (uint64_t)t.tv_nsec / 1000;
}

/* splitmix64: any seed is a good one. */
static uint64_t
random_next(uint64_t *state)
{
	uint64_t z = (*state += 0x9e3779b97f4a7c15u);

	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
	z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
	return z ^ (z >> 31);
}

static unsigned
random_in(uint64_t *state, struct range r)
{
	return r.low + (unsigned)(random_next(state) % ((uint64_t)r.high - r.low + 1));
}

/* Latencies in classes of 1.6%: 64 linear steps in every power of two of microseconds. */
struct histogram {
	uint64_t count;
	uint64_t cell[64 * 40];
};

static unsigned
histogram_index(uint64_t us)
{
	unsigned shift = 0;

	while ((us >> shift) >= 128)
		shift++;
	return shift == 0 ? (unsigned)us : (shift * 64) + (unsigned)(us >> shift);
}

static uint64_t
histogram_value(unsigned index)
{
	unsigned shift = index < 128 ? 0 : index / 64 - 1;

	return shift == 0 ? index : (uint64_t)(index - shift * 64) << shift;
}

static void
histogram_add(struct histogram *h, uint64_t us)
{
	const uint64_t longest = UINT64_C(1) << 36;

	h->cell[histogram_index(us < longest ? us : longest)]++;
	h->count++;
}

static double
histogram_ms(const struct histogram *h, double share)
{
	uint64_t wanted = (uint64_t)ceil((double)h->count * share);
	uint64_t seen = 0;

	for (unsigned i = 0; h->count > 0 && i < sizeof h->cell / sizeof h->cell[0]; i++) {
		seen += h->cell[i];
		if (seen >= wanted)
			return (double)histogram_value(i) / 1000;
	}
	return 0;
}

/* --- The tally --- */

static struct {
	uint64_t connections;     /* established */
	uint64_t sent, answered;  /* requests, or writes of a stream */
	uint64_t refused;         /* connects that the other side turned down */
	uint64_t reset;           /* requests, or fresh connections, ended by a RST */
	uint64_t timeout;         /* connects, requests or ends of file that did not come */
	uint64_t truncated;       /* answers that broke off */
	uint64_t lost_after_send; /* requests sent, then end of file before any answer */
	uint64_t closed_idle;     /* ended, by either way, with nothing outstanding */
	uint64_t bad_answer;      /* wrong status, body or framing, or bytes nobody asked for */
	uint64_t wrong_bytes;     /* streams whose echo differed */
	uint64_t local;           /* our own trouble: no port, no descriptor */
	uint64_t closed_announced; /* not an error: closed after Connection: close */
	uint64_t retried;          /* not an error: requests behind that answer */
	uint64_t broken;           /* connections that the server ended without a word */
	uint64_t bytes_sent, bytes_received;
	uint64_t max_gap_us;    /* longest wait for all of an answer, or in vain */
	uint64_t max_gap_at_us; /* when it ended */
	uint64_t max_late_us;   /* mode new: the latest launch after its time */
	uint64_t max_lag_us;    /* the longest that our own loop kept a timer waiting */
	unsigned open, errors;
	char error[ERRORS][256];
	struct histogram connect, answer;
} total;

static uint64_t started_us;

static uint64_t
tally_faults(void)
{
	return total.refused + total.reset + total.timeout + total.truncated +
	       total.lost_after_send + total.closed_idle + total.bad_answer +
	       total.wrong_bytes + total.local;
}

/* A wait that is over, whatever it was that ended it. */
static void
tally_wait(uint64_t from_us, uint64_t to_us)
{
	if (to_us - from_us <= total.max_gap_us)
		return;
	total.max_gap_us = to_us - from_us;
	total.max_gap_at_us = to_us;
}

static void
tally_answer(uint64_t from_us, uint64_t to_us)
{
	histogram_add(&total.answer, to_us - from_us);
	tally_wait(from_us, to_us);
}

static void
print_string(const char *s)
{
	putchar('"');
	for (; *s != '\0'; s++) {
		if (*s == '"' || *s == '\\')
			printf("\\%c", *s);
		else if ((unsigned char)*s < 0x20 || (unsigned char)*s >= 0x7f)
			printf("\\u%04x", (unsigned char)*s);
		else
			putchar(*s);
	}
	putchar('"');
}

static void
print_count(const char *name, uint64_t n)
{
	printf(",\"%s\":%" PRIu64, name, n);
}

/* The one line of JSON. `event` is ready, snapshot or final. */
static void
tally_print(const char *event, uint64_t in_flight)
{
	printf("{\"event\":\"%s\",\"mode\":\"%s\",\"seconds\":%.3f", event, opt.mode->name,
	       (double)(now_us() - started_us) / 1e6);
	print_count("clients", opt.clients);
	print_count("open", total.open);
	print_count("connections", total.connections);
	print_count("sent", total.sent);
	print_count("answered", total.answered);
	print_count("in_flight", in_flight);
	print_count("unanswered", total.sent - total.answered - total.retried - in_flight);
	print_count("refused", total.refused);
	print_count("reset", total.reset);
	print_count("timeout", total.timeout);
	print_count("truncated", total.truncated);
	print_count("lost_after_send", total.lost_after_send);
	print_count("closed_idle", total.closed_idle);
	print_count("bad_answer", total.bad_answer);
	print_count("wrong_bytes", total.wrong_bytes);
	print_count("local", total.local);
	print_count("closed_announced", total.closed_announced);
	print_count("retried", total.retried);
	print_count("broken", total.broken);
	print_count("bytes_sent", total.bytes_sent);
	print_count("bytes_received", total.bytes_received);
	printf(",\"max_gap_ms\":%.3f", (double)total.max_gap_us / 1000);
	printf(",\"max_gap_at\":%.3f",
	       total.max_gap_us == 0 ? 0 : (double)(total.max_gap_at_us - started_us) / 1e6);
	printf(",\"max_late_ms\":%.3f", (double)total.max_late_us / 1000);
	printf(",\"max_lag_ms\":%.3f", (double)total.max_lag_us / 1000);
	printf(",\"connect_p999_ms\":%.3f", histogram_ms(&total.connect, 0.999));
	printf(",\"p50_ms\":%.3f", histogram_ms(&total.answer, 0.5));
	printf(",\"p99_ms\":%.3f", histogram_ms(&total.answer, 0.99));
	printf(",\"p999_ms\":%.3f", histogram_ms(&total.answer, 0.999));
	printf(",\"faults\":%" PRIu64 ",\"errors\":[", tally_faults());
	for (unsigned i = 0; i < total.errors && i < ERRORS; i++) {
		if (i > 0)
			putchar(',');
		print_string(total.error[i]);
	}
	printf("]}\n");
	fflush(stdout);
}

/* --- An HTTP answer, byte by byte --- */

enum part {
	PART_STATUS,
	PART_HEADERS,
	PART_BODY,
	PART_CHUNK_SIZE,
	PART_CHUNK,
	PART_CHUNK_END,
	PART_TRAILERS,
	PART_COMPLETE,
};

struct answer {
	enum part part;
	bool begun; /* at least one byte of it came */
	bool close; /* it is the last one on this connection */
	bool chunked, has_length;
	uint64_t left; /* bytes left of the body or of the chunk */
	uint64_t body; /* bytes of the body so far */
	size_t line_len;
	char line[512]; /* the line in work, without its end */
};

static const char *
answer_status(struct answer *a)
{
	unsigned status;
	char minor;

	if (sscanf(a->line, "HTTP/1.%c %3u", &minor, &status) != 2 || strlen(a->line) < 12 ||
	    (minor != '0' && minor != '1'))
		return "no status line";
	if (status != (opt.upgrade ? 101 : opt.status))
		return "wrong status";
	a->close = minor == '0';
	a->part = PART_HEADERS;
	return NULL;
}

static bool
parse_number(const char *s, int base, uint64_t *n)
{
	char *end;

	if (!isxdigit((unsigned char)*s))
		return false;
	errno = 0;
	*n = strtoull(s, &end, base);
	return errno == 0 && *end == '\0';
}

static const char *
answer_head_end(struct answer *a)
{
	if (opt.upgrade) {
		a->part = PART_COMPLETE; /* what follows is the stream */
		return NULL;
	}
	if (a->chunked && a->has_length)
		return "both Content-Length and chunked";
	if (a->chunked) {
		a->part = PART_CHUNK_SIZE;
		return NULL;
	}
	if (!a->has_length)
		return "neither Content-Length nor chunked";
	if (opt.body != NULL && a->left != opt.body_len)
		return "a Content-Length that is not that of the expected body";
	a->part = a->left > 0 ? PART_BODY : PART_COMPLETE;
	return NULL;
}

static const char *
answer_header(struct answer *a)
{
	char *value = strchr(a->line, ':');

	if (a->line_len == 0)
		return answer_head_end(a);
	if (value == NULL || value == a->line)
		return "a header line without a name";
	*value++ = '\0';
	value += strspn(value, " \t");
	if (strcasecmp(a->line, "Content-Length") == 0) {
		if (a->has_length || !parse_number(value, 10, &a->left))
			return "a bad Content-Length";
		a->has_length = true;
	} else if (strcasecmp(a->line, "Transfer-Encoding") == 0) {
		if (strcasecmp(value, "chunked") != 0)
			return "an unknown Transfer-Encoding";
		a->chunked = true;
	} else if (strcasecmp(a->line, "Connection") == 0) {
		if (strcasecmp(value, "close") == 0)
			a->close = true;
		else if (strcasecmp(value, "keep-alive") == 0)
			a->close = false;
	}
	return NULL;
}

static const char *
answer_line(struct answer *a)
{
	switch (a->part) {
	case PART_STATUS:
		return answer_status(a);
	case PART_HEADERS:
		return answer_header(a);
	case PART_CHUNK_SIZE:
		a->line[strcspn(a->line, "; \t")] = '\0';
		if (!parse_number(a->line, 16, &a->left))
			return "a bad chunk size";
		a->part = a->left > 0 ? PART_CHUNK : PART_TRAILERS;
		return NULL;
	case PART_CHUNK_END:
		if (a->line_len > 0)
			return "a chunk longer than its size";
		a->part = PART_CHUNK_SIZE;
		return NULL;
	case PART_TRAILERS:
		if (a->line_len > 0)
			return NULL;
		a->part = PART_COMPLETE;
		if (opt.body != NULL && a->body != opt.body_len)
			return "a body shorter than expected";
		return NULL;
	default:
		return "a line where none belongs";
	}
}

/* Takes one byte of a line; a whole line goes to answer_line. */
static const char *
answer_line_byte(struct answer *a, char byte)
{
	const char *fault;

	if (byte != '\n') {
		if (a->line_len + 1 == sizeof a->line)
			return "a line of 512 bytes or more";
		a->line[a->line_len++] = byte;
		return NULL;
	}
	if (a->line_len == 0 || a->line[a->line_len - 1] != '\r')
		return "a line that does not end in CRLF";
	a->line[--a->line_len] = '\0';
	if (strlen(a->line) != a->line_len)
		return "a NUL byte in the head";
	fault = answer_line(a);
	a->line_len = 0;
	return fault;
}

static const char *
answer_body(struct answer *a, const char **at, const char *end)
{
	size_t n = (size_t)(end - *at);

	if (n > a->left)
		n = (size_t)a->left;
	if (opt.body != NULL &&
	    (a->body + n > opt.body_len || memcmp(opt.body + a->body, *at, n) != 0))
		return "another body than expected";
	*at += n;
	a->body += n;
	a->left -= n;
	if (a->left == 0)
		a->part = a->part == PART_BODY ? PART_COMPLETE : PART_CHUNK_END;
	return NULL;
}

/* Reads on from *at until the answer is complete or the bytes are used up. Returns NULL, or
 * what is wrong with it. */
static const char *
answer_feed(struct answer *a, const char **at, const char *end)
{
	const char *fault = NULL;

	while (fault == NULL && *at < end && a->part != PART_COMPLETE) {
		a->begun = true;
		if (a->part == PART_BODY || a->part == PART_CHUNK)
			fault = answer_body(a, at, end);
		else
			fault = answer_line_byte(a, *(*at)++);
	}
	return fault;
}

static void
answer_reset(struct answer *a)
{
	memset(a, 0, offsetof(struct answer, line));
}

/* --- A stream of bytes that needs no memory --- */

/* Sender and checker each hold one, with the same seed. */
struct stream {
	uint64_t state, word;
	unsigned left; /* bytes of `word` not yet used */
};

static void
stream_fill(struct stream *s, char *data, size_t n)
{
	size_t i = 0;

	while (i < n) {
		if (s->left == 0 && n - i >= 8) {
			uint64_t word = htole64(random_next(&s->state));

			memcpy(data + i, &word, 8);
			i += 8;
			continue;
		}
		if (s->left == 0) {
			s->word = random_next(&s->state);
			s->left = 8;
		}
		data[i++] = (char)s->word;
		s->word >>= 8;
		s->left--;
	}
}

/* Returns how many of the n bytes are right before the first wrong one. */
static size_t
stream_check(struct stream *s, const char *data, size_t n)
{
	static char expected[READ_SIZE];
	size_t i = 0;

	stream_fill(s, expected, n);
	if (memcmp(expected, data, n) == 0)
		return n;
	while (expected[i] == data[i])
		i++;
	return i;
}

/* A write on its way: echoed when the stream has come to its end. */
struct mark {
	uint64_t end, at_us;
};

struct echo {
	struct stream tx, rx;
	uint64_t written, echoed;
	size_t unwritten;   /* of the newest write, not yet taken by the kernel */
	unsigned head, len; /* ring of marks */
	bool blocked;       /* the pace allows a write, the ring or the kernel did not */
	bool asked;         /* for the upgrade, which is not answered yet */
	struct mark mark[MARKS];
};

/* --- The life of a client --- */

struct client {
	struct event io, timer;
	unsigned number;
	int fd; /* -1: none */
	enum phase phase;
	bool settled;   /* its first connection stands, or failed */
	bool pipelines; /* sends bursts */
	bool had_last;  /* its --last request was sent */
	bool was_reset; /* a write said so: what is left to read comes first */
	short watched;  /* the events of io, 0: none */
	unsigned held;  /* 1: a good answer that counts when the end of file follows */
	unsigned outstanding;
	uint64_t opened_us; /* connect() */
	uint64_t since_us;  /* what the time limit counts from */
	uint64_t began_us;  /* what the latency of the request counts from */
	uint64_t chance;
	char *out; /* requests not yet written */
	size_t out_len, out_done;
	struct answer answer;
	struct echo *echo;   /* of mode echo only */
	struct client *next; /* in the list of free clients, mode new */
};

static struct event_base *base;
static struct client *client;
static struct client *free_clients; /* mode new: those that wait for a request to send */
static struct event opener, pacer, sweeper, stopper;
static struct event on_term, on_int, on_usr1, on_eof, deadline, grace_end;
static unsigned opened_first; /* clients that have begun their first connection */
static unsigned settled;
static unsigned live; /* clients that are not DONE */
static bool stopping, ready_told;
static uint64_t budget; /* requests that may still be sent */

static void client_open(struct client *c);
static void client_retire(struct client *c);

static uint64_t
in_flight(void)
{
	uint64_t n = 0;

	for (unsigned i = 0; i < opt.clients; i++)
		n += client[i].outstanding + client[i].held;
	return n;
}

/* The wait that a client is in, if it is in one. */
static void
client_tally_wait(const struct client *c)
{
	const struct echo *e = c->echo;

	if (c->phase == PHASE_WAITING)
		tally_wait(e != NULL ? e->mark[e->head].at_us : c->began_us, now_us());
}

/* Prints the tally; a wait that goes on counts as far as it got. */
static void
report(const char *event)
{
	for (unsigned i = 0; i < opt.clients; i++)
		client_tally_wait(&client[i]);
	tally_print(event, in_flight());
}

static unsigned
local_port(int fd)
{
	struct sockaddr_storage sa = {0};
	socklen_t len = sizeof sa;

	if (fd < 0 || getsockname(fd, (struct sockaddr *)&sa, &len) < 0)
		return 0;
	if (sa.ss_family == AF_INET6)
		return ntohs(((struct sockaddr_in6 *)&sa)->sin6_port);
	return sa.ss_family == AF_INET ? ntohs(((struct sockaddr_in *)&sa)->sin_port) : 0;
}

/* One human sentence for the report; the first ten are kept. */
static void __attribute__((format(printf, 2, 3)))
client_note(const struct client *c, const char *format, ...)
{
	char what[160];
	uint64_t now = now_us();
	va_list ap;

	if (total.errors++ >= ERRORS)
		return;
	va_start(ap, format);
	vsnprintf(what, sizeof what, format, ap);
	va_end(ap);
	snprintf(total.error[total.errors - 1], sizeof total.error[0],
	         "client %u, port %u, at %.3f s: %s (%.1f ms after its last event)", c->number,
	         local_port(c->fd), (double)(now - started_us) / 1e6, what,
	         (double)(now - c->since_us) / 1000);
}

static void
timer_set(struct event *timer, uint64_t us)
{
	struct timeval tv = {.tv_sec = (time_t)(us / 1000000),
	                     .tv_usec = (suseconds_t)(us % 1000000)};

	event_add(timer, &tv);
}

static void
stop_soon(void)
{
	event_active(&stopper, EV_TIMEOUT, 0);
}

/* Ready: every client has had its first connection; in mode new, which may need few, one. */
static void
client_settled(struct client *c)
{
	unsigned all = opt.mode->asks_close ? 1 : opt.clients;

	if (c->settled)
		return;
	c->settled = true;
	settled++;
	if (opened_first < opt.clients && !opt.mode->asks_close)
		event_active(&opener, EV_TIMEOUT, 0);
	if (settled >= all && opt.ready && !ready_told) {
		ready_told = true;
		report("ready");
	}
}

static void
client_done(struct client *c)
{
	event_del(&c->timer);
	c->phase = PHASE_DONE;
	if (--live == 0)
		event_base_loopbreak(base);
}

/* The only place that closes a client's descriptor. */
static void
client_close(struct client *c)
{
	if (c->phase != PHASE_CONNECTING && c->fd >= 0)
		total.open--;
	client_tally_wait(c);
	if (c->watched != 0)
		event_del(&c->io);
	if (c->fd >= 0)
		close(c->fd);
	event_del(&c->timer);
	free(c->out);
	c->out = NULL;
	c->out_len = c->out_done = 0;
	c->fd = -1;
	c->watched = 0;
	c->phase = PHASE_OFF;
	c->was_reset = false;
	c->outstanding = c->held = 0;
	answer_reset(&c->answer);
}

/* What a client without a connection does next. */
static void
client_next(struct client *c, uint64_t pause_us)
{
	client_settled(c);
	c->opened_us = c->began_us = 0;
	if (stopping || (opt.mode->once && !opt.reopen))
		client_done(c);
	else
		timer_set(&c->timer, pause_us);
	if (budget == 0 && in_flight() == 0)
		stop_soon();
}

/* --- Opening --- */

/* Sources take turns. The port is chosen at connect, when the target is known. */
static int
bind_source(int fd)
{
	static uint32_t turn;
	struct sockaddr_storage sa = opt.source;
	socklen_t len = sizeof(struct sockaddr_in6);
	const int one = 1;

	if (sa.ss_family == AF_UNSPEC)
		return 0;
	if (sa.ss_family == AF_INET) {
		struct sockaddr_in *in = (struct sockaddr_in *)&sa;

		in->sin_addr.s_addr = htonl(ntohl(in->sin_addr.s_addr) + turn++ % opt.sources);
		len = sizeof *in;
	}
	setsockopt(fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &one, sizeof one);
	return bind(fd, (struct sockaddr *)&sa, len);
}

/* A connect that did not come about, sorted by whose fault it is. */
static void
client_open_failed(struct client *c, int err)
{
	switch (err) {
	case ECONNREFUSED:
	case ENOENT: /* no unix socket of that name */
		total.refused++;
		if (total.errors < ERRORS / 2) /* it may be meant: what is not has room, too */
			client_note(c, "refused (%s)", strerror(err));
		break;
	case ECONNRESET:
	case EPIPE:
		total.reset++;
		client_note(c, "reset as soon as it was connected");
		break;
	case ETIMEDOUT:
		total.timeout++;
		client_note(c, "not connected in time");
		break;
	default:
		total.local++;
		client_note(c, "could not connect: %s", strerror(err));
	}
	client_close(c);
	client_next(c, PAUSE_MS * 1000);
}

static void on_io(evutil_socket_t fd, short what, void *arg);

static void
client_watch(struct client *c, short what)
{
	if (c->watched == what)
		return;
	if (c->watched != 0)
		event_del(&c->io);
	c->watched = what;
	event_assign(&c->io, base, c->fd, what | EV_PERSIST, on_io, c);
	event_add(&c->io, NULL);
}

static void
client_connected(struct client *c)
{
	const int one = 1;
	int err = 0;
	socklen_t len = sizeof err;

	getsockopt(c->fd, SOL_SOCKET, SO_ERROR, &err, &len);
	if (err != 0) {
		client_open_failed(c, err);
		return;
	}
	if (opt.target.ss_family != AF_UNIX)
		setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
	c->since_us = now_us();
	histogram_add(&total.connect, c->since_us - c->opened_us);
	total.connections++;
	total.open++;
	c->phase = PHASE_IDLE;
	client_watch(c, EV_READ);
	opt.mode->connected(c);
}

/* Mode new: a request was launched, and waits to be connected again. It must have its end. */
static bool
client_owes(const struct client *c)
{
	return opt.mode->asks_close && c->opened_us != 0;
}

/* A full unix listener says EAGAIN where TCP would have waited. */
static void
client_open_again(struct client *c)
{
	if (now_us() - c->opened_us > (uint64_t)(opt.timeout * 1e6)) {
		client_open_failed(c, ETIMEDOUT);
		return;
	}
	client_close(c);
	if (stopping && !client_owes(c))
		client_done(c);
	else
		timer_set(&c->timer, AGAIN_MS * 1000);
}

static void
client_open(struct client *c)
{
	if (c->opened_us == 0) /* else a repeated connect, which waits since then */
		c->opened_us = now_us();
	c->since_us = c->opened_us;
	c->phase = PHASE_CONNECTING;
	c->fd = socket(opt.target.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (c->fd < 0 || bind_source(c->fd) < 0) {
		client_open_failed(c, errno);
		return;
	}
	if (connect(c->fd, (struct sockaddr *)&opt.target, opt.target_len) == 0)
		client_connected(c);
	else if (errno == EINPROGRESS)
		client_watch(c, EV_WRITE);
	else if (errno == EAGAIN && opt.target.ss_family == AF_UNIX)
		client_open_again(c);
	else
		client_open_failed(c, errno);
}

/* --- Ending --- */

static const char *const ending_name[] = {
    [BY_EOF] = "closed",
    [BY_RESET] = "reset",
    [BY_TIMEOUT] = "nothing came any more",
};

/* The answer is there and the end of file was due. A stream that we shut down ends here too. */
static void
ended_after_all(struct client *c, enum ending how)
{
	if (how == BY_EOF) {
		total.answered += c->held;
		total.retried += c->outstanding;
		budget += c->outstanding;
		total.closed_announced += opt.mode->asks_close ? 0 : c->held;
		return;
	}
	total.broken++;
	if (how == BY_RESET)
		total.reset += 1 + c->outstanding;
	else
		total.timeout += 1 + c->outstanding;
	client_note(c, "%s where the end of file was due",
	            how == BY_RESET ? "a reset" : "nothing came");
}

static void
ended_waiting(struct client *c, enum ending how)
{
	unsigned partial = c->answer.begun;

	total.broken++;
	if (how == BY_RESET) {
		total.reset += c->outstanding;
	} else if (how == BY_TIMEOUT) {
		total.timeout += c->outstanding;
	} else {
		total.truncated += partial;
		total.lost_after_send += c->outstanding - partial;
	}
	if (partial)
		client_note(c, "%s in the middle of an answer, after %" PRIu64 " body bytes",
		            ending_name[how], c->answer.body);
	else
		client_note(c, "%s with %u unanswered and no byte of an answer",
		            ending_name[how], c->outstanding);
}

/* The server's end of the connection, sorted by what we were waiting for. */
static void
client_ended(struct client *c, enum ending how)
{
	if (how == BY_EOF && c->was_reset)
		how = BY_RESET;
	if (c->phase == PHASE_CONNECTING || c->phase == PHASE_OFF) {
		client_open_failed(c, ETIMEDOUT);
		return;
	}
	if (c->phase == PHASE_ENDING) {
		ended_after_all(c, how);
	} else if (c->phase == PHASE_WAITING) {
		ended_waiting(c, how);
	} else {
		total.broken++;
		total.closed_idle++;
		client_note(c, "%s while idle", ending_name[how]);
	}
	client_close(c);
	client_next(c, opt.rate > 0 || how == BY_EOF ? 0 : PAUSE_MS * 1000);
}

/* The server said something wrong; nothing after it can be trusted. */
static void __attribute__((format(printf, 3, 4)))
client_bad(struct client *c, uint64_t *counter, const char *format, ...)
{
	char what[160];
	va_list ap;

	va_start(ap, format);
	vsnprintf(what, sizeof what, format, ap);
	va_end(ap);
	++*counter;
	client_note(c, "%s", what);
	client_close(c);
	client_next(c, PAUSE_MS * 1000);
}

/* Looks once for an end of file that has come already, so that a request is never sent into a
 * connection that was closed before it. False: there was one, and the client has ended. */
static bool
client_looks_open(struct client *c)
{
	char byte;
	ssize_t n = recv(c->fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT);

	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return true;
	if (n > 0)
		client_bad(c, &total.bad_answer, "bytes came that nobody asked for");
	else
		client_ended(c, n == 0 ? BY_EOF : BY_RESET);
	return false;
}

/* At the stop: a client with nothing in flight leaves, with --last after one more answer. A
 * stream says goodbye first. */
static void
client_retire(struct client *c)
{
	if (c->phase == PHASE_OFF && !client_owes(c)) {
		client_done(c);
		return;
	}
	if (c->phase != PHASE_IDLE || !client_looks_open(c))
		return;
	event_del(&c->timer);
	if (opt.last && !c->had_last && opt.mode->last != NULL) {
		c->had_last = true;
		opt.mode->last(c);
		return;
	}
	if (c->echo != NULL) {
		shutdown(c->fd, SHUT_WR);
		c->phase = PHASE_ENDING;
		c->since_us = now_us();
		return;
	}
	client_close(c);
	client_done(c);
}

/* --- Reading and writing --- */

/* False: nothing more to read now, or the client has ended. */
static bool
client_read(struct client *c)
{
	static char data[READ_SIZE];
	ssize_t n = read(c->fd, data, sizeof data);

	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return false;
	if (n <= 0) {
		client_ended(c, n == 0 ? BY_EOF : BY_RESET);
		return false;
	}
	total.bytes_received += (uint64_t)n;
	opt.mode->bytes(c, data, (size_t)n);
	return c->fd >= 0;
}

/* A write failed, so the connection is gone; an answer may have come before that. */
static void
client_write_failed(struct client *c, int err)
{
	int fd = c->fd;

	c->was_reset = err == ECONNRESET;
	client_watch(c, EV_READ);
	while (client_read(c))
		continue;
	if (c->fd == fd)
		client_ended(c, BY_RESET);
}

/* Writes what is pending. */
static void
client_flush(struct client *c)
{
	ssize_t n = send(c->fd, c->out + c->out_done, c->out_len - c->out_done, MSG_NOSIGNAL);

	if (n < 0 && errno != EAGAIN && errno != EINTR) {
		client_write_failed(c, errno);
		return;
	}
	if (n > 0) {
		total.bytes_sent += (uint64_t)n;
		c->out_done += (size_t)n;
	}
	if (c->out_done < c->out_len)
		return;
	free(c->out);
	c->out = NULL;
	c->out_len = c->out_done = 0;
	client_watch(c, EV_READ);
}

static void echo_push(struct client *c);

/* A repeated SYN goes out in a timer of the kernel, and so does the ACK that ends its
 * handshake, maybe on another CPU than ours. Linux (6.18 was seen) looks up without a lock
 * whether a segment's connection is there, and for a moment it is neither half open nor open:
 * data that come from our CPU in that moment, or the ACK behind them, are answered with a RST,
 * by any listener of any program. A network card gives all segments of a connection to one CPU;
 * loopback does not. */
static bool
client_must_settle(const struct client *c)
{
	struct tcp_info info = {0};
	socklen_t len = sizeof info;

	return opt.target.ss_family != AF_UNIX &&
	       getsockopt(c->fd, IPPROTO_TCP, TCP_INFO, &info, &len) == 0 &&
	       info.tcpi_state == TCP_ESTABLISHED && info.tcpi_total_retrans > 0;
}

static void
client_try_connected(struct client *c)
{
	if (!client_must_settle(c)) {
		client_connected(c);
		return;
	}
	event_del(&c->io);
	c->watched = 0;
	timer_set(&c->timer, ACK_MS * 1000);
}

static void
on_io(evutil_socket_t fd, short what, void *arg)
{
	struct client *c = arg;

	(void)fd;
	if (c->phase == PHASE_CONNECTING) {
		client_try_connected(c);
		return;
	}
	if ((what & EV_READ) != 0)
		client_read(c);
	if ((what & EV_WRITE) == 0 || c->fd < 0)
		return;
	if (c->out != NULL)
		client_flush(c);
	else if (c->echo != NULL)
		echo_push(c);
}

/* The pause in the middle of a request is over, and no part of its latency. */
static void
client_second_part(struct client *c)
{
	c->began_us = c->since_us = now_us();
	client_watch(c, EV_READ | EV_WRITE);
}

/* A client's timer: time to open, to have been connected long enough, to send the second part
 * of a request, or whatever its mode does with an open connection. */
static void
on_timer(evutil_socket_t fd, short what, void *arg)
{
	struct client *c = arg;

	(void)fd;
	(void)what;
	if (c->phase == PHASE_CONNECTING)
		client_connected(c);
	else if (c->out != NULL)
		client_second_part(c);
	else if (c->phase != PHASE_OFF)
		opt.mode->timer(c);
	else if (c->opened_us != 0)
		client_open(c);
	else
		opt.mode->reopen(c);
}

/* --- HTTP: new, keep and idle --- */

static size_t
http_format(struct client *c, char *to, size_t room)
{
	static const char filler[] = "baton carries the pace of the relay, ";
	bool post = random_next(&c->chance) % 100 < opt.post_share;
	unsigned body = post ? random_in(&c->chance, opt.post_size) : 0;
	size_t n;

	n = (size_t)snprintf(to, room, "%s %s HTTP/1.1\r\nHost: %s\r\n%s",
	                     post ? "POST" : "GET", opt.path, opt.host,
	                     opt.mode->asks_close ? "Connection: close\r\n" : "");
	if (post)
		n += (size_t)snprintf(to + n, room - n,
		                      "Content-Type: text/plain\r\nContent-Length: %u\r\n",
		                      body);
	n += (size_t)snprintf(to + n, room - n, "\r\n");
	for (unsigned i = 0; i < body; i++)
		to[n++] = filler[i % (sizeof filler - 1)];
	return n;
}

/* Where a burst of len bytes is cut in two; len: not at all. */
static size_t
http_cut(struct client *c, size_t len)
{
	if (opt.split_share == 0 || random_next(&c->chance) % 100 >= opt.split_share)
		return len;
	return random_in(&c->chance, (struct range){1, (unsigned)len - 1});
}

/* Writes the first part of a burst, and keeps the rest for the kernel's pace or for after a
 * pause. */
static void
http_push(struct client *c, const char *burst, size_t len)
{
	struct range us = {opt.split_pause.low * 1000, opt.split_pause.high * 1000};
	size_t part = http_cut(c, len);
	ssize_t n = send(c->fd, burst, part, MSG_NOSIGNAL);

	if (n < 0 && errno != EAGAIN && errno != EINTR) {
		client_write_failed(c, errno);
		return;
	}
	n = n < 0 ? 0 : n;
	total.bytes_sent += (uint64_t)n;
	if ((size_t)n == len)
		return;
	c->out_len = len - (size_t)n;
	c->out = malloc(c->out_len);
	if (c->out == NULL)
		abort();
	memcpy(c->out, burst + n, c->out_len);
	if ((size_t)n < part)
		client_watch(c, EV_READ | EV_WRITE);
	else
		timer_set(&c->timer, random_in(&c->chance, us));
}

static void
http_send(struct client *c, unsigned count)
{
	static char *burst;
	static size_t room;
	size_t len = 0;

	if (burst == NULL) {
		room = opt.pipeline *
		       (512 + strlen(opt.path) + strlen(opt.host) + opt.post_size.high);
		burst = malloc(room);
	}
	if (burst == NULL)
		abort();
	for (unsigned i = 0; i < count; i++)
		len += http_format(c, burst + len, room - len);
	c->phase = PHASE_WAITING;
	c->outstanding = count;
	c->since_us = now_us();
	if (c->began_us == 0)
		c->began_us = c->since_us;
	total.sent += count;
	http_push(c, burst, len);
}

static void
http_last(struct client *c)
{
	http_send(c, 1);
}

/* Nothing more is sent into a connection whose last answer has come. */
static void
http_unsend(struct client *c)
{
	free(c->out);
	c->out = NULL;
	c->out_len = c->out_done = 0;
	event_del(&c->timer);
	client_watch(c, EV_READ);
}

/* One good answer is complete. */
static void
http_answered(struct client *c)
{
	uint64_t now = now_us();

	tally_answer(c->began_us, now);
	c->outstanding--;
	if (opt.mode->asks_close || c->answer.close) {
		c->phase = PHASE_ENDING;
		c->held = 1;
		c->since_us = now;
		http_unsend(c);
	} else {
		total.answered++;
		if (c->outstanding == 0)
			c->phase = PHASE_IDLE;
		c->since_us = now;
	}
	answer_reset(&c->answer);
	if (c->phase == PHASE_IDLE)
		c->began_us = 0;
}

static void
http_bytes(struct client *c, const char *data, size_t n)
{
	const char *at = data;
	const char *end = data + n;

	while (at < end) {
		const char *fault;

		if (c->phase != PHASE_WAITING) {
			client_bad(c, &total.bad_answer, "%s",
			           c->phase == PHASE_ENDING
			               ? "more bytes after the last answer"
			               : "bytes came that nobody asked for");
			return;
		}
		fault = answer_feed(&c->answer, &at, end);
		if (fault != NULL) {
			client_bad(c, &total.bad_answer, "%s: '%.80s'", fault, c->answer.line);
			return;
		}
		if (c->answer.part != PART_COMPLETE)
			return;
		if (c->out != NULL && c->outstanding == 1 && !c->answer.close) {
			client_bad(
			    c, &total.bad_answer,
			    "an answer to a request of which %zu bytes were not sent yet",
			    c->out_len - c->out_done);
			return;
		}
		http_answered(c);
	}
}

/* --- Mode new: a connection per request --- */

static void
new_connected(struct client *c)
{
	client_settled(c);
	http_send(c, 1);
}

/* A client whose request is over waits for the next one. */
static void
new_free(struct client *c)
{
	c->next = free_clients;
	free_clients = c;
	event_active(&pacer, EV_TIMEOUT, 0);
}

static void
new_launch(uint64_t due_us)
{
	struct client *c = free_clients;

	free_clients = c->next;
	c->began_us = due_us;
	budget--;
	client_open(c);
}

/* Open loop: request k is due at start + k/rate, whatever became of those before it. Its
 * latency counts from then, so that a server that stalls is charged for those that had to wait.
 */
static void
on_pace(evutil_socket_t fd, short what, void *arg)
{
	static uint64_t launched;
	uint64_t now = now_us();

	(void)fd;
	(void)what;
	(void)arg;
	while (!stopping && free_clients != NULL && budget > 0) {
		uint64_t due = now;

		if (opt.rate > 0)
			due = started_us + (uint64_t)((double)launched * 1e6 / opt.rate);
		if (due > now) {
			timer_set(&pacer, due - now);
			return;
		}
		if (now - due > total.max_late_us)
			total.max_late_us = now - due;
		launched++;
		new_launch(due);
	}
	if (budget == 0 && !stopping)
		stop_soon();
}

/* --- Mode keep: bursts with pauses --- */

static void
keep_think(struct client *c)
{
	struct range us = {opt.think.low * 1000, opt.think.high * 1000};

	if (stopping)
		client_retire(c);
	else if (budget > 0)
		timer_set(&c->timer, random_in(&c->chance, us));
	else if (in_flight() == 0)
		stop_soon();
}

static void
keep_connected(struct client *c)
{
	client_settled(c);
	keep_think(c);
}

static void
keep_timer(struct client *c)
{
	unsigned burst = 1;

	if (c->phase != PHASE_IDLE || !client_looks_open(c))
		return;
	if (c->pipelines)
		burst = random_in(&c->chance, (struct range){2, opt.pipeline});
	if (burst > budget)
		burst = (unsigned)budget;
	budget -= burst;
	if (burst > 0)
		http_send(c, burst);
	else
		keep_think(c);
}

static void
keep_bytes(struct client *c, const char *data, size_t n)
{
	http_bytes(c, data, n);
	if (c->phase == PHASE_IDLE)
		keep_think(c);
}

/* --- Mode idle: hold, and ask now and then whether anybody is there --- */

static void
idle_rest(struct client *c)
{
	struct range us = {opt.probe.low * 1000, opt.probe.high * 1000};

	client_settled(c);
	if (stopping)
		client_retire(c);
	else if (us.high > 0)
		timer_set(&c->timer, random_in(&c->chance, us));
}

static void
idle_connected(struct client *c)
{
	if (opt.touch)
		http_send(c, 1);
	else
		idle_rest(c);
}

static void
idle_timer(struct client *c)
{
	if (c->phase != PHASE_IDLE || !client_looks_open(c))
		return;
	if (budget == 0) {
		stop_soon();
		return;
	}
	budget--;
	http_send(c, 1);
}

static void
idle_bytes(struct client *c, const char *data, size_t n)
{
	http_bytes(c, data, n);
	if (c->phase == PHASE_IDLE)
		idle_rest(c);
}

/* --- Mode echo: raw streams --- */

static void
echo_pace(struct client *c)
{
	struct range us = {opt.pace.low * 1000, opt.pace.high * 1000};

	timer_set(&c->timer, random_in(&c->chance, us));
}

static void
echo_begin(struct client *c)
{
	client_settled(c);
	if (stopping)
		client_retire(c);
	else
		echo_pace(c);
}

/* The request counts as the first write, and the 101 as its echo. */
static void
echo_upgrade(struct client *c)
{
	struct echo *e = c->echo;
	char head[1024];
	int n = snprintf(head, sizeof head,
	                 "GET %.500s HTTP/1.1\r\nHost: %.200s\r\nConnection: Upgrade\r\n"
	                 "Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
	                 "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n",
	                 opt.path, opt.host);

	if (budget == 0) {
		stop_soon();
		return;
	}
	budget--;
	e->asked = true;
	e->mark[0].at_us = c->since_us = now_us();
	c->phase = PHASE_WAITING;
	c->outstanding = 1;
	total.sent++;
	if (send(c->fd, head, (size_t)n, MSG_NOSIGNAL) == n)
		total.bytes_sent += (uint64_t)n;
	else
		client_write_failed(c, errno);
}

static void
echo_connected(struct client *c)
{
	struct echo *e = c->echo;

	memset(e, 0, sizeof *e);
	e->tx.state = e->rx.state = random_next(&c->chance);
	if (opt.upgrade)
		echo_upgrade(c);
	else
		echo_begin(c);
}

/* False: the 101 is not whole yet, or is none. */
static bool
echo_upgraded(struct client *c, const char **at, const char *end)
{
	uint64_t now = now_us();
	const char *fault = answer_feed(&c->answer, at, end);

	if (fault != NULL) {
		client_bad(c, &total.bad_answer, "%s: '%.80s'", fault, c->answer.line);
		return false;
	}
	if (c->answer.part != PART_COMPLETE)
		return false;
	tally_answer(c->echo->mark[0].at_us, now);
	answer_reset(&c->answer);
	c->echo->asked = false;
	c->outstanding = 0;
	c->phase = PHASE_IDLE;
	c->since_us = now;
	total.answered++;
	echo_begin(c);
	return c->fd >= 0;
}

/* Hands the rest of the newest write to the kernel. What it does not take is made again later:
 * the stream goes back to where it stood. */
static void
echo_push(struct client *c)
{
	static char data[READ_SIZE];
	struct echo *e = c->echo;

	while (e->unwritten > 0) {
		size_t want = e->unwritten < sizeof data ? e->unwritten : sizeof data;
		struct stream before = e->tx;
		ssize_t n;

		stream_fill(&e->tx, data, want);
		n = send(c->fd, data, want, MSG_NOSIGNAL);
		if (n < 0 && errno != EAGAIN && errno != EINTR) {
			client_write_failed(c, errno);
			return;
		}
		n = n < 0 ? 0 : n;
		total.bytes_sent += (uint64_t)n;
		e->written += (uint64_t)n;
		e->unwritten -= (size_t)n;
		if ((size_t)n == want)
			continue;
		e->tx = before;
		stream_fill(&e->tx, data, (size_t)n);
		client_watch(c, EV_READ | EV_WRITE);
		return;
	}
	client_watch(c, EV_READ);
}

/* A new write. The ring of marks has room for it. */
static void
echo_write(struct client *c)
{
	struct echo *e = c->echo;
	struct mark *m = &e->mark[(e->head + e->len++) % MARKS];

	e->blocked = false;
	e->unwritten = random_in(&c->chance, opt.size);
	m->end = e->written + e->unwritten;
	m->at_us = now_us();
	if (c->phase == PHASE_IDLE)
		c->since_us = m->at_us;
	c->phase = PHASE_WAITING;
	c->outstanding = e->len;
	total.sent++;
	/* The common case is that the kernel takes it all: then the events stay as they are. */
	echo_push(c);
}

static void
echo_timer(struct client *c)
{
	struct echo *e = c->echo;

	if (stopping)
		return;
	if (e->len == MARKS || e->unwritten > 0) {
		e->blocked = true;
		return;
	}
	if (c->phase == PHASE_IDLE && !client_looks_open(c))
		return;
	if (budget == 0) {
		stop_soon();
		return;
	}
	budget--;
	echo_pace(c);
	echo_write(c);
}

/* Writes whose last byte came back are answered. */
static void
echo_settle(struct client *c)
{
	struct echo *e = c->echo;
	uint64_t now = now_us();

	while (e->len > 0 && e->mark[e->head].end <= e->echoed) {
		tally_answer(e->mark[e->head].at_us, now);
		total.answered++;
		e->head = (e->head + 1) % MARKS;
		e->len--;
	}
	c->outstanding = e->len;
	c->since_us = e->len > 0 ? e->mark[e->head].at_us : now;
	if (e->len == 0)
		c->phase = PHASE_IDLE;
	if (stopping)
		client_retire(c);
	else if (e->blocked && e->unwritten == 0)
		echo_timer(c);
}

static void
echo_bytes(struct client *c, const char *data, size_t n)
{
	struct echo *e = c->echo;
	const char *at = data;
	size_t right;

	if (e->asked && !echo_upgraded(c, &at, data + n))
		return;
	n -= (size_t)(at - data);
	if (n == 0)
		return;
	if (n > e->written - e->echoed) {
		client_bad(c, &total.wrong_bytes,
		           "more came back than was sent, after %" PRIu64 " bytes", e->echoed);
		return;
	}
	right = stream_check(&e->rx, at, n);
	if (right < n) {
		client_bad(c, &total.wrong_bytes, "byte %" PRIu64 " came back wrong",
		           e->echoed + right);
		return;
	}
	e->echoed += n;
	echo_settle(c);
}

/* In new an open connection has no timer. */
static const struct mode mode_new = {
    .name = "new",
    .connected = new_connected,
    .bytes = http_bytes,
    .reopen = new_free,
    .asks_close = true,
};
static const struct mode mode_keep = {
    .name = "keep",
    .connected = keep_connected,
    .bytes = keep_bytes,
    .timer = keep_timer,
    .reopen = client_open,
    .last = http_last,
};
static const struct mode mode_echo = {
    .name = "echo",
    .connected = echo_connected,
    .bytes = echo_bytes,
    .timer = echo_timer,
    .reopen = client_open,
    .last = echo_write,
};
static const struct mode mode_idle = {
    .name = "idle",
    .connected = idle_connected,
    .bytes = idle_bytes,
    .timer = idle_timer,
    .reopen = client_open,
    .last = http_last,
    .once = true,
};
static const struct mode *const modes[] = {&mode_new, &mode_keep, &mode_echo, &mode_idle};

/* --- Start, time limits, stop --- */

/* First connections are opened a few at a time: a burst of 10,000 would overflow the listener's
 * queue, and measure that. */
static void
on_open(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	(void)arg;
	while (!stopping && opened_first < opt.clients && opened_first - settled < RAMP)
		client_open(&client[opened_first++]);
}

static uint64_t sweep_due_us;

static void
on_sweep(evutil_socket_t fd, short what, void *arg)
{
	uint64_t now = now_us();
	uint64_t limit = (uint64_t)(opt.timeout * 1e6);

	(void)fd;
	(void)what;
	(void)arg;
	if (now > sweep_due_us && now - sweep_due_us > total.max_lag_us)
		total.max_lag_us = now - sweep_due_us;
	sweep_due_us = now + (uint64_t)SWEEP_MS * 1000;
	for (unsigned i = 0; i < opt.clients; i++) {
		struct client *c = &client[i];

		if (c->fd >= 0 && c->phase != PHASE_IDLE && c->since_us + limit < now)
			client_ended(c, BY_TIMEOUT);
	}
}

static void
on_stop(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	(void)arg;
	if (stopping)
		return;
	stopping = true;
	event_del(&deadline);
	event_del(&pacer);
	timer_set(&grace_end, (uint64_t)(opt.grace * 1e6));
	for (unsigned i = 0; i < opt.clients; i++)
		if (client[i].phase != PHASE_DONE)
			client_retire(&client[i]);
}

/* Whatever is still in flight has run out of time. */
static void
on_grace_end(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	(void)arg;
	for (unsigned i = 0; i < opt.clients; i++)
		if (client[i].phase != PHASE_DONE)
			client_ended(&client[i], BY_TIMEOUT);
}

static void
on_stop_signal(evutil_socket_t fd, short what, void *arg)
{
	if (stopping)
		on_grace_end(fd, what, arg);
	else
		on_stop(fd, what, arg);
}

/* What comes on stdin is of no interest; its end is. */
static void
on_stdin(evutil_socket_t fd, short what, void *arg)
{
	char data[256];
	ssize_t n = read(fd, data, sizeof data);

	if (n > 0 || (n < 0 && (errno == EAGAIN || errno == EINTR)))
		return;
	event_del(&on_eof);
	on_stop(fd, what, arg);
}

static void
on_snapshot(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	(void)arg;
	report("snapshot");
}

static void die(const char *format, ...) __attribute__((noreturn, format(printf, 1, 2)));

static void
clients_start(void)
{
	uint64_t chance = opt.seed;

	live = opt.clients;
	budget = opt.requests > 0 ? opt.requests : UINT64_MAX / 2;
	for (unsigned i = 0; i < opt.clients; i++) {
		struct client *c = &client[i];

		c->number = i + 1;
		c->fd = -1;
		c->chance = random_next(&chance);
		c->pipelines =
		    opt.pipeline > 1 && random_next(&chance) % 100 < opt.pipeline_share;
		evtimer_assign(&c->timer, base, on_timer, c);
		if (opt.mode == &mode_new)
			new_free(c);
		if (opt.mode != &mode_echo)
			continue;
		c->echo = calloc(1, sizeof *c->echo);
		if (c->echo == NULL)
			abort();
	}
}

static void
events_start(void)
{
	const struct timeval tick = {.tv_usec = SWEEP_MS * 1000};

	evsignal_assign(&on_term, base, SIGTERM, on_stop_signal, NULL);
	evsignal_assign(&on_int, base, SIGINT, on_stop_signal, NULL);
	evsignal_assign(&on_usr1, base, SIGUSR1, on_snapshot, NULL);
	evsignal_add(&on_term, NULL);
	evsignal_add(&on_int, NULL);
	evsignal_add(&on_usr1, NULL);
	event_assign(&on_eof, base, STDIN_FILENO, EV_READ | EV_PERSIST, on_stdin, NULL);
	if (opt.until_eof && event_add(&on_eof, NULL) < 0)
		die("--until-eof: stdin is neither a pipe nor a terminal");
	evtimer_assign(&opener, base, on_open, NULL);
	evtimer_assign(&pacer, base, on_pace, NULL);
	evtimer_assign(&stopper, base, on_stop, NULL);
	evtimer_assign(&deadline, base, on_stop, NULL);
	evtimer_assign(&grace_end, base, on_grace_end, NULL);
	event_assign(&sweeper, base, -1, EV_PERSIST, on_sweep, NULL);
	event_add(&sweeper, &tick);
	sweep_due_us = now_us() + (uint64_t)SWEEP_MS * 1000;
	if (opt.seconds > 0)
		timer_set(&deadline, (uint64_t)(opt.seconds * 1e6));
	event_active(opt.mode == &mode_new ? &pacer : &opener, EV_TIMEOUT, 0);
}

/* --- Options --- */

/* A fault of usage: one sentence, exit 2. */
static void
die(const char *format, ...)
{
	va_list ap;

	va_start(ap, format);
	fprintf(stderr, "load: ");
	vfprintf(stderr, format, ap);
	fprintf(stderr, "\n");
	va_end(ap);
	exit(2);
}

/* One option: its row takes the text, checks it and gives the line of --help. */
struct row {
	const char *name, *shape, *help;
	void (*take)(const struct row *row, const char *text);
	void *to;
	double low, high; /* of numbers */
};

static double
number(const struct row *row, const char *text)
{
	char *end;
	double x = strtod(text, &end);

	if (end == text || *end != '\0' || !(x >= row->low && x <= row->high))
		die("--%s: '%s' is not a number from %.10g to %.10g", row->name, text, row->low,
		    row->high);
	return x;
}

static uint64_t
whole(const struct row *row, const char *text)
{
	double x = number(row, text);

	if (x != floor(x))
		die("--%s: '%s' is not a whole number", row->name, text);
	return (uint64_t)x;
}

static void
take_real(const struct row *row, const char *text)
{
	*(double *)row->to = number(row, text);
}

static void
take_count(const struct row *row, const char *text)
{
	*(unsigned *)row->to = (unsigned)whole(row, text);
}

static void
take_large(const struct row *row, const char *text)
{
	*(uint64_t *)row->to = whole(row, text);
}

static void
take_text(const struct row *row, const char *text)
{
	*(const char **)row->to = text;
}

static void
take_flag(const struct row *row, const char *text)
{
	(void)text;
	*(bool *)row->to = true;
}

/* "A-B", or "A" for exactly that. */
static void
take_range(const struct row *row, const char *text)
{
	struct range *r = row->to;
	char first[32];
	size_t n = strcspn(text, "-");

	if (n >= sizeof first)
		die("--%s: '%s' is not a range", row->name, text);
	memcpy(first, text, n);
	first[n] = '\0';
	r->low = (unsigned)whole(row, first);
	r->high = text[n] == '-' ? (unsigned)whole(row, text + n + 1) : r->low;
	if (r->high < r->low)
		die("--%s: '%s' ends before it starts", row->name, text);
}

/* A row with a place to write to asks for a newline after the text. */
static void
take_body(const struct row *row, const char *text)
{
	char *body;

	if (asprintf(&body, "%s%s", text, row->to != NULL ? "\n" : "") < 0)
		abort();
	free(opt.body);
	opt.body = body;
	opt.body_len = strlen(body);
}

static void
take_body_file(const struct row *row, const char *name)
{
	FILE *file = fopen(name, "rb");
	char *body;
	long size;

	(void)row;
	if (file == NULL || fseek(file, 0, SEEK_END) < 0 || (size = ftell(file)) < 0)
		die("%s: %s", name, strerror(errno));
	rewind(file);
	body = malloc((size_t)size + 1);
	if (body == NULL || fread(body, 1, (size_t)size, file) != (size_t)size)
		die("%s: %s", name, strerror(errno));
	fclose(file);
	free(opt.body);
	opt.body = body;
	opt.body_len = (size_t)size;
}

/* Resolves once; a client that asks a name server for each connection measures that. */
static void
take_address(const char *host, const char *port, struct sockaddr_storage *to, socklen_t *len)
{
	const struct addrinfo hints = {.ai_socktype = SOCK_STREAM};
	struct addrinfo *list;
	int err = getaddrinfo(host, port, &hints, &list);

	if (err != 0)
		die("%s: %s", host, gai_strerror(err));
	memcpy(to, list->ai_addr, list->ai_addrlen);
	*len = list->ai_addrlen;
	freeaddrinfo(list);
}

static void
take_unix(const char *path)
{
	struct sockaddr_un *un = (struct sockaddr_un *)&opt.target;

	if (strlen(path) >= sizeof un->sun_path)
		die("%s: too long for a unix socket", path);
	un->sun_family = AF_UNIX;
	memcpy(un->sun_path, path, strlen(path) + 1);
	opt.target_len = sizeof *un;
	opt.host = "localhost";
}

static void
take_target(const char *text)
{
	char *host = strdup(text);
	char *colon = strrchr(text, ':');
	size_t n = colon == NULL ? 0 : (size_t)(colon - text);

	if (strncmp(text, "unix:", 5) == 0) {
		free(host);
		take_unix(text + 5);
		return;
	}
	if (host == NULL || colon == NULL)
		die("'%s' is neither HOST:PORT nor unix:PATH", text);
	host[n] = '\0';
	if (n >= 2 && host[0] == '[' && host[n - 1] == ']') {
		host[n - 1] = '\0';
		take_address(host + 1, colon + 1, &opt.target, &opt.target_len);
	} else {
		take_address(host, colon + 1, &opt.target, &opt.target_len);
	}
	free(host);
	opt.host = text;
}

static void
take_sources(const struct row *row, const char *text)
{
	char first[64];
	struct in_addr low, high;
	socklen_t len;
	size_t n = strcspn(text, "-");

	(void)row;
	if (text[n] == '\0') {
		take_address(text, NULL, &opt.source, &len);
		opt.sources = 1;
		return;
	}
	snprintf(first, sizeof first, "%.*s", (int)n, text);
	if (inet_pton(AF_INET, first, &low) != 1 ||
	    inet_pton(AF_INET, text + n + 1, &high) != 1 ||
	    ntohl(high.s_addr) < ntohl(low.s_addr))
		die("'%s' is not a range of IPv4 addresses", text);
	take_address(first, NULL, &opt.source, &len);
	opt.sources = ntohl(high.s_addr) - ntohl(low.s_addr) + 1;
}

static void
take_mode(const char *name)
{
	for (size_t i = 0; i < sizeof modes / sizeof modes[0]; i++)
		if (strcmp(modes[i]->name, name) == 0)
			opt.mode = modes[i];
	if (opt.mode == NULL)
		die("unknown mode '%s'; there are new, keep, echo, idle", name);
}

static void take_help(const struct row *row, const char *text);

#define HOUR_MS 3600000

/* clang-format off */
static const struct row rows[] = {
	{"clients", "N", "connections at a time, at most (64)",
	 take_count, &opt.clients, 1, 1e6},
	{"rate", "R", "new: requests a second in all; 0: as fast as answers come (0)",
	 take_real, &opt.rate, 0, 1e6},
	{"seconds", "S", "stop then (never; TERM and INT stop; twice: at once)",
	 take_real, &opt.seconds, 0, 1e7},
	{"requests", "N", "stop after so many requests, or writes of streams",
	 take_large, &opt.requests, 1, 1e15},
	{"until-eof", NULL, "stop at the end of file on stdin, too",
	 take_flag, &opt.until_eof, 0, 0},
	{"grace", "S", "at the stop, time for what is in flight (5)",
	 take_real, &opt.grace, 0, 1e6},
	{"timeout", "S", "for a connect, an answer, an end of file (10)",
	 take_real, &opt.timeout, 0, 1e6},
	{"think", "A-B", "keep: ms between an answer and the next request (0-50)",
	 take_range, &opt.think, 0, HOUR_MS},
	{"pipeline", "N", "keep: bursts of 2 to N requests (1: none)",
	 take_count, &opt.pipeline, 1, 1000},
	{"pipeline-share", "P", "keep: percent of the clients that send bursts (25)",
	 take_count, &opt.pipeline_share, 0, 100},
	{"post-share", "P", "percent of POST requests (0)",
	 take_count, &opt.post_share, 0, 100},
	{"post-size", "A-B", "bytes of their bodies (0-2000)",
	 take_range, &opt.post_size, 0, 1 << 24},
	{"split-share", "P", "percent of requests, or bursts, sent in two parts (0)",
	 take_count, &opt.split_share, 0, 100},
	{"split-pause", "A-B", "ms between the parts (0-50)",
	 take_range, &opt.split_pause, 0, HOUR_MS},
	{"size", "A-B", "echo: bytes of a write (1-4096)",
	 take_range, &opt.size, 1, 1 << 30},
	{"pace", "A-B", "echo: ms between two writes (20)",
	 take_range, &opt.pace, 0, HOUR_MS},
	{"upgrade", NULL, "echo: a WebSocket's request first, and its 101", take_flag, &opt.upgrade, 0,
	 0},
	{"touch", NULL, "idle: one request first", take_flag, &opt.touch, 0, 0},
	{"probe", "A-B", "idle: ms between two requests of a connection (0: none)",
	 take_range, &opt.probe, 0, HOUR_MS},
	{"reopen", NULL, "idle: open again what was closed", take_flag, &opt.reopen, 0, 0},
	{"last", NULL, "at the stop, one more request or write on each open connection",
	 take_flag, &opt.last, 0, 0},
	{"path", "PATH", "of the requests (/)", take_text, &opt.path, 0, 0},
	{"status", "N", "that answers must have (200)", take_count, &opt.status, 200, 599},
	{"body", "TEXT", "that answers must have (any)", take_body, NULL, 0, 0},
	{"line", "TEXT", "the same, with a newline after it", take_body, &opt.body, 0, 0},
	{"body-file", "FILE", "the same, from a file", take_body_file, NULL, 0, 0},
	{"source", "ADDRESS", "the clients' own address", take_sources, NULL, 0, 0},
	{"sources", "A-B", "a range of IPv4 addresses, taken in turn", take_sources, NULL, 0, 0},
	{"seed", "N", "of sizes, pauses and bytes (1)", take_large, &opt.seed, 0, 1e15},
	{"ready", NULL, "print a line of JSON when every client (new: one) has been connected",
	 take_flag, &opt.ready, 0, 0},
	{"help", NULL, "this", take_help, NULL, 0, 0},
};
/* clang-format on */

#define ROWS (sizeof rows / sizeof rows[0])

static void
take_help(const struct row *row, const char *text)
{
	(void)row;
	(void)text;
	printf("usage: load [options] MODE HOST:PORT | [IPV6]:PORT | unix:PATH\n\nmodes\n"
	       "  new    a new connection for each HTTP request, at --rate in all\n"
	       "  keep   keep-alive HTTP clients that --think between their requests\n"
	       "  echo   streams that check each byte that comes back, a write each --pace\n"
	       "  idle   connections that are opened, and held, perhaps with a --probe\n\n"
	       "options\n");
	for (size_t i = 0; i < ROWS; i++)
		printf("  --%-14s %-8s %s\n", rows[i].name,
		       rows[i].shape != NULL ? rows[i].shape : "", rows[i].help);
	printf("\nUSR1 prints a snapshot, the end a final count, each as one line of JSON.\n"
	       "Exit: 0 nothing went wrong; 1 something did; 2 usage.\n");
	exit(0);
}

static void
options_take(int argc, char **argv)
{
	struct option list[ROWS + 1] = {0};
	int code;

	for (size_t i = 0; i < ROWS; i++) {
		list[i].name = rows[i].name;
		list[i].has_arg = rows[i].shape != NULL;
		list[i].val = 256 + (int)i;
	}
	while ((code = getopt_long(argc, argv, "", list, NULL)) != -1) {
		if (code < 256)
			die("try --help");
		rows[code - 256].take(&rows[code - 256], optarg);
	}
	if (argc - optind != 2)
		die("one mode and one target are needed; try --help");
	take_mode(argv[optind]);
	if (opt.upgrade && strcmp(opt.mode->name, "echo") != 0)
		die("--upgrade is for echo");
	take_target(argv[optind + 1]);
	if (opt.source.ss_family != AF_UNSPEC && opt.source.ss_family != opt.target.ss_family)
		die("source and target are of different families");
}

static void
descriptors_raise(void)
{
	struct rlimit limit;

	getrlimit(RLIMIT_NOFILE, &limit);
	limit.rlim_cur = limit.rlim_max;
	setrlimit(RLIMIT_NOFILE, &limit);
	if (limit.rlim_max != RLIM_INFINITY && opt.clients + SPARE_FDS > limit.rlim_max)
		die("%u clients need more than the %ju descriptors this process may have",
		    opt.clients, (uintmax_t)limit.rlim_max);
}

/* Microsecond timers: an open loop at 1500/s has less than one millisecond per request. */
static struct event_base *
base_new(void)
{
	struct event_config *config = event_config_new();
	struct event_base *b;

	if (config == NULL)
		return NULL;
	event_config_set_flag(config, EVENT_BASE_FLAG_PRECISE_TIMER);
	b = event_base_new_with_config(config);
	event_config_free(config);
	return b;
}

int
main(int argc, char **argv)
{
	options_take(argc, argv);
	descriptors_raise();
	signal(SIGPIPE, SIG_IGN);
	unsetenv("EVENT_EPOLL_USE_CHANGELIST");
	base = base_new();
	client = calloc(opt.clients, sizeof *client);
	if (base == NULL || client == NULL)
		die("out of memory");
	started_us = now_us();
	events_start();
	clients_start();
	event_base_dispatch(base);
	report("final");
	for (unsigned i = 0; i < opt.clients; i++)
		free(client[i].echo);
	free(client);
	event_base_free(base);
	libevent_global_shutdown();
	return tally_faults() == 0 ? 0 : 1;
}
