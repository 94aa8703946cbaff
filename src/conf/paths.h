/*
 * paths: what two keys cannot both have for themselves.
 *
 * A socket, a pid file and a log each take their path; the second one of two that are given
 * one path would take it from the first, or find it taken.  That is an error of the file.
 * Looks at no directory: of links it knows nothing.
 */
#ifndef BATON_CONF_PATHS_H
#define BATON_CONF_PATHS_H

struct conf;
struct conf_errors;

void paths_check(const struct conf *conf, struct conf_errors *errors);

#endif
