/*
 * crash: a state that kills whoever adopts it: preloaded, it ends the process when a worker of
 * another master is looked up by its pid (pidfd_open), while a file says so, or once.  A clean
 * start asks for none.
 */
#include <sys/syscall.h>
#include <sys/types.h>

#include <dlfcn.h>
#include <signal.h>
#include <stdarg.h>
#include <stdlib.h>
#include <unistd.h>

#define FILE_OF_ORDER "/run/crash-in-adoption"
#define FILE_OF_ONE   "/run/baton/crash-in-one-adoption"

int pidfd_open(pid_t pid, unsigned flags);

static void
hit(void)
{
	if (getppid() == 1 && (access(FILE_OF_ORDER, F_OK) == 0 || unlink(FILE_OF_ONE) == 0))
		raise(SIGKILL);
}

long
syscall(long number, ...)
{
	static long (*real)(long, ...);
	long arg[6];
	va_list ap;

	va_start(ap, number);
	for (int i = 0; i < 6; i++)
		arg[i] = va_arg(ap, long);
	va_end(ap);
	if (real == NULL)
		*(void **)&real = dlsym(RTLD_NEXT, "syscall");
	if (number == SYS_pidfd_open)
		hit();
	return real(number, arg[0], arg[1], arg[2], arg[3], arg[4], arg[5]);
}

int
pidfd_open(pid_t pid, unsigned flags)
{
	return (int)syscall(SYS_pidfd_open, pid, flags);
}
