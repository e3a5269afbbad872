/*
 * The hidden self-test of confinement: become what a process of the daemon is,
 * in the way that it does, then try one thing that must not work.
 *
 *	ws-gatewayd -selftest ROLE NAME [folder]
 *	ws-gatewayd -selftest ROLE list
 *
 * ROLE is parent, engine, store, store-net, keys or ctl, NAME that of a probe.
 * Exits 0 when the attempt failed with an error and 1 when it worked; most
 * attempts are the end of the process.  FOLDER is what the role keeps, and
 * the engine's chroot when there is root to drop.  The list is that of what
 * the role may call.
 */
#include <err.h>
#include <limits.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "parent.h"

static const struct {
	const char		*name;
	enum sandbox_role	 role;
	const char		*perm;		/* of the folder */
} selftest_roles[] = {
	{ "parent", SANDBOX_PARENT, "rwc" },
	{ "engine", SANDBOX_ENGINE, NULL },
	{ "store", SANDBOX_STORE, "rwc" },
	{ "store-net", SANDBOX_STORE_NET, NULL },
	{ "keys", SANDBOX_KEYS, NULL },
	{ "ctl", SANDBOX_CTL, NULL },
};

static size_t
find_role(const char *name)
{
	size_t	i;

	for (i = 0; i < sizeof(selftest_roles) / sizeof(selftest_roles[0]); i++)
		if (strcmp(name, selftest_roles[i].name) == 0)
			return (i);
	errx(2, "no role %s", name);
}

static void
check_name(const char *name)
{
	const char *const	*n;

	for (n = sandbox_probe_names(); *n != NULL; n++)
		if (strcmp(name, *n) == 0)
			return;
	fprintf(stderr, "probes:");
	for (n = sandbox_probe_names(); *n != NULL; n++)
		fprintf(stderr, " %s", *n);
	fprintf(stderr, "\n");
	exit(2);
}

/* Whom the children become when root starts the daemon. */
static void
ordinary_user(struct conf_process *process)
{
	struct passwd	*pw;

	if (geteuid() != 0)
		return;
	if ((pw = getpwnam("_wsgateway")) == NULL &&
	    (pw = getpwnam("nobody")) == NULL)
		errx(2, "neither user _wsgateway nor nobody exists");
	process->drop = 1;
	process->uid = pw->pw_uid;
	process->gid = pw->pw_gid;
	strlcpy(process->user, pw->pw_name, sizeof(process->user));
}

static void
print_line(const char *line)
{
	puts(line);
}

void
selftest_main(int argc, char **argv)
{
	struct conf_process	process;
	struct sandbox_path	paths[2];
	char			folder[PATH_MAX];
	size_t			i;

	if (argc != 2 && argc != 3)
		errx(2, "usage: -selftest role name [folder]");
	i = find_role(argv[0]);
	if (argc == 2 && strcmp(argv[1], "list") == 0) {
		sandbox_list(selftest_roles[i].role, print_line);
		exit(fflush(stdout) == EOF);
	}
	check_name(argv[1]);
	sandbox_early();
	procstat_init();
	memset(&process, 0, sizeof(process));
	memset(paths, 0, sizeof(paths));
	if (selftest_roles[i].role != SANDBOX_PARENT &&
	    selftest_roles[i].role != SANDBOX_CTL)
		ordinary_user(&process);
	if (argc == 3) {
		if (realpath(argv[2], folder) == NULL)
			err(2, "%s", argv[2]);
		if (selftest_roles[i].perm != NULL) {
			paths[0].path = folder;
			paths[0].perm = selftest_roles[i].perm;
		} else
			strlcpy(process.chroot, folder,
			    sizeof(process.chroot));
	}
	/* As if its database were a server there. */
	sandbox_keep_port(3306);
	proc_confine(selftest_roles[i].role, &process, SANDBOX_REQUIRE, paths);
	exit(sandbox_probe(argv[1]));
}
