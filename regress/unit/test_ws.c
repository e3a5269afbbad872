/*
 * The frame parser: whole frames at the limits of each length, each error at
 * the first byte that shows it, and the law that cuts of the stream change
 * nothing in what is said of it.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "random.h"
#include "ws.h"

#define MAXMESSAGE	(1 << 20)
#define MAXFRAGMENTS	16
#define MAXKEPT		(14 + WS_MAXCONTROL)

#define F		0x80		/* FIN */

/* A stream of frames being built. */
struct stream {
	uint8_t	*buf;
	size_t	 len;
};

/* What a parser said, as text, and the message that it is in. */
struct record {
	char	 text[4096];
	size_t	 len;
	uint8_t	*message;
	size_t	 have;
};

static int	 deflate;		/* is negotiated */

static void
add(struct stream *s, const void *p, size_t len)
{
	s->buf = realloc(s->buf, s->len + len + 1);
	assert_non_null(s->buf);
	if (len > 0)
		memcpy(s->buf + s->len, p, len);
	s->len += len;
}

/* A masked frame, its length in the least form. */
static void
frame(struct stream *s, uint8_t first, const void *payload, size_t len)
{
	int		 width = len < 126 ? 0 : len < 65536 ? 2 : 8;
	uint8_t		 head[14];
	uint32_t	 mask = random32();
	size_t		 i, n = 0;

	head[n++] = first;
	head[n++] = (uint8_t)(0x80 | (width == 0 ? len : width == 2 ? 126 :
	    127));
	for (i = (size_t)width; i > 0; i--)
		head[n++] = (uint8_t)((uint64_t)len >> 8 * (i - 1));
	memcpy(head + n, &mask, 4);
	add(s, head, n + 4);
	add(s, payload, len);
	for (i = 0; i < len; i++)
		s->buf[s->len - len + i] ^= head[n + i % 4];
}

static void
frame_text(struct stream *s, uint8_t first, const char *payload)
{
	frame(s, first, payload, strlen(payload));
}

static void
stream_clear(struct stream *s)
{
	free(s->buf);
	memset(s, 0, sizeof(*s));
}

static void
say(struct record *r, const char *fmt, ...)
{
	va_list	 ap;
	int	 n;

	va_start(ap, fmt);
	n = vsnprintf(r->text + r->len, sizeof(r->text) - r->len, fmt, ap);
	va_end(ap);
	assert_in_range(n, 0, sizeof(r->text) - r->len - 1);
	r->len += (size_t)n;
}

/* Long payloads by their length and a sum, short ones as they are. */
static void
say_bytes(struct record *r, const uint8_t *p, size_t len)
{
	uint32_t	 sum = 2166136261U;
	size_t		 i;

	if (len > 30) {
		for (i = 0; i < len; i++)
			sum = (sum ^ p[i]) * 16777619U;
		say(r, "%zu#%08x\n", len, sum);
		return;
	}
	for (i = 0; i < len; i++)
		say(r, p[i] >= 0x20 && p[i] < 0x7f ? "%c" : "<%02x>", p[i]);
	say(r, "\n");
}

static void
say_event(struct record *r, const struct ws_parser *ws, enum ws_event ev)
{
	switch (ev) {
	case WS_EV_AGAIN:
		break;
	case WS_EV_DATA:
		assert_true(ws->opcode == WS_TEXT || ws->opcode == WS_BINARY);
		r->message = realloc(r->message, r->have + ws->len + 1);
		assert_non_null(r->message);
		memcpy(r->message + r->have, ws->data, ws->len);
		r->have += ws->len;
		if (!ws->fin)
			break;
		say(r, ws->compressed ? "z" : "");
		say(r, ws->opcode == WS_TEXT ? "text " : "binary ");
		say_bytes(r, r->message, r->have);
		r->have = 0;
		break;
	case WS_EV_PING:
	case WS_EV_PONG:
		/* A control frame has its place inside a message, too. */
		say(r, "%s@%zu ", ev == WS_EV_PING ? "ping" : "pong", r->have);
		say_bytes(r, ws->data, ws->len);
		break;
	case WS_EV_CLOSE:
		say(r, "close %u ", ws->code);
		say_bytes(r, ws->data, ws->len);
		break;
	case WS_EV_ERROR:
		assert_non_null(ws->reason);
		say(r, "error %u %s\n", ws->code, ws->reason);
		break;
	}
}

/* Parse all of BUF; returns what is left unused, or -1 after an error. */
static long
parse(struct ws_parser *ws, uint8_t *buf, size_t len, struct record *r)
{
	enum ws_event	 ev;
	size_t		 at = 0, used;

	for (;;) {
		ev = ws_parse(ws, buf + at, len - at, &used);
		say_event(r, ws, ev);
		assert_in_range(used, 0, len - at);
		if (ev == WS_EV_ERROR)
			return (-1);
		if (ev == WS_EV_AGAIN) {
			assert_int_equal(used, 0);
			return ((long)(len - at));
		}
		/* Each event costs bytes, or a loop might never end. */
		assert_int_not_equal(used, 0);
		at += used;
	}
}

/*
 * Feed a stream in pieces of up to MOST bytes (0: all at once), each in memory
 * of just its size.  Returns how many bytes were fed when the end came.
 */
static size_t
run_with(struct ws_parser *ws, const struct stream *s, size_t most,
    struct record *r)
{
	uint8_t	*buf, *kept = NULL;
	size_t	 at = 0, have = 0, n;
	long	 rest = 0;

	r->len = r->have = 0;
	r->text[0] = '\0';
	while (at < s->len && rest != -1) {
		n = most == 0 ? s->len : 1 + random32() % most;
		if (n > s->len - at)
			n = s->len - at;
		buf = malloc(have + n);
		assert_non_null(buf);
		if (have > 0)
			memcpy(buf, kept, have);
		free(kept);
		kept = NULL;
		memcpy(buf + have, s->buf + at, n);
		have += n;
		at += n;
		rest = parse(ws, buf, have, r);
		if (rest > 0) {
			assert_in_range(rest, 1, MAXKEPT - 1);
			kept = malloc((size_t)rest);
			assert_non_null(kept);
			memcpy(kept, buf + have - rest, (size_t)rest);
			have = (size_t)rest;
		} else
			have = 0;
		free(buf);
	}
	free(kept);
	free(r->message);
	r->message = NULL;
	return (at);
}

static size_t
run(const struct stream *s, size_t most, struct record *r)
{
	struct ws_stream	 stream;
	struct ws_parser	 ws;

	ws_stream_init(&stream);
	stream.deflate = deflate & 1;
	ws_init(&ws, &stream, MAXMESSAGE, MAXFRAGMENTS);
	return (run_with(&ws, s, most, r));
}

/* A stream is what WANT says, in one piece, in bytes, and in random cuts. */
static void
check(struct stream *s, const char *want)
{
	static struct record	 r;
	int			 i;

	run(s, 0, &r);
	assert_string_equal(r.text, want);
	run(s, 1, &r);
	assert_string_equal(r.text, want);
	for (i = 0; i < 20; i++) {
		run(s, 2 + random32() % (1 + s->len), &r);
		assert_string_equal(r.text, want);
	}
	stream_clear(s);
}

/* And the error is seen at byte AT (counted from 1), no later. */
static void
check_error(struct stream *s, size_t at, const char *want)
{
	static struct record	 r;

	assert_int_equal(run(s, 1, &r), at);
	assert_string_equal(r.text, want);
	check(s, want);
}

static void
check_raw(const char *bytes, size_t len, size_t at, const char *want)
{
	struct stream	 s = { NULL, 0 };

	add(&s, bytes, len);
	check_error(&s, at, want);
}

static void
test_lengths(void **state)
{
	static const size_t	 lengths[] = { 0, 1, 7, 8, 9, 124, 125, 126,
				    127, 128, 65534, 65535, 65536, 65537,
				    MAXMESSAGE - 1, MAXMESSAGE };
	static struct record	 one, many;
	struct stream		 s = { NULL, 0 };
	struct ws_stream	 stream;
	struct ws_parser	 ws;
	enum ws_event		 ev;
	uint8_t			*payload;
	size_t			 i, j, used;

	(void)state;
	payload = malloc(MAXMESSAGE);
	assert_non_null(payload);
	for (i = 0; i < MAXMESSAGE; i++)
		payload[i] = (uint8_t)random32();
	for (i = 0; i < sizeof(lengths) / sizeof(lengths[0]); i++) {
		frame(&s, F | WS_BINARY, payload, lengths[i]);
		run(&s, 0, &one);
		run(&s, lengths[i] / 4 + 1, &many);
		assert_string_equal(one.text, many.text);
		if (lengths[i] < 1000) {
			run(&s, 1, &many);
			assert_string_equal(one.text, many.text);
		}

		ws_stream_init(&stream);
		ws_init(&ws, &stream, MAXMESSAGE, MAXFRAGMENTS);
		ev = ws_parse(&ws, s.buf, s.len, &used);
		assert_int_equal(ev, WS_EV_DATA);
		assert_int_equal(used, s.len);
		assert_int_equal(ws.len, lengths[i]);
		assert_int_equal(ws.opcode, WS_BINARY);
		assert_int_equal(ws.fin, 1);
		for (j = 0; j < ws.len && ws.data[j] == payload[j]; j++)
			continue;
		assert_int_equal(j, lengths[i]);
		stream_clear(&s);
	}
	free(payload);
}

static void
test_control_lengths(void **state)
{
	struct stream	 s = { NULL, 0 };
	char		 payload[WS_MAXCONTROL];

	(void)state;
	memset(payload, 'p', sizeof(payload));
	frame(&s, F | WS_PING, "", 0);
	frame(&s, F | WS_PONG, "", 0);
	frame_text(&s, F | WS_PING, "\x01hello");
	frame(&s, F | WS_PING, payload, WS_MAXCONTROL);
	frame(&s, F | WS_PONG, payload, WS_MAXCONTROL);
	check(&s, "ping@0 \npong@0 \nping@0 <01>hello\n"
	    "ping@0 125#995e1f9f\npong@0 125#995e1f9f\n");
}

static void
test_messages(void **state)
{
	struct stream	 s = { NULL, 0 };

	(void)state;
	frame_text(&s, F | WS_TEXT, "Hello");
	frame_text(&s, F | WS_TEXT, "");
	frame_text(&s, F | WS_BINARY, "\xff\x01");
	frame(&s, F | WS_BINARY, "", 0);
	frame(&s, F | WS_TEXT, "a\0b", 3);
	check(&s, "text Hello\ntext \nbinary <ff><01>\nbinary \n"
	    "text a<00>b\n");
}

static void
test_fragments(void **state)
{
	struct stream	 s = { NULL, 0 };

	(void)state;
	frame_text(&s, WS_TEXT, "Hel");
	frame_text(&s, F | WS_PING, "in between");
	frame_text(&s, WS_CONTINUATION, "lo, ");
	frame_text(&s, F | WS_PONG, "");
	frame_text(&s, WS_CONTINUATION, "");
	frame_text(&s, F | WS_CONTINUATION, "world");
	frame_text(&s, WS_BINARY, "");
	frame_text(&s, WS_CONTINUATION, "");
	frame_text(&s, F | WS_CONTINUATION, "");
	frame_text(&s, F | WS_TEXT, "whole");
	frame_text(&s, WS_TEXT, "left open");
	frame_text(&s, F | WS_CLOSE, "\x03\xe8" "bye");
	check(&s, "ping@3 in between\npong@7 \ntext Hello, world\nbinary \n"
	    "text whole\nclose 1000 bye\n");
}

/* An empty data frame is an event, and one whose payload is late is none. */
static void
test_events(void **state)
{
	struct stream		 s = { NULL, 0 };
	struct ws_stream	 stream;
	struct ws_parser	 ws;
	size_t			 used, i;

	(void)state;
	ws_stream_init(&stream);
	ws_init(&ws, &stream, MAXMESSAGE, MAXFRAGMENTS);
	assert_int_equal(ws_parse(&ws, NULL, 0, &used), WS_EV_AGAIN);
	assert_int_equal(used, 0);

	frame_text(&s, WS_TEXT, "");
	frame_text(&s, F | WS_CONTINUATION, "ab");
	for (i = 0; i < 6; i++) {
		assert_int_equal(ws_parse(&ws, s.buf, i, &used), WS_EV_AGAIN);
		assert_int_equal(used, 0);
	}
	assert_int_equal(ws_parse(&ws, s.buf, 6, &used), WS_EV_DATA);
	assert_int_equal(used, 6);
	assert_int_equal(ws.len, 0);
	assert_int_equal(ws.fin, 0);
	assert_int_equal(ws.opcode, WS_TEXT);

	assert_int_equal(ws_parse(&ws, s.buf + 6, 6, &used), WS_EV_AGAIN);
	assert_int_equal(used, 0);
	assert_int_equal(ws_parse(&ws, s.buf + 6, 7, &used), WS_EV_DATA);
	assert_int_equal(used, 7);
	assert_int_equal(ws.len, 1);
	assert_ptr_equal(ws.data, s.buf + 12);
	assert_int_equal(ws.data[0], 'a');
	assert_int_equal(ws.fin, 0);
	assert_int_equal(ws_parse(&ws, s.buf + 13, 1, &used), WS_EV_DATA);
	assert_int_equal(used, 1);
	assert_int_equal(ws.data[0], 'b');
	assert_int_equal(ws.fin, 1);
	assert_int_equal(ws.opcode, WS_TEXT);
	stream_clear(&s);
}

/* A control frame that is not whole is left as it came, masked. */
static void
test_partial_control(void **state)
{
	struct stream		 s = { NULL, 0 };
	struct ws_stream	 stream;
	struct ws_parser	 ws;
	uint8_t			 copy[64];
	size_t			 i, used;

	(void)state;
	frame_text(&s, F | WS_PING, "payload");
	memcpy(copy, s.buf, s.len);
	ws_stream_init(&stream);
	ws_init(&ws, &stream, MAXMESSAGE, MAXFRAGMENTS);
	for (i = 0; i < s.len; i++) {
		assert_int_equal(ws_parse(&ws, s.buf, i, &used), WS_EV_AGAIN);
		assert_int_equal(used, 0);
		assert_memory_equal(s.buf, copy, s.len);
	}
	assert_int_equal(ws_parse(&ws, s.buf, s.len, &used), WS_EV_PING);
	assert_int_equal(used, s.len);
	assert_int_equal(ws.len, 7);
	assert_memory_equal(ws.data, "payload", 7);
	stream_clear(&s);
}

static void
test_first_byte(void **state)
{
	static const char	 reserved[] = "error 1002 reserved bit set\n";
	static const char	 unknown[] = "error 1002 unknown opcode\n";
	static const char	 fragmented[] =
				    "error 1002 fragmented control frame\n";
	char			 c[2] = { 0, (char)0x80 };
	int			 i;

	(void)state;
	for (i = 0x10; i <= 0x70; i += 0x10) {
		c[0] = (char)(F | i | WS_TEXT);
		check_raw(c, 2, 1, reserved);
		c[0] = (char)(F | i | WS_PING);
		check_raw(c, 2, 1, reserved);
	}
	for (i = 0; i < 0x10; i++) {
		c[0] = (char)(F | i);
		if ((i >= 3 && i <= 7) || i >= 0xb)
			check_raw(c, 2, 1, unknown);
	}
	for (i = WS_CLOSE; i <= WS_PONG; i++) {
		c[0] = (char)i;
		check_raw(c, 2, 1, fragmented);
	}
	check_raw("\x80\x80", 2, 1, "error 1002 continuation of nothing\n");
	check_raw("\x00\x80", 2, 1, "error 1002 continuation of nothing\n");
}

static void
test_order(void **state)
{
	struct stream	 s = { NULL, 0 };

	(void)state;
	frame_text(&s, WS_TEXT, "a");
	frame_text(&s, WS_TEXT, "b");
	check_error(&s, 8, "error 1002 message inside a message\n");
	frame_text(&s, WS_TEXT, "a");
	frame_text(&s, F | WS_BINARY, "b");
	check_error(&s, 8, "error 1002 message inside a message\n");
	frame_text(&s, WS_BINARY, "a");
	frame_text(&s, F | WS_CONTINUATION, "b");
	frame_text(&s, F | WS_CONTINUATION, "c");
	check_error(&s, 15,
	    "binary ab\nerror 1002 continuation of nothing\n");
	frame_text(&s, F | WS_PING, "");
	frame_text(&s, F | WS_CONTINUATION, "c");
	check_error(&s, 7, "ping@0 \nerror 1002 continuation of nothing\n");
}

static void
test_second_byte(void **state)
{
	static const char	 unmasked[] = "error 1002 frame not masked\n";
	static const char	 longer[] =
				    "error 1002 control frame too long\n";

	(void)state;
	check_raw("\x81\x00", 2, 2, unmasked);
	check_raw("\x81\x05Hello", 7, 2, unmasked);
	check_raw("\x82\x7f", 2, 2, unmasked);
	check_raw("\x89\x00", 2, 2, unmasked);
	check_raw("\x88\x7e", 2, 2, unmasked);
	check_raw("\x88\xfe", 2, 2, longer);
	check_raw("\x89\xfe", 2, 2, longer);
	check_raw("\x8a\xff", 2, 2, longer);
}

static void
test_length_field(void **state)
{
	static const char	 minimal[] = "error 1002 length not minimal\n";
	static const char	 range[] = "error 1002 length out of range\n";
	static const char	 big[] = "error 1009 message too big\n";

	(void)state;
	check_raw("\x82\xfe\x00\x00", 4, 4, minimal);
	check_raw("\x82\xfe\x00\x7d", 4, 4, minimal);
	check_raw("\x82\xff\0\0\0\0\0\0\0\0", 10, 10, minimal);
	check_raw("\x82\xff\0\0\0\0\0\0\0\x7d", 10, 10, minimal);
	check_raw("\x82\xff\0\0\0\0\0\0\xff\xff", 10, 10, minimal);
	check_raw("\x82\xff\x80\0\0\0\0\0\0\0", 10, 10, range);
	check_raw("\x82\xff\xff\xff\xff\xff\xff\xff\xff\xff", 10, 10, range);
	check_raw("\x82\xff\x7f\xff\xff\xff\xff\xff\xff\xff", 10, 10, big);
	/* The same lengths are fine where they are the least form. */
	check_raw("\x82\xfe\x00\x7e", 4, 4, "");
	check_raw("\x82\xff\0\0\0\0\0\1\0\0", 10, 10, "");
}

static void
test_too_big(void **state)
{
	static struct record	 r;
	struct stream		 s = { NULL, 0 };
	struct ws_stream	 stream;
	struct ws_parser	 ws;

	(void)state;
	/* Known from the header, one by one over the fragments. */
	frame_text(&s, WS_TEXT, "12345");
	frame_text(&s, F | WS_PING, "no part of it");
	frame_text(&s, F | WS_CONTINUATION, "678");
	frame_text(&s, WS_TEXT, "12345");
	frame_text(&s, WS_CONTINUATION, "678");
	frame_text(&s, F | WS_CONTINUATION, "9");
	ws_stream_init(&stream);
	ws_init(&ws, &stream, 8, MAXFRAGMENTS);
	assert_int_equal(run_with(&ws, &s, 1, &r), s.len - 5);
	assert_string_equal(r.text, "ping@5 no part of it\ntext 12345678\n"
	    "error 1009 message too big\n");
	stream_clear(&s);

	frame_text(&s, F | WS_TEXT, "123456789");
	ws_stream_init(&stream);
	ws_init(&ws, &stream, 8, MAXFRAGMENTS);
	assert_int_equal(run_with(&ws, &s, 1, &r), 2);
	assert_string_equal(r.text, "error 1009 message too big\n");
	stream_clear(&s);

	/* A limit that is lowered amid a message holds from then on. */
	frame_text(&s, WS_TEXT, "12345678");
	ws_stream_init(&stream);
	ws_init(&ws, &stream, 8, MAXFRAGMENTS);
	run_with(&ws, &s, 1, &r);
	stream_clear(&s);
	frame_text(&s, F | WS_CONTINUATION, "9");
	ws_init(&ws, &stream, 4, MAXFRAGMENTS);
	run_with(&ws, &s, 1, &r);
	assert_string_equal(r.text, "error 1009 message too big\n");
	stream_clear(&s);

	/* A limit of nothing still takes empty messages. */
	frame_text(&s, F | WS_TEXT, "");
	frame_text(&s, F | WS_TEXT, "1");
	ws_stream_init(&stream);
	ws_init(&ws, &stream, 0, MAXFRAGMENTS);
	run_with(&ws, &s, 1, &r);
	assert_string_equal(r.text, "text \nerror 1009 message too big\n");
	stream_clear(&s);

	/* The sum of lengths does not wrap. */
	frame_text(&s, WS_BINARY, "12");
	add(&s, "\x80\xff\x7f\xff\xff\xff\xff\xff\xff\xff", 10);
	ws_stream_init(&stream);
	ws_init(&ws, &stream, UINT64_MAX >> 1, MAXFRAGMENTS);
	run_with(&ws, &s, 1, &r);
	assert_string_equal(r.text, "error 1009 message too big\n");
	stream_clear(&s);
}

static void
test_too_many_fragments(void **state)
{
	struct stream	 s = { NULL, 0 };
	size_t		 at;
	int		 i;

	(void)state;
	for (i = 0; i < MAXFRAGMENTS; i++)
		frame_text(&s, i == 0 ? WS_TEXT : i == MAXFRAGMENTS - 1 ?
		    F | WS_CONTINUATION : WS_CONTINUATION, "x");
	for (i = 0; i < MAXFRAGMENTS; i++) {
		frame_text(&s, i == 0 ? WS_TEXT : WS_CONTINUATION, "y");
		frame_text(&s, F | WS_PING, "");
	}
	at = s.len + 1;
	frame_text(&s, F | WS_CONTINUATION, "");
	/* Control frames are not counted. */
	check_error(&s, at, "text xxxxxxxxxxxxxxxx\n"
	    "ping@1 \nping@2 \nping@3 \nping@4 \nping@5 \nping@6 \n"
	    "ping@7 \nping@8 \nping@9 \nping@10 \nping@11 \nping@12 \n"
	    "ping@13 \nping@14 \nping@15 \nping@16 \n"
	    "error 1008 too many fragments\n");
}

static void
test_utf8(void **state)
{
	static const char	 invalid[] = "error 1007 invalid UTF-8\n";
	static const char	 inside[] =
				    "error 1007 text ends inside a character\n";
	struct stream		 s = { NULL, 0 };
	char			 c;
	const char		*p;

	(void)state;
	/* A character over fragments of a byte, with control frames between. */
	p = "\xf0\x9f\x98\x80\xc3\xa9";
	frame(&s, WS_TEXT, "", 0);
	for (; *p != '\0'; p++) {
		c = *p;
		frame(&s, WS_CONTINUATION, &c, 1);
		frame(&s, F | WS_PING, "\xff", 1);
	}
	frame(&s, F | WS_CONTINUATION, "", 0);
	check(&s, "ping@1 <ff>\nping@2 <ff>\nping@3 <ff>\nping@4 <ff>\n"
	    "ping@5 <ff>\nping@6 <ff>\n"
	    "text <f0><9f><98><80><c3><a9>\n");

	frame_text(&s, F | WS_TEXT, "ab\xc0\x80 and more");
	check_error(&s, 6 + 3, invalid);
	frame_text(&s, F | WS_TEXT, "\xed\xa0\x80 and more");
	check_error(&s, 6 + 2, invalid);
	frame_text(&s, F | WS_TEXT, "\xf4\x90\x80\x80");
	check_error(&s, 6 + 2, invalid);
	frame_text(&s, WS_TEXT, "abc\xe2\x82");
	frame_text(&s, F | WS_PING, "");
	frame_text(&s, F | WS_CONTINUATION, "\xac\xac");
	check_error(&s, 6 + 5 + 6 + 6 + 2,
	    "ping@5 \nerror 1007 invalid UTF-8\n");
	frame_text(&s, F | WS_TEXT, "abc\xe2\x82");
	check_error(&s, 6 + 5, inside);
	frame_text(&s, WS_TEXT, "\xf0\x9f\x98");
	frame_text(&s, F | WS_CONTINUATION, "");
	check_error(&s, 9 + 6, inside);

	/* What one message leaves open can't be ended by another. */
	frame_text(&s, F | WS_BINARY, "\xe2\x82");
	frame_text(&s, F | WS_TEXT, "\xac");
	check_error(&s, 8 + 7, "binary <e2><82>\nerror 1007 invalid UTF-8\n");
	frame_text(&s, WS_BINARY, "\xff");
	frame_text(&s, F | WS_CONTINUATION, "\xc0");
	check(&s, "binary <ff><c0>\n");
}

static void
test_close(void **state)
{
	struct stream	 s = { NULL, 0 };
	char		 payload[WS_MAXCONTROL];

	(void)state;
	frame_text(&s, F | WS_CLOSE, "");
	check(&s, "close 1005 \n");
	frame_text(&s, F | WS_CLOSE, "\x03\xe8");
	check(&s, "close 1000 \n");
	frame_text(&s, F | WS_CLOSE, "\x0f\xa0r\xc3\xa9" "ason");
	check(&s, "close 4000 r<c3><a9>ason\n");
	frame_text(&s, F | WS_CLOSE, "\x03");
	check_error(&s, 7, "error 1002 close code cut short\n");
	frame(&s, F | WS_CLOSE, "\x03\xed", 2);
	check_error(&s, 8, "error 1002 invalid close code\n");
	frame(&s, F | WS_CLOSE, "\x00\x00", 2);
	check_error(&s, 8, "error 1002 invalid close code\n");
	frame_text(&s, F | WS_CLOSE, "\x03\xe8\xff");
	check_error(&s, 9, "error 1007 invalid UTF-8 in a close reason\n");
	frame_text(&s, F | WS_CLOSE, "\x03\xe8\xe2\x82");
	check_error(&s, 10, "error 1007 invalid UTF-8 in a close reason\n");

	memset(payload, 'r', sizeof(payload));
	memcpy(payload, "\x03\xe9", 2);
	frame(&s, F | WS_CLOSE, payload, sizeof(payload));
	check(&s, "close 1001 123#35b5bb75\n");
}

static void
test_close_codes(void **state)
{
	struct stream		 s = { NULL, 0 };
	struct ws_stream	 stream;
	struct ws_parser	 ws;
	uint8_t			 c[2];
	uint32_t		 code;
	size_t			 used;
	int			 ok;

	(void)state;
	for (code = 0; code <= UINT16_MAX; code++) {
		ok = (code >= 1000 && code < 5000) &&
		    !(code > 1014 && code < 3000) &&
		    code != 1004 && code != 1005 && code != 1006;
		assert_int_equal(ws_close_code_ok((uint16_t)code), ok);
		c[0] = (uint8_t)(code >> 8);
		c[1] = (uint8_t)code;
		frame(&s, F | WS_CLOSE, c, 2);
		ws_stream_init(&stream);
		ws_init(&ws, &stream, MAXMESSAGE, MAXFRAGMENTS);
		assert_int_equal(ws_parse(&ws, s.buf, s.len, &used),
		    ok ? WS_EV_CLOSE : WS_EV_ERROR);
		assert_int_equal(ws.code, ok ? code : WS_CLOSE_PROTOCOL);
		stream_clear(&s);
	}
}

static void
random_frames(struct stream *s)
{
	static const char *const	 texts[] = { "", "a", "\xc3\xa9",
					    "\xf0\x9f\x98\x80",
					    "a longer text of many words",
					    "\xe2\x82", "\xac", "\xff" };
	static const uint8_t		 firsts[] = { F | WS_TEXT,
					    F | WS_BINARY, WS_TEXT,
					    WS_BINARY, WS_CONTINUATION,
					    F | WS_CONTINUATION, F | WS_PING,
					    F | WS_PONG };
	const char			*p;
	char				 large[1000];
	size_t				 len;
	int				 i, n = 1 + (int)(random32() % 8);
	int				 open = 0;
	uint8_t				 first;

	memset(large, 'L', sizeof(large));
	for (i = 0; i < n; i++) {
		/* Mostly in an order that makes sense. */
		first = open ? firsts[4 + random32() % 4] :
		    firsts[random32() % 4];
		if (random32() % 20 == 0)
			first = (uint8_t)random32();
		p = texts[random32() % (random32() % 4 == 0 ? 8 : 5)];
		len = strlen(p);
		if (random32() % 8 == 0 && (first & 8) == 0) {
			p = large;
			len = random32() % sizeof(large);
		}
		frame(s, first, p, len);
		if ((first & 8) == 0)
			open = (first & F) == 0;
	}
	if (random32() % 8 == 0)
		s->buf[random32() % s->len] = (uint8_t)random32();
	if (random32() % 8 == 0)
		s->len = 1 + random32() % s->len;
}

static void
test_random_cuts(void **state)
{
	static struct record	 one, many;
	struct stream		 s = { NULL, 0 };
	int			 i, j, errors = 0;

	(void)state;
	for (i = 0; i < 3000; i++) {
		random_frames(&s);
		run(&s, 0, &one);
		errors += strstr(one.text, "error") != NULL;
		run(&s, 1, &many);
		assert_string_equal(one.text, many.text);
		for (j = 0; j < 4; j++) {
			run(&s, 2 + random32() % 40, &many);
			assert_string_equal(one.text, many.text);
		}
		stream_clear(&s);
	}
	/* The streams are of both kinds, or this shows little. */
	assert_in_range(errors, 300, 2700);
}

static void
test_header(void **state)
{
	static const struct {
		uint64_t	 payload;
		size_t		 len;
		const char	*bytes;
	} t[] = {
		{ 0, 2, "\x81\x00" },
		{ 125, 2, "\x81\x7d" },
		{ 126, 4, "\x81\x7e\x00\x7e" },
		{ 65535, 4, "\x81\x7e\xff\xff" },
		{ 65536, 10, "\x81\x7f\0\0\0\0\0\1\0\0" },
		{ UINT64_MAX >> 1, 10,
		    "\x81\x7f\x7f\xff\xff\xff\xff\xff\xff\xff" },
	};
	uint8_t	 out[WS_MAXHEADER];
	size_t	 i;

	(void)state;
	for (i = 0; i < sizeof(t) / sizeof(t[0]); i++) {
		assert_int_equal(ws_header(out, WS_TEXT, t[i].payload),
		    t[i].len);
		assert_memory_equal(out, t[i].bytes, t[i].len);
	}
	assert_int_equal(ws_header(out, WS_PING, 0), 2);
	assert_memory_equal(out, "\x89\x00", 2);
}

static void
test_close_frame(void **state)
{
	uint8_t	 out[2 + WS_MAXCONTROL];
	char	 reason[200];
	size_t	 i;

	(void)state;
	assert_int_equal(ws_close_frame(out, WS_CLOSE_NO_STATUS, "x", 1), 2);
	assert_memory_equal(out, "\x88\x00", 2);
	assert_int_equal(ws_close_frame(out, WS_CLOSE_NORMAL, NULL, 0), 4);
	assert_memory_equal(out, "\x88\x02\x03\xe8", 4);
	assert_int_equal(ws_close_frame(out, WS_CLOSE_POLICY, "token expired",
	    13), 17);
	assert_memory_equal(out, "\x88\x0f\x03\xf0token expired", 17);

	memset(reason, 'r', sizeof(reason));
	assert_int_equal(ws_close_frame(out, 1000, reason, 123), 127);
	assert_int_equal(out[1], 125);
	assert_int_equal(ws_close_frame(out, 1000, reason, 124), 127);
	assert_int_equal(ws_close_frame(out, 1000, reason, 200), 127);
	assert_memory_equal(out + 4, reason, 123);

	/* The cut goes around a character of four bytes at the limit. */
	for (i = 118; i <= 124; i++) {
		memset(reason, 'r', sizeof(reason));
		memcpy(reason + i, "\xf0\x9f\x98\x80", 4);
		assert_int_equal(ws_close_frame(out, 1000, reason, 200),
		    i + 4 <= 123 ? 127 : i <= 123 ? 4 + i : 127);
		assert_memory_equal(out + 4, reason, out[1] - 2);
	}
	/* And what is not UTF-8 does not go out. */
	assert_int_equal(ws_close_frame(out, 1000, "ab\xff" "cd", 5), 6);
	assert_memory_equal(out, "\x88\x04\x03\xe8" "ab", 6);
	assert_int_equal(ws_close_frame(out, 1000, "ab\xe2\x82", 4), 6);
}

static void
test_key(void **state)
{
	static const struct {
		const char	*key;
		int		 ok;
	} t[] = {
		{ "dGhlIHNhbXBsZSBub25jZQ==", 1 },
		{ "AAAAAAAAAAAAAAAAAAAAAA==", 1 },
		{ "////////////////////+w==", 1 },
		{ "/////////////////////w==", 1 },
		{ "+/09azAZ+/09azAZ+/09aQ==", 1 },
		{ "", 0 },
		{ "dGhlIHNhbXBsZSBub25jZQ", 0 },
		{ "dGhlIHNhbXBsZSBub25jZQ=", 0 },
		{ "dGhlIHNhbXBsZSBub25jZQ=A", 0 },
		{ "dGhlIHNhbXBsZSBub25jZQA=", 0 },
		{ "dGhlIHNhbXBsZSBub25jZQ===", 0 },
		{ "dGhlIHNhbXBsZSBub25jZQ== ", 0 },
		{ " dGhlIHNhbXBsZSBub25jZQ==", 0 },
		{ "dGhlIHNhbXBsZSBub25jZWU=", 0 },	/* 17 bytes */
		{ "dGhlIHNhbXBsZSBub25jZWVl", 0 },	/* 18 bytes */
		{ "dGhlIHNhbXBsZSBub25j", 0 },		/* 15 bytes */
		{ "dGhlIHNhbXBsZSBub25jZR==", 0 },	/* bits over */
		{ "dGhlIHNhbXBsZSBub25jZY==", 0 },
		{ "dGhlIHNhbXBsZSBub25jZf==", 0 },
		{ "-_09azAZ+/09azAZ+/09aQ==", 0 },
		{ "dGhlIHNh XBsZSBub25jZQ==", 0 },
		{ "dGhl=HNhbXBsZSBub25jZQ==", 0 },
		{ "dGhlIHNhbXBsZSBub25j\xc3\xa9==", 0 },
	};
	size_t	 i;
	int	 c, n = 0;
	char	 key[] = "dGhlIHNhbXBsZSBub25jZQ==";

	(void)state;
	for (i = 0; i < sizeof(t) / sizeof(t[0]); i++)
		assert_int_equal(ws_key_ok(t[i].key, strlen(t[i].key)),
		    t[i].ok);
	assert_false(ws_key_ok("dGhlIHNhbXBsZSBub25j\0Q==", 24));
	for (c = 0; c < 256; c++) {
		key[3] = (char)c;
		n += ws_key_ok(key, 24);
	}
	assert_int_equal(n, 64);
	key[3] = 'l';
	for (c = 0, n = 0; c < 256; c++) {
		key[21] = (char)c;
		n += ws_key_ok(key, 24);
	}
	assert_int_equal(n, 4);
}

static void
test_accept(void **state)
{
	char	 out[WS_ACCEPTLEN + 1];

	(void)state;
	/* RFC 6455, 1.3; the others by sha1(1) and base64(1). */
	memset(out, 0, sizeof(out));
	ws_accept("dGhlIHNhbXBsZSBub25jZQ==", 24, out);
	assert_string_equal(out, "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
	ws_accept("AAAAAAAAAAAAAAAAAAAAAA==", 24, out);
	assert_string_equal(out, "ICX+Yqv66kxgM0FcWaLWlFLwTAI=");
	ws_accept("/////////////////////w==", 24, out);
	assert_string_equal(out, "XXpj4jYzLM2yUE0C7TIgMwTQh2g=");
	assert_int_equal(out[WS_ACCEPTLEN], '\0');
}

/* RSV1, where it was negotiated: of the first frame of a message. */
static void
test_compressed(void **state)
{
	static const char	 reserved[] = "error 1002 reserved bit set\n";
	static uint8_t		 payload[MAXMESSAGE];
	static struct record	 r;
	struct stream		 s = { NULL, 0 };
	size_t			 most = MAXMESSAGE + MAXMESSAGE / 8 + 64;
	char			 c[2] = { 0, (char)0x80 };
	int			 b;

	(void)state;
	deflate = 1;
	frame_text(&s, F | WS_RSV1 | WS_TEXT, "\xff");
	frame_text(&s, F | WS_TEXT, "plain");
	frame_text(&s, F | WS_RSV1 | WS_BINARY, "");
	frame_text(&s, WS_RSV1 | WS_TEXT, "\xc3");
	frame_text(&s, F | WS_PING, "in between");
	frame_text(&s, WS_CONTINUATION, "");
	frame_text(&s, F | WS_CONTINUATION, "\xc3");
	frame_text(&s, WS_TEXT, "a");
	frame_text(&s, F | WS_CONTINUATION, "b");
	check(&s, "ztext <ff>\ntext plain\nzbinary \nping@1 in between\n"
	    "ztext <c3><c3>\ntext ab\n");

	/* Not compressed, its text is looked at, after one that was, too. */
	frame_text(&s, F | WS_RSV1 | WS_TEXT, "\xc3");
	frame_text(&s, F | WS_TEXT, "\xc3");
	check(&s, "ztext <c3>\nerror 1007 text ends inside a character\n");

	/* With every other reserved bit, with every other opcode. */
	for (b = 0; b < 256; b++) {
		if ((b & 0x70) == 0 || ((b & 0x70) == WS_RSV1 &&
		    ((b & 0x0f) == WS_TEXT || (b & 0x0f) == WS_BINARY)))
			continue;
		c[0] = (char)b;
		check_raw(c, 2, 1, reserved);
	}
	for (b = 0; b < 2; b++) {
		frame_text(&s, WS_TEXT | (b ? WS_RSV1 : 0), "a");
		frame_text(&s, F | WS_RSV1 | WS_CONTINUATION, "b");
		check_error(&s, 8, reserved);
		frame_text(&s, WS_TEXT | (b ? WS_RSV1 : 0), "a");
		frame_text(&s, F | WS_RSV1 | WS_TEXT, "b");
		check_error(&s, 8, "error 1002 message inside a message\n");
	}

	/* A little over the limit, in any number of frames, and no more. */
	check_raw("\xc2\xff\x00\x00\x00\x00\x00\x12\x00\x41", 10, 10,
	    "error 1009 message too big\n");
	check_raw("\x82\xff\x00\x00\x00\x00\x00\x10\x00\x01", 10, 10,
	    "error 1009 message too big\n");
	frame(&s, WS_RSV1 | WS_BINARY, payload, MAXMESSAGE);
	frame(&s, F | WS_CONTINUATION, payload, most - MAXMESSAGE);
	run(&s, 0, &r);
	assert_memory_equal(r.text, "zbinary 1179712#", 16);
	stream_clear(&s);
	frame(&s, WS_RSV1 | WS_BINARY, payload, MAXMESSAGE);
	frame(&s, F | WS_CONTINUATION, payload, most - MAXMESSAGE + 1);
	run(&s, 0, &r);
	assert_string_equal(r.text, "error 1009 message too big\n");
	stream_clear(&s);
	deflate = 0;
	check_raw("\xc2\x80", 2, 1, reserved);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_lengths),
		cmocka_unit_test(test_control_lengths),
		cmocka_unit_test(test_messages),
		cmocka_unit_test(test_fragments),
		cmocka_unit_test(test_events),
		cmocka_unit_test(test_partial_control),
		cmocka_unit_test(test_first_byte),
		cmocka_unit_test(test_order),
		cmocka_unit_test(test_second_byte),
		cmocka_unit_test(test_length_field),
		cmocka_unit_test(test_too_big),
		cmocka_unit_test(test_too_many_fragments),
		cmocka_unit_test(test_utf8),
		cmocka_unit_test(test_close),
		cmocka_unit_test(test_close_codes),
		cmocka_unit_test(test_random_cuts),
		cmocka_unit_test(test_header),
		cmocka_unit_test(test_close_frame),
		cmocka_unit_test(test_key),
		cmocka_unit_test(test_accept),
		cmocka_unit_test(test_compressed),
	};

	return (cmocka_run_group_tests(tests, NULL, NULL));
}
