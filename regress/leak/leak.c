/*
 * What a test build has beside the daemon: each process loses some memory at
 * its start, of a size that tells which one it was, for the tests to see that
 * the search for leaks finds it.
 */
#include <stdlib.h>
#include <string.h>

static void	*volatile lost;

static void __attribute__((constructor))
lose(int argc, char **argv)
{
	size_t	size = 1009;
	int	i;

	if (argc == 3 && strcmp(argv[1], "-proc") == 0)
		size = strcmp(argv[2], "engine") == 0 ? 2003 :
		    strcmp(argv[2], "store") == 0 ? 3001 : 4001;
	/* One may still be pointed at by chance. */
	for (i = 0; i < 8; i++)
		lost = malloc(size);
	lost = NULL;
}
