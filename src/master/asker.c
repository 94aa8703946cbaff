#include "master/asker.h"

#include <sys/socket.h>

#include <string.h>

static const char *const names[] = {"start", "signal", "control", "unknown"};

#define COUNT (sizeof names / sizeof *names)

struct asker
asker_peer(int fd, struct control_client *client)
{
	struct ucred peer = {0};
	socklen_t len = sizeof peer;

	getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &len);
	return (struct asker){
	    .how = ASKER_CONTROL, .uid = peer.uid, .pid = peer.pid, .client = client};
}

json_t *
asker_json(const struct asker *a)
{
	bool pid = a->how != ASKER_START && a->pid > 0;
	bool uid = a->how == ASKER_CONTROL || pid; /* who is beyond our pid namespace has one */

	return json_pack("{s:s, s:o, s:o, s:b}", "how", names[a->how], "uid",
	                 uid ? json_integer((json_int_t)a->uid) : json_null(), "pid",
	                 pid ? json_integer(a->pid) : json_null(), "abort", a->abort);
}

struct asker
asker_read(const json_t *j)
{
	const char *how = json_string_value(json_object_get(j, "how"));
	struct asker a = {.how = ASKER_UNKNOWN};

	for (size_t i = 0; how != NULL && i < COUNT; i++)
		if (strcmp(names[i], how) == 0)
			a.how = (enum asker_how)i;
	a.uid = (uid_t)json_integer_value(json_object_get(j, "uid"));
	a.pid = (pid_t)json_integer_value(json_object_get(j, "pid"));
	a.abort = json_is_true(json_object_get(j, "abort"));
	return a;
}
