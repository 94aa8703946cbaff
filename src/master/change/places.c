#include "master/change/places.h"

#include <stdlib.h>
#include <string.h>

#include "base/diskfile.h"
#include "base/unixsock.h"
#include "conf/conf.h"
#include "conf/errors.h"
#include "master/state/pidfile.h"

static void
look_at_log(const struct conf *conf, struct conf_errors *errors)
{
	const char *path = conf->server.log;
	char *why = NULL;

	if (path == NULL || *path != '/' || diskfile_may_open_lines(path, &why) == 0)
		return;
	conf_error(errors, conf_line(conf, CONF_SERVER, 0, "log"),
	           "cannot open log file %s: %s", path, why);
	free(why);
}

static void
look_at_access_log(const struct conf *conf, size_t index, struct conf_errors *errors)
{
	const char *path = conf->listen[index].access_log;
	char *why = NULL;

	if (path == NULL || diskfile_may_open_lines(path, &why) == 0)
		return;
	conf_error(errors, conf_line(conf, CONF_LISTEN, index, "access_log"),
	           "cannot open access log %s: %s", path, why);
	free(why);
}

static void
look_at_pid_file(const struct conf *conf, struct conf_errors *errors)
{
	const char *path = conf->server.pid_file;
	char *why = NULL;

	if (path == NULL || pidfile_is(path) ||
	    (diskfile_may_write(path, &why) >= 0 && pidfile_may_replace(path, &why) == 0))
		return;
	conf_error(errors, conf_line(conf, CONF_SERVER, 0, "pid_file"),
	           "cannot write pid file %s: %s", path, why);
	free(why);
}

/* Whether somebody listens there already is no business of a check: it may be this baton. */
static void
look_at_control(const struct conf *conf, struct conf_errors *errors)
{
	const char *path = conf->server.control;
	char *why = NULL;

	if (path == NULL || unixsock_obstacle(path, &why) == 0)
		return;
	conf_error(errors, conf_line(conf, CONF_SERVER, 0, "control"),
	           "cannot listen at control socket %s: %s", path, why);
	free(why);
}

static void
look_at_addresses(const struct conf_listen *listen, struct conf_errors *errors)
{
	for (size_t i = 0; i < listen->naddr; i++) {
		const struct conf_addr *a = &listen->addr[i];
		char *why = NULL;

		if (a->kind != CONF_ADDR_UNIX ||
		    unixsock_obstacle(a->text + strlen("unix:"), &why) == 0)
			continue;
		conf_error(errors, a->line, "cannot listen on %s: %s", a->text, why);
		free(why);
	}
}

void
places_look(const struct conf *conf, struct conf_errors *errors)
{
	look_at_log(conf, errors);
	look_at_pid_file(conf, errors);
	look_at_control(conf, errors);
	for (size_t i = 0; i < conf->nlisten; i++) {
		look_at_addresses(&conf->listen[i], errors);
		look_at_access_log(conf, i, errors);
	}
}
