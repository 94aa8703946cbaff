/*
 * control: what master and batonctl share of the control socket.
 *
 * Where it is: one list of default places, so that neither needs a file to
 * agree with the other.  And how one talks there, a SOCK_STREAM unix socket:
 *
 *   batonctl sends one JSON object on one line,
 *     {"verb":"reload","args":["..."],"wait":true,"now":false,"version":1}
 *   the master answers with lines: any number of
 *     {"progress":{"text":"generation 3: 2 of 4 workers ready","percent":40}}
 *   and exactly one last
 *     {"exit":0,"text":"one human sentence","data":{...} or null}
 *   and closes.
 *
 * The connection lives on when the master executes another binary meanwhile.
 * End of file before the last line means that nobody knows what became of the
 * request.  Unknown fields are ignored on both sides.
 */
#ifndef BATON_WIRE_CONTROL_H
#define BATON_WIRE_CONTROL_H

#include <stdbool.h>

#define CONTROL_VERSION     1
#define CONTROL_REQUEST_MAX 65536 /* bytes of a request; an answer may be of any length */
#define CONTROL_PATH_MAX    107   /* what sockaddr_un takes, without the final NUL */

/* "exit" of the last line, and the exit status of batonctl. */
enum control_exit {
	CONTROL_DONE = 0,
	CONTROL_FAILED = 1,   /* refused or failed, nothing changed */
	CONTROL_USAGE = 2,    /* no such verb, or not with these arguments */
	CONTROL_NO_BATON = 3, /* nobody answers there; said by batonctl only */
	CONTROL_CUT = 4,      /* done, but connections had to be cut */
};

/*
 * The default places for this process, best first, ended by NULL.  A master
 * takes the first; batonctl tries them all, because the two may have been
 * started with different environments.  Never empty.
 */
char **control_path_candidates(void);

/* Free the list and make *paths NULL. */
void control_path_candidates_free(char ***paths);

/* Where a master binds when its file says nothing. */
char *control_path_default(void);

/*
 * Make the directory that path stands in when it is missing: open to all below
 * /run for root (the socket itself is 0600), else private.  Refuses a
 * /tmp/baton-UID that somebody else could have put there or can write to.
 * 0, and *made (unless NULL) tells whether it was not there; or -1 with a sentence in *cause.
 */
int control_make_directory(const char *path, bool *made, char **cause);

/* The reverse, while nothing is in it. */
void control_remove_directory(const char *path);

#endif
