/*
 * Confinement: everything that a process gives up, in one file a platform
 * (sandbox_openbsd.c, sandbox_linux.c).
 */
#ifndef SANDBOX_H
#define SANDBOX_H

#include <sys/types.h>

#include <stdint.h>

enum sandbox_mode {
	SANDBOX_OFF,
	SANDBOX_PREFER,			/* warn when the kernel lacks a part */
	SANDBOX_REQUIRE			/* refuse to run then */
};

enum sandbox_role {
	SANDBOX_PARENT,
	SANDBOX_ENGINE,
	SANDBOX_STORE,
	SANDBOX_CTL,			/* ws-gatewayctl */
	SANDBOX_STORE_NET,		/* the database is a server */
	SANDBOX_KEYS,			/* signs with private keys */
	SANDBOX_STARTER			/* of stores, for a reload */
};

/* A folder or a file, and what stays allowed below it. */
struct sandbox_path {
	const char	*path;		/* absolute; NULL ends a list */
	const char	*perm;		/* of unveil(2): "r", "rwc" ... */
};

/*
 * Before any descriptor or secret is there: no new privileges, not dumpable,
 * no core files.  Called first thing in every process.
 */
void	sandbox_early(void);

/*
 * Confine the calling process for its role, for good.  PATHS are those that it
 * keeps (NULL: none).  Parts that the kernel lacks are logged as warnings with
 * SANDBOX_PREFER, fatal with SANDBOX_REQUIRE.  Any other error is fatal.
 */
void	sandbox_enter(enum sandbox_role, enum sandbox_mode,
	    const struct sandbox_path *paths);

/*
 * Before sandbox_enter(): the one TCP port that SANDBOX_STORE_NET may connect
 * to, where the platform can tell ports apart.  0 for none: its server is at a
 * socket in the file system.
 */
void	sandbox_keep_port(uint16_t);

/*
 * Before sandbox_enter(): SANDBOX_ENGINE has a ring of io_uring(7) and goes on
 * using it.
 */
void	sandbox_keep_ring(void);

/* What is in force, for logs: "pledge, unveil" or "seccomp, landlock 4". */
const char *sandbox_describe(void);

/* What a role may call, a line each, for the hidden self-test to print. */
void	sandbox_list(enum sandbox_role, void (*emit)(const char *line));

/*
 * Whether a wait status says that the sandbox killed the process; the name of
 * the signal is the caller's to print.
 */
int	sandbox_violation(int status);

/*
 * Drop to a user for good: groups, gid, uid, and check that there is no way
 * back.  CHROOT may be NULL.  Fatal on any failure.
 */
void	sandbox_drop(const char *user, uid_t, gid_t, const char *chroot);

/*
 * The hidden self-test, run inside a confined process: tries what the role
 * must not be able to do, one at a time, in a forkless way.  NAME is one of
 * those that sandbox_probe_names() lists ("open", "connect", "exec",
 * "ptrace", "kill", "socket", "fork" ...).  Returns 0 when the attempt
 * failed with an error, as it should, or 1 when it worked; most attempts kill
 * the process instead.
 */
int	sandbox_probe(const char *name);
const char *const *sandbox_probe_names(void);

#endif /* SANDBOX_H */
