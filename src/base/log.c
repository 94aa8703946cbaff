#include "base/log.h"

#include <sys/socket.h>
#include <sys/stat.h>

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/event.h"
#include "base/fd.h"
#include "base/logline.h"
#include "base/logtarget.h"
#include "base/mem.h"

#define LINE_MAX_BYTES 2048 /* longer texts are cut */
#define DYING_MS       500  /* that a last line waits for room */

const char *const log_format_names[] = {"auto", "text", "json", NULL};

/* How a line looks, and how it is written.  The numbers never change. */
enum form {
	FORM_TEXT = LOG_FORM_TEXT,
	FORM_JSON,
	FORM_STDERR, /* stderr is the journal: it stamps the lines, and wants their rank */
	FORM_JOURNAL /* the journal's own socket */
};

static struct {
	char *path; /* NULL unless lines go to a file */
	int fd;     /* stderr, the file or the journal's socket */
	enum form form;
	bool is_socket;
	bool is_file;
	bool may_block; /* and has room only if poll says so */
	bool echoes;    /* errors, to stderr */
	enum log_level level;
	struct logline_who who;
	uint64_t untold; /* lines dropped since the last time that this was told */
	void (*count)(uint64_t lines);
	void (*last_words)(const char *reason);
} lg = {.fd = STDERR_FILENO, .level = LOGL_INFO, .who.name = "baton"};

static void
set_target(int fd, const char *path)
{
	struct stat st;

	if (lg.fd > STDERR_FILENO && lg.fd != fd)
		close(lg.fd);
	lg.fd = fd;
	mem_free(&lg.path);
	lg.path = path != NULL ? mem_strdup(path) : NULL;
	lg.is_socket = fstat(fd, &st) == 0 && S_ISSOCK(st.st_mode);
	lg.is_file = !lg.is_socket && S_ISREG(st.st_mode);
	lg.may_block = !lg.is_socket && !lg.is_file && !(fcntl(fd, F_GETFL) & O_NONBLOCK);
}

static void
set_stderr(enum log_format format)
{
	bool journal = logtarget_is_journal();
	int fd = journal ? -1 : logtarget_open_stderr();

	if (journal && format == LOGF_AUTO)
		fd = logtarget_open_journal();
	lg.form = fd >= 0 && journal    ? FORM_JOURNAL
	          : format == LOGF_JSON ? FORM_JSON
	          : journal             ? FORM_STDERR
	                                : FORM_TEXT;
	set_target(fd >= 0 ? fd : STDERR_FILENO, NULL);
}

int
log_open(const char *where, enum log_level level, enum log_format format, char **cause)
{
	int fd;

	if (strcmp(where, "auto") == 0 || strcmp(where, "stderr") == 0) {
		set_stderr(format);
	} else {
		if ((fd = logtarget_open_file(where, cause)) < 0)
			return -1;
		set_target(fd, where);
		lg.form = format == LOGF_JSON ? FORM_JSON : FORM_TEXT;
	}
	lg.level = level;
	return 0;
}

int
log_reopen(char **cause)
{
	int fd;
	char *path;

	if (lg.path == NULL)
		return 0;
	if ((fd = logtarget_open_file(lg.path, cause)) < 0)
		return -1;
	path = mem_strdup(lg.path);
	set_target(fd, path);
	free(path);
	return 0;
}

int
log_fd(void)
{
	return lg.fd;
}

bool
log_is_file(void)
{
	return lg.path != NULL && lg.is_file;
}

uint32_t
log_form(void)
{
	return lg.form;
}

void
log_set_fd(int fd, uint32_t form)
{
	set_target(fd, NULL);
	lg.form = form <= FORM_JOURNAL ? (enum form)form : FORM_TEXT;
}

void
log_set_who(const char *name)
{
	lg.who.is_worker = false;
	snprintf(lg.who.name, sizeof lg.who.name, "%s", name);
}

void
log_echo_errors(bool yes)
{
	lg.echoes = yes;
}

void
log_set_worker(uint32_t generation, uint32_t slot, uint64_t birth)
{
	lg.echoes = false;
	lg.who.is_worker = true;
	lg.who.generation = generation;
	lg.who.slot = slot;
	lg.who.birth = birth;
	snprintf(lg.who.name, sizeof lg.who.name, "worker %u", slot);
}

void
log_set_counter(void (*fn)(uint64_t lines))
{
	lg.count = fn;
}

void
log_set_last_words(void (*fn)(const char *reason))
{
	lg.last_words = fn;
}

static size_t
format_line(const struct logline *l, enum form form, char *buf, size_t size)
{
	switch (form) {
	case FORM_TEXT:
		return logline_text(l, buf, size);
	case FORM_JSON:
		return logline_json(l, buf, size);
	case FORM_STDERR:
		return logline_stderr(l, buf, size);
	case FORM_JOURNAL:
		return logline_journal(l, buf, size);
	}
	return 0;
}

/* A worker cannot take back the half of a line: it looks at the disk before. */
static bool
has_room(size_t n)
{
	struct pollfd p = {.fd = lg.fd, .events = POLLOUT};

	if (lg.is_file && lg.who.is_worker)
		return fd_disk_room(lg.fd) >= n;
	return !lg.may_block || poll(&p, 1, 0) > 0;
}

/* A full disk takes the start of a line: the next one must not stand behind it. */
static void
take_back(size_t n)
{
	struct stat st;

	if (lg.is_file && !lg.who.is_worker && fstat(lg.fd, &st) == 0 &&
	    st.st_size >= (off_t)n && ftruncate(lg.fd, st.st_size - (off_t)n) < 0)
		return; /* nothing is left to be done about it */
}

/* Whole or not at all: a pipe takes so little in one piece. */
static bool
put(const char *bytes, size_t n)
{
	ssize_t put;

	if (lg.is_socket)
		put = send(lg.fd, bytes, n, MSG_DONTWAIT | MSG_NOSIGNAL);
	else
		put = has_room(n) ? write(lg.fd, bytes, n) : -1;
	if (put > 0 && put < (ssize_t)n)
		take_back((size_t)put);
	return put == (ssize_t)n;
}

static void
sign(struct logline *l)
{
	lg.who.pid = (int)getpid();
	l->who = &lg.who;
	clock_gettime(CLOCK_REALTIME, &l->time);
}

static bool
put_line(struct logline *l)
{
	char line[LOGLINE_MAX];

	sign(l);
	return put(line, format_line(l, lg.form, line, sizeof line));
}

void
log_tell_dropped(void)
{
	char text[96];
	const struct event_kind *kind = &event_kinds[EVENT_DROPPED];
	const struct event_field *fields = EVENT_FIELDS(EVENT_NUMBER("LINES", lg.untold));
	struct logline l = {
	    .level = kind->level, .kind = kind, .fields = fields, .message = text};

	if (lg.untold == 0)
		return;
	snprintf(text, sizeof text, "%llu lines of this log were dropped: there was no room",
	         (unsigned long long)lg.untold);
	if (put_line(&l))
		lg.untold = 0;
}

static void
drop(uint64_t lines)
{
	lg.untold += lines;
	if (lg.count != NULL && lines > 0)
		lg.count(lines);
}

/* Not twice to one place.  A terminal or pipe that takes nothing keeps nobody waiting. */
static void
echo(struct logline *l)
{
	struct pollfd p = {.fd = STDERR_FILENO, .events = POLLOUT};
	enum form form = logtarget_is_journal() ? FORM_STDERR : FORM_TEXT;
	char line[LOGLINE_MAX];
	struct stat a, b;

	if (lg.path == NULL || fstat(lg.fd, &a) < 0 || fstat(STDERR_FILENO, &b) < 0 ||
	    (a.st_dev == b.st_dev && a.st_ino == b.st_ino) || poll(&p, 1, 0) <= 0)
		return;
	sign(l);
	if (write(STDERR_FILENO, line, format_line(l, form, line, sizeof line)) < 0)
		return; /* nobody looks */
}

static void
vlog(enum log_level level, const struct event_kind *kind, const struct event_field *fields,
     const char *fmt, va_list ap)
{
	char text[LINE_MAX_BYTES];
	struct logline l = {.level = level, .kind = kind, .fields = fields, .message = text};
	int saved = errno;

	if (level < lg.level)
		return;
	vsnprintf(text, sizeof text, fmt, ap);
	log_tell_dropped();
	if (lg.untold > 0 || !put_line(&l))
		drop(1);
	if (lg.echoes && level == LOGL_ERROR)
		echo(&l);
	errno = saved;
}

/* How much was taken, in whole lines. */
static size_t
put_to_file(const char *bytes, size_t n)
{
	ssize_t put = write(lg.fd, bytes, n);
	const char *last = put > 0 ? memrchr(bytes, '\n', (size_t)put) : NULL;
	size_t whole = last != NULL ? (size_t)(last + 1 - bytes) : 0;

	if (put > (ssize_t)whole)
		take_back((size_t)put - whole);
	return whole;
}

/* The log was a file when its writer was born: what it is now takes a line at a time, and the
 * journal only those of its own kind. */
static bool
put_foreign_line(const char *line, size_t n)
{
	char text[LOGLINE_MAX];
	struct logline l = {.level = LOGL_INFO, .message = text};

	if (n > LOGLINE_MAX)
		return false;
	if (lg.form != FORM_JOURNAL)
		return put(line, n);
	memcpy(text, line, n - 1);
	text[n - 1] = '\0';
	return put_line(&l);
}

static size_t
put_lines(const char *bytes, size_t n)
{
	size_t done = 0, len;

	if (lg.is_file)
		return put_to_file(bytes, n);
	for (; done < n; done += len) {
		const char *end = memchr(bytes + done, '\n', n - done);

		len = (size_t)(end + 1 - (bytes + done));
		if (!put_foreign_line(bytes + done, len))
			break;
	}
	return done;
}

void
log_pass(const char *lines, size_t n)
{
	const char *end = lines + n;
	uint64_t dropped = 0;

	log_tell_dropped();
	if (lg.untold == 0)
		lines += put_lines(lines, n);
	for (; lines < end; dropped++)
		lines = (const char *)memchr(lines, '\n', (size_t)(end - lines)) + 1;
	drop(dropped);
}

void
log_event(enum event_id event, const struct event_field *fields, const char *fmt, ...)
{
	const struct event_kind *kind = &event_kinds[event];
	va_list ap;

	va_start(ap, fmt);
	vlog(kind->level, kind, fields, fmt, ap);
	va_end(ap);
}

#define LOG_FUNCTION(name, level)                                                              \
	void name(const char *fmt, ...)                                                        \
	{                                                                                      \
		va_list ap;                                                                    \
		va_start(ap, fmt);                                                             \
		vlog(level, NULL, NULL, fmt, ap);                                              \
		va_end(ap);                                                                    \
	}

LOG_FUNCTION(log_debug, LOGL_DEBUG)
LOG_FUNCTION(log_info, LOGL_INFO)
LOG_FUNCTION(log_warn, LOGL_WARN)
LOG_FUNCTION(log_error, LOGL_ERROR)

/* The journal does not know whose a datagram of the dead was. */
static void
leave_journal(void)
{
	if (lg.form != FORM_JOURNAL)
		return;
	set_target(STDERR_FILENO, NULL);
	lg.form = FORM_STDERR;
}

void
log_dying(const char *text)
{
	struct logline l = {.level = LOGL_ERROR, .message = text};
	struct pollfd p = {.events = POLLOUT};

	leave_journal();
	if (put_line(&l))
		return;
	p.fd = lg.fd;
	poll(&p, 1, DYING_MS);
	put_line(&l);
}

/* The hook is taken out before it runs: a fault in it must not come back here. */
static void
last_words(const char *reason)
{
	void (*fn)(const char *) = lg.last_words;

	lg.last_words = NULL;
	leave_journal();
	log_error("%s", reason);
	if (fn != NULL)
		fn(reason);
}

void
log_fatal(const char *fmt, ...)
{
	char text[LINE_MAX_BYTES];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof text, fmt, ap);
	va_end(ap);
	last_words(text);
	exit(1);
}

void
log_panic_at(const char *file, int line, const char *fmt, ...)
{
	char text[LINE_MAX_BYTES], whole[LINE_MAX_BYTES + 128];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof text, fmt, ap);
	va_end(ap);
	snprintf(whole, sizeof whole, "panic at %s:%d: %s", file, line, text);
	last_words(whole);
	abort();
}
