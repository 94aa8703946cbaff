#include "ctl/verbs.h"

#include <string.h>

#include "ctl/history.h"
#include "ctl/show.h"

#define NEAR 2 /* slips of the finger that still explain a word */

const struct verbs_row verbs_table[] = {
    {.name = "status",
     .at_once = true,
     .synopsis = "",
     .help = "generations, connections, listeners, the last change",
     .show = show_status},
    {.name = "reload",
     .options = VERBS_WAIT,
     .synopsis = " [--wait]",
     .help = "a new generation from the edited file"},
    {.name = "upgrade",
     .options = VERBS_WAIT,
     .arg = VERBS_PATH,
     .synopsis = " [--wait] [BINARY]",
     .help = "a new generation of the binary on disk, or of another"},
    {.name = "stop",
     .options = VERBS_NOW,
     .synopsis = " [--now]",
     .help = "drain and stop",
     .advice = "it stops when it can; SIGKILL ends it by hand, and under systemd the "
               "watchdog does",
     .ends = true},
    {.name = "scale",
     .arg = VERBS_NUMBER,
     .needed = true,
     .synopsis = " N",
     .help = "another number of workers"},
    {.name = "drain",
     .at_once = true,
     .synopsis = "",
     .help = "who holds a drain, why, and how long yet",
     .show = show_drain},
    {.name = "conns",
     .at_once = true,
     .synopsis = "",
     .help = "every connection: whose, how old, in which state",
     .show = show_conns},
    {.name = "tasks",
     .at_once = true,
     .synopsis = "",
     .help = "every ctx, task, group, pooled connection, and where born",
     .show = show_tasks},
    {.name = "watch",
     .synopsis = "",
     .help = "all of it on a terminal, drawn twice a second; q ends it",
     .watches = true},
    {.name = "history",
     .at_once = true,
     .synopsis = "",
     .help = "the last 100 changes: who, when, how long, outcome, reason",
     .show = history_show,
     .complete = history_name_users},
    {.name = "abort",
     .at_once = true,
     .synopsis = "",
     .help = "the old generation takes over again, or a stop is called off",
     .advice = "it may still do it"},
    {.name = "check",
     .arg = VERBS_PATH,
     .synopsis = " [FILE]",
     .help = "is the configuration good, by the running master's rules?"},
    {.name = "reopen",
     .at_once = true,
     .synopsis = "",
     .help = "open log files again",
     .advice = "it may still do it"},
    {0},
};

const struct verbs_row *
verbs_find(const char *name)
{
	for (const struct verbs_row *v = verbs_table; v->name != NULL; v++)
		if (strcmp(v->name, name) == 0)
			return v;
	return NULL;
}

static size_t
least(size_t a, size_t b)
{
	return a < b ? a : b;
}

/* Letters to change, add, leave out or swap with their neighbour to make b of a.
 * Recursive and slow for what is far; so it gives up beyond NEAR. */
static size_t
distance(const char *a, const char *b, size_t budget)
{
	size_t d;

	for (; *a != '\0' && *a == *b; a++)
		b++;
	if (*a == '\0' && *b == '\0')
		return 0;
	if (budget == 0)
		return 1;
	d = NEAR + 1;
	if (*a != '\0')
		d = least(d, 1 + distance(a + 1, b, budget - 1));
	if (*b != '\0')
		d = least(d, 1 + distance(a, b + 1, budget - 1));
	if (*a != '\0' && *b != '\0') {
		d = least(d, 1 + distance(a + 1, b + 1, budget - 1));
		if (a[0] == b[1] && a[1] == b[0])
			d = least(d, 1 + distance(a + 2, b + 2, budget - 1));
	}
	return d;
}

const char *
verbs_nearest(const char *word)
{
	size_t best = NEAR + 1, len = strlen(word);
	const char *name = NULL;

	for (const struct verbs_row *v = verbs_table; v->name != NULL; v++) {
		size_t d = distance(word, v->name, NEAR);

		/* The beginning of a verb is near, however much is missing. */
		if (len >= 2 && strncmp(v->name, word, len) == 0)
			d = 1;
		if (d < best && d < len) {
			best = d;
			name = v->name;
		}
	}
	return name;
}
