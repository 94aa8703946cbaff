#include "worker/tls/facts.h"

#include <string.h>

#include "base/mem.h"

static struct handoff_bytes
put(char **at, const struct handoff_bytes *from)
{
	struct handoff_bytes copy = {*at, from->n};

	if (from->n > 0)
		memcpy(*at, from->p, from->n);
	*at += from->n;
	return copy;
}

struct facts *
facts_copy(const struct facts *f)
{
	size_t n = f->name.n + f->protocol.n + f->subject.n + f->fingerprint.n;
	struct facts *copy;
	char *at;

	if (n == 0)
		return NULL;
	copy = mem_alloc(sizeof *copy + n);
	at = (char *)(copy + 1);
	copy->name = put(&at, &f->name);
	copy->protocol = put(&at, &f->protocol);
	copy->subject = put(&at, &f->subject);
	copy->fingerprint = put(&at, &f->fingerprint);
	return copy;
}
