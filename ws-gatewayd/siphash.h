/*
 * SipHash-2-4 (Aumasson and Bernstein, 2012): a hash whose collisions can't be
 * made by who does not know the key.
 */
#ifndef SIPHASH_H
#define SIPHASH_H

#include <stddef.h>
#include <stdint.h>

uint64_t	 siphash24(const uint8_t key[16], const void *data, size_t len);

#endif /* SIPHASH_H */
