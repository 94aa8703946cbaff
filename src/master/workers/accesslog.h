/*
 * accesslog: the master's part of access logs.  It opens their files, which workers
 * may have no right to, anew for each worker, and writes nothing to them.
 */
#ifndef BATON_MASTER_WORKERS_ACCESSLOG_H
#define BATON_MASTER_WORKERS_ACCESSLOG_H

struct conf;

/*
 * The files for a worker's heritage, by index of conf.listen: malloc'd, or NULL where no
 * listener has one.  One that cannot be opened is -1, and a sentence goes to *cause.
 */
int *accesslog_open(const struct conf *conf, char **cause);

/* Close and free them. */
void accesslog_close(const struct conf *conf, int **files);

#endif
