#include "ctl/watch.h"

#include <sys/signalfd.h>

#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fd.h"
#include "base/mem.h"
#include "ctl/history.h"
#include "ctl/progress.h"
#include "ctl/screen.h"
#include "ctl/terminal.h"
#include "ctl/words.h"

#define TURN_MS   500
#define SILENT_MS 1500 /* without an answer, until that is shown */
#define BACK_MS   5000 /* how long it is shown that baton is back */

_Static_assert(SILENT_MS > 2 * TURN_MS, "a turn that is missed is no silence");

#define ASK(verb) "{\"verb\":\"" verb "\",\"args\":[],\"version\":1}"

static struct {
	struct screen *screen;
	char *path;
	struct client *client; /* who owes an answer; NULL: nobody */
	uint64_t asked_ms;     /* when */
	bool asked_history;
	pid_t pid;          /* who answered last */
	json_int_t seq;     /* of the last change that it told; -1: ask for the history */
	uint64_t lost_ms;   /* since when nobody answers; 0: somebody does */
	uint64_t notice_ms; /* when the notice is old; 0: never */
	bool over;
	int fatal; /* the signal that ends us; 0 */
} wa;

/* --- what is on top --- */

/* Takes text over.  for_ms 0: until another one. */
static void
notice(char *text, uint64_t for_ms)
{
	screen_notice(wa.screen, text);
	wa.notice_ms = for_ms > 0 ? clock_ms() + for_ms : 0;
	free(text);
}

/* Where it was is known. */
static void
lost(const char *why)
{
	char *since;

	if (wa.lost_ms == 0)
		wa.lost_ms = clock_ms();
	if (strncmp(why, wa.path, strlen(wa.path)) == 0)
		why += strlen(wa.path) + strspn(why + strlen(wa.path), ": ");
	since = words_duration((int64_t)(clock_ms() - wa.lost_ms));
	notice(mem_printf("LOST baton %s ago: %s", since, why), 0);
	free(since);
}

static void
found(void)
{
	char *took;

	if (wa.lost_ms == 0)
		return;
	took = words_duration((int64_t)(clock_ms() - wa.lost_ms));
	notice(mem_printf("baton is back after %s", took), BACK_MS);
	wa.lost_ms = 0;
	free(took);
}

static void
tell_silence(void)
{
	uint64_t silent = clock_ms() - wa.asked_ms;
	char *words;

	if (wa.client == NULL || silent < SILENT_MS)
		return;
	if (wa.lost_ms == 0)
		wa.lost_ms = wa.asked_ms;
	words = words_duration((int64_t)silent);
	notice(mem_printf("baton (pid %d) has not answered for %s", (int)client_pid(wa.client),
	                  words),
	       0);
	free(words);
}

/* --- asking --- */

static void
ask(const char *request, bool history)
{
	char *cause = NULL;

	wa.client = client_connect_now(wa.path, &cause);
	if (wa.client != NULL) {
		wa.asked_ms = clock_ms();
		wa.asked_history = history;
		client_send(wa.client, request);
	} else {
		lost(cause);
	}
	free(cause);
}

static void
take_status(json_t *status)
{
	const json_t *last = json_object_get(status, "last");
	json_int_t seq = json_integer_value(json_object_get(last, "seq"));
	pid_t pid = (pid_t)json_integer_value(json_object_get(status, "pid"));

	found();
	screen_set_status(wa.screen, status);
	if (seq == wa.seq && pid == wa.pid)
		return;
	wa.seq = seq;
	wa.pid = pid;
	ask(ASK("history"), true);
}

static void
take_answer(const struct client_answer *a)
{
	if (a->exit != CONTROL_DONE && !wa.asked_history) {
		lost(a->text);
	} else if (a->exit == CONTROL_DONE && a->data != NULL && wa.asked_history) {
		history_name_users(a->data);
		screen_set_history(wa.screen, a->data);
	} else if (a->exit == CONTROL_DONE && a->data != NULL) {
		take_status(a->data);
	} else if (a->exit == CONTROL_FAILED) {
		wa.seq = -1; /* it is one that knows the verb: ask again */
	}
}

static void
no_progress(const char *text, int percent)
{
	(void)text;
	(void)percent;
}

static void
on_answer(void)
{
	struct client_answer a = {0};

	if (!client_take(wa.client, no_progress, &a))
		return;
	client_free(&wa.client);
	take_answer(&a);
	client_answer_free(&a);
}

/* --- drawing --- */

static void
draw(void)
{
	struct screen_frame f;
	size_t width, height;
	time_t now = time(NULL);
	struct tm tm;
	char text[16] = "";

	if (localtime_r(&now, &tm) != NULL)
		strftime(text, sizeof text, "%H:%M:%S", &tm);
	terminal_size(&width, &height);
	f = screen_draw(wa.screen, width, height, text);
	terminal_show(&f);
	screen_frame_free(&f);
}

static void
turn(void)
{
	if (wa.notice_ms != 0 && clock_ms() >= wa.notice_ms)
		notice(NULL, 0);
	if (wa.client == NULL)
		ask(ASK("status"), false);
	tell_silence();
	draw();
}

/* --- the keyboard and the signals --- */

static void
on_key(void)
{
	char keys[64];
	ssize_t n = read(STDIN_FILENO, keys, sizeof keys);

	if (n <= 0)
		wa.over = true; /* the terminal has gone */
	for (ssize_t i = 0; i < n; i++) {
		if (keys[i] == 'q' || keys[i] == 'Q')
			wa.over = true;
		else if (keys[i] == '\f')
			terminal_forget(); /* Ctrl-L */
	}
	draw();
}

static void
stop_for_a_while(void)
{
	terminal_leave();
	raise(SIGSTOP);
	terminal_enter();
	draw();
}

static void
on_signal(int sfd)
{
	struct signalfd_siginfo si;

	if (read(sfd, &si, sizeof si) != sizeof si)
		return;
	switch (si.ssi_signo) {
	case SIGWINCH:
		draw();
		break;
	case SIGTSTP:
		stop_for_a_while();
		break;
	case SIGINT:
		wa.over = true;
		break;
	default:
		wa.over = true;
		wa.fatal = (int)si.ssi_signo;
		break;
	}
}

static int
watch_signals(sigset_t *set)
{
	static const int list[] = {SIGWINCH, SIGTSTP, SIGINT, SIGTERM, SIGHUP, SIGQUIT};

	sigemptyset(set);
	for (size_t i = 0; i < sizeof list / sizeof *list; i++)
		sigaddset(set, list[i]);
	sigprocmask(SIG_BLOCK, set, NULL);
	return signalfd(-1, set, SFD_CLOEXEC);
}

/* --- the loop --- */

static int
time_to(uint64_t next_ms)
{
	uint64_t now = clock_ms();

	return next_ms > now ? (int)(next_ms - now) : 0;
}

static void
look(int sfd, int timeout_ms)
{
	struct pollfd p[] = {
	    {.fd = STDIN_FILENO, .events = POLLIN},
	    {.fd = sfd, .events = POLLIN},
	    {.fd = wa.client != NULL ? client_fd(wa.client) : -1, .events = POLLIN},
	};

	if (poll(p, sizeof p / sizeof *p, timeout_ms) <= 0)
		return;
	if (p[2].revents != 0)
		on_answer();
	if (p[1].revents != 0)
		on_signal(sfd);
	if (p[0].revents != 0 && !wa.over)
		on_key();
}

static void
watch(int sfd)
{
	uint64_t next = clock_ms();

	while (!wa.over) {
		if (clock_ms() >= next) {
			turn();
			next = clock_ms() + TURN_MS;
		}
		look(sfd, time_to(next));
	}
}

/* So long as nothing is drawn a failure is a failure, as of every verb. */
static bool
ask_first(const char *path, struct client_answer *a)
{
	char *full = NULL;
	struct client *c = client_connect(path, &full, &a->text);

	free(full);
	if (c == NULL) {
		a->exit = CONTROL_NO_BATON;
		return false;
	}
	wa.path = mem_strdup(client_path(c));
	client_ask(c, ASK("status"), CLIENT_SILENCE_MS, progress_show, a);
	progress_end();
	client_free(&c);
	return a->exit == CONTROL_DONE;
}

void
watch_run(const char *path, struct client_answer *a)
{
	sigset_t set;
	int sfd;

	if (terminal_check(&a->text) < 0) {
		a->exit = CONTROL_USAGE;
		return;
	}
	if (!ask_first(path, a))
		return;
	wa.screen = screen_new();
	wa.seq = -1;
	sfd = watch_signals(&set);
	terminal_enter();
	take_answer(a);
	watch(sfd);
	terminal_leave();
	fd_close(&sfd);
	screen_free(&wa.screen);
	if (wa.client != NULL)
		client_free(&wa.client);
	mem_free(&wa.path);
	sigprocmask(SIG_UNBLOCK, &set, NULL);
	if (wa.fatal != 0)
		raise(wa.fatal);
}
