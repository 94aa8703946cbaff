/*
 * host: who is asked, in the words of who asks?
 *
 * A stranger's page may have its name looked up as our address (DNS rebinding): then a
 * browser lets it read what is answered, but still says the stranger's name as Host.
 */
#ifndef BATON_SERVICE_ADMIN_HOST_H
#define BATON_SERVICE_ADMIN_HOST_H

#include <stdbool.h>

/* Is this Host, perhaps with a port, an address, localhost, or the name (NULL: none)?  So is
 * none at all: no browser leaves it out. */
bool host_is_ours(const char *host, const char *name);

#endif
