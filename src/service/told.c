#include "service/told.h"

#include <stdio.h>
#include <string.h>

#include "baton.h"
#include "tls/suite.h"
#include "worker/conn/conn.h"
#include "worker/tls/facts.h"
#include "worker/tls/transport.h"

static void
copy(char *to, size_t size, const struct handoff_bytes *from)
{
	size_t n = from->n < size ? from->n : size - 1;

	if (n > 0)
		memcpy(to, from->p, n);
	to[n] = '\0';
}

static void
copy_facts(const struct facts *f, struct baton_tls *tls)
{
	copy(tls->name, sizeof tls->name, &f->name);
	copy(tls->protocol, sizeof tls->protocol, &f->protocol);
	copy(tls->subject, sizeof tls->subject, &f->subject);
	for (size_t i = 0; i < f->fingerprint.n && i < FACTS_FINGERPRINT_MAX; i++)
		snprintf(tls->fingerprint + 2 * i, 3, "%02x",
		         (unsigned char)f->fingerprint.p[i]);
}

bool
told_tls(const struct conn *c, struct baton_tls *tls)
{
	memset(tls, 0, sizeof *tls);
	if (c == NULL || c->tls == NULL)
		return false;
	snprintf(tls->version, sizeof tls->version, "%s",
	         tls_version_name(transport_suite(c->tls)->version));
	snprintf(tls->suite, sizeof tls->suite, "%s", transport_suite(c->tls)->name);
	if (transport_facts(c->tls) != NULL)
		copy_facts(transport_facts(c->tls), tls);
	return true;
}
