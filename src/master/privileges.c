#include "master/privileges.h"

#include <grp.h>
#include <pwd.h>
#include <unistd.h>

#include "base/mem.h"
#include "conf/conf.h"
#include "wire/heritage.h"

int
privileges_of(const struct conf *conf, struct heritage *h, char **cause)
{
	const char *name = conf->server.user;
	const struct passwd *pw;
	const struct group *gr = NULL;

	h->drop = false;
	h->uid = geteuid();
	h->gid = getegid();
	if (name == NULL && conf->server.group == NULL && h->uid != 0)
		return 0;
	if (name == NULL)
		name = "nobody";
	if ((pw = getpwnam(name)) == NULL)
		return cause_set(cause, "there is no user '%s' (user in [server])", name);
	if (conf->server.group != NULL && (gr = getgrnam(conf->server.group)) == NULL)
		return cause_set(cause, "there is no group '%s' (group in [server])",
		                 conf->server.group);
	if (h->uid != 0) {
		if (pw->pw_uid == h->uid && (gr == NULL || gr->gr_gid == h->gid))
			return 0;
		return cause_set(cause, "only root can make its workers run as '%s'", name);
	}
	h->drop = true;
	h->uid = pw->pw_uid;
	h->gid = gr != NULL ? gr->gr_gid : pw->pw_gid;
	return 0;
}
