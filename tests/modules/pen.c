/* pen: a stream module that writes into the log what it is told, by baton's own way and past
 * it.  It answers "PID N": so many lines of this process have been "pen 1", "pen 2", ... */
#include <baton.h>

#include <sys/stat.h>

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static unsigned long said;
static volatile bool floods;

static void
say(long n)
{
	for (; n > 0; n--)
		baton_log(BATON_INFO, "pen %lu", ++said);
}

static bool
is_pipe(int fd, int mode, struct stat *st)
{
	return fstat(fd, st) == 0 && S_ISFIFO(st->st_mode) &&
	       (fcntl(fd, F_GETFL) & O_ACCMODE) == mode;
}

static bool
is_read_here(const struct stat *pipe)
{
	struct stat st;

	for (int fd = STDERR_FILENO + 1; fd < 64; fd++)
		if (is_pipe(fd, O_RDONLY, &st) && st.st_ino == pipe->st_ino)
			return true;
	return false;
}

/* The one that another process reads: the master. */
static int
pipe_of_log(void)
{
	struct stat st;

	for (int fd = STDERR_FILENO + 1; fd < 64; fd++)
		if (is_pipe(fd, O_WRONLY, &st) && !is_read_here(&st))
			return fd;
	return -1;
}

static void *
flood(void *line)
{
	int fd = pipe_of_log();
	size_t n = strlen(line);

	while (floods)
		if (write(fd, line, n) < 0 && errno != EAGAIN)
			break;
	return NULL;
}

static void
begin_flood(void)
{
	static char line[4000];
	pthread_t t;

	memset(line, 'f', sizeof line - 2);
	line[sizeof line - 2] = '\n';
	floods = true;
	pthread_create(&t, NULL, flood, line);
	pthread_detach(t);
}

/* A line of n bytes, as fast as the pipe takes them. */
static void *
write_long(void *arg)
{
	int fd = pipe_of_log();
	static char bytes[1000];

	memset(bytes, 'x', sizeof bytes);
	for (long n = *(long *)arg; n > 0;) {
		ssize_t w = write(fd, bytes, n < 1000 ? (size_t)n : 1000);

		n -= w > 0 ? w : 0;
		usleep(w > 0 ? 0 : 1000);
	}
	while (write(fd, "\n", 1) < 0)
		usleep(1000);
	return NULL;
}

static void
begin_long(long n)
{
	static long length;
	pthread_t t;

	length = n;
	pthread_create(&t, NULL, write_long, &length);
	pthread_detach(t);
}

static void
obey(const char *order)
{
	long n = strchr(order, ' ') != NULL ? atol(strchr(order, ' ')) : 0;

	if (strncmp(order, "say", 3) == 0) {
		say(n);
	} else if (strncmp(order, "die", 3) == 0) {
		fcntl(pipe_of_log(), F_SETPIPE_SZ, 1 << 19);
		say(n);
		kill(getpid(), SIGKILL);
	} else if (strncmp(order, "long", 4) == 0) {
		begin_long(n);
	} else if (strcmp(order, "flood") == 0) {
		begin_flood();
	} else if (strcmp(order, "ebb") == 0) {
		floods = false;
	} else if (strcmp(order, "close") == 0) {
		close(pipe_of_log());
	}
}

static size_t
on_data(struct baton_conn *conn, const char *bytes, size_t n)
{
	const char *end = memchr(bytes, '\n', n);
	char order[64], answer[64];

	if (end == NULL)
		return 0;
	snprintf(order, sizeof order, "%.*s", (int)(end - bytes), bytes);
	obey(order);
	snprintf(answer, sizeof answer, "%d %lu\n", (int)getpid(), said);
	baton_conn_write(conn, answer, strlen(answer));
	return (size_t)(end - bytes) + 1;
}

const struct baton_module baton_module = {
    .abi = BATON_ABI,
    .size = sizeof(struct baton_module),
    .name = "pen",
    .data = on_data,
};
