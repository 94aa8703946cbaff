/* How listeners cross an exec, and a crash. */
#include "master/listen/listener_int.h"

#include <sys/socket.h>

#include <stdlib.h>
#include <string.h>

#include <systemd/sd-daemon.h>

#include "base/log.h"
#include "base/mem.h"
#include "base/unixsock.h"
#include "master/core/env.h"
#include "master/listen/address.h"
#include "master/state/fdlist.h"
#include "master/state/jsontext.h"
#include "master/state/record.h"

static const struct record_field fields[] = {RECORD(listener, id),
                                             RECORD(listener, retired),
                                             RECORD(listener, filtered),
                                             {.name = NULL}};

static json_t *
save_sockets(const struct listener *l, struct fdlist *fds)
{
	json_t *list = json_array();

	for (size_t i = 0; i < l->nsock; i++)
		json_array_append_new(list,
		                      json_pack("{s:i, s:o}", "id", (int)l->sock[i].id,
		                                "socket", fdlist_put(fds, l->sock[i].fd)));
	return list;
}

static json_t *
save_one(const struct listener *l, struct fdlist *fds)
{
	json_t *j = record_save(fields, l);

	json_object_set_new(j, "text", jsontext_text(l->text));
	json_object_set_new(j, "bound", jsontext_text(l->bound));
	json_object_set_new(j, "kind", json_integer(l->kind));
	json_object_set_new(j, "inode", json_integer((json_int_t)l->own.inode));
	json_object_set_new(j, "device", json_integer((json_int_t)l->own.device));
	json_object_set_new(j, "sockets", save_sockets(l, fds));
	return j;
}

json_t *
listener_save(struct fdlist *fds)
{
	json_t *list = json_array();
	const struct listener *l;

	for (l = listener_first(); l != NULL; l = TAILQ_NEXT(l, link))
		json_array_append_new(list, save_one(l, fds));
	return json_pack("{s:i, s:o}", "last_id", (int)listener_last_id(), "list", list);
}

/* A socket that is missing is a client's refusal: this is no state to go on with.  One that a
 * worker has shut, or bound elsewhere, is bound anew by the next look. */
static int
restore_sockets(struct listener *l, const json_t *socks, char **cause)
{
	size_t i;
	json_t *j;

	json_array_foreach ((json_t *)(uintptr_t)socks, i, j) {
		int id = (int)json_integer_value(json_object_get(j, "id"));
		int fd = fdlist_get(json_object_get(j, "socket"));
		bool well = fd >= 0 && listener_is_as_told(l, fd);

		if (!well && env.adopts) {
			log_warn("a socket of %s did not come back; another takes its place",
			         l->bound);
			continue;
		}
		if (fd < 0 || sd_is_socket(fd, AF_UNSPEC, SOCK_STREAM, -1) <= 0)
			return cause_set(cause, "a socket of %s did not come over", l->bound);
		if (!well) {
			log_warn("a socket of %s came over shut", l->bound);
			shutdown(fd, SHUT_RDWR); /* from where it may listen */
		}
		l->sock = mem_grow(l->sock, l->nsock, sizeof *l->sock);
		l->sock[l->nsock++] = (struct lsocket){.id = (uint32_t)id, .fd = fd};
	}
	return 0;
}

/* The last owner may have changed the filter after it wrote the record: set it again. */
static void
filter_as_told(struct listener *l)
{
	const char *path = l->bound + strlen("unix:");

	for (size_t i = 0; i < l->nsock && l->kind == CONF_ADDR_TCP; i++)
		address_filter(l->sock[i].fd, l->filtered);
	if (l->kind != CONF_ADDR_UNIX || l->own.inode == 0)
		return;
	if (l->filtered)
		unixsock_hide(path, &l->own);
	else
		unixsock_show(path, &l->own);
}

static int
restore_one(const json_t *j, char **cause)
{
	const json_t *kind = json_object_get(j, "kind"), *inode = json_object_get(j, "inode");
	const json_t *socks = json_object_get(j, "sockets");
	char *text = jsontext_read_text(json_object_get(j, "text"));
	char *bound = jsontext_read_text(json_object_get(j, "bound"));
	struct listener told = {.id = 0}, *l;

	if (text == NULL || bound == NULL || socks == NULL || !json_is_integer(kind) ||
	    !json_is_integer(inode) || record_restore(fields, j, &told) < 0) {
		free(text);
		free(bound);
		return cause_set(cause, "the record of a listener is damaged");
	}
	l = listener_make(text, (enum conf_addr_kind)json_integer_value(kind));
	free(text);
	l->id = told.id;
	l->bound = bound;
	l->retired = told.retired;
	l->filtered =
	    told.filtered && (told.retired || !env.adopts); /* a stop ends with its master */
	l->own.inode = (ino_t)json_integer_value(inode);
	l->own.device = (dev_t)json_integer_value(json_object_get(j, "device"));
	if (restore_sockets(l, socks, cause) < 0)
		return -1;
	filter_as_told(l);
	if (l->nsock == 0)
		listener_destroy(l); /* it will be bound again */
	return 0;
}

int
listener_restore(const json_t *j, char **cause)
{
	size_t i;
	json_t *one;

	json_array_foreach (json_object_get(j, "list"), i, one) {
		if (restore_one(one, cause) < 0)
			return -1;
	}
	listener_set_last_id((uint32_t)json_integer_value(json_object_get(j, "last_id")));
	return 0;
}
