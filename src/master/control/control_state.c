/* control_state: clients that are owed an answer, over an upgrade. */
#include <sys/stat.h>

#include <stdlib.h>

#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/event.h>

#include "base/mem.h"
#include "base/place.h"
#include "master/control/control_int.h"
#include "master/control/socketfile.h"
#include "master/state/fdlist.h"
#include "master/state/jsontext.h"
#include "master/state/record.h"

static json_t *
save_buffer(struct evbuffer *buffer)
{
	size_t len = evbuffer_get_length(buffer);

	return jsontext_bytes(evbuffer_pullup(buffer, -1), len);
}

static const struct record_field fields[] = {RECORD(control_client, id),
                                             RECORD(control_client, asked),
                                             RECORD(control_client, stop),
                                             RECORD(control_client, closing),
                                             {.name = NULL}};

static json_t *
save_client(const struct control_client *c, struct fdlist *fds)
{
	json_t *j = record_save(fields, c);

	json_object_set_new(j, "socket", fdlist_put(fds, bufferevent_getfd(c->bev)));
	json_object_set_new(j, "line", jsontext_text(c->line));
	json_object_set_new(j, "input", save_buffer(bufferevent_get_input(c->bev)));
	json_object_set_new(j, "output", save_buffer(bufferevent_get_output(c->bev)));
	return j;
}

json_t *
control_save(struct fdlist *fds)
{
	json_t *list = json_array();
	struct control_client *c;
	struct place_id own;

	TAILQ_FOREACH (c, &ct.clients, link) {
		control_push(c);
		if (!c->closing || evbuffer_get_length(bufferevent_get_output(c->bev)) > 0)
			json_array_append_new(list, save_client(c, fds));
	}
	own = socketfile_own();
	return json_pack("{s:o, s:i, s:o, s:o, s:I, s:I}", "path",
	                 jsontext_text(socketfile_path()), "last_id", (int)ct.last_id, "socket",
	                 fdlist_put(fds, socketfile_fd()), "clients", list, "inode",
	                 (json_int_t)own.inode, "device", (json_int_t)own.device);
}

/* The bytes read from it, and those not written to it yet. */
static void
restore_buffers(struct control_client *c, const json_t *j)
{
	struct evbuffer *in = bufferevent_get_input(c->bev);
	size_t nread = 0, nwritten = 0;
	char *input = jsontext_read(json_object_get(j, "input"), &nread);
	char *output = jsontext_read(json_object_get(j, "output"), &nwritten);

	evbuffer_unfreeze(in, 0);
	evbuffer_add(in, input, nread);
	evbuffer_freeze(in, 0);
	if (nwritten > 0)
		bufferevent_write(c->bev, output, nwritten);
	free(input);
	free(output);
}

static void
restore_client(const json_t *j)
{
	struct control_client told = {.id = 0}, *c;
	int fd = fdlist_get(json_object_get(j, "socket"));

	if (fd < 0 || record_restore(fields, j, &told) < 0)
		return;
	c = control_client_new(fd, told.id);
	c->line = jsontext_read_text(json_object_get(j, "line"));
	c->asked = told.asked;
	c->stop = told.stop;
	c->closing = told.closing;
	c->waits = c->line != NULL && ct.rules->waits(c->line);
	restore_buffers(c, j);
	if (c->asked && !c->closing)
		evtimer_del(c->limit);
}

/* An image before this one did not tell: then it is what stands there. */
static struct place_id
restore_own(const json_t *j, const char *path)
{
	struct place_id own = {.device =
	                           (dev_t)json_integer_value(json_object_get(j, "device")),
	                       .inode = (ino_t)json_integer_value(json_object_get(j, "inode"))};
	struct stat st;

	if (own.inode == 0 && lstat(path, &st) == 0)
		own = (struct place_id){.device = st.st_dev, .inode = st.st_ino};
	return own;
}

int
control_restore(const json_t *j, char **cause)
{
	char *path = jsontext_read_text(json_object_get(j, "path"));
	int fd = fdlist_get(json_object_get(j, "socket"));
	struct place_id own;
	size_t i;
	json_t *one;

	if (path == NULL)
		return cause_set(cause, "the control socket did not come over");
	control_keep_reserve();
	own = restore_own(j, path);
	if (fd >= 0)
		socketfile_take(fd, path, &own, control_acceptable);
	else
		socketfile_miss(path, control_acceptable);
	free(path);
	ct.last_id = (uint32_t)json_integer_value(json_object_get(j, "last_id"));
	json_array_foreach (json_object_get(j, "clients"), i, one)
		restore_client(one);
	return 0;
}

void
control_after_restore(void)
{
	struct control_client *c, *next;

	for (c = TAILQ_FIRST(&ct.clients); c != NULL; c = next) {
		next = TAILQ_NEXT(c, link);
		if (c->asked && !c->stop && !c->closing && c->gone == NULL)
			ct.rules->again(c, c->line);
	}
}
