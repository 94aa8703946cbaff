/*
 * chat: a room for lines of text.  The first line that a client sends is its name; what it
 * says then, everybody in the room reads, itself included.  `/who` tells who is there.
 *
 *	gcc -shared -fPIC -O2 $(pkg-config --cflags baton) -o chat.so chat.c
 *
 *	[listen:chat]
 *	address = 127.0.0.1:7001
 *	service = room
 *
 *	[service:room]
 *	type = module
 *	path = /where/it/is/chat.so
 *	topic = anything goes
 *
 * A room is what one worker holds, so `workers = 1`, or as many rooms as there are
 * workers.  To have one room over several workers, each worker would bind a datagram
 * socket at a path that its slot and birth name (baton_slot, baton_birth), watch it from
 * a background task, and send every line to all the others' paths as well; what comes in
 * there is said here only.
 *
 * Members move to the next generation one by one, within milliseconds.  So that nobody
 * misses what is said meanwhile, nobody is listened to: the old worker pauses its members
 * (what they have sent travels with them, unread), and the new one pauses them until the
 * last has come.  Each brings along how many members the room had (`room`), so that the
 * new worker knows who is missing; a member that leaves amid the move is waited for
 * in vain, for GATHER_MS.
 */
#include <baton.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define NAME_MAX_BYTES 24
#define LINE_MAX_BYTES 1024
#define GATHER_MS      1000

struct member {
	struct member *next, **prev;
	struct baton_conn *conn;
	char name[NAME_MAX_BYTES + 1]; /* "": not said yet */
};

struct room {
	struct member *first;
	unsigned n;
	unsigned moved;            /* out of this worker */
	unsigned arrived;          /* into this worker */
	unsigned expected;         /* 0: nobody is waited for */
	struct baton_timer *timer; /* ends the waiting */
	const char *topic;
};

/* What travels. */
struct state {
	char name[NAME_MAX_BYTES + 1];
	unsigned room; /* members when it left, those that left before it included */
};

static struct room *
room_of(struct baton_conn *conn)
{
	return baton_service_data(baton_conn_service(conn));
}

/* Who cannot keep up is let go: a slow reader must not hold the others' lines in memory. */
static void
say_to(struct member *m, const char *line, size_t n)
{
	if (baton_conn_write(m->conn, line, n) == BATON_FULL)
		baton_conn_close(m->conn);
}

static void
say_to_all(struct room *room, const char *line, size_t n)
{
	for (struct member *m = room->first; m != NULL; m = m->next)
		if (m->name[0] != '\0')
			say_to(m, line, n);
}

static void
announce(struct room *room, const struct member *m, const char *what)
{
	char line[NAME_MAX_BYTES + 64];
	int n = snprintf(line, sizeof line, "* %s %s\n", m->name, what);

	say_to_all(room, line, (size_t)n);
}

static struct member *
enter(struct baton_conn *conn)
{
	struct room *room = room_of(conn);
	struct member *m = calloc(1, sizeof *m);

	if (m == NULL)
		abort();
	m->conn = conn;
	m->next = room->first;
	m->prev = &room->first;
	if (m->next != NULL)
		m->next->prev = &m->next;
	room->first = m;
	room->n++;
	baton_conn_set_data(conn, m);
	return m;
}

/* --- the move --- */

static void
listen_again(void *arg)
{
	struct room *room = arg;

	room->expected = 0;
	baton_timer_clear(room->timer);
	for (struct member *m = room->first; m != NULL; m = m->next)
		baton_conn_resume(m->conn);
}

static bool
chat_freeze(struct baton_conn *conn, struct baton_blob *blob)
{
	static struct state state;
	const struct member *m = baton_conn_data(conn);
	const struct room *room = room_of(conn);

	memset(&state, 0, sizeof state);
	memcpy(state.name, m->name, sizeof state.name);
	state.room = room->moved + room->n;
	*blob = (struct baton_blob){.version = 1, .bytes = &state, .n = sizeof state};
	return true;
}

static int
chat_thaw(struct baton_conn *conn, const struct baton_blob *blob)
{
	struct room *room = room_of(conn);
	struct state state;
	struct member *m;

	if (blob->version != 1 || blob->n != sizeof state)
		return -1;
	memcpy(&state, blob->bytes, sizeof state);
	m = enter(conn);
	memcpy(m->name, state.name, sizeof m->name);
	room->arrived++;
	baton_timer_set(room->timer, GATHER_MS);
	room->expected = state.room;
	if (room->arrived >= room->expected)
		listen_again(room);
	return 0;
}

/* --- lines --- */

static void
tell_who(struct room *room, struct member *to)
{
	for (struct member *m = room->first; m != NULL; m = m->next) {
		char line[NAME_MAX_BYTES + 8];

		if (m->name[0] == '\0')
			continue;
		say_to(to, line, (size_t)snprintf(line, sizeof line, "- %s\n", m->name));
	}
}

static void
take_line(struct room *room, struct member *m, const char *line, size_t n)
{
	char out[NAME_MAX_BYTES + LINE_MAX_BYTES + 8];

	if (n > 0 && line[n - 1] == '\r')
		n--;
	if (m->name[0] == '\0') {
		snprintf(m->name, sizeof m->name, "%.*s", n > 0 ? (int)n : 6,
		         n > 0 ? line : "nobody");
		announce(room, m, "comes in");
	} else if (n == 4 && memcmp(line, "/who", 4) == 0) {
		tell_who(room, m);
	} else {
		int len = snprintf(out, sizeof out, "%s: %.*s\n", m->name,
		                   n < LINE_MAX_BYTES ? (int)n : LINE_MAX_BYTES, line);

		say_to_all(room, out, (size_t)len);
	}
}

static size_t
chat_data(struct baton_conn *conn, const char *bytes, size_t n)
{
	struct room *room = room_of(conn);
	const char *at = bytes, *end;

	if (baton_conn_leaves(conn) || room->expected > 0) {
		baton_conn_pause(conn);
		return 0;
	}
	while ((end = memchr(at, '\n', n - (size_t)(at - bytes))) != NULL) {
		take_line(room, baton_conn_data(conn), at, (size_t)(end - at));
		at = end + 1;
	}
	return (size_t)(at - bytes);
}

/* --- life --- */

static void
chat_open(struct baton_conn *conn)
{
	struct room *room = room_of(conn);
	char hello[256];
	int n = snprintf(hello, sizeof hello, "* %.200s; your name?\n", room->topic);

	enter(conn);
	baton_conn_write(conn, hello, (size_t)n);
}

/* Nobody will take it over, so it is listened to here. */
static void
chat_drain(struct baton_conn *conn)
{
	struct member *m = baton_conn_data(conn);

	baton_conn_resume(conn);
	if (!baton_stopping())
		return;
	say_to(m, "* the room closes\n", 18);
	baton_conn_finish(conn);
}

static void
chat_close(struct baton_conn *conn, bool moved)
{
	struct room *room = room_of(conn);
	struct member *m = baton_conn_data(conn);

	*m->prev = m->next;
	if (m->next != NULL)
		m->next->prev = m->prev;
	room->n--;
	if (moved && baton_draining())
		room->moved++;
	else if (moved)
		room->arrived--; /* it stays where it came from, after all */
	if (!moved && m->name[0] != '\0')
		announce(room, m, "goes");
	free(m);
}

static int
chat_start(struct baton_service *service)
{
	struct room *room = calloc(1, sizeof *room);

	if (room == NULL)
		return baton_service_fail(service, "out of memory");
	room->topic = baton_service_text(service, "topic");
	room->timer = baton_timer_new(listen_again, room);
	baton_service_set_data(service, room);
	return 0;
}

static void
chat_stop(struct baton_service *service)
{
	struct room *room = baton_service_data(service);

	baton_timer_free(&room->timer);
	free(room);
}

static const struct baton_key keys[] = {
    {.name = "topic",
     .type = BATON_KEY_TEXT,
     .dflt = "welcome",
     .help = "what newcomers are greeted with"},
    {.name = NULL},
};

const struct baton_module baton_module = {
    .abi = BATON_ABI,
    .size = sizeof(struct baton_module),
    .name = "chat",
    .keys = keys,
    .start = chat_start,
    .stop = chat_stop,
    .open = chat_open,
    .data = chat_data,
    .drain = chat_drain,
    .freeze = chat_freeze,
    .thaw = chat_thaw,
    .close = chat_close,
};
