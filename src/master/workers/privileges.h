/*
 * privileges: whom the workers of a configuration run as.
 */
#ifndef BATON_MASTER_WORKERS_PRIVILEGES_H
#define BATON_MASTER_WORKERS_PRIVILEGES_H

struct conf;
struct conf_errors;
struct heritage;

/*
 * Fill drop, uid and gid of the heritage.  Workers stay what the master is; a
 * master run by root makes them `nobody` unless `user` says otherwise.  0, or
 * -1 with *cause: no such user, or no right to become it.
 */
int privileges_of(const struct conf *conf, struct heritage *h, char **cause);

/* Add all that is wrong with user and group; also of a tree that has errors of its own. */
void privileges_look(const struct conf *conf, struct conf_errors *errors);

#endif
