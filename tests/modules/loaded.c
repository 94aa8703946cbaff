/* loaded: a module that notes, whenever it is loaded, as whom and behind which filter. */
#include <baton.h>

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static int
status_of(const char *key)
{
	char line[128];
	FILE *f = fopen("/proc/self/status", "r");
	int n = -1;

	while (f != NULL && fgets(line, sizeof line, f) != NULL)
		if (strncmp(line, key, strlen(key)) == 0)
			sscanf(line + strlen(key), ": %d", &n);
	if (f != NULL)
		fclose(f);
	return n;
}

static void __attribute__((constructor))
note(void)
{
	int fd = open(NOTE, O_WRONLY | O_APPEND | O_CREAT, 0666);

	dprintf(fd, "uid=%d groups=%d seccomp=%d nonewprivs=%d\n", (int)geteuid(),
	        getgroups(0, NULL), status_of("Seccomp"), status_of("NoNewPrivs"));
	close(fd);
}

static size_t
on_data(struct baton_conn *conn, const char *bytes, size_t n)
{
	(void)conn;
	(void)bytes;
	return n;
}

const struct baton_module baton_module = {
    .abi = BATON_ABI,
    .size = sizeof(struct baton_module),
    .name = "loaded",
    .data = on_data,
};
