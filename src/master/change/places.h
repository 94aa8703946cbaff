/*
 * places: can the master write, and listen, where the file says?  For checks, in which nothing
 * is made.
 */
#ifndef BATON_MASTER_CHANGE_PLACES_H
#define BATON_MASTER_CHANGE_PLACES_H

struct conf;
struct conf_errors;

/* With the eyes of this process: the log, access logs, the pid file and sockets with a path are
 * the master's to open, whoever its workers are. */
void places_look(const struct conf *conf, struct conf_errors *errors);

#endif
