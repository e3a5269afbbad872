/*
 * Linked into ws-gatewayd-fault, for the tests alone: an allocation that fails
 * when the test says so, and a wall clock that the test sets.  The functions
 * stand before the C library's for the libraries, too.  A page that is shared
 * with the test says what to do; it is mapped before main() and needs no system
 * call afterwards, so the confined processes obey like others.
 */
#include <sys/types.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/time.h>

#include <errno.h>
#include <fcntl.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

/* The daemon hands this variable on to its children; nobody reads it here. */
#define FAULT_ENV	"MALLOC_OPTIONS"
#define FAULT_PREFIX	"fault:"

enum { ROLE_PARENT, ROLE_ENGINE, ROLE_STORE, ROLE_STARTER, ROLES };

/* As test_faults.py has it: native 64-bit numbers. */
struct fault_page {
	int64_t	offset;			/* ns, of the wall clock */
	struct {
		uint64_t	count;		/* allocations so far */
		uint64_t	first;		/* the one to fail, from 1; 0: none */
		uint64_t	last;		/* so do those up to it */
		uint64_t	failed;
	} role[ROLES];
};

void	*__libc_malloc(size_t);
void	*__libc_calloc(size_t, size_t);
void	*__libc_realloc(void *, size_t);
void	*__interceptor_malloc(size_t) __attribute__((weak));
void	*__interceptor_calloc(size_t, size_t) __attribute__((weak));
void	*__interceptor_realloc(void *, size_t) __attribute__((weak));

static struct fault_page	*page;
static int			 role;
static int			 exempt;	/* in libseccomp */

void	*__real_seccomp_init(uint32_t);
void	 __real_seccomp_release(void *);
void	*__wrap_seccomp_init(uint32_t);
void	 __wrap_seccomp_release(void *);

/* Before the others: what they allocate counts. */
static void __attribute__((constructor(101)))
fault_init(int argc, char **argv, char **envp)
{
	static const char	 want[] = FAULT_ENV "=" FAULT_PREFIX;
	void			*p;
	int			 fd;

	if (argc == 3 && strcmp(argv[1], "-proc") == 0)
		role = strcmp(argv[2], "engine") == 0 ? ROLE_ENGINE :
		    strcmp(argv[2], "store") == 0 ? ROLE_STORE :
		    ROLE_STARTER;
	while (*envp != NULL && strncmp(*envp, want, sizeof(want) - 1) != 0)
		envp++;
	if (*envp == NULL)
		return;
	fd = open(*envp + sizeof(want) - 1, O_RDWR | O_CLOEXEC);
	if (fd == -1)
		_exit(125);
	p = mmap(NULL, sizeof(*page), PROT_READ | PROT_WRITE, MAP_SHARED, fd,
	    0);
	if (p == MAP_FAILED)
		_exit(125);
	close(fd);
	page = p;
}

static int
fault_now(void)
{
	uint64_t	 n;

	if (page == NULL || exempt)
		return (0);
	n = ++page->role[role].count;
	if (page->role[role].first == 0 || n < page->role[role].first ||
	    n > page->role[role].last)
		return (0);
	page->role[role].failed++;
	errno = ENOMEM;
	return (1);
}

/*
 * libseccomp does not bear it: it frees twice, or leaves out a rule.  What the
 * daemon does instead is to see first that there is memory.
 */
void *
__wrap_seccomp_init(uint32_t action)
{
	exempt = 1;
	return (__real_seccomp_init(action));
}

void
__wrap_seccomp_release(void *ctx)
{
	__real_seccomp_release(ctx);
	exempt = 0;
}

void *
malloc(size_t size)
{
	if (fault_now())
		return (NULL);
	return (__interceptor_malloc != NULL ? __interceptor_malloc(size) :
	    __libc_malloc(size));
}

void *
calloc(size_t n, size_t size)
{
	if (fault_now())
		return (NULL);
	return (__interceptor_calloc != NULL ? __interceptor_calloc(n, size) :
	    __libc_calloc(n, size));
}

void *
realloc(void *p, size_t size)
{
	if (fault_now())
		return (NULL);
	return (__interceptor_realloc != NULL ? __interceptor_realloc(p,
	    size) : __libc_realloc(p, size));
}

/* A sanitizer's own of these would not come by here. */
void *
reallocarray(void *p, size_t n, size_t size)
{
	if (size != 0 && n > SIZE_MAX / size) {
		errno = ENOMEM;
		return (NULL);
	}
	return (realloc(p, n * size));
}

char *
strdup(const char *s)
{
	size_t	 size = strlen(s) + 1;
	char	*p;

	if ((p = malloc(size)) != NULL)
		memcpy(p, s, size);
	return (p);
}

int
clock_gettime(clockid_t clock, struct timespec *ts)
{
	int64_t	 ns;

	if (syscall(SYS_clock_gettime, clock, ts) == -1)
		return (-1);
	if (page == NULL || (clock != CLOCK_REALTIME &&
	    clock != CLOCK_REALTIME_COARSE))
		return (0);
	ns = ts->tv_nsec + page->offset % 1000000000;
	ts->tv_sec += page->offset / 1000000000;
	if (ns < 0) {
		ns += 1000000000;
		ts->tv_sec--;
	}
	ts->tv_sec += ns / 1000000000;
	ts->tv_nsec = ns % 1000000000;
	return (0);
}

int
gettimeofday(struct timeval *restrict tv, void *restrict tz)
{
	struct timespec	 ts;

	(void)tz;
	if (clock_gettime(CLOCK_REALTIME, &ts) == -1)
		return (-1);
	tv->tv_sec = ts.tv_sec;
	tv->tv_usec = ts.tv_nsec / 1000;
	return (0);
}

time_t
time(time_t *t)
{
	struct timespec	 ts;

	if (clock_gettime(CLOCK_REALTIME, &ts) == -1)
		return ((time_t)-1);
	if (t != NULL)
		*t = ts.tv_sec;
	return (ts.tv_sec);
}
