#include "service/module/handoff.h"

#include <string.h>

#include "baton.h"
#include "service/module/outbox.h"
#include "service/module/streamed.h"
#include "wire/handoff.h"
#include "worker/conn/conn.h"

#define BLOB_ROOM 4096 /* of a record, for all but unread, unsent and the module's blob */

/* Travels in front of the module's blob. */
struct envelope {
	char module[32];
	uint32_t version;
	uint32_t ended;
	uint32_t finishing;
	uint32_t wants;
};

#define ENVELOPE_VERSION 1

/* All that is unsent, in one piece; false: too much for a record. */
static bool
copy_unsent(struct baton_conn *bc, struct handoff_record *r, size_t room)
{
	static char all[HANDOFF_RECORD_MAX];

	if (bc->unsent > room)
		return false;
	outbox_copy(bc, all);
	r->unsent = (struct handoff_bytes){all, bc->unsent};
	return true;
}

static bool
freeze_module(struct baton_conn *bc, struct baton_blob *blob)
{
	struct origin before = stream_enter(bc);
	bool frozen = stream_module(bc)->freeze(bc, blob);

	origin_leave(before);
	return frozen;
}

bool
module_freeze(struct conn *c, struct handoff_record *r)
{
	static char blob[HANDOFF_RECORD_MAX];
	struct baton_conn *bc = c->data;
	struct baton_blob b = {0};
	struct envelope e = {0};
	struct iovec unread = unsent_rest(&bc->unread);
	size_t taken = unread.iov_len + r->tls_in.n + r->tls_plain.n + r->tls_out.n;
	size_t room =
	    taken < HANDOFF_RECORD_MAX - BLOB_ROOM ? HANDOFF_RECORD_MAX - BLOB_ROOM - taken : 0;

	if (atomic_load(&bc->holds) > 1 || bc->broken || !freeze_module(bc, &b))
		return false;
	if (room < sizeof e || b.n > room - sizeof e)
		return false;
	strncpy(e.module, stream_module(bc)->name, sizeof e.module - 1);
	e.version = b.version;
	e.ended = bc->input != INPUT_OPEN;
	e.finishing = bc->finishing;
	e.wants = bc->wants;
	memcpy(blob, &e, sizeof e);
	if (b.n > 0)
		memcpy(blob + sizeof e, b.bytes, b.n);
	r->blob = (struct handoff_bytes){blob, sizeof e + b.n};
	r->blob_version = ENVELOPE_VERSION;
	r->unread = (struct handoff_bytes){unread.iov_base, unread.iov_len};
	return copy_unsent(bc, r, room - sizeof e - b.n);
}

static const char *
thaw_module(struct baton_conn *bc, const struct envelope *e, const struct handoff_record *r)
{
	struct baton_blob b = {
	    .version = e->version, .bytes = r->blob.p + sizeof *e, .n = r->blob.n - sizeof *e};

	struct origin before = stream_enter(bc);
	int status = stream_module(bc)->thaw(bc, &b);

	origin_leave(before);
	if (status != 0)
		return "its module cannot go on from its state";
	bc->opened = true;
	return NULL;
}

const char *
module_thaw(struct conn *c, struct handoff_record *r)
{
	struct baton_conn *bc = stream_new_conn(c);
	struct envelope e;

	if (r->blob_version != ENVELOPE_VERSION || r->blob.n < sizeof e)
		return "its state is not one of a module";
	memcpy(&e, r->blob.p, sizeof e);
	if (strncmp(e.module, stream_module(bc)->name, sizeof e.module) != 0)
		return "it belongs to another module";
	if (r->unread.n > (size_t)c->service->conf->max_unread)
		return "more of it is unread than max_unread allows here";
	unsent_add(&bc->unread, r->unread.p, r->unread.n);
	bc->again = true;
	bc->input = e.ended != 0 ? INPUT_ENDED : INPUT_OPEN;
	bc->finishing = e.finishing != 0;
	bc->wants = e.wants != 0;
	timelist_join(r->unsent.n > 0 ? bc->stream->send : bc->stream->idle, &c->timed);
	if (r->unsent.n > 0)
		outbox_put(bc, r->unsent.p, r->unsent.n);
	return thaw_module(bc, &e, r);
}
