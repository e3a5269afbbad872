/*
 * A configuration printed in the language of the file, complete: what was left
 * to a default is said, too.
 */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "conf.h"
#include "conf_set.h"
#include "log.h"

struct out {
	void	(*emit)(const char *, void *);
	void	 *arg;
};

static void	out(const struct out *, const char *, ...)
		    __attribute__((__format__(printf, 2, 3)));

static void
out(const struct out *o, const char *fmt, ...)
{
	va_list	 ap;
	char	*line;

	va_start(ap, fmt);
	if (vasprintf(&line, fmt, ap) == -1)
		fatal("configuration");
	va_end(ap);
	o->emit(line, o->arg);
	freezero(line, strlen(line));
}

/* In quotes, as the lexer takes them off.  Twice the length and quotes fit. */
static char *
quote(const char *s, char *buf, size_t size)
{
	size_t	n;

	n = 0;
	buf[n++] = '"';
	for (; *s != '\0' && n + 4 <= size; s++) {
		if (*s == '"' || *s == '\\')
			buf[n++] = '\\';
		buf[n++] = *s;
	}
	buf[n++] = '"';
	buf[n] = '\0';
	return (buf);
}

static void
print_string(const struct out *o, const char *name, const char *value)
{
	char	q[2 * PATH_MAX + 3];

	if (*value != '\0')
		out(o, "%s %s", name, quote(value, q, sizeof(q)));
}

/* What a unix socket has behind its path; END is of a block, or "". */
static void
print_socket(const struct out *o, const char *name, const char *path,
    mode_t mode, const char *group, const char *end)
{
	char	q[2 * PATH_MAX + 3], g[2 * CONF_MAXUSER + 3];

	quote(path, q, sizeof(q));
	if (group != NULL && *group != '\0')
		out(o, "%s %s mode %04o group %s%s", name, q, (unsigned)mode,
		    quote(group, g, sizeof(g)), end);
	else
		out(o, "%s %s mode %04o%s", name, q, (unsigned)mode, end);
}

static void
print_keypair(const struct out *o, const struct conf_keypair *kp)
{
	char	cert[2 * PATH_MAX + 3], key[2 * PATH_MAX + 3],
		ocsp[2 * PATH_MAX + 3];

	quote(kp->cert, cert, sizeof(cert));
	quote(kp->key, key, sizeof(key));
	if (kp->ocsp != NULL)
		out(o, "\t\tcertificate %s key %s ocsp %s", cert, key,
		    quote(kp->ocsp, ocsp, sizeof(ocsp)));
	else
		out(o, "\t\tcertificate %s key %s", cert, key);
}

static void
print_tls(const struct out *o, const struct conf_tls *tls)
{
	const struct conf_keypair	*kp;

	out(o, "\ttls {");
	TAILQ_FOREACH(kp, &tls->keypairs, entry)
		print_keypair(o, kp);
	if (tls->protocols != NULL)
		print_string(o, "\t\tprotocols", tls->protocols);
	if (tls->ciphers != NULL)
		print_string(o, "\t\tciphers", tls->ciphers);
	if (tls->client_ca != NULL)
		print_string(o, "\t\tclient-ca", tls->client_ca);
	out(o, "\t\tsession-tickets %s", tls->tickets ? "yes" : "no");
	out(o, "\t}");
}

static void
print_listen(const struct out *o, const struct conf_listen *l)
{
	char	q[2 * PATH_MAX + 3], roles[64];
	int	block;

	block = l->roles != ROLE_ALL || l->proxy_protocol || l->tls != NULL;
	if (strncmp(l->text, "unix:", strlen("unix:")) == 0)
		print_socket(o, "listen on", l->text, l->mode, l->group,
		    block ? " {" : "");
	else
		out(o, "listen on %s%s", quote(l->text, q, sizeof(q)),
		    block ? " {" : "");
	if (!block)
		return;
	out(o, "\troles %s", conf_roles(l->roles, roles, sizeof(roles)));
	out(o, "\tproxy-protocol %s", l->proxy_protocol ? "yes" : "no");
	if (l->tls != NULL)
		print_tls(o, l->tls);
	out(o, "}");
}

/* What has no place in a DSN, beside it. */
static void
print_database_block(const struct out *o, const struct conf *conf,
    const char *dsn)
{
	out(o, "database mysql {");
	print_string(o, "\tdsn", dsn);
	print_string(o, "\tpassword file", conf->db_password_file);
	if (conf->db_tls_ca[0] != '\0' || conf->db_tls_cert[0] != '\0') {
		out(o, "\ttls {");
		print_string(o, "\t\tca", conf->db_tls_ca);
		print_string(o, "\t\tcert", conf->db_tls_cert);
		print_string(o, "\t\tkey", conf->db_tls_key);
		out(o, "\t}");
	}
	out(o, "}");
}

static void
print_database(const struct out *o, const struct conf *conf, int secrets)
{
	char	dsn[CONF_MAXDSN + 16], q[2 * sizeof(dsn) + 3];

	if (secrets || conf->db != DB_MYSQL)
		strlcpy(dsn, conf->dsn, sizeof(dsn));
	else
		dsn_mask(conf->dsn, dsn, sizeof(dsn));
	if (conf->db == DB_MYSQL && (conf->db_password_file[0] != '\0' ||
	    conf->db_tls_ca[0] != '\0' || conf->db_tls_cert[0] != '\0')) {
		print_database_block(o, conf, dsn);
		explicit_bzero(dsn, sizeof(dsn));
		return;
	}
	out(o, "database %s %s%s", conf->db == DB_MYSQL ? "mysql" : "sqlite",
	    quote(dsn, q, sizeof(q)), conf->db_create ? " create" : "");
	explicit_bzero(dsn, sizeof(dsn));
	explicit_bzero(q, sizeof(q));
}

static void
print_origins(const struct out *o, const struct conf *conf)
{
	const struct conf_string	*cs;

	if (TAILQ_EMPTY(&conf->origins))
		return;
	out(o, "origins {");
	TAILQ_FOREACH(cs, &conf->origins, entry)
		out(o, "\t\"%s\"", cs->s);
	out(o, "}");
}

static void
print_proxies(const struct out *o, const struct conf *conf)
{
	char	text[NETWORK_MAXTEXT];
	size_t	i;

	if (conf->nproxies == 0)
		return;
	out(o, "proxies {");
	for (i = 0; i < conf->nproxies; i++)
		out(o, "\t%s", network_format(&conf->proxies[i], text,
		    sizeof(text)));
	out(o, "}");
}

static const char *
value(const struct conf *conf, const char *block, const char *name,
    char *buf, size_t size)
{
	const struct setting	*row;

	row = setting_by_name(block, name);
	return (setting_format(row, setting_get(&conf->s, row), buf, size));
}

static void
print_blocks(const struct out *o, const struct conf *conf)
{
	const struct setting	*row;
	const char		*block;
	char			 buf[64];
	size_t			 i;

	block = NULL;
	for (i = 0; i < settings_count; i++) {
		row = &settings_table[i];
		if (row->kind == SETTING_LEVEL || row->kind == SETTING_SANDBOX)
			continue;
		if (block == NULL || strcmp(block, row->block) != 0) {
			if (block != NULL)
				out(o, "}");
			block = row->block;
			out(o, "%s {", block);
		}
		out(o, "\t%s %s", row->name, setting_format(row,
		    setting_get(&conf->s, row), buf, sizeof(buf)));
	}
	if (block != NULL)
		out(o, "}");
}

void
conf_print(const struct conf *conf, int secrets,
    void (*emit)(const char *line, void *arg), void *arg)
{
	const struct conf_listen	*l;
	struct out			 o;
	char				 buf[64];

	o.emit = emit;
	o.arg = arg;
	TAILQ_FOREACH(l, &conf->listens, entry)
		print_listen(&o, l);
	print_database(&o, conf, secrets);
	print_string(&o, "user", conf->user);
	print_string(&o, "chroot", conf->chroot);
	if (conf->control[0] == '\0')
		out(&o, "no control");
	else
		print_socket(&o, "control", conf->control, conf->control_mode,
		    conf->control_group, "");
	print_string(&o, "pid file", conf->pid_file);
	print_string(&o, "log file", conf->log_file);
	out(&o, "log level %s", value(conf, "log", "level", buf, sizeof(buf)));
	out(&o, "sandbox %s", value(conf, "", "sandbox", buf, sizeof(buf)));
	out(&o, "daemonize %s", conf->daemonize ? "yes" : "no");
	print_origins(&o, conf);
	print_proxies(&o, conf);
	print_blocks(&o, conf);
}
