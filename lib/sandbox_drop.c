/* From root to an ordinary user, and the proof that it is for good. */
#include <sys/types.h>

#include <errno.h>
#include <grp.h>
#include <stdlib.h>
#include <unistd.h>

#include "log.h"
#include "sandbox.h"

static void
verify(const char *user, uid_t uid, gid_t gid)
{
	uid_t	 r, e, s;
	gid_t	 rg, eg, sg;

	if (getresuid(&r, &e, &s) == -1 || getresgid(&rg, &eg, &sg) == -1)
		fatal("cannot read back the identity of user %s", user);
	if (r != uid || e != uid || s != uid ||
	    rg != gid || eg != gid || sg != gid)
		fatalx("cannot become user %s: the kernel kept another "
		    "identity", user);
	if (setuid(0) != -1 || seteuid(0) != -1 || setresuid(-1, 0, -1) != -1 ||
	    setgid(0) != -1 || setegid(0) != -1 || setgroups(0, NULL) != -1)
		fatalx("cannot become user %s for good: there is a way back "
		    "to root", user);
}

void
sandbox_drop(const char *user, uid_t uid, gid_t gid, const char *chroot_dir)
{
	if (uid == 0 || gid == 0)
		fatalx("user %s has uid %u and gid %u: to drop root there must "
		    "be an ordinary user and group", user, (unsigned int)uid,
		    (unsigned int)gid);
	if (setgroups(1, &gid) == -1)
		fatal("cannot set the groups of user %s", user);
	if (chroot_dir != NULL) {
		if (chroot(chroot_dir) == -1)
			fatal("cannot chroot to %s", chroot_dir);
		if (chdir("/") == -1)
			fatal("cannot change to the root of %s", chroot_dir);
	}
	if (setresgid(gid, gid, gid) == -1)
		fatal("cannot set the group of user %s", user);
	if (setresuid(uid, uid, uid) == -1)
		fatal("cannot become user %s", user);
	verify(user, uid, gid);

	/* A change of identity gives back what the kernel thinks is due. */
	sandbox_early();
}
