#include "master/state.h"

#include <sys/mman.h>

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/fault.h"
#include "base/fd.h"
#include "base/log.h"
#include "base/mem.h"
#include "master/change.h"
#include "master/control.h"
#include "master/fdlist.h"
#include "master/generation.h"
#include "master/history.h"
#include "master/listener.h"
#include "master/env.h"
#include "master/pidfile.h"
#include "master/record.h"
#include "master/snapshot.h"
#include "master/store.h"
#include "wire/stats.h"

#define FORMAT  "baton-state"
#define VERSION 2 /* 2: paths in hexadecimal */
#define MAX     (64u << 20)

static json_t *
record(const char *tag, json_t *body)
{
	return json_pack("{s:s, s:i, s:o}", "tag", tag, "version", VERSION, "body", body);
}

static json_t *
save_master(struct fdlist *fds)
{
	return json_pack(
	    "{s:i, s:i, s:i, s:I, s:I, s:I, s:o, s:o, s:o, s:o, s:o, s:o}", "image",
	    (int)env.image, "scale", (int)env.scale, "stop", (int)env.stop,
	    "stop_since_ms", (json_int_t)env.stop_since_ms, "cut_at_stop",
	    (json_int_t)env.cut_at_stop, "started_ms", (json_int_t)env.started_ms,
	    "exe_path", record_text(env.exe_path), "conf_path",
	    record_text(env.conf_path), "stats", fdlist_put(fds, stats_fd(env.stats)),
	    "figures", fdlist_put(fds, stats_figures_fd(env.stats)), "pid_file",
	    pidfile_save(), "snapshot", snapshot_save(fds));
}

json_t *
state_collect(struct fdlist *fds)
{
	return json_pack(
	    "{s:s, s:i, s:s, s:[o, o, o, o, o, o]}", "format", FORMAT, "version", VERSION,
	    "from", env.program->version, "records", record("master", save_master(fds)),
	    record("listeners", listener_save(fds)),
	    record("generations", generation_save(fds)), record("control", control_save(fds)),
	    record("change", change_save()), record("history", history_save()));
}

static int
write_all(int fd, const char *text, size_t len)
{
	while (len > 0) {
		ssize_t n = write(fd, text, len);

		if (n < 0)
			return -1;
		text += n;
		len -= (size_t)n;
	}
	return 0;
}

int
state_seal(const json_t *state, char **cause)
{
	char *text = json_dumps(state, JSON_COMPACT);
	int fd = memfd_create("baton-state", MFD_CLOEXEC | MFD_ALLOW_SEALING);

	FAULT("state");
	if (text == NULL || fd < 0 || write_all(fd, text, strlen(text)) < 0 ||
	    fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL) <
	        0) {
		cause_set(cause, "cannot save the state: %s",
		          text == NULL ? "a text in it is not UTF-8" : strerror(errno));
		fd_close(&fd);
	}
	free(text);
	return fd;
}

json_t *
state_parse(const char *text, size_t len, char **cause)
{
	json_t *state = text != NULL ? json_loadb(text, len, 0, NULL) : NULL;
	const char *format = json_string_value(json_object_get(state, "format"));
	json_int_t version = json_integer_value(json_object_get(state, "version"));

	if (format != NULL && strcmp(format, FORMAT) == 0 && version == VERSION)
		return state;
	cause_set(cause, "the state handed over is not one that version %s reads",
	          env.program->version);
	json_decref(state);
	return NULL;
}

json_t *
state_read(int fd, char **cause)
{
	size_t len;
	char *text = fd_read(fd, MAX, &len);
	json_t *state = NULL;

	if (text == NULL)
		cause_set(cause, "cannot read the state handed over: %s", strerror(errno));
	else
		state = state_parse(text, len, cause);
	free(text);
	return state;
}

json_t *
state_record(const json_t *state, const char *tag)
{
	size_t i;
	json_t *r;

	json_array_foreach(json_object_get(state, "records"), i, r)
	{
		const char *t = json_string_value(json_object_get(r, "tag"));

		if (t != NULL && strcmp(t, tag) == 0 &&
		    json_integer_value(json_object_get(r, "version")) <= VERSION)
			return json_object_get(r, "body");
	}
	return NULL;
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
	    (exe = record_read_text(json_object_get(j, "exe_path"))) == NULL)
		return cause_set(cause, "the record of the master is damaged");
	env.image = (uint32_t)image;
	env.scale = (uint32_t)scale;
	env.stop = (enum policy_stop)stop;
	env.stop_since_ms = (uint64_t)since;
	env.cut_at_stop = (uint64_t)cut;
	env.started_ms = (uint64_t)started;
	restore_path(&env.exe_path, exe);
	restore_path(&env.conf_path, record_read_text(json_object_get(j, "conf_path")));
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
		store_put("figures", 0, stats_figures_fd(env.stats));
	return 0;
}

int
state_check(const json_t *state, char **cause)
{
	static const char *const tags[] = {"master",  "listeners", "generations",
	                                   "control", "change",    "history"};

	for (size_t i = 0; i < sizeof tags / sizeof *tags; i++)
		if (state_record(state, tags[i]) == NULL)
			return cause_set(cause, "the state handed over lacks the record '%s'",
			                 tags[i]);
	return 0;
}

void
state_claim(const json_t *j, struct fdlist *fds)
{
	const char *key;
	size_t i;
	json_t *v;
	int fd = json_is_object(j) ? fdlist_get(j) : -1;

	if (fd >= 0)
		json_decref(fdlist_put(fds, fd));
	json_object_foreach((json_t *)(uintptr_t)j, key, v) state_claim(v, fds);
	json_array_foreach((json_t *)(uintptr_t)j, i, v) state_claim(v, fds);
}

int
state_restore(const json_t *state, char **cause)
{
	if (restore_master(state_record(state, "master"), cause) < 0 ||
	    listener_restore(state_record(state, "listeners"), cause) < 0 ||
	    generation_restore(state_record(state, "generations"), cause) < 0)
		return -1;
	history_restore(state_record(state, "history"));
	return 0;
}

int
state_restore_requests(const json_t *state, char **cause)
{
	if (control_restore(state_record(state, "control"), cause) < 0)
		return -1;
	return change_restore(state_record(state, "change"), cause);
}
