/*
 * Stands in for libFuzzer where only known inputs are to be run: each file of
 * the command line once, in memory of just its size.
 */
#include <sys/types.h>
#include <sys/stat.h>

#include <err.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

int	LLVMFuzzerTestOneInput(const uint8_t *, size_t);

static void
replay(const char *path)
{
	struct stat	 st;
	uint8_t		*data;
	size_t		 size;
	int		 fd;

	if ((fd = open(path, O_RDONLY)) == -1 || fstat(fd, &st) == -1)
		err(1, "%s", path);
	size = (size_t)st.st_size;
	if ((data = malloc(size + (size == 0))) == NULL)
		err(1, "%s", path);
	if (read(fd, data, size) != (ssize_t)size)
		errx(1, "%s: short read", path);
	close(fd);
	/* Who ends in a crash is named by the last line. */
	printf("%s\n", path);
	fflush(stdout);
	LLVMFuzzerTestOneInput(data, size);
	free(data);
}

int
main(int argc, char **argv)
{
	int	i;

	if (argc < 2)
		errx(1, "usage: %s file ...", argv[0]);
	for (i = 1; i < argc; i++)
		replay(argv[i]);
	printf("%d inputs\n", argc - 1);
	return (0);
}
