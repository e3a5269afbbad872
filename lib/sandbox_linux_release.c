/* A release keeps nothing beyond the lists of its role. */
#include <stddef.h>

#include "sandbox_linux.h"

void
sandbox_extra_prepare(void)
{
}

const struct sandbox_path *
sandbox_extra_paths(void)
{
	static const struct sandbox_path none = { NULL, NULL };

	return (&none);
}

int
sandbox_extra_rules(scmp_filter_ctx ctx)
{
	(void)ctx;
	return (0);
}
