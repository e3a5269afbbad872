/*
 * The configuration: what the file and the command line say, as one value that
 * the parent builds and each child gets its part of.
 */
#ifndef CONF_H
#define CONF_H

#include <sys/queue.h>
#include <sys/types.h>

#include <limits.h>
#include <stddef.h>
#include <stdint.h>

#include "network.h"
#include "sandbox.h"

#define CONF_MAXDSN	2048
#define CONF_MAXUSER	64
#define CONF_MAXORIGIN	512
#define CONF_MAXPROXIES	64
#define CONF_MAXCHROOT	1024		/* as struct conf_process has it */
#define CONF_FILE	"/etc/ws-gatewayd.conf"

enum conf_db {
	DB_SQLITE,
	DB_MYSQL
};

/* How the engine writes to its sockets. */
enum output_kind {
	OUTPUT_PLAIN,			/* a system call a connection */
	OUTPUT_URING			/* io_uring(7), where there is one */
};

/*
 * The scalar settings, a flat struct that goes to the children as it is.
 * Durations are in milliseconds, sizes in bytes.  settings.c has the table of
 * their names, units, defaults and bounds.
 */
struct settings {
	/* players */
	uint64_t	max_conns;		/* connections per player */
	uint64_t	revalidate_period;
	uint64_t	ping_interval;
	uint64_t	pong_timeout;
	uint64_t	close_timeout;
	uint64_t	max_message;		/* inbound, bytes */
	uint64_t	max_fragments;
	uint64_t	sendq_hard;		/* bytes */
	uint64_t	sendq_soft;
	uint64_t	sendq_soft_time;
	uint64_t	compress;		/* 0 or 1: permessage-deflate */
	uint64_t	compress_min;		/* bytes of a message */
	uint64_t	compress_level;
	/* offline queue */
	uint64_t	max_queued;		/* messages per player, 0: none */
	uint64_t	offline_ttl;
	uint64_t	queue_total_messages;
	uint64_t	queue_total_bytes;
	uint64_t	queue_total_players;
	/* publishers */
	uint64_t	rate_limit;		/* messages, 0: no limit */
	uint64_t	rate_period;
	uint64_t	max_body;
	/* http */
	uint64_t	max_request_line;
	uint64_t	max_header;
	uint64_t	request_timeout;
	uint64_t	keepalive_timeout;
	uint64_t	max_connections;	/* in total, 0: by the file limit */
	uint64_t	forwarded;		/* enum forwarded_kind */
	uint64_t	output;			/* enum output_kind */
	/* limits */
	uint64_t	memory_limit;		/* bytes */
	uint64_t	max_per_address;	/* connections, 0: no limit */
	uint64_t	max_handshakes;		/* in progress */
	uint64_t	handshake_rate;		/* a second, 0: no limit */
	uint64_t	handshake_burst;
	/* tls */
	uint64_t	key_isolation;		/* 0 or 1 */
	uint64_t	tls_handshake_timeout;
	uint64_t	max_tls_handshakes;	/* in progress */
	uint64_t	signature_timeout;
	uint64_t	ticket_lifetime;
	/* tokens */
	uint64_t	token_cache;		/* 0: off */
	uint64_t	token_grace;		/* without a database, 0: off */
	uint64_t	lookup_timeout;
	uint64_t	lookup_batch;		/* tokens of one query */
	uint64_t	max_lookups;		/* pending */
	/* control */
	uint64_t	max_control;		/* control clients */
	/* log */
	uint64_t	log_level;		/* enum log_level */
	uint64_t	sandbox;		/* enum sandbox_mode */
};

enum setting_kind {
	SETTING_COUNT,
	SETTING_DURATION,
	SETTING_SIZE,
	SETTING_SWITCH,			/* yes or no */
	SETTING_LEVEL,			/* enum log_level */
	SETTING_SANDBOX,		/* enum sandbox_mode */
	SETTING_OUTPUT,			/* enum output_kind */
	SETTING_FORWARDED		/* enum forwarded_kind */
};

/* One row of the table: "players" "max-connections", flag "max-conns"... */
struct setting {
	const char		*block;		/* in the file, or "" */
	const char		*name;		/* in the file */
	const char		*flag;		/* old command line, or NULL */
	enum setting_kind	 kind;
	size_t			 offset;	/* in struct settings */
	uint64_t		 def;
	uint64_t		 min;
	uint64_t		 max;
	const char		*help;		/* one line */
};

extern const struct setting	settings_table[];
extern const size_t		settings_count;

void	settings_defaults(struct settings *);
const struct setting *setting_by_name(const char *block, const char *name);
const struct setting *setting_by_flag(const char *flag);
uint64_t setting_get(const struct settings *, const struct setting *);
/*
 * Parse TEXT as the row's kind, check its bounds and set it.  Returns 0, or
 * -1 with a message in ERR that names the setting, the value and what would do.
 */
int	setting_set(struct settings *, const struct setting *,
	    const char *text, char *err, size_t errsize);

struct conf_string {
	TAILQ_ENTRY(conf_string)	 entry;
	char				*s;
};
TAILQ_HEAD(conf_strings, conf_string);

/* What a listener is there for. */
#define ROLE_PLAYER	0x1	/* /ws */
#define ROLE_PUBLISH	0x2	/* /publish, /broadcast */
#define ROLE_METRICS	0x4	/* /metrics, /healthz, /readyz */
#define ROLE_ALL	(ROLE_PLAYER | ROLE_PUBLISH | ROLE_METRICS)

/* A certificate chain and its key: paths of PEM files. */
struct conf_keypair {
	TAILQ_ENTRY(conf_keypair)	 entry;
	char				*cert;
	char				*key;
	char				*ocsp;	/* a DER response, or NULL */
};
TAILQ_HEAD(conf_keypairs, conf_keypair);

struct conf_tls {
	struct conf_keypairs	 keypairs;	/* the first is the default */
	char			*protocols;	/* NULL: the library's default */
	char			*ciphers;
	char			*client_ca;	/* path; NULL: no client's
						   certificate is asked for */
	int			 tickets;	/* of sessions */
};

/* Where the file says something that it says once. */
struct conf_place {
	TAILQ_ENTRY(conf_place)	 entry;
	char			*key;	/* "database", "players ping-interval" */
	char			*where;	/* "file:12: " */
};
TAILQ_HEAD(conf_places, conf_place);

/*
 * "socket:NAME" is one that the service manager passes: the name, or NULL when
 * the text says something else.  The roles that the name stands for.
 */
#define CONF_SOCKET	"socket:"
#define CONF_MAXFDNAME	255
const char	*conf_socket_name(const char *text);
int		 conf_socket_roles(const char *text);

/* An address to listen on, as written; the parent resolves it. */
struct conf_listen {
	TAILQ_ENTRY(conf_listen)	 entry;
	char				*text;	/* "[host]:port", "unix:/path",
						   "socket:name" */
	mode_t				 mode;	/* of a unix socket */
	char				*group;	/* of a unix socket, or NULL */
	int				 roles;
	int				 proxy_protocol;
	struct conf_tls			*tls;	/* NULL: plain */
};
TAILQ_HEAD(conf_listens, conf_listen);

struct conf {
	struct settings		 s;
	struct conf_listens	 listens;
	struct conf_strings	 origins;	/* normalised; empty allows all */
	struct network		 proxies[CONF_MAXPROXIES];	/* trusted */
	size_t			 nproxies;
	enum conf_db		 db;
	char			 dsn[CONF_MAXDSN];
	int			 db_create;
	/* MySQL's, beside the DSN; "": none */
	char			 db_password_file[PATH_MAX];
	char			 db_password[256];	/* out of the file */
	char			 db_tls_ca[CONF_MAXCHROOT];
	char			 db_tls_cert[CONF_MAXCHROOT];
	char			 db_tls_key[CONF_MAXCHROOT];
	char			 user[CONF_MAXUSER];
	int			 user_set;	/* not the default */
	char			 chroot[CONF_MAXCHROOT];
	char			 log_file[PATH_MAX];	/* "": none */
	char			 pid_file[PATH_MAX];	/* "": none */
	char			 control[PATH_MAX];	/* "": none */
	int			 control_set;	/* not the default */
	mode_t			 control_mode;
	char			 control_group[CONF_MAXUSER];	/* or "" */
	int			 daemonize;
	struct conf_strings	 files;		/* that were read, as opened */
	struct conf_places	 places;
};

/*
 * conf_where.c: "file:12: " of what has the KEY, or "" when it is a default or
 * of the command line.
 */
const char *conf_where(const struct conf *, const char *key);
/* What is read from now on, is so by a process that is confined. */
void		 conf_confined(void);
/* strerror(3), or what it comes from. */
const char	*conf_file_error(int error);

/* A fresh configuration with every default; free with conf_free(). */
struct conf	*conf_new(void);
void		 conf_free(struct conf *);
/* Take one address out of it. */
void		 conf_free_listen(struct conf *, struct conf_listen *);
/* Add one that another has. */
void		 conf_copy_listen(struct conf *, const struct conf_listen *);

/*
 * What the command line said, kept apart so that a reload can lay it over the
 * file again.
 */
struct flags {
	const char	*file;		/* -f, or NULL: CONF_FILE if it is there */
	int		 check;		/* -n */
	int		 verbose;	/* -v, counted */
	int		 foreground;	/* -d */
	int		 create;	/* -C */
	struct conf_strings	values;	/* "name=value" in order */
};

/*
 * Parse the command line (flags.c): one dash or two, "-flag value" and
 * "-flag=value", booleans also bare.  On an unknown flag or a missing value
 * prints one line to standard error and exits 1; -h prints the usage to
 * standard output and exits 0.
 */
void	flags_parse(struct flags *, int argc, char **argv);
void	flags_free(struct flags *);

/*
 * The whole of it: defaults, file, flags, checks.  Returns NULL after having
 * printed what is wrong through report(), a line a call ("file:12: ...").
 */
struct conf	*conf_load(const struct flags *,
		    void (*report)(const char *line));

/* parse.y: read FILE into the configuration.  Returns 0, or -1 reported. */
int	parse_config(struct conf *, const char *file,
	    void (*report)(const char *line));

/*
 * printconf.c: print a configuration that parses to the same again, through
 * EMIT, a line a call without its newline.  Passwords in a DSN are shown only
 * with SECRETS (so that -nv can be piped back), else as "********".
 */
void	conf_print(const struct conf *, int secrets,
	    void (*emit)(const char *line, void *arg), void *arg);

/*
 * "scheme://host[:port]" in one spelling: lower case, default port left out.
 * Returns 0, or -1 when it is no origin.
 */
int	origin_normalise(const char *, size_t, char *out, size_t outsize);

/*
 * Split "[host]:port": host may be empty, a name, an IPv4 address or a
 * bracketed IPv6 one.  Returns 0, or -1 with a static reason.
 */
int	listen_split(const char *text, char *host, size_t hostsize,
	    char *port, size_t portsize, const char **reason);

#endif /* CONF_H */
