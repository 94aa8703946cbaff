/*
 * secrets: the master's part of [tls] sections.  It opens their files, which workers have no
 * right to, once for a generation, and reads none of them: a worker that is born later has what
 * the others have, whatever stands at the paths by then.
 */
#ifndef BATON_MASTER_WORKERS_SECRETS_H
#define BATON_MASTER_WORKERS_SECRETS_H

#include <jansson.h>

struct conf;
struct fdlist;

/*
 * Open what is not open yet (*files NULL): malloc'd, in the order of the sections and of
 * conf_tls_file, -1 where nothing is set; NULL where there are no sections.  0, or -1 with a
 * sentence in *cause and *files as it was.
 */
int secrets_open(const struct conf *conf, int **files, char **cause);

/* Close and free them. */
void secrets_close(const struct conf *conf, int **files);

/* For the next image; what did not come over is opened by name again. */
json_t *secrets_save(const struct conf *conf, const int *files, struct fdlist *fds);
int *secrets_restore(const struct conf *conf, const json_t *j);

#endif
