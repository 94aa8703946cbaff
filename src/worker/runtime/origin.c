#include "worker/runtime/origin.h"

#include <string.h>

#include "base/clock.h"
#include "base/escape.h"
#include "base/log.h"
#include "worker/runtime/loop.h"

#define HELD_MS 1000

static _Thread_local struct origin now;

struct origin
origin_now(void)
{
	return now;
}

struct origin
origin_enter(struct origin o)
{
	struct origin before = now;

	o.since_ms = clock_tick_ms();
	now = o;
	return before;
}

static void
say(struct escape_out *out, const char *text)
{
	escape_plain(out, text, strlen(text));
}

void
origin_say(const struct origin *o, struct escape_out *out)
{
	if (o->service == NULL) {
		say(out, "a module");
		return;
	}
	say(out, "[service:");
	say(out, o->service);
	say(out, "]");
	if (o->method == NULL)
		return;
	say(out, " ");
	say(out, o->method);
	say(out, " ");
	say(out, o->path);
}

static void
tell_held(uint64_t ms)
{
	char text[512];
	struct escape_out out = {text, text + sizeof text - 1};

	origin_say(&now, &out);
	*out.at = '\0';
	log_warn("%s held the loop for %llu ms: nobody else was served meanwhile", text,
	         (unsigned long long)ms);
}

/* A fault told of an inner call is not told again of the outer one. */
void
origin_leave(struct origin before)
{
	uint64_t tick = clock_tick_ms(), held = tick - now.since_ms;

	if (held > HELD_MS && now.service != NULL && loop_is_mine()) {
		tell_held(held);
		before.since_ms = tick;
	}
	now = before;
}
