/*
 * certificates: what a generation's workers have read in the [tls] sections, as they tell it:
 * the master reads no certificate itself.  It is told to operators, and believed for nothing
 * else.
 */
#ifndef BATON_MASTER_WORKERS_CERTIFICATES_H
#define BATON_MASTER_WORKERS_CERTIFICATES_H

#include <jansson.h>

#include <stdbool.h>

struct generation;
struct msg;

/* MSG_CERTIFICATE.  False: there is no such in its configuration, and nothing is changed. */
bool certificates_heard(struct generation *g, const struct msg *m);

/* Of the active generation, in the order of the file: "tls", "file", "names", "not_after"
 * (seconds since the epoch) and "days_left", which may be below 0. */
json_t *certificates_json(void);

/* Add a sentence for each that ends soon, has ended, or is not valid yet. */
void certificates_warn(json_t *list);

#endif
