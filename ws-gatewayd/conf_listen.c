/*
 * Where to listen, as the file and the command line have it: the address, what
 * it is there for, and how it speaks TLS.
 */
#include <sys/types.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "conf.h"
#include "conf_set.h"
#include "log.h"

#define UNIX_PREFIX	"unix:"
#define DIGITS		"0123456789"

static const struct {
	const char	*name;
	int		 role;
} roles_table[] = {
	{ "player",	ROLE_PLAYER },
	{ "publish",	ROLE_PUBLISH },
	{ "metrics",	ROLE_METRICS }
};
#define NROLES		(sizeof(roles_table) / sizeof(roles_table[0]))

static void
conf_tls_free(struct conf_tls *tls)
{
	struct conf_keypair	*kp;

	if (tls == NULL)
		return;
	while ((kp = TAILQ_FIRST(&tls->keypairs)) != NULL) {
		TAILQ_REMOVE(&tls->keypairs, kp, entry);
		free(kp->cert);
		free(kp->key);
		free(kp->ocsp);
		free(kp);
	}
	free(tls->protocols);
	free(tls->ciphers);
	free(tls->client_ca);
	free(tls);
}

void
conf_free_listen(struct conf *conf, struct conf_listen *l)
{
	TAILQ_REMOVE(&conf->listens, l, entry);
	conf_tls_free(l->tls);
	free(l->text);
	free(l->group);
	free(l);
}

void
conf_clear_listens(struct conf *conf)
{
	struct conf_listen	*l;

	while ((l = TAILQ_FIRST(&conf->listens)) != NULL)
		conf_free_listen(conf, l);
}

static char *
copy_text(const char *text)
{
	char	*new = NULL;

	if (text != NULL && (new = strdup(text)) == NULL)
		fatal("configuration");
	return (new);
}

static struct conf_tls *
copy_tls(const struct conf_tls *old)
{
	struct conf_tls		*tls;
	struct conf_keypair	*kp, *was;

	if ((tls = calloc(1, sizeof(*tls))) == NULL)
		fatal("configuration");
	TAILQ_INIT(&tls->keypairs);
	TAILQ_FOREACH(was, &old->keypairs, entry) {
		if ((kp = calloc(1, sizeof(*kp))) == NULL)
			fatal("configuration");
		kp->cert = copy_text(was->cert);
		kp->key = copy_text(was->key);
		kp->ocsp = copy_text(was->ocsp);
		TAILQ_INSERT_TAIL(&tls->keypairs, kp, entry);
	}
	tls->protocols = copy_text(old->protocols);
	tls->ciphers = copy_text(old->ciphers);
	tls->client_ca = copy_text(old->client_ca);
	tls->tickets = old->tickets;
	return (tls);
}

void
conf_copy_listen(struct conf *conf, const struct conf_listen *old)
{
	struct conf_listen	*l;

	if ((l = calloc(1, sizeof(*l))) == NULL)
		fatal("configuration");
	l->text = copy_text(old->text);
	l->mode = old->mode;
	l->group = copy_text(old->group);
	l->roles = old->roles;
	l->proxy_protocol = old->proxy_protocol;
	if (old->tls != NULL)
		l->tls = copy_tls(old->tls);
	TAILQ_INSERT_TAIL(&conf->listens, l, entry);
}

/* A port behind the colon makes it a host of that name. */
const char *
conf_socket_name(const char *text)
{
	const char	*name = text + strlen(CONF_SOCKET);

	if (strncmp(text, CONF_SOCKET, strlen(CONF_SOCKET)) != 0 ||
	    name[strspn(name, DIGITS)] == '\0')
		return (NULL);
	return (name);
}

static int
check_socket_name(const char *name, struct why *why)
{
	const char	*p;
	char		 show[CONF_MAXSHOW];

	for (p = name; *p > 0x20 && *p < 0x7f && *p != ':'; p++)
		;
	if (*p != '\0' || p - name > CONF_MAXFDNAME)
		return (why_set(why, "\"%s\" is no name of a passed socket",
		    conf_show(name, show)));
	return (0);
}

/* Names of roles and nothing else; any other name is good for all. */
int
conf_socket_roles(const char *text)
{
	const char	*name = conf_socket_name(text);
	size_t		 i, len;
	int		 roles = 0;

	for (; ; name += len + 1) {
		len = strcspn(name, "+");
		for (i = 0; i < NROLES; i++)
			if (strncmp(name, roles_table[i].name, len) == 0 &&
			    roles_table[i].name[len] == '\0')
				break;
		if (i == NROLES)
			return (ROLE_ALL);
		roles |= roles_table[i].role;
		if (name[len] == '\0')
			return (roles);
	}
}

int
conf_check_listen(const char *text, struct why *why)
{
	const char	*reason;
	char		 host[256], port[64], show[CONF_MAXSHOW];

	if (strncmp(text, UNIX_PREFIX, strlen(UNIX_PREFIX)) == 0)
		return (conf_check_socket(text + strlen(UNIX_PREFIX), why));
	if (conf_socket_name(text) != NULL)
		return (check_socket_name(conf_socket_name(text), why));
	if (listen_split(text, host, sizeof(host), port, sizeof(port),
	    &reason) == -1)
		return (why_set(why, "\"%s\" is no address to listen on: %s",
		    conf_show(text, show), reason));
	return (0);
}

int
conf_add_listen(struct conf *conf, const char *text, mode_t mode,
    const char *group, struct why *why)
{
	struct conf_listen	*l;
	char			 name[CONF_MAXUSER], show[CONF_MAXSHOW];
	size_t			 n;

	if (conf_check_listen(text, why) == -1)
		return (-1);
	if (group != NULL &&
	    conf_set_name(name, sizeof(name), group, why) == -1)
		return (-1);
	n = 0;
	TAILQ_FOREACH(l, &conf->listens, entry) {
		if (strcmp(l->text, text) == 0)
			return (why_set(why, "the address \"%s\" is given "
			    "twice", conf_show(text, show)));
		n++;
	}
	if (n >= CONF_MAXLISTEN)
		return (why_set(why, "too many addresses (at most %d)",
		    CONF_MAXLISTEN));
	if ((l = calloc(1, sizeof(*l))) == NULL ||
	    (l->text = strdup(text)) == NULL ||
	    (group != NULL && (l->group = strdup(group)) == NULL))
		fatal("configuration");
	l->mode = mode;
	l->roles = ROLE_ALL;
	TAILQ_INSERT_TAIL(&conf->listens, l, entry);
	return (0);
}

const char *
conf_roles(int roles, char *buf, size_t size)
{
	size_t	i;

	buf[0] = '\0';
	for (i = 0; i < NROLES; i++)
		if (roles & roles_table[i].role) {
			if (buf[0] != '\0')
				strlcat(buf, " ", size);
			strlcat(buf, roles_table[i].name, size);
		}
	return (buf);
}

static int
set_roles(struct conf_listen *l, const char *const *words, size_t n,
    struct why *why)
{
	char	show[CONF_MAXSHOW];
	size_t	i, w;
	int	roles = 0;

	for (w = 0; w < n; w++) {
		for (i = 0; i < NROLES; i++)
			if (strcmp(words[w], roles_table[i].name) == 0)
				break;
		if (i == NROLES)
			return (why_set(why, "\"%s\" is no role (player, "
			    "publish, metrics)", conf_show(words[w], show)));
		roles |= roles_table[i].role;
	}
	l->roles = roles;
	return (0);
}

/* What most settings have: one word. */
static int
one_word(const char *const *words, size_t n, struct why *why)
{
	char	show[CONF_MAXSHOW];

	if (n == 1)
		return (0);
	return (why_set(why, "unexpected \"%s\"", conf_show(words[1], show)));
}

static int
set_switch(int *on, const char *const *words, size_t n, struct why *why)
{
	char	show[CONF_MAXSHOW];

	if (one_word(words, n, why) == -1)
		return (-1);
	if (strcmp(words[0], "yes") != 0 && strcmp(words[0], "no") != 0)
		return (why_set(why, "\"%s\" is neither yes nor no",
		    conf_show(words[0], show)));
	*on = strcmp(words[0], "yes") == 0;
	return (0);
}

int
conf_listen_set(struct conf_listen *l, const char *name,
    const char *const *words, size_t n, struct why *why)
{
	if (strcmp(name, "roles") == 0)
		return (set_roles(l, words, n, why));
	if (strcmp(name, "proxy-protocol") == 0)
		return (set_switch(&l->proxy_protocol, words, n, why));
	return (why_set(why, "no such setting (roles, proxy-protocol, tls)"));
}

static struct conf_tls *
listen_tls(struct conf_listen *l)
{
	if (l->tls == NULL) {
		if ((l->tls = calloc(1, sizeof(*l->tls))) == NULL)
			fatal("configuration");
		TAILQ_INIT(&l->tls->keypairs);
	}
	return (l->tls);
}

static char *
copy_path(const char *path, struct why *why)
{
	char	*copy;

	if (strlen(path) >= PATH_MAX) {
		why_set(why, "the path is too long");
		return (NULL);
	}
	if (conf_check_path(path, why) == -1)
		return (NULL);
	if ((copy = strdup(path)) == NULL)
		fatal("configuration");
	return (copy);
}

/* "certificate FILE key FILE [ocsp FILE]" */
static int
add_keypair(struct conf_tls *tls, const char *const *words, size_t n,
    struct why *why)
{
	struct conf_keypair	*kp;
	size_t			 count = 0;

	if ((n != 3 && n != 5) || strcmp(words[1], "key") != 0 ||
	    (n == 5 && strcmp(words[3], "ocsp") != 0))
		return (why_set(why, "write: certificate \"file\" key "
		    "\"file\", and ocsp \"file\" if there is one"));
	TAILQ_FOREACH(kp, &tls->keypairs, entry)
		count++;
	if (count >= CONF_MAXKEYPAIRS)
		return (why_set(why, "too many certificates (at most %d)",
		    CONF_MAXKEYPAIRS));
	if ((kp = calloc(1, sizeof(*kp))) == NULL)
		fatal("configuration");
	TAILQ_INSERT_TAIL(&tls->keypairs, kp, entry);
	if ((kp->cert = copy_path(words[0], why)) == NULL ||
	    (kp->key = copy_path(words[2], why)) == NULL)
		return (-1);
	if (n == 5 && (kp->ocsp = copy_path(words[4], why)) == NULL)
		return (-1);
	return (0);
}

/* The words, with a space between each, as one text; once. */
static int
set_words(char **dst, const char *const *words, size_t n, struct why *why)
{
	char	text[1024] = "";
	size_t	i;

	if (*dst != NULL)
		return (why_set(why, "it was given already"));
	for (i = 0; i < n; i++)
		if ((i > 0 && strlcat(text, " ", sizeof(text)) >=
		    sizeof(text)) ||
		    strlcat(text, words[i], sizeof(text)) >= sizeof(text))
			return (why_set(why, "too long"));
	if (conf_has_control(text))
		return (why_set(why, "control characters are not allowed"));
	if ((*dst = strdup(text)) == NULL)
		fatal("configuration");
	return (0);
}

int
conf_tls_set(struct conf_listen *l, const char *name,
    const char *const *words, size_t n, struct why *why)
{
	struct conf_tls	*tls = listen_tls(l);

	if (strcmp(name, "certificate") == 0)
		return (add_keypair(tls, words, n, why));
	if (strcmp(name, "protocols") == 0)
		return (set_words(&tls->protocols, words, n, why));
	if (strcmp(name, "ciphers") == 0)
		return (set_words(&tls->ciphers, words, n, why));
	if (strcmp(name, "client-ca") == 0) {
		if (one_word(words, n, why) == -1)
			return (-1);
		if (tls->client_ca != NULL)
			return (why_set(why, "it was given already"));
		tls->client_ca = copy_path(words[0], why);
		return (tls->client_ca != NULL ? 0 : -1);
	}
	if (strcmp(name, "session-tickets") == 0)
		return (set_switch(&tls->tickets, words, n, why));
	return (why_set(why, "no such setting (certificate, protocols, "
	    "ciphers, client-ca, session-tickets)"));
}

int
conf_tls_end(struct conf_listen *l, struct why *why)
{
	if (!TAILQ_EMPTY(&listen_tls(l)->keypairs))
		return (0);
	return (why_set(why, "no certificate is given"));
}
