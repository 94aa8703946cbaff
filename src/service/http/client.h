/*
 * client: who has asked, as those say who have passed a request on.  Pure.
 */
#ifndef BATON_SERVICE_HTTP_CLIENT_H
#define BATON_SERVICE_HTTP_CLIENT_H

#include <stdbool.h>
#include <stddef.h>

#include "conf/nets.h"

#define CLIENT_HOPS_MAX 32 /* that are looked at: the nearest ones */

/*
 * Of a head that was parsed, whose sender is among `trusted`: the nearest address in
 * X-Forwarded-For (else in Forwarded) that is not among them, or the farthest if all are.
 * False: it names none, or what stands there is no address.
 */
bool client_address(const char *head, size_t len, const struct nets *trusted,
                    struct net_addr *addr);

#endif
