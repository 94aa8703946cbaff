/* loaded: a module that notes, whenever it is loaded, as whom and behind which filter. */
#include <baton.h>

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static int
filter(void)
{
	char line[128];
	FILE *f = fopen("/proc/self/status", "r");
	int n = -1;

	while (f != NULL && fgets(line, sizeof line, f) != NULL)
		sscanf(line, "Seccomp: %d", &n);
	if (f != NULL)
		fclose(f);
	return n;
}

static void __attribute__((constructor))
note(void)
{
	int fd = open(NOTE, O_WRONLY | O_APPEND | O_CREAT, 0666);

	dprintf(fd, "uid=%d groups=%d seccomp=%d\n", (int)geteuid(), getgroups(0, NULL), filter());
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
