/*
 * build: from the lines of a file to the tree, by the table of keys.
 *
 * An error does not end the work: all errors of a file are told at once.  So
 * that one slip is told once, what was probably meant is assumed to stand
 * there: a misspelled section is read as the nearest one, and a misspelled key
 * counts as present.  After errors the tree is fit for check and conf_free,
 * and for nothing else.
 */
#ifndef BATON_CONF_BUILD_H
#define BATON_CONF_BUILD_H

struct conf;
struct conf_errors;

/* Fill conf, which holds only its text, and give every key that the file does
 * not set its default. */
void build_tree(struct conf *conf, struct conf_errors *errors);

#endif
