/* lines: a stream module that does what a test tells it, one order a line. */
#include <baton.h>

#include <pthread.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define SAY(conn, text) baton_conn_write((conn), (text), strlen(text))

/* --- pair: two threads write one connection --- */

/* How often `flushed` and `close` were called, of whatever connection: threads
 * wait for it. */
static struct {
	pthread_mutex_t lock;
	pthread_cond_t more;
	unsigned n;
} flushes = {PTHREAD_MUTEX_INITIALIZER, PTHREAD_COND_INITIALIZER, 0};

static void
flushes_add(void)
{
	pthread_mutex_lock(&flushes.lock);
	flushes.n++;
	pthread_cond_broadcast(&flushes.more);
	pthread_mutex_unlock(&flushes.lock);
}

static unsigned
flushes_after(unsigned n)
{
	pthread_mutex_lock(&flushes.lock);
	while (flushes.n == n)
		pthread_cond_wait(&flushes.more, &flushes.lock);
	n = flushes.n;
	pthread_mutex_unlock(&flushes.lock);
	return n;
}

struct writer {
	struct baton_conn *conn;
	unsigned flushes; /* seen */
	char name;
	int n;
};

static int
write_lines(void *arg)
{
	struct writer *w = arg;
	char line[200];

	for (int i = 0; i < w->n; i++) {
		int len = snprintf(line, sizeof line, "%c %d %0*d\n", w->name, i, i % 150, 0);
		int status;

		while ((status = baton_conn_write(w->conn, line, (size_t)len)) == BATON_FULL)
			w->flushes = flushes_after(w->flushes);
		if (status != 0)
			return status;
	}
	return 0;
}

static void
nothing(void *arg, int status)
{
	(void)arg;
	(void)status;
}

static void
writer_release(void *arg)
{
	struct writer *w = arg;

	baton_conn_drop(w->conn);
	free(w);
}

static void
pair(struct baton_conn *conn, int n)
{
	for (char name = 'a'; name <= 'b'; name++) {
		struct writer *w = malloc(sizeof *w);
		struct baton_task t = {.name = "writer",
		                       .work = write_lines,
		                       .done = nothing,
		                       .release = writer_release,
		                       .arg = w};

		*w = (struct writer){baton_conn_hold(conn), 0, name, n};
		if (baton_offload(NULL, &t) != 0)
			writer_release(w);
	}
}

/* --- keep: a hold that is not given back --- */

static struct baton_conn *volatile kept; /* not lost, for the leak checker */

/* --- hang: a task that never ends --- */

static int
sleep_for_ever(void *arg)
{
	while (arg == NULL)
		pause();
	return 0;
}

static void
hang(struct baton_conn *conn)
{
	struct baton_task t = {
	    .name = "hanger", .work = sleep_for_ever, .done = nothing, .limit_ms = 50};
	char text[64];

	snprintf(text, sizeof text, "hang %d\n", baton_offload(NULL, &t));
	SAY(conn, text);
}

/* --- background tasks --- */

struct job {
	struct baton_background *bg;
	struct baton_watch watch;
	struct baton_timer *timer;
};

static struct job *volatile stubborn; /* the one that never ends is not lost,
                                         for the leak checker */

static void
job_end(struct job *j)
{
	baton_ctx_unwatch(&j->watch);
	baton_timer_free(&j->timer);
	baton_background_end(&j->bg);
	free(j);
}

static void
on_timer(void *arg)
{
	baton_log(BATON_INFO, "the background task has finished its work");
	job_end(arg);
}

/* Told of the drain: it needs a moment still. */
static void
on_drain(void *arg)
{
	struct job *j = arg;

	baton_log(BATON_INFO, "the background task is told of the drain");
	baton_timer_set(j->timer, 200);
}

static void
on_drain_ignored(void *arg)
{
	(void)arg;
	baton_log(BATON_INFO, "the background task ignores the drain");
}

static void
on_cancel(void *arg, int cause)
{
	baton_log(BATON_INFO, "the background task is cancelled: %s", baton_status_text(cause));
	job_end(arg);
}

static void
background(struct baton_conn *conn, const char *kind)
{
	struct job *j = calloc(1, sizeof *j);
	bool waits = strcmp(kind, "waits") == 0;

	j->bg = baton_background("job", waits ? on_drain : on_drain_ignored, j);
	if (j->bg == NULL) {
		free(j);
		SAY(conn, "full\n");
		return;
	}
	j->timer = baton_timer_new(on_timer, j);
	if (strcmp(kind, "stubborn") == 0)
		stubborn = j;
	else
		baton_ctx_watch(baton_background_ctx(j->bg), &j->watch, on_cancel, j);
	SAY(conn, "begun\n");
}

/* --- drip: a client that reads nothing is written to now and then --- */

struct drip {
	struct baton_conn *conn;
	struct baton_timer *timer;
};

static void
on_drip(void *arg)
{
	struct drip *d = arg;

	if (baton_conn_write(d->conn, ".", 1) == 0) {
		baton_timer_set(d->timer, 20);
		return;
	}
	baton_conn_drop(d->conn);
	baton_timer_free(&d->timer);
	free(d);
}

static void
drip(struct baton_conn *conn)
{
	struct drip *d = calloc(1, sizeof *d);
	size_t n = 30000000; /* more than sockets hold */
	char *bytes = calloc(1, n);

	d->conn = baton_conn_hold(conn);
	d->timer = baton_timer_new(on_drip, d);
	baton_conn_write(conn, bytes, n);
	free(bytes);
	on_drip(d);
}

/* --- long: more than may be unsent at a time --- */

static void
write_long(struct baton_conn *conn)
{
	static const char bytes[1000] = "long";
	intptr_t left = (intptr_t)baton_conn_data(conn);

	while (left > 0 && baton_conn_write(conn, bytes, sizeof bytes) == 0)
		left--;
	baton_conn_set_data(conn, (void *)left);
}

/* --- orders --- */

static char killer; /* whose end is that of the worker */
static char slow;   /* who moves slowly */

static void
obey(struct baton_conn *conn, const char *order)
{
	char text[512];

	if (strncmp(order, "pair ", 5) == 0) {
		pair(conn, atoi(order + 5));
	} else if (strcmp(order, "hang") == 0) {
		hang(conn);
	} else if (strcmp(order, "keep") == 0) {
		kept = baton_conn_hold(conn);
		SAY(conn, "kept\n");
	} else if (strncmp(order, "background ", 11) == 0) {
		background(conn, order + 11);
	} else if (strncmp(order, "long ", 5) == 0) {
		baton_conn_set_data(conn, (void *)(intptr_t)atol(order + 5));
		write_long(conn);
	} else if (strcmp(order, "abort") == 0) {
		abort();
	} else if (strcmp(order, "hold") == 0) {
		usleep(1200000); /* nobody else is served */
		baton_conn_write(conn, "held\n", 5);
	} else if (strcmp(order, "drip") == 0) {
		drip(conn);
	} else if (strcmp(order, "close") == 0) {
		baton_conn_close(conn);
	} else if (strcmp(order, "kill") == 0) {
		baton_conn_set_data(conn, &killer);
		baton_conn_close(conn);
	} else if (strcmp(order, "slow") == 0) {
		baton_conn_set_data(conn, &slow);
		SAY(conn, "slow\n");
	} else if (strcmp(order, "bye") == 0) {
		SAY(conn, "bye\n");
		baton_conn_finish(conn);
	} else if (strcmp(order, "flood") == 0) {
		int n = 0;

		while (baton_conn_write(conn, text, sizeof text) == 0)
			n++;
		baton_log(BATON_INFO, "flood: %d writes, then full at %zu", n,
		          baton_conn_unsent(conn));
	} else {
		struct baton_service *s = baton_conn_service(conn);

		snprintf(text, sizeof text, "%s %s %lld %s\n", baton_service_name(s), order,
		         (long long)baton_service_number(s, "limit"),
		         baton_service_text(s, "mood"));
		SAY(conn, text);
	}
}

static size_t
on_data(struct baton_conn *conn, const char *bytes, size_t n)
{
	const char *at = bytes, *end;
	char order[256];

	if (n >= 5 && memcmp(bytes, "spin\n", 5) == 0) { /* asks for the same bytes at once */
		baton_conn_pause(conn);
		baton_conn_resume(conn);
		return 0;
	}
	while ((end = memchr(at, '\n', n - (size_t)(at - bytes))) != NULL) {
		snprintf(order, sizeof order, "%.*s", (int)(end - at), at);
		obey(conn, order);
		at = end + 1;
	}
	return (size_t)(at - bytes);
}

static void
on_flushed(struct baton_conn *conn)
{
	flushes_add();
	write_long(conn);
}

static void
on_close(struct baton_conn *conn, bool moved)
{
	(void)moved;
	if (baton_conn_data(conn) == &killer)
		raise(SIGKILL); /* amid its end */
	flushes_add();
}

/* Of a module that moves its connections: to those of the same version. */

#ifdef VERSION
static bool
on_freeze(struct baton_conn *conn, struct baton_blob *blob)
{
	*blob = (struct baton_blob){.version = VERSION};
	if (baton_conn_data(conn) == &slow) {
		usleep(1200000);
		return true;
	}
	return baton_conn_data(conn) == NULL;
}

static int
on_thaw(struct baton_conn *conn, const struct baton_blob *blob)
{
	(void)conn;
	return blob->version == VERSION ? 0 : -1;
}
#endif

static int
start(struct baton_service *service)
{
	if (baton_service_number(service, "fails"))
		return baton_service_fail(service, "told to fail with %s",
		                          baton_service_text(service, "mood"));
	return 0;
}

static const char *const moods[] = {"good", "bad", NULL};

#ifdef EXTRA
__attribute__((unused)) static const char *const none[] = {NULL};
__attribute__((unused)) static const char *const days[] = {"mo", "tu", "we", "th",
                                                           "fr", "sa", "su", NULL};
#endif

static const struct baton_key keys[] = {
    {.name = "limit", .type = BATON_KEY_NUMBER, .dflt = "7", .min = 1, .max = 10},
    {.name = "mood", .type = BATON_KEY_WORD, .dflt = "good", .words = moods},
    {.name = "fails", .type = BATON_KEY_BOOL},
#ifdef REQUIRED
    {.name = "needed", .type = BATON_KEY_TEXT, .required = true, .help = "a text"},
#endif
#ifdef EXTRA
    EXTRA,
#endif
    {.name = NULL},
};

#ifndef ABI
#	define ABI BATON_ABI
#endif

const struct baton_module baton_module = {
    .abi = ABI,
    .size = sizeof(struct baton_module),
    .name = "lines",
    .keys = keys,
    .start = start,
    .data = on_data,
    .flushed = on_flushed,
    .close = on_close,
#ifdef VERSION
    .freeze = on_freeze,
    .thaw = on_thaw,
#endif
};
