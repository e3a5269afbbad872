/* What the Linux sandbox asks of the build: a release adds nothing to it. */
#ifndef SANDBOX_LINUX_H
#define SANDBOX_LINUX_H

#include <seccomp.h>

#include "sandbox.h"

/*
 * Defined by sandbox_linux_release.c, or by sandbox_linux_sanitizer.c for the
 * run time of the sanitizers.
 */
/* Called before anything is given up. */
void	sandbox_extra_prepare(void);
/* More paths to keep, ended by NULL. */
const struct sandbox_path *sandbox_extra_paths(void);
/* More rules; 0 or a negative errno of libseccomp. */
int	sandbox_extra_rules(scmp_filter_ctx);

#endif /* SANDBOX_LINUX_H */
