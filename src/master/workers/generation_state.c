/* How generations cross an exec, and a crash. */
#include "master/workers/generation_int.h"

#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/mem.h"
#include "master/listen/listener.h"
#include "master/state/fdlist.h"
#include "master/state/jsontext.h"
#include "master/state/record.h"
#include "master/workers/secrets.h"

static json_t *
save_workers(const struct generation *g, struct fdlist *fds)
{
	json_t *list = json_array();
	struct worker *w;

	TAILQ_FOREACH (w, &g->workers, link)
		json_array_append_new(list, slot_save(w, fds));
	return list;
}

static const struct record_field use_fields[] = {
    RECORD(generation_use, listen_ix), RECORD(generation_use, addr_ix), {.name = NULL}};

static json_t *
save_uses(const struct generation *g)
{
	json_t *list = json_array();

	for (size_t i = 0; i < g->nuse; i++) {
		const struct listener *l = g->use[i].listener;
		json_t *j = record_save(use_fields, &g->use[i]);

		json_object_set_new(j, "listener",
		                    json_integer(l != NULL ? listener_id(l) : 0));
		json_array_append_new(list, j);
	}
	return list;
}

static const struct record_field fields[] = {RECORD(generation, id),
                                             RECORD(generation, image),
                                             RECORD(generation, born_ms),
                                             RECORD(generation, since_ms),
                                             RECORD(generation, want),
                                             RECORD(generation, cut),
                                             RECORD_LATER(generation, aborted),
                                             {.name = NULL}};

/* The configuration travels as its text: rebuilt from what it was born with,
 * whatever the file says by then. */
static json_t *
save_one(const struct generation *g, struct fdlist *fds)
{
	json_t *j = record_save(fields, g);

	json_object_set_new(j, "version", json_string(g->version));
	json_object_set_new(j, "path", jsontext_text(g->conf->path));
	json_object_set_new(j, "conf", jsontext_bytes(g->conf->text, g->conf->len));
	json_object_set_new(j, "state", json_string(policy_gen_name(g->state)));
	json_object_set_new(j, "workers", save_workers(g, fds));
	json_object_set_new(j, "uses", save_uses(g));
	json_object_set_new(j, "secrets", secrets_save(g->conf, g->secrets, fds));
	return j;
}

json_t *
generation_save(struct fdlist *fds)
{
	json_t *list = json_array();
	struct generation *g;

	TAILQ_FOREACH (g, generation_all(), link)
		json_array_append_new(list, save_one(g, fds));
	return list;
}

static enum gen_state
state_of(const char *name)
{
	for (enum gen_state s = GEN_STARTING; s < GEN_GONE; s++)
		if (strcmp(name, policy_gen_name(s)) == 0)
			return s;
	return GEN_DRAINING;
}

static void
restore_uses(struct generation *g, const json_t *list)
{
	size_t i;
	json_t *j;

	g->use = mem_alloc((json_array_size(list) + 1) * sizeof *g->use);
	json_array_foreach ((json_t *)(uintptr_t)list, i, j) {
		struct generation_use *use = &g->use[g->nuse];
		const json_t *id = json_object_get(j, "listener");

		if (!json_is_integer(id) || record_restore(use_fields, j, use) < 0)
			continue;
		use->listener = listener_find((uint32_t)json_integer_value(id));
		g->nuse++;
	}
}

/* A configuration that this version cannot read belongs to a generation that
 * another version made; its workers have their own copy.  Only the drain's
 * limits are missed here: the defaults do. */
static struct conf *
restore_conf(const char *path, const char *text, size_t len)
{
	struct conf_errors errors = {0};
	struct conf *conf = conf_parse(path, text, len, &errors);

	if (conf == NULL) {
		static const char fallback[] =
		    "[listen:x]\naddress = 127.0.0.1:0\nservice = x\n"
		    "[service:x]\ntype = echo\n";
		char *all = conf_errors_join(&errors);

		log_warn("the configuration of an earlier generation is not ours to read: %.*s",
		         (int)strcspn(all, "\n"), all);
		free(all);
		conf_errors_free(&errors);
		conf = conf_parse(path, fallback, sizeof fallback - 1, &errors);
		AN(conf != NULL);
	}
	conf_errors_free(&errors);
	return conf;
}

static int
restore_one(const json_t *j, char **cause)
{
	const char *version = json_string_value(json_object_get(j, "version"));
	const char *state = json_string_value(json_object_get(j, "state"));
	const json_t *workers = json_object_get(j, "workers"),
	             *uses = json_object_get(j, "uses");
	struct generation told = {.id = 0}, *g;
	char *path = jsontext_read_text(json_object_get(j, "path")), *text;
	size_t len = 0, i;
	json_t *worker;

	text = jsontext_read(json_object_get(j, "conf"), &len);
	if (version == NULL || state == NULL || workers == NULL || uses == NULL ||
	    path == NULL || text == NULL || record_restore(fields, j, &told) < 0) {
		free(path);
		free(text);
		return cause_set(cause, "the record of a generation is damaged");
	}
	g = generation_make(told.id);
	AN(record_restore(fields, j, g) == 0);
	g->version = mem_strdup(version);
	g->conf = restore_conf(path, text, len);
	free(path);
	free(text);
	g->state = state_of(state);
	generation_grow_slots(g, g->want);
	restore_uses(g, uses);
	g->secrets = secrets_restore(g->conf, json_object_get(j, "secrets"));
	json_array_foreach ((json_t *)(uintptr_t)workers, i, worker) {
		if (slot_restore(g, worker) == NULL)
			log_warn("generation %u: a worker of its record is no more", g->id);
	}
	return 0;
}

int
generation_restore(const json_t *j, char **cause)
{
	size_t i;
	json_t *one;

	json_array_foreach ((json_t *)(uintptr_t)j, i, one) {
		if (restore_one(one, cause) < 0)
			return -1;
	}
	return 0;
}
