/* What the Linux sandbox asks of the build: a release adds nothing to it. */
#ifndef SANDBOX_LINUX_H
#define SANDBOX_LINUX_H

#include <seccomp.h>
#include <stddef.h>
#include <stdint.h>

#include "sandbox.h"

#define SANDBOX_SELF	UINT64_MAX	/* stands for the own process id */
#define SANDBOX_CONDS	2

/*
 * Roles beside those of the enum: SANDBOX_ENGINE when it keeps a ring;
 * SANDBOX_STORE_NET when it keeps files, and by how it reaches its server.
 */
#define SANDBOX_RING	(1U << 28)
#define SANDBOX_FILES	(1U << 29)
#define SANDBOX_BY_PORT	(1U << 30)
#define SANDBOX_BY_PATH	(1U << 31)

/* A call for some roles, where each (argument & mask) == value. */
struct sandbox_call {
	int			 nr;
	unsigned int		 roles;		/* 1 << enum sandbox_role */
	struct {
		unsigned int	 arg;
		uint64_t	 mask;		/* 0: no more conditions */
		uint64_t	 value;
	}			 cond[SANDBOX_CONDS];
	const char		*unseen;	/* why, though no test shows it */
};

/* sandbox_linux_calls.c: what is allowed, and what fails with an error. */
extern const struct sandbox_call	sandbox_calls[], sandbox_refused[];
extern const size_t			sandbox_ncalls, sandbox_nrefused;

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
