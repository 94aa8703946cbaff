#include "worker/runtime/crash.h"

#include <execinfo.h>
#include <link.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <ucontext.h>
#include <unistd.h>

#include "base/escape.h"
#include "base/log.h"
#include "worker/runtime/loop.h"
#include "worker/runtime/origin.h"

#define OBJECTS_MAX 64 /* what is loaded beyond them has no name */
#define FRAMES_MAX  48
#define TEXT_MAX    2048

static const struct {
	int number;
	const char *name;
} faults[] = {{SIGSEGV, "SIGSEGV"},
              {SIGBUS, "SIGBUS"},
              {SIGABRT, "SIGABRT"},
              {SIGFPE, "SIGFPE"},
              {SIGILL, "SIGILL"}};

#define FAULTS_N (sizeof faults / sizeof *faults)

/* A program or library in memory. */
struct object {
	uintptr_t base; /* what its addresses are counted from */
	uintptr_t start, end;
	char name[64];
};

static struct {
	bool on;
	struct sigaction before[FAULTS_N];
	struct object object[OBJECTS_MAX];
	size_t nobject;
} cr;

/* --- in the handler --- */

static void
say(struct escape_out *o, const char *text)
{
	escape_plain(o, text, strlen(text));
}

static void
say_hex(struct escape_out *o, uintptr_t n)
{
	char digits[2 * sizeof n];
	size_t at = sizeof digits;

	do {
		digits[--at] = "0123456789abcdef"[n % 16];
		n /= 16;
	} while (n > 0);
	say(o, "0x");
	escape_plain(o, digits + at, sizeof digits - at);
}

static const struct object *
object_of(uintptr_t address)
{
	for (size_t i = 0; i < cr.nobject; i++)
		if (address >= cr.object[i].start && address < cr.object[i].end)
			return &cr.object[i];
	return NULL;
}

static void
say_place(struct escape_out *o, uintptr_t address)
{
	const struct object *ob = object_of(address);

	say(o, " ");
	if (ob != NULL) {
		say(o, ob->name);
		say(o, "+");
	}
	say_hex(o, ob != NULL ? address - ob->base : address);
}

/* Where the fault was, and whom a call that led nowhere would have come back to.  On other
 * machines nobody knows. */
#if defined __x86_64__
#	define KNOWS_PLACES true

static uintptr_t
place_of(const ucontext_t *context)
{
	return (uintptr_t)context->uc_mcontext.gregs[REG_RIP];
}

static uintptr_t
caller_of(const ucontext_t *context)
{
	return *(const uintptr_t *)context->uc_mcontext.gregs[REG_RSP];
}
#elif defined __aarch64__
#	define KNOWS_PLACES true

static uintptr_t
place_of(const ucontext_t *context)
{
	return (uintptr_t)context->uc_mcontext.pc;
}

static uintptr_t
caller_of(const ucontext_t *context)
{
	return (uintptr_t)context->uc_mcontext.regs[30];
}
#else
#	define KNOWS_PLACES false

static uintptr_t
place_of(const ucontext_t *context)
{
	(void)context;
	return 0;
}

static uintptr_t
caller_of(const ucontext_t *context)
{
	(void)context;
	return 0;
}
#endif

/* From the fault on, if it is among them: what is above it is this handler.  One where there is
 * no code was a call that led nowhere: there is no way back from it but by the caller. */
static void
say_backtrace(struct escape_out *o, const ucontext_t *context)
{
	void *frame[FRAMES_MAX];
	int n = backtrace(frame, FRAMES_MAX), first = 0;
	uintptr_t fault = place_of(context);

	while (first < n && (uintptr_t)frame[first] != fault)
		first++;
	if (first == n && KNOWS_PLACES && object_of(fault) == NULL) {
		say_place(o, fault);
		say_place(o, caller_of(context));
		return;
	}
	if (first == n)
		first = 0;
	for (int i = first; i < n; i++)
		say_place(o, (uintptr_t)frame[i]);
}

/* Did the processor say so, and no process? */
static bool
is_from_kernel(const siginfo_t *si)
{
	return si->si_code > 0;
}

static void
tell(size_t fault, const siginfo_t *si, const ucontext_t *context)
{
	char text[TEXT_MAX];
	struct escape_out o = {text, text + sizeof text - 1};
	struct origin origin = origin_now();

	say(&o, faults[fault].name);
	if (is_from_kernel(si)) {
		say(&o, " at address ");
		say_hex(&o, (uintptr_t)si->si_addr);
	}
	say(&o, " in ");
	origin_say(&origin, &o);
	say(&o, loop_is_mine() ? ":" : ", in a thread:");
	say_backtrace(&o, context);
	*o.at = '\0';
	log_dying(text);
}

/* A thread that comes while another one dies waits for the end. */
static void
on_fault(int sig, siginfo_t *si, void *context)
{
	static atomic_flag dying = ATOMIC_FLAG_INIT;
	size_t fault = 0;

	while (atomic_flag_test_and_set(&dying))
		pause();
	while (faults[fault].number != sig)
		fault++;
	tell(fault, si, context);
	sigaction(sig, &cr.before[fault], NULL);
	if (!is_from_kernel(si)) /* else it comes again by itself, and finds the same */
		raise(sig);
}

/* --- before --- */

static int
note_object(struct dl_phdr_info *info, size_t size, void *arg)
{
	struct object *ob = &cr.object[cr.nobject];
	const char *slash = strrchr(info->dlpi_name, '/');

	(void)size;
	(void)arg;
	if (cr.nobject == OBJECTS_MAX)
		return 1;
	*ob = (struct object){.base = info->dlpi_addr, .start = UINTPTR_MAX};
	snprintf(ob->name, sizeof ob->name, "%s",
	         slash != NULL              ? slash + 1
	         : *info->dlpi_name != '\0' ? info->dlpi_name
	                                    : "baton");
	for (size_t i = 0; i < info->dlpi_phnum; i++) {
		uintptr_t start = info->dlpi_addr + info->dlpi_phdr[i].p_vaddr;
		uintptr_t end = start + info->dlpi_phdr[i].p_memsz;

		if (info->dlpi_phdr[i].p_type != PT_LOAD)
			continue;
		ob->start = start < ob->start ? start : ob->start;
		ob->end = end > ob->end ? end : ob->end;
	}
	cr.nobject++;
	return 0;
}

void
crash_use_stack(char *stack)
{
	stack_t there, ours = {.ss_sp = stack, .ss_size = CRASH_STACK};

	if (sigaltstack(NULL, &there) == 0 && (there.ss_flags & SS_DISABLE))
		sigaltstack(&ours, NULL); /* else a sanitizer's, which it frees itself */
}

void
crash_unblock(sigset_t *set)
{
	for (size_t i = 0; i < FAULTS_N; i++)
		sigdelset(set, faults[i].number);
}

static void
install(void)
{
	struct sigaction act = {.sa_sigaction = on_fault, .sa_flags = SA_SIGINFO | SA_ONSTACK};

	for (size_t i = 0; i < FAULTS_N; i++)
		sigaddset(&act.sa_mask, faults[i].number);
	for (size_t i = 0; i < FAULTS_N; i++)
		sigaction(faults[i].number, &act, &cr.before[i]);
}

void
crash_watch(void)
{
	static char stack[CRASH_STACK];
	void *frame[1];

	cr.nobject = 0;
	dl_iterate_phdr(note_object, NULL);
	if (cr.on)
		return;
	cr.on = true;
	backtrace(frame, 1); /* the first time it loads a library */
	crash_use_stack(stack);
	install();
}
