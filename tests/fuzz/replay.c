/*
 * replay: give a fuzz target every file of its corpus (CORPUS, a folder beside
 * this file), or the files that are named: what was found once is looked at in each
 * `make check`, with any compiler.
 */
#include <dirent.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
fatal(const char *what)
{
	perror(what);
	exit(1);
}

static void
replay(const char *path)
{
	static uint8_t bytes[1 << 20];
	FILE *f = fopen(path, "rb");
	size_t n;

	if (f == NULL)
		fatal(path);
	n = fread(bytes, 1, sizeof bytes, f);
	if (ferror(f))
		fatal(path);
	fclose(f);
	printf("%s: %zu bytes\n", path, n);
	fflush(stdout); /* the last one named is the one that failed */
	LLVMFuzzerTestOneInput(bytes, n);
}

static int
replay_all(const char *folder)
{
	DIR *d = opendir(folder);
	struct dirent *e;
	int n = 0;

	if (d == NULL || chdir(folder) < 0)
		fatal(folder);
	while ((e = readdir(d)) != NULL) {
		if (e->d_name[0] == '.')
			continue;
		replay(e->d_name);
		n++;
	}
	closedir(d);
	return n;
}

int
main(int argc, char **argv)
{
	const char *source = getenv("SOURCE");
	char folder[4096];

	for (int i = 1; i < argc; i++)
		replay(argv[i]);
	if (argc > 1)
		return 0;
	snprintf(folder, sizeof folder, "%s/tests/fuzz/corpus/%s", source ? source : ".",
	         CORPUS);
	return replay_all(folder) > 0 ? 0 : 1;
}
