/*
 * What a running daemon can't change in place: what was bound, opened or
 * dropped at the start.  It stays as it is, and its change is told.
 */
#include <sys/resource.h>

#include <string.h>

#include "logfile.h"
#include "parent.h"

struct list {
	char	*text;
	size_t	 size;
};

int
reload_same_database(const struct conf *a, const struct conf *b)
{
	return (a->db == b->db && strcmp(a->dsn, b->dsn) == 0 &&
	    strcmp(a->db_password, b->db_password) == 0 &&
	    strcmp(a->db_tls_ca, b->db_tls_ca) == 0 &&
	    strcmp(a->db_tls_cert, b->db_tls_cert) == 0 &&
	    strcmp(a->db_tls_key, b->db_tls_key) == 0);
}

static void
note(const struct list *list, const char *what)
{
	if (list->text[0] != '\0')
		strlcat(list->text, ", ", list->size);
	strlcat(list->text, what, list->size);
}

static void
keep_string(char *new, const char *old, size_t size, const char *what,
    const struct list *list)
{
	if (strcmp(new, old) == 0)
		return;
	note(list, what);
	strlcpy(new, old, size);
}

static void
keep_number(uint64_t *new, uint64_t old, const char *what,
    const struct list *list)
{
	if (*new == old)
		return;
	note(list, what);
	*new = old;
}

static void
keep_control(struct conf *new, const struct conf *old,
    const struct list *list)
{
	if (strcmp(new->control, old->control) == 0 &&
	    new->control_mode == old->control_mode &&
	    strcmp(new->control_group, old->control_group) == 0)
		return;
	note(list, "control");
	strlcpy(new->control, old->control, sizeof(new->control));
	new->control_mode = old->control_mode;
	strlcpy(new->control_group, old->control_group,
	    sizeof(new->control_group));
}

/* The engine has the parent's hard limit of files, for good. */
static void
keep_max_connections(struct conf *new, const struct conf *old,
    const struct list *list)
{
	struct rlimit	rl;

	if (getrlimit(RLIMIT_NOFILE, &rl) == 0 &&
	    new->s.max_connections > proc_max_connections(rl.rlim_max))
		keep_number(&new->s.max_connections, old->s.max_connections,
		    "http max-connections (over the limit of open files)",
		    list);
}

void
reload_keep(struct conf *new, const struct conf *old, char *text, size_t size)
{
	struct list	list = { text, size };

	text[0] = '\0';
	keep_string(new->user, old->user, sizeof(new->user), "user", &list);
	keep_string(new->chroot, old->chroot, sizeof(new->chroot), "chroot",
	    &list);
	keep_control(new, old, &list);
	keep_string(new->pid_file, old->pid_file, sizeof(new->pid_file),
	    "pid file", &list);
	if (new->daemonize != old->daemonize) {
		note(&list, "daemonize");
		new->daemonize = old->daemonize;
	}
	keep_number(&new->s.sandbox, old->s.sandbox, "sandbox", &list);
	keep_number(&new->s.output, old->s.output, "http output", &list);
	keep_number(&new->s.key_isolation, old->s.key_isolation,
	    "tls key-isolation", &list);
	keep_max_connections(new, old, &list);
}

/* Only a folder that is known since the start can get another. */
void
reload_log_file(struct conf *new, const struct conf *old, char *text,
    size_t size)
{
	struct list	list = { text, size };

	if (strcmp(new->log_file, old->log_file) != 0 &&
	    logfile_move(new->log_file) == -1)
		keep_string(new->log_file, old->log_file,
		    sizeof(new->log_file), "log file", &list);
}
