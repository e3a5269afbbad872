/*
 * The configuration file's parser: what it takes must be printed and taken
 * again.  An input with "include" in it is left alone: what it does would
 * depend on the files that are there.
 */
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "conf.h"
#include "conf_set.h"

#define MAXINPUT	65536
#define MAXOUTPUT	(1024 * 1024)

struct text {
	char	*buf;
	size_t	 len;
};

int	LLVMFuzzerTestOneInput(const uint8_t *, size_t);

static void
report(const char *line)
{
	if (strchr(line, '\n') != NULL)
		abort();
}

static void
collect(const char *line, void *arg)
{
	struct text	*text = arg;
	size_t		 len;

	len = strlen(line);
	if (strchr(line, '\n') != NULL || text->len + len + 2 > MAXOUTPUT)
		abort();
	memcpy(text->buf + text->len, line, len);
	text->len += len;
	text->buf[text->len++] = '\n';
}

static struct conf *
parse(void *data, size_t size)
{
	struct conf	*conf;
	FILE		*fp;
	int		 rv;

	if ((fp = fmemopen(data, size, "r")) == NULL)
		abort();
	conf = conf_new();
	rv = parse_stream(conf, fp, "fuzz", report);
	fclose(fp);
	if (rv == 0)
		return (conf);
	conf_free(conf);
	return (NULL);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct text	 first, second;
	struct conf	*conf;
	void		*copy;

	if (size == 0 || size > MAXINPUT ||
	    memmem(data, size, "include", strlen("include")) != NULL)
		return (0);
	if ((copy = malloc(size)) == NULL)
		abort();
	memcpy(copy, data, size);
	conf = parse(copy, size);
	free(copy);
	if (conf == NULL)
		return (0);
	memset(&first, 0, sizeof(first));
	memset(&second, 0, sizeof(second));
	if ((first.buf = malloc(MAXOUTPUT)) == NULL ||
	    (second.buf = malloc(MAXOUTPUT)) == NULL)
		abort();
	conf_print(conf, 1, collect, &first);
	conf_free(conf);
	if ((conf = parse(first.buf, first.len)) == NULL)
		abort();
	conf_print(conf, 1, collect, &second);
	conf_free(conf);
	if (first.len != second.len ||
	    memcmp(first.buf, second.buf, first.len) != 0)
		abort();
	free(first.buf);
	free(second.buf);
	return (0);
}
