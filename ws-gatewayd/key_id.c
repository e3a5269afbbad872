/* A key is told from others by a hash of its public part. */
#define OPENSSL_SUPPRESS_DEPRECATED

#include <openssl/crypto.h>
#include <openssl/ec.h>
#include <openssl/rsa.h>
#include <openssl/sha.h>

#include "keys.h"

/* A byte for the form, and two coordinates of up to 571 bits. */
#define POINT_MAX	(1 + 2 * 72)

int
key_id_rsa(const RSA *rsa, uint8_t id[KEY_ID_LEN])
{
	unsigned char	*der = NULL;
	int		 len;

	if ((len = i2d_RSAPublicKey(rsa, &der)) <= 0)
		return (-1);
	SHA256(der, (size_t)len, id);
	OPENSSL_free(der);
	return (0);
}

/* Whether the point is compressed is up to the form that the key came in. */
int
key_id_ec(const EC_KEY *ec, uint8_t id[KEY_ID_LEN])
{
	unsigned char	 point[POINT_MAX];
	size_t		 len;

	/* LibreSSL has no EC_POINT_point2buf(3). */
	len = EC_POINT_point2oct(EC_KEY_get0_group(ec),
	    EC_KEY_get0_public_key(ec), POINT_CONVERSION_UNCOMPRESSED, point,
	    sizeof(point), NULL);
	if (len == 0)
		return (-1);
	SHA256(point, len, id);
	return (0);
}
