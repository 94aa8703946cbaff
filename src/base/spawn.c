#include "base/spawn.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/fd.h"

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

/* It holds its copies until ours are closed, so that ours are not the last. */
void
spawn_bury(int *fd, size_t n)
{
	int end[2] = {-1, -1};
	pid_t pid = pipe2(end, O_CLOEXEC) == 0 ? spawn_fork() : -1;
	char byte;

	if (pid == 0) {
		close(end[1]);
		(void)!read(end[0], &byte, 1);
		_exit(0);
	}
	for (size_t i = 0; i < n; i++) {
		if (pid < 0)
			fd_discard(&fd[i]);
		fd_close(&fd[i]);
	}
	fd_close(&end[0]);
	fd_close(&end[1]);
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
