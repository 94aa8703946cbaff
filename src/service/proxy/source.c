#include "service/proxy/source.h"

#include <sys/queue.h>

#include <netinet/in.h>

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

#define BUCKETS 4096

struct source {
	SLIST_ENTRY(source) link;
	uint64_t key;
	int family;
	uint64_t n;
};

struct sources {
	SLIST_HEAD(, source) bucket[BUCKETS];
};

static uint64_t
key_of(const struct sockaddr_storage *sa)
{
	uint64_t key = 0;

	if (sa->ss_family == AF_INET)
		memcpy(&key, &((const struct sockaddr_in *)sa)->sin_addr, 4);
	else if (sa->ss_family == AF_INET6)
		memcpy(&key, &((const struct sockaddr_in6 *)sa)->sin6_addr, 8);
	return key;
}

static size_t
bucket_of(uint64_t key)
{
	return (size_t)(key * UINT64_C(0x9e3779b97f4a7c15) >> 52) % BUCKETS;
}

struct sources *
sources_new(void)
{
	return mem_alloc(sizeof(struct sources));
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
sources_enter(struct sources *s, const struct sockaddr_storage *sa, uint64_t max)
{
	uint64_t key = key_of(sa);
	size_t b = bucket_of(key);
	struct source *one;

	SLIST_FOREACH (one, &s->bucket[b], link)
		if (one->key == key && one->family == sa->ss_family)
			break;
	if (one == NULL) {
		one = mem_alloc(sizeof *one);
		one->key = key;
		one->family = sa->ss_family;
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
	SLIST_REMOVE(&s->bucket[bucket_of(it->key)], it, source, link);
	free(it);
}
