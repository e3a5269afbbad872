/*
 * A new configuration while running: all of it or nothing.  What was bound,
 * opened or dropped at the start stays as it is, and its change is told.
 */
#include <stdio.h>
#include <string.h>

#include "log.h"
#include "parent.h"

/* conf_load() reports line by line, and the first one is the answer. */
static char	first_error[512];

static void
report(const char *line)
{
	if (first_error[0] == '\0')
		strlcpy(first_error, line, sizeof(first_error));
	log_error("configuration: %s", line);
}

static void
note(char *list, size_t size, const char *what)
{
	if (list[0] != '\0')
		strlcat(list, ", ", size);
	strlcat(list, what, size);
}

static void
keep_string(char *new, const char *old, size_t size, const char *what,
    char *list, size_t listsize)
{
	if (strcmp(new, old) == 0)
		return;
	note(list, listsize, what);
	strlcpy(new, old, size);
}

/* All but a password that its file has another of now. */
static void
keep_database(struct conf *new, const struct conf *old, char *list,
    size_t size)
{
	if (new->db != old->db || strcmp(new->dsn, old->dsn) != 0 ||
	    strcmp(new->db_password_file, old->db_password_file) != 0) {
		note(list, size, "database");
		new->db = old->db;
		strlcpy(new->dsn, old->dsn, sizeof(new->dsn));
		strlcpy(new->db_password_file, old->db_password_file,
		    sizeof(new->db_password_file));
		strlcpy(new->db_password, old->db_password,
		    sizeof(new->db_password));
	}
	keep_string(new->db_tls_ca, old->db_tls_ca, sizeof(new->db_tls_ca),
	    "database tls ca", list, size);
	keep_string(new->db_tls_cert, old->db_tls_cert,
	    sizeof(new->db_tls_cert), "database tls cert", list, size);
	keep_string(new->db_tls_key, old->db_tls_key, sizeof(new->db_tls_key),
	    "database tls key", list, size);
}

/*
 * Put back into NEW what a running process can't change, so that what it holds
 * is what is in force; LIST gets the names.
 */
static void
keep_old(struct conf *new, struct conf *old, char *list, size_t size)
{
	list[0] = '\0';
	parent_listen_keep(new, old, list, size);
	keep_database(new, old, list, size);
	keep_string(new->user, old->user, sizeof(new->user), "user", list,
	    size);
	keep_string(new->chroot, old->chroot, sizeof(new->chroot), "chroot",
	    list, size);
	if (strcmp(new->control, old->control) != 0 ||
	    new->control_mode != old->control_mode ||
	    strcmp(new->control_group, old->control_group) != 0) {
		note(list, size, "control");
		strlcpy(new->control, old->control, sizeof(new->control));
		new->control_mode = old->control_mode;
		strlcpy(new->control_group, old->control_group,
		    sizeof(new->control_group));
	}
	keep_string(new->log_file, old->log_file, sizeof(new->log_file),
	    "log file", list, size);
	keep_string(new->pid_file, old->pid_file, sizeof(new->pid_file),
	    "pid file", list, size);
	if (new->s.sandbox != old->s.sandbox) {
		note(list, size, "sandbox");
		new->s.sandbox = old->s.sandbox;
	}
	if (new->s.output != old->s.output) {
		note(list, size, "http output");
		new->s.output = old->s.output;
	}
}

void
parent_reload(struct parent *p, char *text, size_t size)
{
	struct conf	*conf;
	char		 list[256];
	int		 id;

	text[0] = first_error[0] = '\0';
	if ((conf = conf_load(&p->flags, report)) == NULL) {
		log_error("configuration not reloaded, the old one is in "
		    "force");
		strlcpy(text, first_error, size);
		return;
	}
	parent_conf_paths(p, conf);
	keep_old(conf, p->conf, list, sizeof(list));
	conf_free(p->conf);
	p->conf = conf;
	log_set_level((enum log_level)conf->s.log_level);
	for (id = PROC_ENGINE; id < PROC_COUNT; id++) {
		conf_send(p, &p->child[id]);
		conf_send_end(&p->child[id]);
	}
	parent_listen_trim(p);
	log_info("configuration reloaded");
	if (list[0] != '\0') {
		snprintf(text, size, "warning: a restart is needed for: %s",
		    list);
		log_warnx("a restart is needed for the new value of: %s",
		    list);
	}
}
