/*
 * The io_uring floor: the sends of a broadcast enter the kernel together, and
 * the loop waits for them all.  The rings are used by bare system calls, so
 * that no library is needed.
 */
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>

#include <linux/io_uring.h>

#include <err.h>
#include <errno.h>
#include <stdint.h>
#include <string.h>
#include <unistd.h>

#include "floor.h"

#define ENTRIES		16384

static int			 ring;
static unsigned int		*sq_tail, *sq_mask, *sq_array;
static unsigned int		*cq_head, *cq_tail, *cq_mask;
static struct io_uring_sqe	*sqes;
static struct io_uring_cqe	*cqes;
static unsigned int		 nqueued;

static void *
map(size_t len, off_t what)
{
	void	*p;

	p = mmap(NULL, len, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE,
	    ring, what);
	if (p == MAP_FAILED)
		err(1, "io_uring: mmap");
	return (p);
}

void
floor_start(void)
{
	struct io_uring_params	 p;
	char			*sq, *cq;

	/* What is completed is taken only when it is asked for. */
	memset(&p, 0, sizeof(p));
	p.flags = IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN;
	ring = (int)syscall(SYS_io_uring_setup, ENTRIES, &p);
	if (ring == -1 && errno == EINVAL) {
		memset(&p, 0, sizeof(p));
		ring = (int)syscall(SYS_io_uring_setup, ENTRIES, &p);
	}
	if (ring == -1)
		err(1, "io_uring_setup");
	sq = map(p.sq_off.array + p.sq_entries * sizeof(unsigned int),
	    IORING_OFF_SQ_RING);
	cq = map(p.cq_off.cqes + p.cq_entries * sizeof(*cqes),
	    IORING_OFF_CQ_RING);
	sqes = map(p.sq_entries * sizeof(*sqes), IORING_OFF_SQES);
	sq_tail = (unsigned int *)(void *)(sq + p.sq_off.tail);
	sq_mask = (unsigned int *)(void *)(sq + p.sq_off.ring_mask);
	sq_array = (unsigned int *)(void *)(sq + p.sq_off.array);
	cq_head = (unsigned int *)(void *)(cq + p.cq_off.head);
	cq_tail = (unsigned int *)(void *)(cq + p.cq_off.tail);
	cq_mask = (unsigned int *)(void *)(cq + p.cq_off.ring_mask);
	cqes = (struct io_uring_cqe *)(void *)(cq + p.cq_off.cqes);
}

static void
queue_send(int fd, const char *frame, size_t len)
{
	struct io_uring_sqe	*sqe;
	unsigned int		 tail = *sq_tail, at = tail & *sq_mask;

	sqe = &sqes[at];
	memset(sqe, 0, sizeof(*sqe));
	sqe->opcode = IORING_OP_SEND;
	sqe->fd = fd;
	sqe->addr = (__u64)(uintptr_t)frame;
	sqe->len = (__u32)len;
	sqe->msg_flags = MSG_NOSIGNAL | MSG_DONTWAIT;
	sq_array[at] = at;
	__atomic_store_n(sq_tail, tail + 1, __ATOMIC_RELEASE);
	nqueued++;
}

/* Submits what is queued and waits until all of it is done. */
static void
flush(size_t len)
{
	unsigned int	 head, tail, want = nqueued;
	unsigned long	 lost = 0;
	long		 n;

	while (want != 0) {
		n = syscall(SYS_io_uring_enter, ring, nqueued, want,
		    IORING_ENTER_GETEVENTS, NULL, 0);
		if (n == -1) {
			if (errno == EINTR)
				continue;
			err(1, "io_uring_enter");
		}
		nqueued -= (unsigned int)n;
		head = *cq_head;
		tail = __atomic_load_n(cq_tail, __ATOMIC_ACQUIRE);
		for (; head != tail; head++, want--)
			if (cqes[head & *cq_mask].res != (int)len)
				lost++;
		__atomic_store_n(cq_head, head, __ATOMIC_RELEASE);
	}
	if (lost != 0)
		floor_short(lost);
}

void
floor_broadcast(const int *fds, int n, const char *frame, size_t len)
{
	int	 i;

	for (i = 0; i < n; i++) {
		queue_send(fds[i], frame, len);
		if (nqueued == ENTRIES)
			flush(len);
	}
	flush(len);
}

void
floor_turn_end(const int *fds, int n)
{
	(void)fds;
	(void)n;
}
