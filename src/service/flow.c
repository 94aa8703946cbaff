#include "service/flow.h"

#include <sys/socket.h>

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/log.h"
#include "base/mem.h"
#include "worker/conn/conn.h"

#define BUFFER     (16 * 1024)
#define PIPE_SIZE  (256 * 1024)  /* asked for; what is had decides nothing */
#define TURN       (1024 * 1024) /* a fast stream does not hog the loop */
#define KEPT_PIPES 16            /* a user's pipes are few: pipe-user-pages-soft of proc(5) */

static struct {
	int pipe[KEPT_PIPES][2];
	int n;
} spare;

void
flow_init(struct flow *f)
{
	*f = (struct flow){.pipe = {-1, -1}};
}

/* Only an empty pipe is another's next. */
static void
give_back(struct flow *f)
{
	if (f->pipe[0] < 0)
		return;
	if (f->held == 0 && spare.n < KEPT_PIPES) {
		spare.pipe[spare.n][0] = f->pipe[0];
		spare.pipe[spare.n++][1] = f->pipe[1];
	} else {
		fd_close(&f->pipe[0]);
		fd_close(&f->pipe[1]);
	}
	f->pipe[0] = f->pipe[1] = -1;
	f->held = 0;
}

static int
borrow(struct flow *f)
{
	if (f->pipe[0] >= 0)
		return 0;
	if (spare.n > 0) {
		f->pipe[0] = spare.pipe[--spare.n][0];
		f->pipe[1] = spare.pipe[spare.n][1];
		return 0;
	}
	if (pipe2(f->pipe, O_CLOEXEC | O_NONBLOCK) < 0) {
		f->pipe[0] = f->pipe[1] = -1;
		return -1;
	}
	/* Beyond the kernel's limit pipes are tiny; then copying is better. */
	if (fcntl(f->pipe[1], F_SETPIPE_SZ, PIPE_SIZE) < 0 &&
	    fcntl(f->pipe[1], F_GETPIPE_SZ) < BUFFER) {
		fd_close(&f->pipe[0]);
		fd_close(&f->pipe[1]);
		return -1;
	}
	return 0;
}

void
flow_clear(struct flow *f)
{
	give_back(f);
	mem_free(&f->kept);
}

void
flow_free_pipes(void)
{
	while (spare.n > 0) {
		spare.n--;
		fd_close(&spare.pipe[spare.n][0]);
		fd_close(&spare.pipe[spare.n][1]);
	}
}

bool
flow_waits(const struct flow *f)
{
	return f->held > 0 || f->kept != NULL;
}

void
flow_put(struct flow *f, const char *bytes, size_t n)
{
	if (n == 0)
		return;
	AN(!flow_waits(f));
	f->kept = mem_alloc(sizeof *f->kept + n);
	f->kept->n = n;
	memcpy(f->kept->bytes, bytes, n);
}

const char *
flow_kept(const struct flow *f, size_t *n)
{
	*n = f->kept != NULL ? f->kept->n - f->kept->sent : 0;
	return *n > 0 ? f->kept->bytes + f->kept->sent : NULL;
}

static bool
would_block(void)
{
	return errno == EAGAIN || errno == EINTR;
}

/* As recv(2) and send(2), of a connection that may speak TLS. */
static ssize_t
take(const struct flow_end *near, void *buf, size_t n)
{
	ssize_t got;

	if (near->conn == NULL)
		return recv(near->fd, buf, n, MSG_DONTWAIT);
	got = conn_take(near->conn, buf, n);
	if (got < 0)
		errno = got == CONN_AGAIN ? EAGAIN : ECONNRESET;
	return got < 0 ? -1 : got;
}

static ssize_t
put(const struct flow_end *far, const void *bytes, size_t n)
{
	struct iovec iov = {(void *)(uintptr_t)bytes, n};
	ssize_t sent;

	if (far->conn == NULL)
		return send(far->fd, bytes, n, MSG_DONTWAIT | MSG_NOSIGNAL);
	sent = conn_put(far->conn, &iov, 1, false);
	if (sent < 0)
		errno = sent == CONN_AGAIN ? EAGAIN : ECONNRESET;
	return sent < 0 ? -1 : sent;
}

/* Bytes of TLS are ours to open and seal: no pipe. */
static bool
is_clear(const struct flow_end *end)
{
	return end->conn == NULL || end->conn->tls == NULL;
}

/* At most what one read has brought, or a record. */
static enum flow_result
send_kept(struct flow *f, const struct flow_end *far, uint64_t *out)
{
	struct flow_kept *k = f->kept;

	while (k->sent < k->n) {
		ssize_t n = put(far, k->bytes + k->sent, k->n - k->sent);

		if (n < 0)
			return would_block() ? FLOW_BLOCKED : FLOW_FAR_BROKE;
		k->sent += (size_t)n;
		*out += (uint64_t)n;
	}
	mem_free(&f->kept);
	return FLOW_MORE;
}

/* Send the bytes in memory first; a pipe holds no more than its size. */
static enum flow_result
send_waiting(struct flow *f, const struct flow_end *far, uint64_t *out)
{
	if (f->kept != NULL)
		return send_kept(f, far, out);
	while (f->held > 0) {
		ssize_t n = splice(f->pipe[0], NULL, far->fd, NULL, f->held,
		                   SPLICE_F_MOVE | SPLICE_F_NONBLOCK);

		if (n <= 0)
			return n < 0 && would_block() ? FLOW_BLOCKED : FLOW_FAR_BROKE;
		f->held -= (size_t)n;
		*out += (uint64_t)n;
	}
	return FLOW_MORE;
}

/* Read once.  > 0: go on; 0: nothing more for now, or the end, or *result. */
static ssize_t
copy(struct flow *f, const struct flow_end *near, const struct flow_end *far, uint64_t *in,
     uint64_t *out, enum flow_result *result)
{
	static char buffer[BUFFER];
	ssize_t n = take(near, buffer, sizeof buffer), w;

	if (n <= 0) {
		f->eof = n == 0;
		f->broke = n < 0 && !would_block();
		return 0;
	}
	*in += (uint64_t)n;
	f->bulk = n == sizeof buffer;
	w = put(far, buffer, (size_t)n);
	if (w < 0 && !would_block()) {
		*result = FLOW_FAR_BROKE;
		return 0;
	}
	if (w < 0)
		w = 0;
	*out += (uint64_t)w;
	flow_put(f, buffer + w, (size_t)(n - w));
	return n == sizeof buffer ? n : 0;
}

/* The same, through the pipe.  What did not fill it was all there was. */
static ssize_t
fill(struct flow *f, const struct flow_end *near, uint64_t *in)
{
	ssize_t n = splice(near->fd, NULL, f->pipe[1], NULL, PIPE_SIZE,
	                   SPLICE_F_MOVE | SPLICE_F_NONBLOCK);

	f->bulk = n >= BUFFER;
	if (n > 0) {
		f->held += (size_t)n;
		*in += (uint64_t)n;
		return n == PIPE_SIZE ? n : 0;
	}
	f->eof = n == 0;
	f->broke = n < 0 && !would_block();
	return 0;
}

static enum flow_result
pass_end(struct flow *f, const struct flow_end *far)
{
	if (!f->shut && far->conn != NULL)
		conn_shut(far->conn);
	else if (!f->shut)
		shutdown(far->fd, SHUT_WR);
	f->shut = true;
	return FLOW_DONE;
}

enum flow_result
flow_pump(struct flow *f, const struct flow_end *near, const struct flow_end *far, uint64_t *in,
          uint64_t *out)
{
	enum flow_result result = FLOW_MORE;
	ssize_t left = TURN, n = 1;

	while (left > 0 && n > 0 && result == FLOW_MORE && !f->eof && !f->broke) {
		if (flow_waits(f)) {
			result = send_waiting(f, far, out);
			continue;
		}
		if (f->bulk && is_clear(near) && is_clear(far) && borrow(f) == 0)
			n = fill(f, near, in);
		else
			n = copy(f, near, far, in, out, &result);
		left -= n;
	}
	if (flow_waits(f) && result == FLOW_MORE)
		result = send_waiting(f, far, out);
	if (f->held == 0)
		give_back(f);
	if (result != FLOW_MORE)
		return result;
	if (f->broke)
		return FLOW_NEAR_BROKE;
	return f->eof ? pass_end(f, far) : FLOW_MORE;
}
