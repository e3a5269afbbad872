/* What a message carries, from an argument or from standard input. */
#include <err.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "payload.h"

#define PAYLOAD_CHUNK	65536
#define PAYLOAD_MAX	(256 * 1024 * 1024)	/* the daemon takes less */

static void
read_input(struct payload *p)
{
	size_t	size = 0;
	ssize_t	n;

	for (;;) {
		if (size - p->len < PAYLOAD_CHUNK) {
			p->data = recallocarray(p->data, size,
			    size * 2 + PAYLOAD_CHUNK, 1);
			if (p->data == NULL)
				err(1, NULL);
			size = size * 2 + PAYLOAD_CHUNK;
		}
		n = read(STDIN_FILENO, p->data + p->len, size - p->len);
		if (n == -1)
			err(1, "standard input");
		if (n == 0)
			return;
		p->len += (size_t)n;
		if (p->len > PAYLOAD_MAX)
			errx(1, "standard input has more than %d MB",
			    PAYLOAD_MAX / (1024 * 1024));
	}
}

/* White space alone, such as the newline of echo, is as good as nothing. */
static int
is_blank(const struct payload *p)
{
	size_t	i;

	for (i = 0; i < p->len; i++) {
		if (memchr(" \t\r\n", p->data[i], 4) == NULL)
			return (0);
	}
	return (1);
}

void
payload_read(struct payload *p, const char *arg)
{
	p->data = NULL;
	p->len = 0;
	if (arg != NULL && strcmp(arg, "-") != 0) {
		if ((p->data = strdup(arg)) == NULL)
			err(1, NULL);
		p->len = strlen(arg);
		return;
	}
	if (arg == NULL && isatty(STDIN_FILENO))
		return;
	read_input(p);
	if (is_blank(p))
		p->len = 0;
}
