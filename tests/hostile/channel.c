/* Messages: to the master, and to other workers. */
#include "hostile.h"

#include <sys/socket.h>
#include <sys/syscall.h>

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "wire/handoff.h"
#include "wire/msg.h"
#include "wire/stats.h"

#define LINGERING_MAX 8
#define BURST         64

static uint64_t
own_birth(void)
{
	static uint64_t birth; /* before it lies about it */

	if (birth == 0 && own_page() != NULL)
		birth = own_page()->birth;
	return birth;
}

static void
wait_for_room(int fd)
{
	struct pollfd p = {.fd = fd, .events = POLLOUT};

	poll(&p, 1, 5);
}

/* The same again and again, as fast as it is taken. */
static void
flood(unsigned type, const void *body, size_t len)
{
	while (time_left())
		if (!send_message(channel, type, own_birth(), body, len, NULL, 0))
			wait_for_room(channel);
}

static void
ready(void)
{
	flood(MSG_READY, NULL, 0);
}

static void
leaving(void)
{
	flood(MSG_LEAVING, NULL, 0);
}

static void
swept(void)
{
	flood(MSG_SWEPT, NULL, 0);
}

static void
lacks(void)
{
	flood(MSG_NO_FDS, NULL, 0);
}

static void
failed(void)
{
	static char text[MSG_TEXT_MAX];

	memset(text, '\xfe', sizeof text);
	flood(MSG_FAILED, text, sizeof text);
}

/* Asks for everything and takes nothing: what the master has to say piles up there. */
static void
deaf(void)
{
	static const unsigned types[] = {MSG_NO_FDS, MSG_LEAVING, MSG_READY, MSG_NO_FDS};

	for (unsigned i = 0; time_left(); i++)
		if (!send_message(channel, types[i % 4], own_birth(), NULL, 0, NULL, 0))
			wait_for_room(channel);
}

/* The same, with a window so small that nearly nothing fits. */
static void
deaf_and_small(void)
{
	int one = 1;

	setsockopt(channel, SOL_SOCKET, SO_RCVBUF, &one, sizeof one);
	setsockopt(channel, SOL_SOCKET, SO_SNDBUF, &one, sizeof one);
	deaf();
}

/* --- lists --- */

/* The token of the list that is asked for now, if one is. */
static uint64_t
asked_for(void)
{
	static char bytes[65536];
	struct msg_head head;
	struct msg_list list = {0};
	ssize_t n = recv(channel, bytes, sizeof bytes, MSG_PEEK | MSG_DONTWAIT);

	if (n < (ssize_t)(sizeof head + sizeof list.token))
		return 0;
	memcpy(&head, bytes, sizeof head);
	memcpy(&list, bytes + sizeof head, sizeof list.token);
	return head.type == MSG_LIST ? list.token : 0;
}

static void
fill_conn(struct msg_conn *c, uint64_t token)
{
	memset(c, (int)(random64() % 256), sizeof *c);
	c->token = token;
	c->listener = random64() % 2 ? UINT32_MAX : 0;
}

/* Whatever is not the answer to its question is read by the worker later. */
static void
lists(void)
{
	uint64_t token = 0, asked;

	while (time_left()) {
		struct msg_task task;
		struct msg_conn conn;
		struct msg_list_end end = {.left_off = UINT64_MAX};
		bool sent;

		if ((asked = asked_for()) != 0)
			token = asked;
		else
			recv(channel, &conn, sizeof conn, MSG_DONTWAIT);
		fill_conn(&conn, token != 0 ? token : random64());
		memset(&task, '\xff', sizeof task);
		task.token = conn.token;
		end.token = random64();
		sent =
		    send_message(channel, MSG_CONN, own_birth(), &conn, sizeof conn, NULL, 0);
		sent &=
		    send_message(channel, MSG_TASK, own_birth(), &task, sizeof task, NULL, 0);
		sent &=
		    send_message(channel, MSG_LIST_END, own_birth(), &end, sizeof end, NULL, 0);
		if (!sent)
			wait_for_room(channel);
	}
}

/* --- what nobody says --- */

static char big[MSG_BODY_MAX];

static unsigned
any_type(void)
{
	static const unsigned types[] = {
	    0,           MSG_SOCKETS,    MSG_ACCEPT,   MSG_DRAIN,   MSG_CUT,        MSG_LOG,
	    MSG_PEER,    MSG_SUCCESSORS, MSG_READY,    MSG_FAILED,  MSG_LEAVING,    MSG_SWEPT,
	    MSG_CONN,    MSG_TASK,       MSG_LIST_END, MSG_NO_FDS,  MSG_NO_FDS + 1, MSG_HELLO,
	    MSG_PREPARE, MSG_ACK,        MSG_NACK,     MSG_RELEASE, MSG_CANCEL,     65535};

	return types[random64() % (sizeof types / sizeof *types)];
}

static void
malformed(void)
{
	while (time_left()) {
		size_t n = random64() % 64;

		for (size_t i = 0; i < sizeof big && i < n; i++)
			big[i] = (char)random64();
		if (!send_message(channel, any_type(),
		                  random64() % 3 ? own_birth() : random64(), big, n, NULL, 0))
			wait_for_room(channel);
		send(channel, big, n, MSG_DONTWAIT | MSG_NOSIGNAL); /* without a head */
		send(channel, "", 0, MSG_DONTWAIT | MSG_NOSIGNAL);  /* as if it were the end */
	}
}

static void
orders(void)
{
	flood(MSG_CUT, NULL, 0);
}

static void
large(void)
{
	memset(big, 'x', sizeof big);
	while (time_left())
		if (!send_message(channel, any_type(), own_birth(), big, sizeof big, NULL, 0))
			wait_for_room(channel);
}

/* In the name of others. */
static void
births(void)
{
	for (uint64_t birth = 0; time_left(); birth++)
		if (!send_message(channel, birth % 2 ? MSG_LEAVING : MSG_FAILED, birth % 64,
		                  "x", birth % 2 ? 0 : 1, NULL, 0))
			wait_for_room(channel);
}

/* --- descriptors --- */

static void
flood_with(const int *fds, size_t n)
{
	while (time_left())
		if (!send_message(channel, any_type(), own_birth(), big, random64() % 32, fds,
		                  n))
			wait_for_room(channel);
}

/* As many as a message takes: ends of pipes, whose own descriptors are few. */
static void
descriptors(void)
{
	int fds[253], end[2];

	if (pipe(end) < 0)
		return;
	for (size_t i = 0; i < 253; i++)
		fds[i] = end[i % 2];
	flood_with(fds, 253);
	close(end[0]);
	close(end[1]);
}

static size_t
all_lingering(int *fds)
{
	size_t n = 0;

	while (n < LINGERING_MAX && (fds[n] = lingering((int)n)) >= 0)
		n++;
	if (n == 0)
		note("no connection to send");
	return n;
}

/* There is something to read before it, so that we are rid of our copies in time: who closes
 * the last one waits. */
static void
keep_busy(int fd)
{
	for (int i = 0; i < 180; i++)
		send_message(fd, 65535, own_birth(), NULL, 0, NULL, 0);
}

/* The master is told to close what cannot be closed in time; it has a copy, or the only one. */
static void
send_lingering(bool keep, const unsigned *types, size_t ntypes)
{
	int fds[LINGERING_MAX];
	size_t n = all_lingering(fds);

	if (!keep)
		keep_busy(channel);
	for (size_t i = 0; i < n; i++)
		send_message(channel, types[i % ntypes], own_birth(), big, 8, &fds[i], 1);
	for (size_t i = 0; i < n && !keep; i++)
		close(fds[i]);
	while (time_left())
		usleep(1000);
}

static const unsigned linger_types[] = {MSG_READY, MSG_NO_FDS, MSG_CONN, MSG_PREPARE, 65535};

static void
linger(void)
{
	send_lingering(false, linger_types, 5);
}

static void
linger_kept(void)
{
	send_lingering(true, linger_types, 5);
}

/* What is in the queue when it ends is closed by who reads, or frees the queue. */
static void
linger_and_die(void)
{
	int fds[LINGERING_MAX];
	size_t n = all_lingering(fds);

	keep_busy(channel);
	for (int i = 0; i < 64 && n > 0; i++)
		send_message(channel, any_type(), own_birth(), big, 8, fds, n);
	_exit(0);
}

/* A socket in whose queue there is another one: with the outer the inner is closed. */
static void
linger_nested(void)
{
	int fds[LINGERING_MAX], end[2];
	size_t n = all_lingering(fds);

	if (socketpair(AF_UNIX, SOCK_SEQPACKET, 0, end) < 0) {
		note("no pair of sockets");
		return;
	}
	send_message(end[0], 0, 0, big, 8, fds, n);
	for (size_t i = 0; i < n; i++)
		close(fds[i]);
	keep_busy(channel);
	send_message(channel, MSG_READY, own_birth(), NULL, 0, &end[1], 1);
	close(end[0]);
	close(end[1]);
	while (time_left())
		usleep(1000);
}

/* --- the channel itself --- */

static void
shut_down(void)
{
	shutdown(channel, SHUT_RDWR);
	while (time_left())
		usleep(1000);
}

static void
shut_one_way(void)
{
	shutdown(channel, (int)(random64() % 2 ? SHUT_WR : SHUT_RD));
	while (time_left())
		usleep(1000);
}

static void
closed(void)
{
	int null = dup(0);

	dup2(null, channel);
	while (time_left())
		usleep(1000);
}

/* --- to other workers, in each turn in which there is a way --- */

static size_t
good_record(char *to, size_t size, const char *listener)
{
	struct handoff_record r = {.service = {"echo", 4},
	                           .listener = {listener, strlen(listener)},
	                           .state = 1,
	                           .left_ms = HANDOFF_NO_LIMIT,
	                           .nfd = 1};
	uint64_t id = random64();
	size_t n;

	memcpy(to, &id, sizeof id);
	n = handoff_encode(&r, HANDOFF_VERSION, to + sizeof id, size - sizeof id);
	return n > 0 ? n + sizeof id : 0;
}

static uint64_t
peer_birth(void)
{
	return random64() % 4 ? own_birth() : random64() % 64;
}

static void
pair_garbage(int fd)
{
	char body[256];
	int fds[8], end[2] = {-1, -1};

	if (pipe(end) < 0)
		return;
	for (size_t i = 0; i < 8; i++)
		fds[i] = end[i % 2];
	for (int i = 0; i < BURST; i++) {
		size_t n = good_record(body, sizeof body, i % 2 ? "echo" : "nothing");

		for (unsigned k = 0; k < random64() % 4; k++)
			body[8 + random64() % (sizeof body - 8)] = (char)random64();
		send_message(fd, MSG_PREPARE, peer_birth(), body, i % 8 ? n : random64() % 256,
		             fds, random64() % 9);
	}
	close(end[0]);
	close(end[1]);
}

static void
pair_answers(int fd)
{
	static const unsigned types[] = {MSG_ACK, MSG_NACK, MSG_RELEASE, MSG_CANCEL, MSG_HELLO};
	uint64_t ids[16];

	for (int i = 0; i < BURST; i++) {
		for (size_t k = 0; k < 16; k++)
			ids[k] = random64() % 3 ? random64() % 64 : random64();
		send_message(fd, types[random64() % 5], peer_birth(), ids,
		             8 * (1 + random64() % 16), NULL, 0);
	}
}

static void
pair_orders(int fd)
{
	for (int i = 0; i < BURST; i++)
		send_message(fd, any_type(), peer_birth(), big, random64() % 64, NULL, 0);
}

/* A record that is refused, or taken, with a socket that cannot be closed. */
static void
pair_linger(int fd)
{
	char body[256];

	for (int i = 0, sock; i < LINGERING_MAX && (sock = lingering(0)) >= 0; i++) {
		size_t n = good_record(body, sizeof body, i % 2 ? "echo" : "nothing");

		keep_busy(fd);
		if (i % 3)
			send_message(fd, MSG_PREPARE, own_birth(), body, n, &sock, 1);
		else
			send_message(fd, MSG_ACK, own_birth(), body, 8, &sock, 1);
		close(sock);
	}
}

/* Said hello, and nothing else: what comes is never read. */
static void
pair_deaf(int fd)
{
	char bytes[1];
	struct msg_hello hello = {HANDOFF_VERSION_OLDEST, HANDOFF_VERSION};

	send_message(fd, MSG_HELLO, own_birth(), &hello, sizeof hello, NULL, 0);
	recv(fd, bytes, 0, MSG_PEEK | MSG_DONTWAIT);
	beat();
	usleep(2000);
}

static void
pair_hello(int fd)
{
	for (int i = 0; i < BURST; i++) {
		struct msg_hello hello = {(uint32_t)random64(), (uint32_t)random64()};

		send_message(fd, MSG_HELLO, own_birth(), &hello, sizeof hello, NULL, 0);
	}
}

static void
pair_shutdown(int fd)
{
	shutdown(fd, SHUT_RDWR);
}

/* The loop gets no turn, and what comes is left; else the worker would answer itself. */
static void
at_pairs(void (*attack)(int), bool alone)
{
	uint64_t end = now_ms() + (alone ? board->ms : 0);

	do {
		for (int fd = 3; fd < 256; fd++)
			if (fd_is_pair(fd)) {
				board->rounds++;
				attack(fd);
			}
		beat();
		if (alone)
			usleep(1000);
	} while (now_ms() < end);
}

#define PAIR(what)                                                                             \
	static void at_##what(void)                                                            \
	{                                                                                      \
		at_pairs(pair_##what, false);                                                  \
	}
PAIR(garbage)
PAIR(answers)
PAIR(orders)
PAIR(linger)
PAIR(hello)
PAIR(shutdown)

/* As soon as there is a way, for the rest of the time. */
static void
at_deaf(void)
{
	bool any = false;

	for (int fd = 3; fd < 256 && !any; fd++)
		any = fd_is_pair(fd);
	if (any)
		at_pairs(pair_deaf, true);
}

const struct payload payloads_channel[] = {{"chan-ready", ready, NULL},
                                           {"chan-leaving", leaving, NULL},
                                           {"chan-swept", swept, NULL},
                                           {"chan-lacks", lacks, NULL},
                                           {"chan-failed", failed, NULL},
                                           {"chan-deaf", deaf, NULL},
                                           {"chan-small", deaf_and_small, NULL},
                                           {"chan-lists", lists, NULL},
                                           {"chan-malformed", malformed, NULL},
                                           {"chan-orders", orders, NULL},
                                           {"chan-large", large, NULL},
                                           {"chan-births", births, NULL},
                                           {"chan-fds", descriptors, NULL},
                                           {"chan-linger", linger, NULL},
                                           {"chan-linger-kept", linger_kept, NULL},
                                           {"chan-linger-die", linger_and_die, NULL},
                                           {"chan-linger-nested", linger_nested, NULL},
                                           {"chan-shutdown", shut_down, NULL},
                                           {"chan-half", shut_one_way, NULL},
                                           {"chan-closed", closed, NULL},
                                           {"pair-garbage", NULL, at_garbage},
                                           {"pair-answers", NULL, at_answers},
                                           {"pair-orders", NULL, at_orders},
                                           {"pair-linger", NULL, at_linger},
                                           {"pair-hello", NULL, at_hello},
                                           {"pair-deaf", NULL, at_deaf},
                                           {"pair-shutdown", NULL, at_shutdown},
                                           {NULL, NULL, NULL}};
