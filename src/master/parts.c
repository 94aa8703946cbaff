#include "master/parts.h"

#include <stdlib.h>

#include "base/mem.h"
#include "master/change/change.h"
#include "master/change/history.h"
#include "master/change/waiters.h"
#include "master/control/control.h"
#include "master/core/env.h"
#include "master/listen/listener.h"
#include "master/state/fdlist.h"
#include "master/state/fdstore.h"
#include "master/state/jsontext.h"
#include "master/state/pidfile.h"
#include "master/state/record.h"
#include "master/state/snapshot.h"
#include "master/state/state.h"
#include "master/verbs/listing.h"
#include "master/verbs/publish.h"
#include "master/workers/generation.h"
#include "master/workers/ticketkeys.h"
#include "wire/stats.h"

/* --- the master itself --- */

/* scale: number of workers by that verb; stop: enum policy_stop. */
static const struct record_field master_fields[] = {RECORD(env, image),
                                                    RECORD(env, scale),
                                                    RECORD(env, stop),
                                                    RECORD(env, stop_since_ms),
                                                    RECORD(env, cut_at_stop),
                                                    RECORD(env, started_ms),
                                                    {.name = NULL}};

static json_t *
save_master(struct fdlist *fds)
{
	json_t *j = record_save(master_fields, &env);

	json_object_set_new(j, "exe_path", jsontext_text(env.exe_path));
	json_object_set_new(j, "conf_path", jsontext_text(env.conf_path));
	json_object_set_new(j, "stats", fdlist_put(fds, stats_fd(env.stats)));
	json_object_set_new(j, "figures", fdlist_put(fds, stats_figures_fd(env.stats)));
	json_object_set_new(j, "pid_file", pidfile_save());
	json_object_set_new(j, "snapshot", snapshot_save(fds));
	json_object_set_new(j, "ticket_keys", ticketkeys_save());
	return j;
}

/* A process that adopts was started by paths of its own.  saved NULL: of a build that did not
 * save it yet. */
static void
restore_path(char **path, char *saved)
{
	if (saved == NULL || env.adopts) {
		free(saved);
		return;
	}
	free(*path);
	*path = saved;
}

static int
restore_master(const json_t *j, char **cause)
{
	int fd = fdlist_get(json_object_get(j, "stats"));
	int figures = fdlist_get(json_object_get(j, "figures"));
	char *exe = jsontext_read_text(json_object_get(j, "exe_path"));

	if (exe == NULL || record_restore(master_fields, j, &env) < 0) {
		free(exe);
		return cause_set(cause, "the record of the master is damaged");
	}
	restore_path(&env.exe_path, exe);
	restore_path(&env.conf_path, jsontext_read_text(json_object_get(j, "conf_path")));
	pidfile_restore(json_object_get(j, "pid_file"));
	snapshot_restore(json_object_get(j, "snapshot"));
	ticketkeys_restore(json_object_get(j, "ticket_keys"));
	if (fd < 0)
		return cause_set(cause, "the statistics memory did not come over");
	env.stats = stats_attach(fd, cause);
	if (env.stats == NULL)
		return -1;
	if (stats_attach_figures(env.stats, figures, cause) < 0)
		return -1;
	if (figures < 0) /* of a build that had none */
		fdstore_put("figures", 0, stats_figures_fd(env.stats));
	return 0;
}

static void
stop_master(void)
{
	publish_stop();
	snapshot_stop();
	ticketkeys_stop();
	fdstore_drop("stats", 0);
	fdstore_drop("figures", 0);
	stats_free(&env.stats);
}

/* --- the others, as the table has them --- */

static void
stop_generations(void)
{
	generation_free_all(change_generation_gone);
}

static json_t *
save_change(struct fdlist *fds)
{
	(void)fds;
	return change_save();
}

static json_t *
save_history(struct fdlist *fds)
{
	(void)fds;
	return history_save();
}

static int
restore_history(const json_t *j, char **cause)
{
	(void)cause;
	history_restore(j);
	return 0;
}

static void
stop_change(void)
{
	pidfile_stop();
	listings_stop();
	waiters_stop();
}

/* clang-format off */
static const struct part parts[] = {
	{"master", stop_master, save_master, restore_master, false},
	{"listeners", listener_stop, listener_save, listener_restore, false},
	{"control", control_stop, control_save, control_restore, true},
	{"generations", stop_generations, generation_save, generation_restore, false},
	{"change", stop_change, save_change, change_restore, true},
	{"history", history_stop, save_history, restore_history, false},
	{NULL, NULL, NULL, NULL, false},
};
/* clang-format on */

void
parts_start(void)
{
	state_use(parts);
}

/* From the end: what stands on others goes first. */
void
parts_stop(void)
{
	for (size_t i = sizeof parts / sizeof *parts; i-- > 0;)
		if (parts[i].stop != NULL)
			parts[i].stop();
}
