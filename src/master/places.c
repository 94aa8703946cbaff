#include "master/places.h"

#include <stdlib.h>

#include "base/diskfile.h"
#include "conf/conf.h"
#include "conf/flaw.h"
#include "master/pidfile.h"

static void
look_at_log(const struct conf *conf, struct flaws *flaws)
{
	const char *path = conf->server.log;
	char *why = NULL;

	if (path == NULL || *path != '/' || diskfile_may_open_lines(path, &why) == 0)
		return;
	flaw_add(flaws, conf_line(conf, CONF_SERVER, 0, "log"), "cannot open log file %s: %s",
	         path, why);
	free(why);
}

static void
look_at_access_log(const struct conf *conf, size_t index, struct flaws *flaws)
{
	const char *path = conf->listen[index].access_log;
	char *why = NULL;

	if (path == NULL || diskfile_may_open_lines(path, &why) == 0)
		return;
	flaw_add(flaws, conf_line(conf, CONF_LISTEN, index, "access_log"),
	         "cannot open access log %s: %s", path, why);
	free(why);
}

static void
look_at_pid_file(const struct conf *conf, struct flaws *flaws)
{
	const char *path = conf->server.pid_file;
	char *why = NULL;

	if (path == NULL || pidfile_is(path) ||
	    (diskfile_may_write(path, &why) >= 0 && pidfile_may_replace(path, &why) == 0))
		return;
	flaw_add(flaws, conf_line(conf, CONF_SERVER, 0, "pid_file"),
	         "cannot write pid file %s: %s", path, why);
	free(why);
}

void
places_look(const struct conf *conf, struct flaws *flaws)
{
	look_at_log(conf, flaws);
	look_at_pid_file(conf, flaws);
	for (size_t i = 0; i < conf->nlisten; i++)
		look_at_access_log(conf, i, flaws);
}
