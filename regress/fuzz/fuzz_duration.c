/* What parses as a duration or a size is written in a form that means it. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "duration.h"

int	LLVMFuzzerTestOneInput(const uint8_t *, size_t);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char		*text, buf[64];
	uint64_t	 bytes, bytes_back;
	int64_t		 ns, ns_back;

	if ((text = malloc(size + 1)) == NULL)
		return (0);
	memcpy(text, data, size);
	text[size] = '\0';
	if (duration_parse(text, &ns) == 0) {
		duration_format(ns, buf, sizeof(buf));
		if (duration_parse(buf, &ns_back) == -1 || ns_back != ns)
			abort();
	}
	if (size_parse(text, &bytes) == 0) {
		size_format(bytes, buf, sizeof(buf));
		if (size_parse(buf, &bytes_back) == -1 || bytes_back != bytes)
			abort();
	}
	free(text);
	return (0);
}
