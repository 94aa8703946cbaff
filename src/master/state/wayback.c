#include "master/state/wayback.h"

#include <sys/syscall.h>

#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "base/mem.h"

struct wayback wayback = {.old = -1, .state = -1};

extern char **environ;

/* --- async-signal-safe --- */

static char *
append(char *to, const char *end, const char *text)
{
	while (*text != '\0' && to < end - 1)
		*to++ = *text++;
	*to = '\0';
	return to;
}

static char *
append_number(char *to, const char *end, int n)
{
	char digits[12], *d = digits + sizeof digits - 1;

	*d = '\0';
	do
		*--d = (char)('0' + n % 10);
	while ((n /= 10) > 0);
	return append(to, end, d);
}

void
wayback_go(const char *reason, int number)
{
	const char *end = wayback.entry + sizeof wayback.entry;
	char *p = append(wayback.entry, end, WAYBACK_VARIABLE "=back:");

	p = append_number(p, end, wayback.state);
	p = append(p, end, ":-1:");
	p = append(p, end, reason);
	if (number > 0)
		append_number(p, end, number);
	syscall(SYS_execveat, wayback.old, "", wayback.argv, wayback.envp, AT_EMPTY_PATH);
}

static void
on_fatal_signal(int sig)
{
	if (wayback.armed && getpid() == wayback.pid) {
		wayback.armed = false;
		if (sig == SIGALRM)
			wayback_go("the new binary hung: no commit within its time limit", 0);
		else
			wayback_go("the new binary crashed with signal ", sig);
	}
	signal(sig, SIG_DFL);
	raise(sig);
}

static void
on_last_words(const char *reason)
{
	if (wayback.armed && getpid() == wayback.pid) {
		wayback.armed = false;
		wayback_go(reason, 0);
	}
}

static void
on_exit_called(void)
{
	on_last_words("the new binary ended before its commit");
}

/* --- how it is made ready --- */

static const int fatal_signals[] = {SIGSEGV, SIGBUS, SIGABRT, SIGFPE, SIGILL, SIGALRM};

/* A stack of its own: the fault may be that the stack has ended. */
void
wayback_arm(void)
{
	static char stack[65536];
	stack_t ss = {.ss_sp = stack, .ss_size = sizeof stack};
	struct sigaction sa = {.sa_handler = on_fatal_signal, .sa_flags = SA_ONSTACK};
	sigset_t set;

	AN(!wayback.armed && wayback.old >= 0);
	wayback.pid = getpid();
	wayback.armed = true;
	sigaltstack(&ss, NULL);
	sigfillset(&sa.sa_mask);
	sigemptyset(&set);
	for (size_t i = 0; i < sizeof fatal_signals / sizeof *fatal_signals; i++) {
		sigaction(fatal_signals[i], &sa, NULL);
		sigaddset(&set, fatal_signals[i]);
	}
	sigprocmask(SIG_UNBLOCK, &set, NULL);
	log_set_last_words(on_last_words);
	atexit(on_exit_called);
}

void
wayback_disarm(void)
{
	wayback.armed = false;
	for (size_t i = 0; i < sizeof fatal_signals / sizeof *fatal_signals; i++)
		signal(fatal_signals[i], SIG_DFL);
	log_set_last_words(NULL);
}

char **
wayback_environment(char *entry)
{
	size_t n = 0;
	char **envp;

	while (environ[n] != NULL)
		n++;
	envp = mem_alloc((n + 2) * sizeof *envp);
	memcpy(envp, environ, n * sizeof *envp);
	envp[n] = entry;
	return envp;
}

void
wayback_disown(void)
{
	wayback.armed = false;
	log_set_last_words(NULL);
}
