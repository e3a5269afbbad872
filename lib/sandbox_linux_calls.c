/*
 * The system calls that each role makes, and nothing else.  What the tests show
 * to be made stands without a word; what they don't has the reason why it is
 * here all the same.  regress/seccomp.sh compares.
 */
#include <sys/types.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/socket.h>

#include <linux/io_uring.h>
#include <netinet/in.h>

#include <fcntl.h>
#include <seccomp.h>
#include <signal.h>
#include <stddef.h>
#include <stdint.h>
#include <unistd.h>

#include "sandbox_linux.h"

#define P	(1U << SANDBOX_PARENT)
#define E	(1U << SANDBOX_ENGINE)
#define S	(1U << SANDBOX_STORE)
#define N	(1U << SANDBOX_STORE_NET)
#define C	(1U << SANDBOX_CTL)
#define K	(1U << SANDBOX_KEYS)
#define DAEMON	(P | E | S | N | K)
#define ALL	(DAEMON | C)

/* The kernel reads an int of it. */
#define INT(n, v)	{ { n, 0xffffffffULL, v } }
#define BITS(n, m, v)	{ { n, m, v } }
#define ANY		{ { 0, 0, 0 } }
#define STREAM(family)	{ { 0, 0xffffffffULL, family }, \
    { 1, SOCK_TYPES, SOCK_STREAM } }
#define SOCK_TYPES	0xfULL		/* what is not flags of it */
#define SYS(name)	SCMP_SYS(name)

#define ABORT	"abort(3), after a check that failed: unit/test_sandbox.c"
#define ARM64	"arm64 has no older call"
#define EVENT	"libevent 2.2 and later"
#define GLIBC	"fstat(3) of glibc 2.39 and later"
#define HEAP	"malloc(3), where more is needed than the tests do"
#define IPV6	"a server that has no other address"
#define JOURNAL	"SQLite: what another process did not end: unit/test_sandbox.c"
#define KERNEL	"the kernel's own, when a process that waits is stopped"
#define NAME	"the resolver, where a name is asked for anew"
#define UNREAD	"fclose(3), of a file that was not read to its end"
#define SYSLOG	"syslog(3), which the tests can't have: unit/test_sandbox.c"
#define TERMINAL "a terminal, which the tests are not"
#define VDSO	"the C library's way where the clock can't be read directly"
#define WAL	"SQLite, where many use a WAL at once: unit/test_sandbox.c"

const struct sandbox_call sandbox_calls[] = {
	/* Memory. */
	{ SYS(brk), ALL, ANY, HEAP },
	{ SYS(mmap), ALL, BITS(2, PROT_EXEC, 0), HEAP },
	{ SYS(munmap), ALL, ANY, HEAP },
	{ SYS(mremap), ALL, ANY, HEAP },
	{ SYS(futex), E | N | K, ANY, NULL },
	{ SYS(getrandom), E | S | N | K, ANY, NULL },
	/* Time. */
	{ SYS(clock_gettime), ALL, ANY, VDSO },
	{ SYS(gettimeofday), ALL, ANY, VDSO },
	{ SYS(clock_nanosleep), S, ANY, WAL },
	/* Signals, and the end. */
	{ SYS(rt_sigprocmask), ALL, ANY, ABORT },
	{ SYS(gettid), ALL, ANY, ABORT },
	{ SYS(tgkill), ALL, BITS(0, 0xffffffffULL, SANDBOX_SELF), ABORT },
	{ SYS(writev), P | S | N | C | K, ANY, ABORT },
	{ SYS(restart_syscall), ALL, ANY, KERNEL },
	{ SYS(rt_sigreturn), P | C, ANY, NULL },
	{ SYS(exit_group), ALL, ANY, NULL },
	/* Itself. */
	{ SYS(getpid), ALL, ANY, NULL },
	{ SYS(geteuid), P | S, ANY, NULL },
	{ SYS(getrusage), DAEMON, ANY, NULL },
	{ SYS(prlimit64), DAEMON,
	    { { 0, 0xffffffffULL, 0 }, { 2, UINT64_MAX, 0 } }, NULL },
	/* Descriptors that are there already. */
	{ SYS(read), P | N, ANY, NULL },
	/* A key, and the terminal as it was: "ws-gatewayctl top". */
	{ SYS(read), C, INT(0, STDIN_FILENO), NULL },
	{ SYS(ioctl), C, { { 0, 0xffffffffULL, STDIN_FILENO },
	    { 1, 0xffffffffULL, TCSETS } }, NULL },
	{ SYS(write), P | N | C, ANY, NULL },
	{ SYS(writev), E, ANY, NULL },
	{ SYS(recvfrom), E | N, ANY, NULL },
	{ SYS(sendto), P | E | N, ANY, NULL },
	{ SYS(recvmsg), ALL, ANY, NULL },
	{ SYS(sendmsg), ALL, ANY, NULL },
	{ SYS(pread64), DAEMON, ANY, NULL },
	{ SYS(lseek), P, ANY, UNREAD },
	{ SYS(close), DAEMON, ANY, NULL },
	{ SYS(fstat), P | S | N | C, ANY, GLIBC },
	{ SYS(newfstatat), P | S | N | C,
	    BITS(3, AT_EMPTY_PATH, AT_EMPTY_PATH), NULL },
	{ SYS(fcntl), DAEMON, INT(1, F_GETFL), NULL },
	{ SYS(fcntl), N, INT(1, F_SETFL), NULL },
	{ SYS(fcntl), P | E, INT(1, F_DUPFD_CLOEXEC), NULL },
	{ SYS(ioctl), P, INT(1, TCGETS), TERMINAL },
	{ SYS(ioctl), C, INT(1, TCGETS), NULL },
	{ SYS(ioctl), C, INT(1, TIOCGWINSZ), NULL },
	/* The loop. */
	{ SYS(poll), ALL, ANY, NULL },
	{ SYS(ppoll), ALL, ANY, ARM64 },
	{ SYS(epoll_ctl), DAEMON, ANY, NULL },
	{ SYS(epoll_wait), DAEMON, ANY, NULL },
	{ SYS(epoll_pwait), DAEMON, ANY, ARM64 },
	{ SYS(epoll_pwait2), DAEMON, ANY, EVENT },

	/* The engine: none makes a socket but accept(2). */
	{ SYS(accept4), E, ANY, NULL },
	{ SYS(getsockopt), E | N, ANY, NULL },
	{ SYS(setsockopt), N, INT(1, SOL_SOCKET), NULL },
	{ SYS(setsockopt), N, INT(1, IPPROTO_TCP), NULL },
	{ SYS(shutdown), E | N, ANY, NULL },
	/* The ring was told to take sends only: see uring_linux.c. */
	{ SYS(io_uring_enter), SANDBOX_RING, INT(3, IORING_ENTER_GETEVENTS),
	    NULL },

	/*
	 * The client of a database server: of its sockets, Landlock lets it
	 * connect to one port only.
	 */
	{ SYS(setsockopt), N, INT(1, IPPROTO_IP), NULL },
	{ SYS(socket), SANDBOX_BY_PORT, STREAM(AF_INET), NULL },
	{ SYS(socket), SANDBOX_BY_PORT, STREAM(AF_INET6), IPV6 },
	{ SYS(socket), SANDBOX_BY_PATH, STREAM(AF_UNIX), NULL },
	{ SYS(connect), N, ANY, NULL },

	/*
	 * The parent reads its configuration again, opens the log file again,
	 * removes pid file and sockets.  The store has a database, a journal
	 * and shared memory.  Which files, is for Landlock to say.
	 */
	{ SYS(openat), P | S, ANY, NULL },
	{ SYS(newfstatat), P | S, BITS(3, AT_EMPTY_PATH, 0), NULL },
	{ SYS(readlink), S, ANY, NULL },
	{ SYS(readlinkat), S, ANY, ARM64 },
	{ SYS(unlink), P | S, ANY, NULL },
	{ SYS(unlinkat), P | S, ANY, ARM64 },
	{ SYS(pwrite64), S, ANY, NULL },
	{ SYS(ftruncate), S, ANY, JOURNAL },
	{ SYS(fdatasync), S, ANY, NULL },
	{ SYS(fchmod), S, ANY, NULL },
	{ SYS(fcntl), S, INT(1, F_SETLK), NULL },
	{ SYS(fcntl), S, INT(1, F_GETLK), NULL },

	/* A new store, at a reload: to it, and from it to the engine. */
	{ SYS(socketpair), P, INT(0, AF_UNIX), NULL },

	/* Children are ended and reaped. */
	{ SYS(kill), P, INT(1, SIGKILL), NULL },
	{ SYS(wait4), P, ANY, NULL },
};
const size_t sandbox_ncalls = sizeof(sandbox_calls) / sizeof(sandbox_calls[0]);

/*
 * These fail with an error instead of ending the process.  syslog(3) makes a
 * new socket when the one that it has is refused: the restart of another daemon
 * must not be the end of this one.  What the resolver and the loader of
 * plugins look for in files was loaded before; only where TLS has files that
 * are kept, such calls are for Landlock to judge (SANDBOX_FILES).
 */
const struct sandbox_call sandbox_refused[] = {
	{ SYS(socket), P, ANY, SYSLOG },
	{ SYS(socket), N, BITS(1, SOCK_TYPES, SOCK_DGRAM), NAME },
	{ SYS(openat), SANDBOX_FILES, ANY, NULL },
	{ SYS(newfstatat), SANDBOX_FILES, BITS(3, AT_EMPTY_PATH, 0),
	    NULL },
	{ SYS(access), SANDBOX_FILES, ANY, NULL },
	{ SYS(faccessat), SANDBOX_FILES, ANY, ARM64 },
};
const size_t sandbox_nrefused =
    sizeof(sandbox_refused) / sizeof(sandbox_refused[0]);
