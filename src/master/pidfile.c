#include "master/pidfile.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/place.h"
#include "master/record.h"

static char *current;
static struct place_id own;

int
pidfile_set(const char *path, char **cause)
{
	char text[16], *why = NULL;
	int result;

	if (current != NULL && (path == NULL || strcmp(path, current) != 0))
		pidfile_stop();
	if (path == NULL)
		return 0;
	snprintf(text, sizeof text, "%d\n", (int)getpid());
	result = place_write(path, text, 0644, &own, &why);
	if (result < 0)
		cause_set(cause, "cannot write pid file %s: %s", path, why);
	else if (current == NULL)
		current = mem_strdup(path);
	free(why);
	return result;
}

void
pidfile_stop(void)
{
	if (current != NULL)
		place_remove(current, &own, S_IFREG);
	mem_free(&current);
}

json_t *
pidfile_save(void)
{
	if (current == NULL)
		return json_null();
	return json_pack("{s:o, s:I, s:I}", "path", record_text(current), "inode",
	                 (json_int_t)own.inode, "device", (json_int_t)own.device);
}

void
pidfile_restore(const json_t *j)
{
	current = record_read_text(json_object_get(j, "path"));
	own.inode = (ino_t)json_integer_value(json_object_get(j, "inode"));
	own.device = (dev_t)json_integer_value(json_object_get(j, "device"));
}
