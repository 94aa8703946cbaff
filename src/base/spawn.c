#include "base/spawn.h"

#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/mem.h"

static void
reset_signals(void)
{
	struct sigaction dfl = {.sa_handler = SIG_DFL};

	for (int sig = 1; sig < NSIG; sig++)
		sigaction(sig, &dfl, NULL);
}

pid_t
spawn_fork(void)
{
	sigset_t all, old;
	pid_t pid;

	sigfillset(&all);
	sigprocmask(SIG_SETMASK, &all, &old);
	fflush(NULL);
	pid = fork();
	if (pid == 0)
		reset_signals();
	else
		sigprocmask(SIG_SETMASK, &old, NULL);
	return pid;
}

/* In the other process: it says when all is empty, and holds its copies until those of its
 * parent are closed, so that those are not the last. */
static void __attribute__((noreturn))
bury_them(const int *fd, size_t n, void (*empty)(int fd), int sock)
{
	int *keep = mem_alloc((n + 1) * sizeof *keep);
	char byte = 0;

	memcpy(keep, fd, n * sizeof *keep);
	keep[n] = sock;
	fd_close_except(keep, n + 1); /* there is room for what comes */
	for (size_t i = 0; i < n && empty != NULL; i++)
		empty(fd[i]);
	(void)!write(sock, &byte, 1);
	(void)!read(sock, &byte, 1);
	_exit(0);
}

void
spawn_bury(int *fd, size_t n, void (*empty)(int fd))
{
	int end[2] = {-1, -1};
	pid_t pid =
	    socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, end) == 0 ? spawn_fork() : -1;
	struct pollfd p = {.fd = end[0], .events = POLLIN};

	if (pid == 0) {
		close(end[0]);
		bury_them(fd, n, empty, end[1]);
	}
	fd_close(&end[1]);
	if (pid > 0 && empty != NULL)
		poll(&p, 1, BURY_MS);
	for (size_t i = 0; i < n; i++) {
		if (pid < 0)
			fd_discard(&fd[i]);
		fd_close(&fd[i]);
	}
	fd_close(&end[0]);
}

void
spawn_unblock_signals(void)
{
	sigset_t none;

	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
}

void
spawn_scrub_environment(void)
{
	static const char *const names[] = {"LISTEN_FDS",    "LISTEN_PID",   "LISTEN_FDNAMES",
	                                    "NOTIFY_SOCKET", "WATCHDOG_PID", "WATCHDOG_USEC"};

	for (size_t i = 0; i < sizeof names / sizeof *names; i++)
		unsetenv(names[i]);
}

const char *
spawn_status_text(int status)
{
	static char text[64];

	if (status == SPAWN_UNKNOWN)
		snprintf(text, sizeof text, "a status that only its parent knew");
	else if (WIFSIGNALED(status))
		snprintf(text, sizeof text, "signal %d (%s)", WTERMSIG(status),
		         strsignal(WTERMSIG(status)));
	else
		snprintf(text, sizeof text, "exit status %d", WEXITSTATUS(status));
	return text;
}
