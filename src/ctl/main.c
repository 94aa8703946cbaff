/*
 * batonctl: asks a running baton, and tells its answer.
 *
 * Promises: answers on stdout, reasons on stderr, and the exit status of
 * wire/control.h; with --json exactly one JSON document on stdout, whatever
 * happens.  Nothing is retried: a request is sent once.
 */
#include <config.h>

#include <jansson.h>

#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/mem.h"
#include "ctl/client.h"
#include "ctl/field.h"
#include "ctl/holder.h"
#include "ctl/options.h"
#include "ctl/progress.h"
#include "ctl/show.h"
#include "ctl/stale.h"
#include "ctl/verbs.h"
#include "ctl/watch.h"
#include "ctl/words.h"
#include "wire/control.h"

static void
print_text(FILE *out, const char *text)
{
	char *clean = words_clean(text, "\n");

	fprintf(out, "%s\n", clean);
	free(clean);
}

/* Quoted text from the command line or another program need not be UTF-8, but JSON demands
 * it. */
static json_t *
json_text(const char *text)
{
	json_t *j = json_string(text);
	char *ascii;

	if (j != NULL)
		return j;
	ascii = mem_strdup(text);
	for (char *p = ascii; *p != '\0'; p++)
		if ((unsigned char)*p > 0x7e)
			*p = '?';
	j = json_string(ascii);
	free(ascii);
	return j;
}

/* Data that comes with a failure does not hide the failure.  What a master that is silent
 * has told last is as it told it, and the failure beside it. */
static void
print_json(const struct client_answer *a)
{
	bool done = a->exit == CONTROL_DONE || a->exit == CONTROL_CUT;
	json_t *j = a->data;

	if (j != NULL && done)
		json_incref(j);
	else if (j != NULL && a->silent)
		json_object_update_new(json_incref(j), json_pack("{s:i, s:o}", "exit", a->exit,
		                                                 "text", json_text(a->text)));
	else
		j = json_pack("{s:i, s:o, s:O*}", "exit", a->exit, "text", json_text(a->text),
		              "data", a->data);
	json_dumpf(j, stdout, JSON_INDENT(2) | JSON_ENCODE_ANY);
	putchar('\n');
	json_decref(j);
}

/* Has who read our stdout hung up?  Then what it did not want to read is no
 * failure of ours. */
static bool
reader_gone(void)
{
	struct pollfd pfd = {.fd = STDOUT_FILENO};

	return poll(&pfd, 1, 0) > 0 && (pfd.revents & (POLLERR | POLLHUP)) != 0;
}

/* The last step: what was asked for is done, but if nobody could be told (a full
 * disk), then that is a failure too. */
static int
flush_stdout(int status)
{
	int flushed = fflush(stdout);

	if ((flushed == 0 && !ferror(stdout)) || reader_gone())
		return status;
	fputs("batonctl: the answer could not be written to stdout\n", stderr);
	return status == CONTROL_DONE ? CONTROL_FAILED : status;
}

static int
tell(const struct options *o, const struct client_answer *a)
{
	bool done = a->exit == CONTROL_DONE || a->exit == CONTROL_CUT;

	if (!done)
		print_text(stderr, a->text);
	if (o->json)
		print_json(a);
	else if ((done || a->silent) && o->verb->show != NULL && a->data != NULL)
		o->verb->show(a->data, stdout);
	else if (done)
		print_text(stdout, a->text);
	return a->exit;
}

/* Our own reasons, told like the master's; takes the sentence over. */
static int
fail(const struct options *o, enum control_exit code, char *cause)
{
	struct client_answer a = {.exit = code, .text = cause};
	int status;

	fputs("batonctl: ", stderr);
	status = tell(o, &a);
	client_answer_free(&a);
	return status;
}

/* NULL: an argument is not UTF-8, which JSON demands. */
static char *
make_request(const struct options *o)
{
	json_t *args = json_array(), *request;
	char *line = NULL;

	if (o->arg == NULL || json_array_append_new(args, json_string(o->arg)) == 0) {
		request =
		    json_pack("{s:s, s:O, s:b, s:b, s:i}", "verb", o->verb->name, "args", args,
		              "wait", o->wait, "now", o->now, "version", CONTROL_VERSION);
		line = json_dumps(request, JSON_COMPACT);
		json_decref(request);
	}
	json_decref(args);
	return line;
}

static char *
tell_age(const json_t *stale, pid_t pid, const char *what)
{
	char *age = field_duration(stale, "stale_ms");
	char *text = mem_printf("baton (pid %d) %s for %d s; it told this %s ago", (int)pid,
	                        what, CLIENT_SILENCE_MS / 1000, age);

	free(age);
	return text;
}

/* The verb's advice; and of status what shared memory still tells. */
static void
take_silence(const struct options *o, pid_t pid, struct client_answer *a)
{
	char *why = NULL, *before = a->text;

	if (o->verb->show == show_status && (a->data = stale_status(pid, &why)) != NULL)
		a->text = tell_age(a->data, pid, "has not answered");
	else if (o->verb->show == show_status)
		a->text =
		    mem_printf("%s, and what it told last cannot be read: %s", before, why);
	else if (o->verb->advice != NULL)
		a->text = mem_printf("%s; %s", before, o->verb->advice);
	if (a->text != before)
		free(before);
	free(why);
}

/* Takes full and the sentence over. */
static int
fail_to_connect(const struct options *o, char *full, char *cause)
{
	struct client_answer a = {.exit = CONTROL_FAILED, .silent = true};
	pid_t pid = full != NULL && o->verb->show == show_status ? holder_of(full) : 0;
	int status;

	a.data = stale_status(pid, NULL);
	free(full);
	if (a.data == NULL)
		return fail(o, CONTROL_NO_BATON, cause);
	free(cause);
	a.text = tell_age(a.data, pid, "has taken no connection");
	status = tell(o, &a);
	client_answer_free(&a);
	return status;
}

static int
ask(const struct options *o, const char *request)
{
	bool at_once = o->verb->at_once || o->now;
	struct client_answer a = {0};
	char *full = NULL, *cause = NULL;
	struct client *c = client_connect(o->socket, &full, &cause);
	int status;

	if (c == NULL)
		return fail_to_connect(o, full, cause);
	free(full);
	client_ask(c, request, at_once ? CLIENT_SILENCE_MS : 0, progress_show, &a);
	if (o->verb->ends && (a.exit == CONTROL_DONE || a.exit == CONTROL_CUT))
		client_wait_gone(c);
	progress_end();
	if (a.silent)
		take_silence(o, client_pid(c), &a);
	if (o->verb->complete != NULL && a.data != NULL)
		o->verb->complete(a.data);
	status = tell(o, &a);
	client_answer_free(&a);
	client_free(&c);
	return status;
}

static int
run(const struct options *o)
{
	char *request = make_request(o);
	int status;

	if (request == NULL)
		return fail(o, CONTROL_USAGE, mem_printf("the argument is not valid UTF-8"));
	if (strlen(request) + 1 > CONTROL_REQUEST_MAX)
		status = fail(o, CONTROL_USAGE, mem_printf("the argument is too long"));
	else
		status = ask(o, request);
	free(request);
	return status;
}

static int
watch(const struct options *o)
{
	struct client_answer a = {0};
	int status = CONTROL_DONE;

	watch_run(o->socket, &a);
	if (a.exit != CONTROL_DONE)
		status = fail(o, a.exit, mem_strdup(a.text));
	client_answer_free(&a);
	return status;
}

int
main(int argc, char **argv)
{
	struct options o = {0};
	char *cause = NULL;
	int status = CONTROL_DONE;

	signal(SIGPIPE, SIG_IGN);
	if (options_parse(argc, argv, &o, &cause) < 0)
		status = fail(&o, CONTROL_USAGE, cause);
	else if (o.wish == OPTIONS_HELP)
		options_usage(stdout);
	else if (o.wish == OPTIONS_VERSION)
		printf("batonctl %s\n", PACKAGE_VERSION);
	else if (o.wish == OPTIONS_COMPLETION)
		options_completion(stdout);
	else if (o.verb->watches)
		status = watch(&o);
	else
		status = run(&o);
	options_free(&o);
	return flush_stdout(status);
}
