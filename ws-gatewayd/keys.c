/*
 * The keys process: holds the private keys of TLS, and signs what the engine
 * asks it to.  It has no network and no file.
 */
#define OPENSSL_SUPPRESS_DEPRECATED

#include <sys/types.h>
#include <sys/queue.h>

#include <openssl/ec.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>

#include <stdlib.h>
#include <string.h>

#include "conf.h"
#include "keys.h"
#include "log.h"
#include "proc.h"
#include "sandbox.h"

#define USAGE_PERIOD_S	5

struct key {
	SLIST_ENTRY(key)	 entry;
	uint8_t			 id[KEY_ID_LEN];
	RSA			*rsa;		/* the one or the other */
	EC_KEY			*ec;
};
SLIST_HEAD(key_list, key);

/*
 * A configuration comes before the one that it takes the place of is out of
 * use: it may yet be refused, and handshakes begun with the old are still
 * under way after it is in force.
 */
static struct key_list		 next = SLIST_HEAD_INITIALIZER(next);
static struct key_list		 current = SLIST_HEAD_INITIALIZER(current);
static struct key_list		 old = SLIST_HEAD_INITIALIZER(old);

static struct event_base	*base;
static struct settings		 settings;
static struct conf_process	 process;
static struct ipc		 engine;
static struct event		 usage_event;
static int			 engine_fd = -1, running;

/* The PEM file that is coming in. */
static char			 file[KEY_MAXFILE];
static size_t			 file_len;

static void
key_free(struct key *k)
{
	RSA_free(k->rsa);
	EC_KEY_free(k->ec);
	free(k);
}

static void
keys_forget(struct key_list *list)
{
	struct key	*k;

	while ((k = SLIST_FIRST(list)) != NULL) {
		SLIST_REMOVE_HEAD(list, entry);
		key_free(k);
	}
}

static void
keys_move(struct key_list *to, struct key_list *from)
{
	keys_forget(to);
	*to = *from;
	SLIST_INIT(from);
}

static struct key *
keys_find(struct key_list *list, const uint8_t *id)
{
	struct key	*k;

	SLIST_FOREACH(k, list, entry)
		if (memcmp(k->id, id, KEY_ID_LEN) == 0)
			return (k);
	return (NULL);
}

/* Take out of it what can be used; -1: it is of another kind. */
static int
key_take(struct key *k, EVP_PKEY *pkey)
{
	switch (EVP_PKEY_base_id(pkey)) {
	case EVP_PKEY_RSA:
		if ((k->rsa = EVP_PKEY_get1_RSA(pkey)) == NULL)
			return (-1);
		return (key_id_rsa(k->rsa, k->id));
	case EVP_PKEY_EC:
		if ((k->ec = EVP_PKEY_get1_EC_KEY(pkey)) == NULL)
			return (-1);
		return (key_id_ec(k->ec, k->id));
	default:
		return (-1);
	}
}

/* Nobody is there to type a pass phrase. */
static int
no_passphrase(char *buf, int size, int rwflag, void *arg)
{
	(void)buf;
	(void)size;
	(void)rwflag;
	(void)arg;
	return (-1);
}

/*
 * The file is whole.  One that is no key, or of a kind that can't be kept
 * apart, is not kept: the engine, who knows its certificate, says so.
 */
static void
key_add(void)
{
	struct key	*k;
	EVP_PKEY	*pkey;
	BIO		*bio;

	if ((k = calloc(1, sizeof(*k))) == NULL ||
	    (bio = BIO_new_mem_buf(file, (int)file_len)) == NULL)
		fatal("a key");
	pkey = PEM_read_bio_PrivateKey(bio, NULL, no_passphrase, NULL);
	BIO_free(bio);
	explicit_bzero(file, file_len);
	file_len = 0;
	if (pkey == NULL || key_take(k, pkey) == -1)
		key_free(k);
	else
		SLIST_INSERT_HEAD(&next, k, entry);
	EVP_PKEY_free(pkey);
	ERR_clear_error();
}

static void
key_piece(struct imsg *imsg)
{
	size_t	len = imsg_get_len(imsg);

	if (len == 0 || len > sizeof(file) - file_len)
		fatalx("the parent sent too much of a key");
	ipc_data(imsg, file + file_len, len);
	file_len += len;
}

/* The length of what was made, or -1. */
static int
key_use(const struct key *k, const struct key_request *req, uint8_t *out)
{
	unsigned int	 n;

	if (req->op == KEY_EC_SIGN) {
		if (k->ec == NULL || ECDSA_size(k->ec) > KEY_MAXDATA ||
		    ECDSA_sign(0, req->data, (int)req->len, out, &n,
		    k->ec) != 1)
			return (-1);
		return ((int)n);
	}
	if (k->rsa == NULL || RSA_size(k->rsa) > KEY_MAXDATA)
		return (-1);
	if (req->op == KEY_RSA_SIGN)
		return (RSA_private_encrypt((int)req->len, req->data, out,
		    k->rsa, req->padding));
	return (RSA_private_decrypt((int)req->len, req->data, out, k->rsa,
	    req->padding));
}

static void
on_sign(struct ipc *ipc, struct imsg *imsg)
{
	struct key_request	 req;
	struct key_answer	 answer;
	struct key		*k;
	int			 n;

	ipc_data(imsg, &req, sizeof(req));
	if (req.op > KEY_EC_SIGN || req.len > sizeof(req.data))
		fatalx("the engine asks for what can't be");
	memset(&answer, 0, sizeof(answer));
	answer.serial = req.serial;
	if ((k = keys_find(&next, req.key)) == NULL &&
	    (k = keys_find(&current, req.key)) == NULL)
		k = keys_find(&old, req.key);
	if (k == NULL)
		answer.status = KEY_UNKNOWN;
	else if ((n = key_use(k, &req, answer.data)) <= 0) {
		answer.status = KEY_FAILED;
		ERR_clear_error();
	} else
		answer.len = (uint32_t)n;
	ipc_send(ipc, IMSG_KEYS_SIGNED, 0, -1, &answer, sizeof(answer));
	explicit_bzero(&answer, sizeof(answer));
	explicit_bzero(&req, sizeof(req));
}

static void
engine_dispatch(struct ipc *ipc, struct imsg *imsg)
{
	if (imsg_get_type(imsg) != IMSG_KEYS_SIGN)
		fatalx("message %u from the engine", imsg_get_type(imsg));
	on_sign(ipc, imsg);
}

static void
on_usage(int fd, short what, void *arg)
{
	static const struct timeval	 period = { USAGE_PERIOD_S, 0 };
	struct proc_usage		 usage;

	(void)fd;
	(void)what;
	(void)arg;
	memset(&usage, 0, sizeof(usage));
	procstat_read(&usage.stat);
	ipc_send(&proc_parent, IMSG_PROCSTAT, 0, -1, &usage, sizeof(usage));
	event_want(&usage_event, &period);
}

static void
conf_end(void)
{
	keys_move(&old, &current);
	keys_move(&current, &next);
	if (running)
		return;
	if (engine_fd == -1)
		fatalx("the parent forgot the engine");
	ipc_init(&engine, base, engine_fd, engine_dispatch, proc_engine_gone,
	    NULL);
	proc_confine(SANDBOX_KEYS, &process,
	    (enum sandbox_mode)settings.sandbox, NULL);
	ipc_send(&proc_parent, IMSG_READY, 0, -1, NULL, 0);
	event_assign(&usage_event, base, -1, 0, on_usage, NULL);
	on_usage(-1, 0, NULL);
	running = 1;
	log_debug("confined: %s", sandbox_describe());
}

static void
parent_dispatch(struct ipc *ipc, struct imsg *imsg)
{
	(void)ipc;
	switch (imsg_get_type(imsg)) {
	case IMSG_CONF_BEGIN:
		ipc_data(imsg, &settings, sizeof(settings));
		break;
	case IMSG_CONF_TLS_RESET:
		keys_forget(&next);
		explicit_bzero(file, file_len);
		file_len = 0;
		break;
	case IMSG_CONF_TLS_KEY:
		key_piece(imsg);
		break;
	case IMSG_CONF_TLS_KEYPAIR:
		key_add();
		break;
	case IMSG_CONF_TLS_CHECK:
		/* All that came before is there. */
		ipc_send(&proc_parent, IMSG_CONF_TLS_CHECKED,
		    imsg_get_id(imsg), -1, NULL, 0);
		break;
	case IMSG_CONF_PROCESS:
		ipc_data(imsg, &process, sizeof(process));
		break;
	case IMSG_CONF_END:
		conf_end();
		break;
	case IMSG_KEYS_PEER:
		if (engine_fd != -1 || (engine_fd = imsg_get_fd(imsg)) == -1)
			fatalx("the parent sent no socket, or two");
		break;
	case IMSG_SHUTDOWN:
		exit(0);
	default:
		fatalx("message %u from the parent", imsg_get_type(imsg));
	}
}

void
keys_main(void)
{
	base = proc_child_init("keys", parent_dispatch);
	key_memory_init();
	proc_child_loop(base);
}
