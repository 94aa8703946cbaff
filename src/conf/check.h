/*
 * check: rules that hold between keys and sections, where each value alone is
 * good.  Pure: whether a directory or a user exists or a port is free is asked
 * elsewhere.  What a line has got wrong already is not told a second time.
 */
#ifndef BATON_CONF_CHECK_H
#define BATON_CONF_CHECK_H

struct conf;
struct conf_errors;

/* Add every broken rule, with the line to look at. */
void check_tree(const struct conf *conf, struct conf_errors *errors);

#endif
