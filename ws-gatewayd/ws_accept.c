/*
 * The handshake's arithmetic: is the client's key one, and what proves that
 * we have read it.
 */
#include <sys/types.h>

#include <sha1.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "ws.h"

#define WS_GUID		"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
#define WS_KEYLEN	24		/* base64 of 16 bytes, "==" and all */

static const char	alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
			    "abcdefghijklmnopqrstuvwxyz0123456789+/";

int
ws_key_ok(const char *key, size_t len)
{
	const char	*digit = NULL;
	size_t		 i;

	if (len != WS_KEYLEN)
		return (0);
	for (i = 0; i < WS_KEYLEN - 2; i++) {
		digit = memchr(alphabet, key[i], sizeof(alphabet) - 1);
		if (digit == NULL)
			return (0);
	}
	/* 22 digits are 132 bits; the last four carry nothing. */
	if (((digit - alphabet) & 0xf) != 0)
		return (0);
	return (key[i] == '=' && key[i + 1] == '=');
}

void
ws_accept(const char *key, size_t len, char out[WS_ACCEPTLEN])
{
	SHA1_CTX	 ctx;
	uint8_t		 sum[SHA1_DIGEST_LENGTH + 1];
	uint32_t	 group;
	size_t		 i;

	SHA1Init(&ctx);
	SHA1Update(&ctx, (const uint8_t *)key, len);
	SHA1Update(&ctx, (const uint8_t *)WS_GUID, sizeof(WS_GUID) - 1);
	SHA1Final(sum, &ctx);

	/* 20 bytes are one short of seven whole groups: hence one "=". */
	sum[SHA1_DIGEST_LENGTH] = 0;
	for (i = 0; i < sizeof(sum); i += 3) {
		group = (uint32_t)sum[i] << 16 | (uint32_t)sum[i + 1] << 8 |
		    sum[i + 2];
		*out++ = alphabet[group >> 18];
		*out++ = alphabet[group >> 12 & 0x3f];
		*out++ = alphabet[group >> 6 & 0x3f];
		*out++ = alphabet[group & 0x3f];
	}
	out[-1] = '=';
}
