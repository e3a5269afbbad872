/* There is none: see writev(2). */
#include <errno.h>

#include "uring.h"

int
uring_open(void)
{
	errno = EOPNOTSUPP;
	return (-1);
}

int
uring_send(struct uring_op *ops, unsigned int n)
{
	while (n-- > 0)
		ops[n].result = -EINTR;
	errno = EOPNOTSUPP;
	return (-1);
}
