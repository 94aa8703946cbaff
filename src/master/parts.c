#include "master/parts.h"

#include <stdlib.h>

#include "base/mem.h"
#include "master/change/change.h"
#include "master/change/history.h"
#include "master/change/scale.h"
#include "master/control/control.h"
#include "master/core/env.h"
#include "master/listen/listener.h"
#include "master/state/fdlist.h"
#include "master/state/fdstore.h"
#include "master/state/jsontext.h"
#include "master/state/pidfile.h"
#include "master/state/snapshot.h"
#include "master/state/state.h"
#include "master/verbs/listing.h"
#include "master/verbs/publish.h"
#include "master/workers/generation.h"
#include "wire/stats.h"

/* --- the master itself --- */

static json_t *
save_master(struct fdlist *fds)
{
	return json_pack("{s:i, s:i, s:i, s:I, s:I, s:I, s:o, s:o, s:o, s:o, s:o, s:o}",
	                 "image", (int)env.image, "scale", (int)env.scale, "stop",
	                 (int)env.stop, "stop_since_ms", (json_int_t)env.stop_since_ms,
	                 "cut_at_stop", (json_int_t)env.cut_at_stop, "started_ms",
	                 (json_int_t)env.started_ms, "exe_path", jsontext_text(env.exe_path),
	                 "conf_path", jsontext_text(env.conf_path), "stats",
	                 fdlist_put(fds, stats_fd(env.stats)), "figures",
	                 fdlist_put(fds, stats_figures_fd(env.stats)), "pid_file",
	                 pidfile_save(), "snapshot", snapshot_save(fds));
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
	int image, scale, stop, fd = fdlist_get(json_object_get(j, "stats"));
	int figures = fdlist_get(json_object_get(j, "figures"));
	json_int_t since, cut, started;
	char *exe;

	if (json_unpack((json_t *)(uintptr_t)j, "{s:i, s:i, s:i, s:I, s:I, s:I}", "image",
	                &image, "scale", &scale, "stop", &stop, "stop_since_ms", &since,
	                "cut_at_stop", &cut, "started_ms", &started) < 0 ||
	    (exe = jsontext_read_text(json_object_get(j, "exe_path"))) == NULL)
		return cause_set(cause, "the record of the master is damaged");
	env.image = (uint32_t)image;
	env.scale = (uint32_t)scale;
	env.stop = (enum policy_stop)stop;
	env.stop_since_ms = (uint64_t)since;
	env.cut_at_stop = (uint64_t)cut;
	env.started_ms = (uint64_t)started;
	restore_path(&env.exe_path, exe);
	restore_path(&env.conf_path, jsontext_read_text(json_object_get(j, "conf_path")));
	pidfile_restore(json_object_get(j, "pid_file"));
	snapshot_restore(json_object_get(j, "snapshot"));
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
	scale_stop();
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
