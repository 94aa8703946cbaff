#include "service/proxy/source.h"

#include <sys/queue.h>
#include <sys/random.h>

#include <netinet/in.h>

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/mem.h"

#define BUCKETS 4096

struct source {
	SLIST_ENTRY(source) link;
	struct source_key key;
	uint64_t n;
};

struct sources {
	uint64_t factor; /* odd, and secret: nobody shall choose addresses of one bucket */
	SLIST_HEAD(, source) bucket[BUCKETS];
};

struct source_key
source_key_of(const struct sockaddr_storage *sa)
{
	const struct in6_addr *six = &((const struct sockaddr_in6 *)sa)->sin6_addr;
	struct source_key key = {.family = sa->ss_family};

	if (sa->ss_family == AF_INET) {
		memcpy(&key.address, &((const struct sockaddr_in *)sa)->sin_addr, 4);
	} else if (sa->ss_family == AF_INET6 && IN6_IS_ADDR_V4MAPPED(six)) {
		key.family = AF_INET;
		memcpy(&key.address, &six->s6_addr[12], 4);
	} else if (sa->ss_family == AF_INET6) {
		memcpy(&key.address, six, 8);
	}
	return key;
}

static size_t
bucket_of(const struct sources *s, const struct source_key *key)
{
	return (size_t)(key->address * s->factor >> 52) % BUCKETS;
}

struct sources *
sources_new(void)
{
	struct sources *s = mem_alloc(sizeof *s);

	if (getrandom(&s->factor, sizeof s->factor, GRND_NONBLOCK) != sizeof s->factor)
		s->factor = UINT64_C(0x9e3779b97f4a7c15) ^ clock_us();
	s->factor |= 1;
	return s;
}

void
sources_free(struct sources **s)
{
	for (size_t i = 0; *s != NULL && i < BUCKETS; i++) {
		struct source *one;

		while ((one = SLIST_FIRST(&(*s)->bucket[i])) != NULL) {
			SLIST_REMOVE_HEAD(&(*s)->bucket[i], link);
			free(one);
		}
	}
	mem_free(s);
}

struct source *
sources_enter(struct sources *s, const struct source_key *key, uint64_t max)
{
	size_t b = bucket_of(s, key);
	struct source *one;

	SLIST_FOREACH (one, &s->bucket[b], link)
		if (one->key.address == key->address && one->key.family == key->family)
			break;
	if (one == NULL) {
		one = mem_alloc(sizeof *one);
		one->key = *key;
		SLIST_INSERT_HEAD(&s->bucket[b], one, link);
	}
	if (one->n >= max)
		return NULL;
	one->n++;
	return one;
}

void
source_leave(struct sources *s, struct source **one)
{
	struct source *it = *one;

	*one = NULL;
	if (it == NULL || --it->n > 0)
		return;
	SLIST_REMOVE(&s->bucket[bucket_of(s, &it->key)], it, source, link);
	free(it);
}

struct source_key
source_key(const struct source *one)
{
	return one != NULL ? one->key : (struct source_key){.family = AF_UNSPEC};
}
