/*
 * suggest: "did you mean ...?".  Candidates are offered one by one and the
 * nearest is kept, if it is near enough that a slip of the finger explains it:
 * a wrong guess is worse than none.  Pure, and never fails.
 */
#ifndef BATON_CONF_SUGGEST_H
#define BATON_CONF_SUGGEST_H

#include <stddef.h>

struct suggest {
	const char *word;
	const char *best; /* NULL: nothing is near */
	size_t distance;  /* of best, or one more than what is still near */
};

/* Begin the search for what was meant by word. */
struct suggest suggest_for(const char *word);

/* Look at one candidate; of equally near ones the first is kept. */
void suggest_offer(struct suggest *s, const char *candidate);

/* Look at a list that ends with NULL. */
void suggest_offer_all(struct suggest *s, const char *const *candidates);

/* How many letters must be changed, added, left out or swapped with their
 * neighbour to make b of a; case does not count.  SIZE_MAX when one is long. */
size_t suggest_distance(const char *a, const char *b);

#endif
