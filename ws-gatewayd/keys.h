/*
 * Private keys stay out of the engine: what it asks the keys process for, and
 * how a key is told from others.
 */
#ifndef KEYS_H
#define KEYS_H

#include <stddef.h>
#include <stdint.h>

struct rsa_st;
struct ec_key_st;

#define KEY_ID_LEN	32		/* SHA-256 of the public key */
#define KEY_MAXDATA	1024		/* bytes; RSA keys of 8192 bits */
#define KEY_MAXFILE	65536		/* bytes of a PEM file */

enum key_op {
	KEY_RSA_SIGN,			/* RSA_private_encrypt(3) */
	KEY_RSA_DECRYPT,		/* RSA_private_decrypt(3) */
	KEY_EC_SIGN			/* ECDSA_sign(3) */
};

struct key_request {
	uint32_t	serial;		/* given back */
	uint32_t	op;		/* enum key_op */
	int32_t		padding;	/* RSA's */
	uint32_t	len;
	uint8_t		key[KEY_ID_LEN];
	uint8_t		data[KEY_MAXDATA];
};

enum key_status {
	KEY_OK,
	KEY_UNKNOWN,			/* there is no such key */
	KEY_FAILED
};

struct key_answer {
	uint32_t	serial;
	uint32_t	status;		/* enum key_status */
	uint32_t	len;
	uint8_t		data[KEY_MAXDATA];
};

/* key_id.c: by what is public of a key.  Returns 0, or -1. */
int	key_id_rsa(const struct rsa_st *, uint8_t id[KEY_ID_LEN]);
int	key_id_ec(const struct ec_key_st *, uint8_t id[KEY_ID_LEN]);

/*
 * key_memory_*.c: in a process that holds keys, before it makes any use of
 * libcrypto: what that frees is wiped.
 */
void	key_memory_init(void);

#endif /* KEYS_H */
