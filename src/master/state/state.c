#include "master/state/state.h"

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
#include "master/core/env.h"
#include "master/state/fdlist.h"

#define FORMAT  "baton-state"
#define VERSION 2 /* 2: paths in hexadecimal */
#define MAX     (64u << 20)

static const struct part *parts;

void
state_use(const struct part *with)
{
	parts = with;
}

static json_t *
record(const char *tag, json_t *body)
{
	return json_pack("{s:s, s:i, s:o}", "tag", tag, "version", VERSION, "body", body);
}

/* A body that can't be packed spoils the whole. */
static json_t *
records(struct fdlist *fds)
{
	json_t *list = json_array();

	AN(parts != NULL);
	for (const struct part *p = parts; p->tag != NULL; p++)
		if (json_array_append_new(list, record(p->tag, p->save(fds))) < 0) {
			json_decref(list);
			return NULL;
		}
	return list;
}

json_t *
state_collect(struct fdlist *fds)
{
	return json_pack("{s:s, s:i, s:s, s:o}", "format", FORMAT, "version", VERSION, "from",
	                 env.program->version, "records", records(fds));
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

	json_array_foreach (json_object_get(state, "records"), i, r) {
		const char *t = json_string_value(json_object_get(r, "tag"));

		if (t != NULL && strcmp(t, tag) == 0 &&
		    json_integer_value(json_object_get(r, "version")) <= VERSION)
			return json_object_get(r, "body");
	}
	return NULL;
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
	json_object_foreach ((json_t *)(uintptr_t)j, key, v)
		state_claim(v, fds);
	json_array_foreach ((json_t *)(uintptr_t)j, i, v)
		state_claim(v, fds);
}

int
state_check(const json_t *state, char **cause)
{
	for (const struct part *p = parts; p->tag != NULL; p++)
		if (state_record(state, p->tag) == NULL)
			return cause_set(cause, "the state handed over lacks the record '%s'",
			                 p->tag);
	return 0;
}

static int
restore(const json_t *state, bool late, char **cause)
{
	AN(parts != NULL && state != NULL);
	for (const struct part *p = parts; p->tag != NULL; p++)
		if (p->late == late && p->restore(state_record(state, p->tag), cause) < 0)
			return -1;
	return 0;
}

int
state_restore(const json_t *state, char **cause)
{
	return restore(state, false, cause);
}

int
state_restore_requests(const json_t *state, char **cause)
{
	return restore(state, true, cause);
}
