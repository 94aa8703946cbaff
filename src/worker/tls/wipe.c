#include "worker/tls/wipe.h"

#include <malloc.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/crypto.h>

#include "base/log.h"

static void *
get(size_t n, const char *file, int line)
{
	(void)file;
	(void)line;
	return n > 0 ? malloc(n) : NULL;
}

static void
put(void *p, const char *file, int line)
{
	(void)file;
	(void)line;
	if (p == NULL)
		return;
	explicit_bzero(p, malloc_usable_size(p));
	free(p);
}

static void *
resize(void *p, size_t n, const char *file, int line)
{
	size_t had = p != NULL ? malloc_usable_size(p) : 0;
	void *larger = get(n, file, line);

	if (larger == NULL && n > 0)
		return NULL; /* p stays */
	if (larger != NULL && had > 0)
		memcpy(larger, p, had < n ? had : n);
	put(p, file, line);
	return larger;
}

void
wipe_start(void)
{
	static bool done;

	if (!done && CRYPTO_set_mem_functions(get, resize, put) != 1)
		log_panic("OpenSSL was used before its memory was ours");
	done = true;
}
