#include "worker/access/accessfile.h"

#include <sys/file.h>
#include <sys/queue.h>
#include <sys/stat.h>

#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/mem.h"

#define BUFFER_SIZE 65536
#define BUFFERS_MAX 16  /* of a file: that much may wait */
#define WAIT_MS     100 /* for a reader, then it is seen whether all this is to end */
#define LOCK_MS     1000
#define LOCK_LOOKS  100 /* in that time: who has the lock may be in hostile hands */
#define MEND_MS     500 /* between two tries to write the rest of a line */

struct buffer {
	STAILQ_ENTRY(buffer) link;
	int reopened; /* the file from here on; -1: the same */
	size_t n;
	char bytes[BUFFER_SIZE];
};

struct accessfile {
	/* the loop's */
	struct buffer *filling; /* NULL: none */
	unsigned allocated;
	uint64_t dropped;
	pthread_t thread;
	/* the thread's */
	int fd;
	struct buffer *torn; /* a full disk has cut a line of it, whose rest is at bytes + from.
	                      * Until it is written the file stays locked.  NULL: none */
	size_t from, to;
	/* of both, under the lock */
	pthread_mutex_t lock;
	pthread_cond_t change;
	STAILQ_HEAD(, buffer) full;
	STAILQ_HEAD(, buffer) unused;
	uint64_t lost; /* lines that the thread could not write */
	int reopened;  /* and nothing is collected that would tell it; -1 */
	bool stop;
	bool give_up; /* what still waits is lost */
};

/* --- the thread --- */

static uint64_t
lines_of(const char *bytes, size_t n)
{
	uint64_t lines = 0;
	const char *end = bytes + n, *at;

	for (; (at = memchr(bytes, '\n', (size_t)(end - bytes))) != NULL; bytes = at + 1)
		lines++;
	return lines;
}

/* Whole lines at the start of n bytes. */
static size_t
whole_lines(const char *bytes, size_t n)
{
	const char *last = memrchr(bytes, '\n', n);

	return last != NULL ? (size_t)(last + 1 - bytes) : 0;
}

static bool
is_over(struct accessfile *f)
{
	bool over;

	pthread_mutex_lock(&f->lock);
	over = f->give_up;
	pthread_mutex_unlock(&f->lock);
	return over;
}

/* How much of it is in the file. */
static size_t
append(int fd, const char *bytes, size_t n)
{
	size_t done = 0;

	while (done < n) {
		ssize_t w = write(fd, bytes + done, n - done);

		if (w < 0 && errno == EINTR)
			continue;
		if (w <= 0)
			break;
		done += (size_t)w;
	}
	return done;
}

/* Not without limit.  Where there are no locks, do without. */
static bool
lock(struct accessfile *f)
{
	for (unsigned looks = 0; flock(f->fd, LOCK_EX | LOCK_NB) < 0; looks++) {
		if (errno != EWOULDBLOCK && errno != EINTR)
			return true;
		if (looks >= LOCK_LOOKS || is_over(f))
			return false;
		poll(NULL, 0, LOCK_MS / LOCK_LOOKS);
	}
	return true;
}

static void
let_go(struct accessfile *f, uint64_t lost)
{
	flock(f->fd, LOCK_UN);
	pthread_mutex_lock(&f->lock);
	f->lost += lost;
	STAILQ_INSERT_HEAD(&f->unused, f->torn, link);
	pthread_mutex_unlock(&f->lock);
	f->torn = NULL;
}

/* The rest of a line.  True: nothing is missing there any more. */
static bool
mend(struct accessfile *f)
{
	if (f->torn == NULL)
		return true;
	f->from += append(f->fd, f->torn->bytes + f->from, f->to - f->from);
	if (f->from < f->to)
		return false;
	let_go(f, 0);
	return true;
}

/* As much as there is room for, as half a line cannot be taken back: none but the master may
 * cut a file.  Should others have used up that room meanwhile, nobody writes behind the half.
 * How much is done with. */
static size_t
append_locked(struct accessfile *f, struct buffer *b)
{
	size_t room, done, whole;

	if (!mend(f) || !lock(f))
		return 0;
	room = fd_disk_room(f->fd);
	done = append(f->fd, b->bytes, room < b->n ? whole_lines(b->bytes, room) : b->n);
	whole = whole_lines(b->bytes, done);
	if (whole == done) {
		flock(f->fd, LOCK_UN);
		return done;
	}
	f->torn = b;
	f->from = done;
	f->to = (size_t)((char *)memchr(b->bytes + done, '\n', b->n - done) + 1 - b->bytes);
	return f->to;
}

/* A pipe takes PIPE_BUF bytes whole or not at all. */
static size_t
trickle(struct accessfile *f, const char *bytes, size_t n)
{
	struct pollfd p = {.fd = f->fd, .events = POLLOUT};
	size_t done = 0;

	while (done < n) {
		size_t piece = n - done < PIPE_BUF ? n - done : PIPE_BUF;
		ssize_t w = write(f->fd, bytes + done, whole_lines(bytes + done, piece));

		if (w > 0)
			done += (size_t)w;
		else if (w < 0 && errno != EAGAIN && errno != EINTR)
			break;
		else if (is_over(f))
			break;
		else
			poll(&p, 1, WAIT_MS);
	}
	return done;
}

/* The lines that could not be written. */
static uint64_t
write_out(struct accessfile *f, struct buffer *b)
{
	struct stat st;
	size_t done;

	if (f->fd < 0 || fstat(f->fd, &st) < 0)
		done = 0;
	else if (S_ISREG(st.st_mode))
		done = append_locked(f, b);
	else
		done = trickle(f, b->bytes, b->n);
	return lines_of(b->bytes + done, b->n - done);
}

/* Nothing more is written to the file that was. */
static void
leave_file(struct accessfile *f)
{
	if (!mend(f))
		let_go(f, 1);
}

static struct timespec
in_ms(unsigned ms)
{
	struct timespec t;

	clock_gettime(CLOCK_REALTIME, &t);
	t.tv_nsec += (long)(ms % 1000) * 1000000;
	t.tv_sec += (time_t)(ms / 1000) + t.tv_nsec / 1000000000;
	t.tv_nsec %= 1000000000;
	return t;
}

/* Under the lock, and back under it. */
static void
wait_for_change(struct accessfile *f)
{
	struct timespec until;

	if (f->torn == NULL) {
		pthread_cond_wait(&f->change, &f->lock);
		return;
	}
	until = in_ms(MEND_MS);
	if (pthread_cond_timedwait(&f->change, &f->lock, &until) == 0)
		return;
	pthread_mutex_unlock(&f->lock);
	mend(f);
	pthread_mutex_lock(&f->lock);
}

/* What is to be done next: a buffer or NULL, and the file from there on or -1.  False: nothing
 * any more. */
static bool
next(struct accessfile *f, struct buffer **b, int *fd)
{
	bool over;

	pthread_mutex_lock(&f->lock);
	while ((*b = STAILQ_FIRST(&f->full)) == NULL && !f->stop && f->reopened < 0)
		wait_for_change(f);
	if (*b != NULL) {
		STAILQ_REMOVE_HEAD(&f->full, link);
		*fd = (*b)->reopened;
	} else {
		*fd = f->reopened;
		f->reopened = -1;
	}
	over = *b == NULL && f->stop;
	pthread_mutex_unlock(&f->lock);
	return !over;
}

static void
deal_with(struct accessfile *f, struct buffer *b)
{
	uint64_t lost = write_out(f, b);

	pthread_mutex_lock(&f->lock);
	f->lost += lost;
	if (b != f->torn)
		STAILQ_INSERT_HEAD(&f->unused, b, link);
	pthread_mutex_unlock(&f->lock);
}

static void *
thread_main(void *arg)
{
	struct accessfile *f = arg;
	struct buffer *b;
	bool more;
	int fd;

	do {
		more = next(f, &b, &fd);
		if (fd >= 0 || !more)
			leave_file(f);
		if (fd >= 0) {
			fd_close(&f->fd);
			f->fd = fd;
		}
		if (b != NULL)
			deal_with(f, b);
	} while (more);
	return NULL;
}

/* --- the loop's side --- */

static bool
start_thread(struct accessfile *f)
{
	sigset_t every, before;
	int error;

	sigfillset(&every);
	pthread_sigmask(SIG_SETMASK, &every, &before);
	error = pthread_create(&f->thread, NULL, thread_main, f);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	return error == 0;
}

struct accessfile *
accessfile_new(int fd)
{
	struct accessfile *f = mem_alloc(sizeof *f);

	f->fd = fd;
	f->reopened = -1;
	pthread_mutex_init(&f->lock, NULL);
	pthread_cond_init(&f->change, NULL);
	STAILQ_INIT(&f->full);
	STAILQ_INIT(&f->unused);
	if (start_thread(f))
		return f;
	fd_close(&f->fd);
	free(f);
	return NULL;
}

static struct buffer *
new_buffer(struct accessfile *f)
{
	struct buffer *b;

	pthread_mutex_lock(&f->lock);
	b = STAILQ_FIRST(&f->unused);
	if (b != NULL)
		STAILQ_REMOVE_HEAD(&f->unused, link);
	pthread_mutex_unlock(&f->lock);
	if (b == NULL && f->allocated < BUFFERS_MAX) {
		b = malloc(sizeof *b);
		f->allocated += b != NULL;
	}
	if (b != NULL) {
		b->n = 0;
		b->reopened = -1;
	}
	return b;
}

static void
flush(struct accessfile *f)
{
	if (f->filling == NULL || f->filling->n == 0)
		return;
	pthread_mutex_lock(&f->lock);
	f->filling->reopened = f->reopened;
	f->reopened = -1;
	STAILQ_INSERT_TAIL(&f->full, f->filling, link);
	pthread_cond_signal(&f->change);
	pthread_mutex_unlock(&f->lock);
	f->filling = NULL;
}

bool
accessfile_tick(struct accessfile *f)
{
	bool busy;

	pthread_mutex_lock(&f->lock);
	busy = !STAILQ_EMPTY(&f->full);
	pthread_mutex_unlock(&f->lock);
	if (busy)
		return true;
	if (f->filling == NULL || f->filling->n == 0)
		return false;
	flush(f);
	return true;
}

char *
accessfile_room(struct accessfile *f, size_t max)
{
	if (f->filling != NULL && BUFFER_SIZE - f->filling->n < max)
		flush(f);
	if (f->filling == NULL)
		f->filling = new_buffer(f);
	if (f->filling != NULL)
		return f->filling->bytes + f->filling->n;
	f->dropped++;
	return NULL;
}

void
accessfile_add(struct accessfile *f, size_t n)
{
	f->filling->n += n;
}

/* Lines collected before belong to the old file, those in a half-full buffer included. */
void
accessfile_reopen(struct accessfile *f, int fd)
{
	flush(f);
	pthread_mutex_lock(&f->lock);
	fd_close(&f->reopened);
	f->reopened = fd;
	pthread_cond_signal(&f->change);
	pthread_mutex_unlock(&f->lock);
}

uint64_t
accessfile_dropped(struct accessfile *f)
{
	uint64_t n = f->dropped;

	pthread_mutex_lock(&f->lock);
	n += f->lost;
	f->lost = 0;
	pthread_mutex_unlock(&f->lock);
	f->dropped = 0;
	return n;
}

static void
stop(struct accessfile *f, bool give_up)
{
	pthread_mutex_lock(&f->lock);
	f->stop = true;
	f->give_up = give_up;
	pthread_cond_signal(&f->change);
	pthread_mutex_unlock(&f->lock);
}

static bool
join_within(struct accessfile *f, unsigned ms)
{
	struct timespec until = in_ms(ms);

	return pthread_timedjoin_np(f->thread, NULL, &until) == 0;
}

/* The thread hangs in a write: what waits behind it is lost, and the process leaves. */
static uint64_t
abandon(struct accessfile *f)
{
	struct buffer *b;
	uint64_t lost = accessfile_dropped(f);

	pthread_mutex_lock(&f->lock);
	STAILQ_FOREACH (b, &f->full, link)
		lost += lines_of(b->bytes, b->n);
	pthread_mutex_unlock(&f->lock);
	pthread_detach(f->thread);
	return lost;
}

static void
free_all(struct accessfile *f)
{
	struct buffer *b;

	while ((b = STAILQ_FIRST(&f->unused)) != NULL) {
		STAILQ_REMOVE_HEAD(&f->unused, link);
		free(b);
	}
	free(f->filling);
	fd_close(&f->reopened);
	fd_close(&f->fd);
	pthread_mutex_destroy(&f->lock);
	pthread_cond_destroy(&f->change);
	free(f);
}

uint64_t
accessfile_free(struct accessfile **fp, unsigned ms)
{
	struct accessfile *f = *fp;
	uint64_t lost;

	*fp = NULL;
	flush(f);
	stop(f, false);
	if (!join_within(f, ms)) {
		stop(f, true);
		if (!join_within(f, 2 * WAIT_MS))
			return abandon(f);
	}
	lost = accessfile_dropped(f);
	free_all(f);
	return lost;
}
