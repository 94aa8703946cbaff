#include "master/settings.h"

#include <stdlib.h>

#include "base/log.h"
#include "conf/conf.h"
#include "master/pidfile.h"
#include "master/socketfile.h"

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
	return log_open(conf->server.log, (enum log_level)conf->server.log_level,
	                (enum log_format)conf->server.log_format, cause);
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
