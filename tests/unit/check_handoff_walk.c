/*
 * handoff: random walks of a giver and a taker, joined by a channel that loses
 * nothing it has got and ends behind the rest.  Each offers, refuses, is late and dies
 * when it likes: the connection has one reader at most, and one as soon as all is read.
 */
#include <check.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "wire/handoff.h"

#define WALKS      100000
#define STEPS      80
#define OFFERS_MAX 24
#define WORDS_MAX  (4 * STEPS)
#define SEED       20240229u

enum said { PREPARE, ACK, LATER, NEVER, RELEASE, CANCEL };

struct word {
	enum said said;
	unsigned id;
};

/* One direction.  What the kernel has survives the sender, and the end comes behind
 * it; what waits in the sender for room dies with it. */
struct lane {
	size_t read, sent, said; /* each at most the next */
	struct word word[WORDS_MAX];
};

enum copy { NO_COPY, RESTS, SERVES };

/* What a side does is what the actions told it, not what its state is called. */
static struct world {
	struct {
		bool alive, ended; /* ended: it knows that the other is gone */
		bool stays, recalling;
		unsigned id; /* of the last offer */
		enum handoff_state state;
		enum copy copy;
	} giver;
	struct {
		bool alive, ended;
		enum handoff_state state[OFFERS_MAX + 1]; /* by id */
		enum copy copy[OFFERS_MAX + 1];
	} taker;
	struct lane down, up;   /* to the taker, to the giver */
	unsigned full, refuses; /* of 8, how often */
	unsigned walk;
	char trace[8 * STEPS];
	size_t ntrace;
} w;

/* What must have happened on some walk, or the walks show nothing. */
enum happening {
	MOVED,
	REFUSED_NOW,
	REFUSED_FOR_GOOD,
	RECALLED,
	CANCELLED,
	TOO_LATE,
	WAITED,
	STARTED_BY_END,
	BACK_BY_END,
	HAPPENINGS_N
};
static unsigned happened[HAPPENINGS_N];

static uint64_t dice;

static unsigned
roll(unsigned sides)
{
	dice ^= dice << 13;
	dice ^= dice >> 7;
	dice ^= dice << 17;
	return (unsigned)((dice >> 33) % sides);
}

/* ck_assert_msg tells its parent of each success: too slow for millions. */
#define MUST(what, text)                                                                       \
	do {                                                                                   \
		if (!(what))                                                                   \
			ck_abort_msg("%s: walk %u of seed %u: %.*s", text, w.walk, SEED,       \
			             (int)w.ntrace, w.trace);                                  \
	} while (0)

static void
note(char c)
{
	if (w.ntrace < sizeof w.trace)
		w.trace[w.ntrace++] = c;
}

static void
say(struct lane *l, enum said said, unsigned id)
{
	MUST(l->said < WORDS_MAX, "the model is too small");
	l->word[l->said++] = (struct word){said, id};
	if (l->sent + 1 == l->said && roll(8) >= w.full)
		l->sent++;
	else
		happened[WAITED]++;
}

static void
flush(struct lane *l)
{
	if (l->sent < l->said)
		l->sent++;
}

static void
giver_does(enum handoff_event event)
{
	enum handoff_action action = handoff_step(&w.giver.state, event);

	if (action == HANDOFF_IGNORE)
		return;
	MUST(w.giver.copy == RESTS, "an action on what is decided");
	switch (action) {
	case HANDOFF_LET_GO:
		w.giver.copy = NO_COPY;
		say(&w.down, RELEASE, w.giver.id);
		break;
	case HANDOFF_KEEP:
		w.giver.stays = true;
		w.giver.copy = SERVES;
		break;
	case HANDOFF_TAKE_BACK:
		w.giver.copy = SERVES;
		break;
	case HANDOFF_WAIT:
		break;
	default:
		MUST(false, "not an action of a giver");
	}
}

/* An offer goes at once or not at all, and never while it is called back. */
static void
giver_offers(void)
{
	if (w.giver.copy != SERVES || w.giver.stays || w.giver.recalling || w.giver.ended ||
	    !w.taker.alive || w.down.sent < w.down.said || w.giver.id == OFFERS_MAX)
		return;
	w.giver.id++;
	w.giver.state = HANDOFF_HERE;
	MUST(handoff_step(&w.giver.state, HANDOFF_OFFER) == HANDOFF_WAIT, "no offer");
	w.giver.copy = RESTS;
	w.down.word[w.down.said++] = (struct word){PREPARE, w.giver.id};
	w.down.sent++;
}

/* CANCEL cannot be unsaid; the connection is not ours before the kernel has it. */
static void
giver_time(void)
{
	if (w.giver.state == HANDOFF_SENT && !w.giver.recalling && !w.giver.ended) {
		w.giver.recalling = true;
		giver_does(HANDOFF_CALL);
		say(&w.down, CANCEL, w.giver.id);
	}
	if (w.giver.recalling && w.down.sent == w.down.said) {
		w.giver.recalling = false;
		happened[RECALLED] += w.giver.state == HANDOFF_CALLED;
		giver_does(HANDOFF_RECALL);
	}
}

static void
giver_hears(struct word word)
{
	bool rested;

	happened[TOO_LATE] += word.said == ACK && (word.id != w.giver.id || w.giver.recalling);
	if (word.id != w.giver.id)
		return;
	switch (word.said) {
	case ACK:
		giver_does(HANDOFF_ACK);
		break;
	case LATER:
		happened[REFUSED_NOW]++;
		giver_does(HANDOFF_NACK);
		break;
	case NEVER:
		happened[REFUSED_FOR_GOOD]++;
		rested = w.giver.copy == RESTS;
		giver_does(HANDOFF_NEVER);
		MUST(!rested || w.giver.stays, "what nobody wants is offered again");
		break;
	default:
		MUST(false, "not a word to a giver");
	}
}

static void
giver_reads(void)
{
	if (w.up.read < w.up.sent) {
		giver_hears(w.up.word[w.up.read++]);
	} else if (!w.taker.alive && !w.giver.ended) {
		w.giver.ended = true;
		w.giver.recalling = false;
		happened[BACK_BY_END] += w.giver.state == HANDOFF_SENT;
		giver_does(HANDOFF_END);
	}
}

static void
taker_does(unsigned id, enum handoff_event event)
{
	enum copy *copy = &w.taker.copy[id];

	switch (handoff_step(&w.taker.state[id], event)) {
	case HANDOFF_IGNORE:
		break;
	case HANDOFF_COUNT:
		MUST(*copy == NO_COPY, "counted twice");
		*copy = RESTS;
		say(&w.up, ACK, id);
		break;
	case HANDOFF_START:
		MUST(*copy == RESTS, "started twice");
		/* Dead or not: what it served since is not in the record. */
		MUST(w.giver.copy != SERVES, "the other had it again");
		*copy = SERVES;
		break;
	case HANDOFF_DROP:
		MUST(*copy == RESTS, "dropped what it serves");
		*copy = NO_COPY;
		break;
	default:
		MUST(false, "not an action of a taker");
	}
}

static void
taker_hears(struct word word)
{
	switch (word.said) {
	case PREPARE:
		if (roll(8) < w.refuses)
			say(&w.up, roll(3) == 0 ? NEVER : LATER, word.id);
		else
			taker_does(word.id, HANDOFF_ACCEPT);
		break;
	case RELEASE:
		happened[MOVED]++;
		taker_does(word.id, HANDOFF_RELEASE);
		break;
	case CANCEL:
		happened[CANCELLED] += w.taker.copy[word.id] == RESTS;
		taker_does(word.id, HANDOFF_CANCEL);
		break;
	default:
		MUST(false, "not a word to a taker");
	}
}

static void
taker_reads(void)
{
	if (w.down.read < w.down.sent) {
		taker_hears(w.down.word[w.down.read++]);
	} else if (!w.giver.alive && !w.taker.ended) {
		w.taker.ended = true;
		for (unsigned id = 1; id <= w.giver.id; id++) {
			happened[STARTED_BY_END] += w.taker.copy[id] == RESTS;
			taker_does(id, HANDOFF_END);
		}
	}
}

static unsigned
count(enum copy copy)
{
	unsigned n = 0;

	for (unsigned id = 1; id <= w.giver.id; id++)
		n += w.taker.copy[id] == copy;
	return n;
}

/* Whoever lives has read all there is, and said all it has to say. */
static bool
settled(void)
{
	bool both = w.giver.alive && w.taker.alive;

	if (w.giver.alive && (w.up.read < w.up.sent || w.giver.recalling))
		return false;
	if (w.taker.alive && w.down.read < w.down.sent)
		return false;
	if (both)
		return w.down.sent == w.down.said && w.up.sent == w.up.said;
	return (!w.giver.alive || w.giver.ended) && (!w.taker.alive || w.taker.ended);
}

static void
check_world(void)
{
	unsigned here = w.giver.alive && w.giver.copy == SERVES;
	unsigned there = w.taker.alive ? count(SERVES) : 0;

	MUST(here + there <= 1, "two serve it");
	/* The dead count with what they had: it went with them, nobody closed it. */
	MUST((w.giver.copy != NO_COPY) + count(RESTS) + count(SERVES) > 0, "both closed it");
	if (!settled())
		return;
	MUST(!w.giver.alive || w.giver.copy != RESTS, "the giver has it, and it rests");
	MUST(!w.taker.alive || count(RESTS) == 0, "the taker has it, and it rests");
	if (w.giver.alive && w.taker.alive)
		MUST(here + there == 1, "nobody died, and nobody serves it");
}

enum turn { OFFER, FLUSH_DOWN, FLUSH_UP, TAKER_READS, GIVER_READS, TIME, TURNS_N };

static void
take_turn(enum turn turn)
{
	note("ofFTGc"[turn]);
	if (turn == OFFER && w.giver.alive)
		giver_offers();
	else if (turn == FLUSH_DOWN && w.giver.alive)
		flush(&w.down);
	else if (turn == FLUSH_UP && w.taker.alive)
		flush(&w.up);
	else if (turn == TAKER_READS && w.taker.alive)
		taker_reads();
	else if (turn == GIVER_READS && w.giver.alive)
		giver_reads();
	else if (turn == TIME && w.giver.alive && roll(4) == 0)
		giver_time();
	check_world();
}

/* What waits in it for room goes with it. */
static void
die(bool *alive, struct lane *l, char c)
{
	note(c);
	*alive = false;
	l->said = l->sent;
	check_world();
}

static void
begin(unsigned walk)
{
	memset(&w, 0, sizeof w);
	w.walk = walk;
	dice = (UINT64_C(0x9e3779b97f4a7c15) * (walk + 1)) ^ SEED;
	w.full = roll(8);
	w.refuses = roll(3) == 0 ? 6 : roll(3);
	w.giver.alive = w.taker.alive = true;
	w.giver.copy = SERVES;
	for (unsigned id = 0; id <= OFFERS_MAX; id++)
		w.taker.state[id] = HANDOFF_NONE;
}

static void
walk_once(unsigned walk)
{
	unsigned giver_dies, taker_dies;

	begin(walk);
	giver_dies = roll(2) ? roll(STEPS) : STEPS;
	taker_dies = roll(2) ? roll(STEPS) : STEPS;
	for (unsigned i = 0; i < STEPS; i++) {
		if (i == giver_dies)
			die(&w.giver.alive, &w.down, 'g');
		if (i == taker_dies)
			die(&w.taker.alive, &w.up, 't');
		take_turn((enum turn)roll(TURNS_N));
	}
	note('|');
	for (unsigned i = 0; !settled(); i++) {
		MUST(i < 100 * STEPS, "it never ends");
		take_turn((enum turn)(1 + roll(TURNS_N - 1)));
	}
	check_world();
}

START_TEST(one_serves_it_whoever_dies_when)
{
	for (unsigned walk = 0; walk < WALKS; walk++)
		walk_once(walk);
	for (int i = 0; i < HAPPENINGS_N; i++)
		ck_assert_msg(happened[i] > 100, "%d happened %u times", i, happened[i]);
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("handoff-walk");
	TCase *t = tcase_create("walk");
	SRunner *sr;
	int failed;

	tcase_set_timeout(t, 60);
	tcase_add_test(t, one_serves_it_whoever_dies_when);
	suite_add_tcase(s, t);
	sr = srunner_create(s);
	srunner_run_all(sr, CK_NORMAL);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed != 0;
}
