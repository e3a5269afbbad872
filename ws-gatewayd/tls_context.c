/* Contexts of TLS: gathered, built, in force, and forgotten. */
#define OPENSSL_SUPPRESS_DEPRECATED

#include <sys/types.h>
#include <sys/queue.h>

#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <tls.h>

#include "log.h"
#include "tls_context.h"

/* What relayd(8) and smtpd(8) use as well, and tls.h does not declare. */
void	tls_config_use_fake_private_key(struct tls_config *);

/* A file that came in pieces. */
struct blob {
	uint8_t	*data;
	size_t	 len;
};

struct keypair {
	TAILQ_ENTRY(keypair)	 entry;
	struct blob		 cert;
	struct blob		 key;		/* empty when it is kept apart */
	struct blob		 ocsp;
	char			*name;		/* NULL: it is not whole */
};
TAILQ_HEAD(keypairs, keypair);

struct tls_context {
	TAILQ_ENTRY(tls_context) entry;
	struct conf_tls_context	 conf;
	struct blob		 ca;
	struct keypairs		 keypairs;	/* until it is built */
	struct tls		*server;
	unsigned		 held;
};
TAILQ_HEAD(tls_contexts, tls_context);

static struct tls_contexts	next = TAILQ_HEAD_INITIALIZER(next);
static struct tls_contexts	current = TAILQ_HEAD_INITIALIZER(current);

void
tls_context_init(void)
{
	if (tls_init() == -1)
		fatalx("tls: it can't be initialised");
}

static void
blob_free(struct blob *b)
{
	freezero(b->data, b->len);
	b->data = NULL;
	b->len = 0;
}

static void
blob_add(struct blob *b, const void *data, size_t len)
{
	uint8_t	*p;

	if ((p = recallocarray(b->data, b->len, b->len + len, 1)) == NULL)
		fatal("tls");
	memcpy(p + b->len, data, len);
	b->data = p;
	b->len += len;
}

static void
keypairs_free(struct tls_context *ctx)
{
	struct keypair	*kp;

	while ((kp = TAILQ_FIRST(&ctx->keypairs)) != NULL) {
		TAILQ_REMOVE(&ctx->keypairs, kp, entry);
		blob_free(&kp->cert);
		blob_free(&kp->key);
		blob_free(&kp->ocsp);
		free(kp->name);
		free(kp);
	}
}

void
tls_context_release(struct tls_context *ctx)
{
	if (--ctx->held > 0)
		return;
	keypairs_free(ctx);
	blob_free(&ctx->ca);
	tls_free(ctx->server);
	free(ctx);
}

static void
contexts_forget(struct tls_contexts *list)
{
	struct tls_context	*ctx;

	while ((ctx = TAILQ_FIRST(list)) != NULL) {
		TAILQ_REMOVE(list, ctx, entry);
		tls_context_release(ctx);
	}
}

void
tls_context_begin(const struct conf_tls_context *conf)
{
	struct tls_context	*ctx;

	if ((ctx = calloc(1, sizeof(*ctx))) == NULL)
		fatal("tls");
	ctx->conf = *conf;
	ctx->conf.protocols[sizeof(ctx->conf.protocols) - 1] = '\0';
	ctx->conf.ciphers[sizeof(ctx->conf.ciphers) - 1] = '\0';
	ctx->held = 1;
	TAILQ_INIT(&ctx->keypairs);
	TAILQ_INSERT_TAIL(&next, ctx, entry);
}

/* The one that is being gathered, and its last key pair, if that isn't whole. */
static struct tls_context *
gathered(struct keypair **kp)
{
	struct tls_context	*ctx = TAILQ_LAST(&next, tls_contexts);

	if (ctx == NULL)
		fatalx("tls: a piece of nothing");
	*kp = TAILQ_LAST(&ctx->keypairs, keypairs);
	if (*kp == NULL || (*kp)->name != NULL) {
		if ((*kp = calloc(1, sizeof(**kp))) == NULL)
			fatal("tls");
		TAILQ_INSERT_TAIL(&ctx->keypairs, *kp, entry);
	}
	return (ctx);
}

void
tls_context_piece(uint32_t type, const void *data, size_t len)
{
	struct tls_context	*ctx;
	struct keypair		*kp;

	ctx = gathered(&kp);
	switch (type) {
	case IMSG_CONF_TLS_CA:
		blob_add(&ctx->ca, data, len);
		break;
	case IMSG_CONF_TLS_CERT:
		blob_add(&kp->cert, data, len);
		break;
	case IMSG_CONF_TLS_KEY:
		blob_add(&kp->key, data, len);
		break;
	case IMSG_CONF_TLS_OCSP:
		blob_add(&kp->ocsp, data, len);
		break;
	}
}

void
tls_context_keypair(const char *name)
{
	struct keypair	*kp;

	gathered(&kp);
	if ((kp->name = strdup(name)) == NULL)
		fatal("tls");
}

/* Only for such keys does libcrypto let somebody else do the work. */
static int
check_kind(const struct keypair *kp, char *err, size_t size)
{
	BIO		*bio;
	X509		*cert;
	EVP_PKEY	*pkey;
	int		 kind = EVP_PKEY_NONE;

	if ((bio = BIO_new_mem_buf(kp->cert.data, (int)kp->cert.len)) == NULL)
		fatal("tls");
	cert = PEM_read_bio_X509(bio, NULL, NULL, NULL);
	BIO_free(bio);
	if (cert == NULL) {
		snprintf(err, size, "%s: there is no certificate in it",
		    kp->name);
		return (-1);
	}
	if ((pkey = X509_get0_pubkey(cert)) != NULL)
		kind = EVP_PKEY_base_id(pkey);
	X509_free(cert);
	if (kind == EVP_PKEY_RSA || kind == EVP_PKEY_EC)
		return (0);
	snprintf(err, size, "%s: only RSA and EC keys can be kept out of the "
	    "process that has the network: use such a key, or \"tls { "
	    "key-isolation no }\"", kp->name);
	return (-1);
}

static int
add_keypair(struct tls_config *config, const struct keypair *kp, int first)
{
	const uint8_t	*key = kp->key.len > 0 ? kp->key.data : NULL;
	const uint8_t	*ocsp = kp->ocsp.len > 0 ? kp->ocsp.data : NULL;

	if (first)
		return (tls_config_set_keypair_ocsp_mem(config, kp->cert.data,
		    kp->cert.len, key, kp->key.len, ocsp, kp->ocsp.len));
	return (tls_config_add_keypair_ocsp_mem(config, kp->cert.data,
	    kp->cert.len, key, kp->key.len, ocsp, kp->ocsp.len));
}

static struct tls_config *
config_new(enum tls_keys keys)
{
	struct tls_config	*config;

	if ((config = tls_config_new()) == NULL)
		fatalx("tls: no memory for a configuration");
	if (keys == TLS_ISOLATED)
		tls_config_use_fake_private_key(config);
	return (config);
}

/* A key pair alone, as it answers to a client. */
static int
try_keypair(struct keypair *kp, enum tls_keys keys, char *err, size_t size)
{
	struct tls_config	*config;
	struct blob		 ocsp = kp->ocsp;
	char			 why[256];
	int			 rv;

	if (keys != TLS_WITH_KEYS && check_kind(kp, err, size) == -1)
		return (-1);
	config = config_new(keys);
	/* What an authority says is for clients who know that. */
	memset(&kp->ocsp, 0, sizeof(kp->ocsp));
	if (add_keypair(config, kp, 1) == -1) {
		strlcpy(why, tls_config_error(config), sizeof(why));
		rv = -1;
	} else
		rv = tls_selftest(config, why, sizeof(why));
	if (rv == -1)
		snprintf(err, size, "%s, or its key: %s", kp->name, why);
	kp->ocsp = ocsp;
	tls_config_free(config);
	return (rv);
}

/* The words of the configuration, as libtls has them. */
static int
set_protocols(struct tls_config *config, const char *words)
{
	char		 list[256], *p;
	uint32_t	 protocols;

	strlcpy(list, words, sizeof(list));
	while ((p = strchr(list, ' ')) != NULL)
		*p = ',';
	if (tls_config_parse_protocols(&protocols, list) == -1)
		return (-1);
	return (tls_config_set_protocols(config, protocols));
}

static int
configure(struct tls_config *config, struct tls_context *ctx,
    uint64_t lifetime, char *err, size_t size)
{
	struct keypair	*kp;

	if (ctx->conf.protocols[0] != '\0' &&
	    set_protocols(config, ctx->conf.protocols) == -1) {
		snprintf(err, size, "tls protocols: \"%s\" is not known "
		    "(tlsv1.2, tlsv1.3)", ctx->conf.protocols);
		return (-1);
	}
	if (ctx->conf.ciphers[0] != '\0' &&
	    tls_config_set_ciphers(config, ctx->conf.ciphers) == -1)
		goto bad;
	TAILQ_FOREACH(kp, &ctx->keypairs, entry)
		if (kp->name != NULL && add_keypair(config, kp,
		    kp == TAILQ_FIRST(&ctx->keypairs)) == -1)
			goto bad;
	if (ctx->ca.len > 0) {
		if (tls_config_set_ca_mem(config, ctx->ca.data,
		    ctx->ca.len) == -1)
			goto bad;
		tls_config_verify_client(config);
	}
	if (ctx->conf.tickets && tls_config_set_session_lifetime(config,
	    (int)(lifetime / 1000)) == -1)
		goto bad;
	if (tls_config_set_alpn(config, "http/1.1") == -1)
		goto bad;
	return (0);
bad:
	snprintf(err, size, "tls: %s", tls_config_error(config));
	return (-1);
}

static int
context_build(struct tls_context *ctx, enum tls_keys keys, uint64_t lifetime,
    char *err, size_t size)
{
	struct tls_config	*config;
	struct keypair		*kp;
	int			 rv;

	TAILQ_FOREACH(kp, &ctx->keypairs, entry)
		if (kp->name != NULL &&
		    try_keypair(kp, keys, err, size) == -1)
			return (-1);
	config = config_new(keys);
	rv = configure(config, ctx, lifetime, err, size);
	if (rv == 0) {
		if ((ctx->server = tls_server()) == NULL)
			fatalx("tls: no memory for a server");
		if ((rv = tls_configure(ctx->server, config)) == -1)
			snprintf(err, size, "tls: %s", tls_error(ctx->server));
	}
	tls_config_free(config);
	keypairs_free(ctx);
	blob_free(&ctx->ca);
	return (rv);
}

int
tls_context_build(enum tls_keys keys, uint64_t lifetime, char *err,
    size_t size)
{
	struct tls_context	*ctx;

	TAILQ_FOREACH(ctx, &next, entry)
		if (context_build(ctx, keys, lifetime, err, size) == -1) {
			tls_context_forget();
			return (-1);
		}
	return (0);
}

void
tls_context_adopt(void)
{
	contexts_forget(&current);
	TAILQ_CONCAT(&current, &next, entry);
}

void
tls_context_forget(void)
{
	contexts_forget(&next);
}

struct tls_context *
tls_context_hold(uint32_t id)
{
	struct tls_context	*ctx;

	TAILQ_FOREACH(ctx, &current, entry)
		if (ctx->conf.id == id) {
			ctx->held++;
			return (ctx);
		}
	fatalx("tls: there is no context %u", id);
}

struct tls *
tls_context_server(struct tls_context *ctx)
{
	return (ctx->server);
}
