#include "service/http/client.h"

#include <string.h>
#include <strings.h>

#include "service/head/head.h"
#include "service/head/request.h"

/* The nearest hops, the nearest one last. */
struct hops {
	struct request_text hop[CLIENT_HOPS_MAX];
	size_t n; /* that there were */
};

/* Does each quotation have its end?  An unended one is somebody's who would have what others
 * put behind it read as his own words. */
static bool
ends_its_quotes(struct request_text list)
{
	bool quoted = false;

	for (size_t n = 0; n < list.n; n++) {
		if (list.p[n] == '"')
			quoted = !quoted;
		else if (quoted && list.p[n] == '\\')
			n++;
	}
	return !quoted;
}

/* The next part of a list, without the blanks around it.  quotes: what is quoted is not
 * searched for the end of a part (RFC 9110, 5.6.4). */
static bool
next_part(struct request_text *list, char separator, bool quotes, struct request_text *part)
{
	bool quoted = false;
	size_t n = 0;

	if (list->p == NULL)
		return false;
	for (; n < list->n && (quoted || list->p[n] != separator); n++) {
		if (quotes && list->p[n] == '"')
			quoted = !quoted;
		else if (quoted && list->p[n] == '\\')
			n++;
	}
	n = n < list->n ? n : list->n;
	*part = head_trim((struct request_text){list->p, n});
	*list = n < list->n ? (struct request_text){list->p + n + 1, list->n - n - 1}
	                    : (struct request_text){NULL, 0};
	return true;
}

static void
add(struct hops *h, struct request_text list, bool quotes)
{
	struct request_text member;

	while (next_part(&list, ',', quotes, &member))
		if (member.n > 0)
			h->hop[h->n++ % CLIENT_HOPS_MAX] = member;
}

static bool
gather(const char *head, size_t len, const char *name, bool quotes, struct hops *h)
{
	struct head_walk walk;
	struct head_line line;

	h->n = 0;
	head_begin(&walk, head, len);
	while (head_next(&walk, &line))
		if (head_is(&line.name, name))
			add(h, line.value, quotes && ends_its_quotes(line.value));
	return h->n > 0;
}

/* for="[::1]:80";proto=http (RFC 7239, 4); an element without it names nobody. */
static struct request_text
forwarded_for(struct request_text element)
{
	struct request_text pair;

	while (next_part(&element, ';', ends_its_quotes(element), &pair)) {
		if (pair.n > 4 && strncasecmp(pair.p, "for=", 4) == 0) {
			pair = (struct request_text){pair.p + 4, pair.n - 4};
			if (pair.n >= 2 && *pair.p == '"' && pair.p[pair.n - 1] == '"')
				pair = (struct request_text){pair.p + 1, pair.n - 2};
			return pair;
		}
	}
	return (struct request_text){NULL, 0};
}

bool
client_address(const char *head, size_t len, const struct nets *trusted, struct net_addr *addr)
{
	struct hops h;
	bool x = gather(head, len, "X-Forwarded-For", false, &h), found = false;
	size_t kept;

	if (!x && !gather(head, len, "Forwarded", true, &h))
		return false;
	kept = h.n < CLIENT_HOPS_MAX ? h.n : CLIENT_HOPS_MAX;
	for (size_t i = 1; i <= kept; i++) {
		struct request_text hop = h.hop[(h.n - i) % CLIENT_HOPS_MAX];
		struct net_addr next;

		if (!x)
			hop = forwarded_for(hop);
		if (!net_addr_read(hop.p, hop.n, &next))
			return found;
		*addr = next;
		found = true;
		if (!nets_have(trusted, &next))
			return true;
	}
	return found;
}
