/*
 * A DSN as the MySQL driver for Go reads one, in its parts.  Pure: text in,
 * values out; no text that it makes holds a value of the DSN.
 */
#ifndef MYSQL_DSN_H
#define MYSQL_DSN_H

#include <stddef.h>
#include <stdint.h>

#define MYSQL_DSN_PORT		3306
#define MYSQL_DSN_TIMEOUT	3000	/* ms, of what the DSN leaves open */

enum mysql_tls {
	MYSQL_TLS_OFF,
	MYSQL_TLS_PREFERRED,		/* if the server has it, unchecked */
	MYSQL_TLS_UNCHECKED,		/* skip-verify */
	MYSQL_TLS_VERIFY
};

struct mysql_dsn {
	char		user[129];	/* "": none was given */
	char		password[256];
	char		host[256];	/* "" with a socket */
	char		socket[104];
	uint16_t	port;
	char		database[194];	/* decoded */
	enum mysql_tls	tls;
	uint64_t	connect_timeout;	/* ms, never 0 */
	uint64_t	read_timeout;
	uint64_t	write_timeout;
	char		time_zone[64];	/* of the session, "": the server's */
	char		unknown[128];	/* names of parameters, with commas */
};

/*
 * Returns 0, or -1 with a line in ERR that says what is wrong.  Whoever called
 * wipes the password when it has served.
 */
int	mysql_dsn_parse(const char *, struct mysql_dsn *, char *err, size_t);
/* The same for those who only want to know. */
int	mysql_dsn_check(const char *, char *err, size_t);

/*
 * A DSN out of a user, password, host (or socket), port, database and the
 * value of tls, each of which may be NULL but for the database.  Returns 0, or
 * -1 with a line in ERR when Go's grammar has no way to say it.
 */
struct mysql_parts {
	const char	*user;
	const char	*password;
	const char	*host;
	const char	*port;
	const char	*socket;
	const char	*database;
	const char	*tls;
};
int	mysql_dsn_make(const struct mysql_parts *, char *dsn, size_t,
	    char *err, size_t);

#endif /* MYSQL_DSN_H */
