#include "master/change/preflight.h"

#include <sys/queue.h>

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <event2/event.h>

#include "base/fault.h"
#include "base/fd.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/spawn.h"
#include "base/utf8.h"
#include "conf/conf.h"
#include "master/change/places.h"
#include "master/core/env.h"
#include "master/state/wayback.h"
#include "master/workers/privileges.h"

#define YES      "baton-preflight: yes "
#define NO       "baton-preflight: no "
#define SAID_MAX 65536 /* what a child may say */

struct preflight {
	TAILQ_ENTRY(preflight) link;
	pid_t pid;
	int out; /* its stderr, on which it answers */
	struct event *readable;
	struct event *timer;
	uint64_t limit_ms;
	bool late;
	char *said;
	size_t len;
	preflight_fn *fn;
	void *arg;
};

static TAILQ_HEAD(, preflight) all = TAILQ_HEAD_INITIALIZER(all);

static void
destroy(struct preflight *p)
{
	TAILQ_REMOVE(&all, p, link);
	event_free(p->readable);
	event_free(p->timer);
	fd_close(&p->out);
	free(p->said);
	free(p);
}

static void
read_out(struct preflight *p)
{
	ssize_t n;

	while (p->len < SAID_MAX && (n = read(p->out, p->said + p->len, SAID_MAX - p->len)) > 0)
		p->len += (size_t)n;
	p->said[p->len] = '\0';
}

static void
on_readable(evutil_socket_t fd, short what, void *arg)
{
	struct preflight *p = arg;
	size_t before = p->len;

	(void)fd;
	(void)what;
	read_out(p);
	if (p->len == before) /* end of file, or more than it may say */
		event_del(p->readable);
}

static void
on_timer(evutil_socket_t fd, short what, void *arg)
{
	struct preflight *p = arg;

	(void)fd;
	(void)what;
	p->late = true;
	kill(p->pid, SIGKILL);
}

/* `systemctl kill -s USR2` reaches this child, too; ignored signals stay ignored
 * over an exec. */
static void
ignore_what_is_for_the_master(void)
{
	static const int signals[] = {SIGHUP, SIGUSR1, SIGUSR2, SIGTTIN, SIGTTOU};

	for (size_t i = 0; i < sizeof signals / sizeof *signals; i++)
		signal(signals[i], SIG_IGN);
}

/* In the child: only its answer's way is left open.  The alarm is for the case that
 * the master becomes another program, which does not know us. */
static void
become_child(int out, int state, uint64_t limit_ms)
{
	int null = open("/dev/null", O_RDWR | O_CLOEXEC);

	if (null >= 0) {
		dup2(null, STDIN_FILENO);
		dup2(null, STDOUT_FILENO);
	}
	dup2(out, STDERR_FILENO);
	log_set_fd(STDERR_FILENO, LOG_FORM_TEXT);
	fd_close_except(&state, 1);
	if (state >= 0)
		fd_cloexec(state, false);
	wayback_disown();
	spawn_scrub_environment();
	ignore_what_is_for_the_master();
	spawn_unblock_signals();
	alarm((unsigned)(limit_ms / 1000) + 2);
}

/* The parent's side.  Returns 0 in the child, with *p NULL. */
static int
begin(struct preflight **p, int state, const struct preflight_asker *asker, char **cause)
{
	uint64_t limit_ms = asker->limit_ms;
	struct timeval tv = {.tv_sec = (time_t)(limit_ms / 1000),
	                     .tv_usec = (suseconds_t)(limit_ms % 1000 * 1000)};
	int end[2];
	pid_t pid;

	*p = NULL;
	if (pipe2(end, O_CLOEXEC) < 0)
		return cause_set(cause, "cannot start a check: %s", strerror(errno));
	pid = spawn_fork();
	if (pid == 0) {
		become_child(end[1], state, limit_ms);
		return 0;
	}
	fd_close(&end[1]);
	if (pid < 0) {
		fd_close(&end[0]);
		return cause_set(cause, "cannot start a check: %s", strerror(errno));
	}
	fd_nonblock(end[0]);
	*p = mem_alloc(sizeof **p);
	(*p)->pid = pid;
	(*p)->out = end[0];
	(*p)->limit_ms = limit_ms;
	(*p)->said = mem_alloc(SAID_MAX + 1);
	(*p)->fn = asker->fn;
	(*p)->arg = asker->arg;
	(*p)->readable = event_new(env.base, end[0], EV_READ | EV_PERSIST, on_readable, *p);
	(*p)->timer = evtimer_new(env.base, on_timer, *p);
	event_add((*p)->readable, NULL);
	event_add((*p)->timer, &tv);
	TAILQ_INSERT_TAIL(&all, *p, link);
	return 1;
}

void
preflight_look(const struct conf *conf, struct conf_errors *errors)
{
	privileges_look(conf, errors);
	places_look(conf, errors);
}

/* Files and sockets that a change would create are tried by the change itself
 * (settings_try). */
static _Noreturn void
check_conf(const char *path, const char *text, size_t len)
{
	struct conf_errors errors = {0};
	struct conf *conf = conf_examine(
	    path, text, len, text != NULL ? privileges_look : preflight_look, &errors);

	if (conf != NULL)
		env.program->check(conf, &errors);
	FAULT("preflight-conf");
	if (errors.n > 0)
		preflight_answer(false, conf_errors_join(&errors));
	preflight_answer(true, "the file is good");
}

struct preflight *
preflight_conf(const char *path, const char *text, size_t len,
               const struct preflight_asker *asker, char **cause)
{
	struct preflight *p;

	if (begin(&p, -1, asker, cause) == 0)
		check_conf(path, text, len);
	return p;
}

static _Noreturn void
execute(const char *binary, int state, const char *conf_path)
{
	char role[32];
	char *argv[] = {(char *)(uintptr_t)binary, role, (char *)(uintptr_t) "-c",
	                (char *)(uintptr_t)conf_path, NULL};
	char *text;

	snprintf(role, sizeof role, "--preflight=%d", state);
	execv(binary, argv);
	text = mem_printf("cannot execute %s: %s", binary, strerror(errno));
	preflight_answer(false, text);
}

struct preflight *
preflight_binary(const char *binary, int state, const char *conf_path,
                 const struct preflight_asker *asker, char **cause)
{
	struct preflight *p;

	if (begin(&p, state, asker, cause) == 0)
		execute(binary, state, conf_path);
	return p;
}

void
preflight_cancel(struct preflight **p)
{
	if (*p == NULL)
		return;
	kill((*p)->pid, SIGKILL);
	destroy(*p);
	*p = NULL;
}

/* The line that starts with the mark, to the end of what was said; or NULL. */
static char *
find_mark(char *said, const char *mark)
{
	char *at = said;

	while ((at = strstr(at, mark)) != NULL) {
		if (at == said || at[-1] == '\n')
			return at + strlen(mark);
		at++;
	}
	return NULL;
}

static void
chomp(char *text)
{
	size_t n = strlen(text);

	while (n > 0 && (text[n - 1] == '\n' || text[n - 1] == ' '))
		text[--n] = '\0';
}

static char *
why_not(const struct preflight *p, int status)
{
	char *no = find_mark(p->said, NO);

	if (no != NULL)
		return mem_strdup(no);
	if (p->late)
		return mem_printf("the check did not answer within %llu ms",
		                  (unsigned long long)p->limit_ms);
	if (p->len > 0)
		return mem_printf("the check ended with %s and said: %s",
		                  spawn_status_text(status), p->said);
	return mem_printf("the check ended with %s and said nothing",
	                  spawn_status_text(status));
}

static void
finish(struct preflight *p, int status)
{
	preflight_fn *fn = p->fn;
	void *arg = p->arg;
	char *yes, *text;

	read_out(p);
	chomp(p->said);
	utf8_repair(p->said);
	yes = status == 0 && !p->late ? find_mark(p->said, YES) : NULL;
	text = yes != NULL ? mem_strdup(yes) : why_not(p, status);
	destroy(p);
	fn(arg, yes != NULL, text);
	free(text);
}

bool
preflight_reaped(pid_t pid, int status)
{
	struct preflight *p;

	TAILQ_FOREACH (p, &all, link)
		if (p->pid == pid) {
			finish(p, status);
			return true;
		}
	return false;
}

void
preflight_answer(bool yes, const char *text)
{
	char *line = mem_printf("%s%s\n", yes ? YES : NO, text);

	(void)!write(STDERR_FILENO, line, strlen(line));
	_exit(yes ? 0 : 1);
}
