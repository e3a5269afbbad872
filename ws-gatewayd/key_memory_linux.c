/*
 * What libcrypto frees is wiped.  It does so with numbers and some buffers,
 * but not with the DER of a key that it has read: freed is not gone.
 */
#include <openssl/crypto.h>

#include <malloc.h>
#include <stdlib.h>
#include <string.h>

#include "keys.h"
#include "log.h"

static void *
wiping_malloc(size_t n, const char *file, int line)
{
	(void)file;
	(void)line;
	return (malloc(n));
}

/* No header tells the size: some of this is freed by free(3), in libtls. */
static void
wiping_free(void *p, const char *file, int line)
{
	(void)file;
	(void)line;
	if (p != NULL)
		explicit_bzero(p, malloc_usable_size(p));
	free(p);
}

static void *
wiping_realloc(void *p, size_t n, const char *file, int line)
{
	void	*new = NULL;
	size_t	 old = p != NULL ? malloc_usable_size(p) : 0;

	if (n > 0 && (new = malloc(n)) == NULL)
		return (NULL);
	if (new != NULL && p != NULL)
		memcpy(new, p, old < n ? old : n);
	wiping_free(p, file, line);
	return (new);
}

void
key_memory_init(void)
{
	/* LibreSSL takes no other allocator, and wipes by itself. */
	if (CRYPTO_set_mem_functions(wiping_malloc, wiping_realloc,
	    wiping_free) != 1)
		log_debug("libcrypto keeps its own allocator");
}
