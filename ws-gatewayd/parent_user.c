/*
 * Whom the children become, and where the engine is locked up: looked up by a
 * parent that is root; anyone else's stay what they are, and that is said.
 */
#include <sys/stat.h>

#include <errno.h>
#include <pwd.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "log.h"
#include "parent.h"
#include "platform.h"

/* Like mkdir -p; the folders are root's, for nobody else to write in. */
static void
make_folder(const char *path)
{
	char	 part[PATH_MAX], *slash;
	mode_t	 mask;

	strlcpy(part, path, sizeof(part));
	mask = umask(022);
	for (slash = part + 1; ; slash++) {
		slash += strcspn(slash, "/");
		if (*slash == '\0')
			break;
		*slash = '\0';
		if (mkdir(part, 0755) == -1 && errno != EEXIST)
			parent_refuse("chroot %s: can't create %s: %s", path,
			    part, strerror(errno));
		*slash = '/';
	}
	if (mkdir(part, 0755) == -1 && errno != EEXIST)
		parent_refuse("chroot %s: can't create it: %s", path,
		    strerror(errno));
	umask(mask);
}

static void
check_chroot(const char *path)
{
	struct stat	st;

	if (stat(path, &st) == -1 && errno == ENOENT)
		make_folder(path);
	if (stat(path, &st) == -1)
		parent_refuse("chroot %s: %s", path, strerror(errno));
	if (!S_ISDIR(st.st_mode))
		parent_refuse("chroot %s: not a folder", path);
	if (st.st_uid != 0 || (st.st_mode & (S_IWGRP | S_IWOTH)) != 0)
		parent_refuse("chroot %s: must be owned by root and not "
		    "writable by others: chown root %s; chmod 755 %s", path,
		    path, path);
}

void
parent_identity(struct parent *p)
{
	const char	*user = p->conf->user;
	struct passwd	*pw;
	char		 hint[256];

	memset(&p->process, 0, sizeof(p->process));
	if (geteuid() != 0) {
		log_warnx("not started as root: no chroot, and all processes "
		    "stay the user that started them");
		return;
	}
	errno = 0;
	if ((pw = getpwnam(user)) == NULL) {
		if (errno != 0 && errno != ENOENT)
			parent_refuse("user %s: %s", user, strerror(errno));
		snprintf(hint, sizeof(hint), platform_hint_user, user);
		parent_refuse("user %s does not exist: create it with %s",
		    user, hint);
	}
	if (pw->pw_uid == 0 || pw->pw_gid == 0)
		parent_refuse("user %s is root or in root's group: choose "
		    "another for \"user\" in the configuration", user);
	p->process.drop = 1;
	p->process.uid = pw->pw_uid;
	p->process.gid = pw->pw_gid;
	strlcpy(p->process.user, user, sizeof(p->process.user));
	if (p->conf->chroot[0] == '\0')
		return;
	check_chroot(p->conf->chroot);
	if (strlcpy(p->process.chroot, p->conf->chroot,
	    sizeof(p->process.chroot)) >= sizeof(p->process.chroot))
		parent_refuse("chroot: the path is too long");
}
