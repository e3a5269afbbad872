/* Figures and bytes as people read them. */
#include <inttypes.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "format.h"
#include "utf8.h"

char *
format_number(uint64_t n, char *buf, size_t size)
{
	snprintf(buf, size, "%" PRIu64, n);
	return (buf);
}

/* Three digits that count: 1023, 1.00K, 12.3K, 123K, 1023K, 1.00M. */
char *
format_size(uint64_t bytes, int raw, char *buf, size_t size)
{
	static const char	 units[] = "KMGTPE";
	double			 v = (double)bytes;
	int			 i;

	if (raw || bytes < 1024)
		return (format_number(bytes, buf, size));
	/* 1023.5 of one unit would be shown as 1024. */
	v /= 1024;
	for (i = 0; v >= 1023.5 && units[i + 1] != '\0'; i++)
		v /= 1024;
	snprintf(buf, size, "%.*f%c", v < 9.995 ? 2 : v < 99.95 ? 1 : 0, v,
	    units[i]);
	return (buf);
}

/* The two units that count: 12s, 5m09s, 2h05m, 3d04h. */
char *
format_age(uint64_t ms, int raw, char *buf, size_t size)
{
	uint64_t	s = ms / 1000;

	if (raw)
		return (format_number(s, buf, size));
	if (s < 60)
		snprintf(buf, size, "%" PRIu64 "s", s);
	else if (s < 3600)
		snprintf(buf, size, "%" PRIu64 "m%02" PRIu64 "s", s / 60,
		    s % 60);
	else if (s < 86400)
		snprintf(buf, size, "%" PRIu64 "h%02" PRIu64 "m", s / 3600,
		    s / 60 % 60);
	else
		snprintf(buf, size, "%" PRIu64 "d%02" PRIu64 "h", s / 86400,
		    s / 3600 % 24);
	return (buf);
}

/* How many bytes at S make one printable character; 0: not even one. */
static size_t
printable(const uint8_t *s, size_t len)
{
	uint32_t	state = UTF8_START;
	size_t		n;

	for (n = 0; n < len; n++) {
		if (utf8_feed(&state, s + n, 1) == -1)
			return (0);
		if (state == UTF8_START)
			break;
	}
	if (n++ == len)
		return (0);
	/* C0, DEL, and C1, which terminals obey as well. */
	if ((n == 1 && (s[0] < 0x20 || s[0] == 0x7f)) ||
	    (n == 2 && s[0] == 0xc2 && s[1] < 0xa0))
		return (0);
	return (n);
}

char *
format_text(const void *text, size_t len, char *buf, size_t size)
{
	const uint8_t	*s = text;
	char		 c[5];
	size_t		 i, n, out = 0, width;

	for (i = 0; i < len; i += n) {
		n = printable(s + i, len - i);
		width = n;
		if (n == 0) {
			width = (size_t)snprintf(c, sizeof(c), "\\x%02x", s[i]);
			n = 1;
		} else if (s[i] == '\\') {
			width = 2;
			memcpy(c, "\\\\", 2);
		} else
			memcpy(c, s + i, n);
		if (width >= size - out)
			break;
		memcpy(buf + out, c, width);
		out += width;
	}
	buf[out] = '\0';
	return (buf);
}

char *
format_id(const struct ctl_id *id, char *buf, size_t size)
{
	return (format_text(id->id, id->len, buf, size));
}

int
format_is_plain(const void *text, size_t len)
{
	const uint8_t	*s = text;
	size_t		 i, n;

	for (i = 0; i < len; i += n) {
		if ((n = printable(s + i, len - i)) == 0)
			return (0);
	}
	return (1);
}
