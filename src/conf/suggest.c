#include "conf/suggest.h"

#include <ctype.h>
#include <stdint.h>
#include <string.h>

#define WORD_MAX 63

static size_t
least(size_t a, size_t b)
{
	return a < b ? a : b;
}

static int
same(char a, char b)
{
	return tolower((unsigned char)a) == tolower((unsigned char)b);
}

/* One row of the table: the distances of a[0..i] to every beginning of b.
 * above and above2 are the rows for one and two letters less of a. */
static void
distance_row(const char *a, size_t i, const char *b, size_t *row, const size_t *above,
             const size_t *above2)
{
	row[0] = i + 1;
	for (size_t j = 0; b[j] != '\0'; j++) {
		row[j + 1] =
		    least(least(above[j + 1], row[j]) + 1, above[j] + !same(a[i], b[j]));
		if (i > 0 && j > 0 && same(a[i], b[j - 1]) && same(a[i - 1], b[j]))
			row[j + 1] = least(row[j + 1], above2[j - 1] + 1);
	}
}

size_t
suggest_distance(const char *a, const char *b)
{
	size_t rows[3][WORD_MAX + 1] = {{0}};
	size_t na = strnlen(a, WORD_MAX + 1), nb = strnlen(b, WORD_MAX + 1);

	if (na > WORD_MAX || nb > WORD_MAX)
		return SIZE_MAX;
	for (size_t j = 0; j <= nb; j++)
		rows[2][j] = j;
	for (size_t i = 0; i < na; i++)
		distance_row(a, i, b, rows[i % 3], rows[(i + 2) % 3], rows[(i + 1) % 3]);
	return rows[(na + 2) % 3][nb];
}

struct suggest
suggest_for(const char *word)
{
	/* One slip in a word of up to five letters, two in up to nine, ... */
	size_t near = (strnlen(word, WORD_MAX) + 2) / 4 + 1;
	struct suggest s = {.word = word, .distance = (near < 2 ? 2 : near)};

	return s;
}

void
suggest_offer(struct suggest *s, const char *candidate)
{
	size_t distance = suggest_distance(s->word, candidate);

	/* A word of which nothing is left is no slip. */
	if (distance >= s->distance || (distance > 0 && distance >= strlen(s->word)))
		return;
	s->best = candidate;
	s->distance = distance;
}

void
suggest_offer_all(struct suggest *s, const char *const *candidates)
{
	for (; *candidates != NULL; candidates++)
		suggest_offer(s, *candidates);
}
