#include "wire/msg.h"

#include <string.h>

/* Of offers in one message: each is looked for among those that are open, of which a window has
 * 32. */
#define IDS_MAX (256u * sizeof(uint64_t))

/* One row per type: how its body must look. */
static const struct shape {
	enum msg_type type;
	const char *name;
	uint32_t min, max; /* body, bytes */
	uint32_t unit;     /* the body is a multiple of it */
	enum { NO_FD, ONE_FD, FD_PER_UNIT, ANY_FD } fds;
} shapes[] = {
    {MSG_SOCKETS, "give", sizeof(struct msg_socket), MSG_FDS_MAX * sizeof(struct msg_socket),
     sizeof(struct msg_socket), FD_PER_UNIT},
    {MSG_ACCEPT, "accept", 0, MSG_BODY_MAX, sizeof(uint32_t), NO_FD},
    {MSG_LAME, "lame", sizeof(uint32_t), sizeof(uint32_t), 1, NO_FD},
    {MSG_DRAIN, "drain", sizeof(struct msg_drain), MSG_BODY_MAX, 1, NO_FD},
    {MSG_RESUME, "resume", 0, MSG_BODY_MAX, 1, NO_FD},
    {MSG_CUT, "cut", 0, MSG_BODY_MAX, 1, NO_FD},
    {MSG_LOG, "log", 0, MSG_BODY_MAX, 1, ONE_FD},
    {MSG_LIST, "list", sizeof(uint64_t), MSG_BODY_MAX, 1, NO_FD},
    {MSG_PEER, "pair", sizeof(struct msg_peer), sizeof(struct msg_peer), 1, ONE_FD},
    {MSG_SUCCESSORS, "aim", 0, MSG_BODY_MAX, sizeof(uint64_t), NO_FD},
    {MSG_ACCESS, "access", sizeof(uint32_t), MSG_FDS_MAX * sizeof(uint32_t), sizeof(uint32_t),
     FD_PER_UNIT},
    {MSG_TICKETS, "tickets", sizeof(struct msg_ticket),
     MSG_TICKETS_MAX * sizeof(struct msg_ticket), sizeof(struct msg_ticket), NO_FD},
    {MSG_READY, "ready", 0, MSG_BODY_MAX, 1, NO_FD},
    {MSG_FAILED, "failed", 1, MSG_TEXT_MAX, 1, NO_FD},
    {MSG_LEAVING, "leaving", 0, MSG_BODY_MAX, 1, NO_FD},
    {MSG_SWEPT, "swept", 0, MSG_BODY_MAX, 1, NO_FD},
    {MSG_CONN, "conn", MSG_CONN_MIN, MSG_BODY_MAX, 1, NO_FD},
    {MSG_LIST_END, "list-end", sizeof(uint64_t), MSG_BODY_MAX, 1, NO_FD},
    {MSG_TASK, "task", sizeof(struct msg_task), MSG_BODY_MAX, 1, NO_FD},
    {MSG_NO_FDS, "lacks", 0, MSG_BODY_MAX, 1, NO_FD},
    {MSG_CERTIFICATE, "certificate", sizeof(struct msg_certificate), MSG_BODY_MAX, 1, NO_FD},
    {MSG_HELLO, "hello", sizeof(struct msg_hello), MSG_BODY_MAX, 1, NO_FD},
    {MSG_PREPARE, "prepare", sizeof(uint64_t), MSG_BODY_MAX, 1, ANY_FD},
    {MSG_ACK, "ack", sizeof(uint64_t), IDS_MAX, sizeof(uint64_t), NO_FD},
    {MSG_NACK, "nack", sizeof(struct msg_nack), MSG_BODY_MAX, 1, NO_FD},
    {MSG_RELEASE, "release", sizeof(uint64_t), IDS_MAX, sizeof(uint64_t), NO_FD},
    {MSG_CANCEL, "cancel", sizeof(uint64_t), IDS_MAX, sizeof(uint64_t), NO_FD},
};

static const struct shape *
shape_of(unsigned type)
{
	for (size_t i = 0; i < sizeof shapes / sizeof *shapes; i++)
		if (shapes[i].type == type)
			return &shapes[i];
	return NULL;
}

static bool
fds_fit(const struct shape *s, size_t len, size_t nfd)
{
	switch (s->fds) {
	case NO_FD:
		return nfd == 0;
	case ONE_FD:
		return nfd == 1;
	case FD_PER_UNIT:
		return nfd == len / s->unit;
	case ANY_FD:
		return true;
	}
	return false;
}

const char *
msg_check(const void *bytes, size_t len, size_t nfd, struct msg *m)
{
	struct msg_head head;
	const struct shape *s;

	if (len < sizeof head)
		return "shorter than a head";
	memcpy(&head, bytes, sizeof head);
	if (head.version != MSG_VERSION)
		return "of another version";
	if (head.length != len - sizeof head)
		return "not as long as it says";
	if ((s = shape_of(head.type)) == NULL)
		return "of an unknown type";
	if (head.length < s->min || head.length > s->max || head.length % s->unit != 0)
		return "of a length that its type does not have";
	if (!m->lost_fds && !fds_fit(s, head.length, nfd))
		return "with the wrong number of descriptors";
	m->type = s->type;
	m->birth = head.birth;
	m->data = (const char *)bytes + sizeof head;
	m->len = head.length;
	return NULL;
}

const char *
msg_name(enum msg_type type)
{
	const struct shape *s = shape_of(type);

	return s != NULL ? s->name : "unknown";
}

const char *
msg_task_name(uint32_t kind)
{
	static const char *const names[] = {"ctx", "offload", "background", "group", "link"};

	_Static_assert(sizeof names / sizeof *names == MSG_TASK_KINDS_N, "a name each");
	return kind < MSG_TASK_KINDS_N ? names[kind] : "unknown";
}
