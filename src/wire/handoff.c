#include "wire/handoff.h"

#include <stdbool.h>
#include <string.h>

#define MAGIC 0x6f746162u /* "bato" */

struct record_head {
	uint32_t magic;
	uint16_t version;
	uint16_t fields;
	uint32_t length; /* of all of it */
};

struct field_head {
	uint16_t tag;
	uint16_t zero;
	uint32_t length;
};

/* VITAL: bytes; a version that does not know them cannot have the connection. */
enum kind { NUMBER, BYTES, VITAL };

/* Tags never change.  since: the version that brought it. */
static const struct field {
	uint16_t tag;
	uint16_t since;
	enum kind kind;
	bool needed;
	uint64_t max; /* of a number, or of the length */
	size_t at;
} fields[] = {
#define AT(member) offsetof(struct handoff_record, member)
    {1, 1, BYTES, true, 64, AT(service)},
    {2, 1, BYTES, true, 256, AT(listener)},
    {3, 1, NUMBER, true, 2, AT(state)},
    {4, 1, NUMBER, true, UINT64_MAX, AT(age_ms)},
    {5, 1, NUMBER, true, UINT64_MAX, AT(state_ms)},
    {6, 1, NUMBER, true, UINT64_MAX, AT(left_ms)},
    {7, 1, NUMBER, true, UINT64_MAX, AT(bytes_in)},
    {8, 1, NUMBER, true, UINT64_MAX, AT(bytes_out)},
    {9, 1, NUMBER, true, UINT32_MAX, AT(requests)},
    {10, 1, NUMBER, true, HANDOFF_FDS_MAX, AT(nfd)},
    {11, 1, NUMBER, true, UINT32_MAX, AT(blob_version)},
    {12, 1, BYTES, false, HANDOFF_RECORD_MAX, AT(unread)},
    {13, 1, BYTES, false, HANDOFF_RECORD_MAX, AT(unsent)},
    {14, 1, BYTES, false, HANDOFF_RECORD_MAX, AT(blob)},
    {15, 2, BYTES, false, HANDOFF_NAME_MAX, AT(peer)},
    {16, 2, BYTES, false, HANDOFF_NAME_MAX, AT(client)},
    {17, 2, BYTES, false, HANDOFF_NAME_MAX, AT(upstream)},
    {18, 3, VITAL, false, HANDOFF_TLS_MAX, AT(tls)},
    {19, 3, BYTES, false, HANDOFF_RECORD_MAX, AT(tls_in)},
    {20, 3, BYTES, false, HANDOFF_RECORD_MAX, AT(tls_plain)},
    {21, 3, BYTES, false, HANDOFF_RECORD_MAX, AT(tls_out)},
    {22, 3, BYTES, false, 255, AT(tls_name)},
    {23, 3, BYTES, false, 255, AT(tls_protocol)},
    {24, 3, BYTES, false, 512, AT(tls_subject)},
    {25, 3, BYTES, false, 32, AT(tls_fingerprint)},
#undef AT
};

#define FIELDS_N (sizeof fields / sizeof *fields)

static const struct field *
find(unsigned tag)
{
	for (size_t i = 0; i < FIELDS_N; i++)
		if (fields[i].tag == tag)
			return &fields[i];
	return NULL;
}

/* --- writing --- */

struct out {
	char *p;
	size_t len, size;
	bool full;
};

static void
put(struct out *o, const void *bytes, size_t n)
{
	if (o->full || n > o->size - o->len) {
		o->full = true;
		return;
	}
	if (n > 0)
		memcpy(o->p + o->len, bytes, n);
	o->len += n;
}

static void
put_field(struct out *o, const struct field *f, const void *bytes, size_t n)
{
	struct field_head head = {.tag = f->tag, .length = (uint32_t)n};

	put(o, &head, sizeof head);
	put(o, bytes, n);
}

size_t
handoff_encode(const struct handoff_record *r, unsigned version, void *buf, size_t size)
{
	struct record_head head = {.magic = MAGIC, .version = (uint16_t)version};
	struct out o = {.p = buf, .size = size};

	put(&o, &head, sizeof head);
	for (size_t i = 0; i < FIELDS_N; i++) {
		const struct field *f = &fields[i];
		const char *member = (const char *)r + f->at;
		const struct handoff_bytes *b = (const void *)member;

		if (f->kind == VITAL && f->since > version && b->n > 0)
			return 0;
		if (f->since > version || (f->kind != NUMBER && b->n == 0 && !f->needed))
			continue;
		if (f->kind == NUMBER)
			put_field(&o, f, member, sizeof(uint64_t));
		else
			put_field(&o, f, b->p, b->n);
		head.fields++;
	}
	if (o.full)
		return 0;
	head.length = (uint32_t)o.len;
	memcpy(buf, &head, sizeof head);
	return o.len;
}

/* --- reading --- */

static const char *
take_field(const struct field *f, const char *bytes, size_t n, struct handoff_record *r)
{
	char *member = (char *)r + f->at;
	uint64_t number;

	if (f->kind != NUMBER) {
		if (n > f->max || (f->needed && n == 0))
			return "has a field of a wrong length";
		*(struct handoff_bytes *)(void *)member = (struct handoff_bytes){bytes, n};
		return NULL;
	}
	if (n != sizeof number)
		return "has a number of a wrong length";
	memcpy(&number, bytes, sizeof number);
	if (number > f->max)
		return "has a number out of range";
	memcpy(member, &number, sizeof number);
	return NULL;
}

static const char *
take_fields(const char *p, const char *end, unsigned n, unsigned version,
            struct handoff_record *r)
{
	uint64_t seen = 0;

	while (n-- > 0) {
		struct field_head head;
		const struct field *f;
		const char *fault;

		if ((size_t)(end - p) < sizeof head)
			return "ends amid a field";
		memcpy(&head, p, sizeof head);
		p += sizeof head;
		if (head.length > (size_t)(end - p))
			return "ends amid a field";
		f = find(head.tag);
		if (f == NULL || f->since > version || head.zero != 0)
			return "has a field that its version does not know";
		if (seen & (UINT64_C(1) << f->tag))
			return "has a field twice";
		seen |= UINT64_C(1) << f->tag;
		if ((fault = take_field(f, p, head.length, r)) != NULL)
			return fault;
		p += head.length;
	}
	if (p != end)
		return "goes on after its last field";
	for (size_t i = 0; i < FIELDS_N; i++)
		if (fields[i].needed && fields[i].since <= version &&
		    !(seen & (UINT64_C(1) << fields[i].tag)))
			return "lacks a field";
	return NULL;
}

const char *
handoff_decode(const void *bytes, size_t len, size_t nfd, struct handoff_record *r)
{
	struct record_head head;
	const char *fault;

	memset(r, 0, sizeof *r);
	if (len < sizeof head)
		return "is shorter than its head";
	if (len > HANDOFF_RECORD_MAX)
		return "is too long";
	memcpy(&head, bytes, sizeof head);
	if (head.magic != MAGIC)
		return "is no record of a connection";
	if (head.version < HANDOFF_VERSION_OLDEST || head.version > HANDOFF_VERSION)
		return "is of a version that this one does not read";
	if (head.length != len)
		return "is not as long as it says";
	fault = take_fields((const char *)bytes + sizeof head, (const char *)bytes + len,
	                    head.fields, head.version, r);
	if (fault != NULL)
		return fault;
	if (r->nfd == 0 || r->nfd != nfd)
		return "came with another number of descriptors";
	return NULL;
}

/* --- the transaction --- */

const char *
handoff_refusal_text(unsigned refusal)
{
	static const char *const texts[] = {
	    [0] = "refused by the next generation",
	    [HANDOFF_LATER] = "the next generation has no room for it now",
	    [HANDOFF_BAD_RECORD] = "the next generation cannot read its record",
	    [HANDOFF_NO_LISTENER] = "its listener is not in the new configuration",
	    [HANDOFF_OTHER_TYPE] = "its listener speaks another protocol now",
	    [HANDOFF_UNWANTED] = "its listener has handoff = no now",
	    [HANDOFF_SERVICE] = "the service cannot go on from where it is",
	    [HANDOFF_OTHER_TLS] = "its listener speaks TLS in another way now",
	};

	return texts[refusal < HANDOFF_REFUSALS_N ? refusal : 0];
}

static enum handoff_action
to(enum handoff_state *state, enum handoff_state next, enum handoff_action action)
{
	*state = next;
	return action;
}

static enum handoff_action
step_sent(enum handoff_state *state, enum handoff_event event)
{
	switch (event) {
	case HANDOFF_ACK:
		return to(state, HANDOFF_GONE, HANDOFF_LET_GO);
	case HANDOFF_CALL:
		return to(state, HANDOFF_CALLED, HANDOFF_WAIT);
	case HANDOFF_NEVER:
		return to(state, HANDOFF_STAYS, HANDOFF_KEEP);
	case HANDOFF_NACK:
	case HANDOFF_RECALL:
	case HANDOFF_END:
		return to(state, HANDOFF_HERE, HANDOFF_TAKE_BACK);
	default:
		return HANDOFF_IGNORE;
	}
}

/* An ACK comes too late: the CANCEL behind it has the last word. */
static enum handoff_action
step_called(enum handoff_state *state, enum handoff_event event)
{
	return event == HANDOFF_ACK || event == HANDOFF_CALL ? HANDOFF_IGNORE
	                                                     : step_sent(state, event);
}

static enum handoff_action
step_held(enum handoff_state *state, enum handoff_event event)
{
	switch (event) {
	case HANDOFF_RELEASE:
	case HANDOFF_END:
		return to(state, HANDOFF_LIVE, HANDOFF_START);
	case HANDOFF_CANCEL:
		return to(state, HANDOFF_NONE, HANDOFF_DROP);
	default:
		return HANDOFF_IGNORE;
	}
}

enum handoff_action
handoff_step(enum handoff_state *state, enum handoff_event event)
{
	switch (*state) {
	case HANDOFF_HERE:
		if (event == HANDOFF_OFFER)
			return to(state, HANDOFF_SENT, HANDOFF_WAIT);
		break;
	case HANDOFF_SENT:
		return step_sent(state, event);
	case HANDOFF_CALLED:
		return step_called(state, event);
	case HANDOFF_NONE:
		if (event == HANDOFF_ACCEPT)
			return to(state, HANDOFF_HELD, HANDOFF_COUNT);
		break;
	case HANDOFF_HELD:
		return step_held(state, event);
	case HANDOFF_STAYS:
	case HANDOFF_GONE:
	case HANDOFF_LIVE:
		break;
	}
	return HANDOFF_IGNORE;
}

bool
handoff_gives_to(uint32_t giver, uint32_t givers, uint32_t taker, uint32_t takers)
{
	if (takers > givers)
		return taker % givers == giver;
	return giver % takers == taker;
}
