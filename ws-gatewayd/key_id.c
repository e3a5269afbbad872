/* A key is told from others by a hash of its public part. */
#define OPENSSL_SUPPRESS_DEPRECATED

#include <openssl/crypto.h>
#include <openssl/ec.h>
#include <openssl/rsa.h>
#include <openssl/sha.h>

#include "keys.h"

static int
hash(unsigned char *der, int len, uint8_t id[KEY_ID_LEN])
{
	if (der == NULL || len <= 0)
		return (-1);
	SHA256(der, (size_t)len, id);
	OPENSSL_free(der);
	return (0);
}

int
key_id_rsa(const RSA *rsa, uint8_t id[KEY_ID_LEN])
{
	unsigned char	*der = NULL;
	int		 len;

	len = i2d_RSAPublicKey(rsa, &der);
	return (hash(der, len, id));
}

/* Whether the point is compressed is up to the form that the key came in. */
int
key_id_ec(const EC_KEY *ec, uint8_t id[KEY_ID_LEN])
{
	unsigned char	*point = NULL;
	size_t		 len;

	len = EC_POINT_point2buf(EC_KEY_get0_group(ec),
	    EC_KEY_get0_public_key(ec), POINT_CONVERSION_UNCOMPRESSED, &point,
	    NULL);
	return (hash(point, (int)len, id));
}
