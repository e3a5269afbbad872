/*
 * What the file and the command line share: text in, a checked value in the
 * configuration out, or a reason why not.
 */
#ifndef CONF_SET_H
#define CONF_SET_H

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "conf.h"

#define CONF_MAXWHY	512
#define CONF_MAXLISTEN	64
#define CONF_MAXKEYPAIRS	256		/* of a listener */
#define CONF_MAXWORDS	16		/* of a setting */
#define CONF_MAXORIGINS	1024
#define CONF_MODE	0660		/* of a unix socket */
#define CONF_MAXKEY	64

#define DEFAULT_LISTEN	":8080"
#define DEFAULT_DSN	"file:ws_tokens.db?cache=shared"
#define DEFAULT_USER	"_wsgateway"
#define DEFAULT_CHROOT	"/var/empty"

/* A reason, for people: what was given, and what would do. */
struct why {
	char	text[CONF_MAXWHY];
};

/* All of these return 0, or -1 with a reason. */
int	setting_parse(const struct setting *, const char *text, uint64_t *,
	    struct why *);
int	conf_set_name(char *dst, size_t, const char *, struct why *);
int	conf_has_control(const char *);
int	conf_check_path(const char *, struct why *);	/* absolute */
int	conf_check_socket(const char *path, struct why *);

/*
 * conf_listen.c: an address, which is the last of the list then, and its
 * block's settings, each with its N words.
 */
int	conf_check_listen(const char *text, struct why *);
int	conf_add_listen(struct conf *, const char *text, mode_t,
	    const char *group, struct why *);
int	conf_listen_set(struct conf_listen *, const char *name,
	    const char *const *words, size_t n, struct why *);
/* The same of its block "tls", which is there from the first on. */
int	conf_tls_set(struct conf_listen *, const char *name,
	    const char *const *words, size_t n, struct why *);
/* The end of that block. */
int	conf_tls_end(struct conf_listen *, struct why *);
/* "player publish metrics" */
const char *conf_roles(int roles, char *buf, size_t);
int	conf_add_origin(struct conf *, const char *text, struct why *);
int	conf_add_proxy(struct conf *, const char *text, struct why *);
int	conf_set_db(struct conf *, const char *kind, struct why *);
int	conf_set_dsn(struct conf *, const char *, struct why *);
/*
 * A block of MySQL's, what was given of it (NULL: was not), when the kind is
 * set.
 */
enum conf_dbopt {
	DBOPT_DSN,
	DBOPT_HOST,
	DBOPT_PORT,
	DBOPT_SOCKET,
	DBOPT_DATABASE,
	DBOPT_USER,
	DBOPT_PASSWORD,
	DBOPT_PASSWORD_FILE,
	DBOPT_TLS,
	DBOPT_TLS_CA,
	DBOPT_TLS_CERT,
	DBOPT_TLS_KEY,
	DBOPTS
};
int	conf_set_database(struct conf *, const char *const o[DBOPTS],
	    struct why *);
int	conf_dbopt(const char *name);	/* or -1 */
const char *conf_dbopt_name(enum conf_dbopt);

int	conf_set_user(struct conf *, const char *, struct why *);
int	conf_set_chroot(struct conf *, const char *, struct why *);
int	conf_set_log_file(struct conf *, const char *, struct why *);
int	conf_set_pid_file(struct conf *, const char *, struct why *);
int	conf_set_control(struct conf *, const char *path, mode_t,
	    const char *group, struct why *);
int	conf_parse_mode(const char *, mode_t *, struct why *);

void	setting_put(struct settings *, const struct setting *, uint64_t);
void	conf_clear_listens(struct conf *);
void	conf_clear_database(struct conf *);
void	conf_clear_origins(struct conf *);
void	conf_strings_add(struct conf_strings *, const char *);
void	conf_strings_clear(struct conf_strings *);

/* As setting_parse() reads it; returns buf. */
char	*setting_format(const struct setting *, uint64_t, char *buf, size_t);

/*
 * What people typed, fit for a message: not too long, no control characters,
 * and nothing in front of an '@', where a DSN has its password.
 */
#define CONF_MAXSHOW	80
char	*conf_show(const char *, char buf[CONF_MAXSHOW]);

/* Whether a DSN is "[user[:password]@][tcp(host)|unix(path)]/db[?params]". */
int	dsn_is_mysql(const char *);
/* One that is, with "********" for its password. */
void	dsn_mask(const char *dsn, char *buf, size_t);

int	why_set(struct why *, const char *, ...)	/* -1, always */
	    __attribute__((__format__(printf, 2, 3)));
void	conf_report(void (*report)(const char *), const char *, ...)
	    __attribute__((__format__(printf, 2, 3)));

/* conf_where.c */
void	conf_note_place(struct conf *, const char *key, const char *file,
	    int line);
/* Something else has set it. */
void	conf_forget_place(struct conf *, const char *key);
void	conf_note_file(struct conf *, const char *);
void	conf_clear_places(struct conf *);
/* "players ping-interval" */
char	*setting_key(const struct setting *, char *buf, size_t);
const char *conf_where_setting(const struct conf *, const struct setting *);

/* Lay the command line over the configuration; errors are reported. */
int	flags_apply(const struct flags *, struct conf *,
	    void (*report)(const char *line));

/* As parse_config() with a file that is open; NAME is for messages. */
int	parse_stream(struct conf *, FILE *, const char *name,
	    void (*report)(const char *line));

#endif /* CONF_SET_H */
