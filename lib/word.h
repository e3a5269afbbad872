/*
 * Bytes of a text eight at a time.  A mark is the top bit of its byte in a
 * word; of several marks the first is right, those after it need not be, since
 * they are found by a subtraction that borrows.
 */
#ifndef WORD_H
#define WORD_H

#include <endian.h>
#include <stdint.h>
#include <string.h>

#define WORD_ONES	0x0101010101010101ULL
#define WORD_TOPS	0x8080808080808080ULL

/* The first byte becomes the lowest. */
static inline uint64_t
word_load(const void *p)
{
	uint64_t	 w;

	memcpy(&w, p, sizeof(w));
	return (le64toh(w));
}

/* Marks the bytes under N, which is at most 128. */
static inline uint64_t
word_below(uint64_t w, uint8_t n)
{
	return ((w - WORD_ONES * n) & ~w & WORD_TOPS);
}

/* Marks the bytes that are C. */
static inline uint64_t
word_equal(uint64_t w, uint8_t c)
{
	return (word_below(w ^ WORD_ONES * c, 1));
}

/* How many bytes come before the first mark; there is one. */
static inline unsigned
word_first(uint64_t marks)
{
	return ((unsigned)__builtin_ctzll(marks) / 8);
}

/* The first N bytes of a word, 0 to 7 of them, and zeros. */
static inline uint64_t
word_head(uint64_t w, unsigned n)
{
	return (w & ((1ULL << 8 * n) - 1));
}

#endif /* WORD_H */
