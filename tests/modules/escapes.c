/* escapes: a stream module that tries what it is told, on the loop or in a thread, and
 * answers with the outcome: "yes", or the error's name. */
#include <baton.h>

#include <sys/mount.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static int
closed(int fd)
{
	return fd < 0 ? -1 : close(fd);
}

static int
try_exec(void)
{
	return execl("/bin/true", "true", (char *)NULL);
}

static int
try_fork(void)
{
	pid_t pid = fork();

	if (pid == 0)
		_exit(0);
	return pid < 0 ? -1 : 0;
}

static int
try_system(void)
{
	return system("true");
}

static int
try_ptrace(void)
{
	return (int)ptrace(PTRACE_ATTACH, getppid(), NULL, NULL);
}

static int
try_kill(void)
{
	return kill(getppid(), 0);
}

static int
try_mount(void)
{
	return mount("none", "/mnt", "tmpfs", 0, NULL);
}

static int
try_packet(void)
{
	return closed(socket(AF_PACKET, SOCK_DGRAM, 0));
}

static int
try_udp(void)
{
	return closed(socket(AF_INET, SOCK_DGRAM, 0));
}

static int
try_low_port(void)
{
	struct sockaddr_in in = {.sin_family = AF_INET, .sin_port = htons(81)};
	int fd = socket(AF_INET, SOCK_STREAM, 0);
	int result = bind(fd, (struct sockaddr *)&in, sizeof in), error = errno;

	close(fd);
	errno = error;
	return result;
}

static int
try_file(void)
{
	FILE *f = tmpfile();

	return f == NULL ? -1 : fclose(f);
}

static int
try_etc(void)
{
	return closed(open("/etc/escapes", O_WRONLY | O_CREAT, 0600));
}

/* Nothing is written. */
static int
try_parent(void)
{
	char path[64];

	snprintf(path, sizeof path, "/proc/%d/oom_score_adj", (int)getppid());
	return closed(open(path, O_WRONLY));
}

static int
try_switch(void)
{
	return closed(open("/proc/sys/kernel/core_pattern", O_WRONLY));
}

static void *
nothing(void *arg)
{
	return arg;
}

static int
try_thread(void)
{
	pthread_t t;

	errno = pthread_create(&t, NULL, nothing, NULL);
	return errno != 0 ? -1 : pthread_join(t, NULL);
}

/* Words at the control socket are all that is left of it. */
static void
last_words(const char *path)
{
	static const char words[] = "{\"verb\":\"stop\",\"args\":[\"--now\"],\"version\":1}\n";
	struct sockaddr_un sa = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);

	snprintf(sa.sun_path, sizeof sa.sun_path, "%s", path);
	if (connect(fd, (struct sockaddr *)&sa, sizeof sa) == 0 &&
	    send(fd, words, sizeof words - 1, MSG_NOSIGNAL) == (ssize_t)sizeof words - 1)
		_exit(7);
}

static const struct {
	const char *name;
	int (*fn)(void);
} tries[] = {
    {"exec", try_exec},     {"fork", try_fork},     {"system", try_system},
    {"ptrace", try_ptrace}, {"kill", try_kill},     {"mount", try_mount},
    {"packet", try_packet}, {"udp", try_udp},       {"low-port", try_low_port},
    {"file", try_file},     {"etc", try_etc},       {"thread", try_thread},
    {"parent", try_parent}, {"switch", try_switch},
};

static const char *
outcome(const char *name)
{
	for (size_t i = 0; i < sizeof tries / sizeof *tries; i++)
		if (strcmp(name, tries[i].name) == 0)
			return tries[i].fn() == 0 ? "yes" : strerrorname_np(errno);
	return "unknown";
}

static void
answer(struct baton_conn *conn, const char *what)
{
	char line[64];

	snprintf(line, sizeof line, "%s\n", what);
	baton_conn_write(conn, line, strlen(line));
}

struct job {
	struct baton_conn *conn;
	char name[32];
};

static int
work(void *arg)
{
	struct job *j = arg;

	answer(j->conn, outcome(j->name));
	return 0;
}

static void
done(void *arg, int status)
{
	(void)arg;
	(void)status;
}

static void
release(void *arg)
{
	struct job *j = arg;

	baton_conn_drop(j->conn);
	free(j);
}

/* Close every channel, and live on. */
static const char *
hush(void)
{
	for (int fd = 3; fd < 256; fd++) {
		int type = 0;
		socklen_t len = sizeof type;

		if (getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &len) == 0 &&
		    type == SOCK_SEQPACKET)
			close(fd);
	}
	return "yes";
}

/* "thread: NAME" is tried in a thread of the pool. */
static void
obey(struct baton_conn *conn, const char *order)
{
	struct baton_task task = {
	    .name = "escape", .work = work, .done = done, .release = release};
	struct job *j;

	if (strncmp(order, "words: ", 7) == 0)
		last_words(order + 7);
	if (strcmp(order, "hush") == 0) {
		answer(conn, hush());
		return;
	}
	if (strncmp(order, "thread: ", 8) != 0) {
		answer(conn, outcome(order));
		return;
	}
	j = calloc(1, sizeof *j);
	j->conn = baton_conn_hold(conn);
	snprintf(j->name, sizeof j->name, "%s", order + 8);
	task.arg = j;
	if (baton_offload(NULL, &task) != 0)
		release(j);
}

static size_t
on_data(struct baton_conn *conn, const char *bytes, size_t n)
{
	const char *end = memchr(bytes, '\n', n);
	char order[160];

	if (end == NULL)
		return 0;
	snprintf(order, sizeof order, "%.*s", (int)(end - bytes), bytes);
	obey(conn, order);
	return (size_t)(end - bytes) + 1;
}

const struct baton_module baton_module = {
    .abi = BATON_ABI,
    .size = sizeof(struct baton_module),
    .name = "escapes",
    .data = on_data,
};
