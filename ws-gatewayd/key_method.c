/*
 * What libcrypto does with a private key is asked of the keys process.  libtls
 * is given certificates alone (tls_config_use_fake_private_key()), so that the
 * keys that it works with have a public part and nothing else.
 */
#define OPENSSL_SUPPRESS_DEPRECATED

#include <sys/types.h>

#include <openssl/ec.h>
#include <openssl/rsa.h>

#include <string.h>

#include "log.h"
#include "signer.h"

static int
rsa_ask(enum key_op op, int len, const unsigned char *from, unsigned char *to,
    RSA *rsa, int padding)
{
	uint8_t	 id[KEY_ID_LEN], out[KEY_MAXDATA];
	int	 n;

	if (len < 0 || key_id_rsa(rsa, id) == -1)
		return (-1);
	n = signer_ask(op, id, padding, from, (size_t)len, out);
	/* As many as the key has are what the caller has room for. */
	if (n == -1 || n > RSA_size(rsa))
		return (-1);
	memcpy(to, out, (size_t)n);
	explicit_bzero(out, sizeof(out));
	return (n);
}

static int
rsa_private_encrypt(int len, const unsigned char *from, unsigned char *to,
    RSA *rsa, int padding)
{
	return (rsa_ask(KEY_RSA_SIGN, len, from, to, rsa, padding));
}

static int
rsa_private_decrypt(int len, const unsigned char *from, unsigned char *to,
    RSA *rsa, int padding)
{
	return (rsa_ask(KEY_RSA_DECRYPT, len, from, to, rsa, padding));
}

static int
ec_sign(int type, const unsigned char *digest, int len, unsigned char *sig,
    unsigned int *siglen, const BIGNUM *kinv, const BIGNUM *r, EC_KEY *ec)
{
	uint8_t	 id[KEY_ID_LEN], out[KEY_MAXDATA];
	int	 n;

	(void)type;
	(void)kinv;
	(void)r;
	if (len < 0 || key_id_ec(ec, id) == -1)
		return (0);
	n = signer_ask(KEY_EC_SIGN, id, 0, digest, (size_t)len, out);
	if (n == -1 || n > ECDSA_size(ec))
		return (0);
	memcpy(sig, out, (size_t)n);
	*siglen = (unsigned int)n;
	return (1);
}

static ECDSA_SIG *
ec_sign_sig(const unsigned char *digest, int len, const BIGNUM *kinv,
    const BIGNUM *r, EC_KEY *ec)
{
	unsigned char		 sig[KEY_MAXDATA];
	const unsigned char	*p = sig;
	unsigned int		 n;

	if ((size_t)ECDSA_size(ec) > sizeof(sig) ||
	    ec_sign(0, digest, len, sig, &n, kinv, r, ec) == 0)
		return (NULL);
	return (d2i_ECDSA_SIG(NULL, &p, (long)n));
}

void
key_method_init(void)
{
	RSA_METHOD	*rsa;
	EC_KEY_METHOD	*ec;
	int		(*setup)(EC_KEY *, BN_CTX *, BIGNUM **, BIGNUM **);

	if ((rsa = RSA_meth_dup(RSA_get_default_method())) == NULL ||
	    RSA_meth_set_priv_enc(rsa, rsa_private_encrypt) != 1 ||
	    RSA_meth_set_priv_dec(rsa, rsa_private_decrypt) != 1 ||
	    (ec = EC_KEY_METHOD_new(EC_KEY_get_default_method())) == NULL)
		fatalx("tls: no memory for the methods of keys");
	EC_KEY_METHOD_get_sign(ec, NULL, &setup, NULL);
	EC_KEY_METHOD_set_sign(ec, ec_sign, setup, ec_sign_sig);
	RSA_set_default_method(rsa);
	EC_KEY_set_default_method(ec);
}
