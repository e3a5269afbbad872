/*
 * The command line, as Go's flag package reads one, so that what started the
 * old program starts this one; and one-letter flags, which may stand together
 * ("-nv"), as in a daemon of its own kind.
 */
#include <err.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "conf.h"
#include "conf_set.h"
#include "log.h"

#define LETTERS		"ndvChf"	/* may stand together, 'f' last */
#define BLANKS		" \t\r\n"
#define HELP_COLUMN	29

struct flag {
	const char	*name;
	const char	*arg;		/* what its value is, NULL: boolean */
	const char	*help;		/* NULL: in the table of settings */
	int		(*apply)(struct conf *, const char *, struct why *);
};

static int	apply_addr(struct conf *, const char *, struct why *);
static int	apply_db(struct conf *, const char *, struct why *);
static int	apply_origins(struct conf *, const char *, struct why *);
static int	apply_daemon(struct conf *, const char *, struct why *);

/* Without APPLY: a setting, or one that is about this program's run only. */
static const struct flag flags_table[] = {
	{ "addr", "address", "listen on it, may be repeated [" DEFAULT_LISTEN
	    "]", apply_addr },
	{ "db", "kind", "sqlite or mysql [sqlite]", apply_db },
	{ "dsn", "dsn", "of the database [" DEFAULT_DSN "]", conf_set_dsn },
	{ "origins", "list", "allowed origins, with commas between; none: all",
	    apply_origins },
	{ "log-file", "path", "append JSON lines to it", conf_set_log_file },
	{ "log-level", "level", NULL, NULL },
	{ "pid-file", "path", "hold the process id there", conf_set_pid_file },
	{ "max-conns", "number", NULL, NULL },
	{ "max-queued", "number", NULL, NULL },
	{ "offline-ttl", "duration", NULL, NULL },
	{ "rate-limit", "number", NULL, NULL },
	{ "rate-period", "duration", NULL, NULL },
	{ "revalidate-period", "duration", NULL, NULL },
	{ "daemon", NULL, "go into the background", apply_daemon },
	{ "f", "file", "configuration file [" CONF_FILE "]", NULL },
	{ "n", NULL, "check the configuration and exit", NULL },
	{ "v", NULL, "say more, with -n print the configuration", NULL },
	{ "d", NULL, "stay in the foreground", NULL },
	{ "C", NULL, "create an SQLite database that is not there", NULL },
	{ "h", NULL, "print this", NULL },
	{ "help", NULL, "print this", NULL }
};

static const struct flag *
find_flag(const char *name, size_t len)
{
	size_t	i;

	for (i = 0; i < sizeof(flags_table) / sizeof(flags_table[0]); i++)
		if (strlen(flags_table[i].name) == len &&
		    memcmp(flags_table[i].name, name, len) == 0)
			return (&flags_table[i]);
	return (NULL);
}

static void
usage_line(const struct flag *flag)
{
	const struct setting	*row;
	char			 left[HELP_COLUMN], def[64];

	snprintf(left, sizeof(left), "-%s%s%s", flag->name,
	    flag->arg != NULL ? " " : "", flag->arg != NULL ? flag->arg : "");
	printf("  %-*s", HELP_COLUMN, left);
	if ((row = setting_by_flag(flag->name)) != NULL)
		printf("%s [%s]\n", row->help,
		    setting_format(row, row->def, def, sizeof(def)));
	else
		printf("%s\n", flag->help);
}

static void
usage(void)
{
	size_t	i;

	printf("usage: %s [-Cdnv] [-f file] [-flag value ...]\n",
	    getprogname());
	for (i = 0; i < sizeof(flags_table) / sizeof(flags_table[0]); i++)
		if (strcmp(flags_table[i].name, "help") != 0)
			usage_line(&flags_table[i]);
	if (fflush(stdout) == EOF)
		err(1, "standard output");
	exit(0);
}

static int
parse_bool(const char *text, int *v)
{
	static const char *const	yes[] = { "1", "t", "T", "true",
					    "TRUE", "True" };
	static const char *const	no[] = { "0", "f", "F", "false",
					    "FALSE", "False" };
	size_t				i;

	for (i = 0; i < sizeof(yes) / sizeof(yes[0]); i++) {
		if (strcmp(text, yes[i]) == 0) {
			*v = 1;
			return (0);
		}
		if (strcmp(text, no[i]) == 0) {
			*v = 0;
			return (0);
		}
	}
	return (-1);
}

static int
set_bool(const char *text, int *v, struct why *why)
{
	char	show[CONF_MAXSHOW];

	if (parse_bool(text, v) == 0)
		return (0);
	return (why_set(why, "\"%s\" is neither true nor false",
	    conf_show(text, show)));
}

/*
 * A copy: what argv points to may be overwritten by setproctitle(3).  The file
 * is kept there, too.
 */
static void
keep(struct flags *flags, const struct flag *flag, const char *value)
{
	char	*s;

	if (asprintf(&s, "%s=%s", flag->name, value) == -1)
		fatal("command line");
	conf_strings_add(&flags->values, s);
	free(s);
	if (strcmp(flag->name, "f") == 0)
		flags->file = TAILQ_LAST(&flags->values, conf_strings)->s +
		    strlen("f=");
}

static void
set_letter(struct flags *flags, char letter, const char *value)
{
	struct why	 why;
	int		 v;

	if (set_bool(value, &v, &why) == -1)
		errx(1, "-%c: %s", letter, why.text);
	switch (letter) {
	case 'n':
		flags->check = v;
		break;
	case 'v':
		flags->verbose = v ? flags->verbose + 1 : 0;
		break;
	case 'd':
		flags->foreground = v;
		break;
	case 'C':
		flags->create = v;
		break;
	case 'h':
		if (v)
			usage();
		break;
	}
}

static void
take(struct flags *flags, const struct flag *flag, const char *value)
{
	if (flag->arg != NULL || flag->apply != NULL)
		keep(flags, flag, value);
	else
		set_letter(flags, flag->name[0], value);
}

static const char *
next_value(const char *name, int *i, int argc, char **argv)
{
	if (*i + 1 >= argc)
		errx(1, "flag -%s needs a value (see %s -h)", name,
		    getprogname());
	return (argv[++*i]);
}

/* "-nv", "-nvf file"; 0 when it is no such thing. */
static int
take_letters(struct flags *flags, const char *letters, int *i, int argc,
    char **argv)
{
	const struct flag	*flag;
	size_t			 len;

	len = strcspn(letters, "f");
	if (letters[strspn(letters, LETTERS)] != '\0' ||
	    (letters[len] == 'f' && letters[len + 1] != '\0'))
		return (0);
	for (; *letters != '\0'; letters++) {
		flag = find_flag(letters, 1);
		take(flags, flag, flag->arg == NULL ? "true" :
		    next_value(flag->name, i, argc, argv));
	}
	return (1);
}

static void
take_argument(struct flags *flags, const char *arg, int *i, int argc,
    char **argv)
{
	const struct flag	*flag;
	const char		*name, *value;
	char			 show[CONF_MAXSHOW];
	size_t			 len;

	name = arg + (arg[1] == '-' ? 2 : 1);
	len = strcspn(name, "=");
	value = name[len] == '=' ? name + len + 1 : NULL;
	if (len == 0 || *name == '-')
		errx(1, "bad flag %s (see %s -h)", conf_show(arg, show),
		    getprogname());
	if ((flag = find_flag(name, len)) == NULL) {
		if (value == NULL && take_letters(flags, name, i, argc, argv))
			return;
		errx(1, "unknown flag -%s (see %s -h)", conf_show(name, show),
		    getprogname());
	}
	if (value == NULL)
		value = flag->arg == NULL ? "true" :
		    next_value(flag->name, i, argc, argv);
	take(flags, flag, value);
}

void
flags_parse(struct flags *flags, int argc, char **argv)
{
	char	show[CONF_MAXSHOW];
	int	i;

	memset(flags, 0, sizeof(*flags));
	TAILQ_INIT(&flags->values);
	for (i = 1; i < argc; i++) {
		if (argv[i][0] != '-' || argv[i][1] == '\0')
			break;
		if (strcmp(argv[i], "--") == 0) {
			i++;
			break;
		}
		take_argument(flags, argv[i], &i, argc, argv);
	}
	if (i < argc)
		errx(1, "unexpected argument \"%s\" (see %s -h)",
		    conf_show(argv[i], show), getprogname());
}

void
flags_free(struct flags *flags)
{
	conf_strings_clear(&flags->values);
	flags->file = NULL;
}

static int
apply_addr(struct conf *conf, const char *value, struct why *why)
{
	return (conf_add_listen(conf, value, CONF_MODE, NULL, why));
}

/* The DSN of the other kind does not fit this one. */
static int
apply_db(struct conf *conf, const char *value, struct why *why)
{
	enum conf_db	was;

	was = conf->db;
	if (conf_set_db(conf, value, why) == -1)
		return (-1);
	if (conf->db == was)
		return (0);
	conf->db_create = 0;
	return (conf_set_dsn(conf, DEFAULT_DSN, why));
}

/*
 * Nothing at all is no list, as it was; but a list that turns out to be empty
 * would allow what it was meant to restrict.
 */
static int
apply_origins(struct conf *conf, const char *value, struct why *why)
{
	char	*copy, *next, *item;
	size_t	 len;
	int	 rv;

	conf_clear_origins(conf);
	if (*value == '\0')
		return (0);
	if ((copy = strdup(value)) == NULL)
		fatal("command line");
	rv = 0;
	next = copy;
	while (rv == 0 && (item = strsep(&next, ",")) != NULL) {
		item += strspn(item, BLANKS);
		for (len = strlen(item); len > 0; len--)
			if (strchr(BLANKS, item[len - 1]) == NULL)
				break;
		item[len] = '\0';
		if (*item != '\0')
			rv = conf_add_origin(conf, item, why);
	}
	free(copy);
	if (rv == 0 && TAILQ_EMPTY(&conf->origins))
		rv = why_set(why, "no origin in the list");
	return (rv);
}

static int
apply_daemon(struct conf *conf, const char *value, struct why *why)
{
	return (set_bool(value, &conf->daemonize, why));
}

/* Where the file has it, too, is not where it comes from. */
static void
forget_place(struct conf *conf, const char *name)
{
	static const struct {
		const char	*name;
		const char	*key;
	} keys[] = {
		{ "db",		"database" },
		{ "dsn",	"database" },
		{ "log-file",	"log file" },
		{ "pid-file",	"pid file" },
	};
	const struct setting	*row;
	char			 key[CONF_MAXKEY];
	size_t			 i;

	if ((row = setting_by_flag(name)) != NULL)
		conf_forget_place(conf, setting_key(row, key, sizeof(key)));
	for (i = 0; i < sizeof(keys) / sizeof(keys[0]); i++)
		if (strcmp(keys[i].name, name) == 0)
			conf_forget_place(conf, keys[i].key);
}

static int
apply(struct conf *conf, const char *name, const char *value,
    struct why *why)
{
	const struct setting	*row;
	const struct flag	*flag;
	uint64_t		 v;

	flag = find_flag(name, strlen(name));
	forget_place(conf, name);
	if (flag->apply != NULL)
		return (flag->apply(conf, value, why));
	if ((row = setting_by_flag(name)) == NULL)
		return (0);
	if (setting_parse(row, value, &v, why) == -1)
		return (-1);
	setting_put(&conf->s, row, v);
	return (0);
}

/* Those named NAME, or with a "!" in front, all the others. */
static int
apply_some(const struct flags *flags, struct conf *conf, const char *which,
    void (*report)(const char *))
{
	struct conf_string	*cs;
	struct why		 why;
	char			 name[32];
	size_t			 len;
	int			 rv, others;

	rv = 0;
	others = *which == '!';
	TAILQ_FOREACH(cs, &flags->values, entry) {
		len = strcspn(cs->s, "=");
		strlcpy(name, cs->s, len < sizeof(name) ? len + 1 :
		    sizeof(name));
		if ((strcmp(name, which + others) == 0) == others)
			continue;
		if (apply(conf, name, cs->s + len + 1, &why) == -1) {
			conf_report(report, "-%s: %s", name, why.text);
			rv = -1;
		}
	}
	return (rv);
}

int
flags_apply(const struct flags *flags, struct conf *conf,
    void (*report)(const char *line))
{
	struct conf_string	*cs;
	int			 rv;

	TAILQ_FOREACH(cs, &flags->values, entry)
		if (strncmp(cs->s, "addr=", strlen("addr=")) == 0) {
			conf_clear_listens(conf);
			break;
		}
	/* Which DSN is there before -dsn depends on the kind. */
	rv = apply_some(flags, conf, "db", report);
	rv |= apply_some(flags, conf, "!db", report);
	if (flags->create)
		conf->db_create = 1;
	if (flags->foreground)
		conf->daemonize = 0;
	return (rv);
}
