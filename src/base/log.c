#include "base/log.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/mem.h"

#define LINE_MAX_BYTES 2048 /* longer lines are cut */

const char *const log_level_names[] = {"debug", "info", "warn", "error", NULL};

/* The same ranks as syslog(3) priorities, for the journal. */
static const int priority[] = {7, 6, 4, 3};

static struct {
	char *path;   /* NULL unless lines go to a file */
	int fd;       /* stderr or the file */
	bool journal; /* stderr is the journal: it stamps the lines, and wants their rank */
	enum log_level level;
	char who[32];
	void (*last_words)(const char *reason);
} lg = {.fd = STDERR_FILENO, .level = LOGL_INFO, .who = "baton"};

/* systemd sets JOURNAL_STREAM to device:inode of what it connected stderr to;
 * a redirected stderr does not match and keeps its lines. */
static bool
stderr_is_journal(void)
{
	const char *env = getenv("JOURNAL_STREAM");
	unsigned long long dev, ino;
	struct stat st;

	if (env == NULL || sscanf(env, "%llu:%llu", &dev, &ino) != 2)
		return false;
	return fstat(STDERR_FILENO, &st) == 0 && st.st_dev == dev && st.st_ino == ino;
}

static int
open_file(const char *path, char **cause)
{
	int fd =
	    open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NOCTTY | O_NONBLOCK, 0640);

	if (fd < 0)
		return cause_set(cause, "cannot open log file %s: %s", path, strerror(errno));
	return fd;
}

static void
set_target(int fd, const char *path)
{
	if (lg.fd > STDERR_FILENO && lg.fd != fd)
		close(lg.fd);
	lg.fd = fd;
	mem_free(&lg.path);
	lg.path = path != NULL ? mem_strdup(path) : NULL;
}

int
log_open(const char *where, enum log_level level, char **cause)
{
	int fd;

	if (strcmp(where, "auto") == 0) {
		set_target(STDERR_FILENO, NULL);
	} else if (strcmp(where, "stderr") == 0) {
		set_target(STDERR_FILENO, NULL);
	} else {
		if ((fd = open_file(where, cause)) < 0)
			return -1;
		set_target(fd, where);
	}
	lg.journal = lg.fd == STDERR_FILENO && stderr_is_journal();
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
	if ((fd = open_file(lg.path, cause)) < 0)
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

void
log_set_fd(int fd)
{
	set_target(fd, NULL);
}

void
log_set_who(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(lg.who, sizeof lg.who, fmt, ap);
	va_end(ap);
}

void
log_set_last_words(void (*fn)(const char *reason))
{
	lg.last_words = fn;
}

static int
stamp(char *buf, size_t size, enum log_level level)
{
	struct timespec ts;
	struct tm tm;

	if (lg.journal)
		return snprintf(buf, size, "<%d>%s: ", priority[level], lg.who);
	clock_gettime(CLOCK_REALTIME, &ts);
	gmtime_r(&ts.tv_sec, &tm);
	return snprintf(buf, size,
	                "%04d-%02d-%02dT%02d:%02d:%02d.%03ldZ %s[%d] %s: ", tm.tm_year + 1900,
	                tm.tm_mon + 1, tm.tm_mday, tm.tm_hour, tm.tm_min, tm.tm_sec,
	                ts.tv_nsec / 1000000, lg.who, (int)getpid(), log_level_names[level]);
}

static void
vlog(enum log_level level, const char *fmt, va_list ap)
{
	char line[LINE_MAX_BYTES];
	int saved = errno, n, m;

	if (level < lg.level)
		return;
	n = stamp(line, sizeof line, level);
	m = vsnprintf(line + n, sizeof line - (size_t)n, fmt, ap);
	n = n + m < LINE_MAX_BYTES ? n + m : LINE_MAX_BYTES - 1;
	line[n] = '\n';
	(void)!write(lg.fd, line, (size_t)n + 1);
	errno = saved;
}

#define LOG_FUNCTION(name, level)                                                              \
	void name(const char *fmt, ...)                                                        \
	{                                                                                      \
		va_list ap;                                                                    \
		va_start(ap, fmt);                                                             \
		vlog(level, fmt, ap);                                                          \
		va_end(ap);                                                                    \
	}

LOG_FUNCTION(log_debug, LOGL_DEBUG)
LOG_FUNCTION(log_info, LOGL_INFO)
LOG_FUNCTION(log_warn, LOGL_WARN)
LOG_FUNCTION(log_error, LOGL_ERROR)

/* The hook is taken out before it runs: a fault in it must not come back here. */
static void
last_words(const char *reason)
{
	void (*fn)(const char *) = lg.last_words;

	lg.last_words = NULL;
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
