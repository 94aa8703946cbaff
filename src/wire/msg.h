/*
 * msg: the messages between master and worker, and between two workers, and the
 * one door at which they are checked.  Pure.
 *
 * A message is a head and a body of known shape.  msg_check accepts only what
 * is whole, of a known type, of a length that the type allows and with the
 * number of descriptors that it needs; behind it code is straight.  Orders are
 * idempotent: a master that is not sure (after an upgrade) says them again.
 */
#ifndef BATON_WIRE_MSG_H
#define BATON_WIRE_MSG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define MSG_VERSION  1
#define MSG_BODY_MAX (160u * 1024)
#define MSG_FDS_MAX  252 /* the kernel takes 253 */
#define MSG_TEXT_MAX 1024

/* Numbers never change: a worker may be older or newer than its master. */
enum msg_type {
	/* master to worker */
	MSG_SOCKETS = 1, /* struct msg_socket[n] and n listening sockets */
	MSG_ACCEPT,      /* uint32_t id[n]: accept on these, close all others */
	MSG_LAME,        /* uint32_t: 1 a stop is announced, 0 called off */
	MSG_DRAIN,       /* struct msg_drain */
	MSG_RESUME,      /* the drain is called off */
	MSG_CUT,         /* close everything now and leave */
	MSG_LOG,         /* one descriptor: log there from now on; uint32_t: log_form() */
	MSG_LIST,        /* struct msg_list: tell what you hold */
	MSG_PEER,        /* struct msg_peer and its end of a channel to another worker */
	MSG_SUCCESSORS,  /* uint64_t birth[n]: hand connections to these, to no others */
	MSG_ACCESS,      /* uint32_t listener[n] and n files: their access logs from now on */
	MSG_TICKETS,     /* struct msg_ticket[n]: the first seals, all open */
	/* worker to master */
	MSG_READY = 64, /* start-up is done */
	MSG_FAILED,     /* text: start-up has failed */
	MSG_LEAVING,    /* asked to leave by a signal: wants a successor */
	MSG_SWEPT,      /* the queues of all listening sockets were empty; closed */
	MSG_CONN,       /* struct msg_conn: one line of a list */
	MSG_LIST_END,   /* struct msg_list_end */
	MSG_TASK,       /* struct msg_task: one line of a list */
	MSG_NO_FDS, /* had no room for descriptors: say again what I accept on, and my ways */
	MSG_CERTIFICATE, /* struct msg_certificate: one that I have read */
	/* worker to worker: a hand-off (wire/handoff.h) */
	MSG_HELLO = 128, /* struct msg_hello, taker to giver: what it reads */
	MSG_PREPARE,     /* uint64_t id, a record, and its descriptors */
	MSG_ACK,         /* uint64_t id[n] */
	MSG_NACK,        /* struct msg_nack */
	MSG_RELEASE,     /* uint64_t id[n]: yours */
	MSG_CANCEL,      /* uint64_t id[n]: mine again */
};

struct msg_head {
	uint16_t version;
	uint16_t type;
	uint32_t length; /* of the body */
	uint64_t birth;  /* of the worker that is spoken to or speaks */
};

struct msg_socket {
	uint32_t id;       /* the master's number of this socket */
	uint32_t listener; /* into conf.listen of the worker's generation */
};

enum {
	MSG_DRAIN_SWEEP = 1,     /* accept until EAGAIN first, then close the sockets */
	MSG_DRAIN_SUCCESSOR = 2, /* another generation or slot goes on serving */
};

struct msg_drain {
	uint64_t deadline_ms; /* CLOCK_MONOTONIC; what is left then is cut */
	uint32_t cut_over_ms; /* the cuts are spread over this long */
	uint32_t flags;
};

/* The kinds of list. */
enum msg_list_what {
	MSG_LIST_HOLDERS, /* what holds a drain: connections and tasks, as msg_conn */
	MSG_LIST_CONNS,   /* connections */
	MSG_LIST_TASKS,   /* ctx, offload, background, group, pooled connections */
};

/* A worker that is older than `what` knows the token alone, and tells its holders. */
struct msg_list {
	uint64_t token;
	uint32_t what;
	uint32_t zero;
};

struct msg_list_end {
	uint64_t token;
	uint64_t left_off; /* there is more, but it was not told; missing: 0 */
};

enum {
	MSG_CONN_MOVING = 1,
	MSG_CONN_HELD = 2, /* by the one it comes from, too */
	MSG_CONN_LINGERING = 4,
	MSG_CONN_QUIET = 8, /* quiet_ms is told */
};

struct msg_conn {
	uint64_t token;
	uint64_t id;
	uint64_t age_ms;
	uint64_t state_ms;
	uint64_t bytes_in;
	uint64_t bytes_out;
	uint64_t left_ms; /* until it is cut */
	uint32_t listener;
	uint32_t requests;
	char state[8];
	char peer[64];
	char why[96]; /* why it is not done; of MSG_LIST_CONNS: what is wrong with it, or "" */
	/* from here on: missing in what an older worker says */
	uint32_t flags;
	uint32_t from_generation;
	uint64_t from_birth; /* who has handed it over; 0: it was accepted here */
	uint64_t quiet_ms;   /* since a byte came or went; not told of a unix socket */
};

#define MSG_CONN_MIN offsetof(struct msg_conn, flags)

/* These numbers never change, either. */
enum msg_task_kind {
	MSG_TASK_CTX,
	MSG_TASK_OFFLOAD,
	MSG_TASK_BACKGROUND,
	MSG_TASK_GROUP,
	MSG_TASK_LINK, /* a pooled connection */
	MSG_TASK_KINDS_N
};

struct msg_task {
	uint64_t token;
	uint64_t age_ms;
	uint64_t state_ms;
	uint64_t left_ms; /* until its deadline; UINT64_MAX: none */
	uint32_t kind;
	uint32_t zero;
	char state[64];
	char name[64];    /* "": none */
	char place[96];   /* of birth: file:line, or what it was given instead */
	char warning[96]; /* what is wrong with it, or "" */
};

struct msg_peer {
	uint64_t birth; /* of the other worker */
	uint32_t generation;
	uint32_t taker; /* 1: connections come from there; 0: they go there */
};

struct msg_certificate {
	uint32_t section;              /* into conf.tls of the worker's generation */
	uint32_t pair;                 /* of it */
	int64_t not_before, not_after; /* seconds since the epoch */
	char names[256];               /* with commas; what does not fit is left out */
};

/* A key of tickets (RFC 5077). */
struct msg_ticket {
	uint8_t name[16];
	uint8_t cipher[32];
	uint8_t mac[32];
};

#define MSG_TICKETS_MAX 2

struct msg_hello {
	uint32_t oldest; /* versions of records */
	uint32_t newest;
};

struct msg_nack {
	uint64_t id;
	uint32_t refusal; /* enum handoff_refusal */
	uint32_t zero;
};

/* Descriptors that go along; they stay the sender's. */
struct msg_fds {
	const int *fd;
	size_t n;
};

/* A message that has passed the door.  data and fd belong to the channel. */
struct msg {
	enum msg_type type;
	uint64_t birth;
	const void *data;
	size_t len;
	int *fd; /* taken by setting an element to -1; the rest is closed */
	size_t nfd;
	bool lost_fds; /* more came than this process has room for */
};

/*
 * Check len bytes with nfd descriptors and fill *m (data points into bytes).
 * Returns NULL, or the reason why it is refused: a literal.
 */
const char *msg_check(const void *bytes, size_t len, size_t nfd, struct msg *m);

/* "give", "ready"; "unknown". */
const char *msg_name(enum msg_type type);

/* "ctx", "offload"; "unknown". */
const char *msg_task_name(uint32_t kind);

#endif
