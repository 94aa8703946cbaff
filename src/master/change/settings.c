#include "master/change/settings.h"

#include <stdlib.h>

#include "base/event.h"
#include "base/log.h"
#include "base/mem.h"
#include "conf/conf.h"
#include "master/control/socketfile.h"
#include "master/state/pidfile.h"
#include "master/workers/accesslog.h"
#include "master/workers/generation.h"
#include "master/workers/slot.h"
#include "wire/chan.h"

int
settings_try(const struct conf *conf, char **cause)
{
	if (socketfile_try(conf->server.control, cause) < 0)
		return conf_blame(conf, CONF_SERVER, 0, "control", cause);
	if (pidfile_try(conf->server.pid_file, cause) < 0)
		return conf_blame(conf, CONF_SERVER, 0, "pid_file", cause);
	return 0;
}

void
settings_apply(const struct conf *conf)
{
	char *cause = NULL;

	if (socketfile_move(conf->server.control, &cause) < 0)
		log_error("the control socket stays where it is: %s", cause);
	if (pidfile_set(conf->server.pid_file, &cause) < 0)
		log_error("%s", cause);
	free(cause);
}

int
settings_open_log(const struct conf *conf, char **cause)
{
	if (log_open(conf->server.log, (enum log_level)conf->server.log_level,
	             (enum log_format)conf->server.log_format, cause) < 0)
		return conf_blame(conf, CONF_SERVER, 0, "log", cause);
	return 0;
}

void
settings_again(const struct conf *conf)
{
	char *cause = NULL;

	if (settings_open_log(conf, &cause) < 0)
		log_error("%s", cause);
	free(cause);
	settings_apply(conf);
}

/* To those who have the log itself. */
static void
send_log(void)
{
	struct generation *g;
	struct worker *w;
	uint32_t form = log_form();
	int fd = log_fd();

	TAILQ_FOREACH (g, generation_all(), link)
		TAILQ_FOREACH (w, &g->workers, link)
			if (w->chan != NULL && w->log == NULL)
				chan_send(w->chan, MSG_LOG, w->birth, &form, sizeof form,
				          &(struct msg_fds){&fd, 1});
}

static void
send_files(struct worker *w, const struct conf *conf, const int *files)
{
	uint32_t listener[MSG_FDS_MAX];
	int fd[MSG_FDS_MAX];
	size_t n = 0;

	for (size_t i = 0; i < conf->nlisten; i++) {
		if (files[i] >= 0) {
			listener[n] = (uint32_t)i;
			fd[n++] = files[i];
		}
		if (n > 0 && (n == MSG_FDS_MAX || i + 1 == conf->nlisten)) {
			chan_send(w->chan, MSG_ACCESS, w->birth, listener, n * sizeof *listener,
			          &(struct msg_fds){fd, n});
			n = 0;
		}
	}
}

static int
reopen_access_logs(char **cause)
{
	struct generation *g;
	struct worker *w;
	char *why = NULL;

	TAILQ_FOREACH (g, generation_all(), link) {
		TAILQ_FOREACH (w, &g->workers, link) {
			int *files = accesslog_open(g->conf, &why);

			if (files != NULL && w->chan != NULL)
				send_files(w, g->conf, files);
			accesslog_close(g->conf, &files);
		}
	}
	if (why == NULL)
		return 0;
	cause_set(cause, "%s", why);
	free(why);
	return -1;
}

/* One that cannot be opened is no reason not to open the others. */
int
settings_reopen_logs(char **cause)
{
	char *log = NULL, *access = NULL;

	if (log_reopen(&log) == 0)
		send_log();
	reopen_access_logs(&access);
	if (log != NULL)
		log_error("%s", log);
	if (access != NULL)
		log_error("%s", access);
	if (log != NULL || access != NULL) {
		cause_set(cause, "%s%s%s", log != NULL ? log : "",
		          log != NULL && access != NULL ? "\n" : "",
		          access != NULL ? access : "");
		free(log);
		free(access);
		return -1;
	}
	log_event(EVENT_REOPENED, NULL, "log files are open again");
	return 0;
}
