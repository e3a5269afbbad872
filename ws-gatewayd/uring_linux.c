/*
 * io_uring(7) by bare system calls.  A send that would have to wait ends with
 * EAGAIN at once, so all of them are done when io_uring_enter(2) returns: what
 * they send needs to live no longer than the call.
 */
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>

#include <linux/io_uring.h>

#include <errno.h>
#include <stdint.h>
#include <string.h>
#include <unistd.h>

#include "log.h"
#include "uring.h"

static struct {
	int			 fd;
	void			*rings;		/* both, in one mapping */
	size_t			 rings_size;
	struct io_uring_sqe	*sqes;
	size_t			 sqes_size;
	unsigned int		*sq_head, *sq_tail;
	unsigned int		*cq_head, *cq_tail;
	unsigned int		 sq_mask, cq_mask;
	struct io_uring_cqe	*cqes;
} ring = { .fd = -1 };

static struct msghdr	msgs[URING_MAX];

static void
ring_close(void)
{
	int	 error = errno;

	if (ring.sqes != NULL)
		munmap(ring.sqes, ring.sqes_size);
	if (ring.rings != NULL)
		munmap(ring.rings, ring.rings_size);
	close(ring.fd);
	memset(&ring, 0, sizeof(ring));
	ring.fd = -1;
	errno = error;
}

static void *
ring_map(size_t size, off_t what)
{
	void	*p;

	p = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE,
	    ring.fd, what);
	return (p == MAP_FAILED ? NULL : p);
}

static unsigned int *
ring_word(unsigned int offset)
{
	return ((unsigned int *)(void *)((char *)ring.rings + offset));
}

static int
ring_map_all(const struct io_uring_params *p)
{
	unsigned int	*array;
	size_t		 cq_size;
	unsigned int	 i;

	if (!(p->features & IORING_FEAT_SINGLE_MMAP)) {
		errno = EOPNOTSUPP;
		return (-1);
	}
	ring.rings_size = p->sq_off.array + p->sq_entries * sizeof(*array);
	cq_size = p->cq_off.cqes + p->cq_entries * sizeof(*ring.cqes);
	if (ring.rings_size < cq_size)
		ring.rings_size = cq_size;
	ring.sqes_size = p->sq_entries * sizeof(*ring.sqes);
	if ((ring.rings = ring_map(ring.rings_size,
	    IORING_OFF_SQ_RING)) == NULL ||
	    (ring.sqes = ring_map(ring.sqes_size, IORING_OFF_SQES)) == NULL)
		return (-1);
	ring.sq_head = ring_word(p->sq_off.head);
	ring.sq_tail = ring_word(p->sq_off.tail);
	ring.sq_mask = *ring_word(p->sq_off.ring_mask);
	ring.cq_head = ring_word(p->cq_off.head);
	ring.cq_tail = ring_word(p->cq_off.tail);
	ring.cq_mask = *ring_word(p->cq_off.ring_mask);
	ring.cqes = (struct io_uring_cqe *)(void *)ring_word(p->cq_off.cqes);
	/* The order of entries is that of their places. */
	array = ring_word(p->sq_off.array);
	for (i = 0; i < p->sq_entries; i++)
		array[i] = i;
	return (0);
}

/* From here on it takes sends without flags, and no more io_uring_register. */
static int
ring_restrict(void)
{
	struct io_uring_restriction	 may[2];

	memset(may, 0, sizeof(may));
	may[0].opcode = IORING_RESTRICTION_SQE_OP;
	may[0].sqe_op = IORING_OP_SEND;
	may[1].opcode = IORING_RESTRICTION_SQE_OP;
	may[1].sqe_op = IORING_OP_SENDMSG;
	if (syscall(SYS_io_uring_register, ring.fd,
	    IORING_REGISTER_RESTRICTIONS, may, 2) == -1)
		return (-1);
	return ((int)syscall(SYS_io_uring_register, ring.fd,
	    IORING_REGISTER_ENABLE_RINGS, NULL, 0));
}

int
uring_open(void)
{
	struct io_uring_params	 p;

	memset(&p, 0, sizeof(p));
	p.flags = IORING_SETUP_R_DISABLED;
	if ((ring.fd = (int)syscall(SYS_io_uring_setup, URING_MAX, &p)) == -1)
		return (-1);
	if (ring_map_all(&p) == -1 || ring_restrict() == -1) {
		ring_close();
		return (-1);
	}
	return (0);
}

static void
ring_put(const struct uring_op *op, unsigned int nth)
{
	unsigned int		 tail = *ring.sq_tail;
	struct io_uring_sqe	*sqe = &ring.sqes[tail & ring.sq_mask];

	memset(sqe, 0, sizeof(*sqe));
	sqe->fd = op->fd;
	sqe->user_data = nth;
	sqe->msg_flags = MSG_NOSIGNAL | MSG_DONTWAIT;
	if (op->niov == 1) {
		sqe->opcode = IORING_OP_SEND;
		sqe->addr = (uintptr_t)op->iov->iov_base;
		sqe->len = (uint32_t)op->iov->iov_len;
	} else {
		msgs[nth].msg_iov = op->iov;
		msgs[nth].msg_iovlen = (size_t)op->niov;
		sqe->opcode = IORING_OP_SENDMSG;
		sqe->addr = (uintptr_t)&msgs[nth];
		sqe->len = 1;
	}
	__atomic_store_n(ring.sq_tail, tail + 1, __ATOMIC_RELEASE);
}

/* Take the results that are there; how many. */
static unsigned int
ring_take(struct uring_op *ops)
{
	const struct io_uring_cqe	*cqe;
	unsigned int			 head = *ring.cq_head, i, n;

	n = __atomic_load_n(ring.cq_tail, __ATOMIC_ACQUIRE) - head;
	for (i = 0; i < n; i++) {
		cqe = &ring.cqes[(head + i) & ring.cq_mask];
		ops[cqe->user_data].result = cqe->res;
	}
	__atomic_store_n(ring.cq_head, head + n, __ATOMIC_RELEASE);
	return (n);
}

int
uring_send(struct uring_op *ops, unsigned int n)
{
	unsigned int	 i, left, waiting;

	for (i = 0; i < n; i++)
		ops[i].result = -EINTR;
	if (ring.fd == -1) {
		errno = EBADF;
		return (-1);
	}
	for (i = 0; i < n; i++)
		ring_put(&ops[i], i);
	for (left = n; left > 0; left -= ring_take(ops)) {
		/* The kernel moves the head past those that it has begun. */
		waiting = *ring.sq_tail -
		    __atomic_load_n(ring.sq_head, __ATOMIC_ACQUIRE);
		if (syscall(SYS_io_uring_enter, ring.fd, waiting, left,
		    IORING_ENTER_GETEVENTS, NULL, 0) != -1 || errno == EINTR)
			continue;
		/* What is under way is not ours to free or to send again. */
		if (waiting != left)
			fatal("io_uring_enter");
		ring_close();
		return (-1);
	}
	return (0);
}
