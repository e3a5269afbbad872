/*
 * The parent's paths: absolute from the start, since the working directory is
 * left, and at last the only ones that it can still reach.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "log.h"
#include "parent.h"

/* Into an absolute path from the folder of the start, in place. */
static int
absolute(const struct parent *p, char *path, size_t size, char *why,
    size_t whysize)
{
	const char	*cwd = p->cwd;
	char		 rel[PATH_MAX];
	int		 n;

	if (path[0] == '/' || path[0] == '\0')
		return (0);
	strlcpy(rel, path, sizeof(rel));
	n = snprintf(path, size, "%s/%s", strcmp(cwd, "/") == 0 ? "" : cwd,
	    rel);
	if (n >= 0 && (size_t)n < size)
		return (0);
	snprintf(why, whysize, "%.100s...: the path is too long from %.100s",
	    rel, cwd);
	return (-1);
}

int
parent_conf_paths(struct parent *p, struct conf *conf, char *why, size_t size)
{
	if (absolute(p, conf->log_file, sizeof(conf->log_file), why,
	    size) == -1 ||
	    absolute(p, conf->pid_file, sizeof(conf->pid_file), why,
	    size) == -1 ||
	    absolute(p, conf->control, sizeof(conf->control), why,
	    size) == -1 ||
	    absolute(p, conf->chroot, sizeof(conf->chroot), why, size) == -1)
		return (-1);

	/* The file is read again after the working directory was left. */
	if (p->conf_file[0] != '\0')
		return (0);
	strlcpy(p->conf_file, p->flags.file != NULL ? p->flags.file :
	    CONF_FILE, sizeof(p->conf_file));
	if (absolute(p, p->conf_file, sizeof(p->conf_file), why, size) == -1)
		return (-1);
	/* The one that nobody asked for, if it is here, must not go. */
	if (p->flags.file != NULL || !TAILQ_EMPTY(&conf->files))
		p->flags.file = p->conf_file;
	return (0);
}

#define PATHS_MAX	1024

struct folders {
	struct sandbox_path	list[PATHS_MAX + 1];
	char			path[PATHS_MAX][PATH_MAX];
	size_t			n;
};

/*
 * The folder of a file, not the file: it is replaced by another of its name
 * (an editor, a rotation), and a rule is for the file that is there now.
 */
static void
folder_of(struct folders *f, const char *file, const char *perm)
{
	char	*path, *slash;
	size_t	 i;

	if (file[0] == '\0')
		return;
	if (f->n == PATHS_MAX)
		parent_refuse("more than %d folders of files and sockets",
		    PATHS_MAX);
	path = f->path[f->n];
	strlcpy(path, file, PATH_MAX);
	slash = strrchr(path, '/');
	slash[slash == path ? 1 : 0] = '\0';
	for (i = 0; i < f->n; i++)
		if (strcmp(f->list[i].path, path) == 0 &&
		    strcmp(f->list[i].perm, perm) == 0)
			return;
	f->list[f->n].path = path;
	f->list[f->n].perm = perm;
	f->n++;
}

/* Where it is, and where it really is. */
static void
folders_to_read(struct folders *f, const struct parent *p, const char *file)
{
	char	path[PATH_MAX], real[PATH_MAX], why[256];

	if (file[0] == '\0')
		return;
	strlcpy(path, file, sizeof(path));
	if (absolute(p, path, sizeof(path), why, sizeof(why)) == -1)
		parent_refuse("%s", why);
	folder_of(f, path, "r");
	if (realpath(path, real) != NULL)
		folder_of(f, real, "r");
}

/* They are read again by a reload. */
static void
folders_of_tls(struct folders *f, const struct parent *p,
    const struct conf_tls *tls)
{
	const struct conf_keypair	*kp;

	TAILQ_FOREACH(kp, &tls->keypairs, entry) {
		folders_to_read(f, p, kp->cert);
		folders_to_read(f, p, kp->key);
		if (kp->ocsp != NULL)
			folders_to_read(f, p, kp->ocsp);
	}
	if (tls->client_ca != NULL)
		folders_to_read(f, p, tls->client_ca);
}

void
parent_confine(struct parent *p)
{
	static struct folders	 f;
	static struct conf_process stay;	/* the parent drops nothing */
	struct conf_string	*file;
	struct conf_listen	*cl;
	struct listener		*l;

	folders_to_read(&f, p, p->conf_file);
	TAILQ_FOREACH(file, &p->conf->files, entry)
		folders_to_read(&f, p, file->s);
	folders_to_read(&f, p, p->conf->db_password_file);
	folder_of(&f, p->conf->log_file, "rwc");
	folder_of(&f, p->conf->pid_file, "rwc");
	TAILQ_FOREACH(cl, &p->conf->listens, entry)
		if (cl->tls != NULL)
			folders_of_tls(&f, p, cl->tls);
	TAILQ_FOREACH(l, &p->listeners, entry)
		if (l->us.made)
			folder_of(&f, l->us.path, "rwc");
	if (p->control.made)
		folder_of(&f, p->control.path, "rwc");
	if (p->conf->s.sandbox != SANDBOX_OFF)
		conf_confined();
	proc_confine(SANDBOX_PARENT, &stay,
	    (enum sandbox_mode)p->conf->s.sandbox, f.list);
}
