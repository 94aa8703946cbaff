#include "master/control/requester.h"

#include <sys/signalfd.h>
#include <sys/socket.h>

#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/process.h"

static const char *const names[] = {"start", "signal", "control", "unknown"};

#define COUNT (sizeof names / sizeof *names)

/* Our parent is a service manager that hears of us. */
static bool
is_managed(void)
{
	return getenv("NOTIFY_SOCKET") != NULL;
}

struct requester
requester_peer(int fd, struct control_client *client)
{
	struct ucred peer = {0};
	struct requester a = {.how = REQUESTER_CONTROL, .client = client};
	socklen_t len = sizeof peer;

	getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &len);
	a.uid = peer.uid;
	a.pid = peer.pid;
	a.manager = a.pid > 0 && is_managed() && process_is_beside(a.pid);
	a.has_login = a.pid > 0 && process_login(a.pid, &a.login);
	return a;
}

/* Its process may be gone by now, and the pid another's: of its login nothing is said. */
struct requester
requester_sender(const struct signalfd_siginfo *si)
{
	struct requester a = {.how = REQUESTER_SIGNAL};

	if (si->ssi_code > 0)
		return a;
	a.uid = (uid_t)si->ssi_uid;
	a.pid = (pid_t)si->ssi_pid;
	a.manager = is_managed() && a.pid == getppid();
	return a;
}

json_t *
requester_json(const struct requester *a)
{
	bool pid = a->how != REQUESTER_START && a->pid > 0;
	bool uid =
	    a->how == REQUESTER_CONTROL || pid; /* who is beyond our pid namespace has one */

	return json_pack("{s:s, s:o, s:o, s:b, s:b, s:o}", "how", names[a->how], "uid",
	                 uid ? json_integer((json_int_t)a->uid) : json_null(), "pid",
	                 pid ? json_integer(a->pid) : json_null(), "abort", a->abort, "manager",
	                 a->manager, "login",
	                 a->has_login ? json_integer((json_int_t)a->login) : json_null());
}

/* Names of users are looked up by nobody here. */
static char *
one_text(const struct requester *a)
{
	if (a->how != REQUESTER_CONTROL && (a->how != REQUESTER_SIGNAL || a->pid == 0))
		return mem_strdup(names[a->how]);
	if (a->manager)
		return mem_strdup("systemd");
	if (a->has_login && a->login != a->uid)
		return mem_printf("uid %u (login uid %u)", (unsigned)a->uid,
		                  (unsigned)a->login);
	return mem_printf("%suid %u", a->how == REQUESTER_SIGNAL ? "signal of " : "",
	                  (unsigned)a->uid);
}

char *
requester_text(const json_t *by)
{
	char *list = mem_strdup("");
	size_t i;
	json_t *one;

	json_array_foreach ((json_t *)(uintptr_t)by, i, one) {
		struct requester a = requester_read(one);
		char *text = one_text(&a), *longer;

		longer = mem_printf("%s%s%s", list, *list != '\0' ? ", " : "", text);
		if (strstr(list, text) == NULL) {
			free(list);
			list = longer;
		} else {
			free(longer);
		}
		free(text);
	}
	return list;
}

struct requester
requester_read(const json_t *j)
{
	const char *how = json_string_value(json_object_get(j, "how"));
	struct requester a = {.how = REQUESTER_UNKNOWN};

	for (size_t i = 0; how != NULL && i < COUNT; i++)
		if (strcmp(names[i], how) == 0)
			a.how = (enum requester_how)i;
	a.uid = (uid_t)json_integer_value(json_object_get(j, "uid"));
	a.pid = (pid_t)json_integer_value(json_object_get(j, "pid"));
	a.abort = json_is_true(json_object_get(j, "abort"));
	a.manager = json_is_true(json_object_get(j, "manager"));
	a.has_login = json_is_integer(json_object_get(j, "login"));
	a.login = (uid_t)json_integer_value(json_object_get(j, "login"));
	return a;
}
