/*
 * asker: who asked for a change, as the kernel tells it.
 *
 * Behind `systemctl reload` stands the service manager, which runs batonctl as our own user,
 * or sends a signal; who called systemctl it tells nobody.  Behind sudo stands a login.
 *
 * The name of a user is not looked up here: it may stand in a directory somewhere in the
 * network, which the master does not wait for.
 */
#ifndef BATON_MASTER_ASKER_H
#define BATON_MASTER_ASKER_H

#include <sys/types.h>

#include <jansson.h>

#include <stdbool.h>

struct control_client;
struct signalfd_siginfo;

enum asker_how { ASKER_START, ASKER_SIGNAL, ASKER_CONTROL, ASKER_UNKNOWN };

struct asker {
	enum asker_how how;
	bool abort;   /* asked for the way back */
	uid_t uid;    /* of ASKER_SIGNAL and ASKER_CONTROL */
	pid_t pid;    /* the same; 0: the kernel does not tell who it was */
	bool manager; /* it was the service manager that has started us */
	bool has_login;
	uid_t login;                   /* of ASKER_CONTROL: who had logged in */
	struct control_client *client; /* who waits for the answer; NULL: nobody */
};

/* The peer of a control socket. */
struct asker asker_peer(int fd, struct control_client *client);

/* The sender of a signal. */
struct asker asker_sender(const struct signalfd_siginfo *si);

/* {how, uid, pid, abort, manager, login}: what is not known is null. */
json_t *asker_json(const struct asker *a);

/* Of an array of them, for who reads shared memory: "systemd, uid 0 (login uid 1000)", each
 * once;
 * "": nobody.  malloc'd. */
char *asker_text(const json_t *by);

/* And back, without the client; what is missing (a record of a version that did not know
 * of askers) is unknown. */
struct asker asker_read(const json_t *j);

#endif
