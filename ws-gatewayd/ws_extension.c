/*
 * Offers of extensions.  All of a line is read, though the first good offer
 * counts: what is against the grammar behind it is against it all the same.
 */
#include <string.h>

#include "http_parse.h"
#include "ws_extension.h"

#define MAXBITS		15		/* of a window */
#define MINBITS		8

struct text {
	const char	*p;
	const char	*end;
};

/* A word as it is sent; a value may be in quotes. */
struct word {
	const char	*p;
	size_t		 len;
	int		 quoted;
};

/* The parameters of permessage-deflate. */
enum param {
	SERVER_NO_CONTEXT,
	CLIENT_NO_CONTEXT,
	SERVER_BITS,
	CLIENT_BITS,
	PARAMS
};

static const char *const	names[PARAMS] = {
	[SERVER_NO_CONTEXT]	= "server_no_context_takeover",
	[CLIENT_NO_CONTEXT]	= "client_no_context_takeover",
	[SERVER_BITS]		= "server_max_window_bits",
	[CLIENT_BITS]		= "client_max_window_bits"
};

/* An offer being read. */
struct offer {
	int		 deflate;	/* it is one */
	int		 ok;		/* so far we can keep it */
	int		 bits;		/* asked of us, or 0 */
	unsigned	 seen;		/* parameters */
};

static void
space(struct text *t)
{
	while (t->p < t->end && http_isws(*t->p))
		t->p++;
}

/* Take that character, and the space around it. */
static int
take(struct text *t, char c)
{
	space(t);
	if (t->p == t->end || *t->p != c)
		return (0);
	t->p++;
	space(t);
	return (1);
}

static int
token(struct text *t, struct word *w)
{
	w->quoted = 0;
	for (w->p = t->p; t->p < t->end && http_istoken(*t->p); t->p++)
		continue;
	w->len = (size_t)(t->p - w->p);
	return (w->len > 0 ? 0 : -1);
}

/* Without its escapes, what is in quotes must be a token, too. */
static int
quoted(struct text *t, struct word *w)
{
	size_t	 n = 0;

	w->quoted = 1;
	for (w->p = ++t->p; t->p < t->end && *t->p != '"'; t->p++, n++) {
		if (*t->p == '\\' && ++t->p == t->end)
			return (-1);
		if (!http_istoken(*t->p))
			return (-1);
	}
	w->len = (size_t)(t->p - w->p);
	if (t->p == t->end || n == 0)
		return (-1);
	t->p++;
	return (0);
}

static int
value(struct text *t, struct word *w)
{
	if (t->p < t->end && *t->p == '"')
		return (quoted(t, w));
	return (token(t, w));
}

static int
word_is(const struct word *w, const char *s)
{
	return (w->len == strlen(s) && memcmp(w->p, s, w->len) == 0);
}

/* 8 to 15 without leading zeros, or 0. */
static int
window_bits(const struct word *w)
{
	size_t	 i;
	int	 n = 0;

	for (i = 0; i < w->len; i++) {
		if (w->quoted && w->p[i] == '\\')
			continue;
		if (w->p[i] < '0' || w->p[i] > '9' || n > MAXBITS ||
		    (n == 0 && w->p[i] == '0'))
			return (0);
		n = n * 10 + (w->p[i] - '0');
	}
	return (n >= MINBITS && n <= MAXBITS ? n : 0);
}

/* A parameter; V is NULL without a value. */
static void
param(struct offer *o, const struct word *name, const struct word *v)
{
	int	 bits = v != NULL ? window_bits(v) : 0;
	int	 i;

	for (i = 0; i < PARAMS && !word_is(name, names[i]); i++)
		continue;
	if (i == PARAMS || (o->seen & 1U << i) != 0) {
		o->ok = 0;
		return;
	}
	o->seen |= 1U << i;
	switch ((enum param)i) {
	case SERVER_BITS:
		/* To look back less would take a compressor of its own. */
		o->bits = bits;
		if (bits != MAXBITS)
			o->ok = 0;
		break;
	case CLIENT_BITS:
		if (v != NULL && bits == 0)
			o->ok = 0;
		break;
	case SERVER_NO_CONTEXT:
	case CLIENT_NO_CONTEXT:
	case PARAMS:
		if (v != NULL)
			o->ok = 0;
		break;
	}
}

static int
offer(struct text *t, struct ws_deflate *d)
{
	struct offer	 o = { 0, 1, 0, 0 };
	struct word	 name, v;
	int		 has;

	if (token(t, &name) == -1)
		return (-1);
	o.deflate = word_is(&name, "permessage-deflate");
	while (take(t, ';')) {
		if (token(t, &name) == -1)
			return (-1);
		has = take(t, '=');
		if (has && value(t, &v) == -1)
			return (-1);
		param(&o, &name, has ? &v : NULL);
	}
	if (o.deflate && o.ok && !d->agreed) {
		d->agreed = 1;
		d->server_bits = (uint8_t)o.bits;
	}
	return (0);
}

int
ws_extension_parse(struct ws_deflate *d, const char *s, size_t len)
{
	struct text	 t = { s, s + len };

	for (;;) {
		/* Elements of a list may be empty (RFC 9110, 5.6.1). */
		while (take(&t, ','))
			continue;
		if (t.p == t.end)
			return (0);
		if (offer(&t, d) == -1)
			return (-1);
		if (t.p != t.end && !take(&t, ','))
			return (-1);
	}
}
