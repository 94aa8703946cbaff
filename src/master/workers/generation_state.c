/* How generations cross an exec, and a crash. */
#include "master/workers/generation_int.h"

#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/mem.h"
#include "master/listen/listener.h"
#include "master/state/fdlist.h"
#include "master/state/jsontext.h"

static json_t *
save_workers(const struct generation *g, struct fdlist *fds)
{
	json_t *list = json_array();
	struct worker *w;

	TAILQ_FOREACH (w, &g->workers, link)
		json_array_append_new(list, slot_save(w, fds));
	return list;
}

static json_t *
save_uses(const struct generation *g)
{
	json_t *list = json_array();

	for (size_t i = 0; i < g->nuse; i++)
		json_array_append_new(list, json_pack("{s:i, s:i, s:i}", "listener",
		                                      g->use[i].listener != NULL
		                                          ? (int)listener_id(g->use[i].listener)
		                                          : 0,
		                                      "listen_ix", (int)g->use[i].listen_ix,
		                                      "addr_ix", (int)g->use[i].addr_ix));
	return list;
}

/* The configuration travels as its text: rebuilt from what it was born with,
 * whatever the file says by then. */
json_t *
generation_save(struct fdlist *fds)
{
	json_t *list = json_array();
	struct generation *g;

	TAILQ_FOREACH (g, generation_all(), link)
		json_array_append_new(
		    list,
		    json_pack(
		        "{s:i, s:i, s:s, s:o, s:o, s:s, s:I, s:I, s:i, s:I, s:b, s:o, s:o}",
		        "id", (int)g->id, "image", (int)g->image, "version", g->version, "path",
		        jsontext_text(g->conf->path), "conf",
		        jsontext_bytes(g->conf->text, g->conf->len), "state",
		        policy_gen_name(g->state), "born_ms", (json_int_t)g->born_ms,
		        "since_ms", (json_int_t)g->since_ms, "want", (int)g->want, "cut",
		        (json_int_t)g->cut, "aborted", g->aborted, "workers",
		        save_workers(g, fds), "uses", save_uses(g)));
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
		int id, listen_ix, addr_ix;

		if (json_unpack(j, "{s:i, s:i, s:i}", "listener", &id, "listen_ix", &listen_ix,
		                "addr_ix", &addr_ix) < 0)
			continue;
		g->use[g->nuse++] =
		    (struct generation_use){.listener = listener_find((uint32_t)id),
		                            .listen_ix = (uint32_t)listen_ix,
		                            .addr_ix = (uint32_t)addr_ix};
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

		log_warn("the configuration of an earlier generation is not ours to read: %s",
		         errors.text[0]);
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
	int id, image, want;
	json_int_t born, since, cut;
	const char *version, *state;
	char *path, *text;
	size_t len, i;
	json_t *workers, *uses, *worker, *conf;
	struct generation *g;

	if (json_unpack((json_t *)(uintptr_t)j,
	                "{s:i, s:i, s:s, s:o, s:s, s:I, s:I, s:i, s:I, s:o, s:o}", "id", &id,
	                "image", &image, "version", &version, "conf", &conf, "state", &state,
	                "born_ms", &born, "since_ms", &since, "want", &want, "cut", &cut,
	                "workers", &workers, "uses", &uses) < 0 ||
	    (path = jsontext_read_text(json_object_get(j, "path"))) == NULL ||
	    (text = jsontext_read(conf, &len)) == NULL)
		return cause_set(cause, "the record of a generation is damaged");
	g = generation_make((uint32_t)id);
	g->image = (uint32_t)image;
	g->version = mem_strdup(version);
	g->conf = restore_conf(path, text, len);
	free(path);
	free(text);
	g->state = state_of(state);
	g->born_ms = (uint64_t)born;
	g->since_ms = (uint64_t)since;
	g->want = (uint32_t)want;
	g->cut = (uint64_t)cut;
	g->aborted = json_is_true(json_object_get(j, "aborted"));
	generation_grow_slots(g, g->want);
	restore_uses(g, uses);
	json_array_foreach (workers, i, worker) {
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
