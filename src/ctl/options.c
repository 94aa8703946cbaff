#include "ctl/options.h"

#include <errno.h>
#include <getopt.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/mem.h"

static const struct option long_options[] = {
    {"socket", required_argument, NULL, 's'}, {"json", no_argument, NULL, 'j'},
    {"wait", no_argument, NULL, 'w'},         {"now", no_argument, NULL, 'n'},
    {"help", no_argument, NULL, 'h'},         {"version", no_argument, NULL, 'V'},
    {"completion", no_argument, NULL, 'c'},   {0},
};

/* The words of the line that are no options. */
struct words {
	const char *verb;
	const char *arg;
	const char *surplus; /* the first word too many */
};

static void
take_word(struct words *w, const char *word)
{
	if (w->verb == NULL)
		w->verb = word;
	else if (w->arg == NULL)
		w->arg = word;
	else if (w->surplus == NULL)
		w->surplus = word;
}

/* The first thing wrong is what the user is told. */
static void
complain_option(int code, char **argv, char **cause)
{
	const char *word = argv[optind - 1];

	if (*cause != NULL)
		return;
	if (code == ':')
		cause_set(cause, "%s needs the path of a socket", word);
	else if (strncmp(word, "--", 2) != 0)
		cause_set(cause, "unknown option '-%c'", optopt);
	else if (strchr(word, '=') != NULL)
		cause_set(cause, "option '%s' is unknown or takes no value", word);
	else
		cause_set(cause, "unknown option '%s'", word);
}

static void
take_option(struct options *o, int code, char **argv, char **cause)
{
	switch (code) {
	case 's':
		o->socket = optarg;
		break;
	case 'j':
		o->json = true;
		break;
	case 'w':
		o->wait = true;
		break;
	case 'n':
		o->now = true;
		break;
	case 'h':
		o->wish = OPTIONS_HELP;
		break;
	case 'V':
		o->wish = OPTIONS_VERSION;
		break;
	case 'c':
		o->wish = OPTIONS_COMPLETION;
		break;
	default:
		complain_option(code, argv, cause);
		break;
	}
}

static int
find_verb(struct options *o, const struct words *w, char **cause)
{
	const char *near;

	if (w->verb == NULL)
		return cause_set(cause, "a verb is missing; batonctl --help lists them");
	o->verb = verbs_find(w->verb);
	if (o->verb != NULL)
		return 0;
	near = verbs_nearest(w->verb);
	if (near != NULL)
		return cause_set(cause, "unknown verb '%s'; did you mean '%s'?", w->verb, near);
	return cause_set(cause, "unknown verb '%s'; batonctl --help lists them", w->verb);
}

/* The master stands in another directory. */
static int
make_absolute(char **path, char **cause)
{
	char *cwd, *relative = *path;

	if (*relative == '\0')
		return cause_set(cause, "the path is empty");
	if (*relative == '/')
		return 0;
	if ((cwd = getcwd(NULL, 0)) == NULL)
		return cause_set(cause, "cannot tell the working directory: %s",
		                 strerror(errno));
	while (strncmp(relative, "./", 2) == 0)
		relative += 2;
	relative = mem_printf("%s/%s", strcmp(cwd, "/") == 0 ? "" : cwd, relative);
	free(*path);
	free(cwd);
	*path = relative;
	return 0;
}

static int
check_arg(struct options *o, const struct words *w, char **cause)
{
	const struct verbs_row *v = o->verb;
	const char *surplus = v->arg == VERBS_NO_ARG ? w->arg : w->surplus;

	if (surplus != NULL)
		return cause_set(cause, "'%s' is one word too many; usage: batonctl %s%s",
		                 surplus, v->name, v->synopsis);
	if (v->needed && w->arg == NULL)
		return cause_set(cause, "%s needs an argument; usage: batonctl %s%s", v->name,
		                 v->name, v->synopsis);
	if (w->arg == NULL)
		return 0;
	o->arg = mem_strdup(w->arg);
	if (v->arg == VERBS_PATH)
		return make_absolute(&o->arg, cause);
	if (*o->arg == '\0' || strspn(o->arg, "0123456789") != strlen(o->arg))
		return cause_set(cause, "'%s' is not a number; usage: batonctl %s%s", o->arg,
		                 v->name, v->synopsis);
	return 0;
}

static int
check_options(const struct options *o, char **cause)
{
	const struct verbs_row *v = o->verb;

	if (o->wait && !(v->options & VERBS_WAIT))
		return cause_set(cause, "--wait means nothing to %s", v->name);
	if (o->json && v->watches)
		return cause_set(cause,
		                 "--json means nothing to %s; status --json and "
		                 "history --json tell the same",
		                 v->name);
	if (o->now && !(v->options & VERBS_NOW))
		return cause_set(cause, "--now means nothing to %s", v->name);
	return 0;
}

int
options_parse(int argc, char **argv, struct options *o, char **cause)
{
	struct words w = {0};
	int code;

	opterr = 0;
	/* '-': words come in their order, whatever POSIXLY_CORRECT says. */
	while ((code = getopt_long(argc, argv, "-:s:hV", long_options, NULL)) != -1) {
		if (code == 1)
			take_word(&w, optarg);
		else
			take_option(o, code, argv, cause);
	}
	while (optind < argc)
		take_word(&w, argv[optind++]);
	if (*cause != NULL)
		return -1;
	if (o->wish != OPTIONS_ASK)
		return 0;
	if (find_verb(o, &w, cause) < 0 || check_options(o, cause) < 0)
		return -1;
	return check_arg(o, &w, cause);
}

void
options_free(struct options *o)
{
	mem_free(&o->arg);
}

void
options_usage(FILE *out)
{
	fputs("usage: batonctl [-s SOCKET] [--json] VERB\n\nVerbs:\n", out);
	for (const struct verbs_row *v = verbs_table; v->name != NULL; v++)
		fprintf(out, "  %s%-*s  %s\n", v->name, 25 - (int)strlen(v->name), v->synopsis,
		        v->help);
	fputs("\nOptions, before or after the verb:\n"
	      "  -s, --socket SOCKET        the control socket; else the default places\n"
	      "  --json                     print the answer as one JSON document\n"
	      "  --wait                     return when the old generation is gone\n"
	      "  --now                      do not drain\n"
	      "  --completion               print a completion: "
	      "eval \"$(batonctl --completion)\"\n"
	      "  -h, --help; -V, --version\n"
	      "\nExit status: 0 done; 1 refused or failed, nothing changed; 2 usage;\n"
	      "3 no baton at that socket; 4 done, but connections had to be cut.\n",
	      out);
}

void
options_completion(FILE *out)
{
	fputs("_batonctl()\n{\n"
	      "\tlocal cur=${COMP_WORDS[COMP_CWORD]} verb='' word words='-s --json' files=''\n"
	      "\tfor word in \"${COMP_WORDS[@]:1:COMP_CWORD-1}\"; do\n"
	      "\t\tcase $word in\n",
	      out);
	for (const struct verbs_row *v = verbs_table; v->name != NULL; v++)
		fprintf(out, "\t\t%s) verb=$word words='-s%s%s%s' files='%s' ;;\n", v->name,
		        v->watches ? "" : " --json", v->options & VERBS_WAIT ? " --wait" : "",
		        v->options & VERBS_NOW ? " --now" : "",
		        v->arg == VERBS_PATH ? "-f" : "");
	fputs("\t\tesac\n\tdone\n\t[ -n \"$verb\" ] || words=\"$words --help --version", out);
	for (const struct verbs_row *v = verbs_table; v->name != NULL; v++)
		fprintf(out, " %s", v->name);
	fputs("\"\n"
	      "\tcase ${COMP_WORDS[COMP_CWORD-1]} in -s|--socket) words='' files=-f ;; esac\n"
	      "\tmapfile -t COMPREPLY < <(compgen $files -W \"$words\" -- \"$cur\")\n"
	      "}\ncomplete -o filenames -F _batonctl batonctl\n",
	      out);
}
