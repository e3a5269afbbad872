/*
 * A whole configuration: defaults, then the file, then the command line, then
 * the checks that need more than one setting.
 */
#include <sys/types.h>
#include <sys/stat.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "conf.h"
#include "conf_set.h"
#include "control.h"
#include "log.h"
#include "mysql_dsn.h"

struct conf *
conf_new(void)
{
	struct conf	*conf;
	struct why	 why;

	if ((conf = calloc(1, sizeof(*conf))) == NULL)
		fatal("configuration");
	settings_defaults(&conf->s);
	TAILQ_INIT(&conf->listens);
	TAILQ_INIT(&conf->origins);
	TAILQ_INIT(&conf->files);
	TAILQ_INIT(&conf->places);
	conf->db = DB_SQLITE;
	conf->control_mode = CONF_MODE;
	control_default_path(conf->control, sizeof(conf->control));
	if (conf_set_dsn(conf, DEFAULT_DSN, &why) == -1 ||
	    conf_set_user(conf, DEFAULT_USER, &why) == -1 ||
	    conf_set_chroot(conf, DEFAULT_CHROOT, &why) == -1 ||
	    conf_add_listen(conf, DEFAULT_LISTEN, CONF_MODE, NULL, &why) == -1)
		fatalx("default configuration: %s", why.text);
	return (conf);
}

void
conf_free(struct conf *conf)
{
	if (conf == NULL)
		return;
	conf_clear_listens(conf);
	conf_clear_origins(conf);
	conf_clear_places(conf);
	freezero(conf, sizeof(*conf));
}

/* BIG must not be below SMALL; both are rows of one kind. */
static int
check_order(const struct conf *conf, const char *bblock, const char *bname,
    const char *sblock, const char *sname, void (*report)(const char *))
{
	const struct settings	*s = &conf->s;
	const struct setting	*big, *small;
	const char		*where;
	char			 b[64], l[64];

	big = setting_by_name(bblock, bname);
	small = setting_by_name(sblock, sname);
	if (setting_get(s, big) >= setting_get(s, small))
		return (0);
	where = conf_where_setting(conf, big);
	if (*where == '\0')
		where = conf_where_setting(conf, small);
	conf_report(report, "%s%s %s (%s) must not be below %s %s (%s)",
	    where, bblock, bname, setting_format(big, setting_get(s, big), b,
	    sizeof(b)), sblock, sname, setting_format(small,
	    setting_get(s, small), l, sizeof(l)));
	return (-1);
}

static int
check_settings(const struct conf *conf, void (*report)(const char *))
{
	int	rv;

	rv = check_order(conf, "players", "send-queue-hard",
	    "players", "send-queue-soft", report);
	/* A message of the largest size would close every connection. */
	rv |= check_order(conf, "players", "send-queue-hard",
	    "publishers", "max-body", report);
	/* The first pong can't be there before the first ping. */
	rv |= check_order(conf, "players", "pong-timeout",
	    "players", "ping-interval", report);
	rv |= check_order(conf, "http", "max-header",
	    "http", "max-request-line", report);
	if (conf->s.max_queued > 0)
		rv |= check_order(conf, "queue", "total-bytes",
		    "publishers", "max-body", report);
	return (rv);
}

/* No message names the DSN: it may hold a password. */
static int
check_database(const struct conf *conf, void (*report)(const char *))
{
	const char	*where = conf_where(conf, "database");
	char		 why[256];

	if (conf->db == DB_MYSQL && strcmp(conf->dsn, DEFAULT_DSN) == 0) {
		conf_report(report, "%sdatabase mysql: give its DSN (-dsn "
		    "\"user:password@tcp(host:3306)/db\")", where);
		return (-1);
	}
	if (conf->db == DB_MYSQL &&
	    mysql_dsn_check(conf->dsn, why, sizeof(why)) == -1) {
		conf_report(report, "%sdatabase mysql: the DSN: %s", where,
		    why);
		return (-1);
	}
	if (conf->db == DB_MYSQL && conf->db_create) {
		conf_report(report, "%sdatabase mysql: only an SQLite "
		    "database can be created (leave out -C and \"create\")",
		    where);
		return (-1);
	}
	if (conf->db == DB_SQLITE && conf->dsn[0] != '/' &&
	    conf->dsn[0] != '.' && strncmp(conf->dsn, "file:", 5) != 0 &&
	    strchr(conf->dsn, '@') != NULL && dsn_is_mysql(conf->dsn)) {
		conf_report(report, "%sdatabase sqlite: the DSN is one of "
		    "MySQL (give -db mysql, or \"./\" in front of a path)",
		    where);
		return (-1);
	}
	return (0);
}

/* Who says whose a connection is can't be just anybody. */
static int
check_proxies(const struct conf *conf, void (*report)(const char *))
{
	const struct conf_listen	*l;
	int				 rv = 0;

	TAILQ_FOREACH(l, &conf->listens, entry)
		if (l->proxy_protocol && conf->nproxies == 0) {
			conf_report(report, "%slisten on \"%s\": "
			    "proxy-protocol needs the list of proxies",
			    conf_where(conf, "proxy-protocol"), l->text);
			rv = -1;
		}
	return (rv);
}

/* One path, two uses: the second would destroy the first. */
static int
check_paths(const struct conf *conf, void (*report)(const char *))
{
	const struct conf_listen	*l;
	int				 rv;

	rv = 0;
	if (conf->log_file[0] != '\0' &&
	    strcmp(conf->log_file, conf->pid_file) == 0) {
		conf_report(report, "%slog file and pid file are the same",
		    conf_where(conf, "pid file"));
		rv = -1;
	}
	if (conf->control[0] == '\0')
		return (rv);
	TAILQ_FOREACH(l, &conf->listens, entry)
		if (strncmp(l->text, "unix:", strlen("unix:")) == 0 &&
		    strcmp(l->text + strlen("unix:"), conf->control) == 0) {
			conf_report(report, "%slisten and control are the "
			    "same socket", conf_where(conf, "control"));
			rv = -1;
		}
	return (rv);
}

/*
 * The file that nobody asked for is read when it is there; one that can't be
 * read is an error all the same, since it may hold what restricts access.
 */
static int
load_file(struct conf *conf, const struct flags *flags,
    void (*report)(const char *))
{
	struct stat	st;

	if (flags->file != NULL)
		return (parse_config(conf, flags->file, report));
	if (stat(CONF_FILE, &st) == -1 &&
	    (errno == ENOENT || errno == ENOTDIR))
		return (0);
	return (parse_config(conf, CONF_FILE, report));
}

struct conf *
conf_load(const struct flags *flags, void (*report)(const char *line))
{
	struct conf	*conf;
	char		 path[PATH_MAX];
	int		 rv;

	conf = conf_new();
	rv = load_file(conf, flags, report);
	rv |= flags_apply(flags, conf, report);
	/* These would only complain again about what is wrong already. */
	if (rv == 0) {
		rv = check_settings(conf, report);
		rv |= check_database(conf, report);
		rv |= check_paths(conf, report);
		rv |= check_proxies(conf, report);
	}
	if (rv != 0) {
		conf_free(conf);
		return (NULL);
	}
	conf->control_set = strcmp(conf->control,
	    control_default_path(path, sizeof(path))) != 0;
	return (conf);
}
