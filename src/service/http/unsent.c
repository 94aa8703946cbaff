#include "service/http/unsent.h"

#include <sys/socket.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

/* So much room that what is moved now is moved again only when as much has come. */
static void
make_room(struct unsent *t, size_t rest, size_t more)
{
	size_t size = t->size == 0 ? more : 2 * (rest + more);
	char *p = mem_realloc(NULL, size);

	if (rest > 0)
		memcpy(p, t->p + t->from, rest);
	free(t->p);
	*t = (struct unsent){p, 0, rest, size};
}

void
unsent_add(struct unsent *t, const void *bytes, size_t n)
{
	if (t->n + n > t->size)
		make_room(t, t->n - t->from, n);
	if (n > 0)
		memcpy(t->p + t->n, bytes, n);
	t->n += n;
}

void
unsent_keep(struct unsent *t, const struct iovec *iov, int n, size_t sent)
{
	for (int i = 0; i < n; i++) {
		size_t gone = sent < iov[i].iov_len ? sent : iov[i].iov_len;

		sent -= gone;
		if (gone < iov[i].iov_len)
			unsent_add(t, (const char *)iov[i].iov_base + gone,
			           iov[i].iov_len - gone);
	}
}

struct iovec
unsent_rest(const struct unsent *t)
{
	return (struct iovec){t->p != NULL ? t->p + t->from : NULL, t->n - t->from};
}

void
unsent_sent(struct unsent *t, size_t n)
{
	t->from += n;
	if (unsent_is_empty(t))
		unsent_clear(t);
}

bool
unsent_send(struct unsent *t, int fd)
{
	struct iovec rest = unsent_rest(t);
	ssize_t n = send(fd, rest.iov_base, rest.iov_len, MSG_DONTWAIT | MSG_NOSIGNAL);

	if (n < 0)
		return errno == EAGAIN || errno == EINTR;
	unsent_sent(t, (size_t)n);
	return true;
}

void
unsent_clear(struct unsent *t)
{
	mem_free(&t->p);
	t->from = t->n = t->size = 0;
}
