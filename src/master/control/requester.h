/*
 * requester: who asked for a change, as the kernel tells it.
 *
 * Behind `systemctl reload` stands the service manager, which runs batonctl as our own user,
 * or sends a signal; who called systemctl it tells nobody.  Behind sudo stands a login.
 *
 * The name of a user is not looked up here: it may stand in a directory somewhere in the
 * network, which the master does not wait for.
 */
#ifndef BATON_MASTER_CONTROL_REQUESTER_H
#define BATON_MASTER_CONTROL_REQUESTER_H

#include <sys/types.h>

#include <jansson.h>

#include <stdbool.h>

struct control_client;
struct signalfd_siginfo;

enum requester_how { REQUESTER_START, REQUESTER_SIGNAL, REQUESTER_CONTROL, REQUESTER_UNKNOWN };

struct requester {
	enum requester_how how;
	bool abort;   /* asked for the way back */
	uid_t uid;    /* of REQUESTER_SIGNAL and REQUESTER_CONTROL */
	pid_t pid;    /* the same; 0: the kernel does not tell who it was */
	bool manager; /* it was the service manager that has started us */
	bool has_login;
	uid_t login;                   /* of REQUESTER_CONTROL: who had logged in */
	struct control_client *client; /* who waits for the answer; NULL: nobody */
};

/* The peer of a control socket. */
struct requester requester_peer(int fd, struct control_client *client);

/* The sender of a signal. */
struct requester requester_sender(const struct signalfd_siginfo *si);

/* {how, uid, pid, abort, manager, login}: what is not known is null. */
json_t *requester_json(const struct requester *a);

/* Of an array of them, for who reads shared memory: "systemd, uid 0 (login uid 1000)", each
 * once;
 * "": nobody.  malloc'd. */
char *requester_text(const json_t *by);

/* And back, without the client; what is missing (a record of a version that did not know
 * of askers) is unknown. */
struct requester requester_read(const json_t *j);

#endif
