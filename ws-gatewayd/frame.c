/* Shared output: encoded once, counted references. */
#include <stdlib.h>
#include <string.h>

#include "deflate.h"
#include "engine.h"
#include "frame.h"
#include "log.h"
#include "memory.h"
#include "metrics.h"
#include "proc.h"
#include "ws.h"

struct frame *
frame_room(size_t len)
{
	struct frame	*f;

	if (len > UINT32_MAX || (f = malloc(sizeof(*f) + len)) == NULL)
		fatal("frame of %zu bytes", len);
	memset(f, 0, sizeof(*f));
	memory_take(sizeof(*f) + len);
	f->refs = 1;
	f->len = (uint32_t)len;
	return (f);
}

struct frame *
frame_bytes(const void *data, size_t len)
{
	struct frame	*f = frame_room(len);

	memcpy(f->data, data, len);
	return (f);
}

struct frame *
frame_message(const char *event, size_t elen, const char *payload, size_t plen)
{
	static const char	 head[] = "{\"event\":";
	static const char	 middle[] = ",\"payload\":";
	struct frame		*f;
	uint8_t			 header[WS_MAXHEADER], *p;
	size_t			 hlen, len;

	if (payload == NULL) {
		payload = "null";
		plen = 4;
	}
	len = sizeof(head) - 1 + elen + sizeof(middle) - 1 + plen + 1;
	hlen = ws_header(header, WS_TEXT, len);
	f = frame_room(hlen + len);
	f->message = 1;
	p = f->data;
	memcpy(p, header, hlen);
	p += hlen;
	memcpy(p, head, sizeof(head) - 1);
	p += sizeof(head) - 1;
	f->event_off = (uint32_t)(p - f->data);
	f->event_len = (uint32_t)elen;
	memcpy(p, event, elen);
	p += elen;
	memcpy(p, middle, sizeof(middle) - 1);
	p += sizeof(middle) - 1;
	memcpy(p, payload, plen);
	p[plen] = '}';
	return (f);
}

struct frame *
frame_control(int opcode, const void *data, size_t len)
{
	struct frame	*f;
	uint8_t		 header[WS_MAXHEADER];
	size_t		 hlen;

	hlen = ws_header(header, opcode, len);
	f = frame_room(hlen + len);
	memcpy(f->data, header, hlen);
	if (len > 0)
		memcpy(f->data + hlen, data, len);
	return (f);
}

struct frame *
frame_close(uint16_t code, const char *reason)
{
	struct frame	*f;
	uint8_t		 buf[2 + WS_MAXCONTROL];
	size_t		 len;

	len = ws_close_frame(buf, code, reason, strlen(reason));
	f = frame_bytes(buf, len);
	f->close = 1;
	return (f);
}

/* The payload of a frame of ours. */
static const uint8_t *
frame_payload(const struct frame *f, size_t *len)
{
	size_t	 hlen;

	/* As ws_header() has written it. */
	hlen = f->data[1] < 126 ? 2 : f->data[1] == 126 ? 4 : 10;
	*len = f->len - hlen;
	return (f->data + hlen);
}

void
frame_deflate(struct frame *f)
{
	struct frame	*d;
	const uint8_t	*payload;
	uint8_t		 header[WS_MAXHEADER], *out;
	size_t		 hlen, len, n;

	if (f->tried)
		return;
	f->tried = 1;
	payload = frame_payload(f, &len);
	if (len < engine.conf.compress_min || !memory_fits(len) ||
	    (out = malloc(len)) == NULL)
		return;
	n = deflate_message(payload, len, out, (int)engine.conf.compress_level);
	if (n > 0) {
		hlen = ws_header(header, f->data[0] & 0x0f, n);
		header[0] |= WS_RSV1;
		d = frame_room(hlen + n);
		memcpy(d->data, header, hlen);
		memcpy(d->data + hlen, out, n);
		f->deflated = d;
		metrics.deflated++;
		metrics.deflate_in += len;
		metrics.deflate_out += n;
	}
	free(out);
}

struct frame *
frame_ref(struct frame *f)
{
	if (f->refs == UINT32_MAX)
		fatalx("frame: too many references");
	f->refs++;
	return (f);
}

void
frame_unref(struct frame *f)
{
	if (--f->refs > 0)
		return;
	if (f->fanout != 0)
		hist_observe(&metrics.fanout,
		    (double)(now_ms() - f->fanout) / 1000.0);
	if (f->deflated != NULL)
		frame_unref(f->deflated);
	memory_give(sizeof(*f) + f->len);
	free(f);
}
