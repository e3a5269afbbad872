/* SipHash-2-4. */
#include "siphash.h"

struct state {
	uint64_t	 a, b, c, d;
};

static inline uint64_t
rotate(uint64_t x, unsigned n)
{
	return (x << n | x >> (64 - n));
}

/* Eight bytes, the first one the lowest. */
static inline uint64_t
word(const uint8_t *p, size_t n)
{
	uint64_t	 w = 0;

	while (n-- > 0)
		w = w << 8 | p[n];
	return (w);
}

static inline void
rounds(struct state *s, int n)
{
	while (n-- > 0) {
		s->a += s->b;
		s->c += s->d;
		s->b = rotate(s->b, 13) ^ s->a;
		s->d = rotate(s->d, 16) ^ s->c;
		s->a = rotate(s->a, 32);
		s->c += s->b;
		s->a += s->d;
		s->b = rotate(s->b, 17) ^ s->c;
		s->d = rotate(s->d, 21) ^ s->a;
		s->c = rotate(s->c, 32);
	}
}

static inline void
mix(struct state *s, uint64_t w)
{
	s->d ^= w;
	rounds(s, 2);
	s->a ^= w;
}

uint64_t
siphash24(const uint8_t key[16], const void *data, size_t len)
{
	const uint8_t	*p = data;
	uint64_t	 k0 = word(key, 8), k1 = word(key + 8, 8);
	struct state	 s = {
		k0 ^ 0x736f6d6570736575ULL, k1 ^ 0x646f72616e646f6dULL,
		k0 ^ 0x6c7967656e657261ULL, k1 ^ 0x7465646279746573ULL
	};
	size_t		 left;

	for (left = len; left >= 8; left -= 8, p += 8)
		mix(&s, word(p, 8));
	mix(&s, (uint64_t)len << 56 | word(p, left));
	s.c ^= 0xff;
	rounds(&s, 4);
	return (s.a ^ s.b ^ s.c ^ s.d);
}
