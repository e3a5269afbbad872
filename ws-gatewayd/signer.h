/*
 * The engine's side of the keys process.  A signature is waited for, since
 * libtls has no way to come back for it: never longer than the setting says,
 * and not at all while an answer is overdue.
 */
#ifndef SIGNER_H
#define SIGNER_H

#include <stddef.h>
#include <stdint.h>

#include "keys.h"

/* Takes the socket, and the RSA and EC keys of libcrypto with it. */
void	signer_init(int fd);
/* How long a signature may take; ms. */
void	signer_set_timeout(uint64_t);

/*
 * Have DATA signed (or decrypted) by the key of that id.  OUT has room for
 * KEY_MAXDATA bytes.  Returns how many it got, or -1 (there is a log line).
 */
int	signer_ask(enum key_op, const uint8_t key[KEY_ID_LEN], int padding,
	    const uint8_t *data, size_t len, uint8_t *out);

/* key_method.c: let RSA and EC keys without their private part ask it. */
void	key_method_init(void);

#endif /* SIGNER_H */
