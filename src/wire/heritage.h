/*
 * heritage: everything that a worker is born with.
 *
 * Filled by the master right before the fork; nothing in it points into the
 * master's own objects.  The descriptors named here, and log's, are all that a
 * worker keeps; it closes the rest and checks.  Listening sockets are not
 * heritage: they come over the channel, when it is time to accept.
 */
#ifndef BATON_WIRE_HERITAGE_H
#define BATON_WIRE_HERITAGE_H

#include <sys/types.h>

#include <stdbool.h>
#include <stdint.h>

struct conf;
struct stats;
struct stats_page;

struct heritage {
	uint64_t birth;
	uint32_t generation;
	uint32_t slot;
	int channel;             /* the worker's end */
	int log;                 /* the end of a pipe to the log; -1: it has the log itself */
	struct stats *stats;     /* shared; its descriptor is closed in the worker */
	struct stats_page *page; /* the worker's own */
	const struct conf *conf; /* of the generation; the worker's copy by fork */
	const int *access; /* files of access logs, by index of conf.listen; -1: none, or as
	                    * one before it; NULL: no listener has one */
	const int *tls;    /* files of the [tls] sections (conf_tls_file), one section after the
	                    * other; -1: none; NULL: there are no sections */
	bool drop;         /* become uid and gid */
	uid_t uid;
	gid_t gid;
};

#endif
