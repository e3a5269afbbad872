"""Every rule of RFC 6455 for a server, case by case, against the daemon that
echoes.  The groups and their order are those of the Autobahn test suite."""
import itertools
import random
import struct

import pytest

from echo import FRAGMENTS, MAX, Player
from echo import echo  # noqa: F401  pylint: disable=unused-import
from rawws import (BINARY, CLOSE, CONT, PING, PONG, TEXT, close_payload,
                   frame, masked)

KINDS = {"text": TEXT, "binary": BINARY}
OPEN = 0                    # the connection is still good afterwards


def check(gateway, data, expected=(), end=OPEN, chop=None):
    """Say DATA; hear EXPECTED; then a close with the code END, or none."""
    ws = Player.to(gateway)
    ws.say(data, chop)
    ws.hear(*expected)
    if end == OPEN:
        ws.leave()
    else:
        ws.hear_close(end)


def table(cases):
    """Parameters out of (name, data, expected, end[, chop]) rows; the names
    must differ."""
    names = [c[0] for c in cases]
    assert len(set(names)) == len(names)
    return pytest.mark.parametrize(
        "data,expected,end,chop",
        [pytest.param(*(tuple(c[1:]) + (None,))[:4], id=c[0]) for c in cases])


def payload(n):
    """N bytes of text of which no two neighbours are alike."""
    return (b"0123456789abcdefghijklmnopqrstuvwxyz*" * (n // 37 + 1))[:n]


def text(data, **kw):
    return frame(TEXT, data, **kw)


def raw(b0, b1, rest=b"", key=b"\x0a\x0b\x0c\x0d", data=b""):
    """A frame of which every part is given."""
    return bytes([b0, b1]) + rest + key + masked(data, key)


# -- 1: framing ---------------------------------------------------------------

SIZES = [0, 1, 124, 125, 126, 127, 128, 255, 65535, 65536, MAX - 1, MAX]


def lengths():
    for kind, opcode in KINDS.items():
        for n in SIZES:
            data = frame(opcode, payload(n))
            # A short one in single bytes; of a long one the head.
            chops = [None, 1, 3, 7, [2, 1000]] if n < 1000 else \
                [None, [1] * 20 + [65521], 997 if n < MAX - 1 else 65521]
            for chop in chops:
                yield ("%s-%d-by-%s" % (kind, n, "whole" if chop is None else
                                        chop if isinstance(chop, int) else
                                        "head"),
                       data, [(kind, payload(n))], OPEN, chop)


@table(list(lengths()))
def test_1_lengths(echo, data, expected, end, chop):
    check(echo, data, expected, end, chop)


@pytest.mark.parametrize("kind,n", [("text", 65535), ("binary", 65536)])
def test_1_a_long_message_in_single_bytes(echo, kind, n):
    check(echo, frame(KINDS[kind], payload(n)), [(kind, payload(n))], chop=1)


@table([("%s-%s" % (key.hex(), n),
         raw(0x82, 0x80 | n, key=key, data=payload(n)),
         [("binary", payload(n))], OPEN)
        for key in (b"\0\0\0\0", b"\xff\xff\xff\xff", b"\x80\0\0\x01",
                    b"\0\0\0\xff", b"0123")
        for n in (0, 1, 2, 3, 4, 5, 7, 8, 9, 16, 17)])
def test_1_masks(echo, data, expected, end, chop):
    check(echo, data, expected, end, chop)


def width(opcode, bits, n, data=b""):
    return frame(opcode, data)[:1] + (
        raw(0, 0xfe, struct.pack("!H", n)) if bits == 16 else
        raw(0, 0xff, struct.pack("!Q", n)))[1:] + data


@table([("%s-%d-in-%d-bits%s" % (kind, n, bits, end),
         width(opcode, bits, n), [], code, chop)
        for kind, opcode in KINDS.items()
        for bits, n, code in [(16, 0, 1002), (16, 1, 1002), (16, 125, 1002),
                              (64, 0, 1002), (64, 125, 1002), (64, 126, 1002),
                              (64, 65535, 1002), (64, 1 << 63, 1002),
                              (64, (1 << 64) - 1, 1002),
                              (64, (1 << 63) - 1, 1009), (64, MAX + 1, 1009),
                              (64, 1 << 32, 1009)]
        for end, chop in (("", None), ("-chopped", 1))])
def test_1_wrong_lengths(echo, data, expected, end, chop):
    check(echo, data, expected, end, chop)


@table([("%s%s" % (name, "-chopped" if chop else ""), before + data,
         expected, 1002, chop)
        for name, before, data, expected in [
            ("text", b"", text(b"abc", mask=False), []),
            ("text-empty", b"", text(b"", mask=False), []),
            ("binary", b"", frame(BINARY, b"x" * 200, mask=False), []),
            ("ping", b"", frame(PING, b"", mask=False), []),
            ("pong", b"", frame(PONG, b"a", mask=False), []),
            ("close", b"", frame(CLOSE, b"\x03\xe8", mask=False), []),
            ("second", text(b"a"), text(b"b", mask=False), [("text", b"a")]),
            ("continuation", text(b"a", fin=False),
             frame(CONT, b"b", mask=False), [])]
        for chop in (None, 1)])
def test_1_frames_without_a_mask(echo, data, expected, end, chop):
    check(echo, data, expected, end, chop)


# -- 2: pings and pongs ---------------------------------------------------------

ODD = bytes(range(256))


def pings():
    for n in [0, 1, 2, 3, 7, 8, 9, 31, 64, 124, 125]:
        for chop in (None, 1, 5):
            yield ("ping-%d-by-%s" % (n, chop), frame(PING, ODD[-n:] if n else
                                                      b""),
                   [("pong", ODD[-n:] if n else b"")], OPEN, chop)
    for opcode, name in ((PING, "ping"), (PONG, "pong")):
        for n in (126, 127, 1000, 65535, 65536):
            yield "%s-%d" % (name, n), frame(opcode, b"x" * n), [], 1002
            yield ("%s-%d-head" % (name, n), frame(opcode, b"x" * n)[:14], [],
                   1002, 1)
        yield ("%s-without-fin" % name, frame(opcode, b"", fin=False), [],
               1002)
        yield ("%s-without-fin-1" % name, frame(opcode, b"a", fin=False), [],
               1002)
        yield ("%s-without-fin-in-a-message" % name,
               text(b"a", fin=False) + frame(opcode, b"a", fin=False), [],
               1002)
        yield ("%s-in-16-bits" % name, frame(opcode, b"ab", length=16), [],
               1002)
        yield ("%s-in-64-bits" % name, frame(opcode, b"ab", length=64), [],
               1002)
    yield "pong-unasked", frame(PONG, b""), [], OPEN
    yield "pong-unasked-125", frame(PONG, b"x" * 125), [], OPEN
    yield ("pong-ping", frame(PONG, b"unasked") + frame(PING, b"asked"),
           [("pong", b"asked")], OPEN)
    ten = b"".join(frame(PING, b"ping %d" % i) for i in range(10))
    answers = [("pong", b"ping %d" % i) for i in range(10)]
    for chop in (None, 1, 7):
        yield "ten-by-%s" % chop, ten, answers, OPEN, chop
    yield ("ten-and-text", ten + text(b"t"), [*answers, ("text", b"t")], OPEN)


@table(list(pings()))
def test_2_pings_and_pongs(echo, data, expected, end, chop):
    check(echo, data, expected, end, chop)


def test_2_a_pong_is_not_held_back_by_an_open_message(echo):
    """Nor inside of the frames of one: each ping is answered at once."""
    ws = Player.to(echo)
    ws.say(text(b"a", fin=False))
    for i in range(10):
        ws.say(frame(PING, b"%d" % i))
        ws.hear(("pong", b"%d" % i))
        ws.say(frame(CONT, b"b", fin=False))
    ws.say(frame(CONT, b"c"))
    ws.hear(("text", b"a" + b"b" * 10 + b"c"))
    ws.leave()


# -- 3: reserved bits -----------------------------------------------------------

def reserved():
    for rsv in range(1, 8):
        for name, before, bad, expected in [
                ("text", b"", text(b"abc", rsv=rsv), []),
                ("text-empty", b"", text(b"", rsv=rsv), []),
                ("binary", b"", frame(BINARY, b"abc", rsv=rsv), []),
                ("second", text(b"good"), text(b"bad", rsv=rsv),
                 [("text", b"good")]),
                ("second-with-ping", text(b"good"),
                 text(b"bad", rsv=rsv) + frame(PING, b"p"),
                 [("text", b"good")]),
                ("continuation", text(b"a", fin=False),
                 frame(CONT, b"b", rsv=rsv), []),
                ("ping", b"", frame(PING, b"p", rsv=rsv), []),
                ("pong", b"", frame(PONG, b"p", rsv=rsv), []),
                ("close", b"", frame(CLOSE, b"\x03\xe8", rsv=rsv), [])]:
            yield "%d-%s" % (rsv, name), before + bad, expected, 1002
            yield ("%d-%s-chopped" % (rsv, name), before + bad, expected, 1002,
                   1)


@table(list(reserved()))
def test_3_reserved_bits(echo, data, expected, end, chop):
    check(echo, data, expected, end, chop)


# -- 4: reserved opcodes --------------------------------------------------------

def opcodes():
    for code in [*range(3, 8), *range(0xb, 0x10)]:
        for name, data, expected in [
                ("empty", frame(code), []),
                ("payload", frame(code, b"reserved"), []),
                ("long", frame(code, b"x" * 300), []),
                ("without-fin", frame(code, b"a", fin=False), []),
                ("then-text", frame(code, b"a") + text(b"never"), []),
                ("after-text", text(b"good") + frame(code) + frame(PING), [
                    ("text", b"good")]),
                ("in-a-message", text(b"a", fin=False) + frame(code, b"b") +
                 frame(CONT, b"c"), [])]:
            yield "%x-%s" % (code, name), data, expected, 1002
            yield ("%x-%s-chopped" % (code, name), data, expected, 1002, 1)


@table(list(opcodes()))
def test_4_reserved_opcodes(echo, data, expected, end, chop):
    check(echo, data, expected, end, chop)


# -- 5: fragmentation -----------------------------------------------------------

# Upper case has FIN; text, binary, continuation.
LETTERS = {"T": (TEXT, True), "t": (TEXT, False), "B": (BINARY, True),
           "b": (BINARY, False), "C": (CONT, True), "c": (CONT, False)}


def meaning(order):
    """What must come back for frames in that order, and whether a message is
    open at the end (None: it is an error)."""
    out, kind, parts = [], None, b""
    for i, letter in enumerate(order):
        opcode, fin = LETTERS[letter]
        if (opcode == CONT) != (kind is not None):
            return out, None
        kind = kind or ("text" if opcode == TEXT else "binary")
        parts += b"%d" % i
        if fin:
            out.append((kind, parts))
            kind, parts = None, b""
    if kind is not None:
        out.append((kind, parts + b"end"))
    return out, kind is not None


@pytest.mark.parametrize("order", [
    "".join(o) for n in (1, 2, 3)
    for o in itertools.product(LETTERS, repeat=n)])
def test_5_every_order_of_up_to_three_frames(echo, order):
    expected, still_open = meaning(order)
    data = b"".join(frame(LETTERS[letter][0], b"%d" % i,
                          fin=LETTERS[letter][1])
                    for i, letter in enumerate(order))
    if still_open:
        data += frame(CONT, b"end")
    check(echo, data, expected, 1002 if still_open is None else OPEN)


def fragments(data, size, kind="text", between=b""):
    """A message in fragments of SIZE bytes, with frames BETWEEN them."""
    parts = [data[i:i + size] for i in range(0, len(data), size)] or [b""]
    return b"".join(
        frame(CONT if i else KINDS[kind], p, fin=i == len(parts) - 1) +
        (between if i < len(parts) - 1 else b"")
        for i, p in enumerate(parts))


@table([("%d-by-%d-%s-%s" % (n, size, kind, chop),
         fragments(payload(n), size, kind), [(kind, payload(n))], OPEN, chop)
        for kind in KINDS
        for n, size in [(2, 1), (3, 1), (10, 1), (11, 3), (300, 125),
                        (300, 126), (65536, 1000), (65537, 65536)]
        for chop in (None, 1 if n < 1000 else 1021)])
def test_5_messages_in_fragments(echo, data, expected, end, chop):
    check(echo, data, expected, end, chop)


@table([("-".join("%d" % p for p in sizes) + "-by-%s" % chop,
         b"".join(frame(CONT if i else TEXT, b"x" * n, fin=i == len(sizes) - 1)
                  for i, n in enumerate(sizes)),
         [("text", b"x" * sum(sizes))], OPEN, chop)
        for sizes in ([0, 0], [0, 0, 0], [1, 0], [0, 1], [0, 1, 0], [1, 0, 1],
                      [0] * 50)
        for chop in (None, 1)])
def test_5_empty_fragments(echo, data, expected, end, chop):
    check(echo, data, expected, end, chop)


@table([("%s-by-%s" % (name, chop),
         fragments(b"abcde", 1, between=between),
         [*(pongs * 4), ("text", b"abcde")], OPEN, chop)
        for name, between, pongs in [
            ("ping", frame(PING, b"p"), [("pong", b"p")]),
            ("pings", frame(PING, b"p") + frame(PING, b"q" * 125),
             [("pong", b"p"), ("pong", b"q" * 125)]),
            ("pong", frame(PONG, b"p"), []),
            ("empty-ping", frame(PING), [("pong", b"")])]
        for chop in (None, 1, 3)])
def test_5_control_frames_between_fragments(echo, data, expected, end, chop):
    check(echo, data, expected, end, chop)


def test_5_the_number_of_fragments_is_bounded(echo):
    data = b"".join(frame(CONT if i else BINARY, b"", fin=False)
                    for i in range(FRAGMENTS - 1))
    check(echo, data + frame(CONT, b"last"), [("binary", b"last")])
    check(echo, data + frame(CONT, b"", fin=False) + frame(CONT, b"last"),
          end=1008)


@table([("%d-%d" % (a, b), frame(BINARY, b"x" * a, fin=False) +
         frame(CONT, b"x" * b), [], 1009)
        for a, b in [(MAX, 1), (1, MAX), (MAX // 2, MAX // 2 + 1), (0, MAX + 1)]
        ])
def test_5_a_message_over_the_limit_in_fragments(echo, data, expected, end,
                                                 chop):
    check(echo, data, expected, end, chop)


# -- 6: UTF-8 -------------------------------------------------------------------

VALID = {
    "empty": "", "ascii": "Hello, world", "greek": "\u03ba\u03cc\u03c3\u03bc"
    "\u03b5", "mixed": "Hello-\u00b5@\u00df\u00f6\u00e4\u00fc\u00e0\u00e1-"
    "UTF-8!!", "nul": "a\0b", "u0000": "\0", "u007f": "\x7f", "u0080": "\x80",
    "u07ff": "\u07ff", "u0800": "\u0800", "u0fff": "\u0fff", "u1000": "\u1000",
    "ucfff": "\ucfff", "ud000": "\ud000", "ud7ff": "\ud7ff", "ue000": "\ue000",
    "ufdd0": "\ufdd0", "ufeff": "\ufeff", "ufffd": "\ufffd",
    "ufffe": "\ufffe", "uffff": "\uffff", "u10000": "\U00010000",
    "u1f600": "\U0001f600", "u3ffff": "\U0003ffff", "u40000": "\U00040000",
    "ufffff": "\U000fffff", "u100000": "\U00100000", "u10ffff": "\U0010ffff",
    "ends": "".join(chr(p << 16 | e) for p in range(17)
                    for e in (0xfffe, 0xffff)),
}


@pytest.mark.parametrize("string", VALID.values(), ids=VALID)
def test_6_valid_text_cut_at_every_place(echo, string):
    data = string.encode()
    ws = Player.to(echo)
    for chop in (None, 1):
        ws.say(text(data), chop)
        ws.hear(("text", data))
    for i in range(len(data) + 1):
        ws.say(text(data[:i], fin=False) + frame(CONT, data[i:]))
        ws.hear(("text", data))
    ws.say(fragments(data, 1))
    ws.hear(("text", data))
    ws.leave()


INVALID = {
    # Continuation bytes where a character should start.
    "80": b"\x80", "bf": b"\xbf", "80-bf": b"\x80\xbf", "80x3": b"\x80" * 3,
    "80-bf-80-bf-80": b"\x80\xbf\x80\xbf\x80",
    "all-continuations": bytes(range(0x80, 0xc0)),
    # First bytes with a space after each.
    "c0-df": b"".join(bytes([c]) + b" " for c in range(0xc0, 0xe0)),
    "e0-ef": b"".join(bytes([c]) + b" " for c in range(0xe0, 0xf0)),
    "f0-f7": b"".join(bytes([c]) + b" " for c in range(0xf0, 0xf8)),
    "f8-fb": b"\xf8 \xf9 \xfa \xfb ", "fc-fd": b"\xfc \xfd ",
    # The last byte is missing, and something else comes.
    "c2-": b"\xc2 ", "df-": b"\xdf ", "e0-a0-": b"\xe0\xa0 ",
    "e1-80-": b"\xe1\x80 ", "ef-bf-": b"\xef\xbf ",
    "f0-90-80-": b"\xf0\x90\x80 ", "f4-8f-bf-": b"\xf4\x8f\xbf ",
    "e1-80-c2-80": b"\xe1\x80\xc2\x80", "f1-80-80-f1": b"\xf1\x80\x80\xf1",
    "c2-c2-80": b"\xc2\xc2\x80",
    # Bytes that are in no text.
    "fe": b"\xfe", "ff": b"\xff", "fe-fe-ff-ff": b"\xfe\xfe\xff\xff",
    "f5": b"\xf5\x80\x80\x80", "f8": b"\xf8\x88\x80\x80\x80",
    "fc": b"\xfc\x84\x80\x80\x80\x80", "c0": b"\xc0\x80", "c1": b"\xc1\xbf",
    # Longer than need be.
    "slash-2": b"\xc0\xaf", "slash-3": b"\xe0\x80\xaf",
    "slash-4": b"\xf0\x80\x80\xaf", "slash-5": b"\xf8\x80\x80\x80\xaf",
    "slash-6": b"\xfc\x80\x80\x80\x80\xaf", "max-2": b"\xc1\xbf",
    "max-3": b"\xe0\x9f\xbf", "max-4": b"\xf0\x8f\xbf\xbf",
    "max-5": b"\xf8\x87\xbf\xbf\xbf", "max-6": b"\xfc\x83\xbf\xbf\xbf\xbf",
    "nul-2": b"\xc0\x80", "nul-3": b"\xe0\x80\x80", "nul-4":
    b"\xf0\x80\x80\x80", "nul-5": b"\xf8\x80\x80\x80\x80",
    # Surrogates, alone and in pairs.
    "ud800": b"\xed\xa0\x80", "udb7f": b"\xed\xad\xbf",
    "udb80": b"\xed\xae\x80", "udbff": b"\xed\xaf\xbf",
    "udc00": b"\xed\xb0\x80", "udf80": b"\xed\xbe\x80",
    "udfff": b"\xed\xbf\xbf", "ud800-udc00": b"\xed\xa0\x80\xed\xb0\x80",
    "udb7f-udfff": b"\xed\xad\xbf\xed\xbf\xbf",
    "udbff-udfff": b"\xed\xaf\xbf\xed\xbf\xbf",
    # Past the end.
    "u110000": b"\xf4\x90\x80\x80", "u13ffff": b"\xf4\xbf\xbf\xbf",
    "u1fffff": b"\xf7\xbf\xbf\xbf", "u3ffffff": b"\xfb\xbf\xbf\xbf\xbf",
    "u7fffffff": b"\xfd\xbf\xbf\xbf\xbf\xbf",
    "autobahn": b"\xce\xba\xe1\xbd\xb9\xcf\x83\xce\xbc\xce\xb5\xed\xa0\x80"
    b"edited",
    "autobahn-high": b"\xce\xba\xe1\xbd\xb9\xf4\x90\x80\x80edited",
    "latin-1": "caf\u00e9 noir".encode("latin-1"),
    "utf-16": "\ufeffab".encode("utf-16-be"),
}

# What ends within a character.
SHORT = [c.encode()[:n] for c in ("\u00b5", "\u20ac", "\U0001f600")
         for n in range(1, len(c.encode()))]


# Every way in which a character may begin.
BEGINNINGS = {chr(c).encode()[:n] for c in range(0x80, 0x110000, 64)
              if not 0xd800 <= c < 0xe000
              for n in range(1, len(chr(c).encode()))}


def wrong_at(data):
    """The index of the first byte after which no text can be right."""
    begun = b""
    for i in range(len(data)):
        begun += data[i:i + 1]
        try:
            begun.decode()
            begun = b""
        except UnicodeDecodeError:
            if begun not in BEGINNINGS:
                return i
    raise AssertionError("valid: %r" % data)


def test_6_our_own_idea_of_where_it_is_wrong():
    for data, at in [(b"\xed\xa0\x80", 1), (b"\xf4\x90\x80\x80", 1),
                     (b"\xe0\x80\xaf", 1), (b"\xc0\xaf", 0), (b"\xc2 ", 1),
                     (b"a\xf0\x8f\xbf\xbf", 2), (b"\xe1\x80 ", 2),
                     (b"ab\xff", 2)]:
        assert wrong_at(data) == at


@pytest.mark.parametrize("data", INVALID.values(), ids=INVALID)
def test_6_invalid_text(echo, data):
    """Alone and amid others, whole, in single bytes, in a later message, cut
    into two at every place and into single bytes."""
    for one in (data, b"before" + data, b"before" + data + b"after"):
        check(echo, text(one), end=1007)
        check(echo, text(one), end=1007, chop=1)
    check(echo, text("\u20ac".encode()) + text(data),
          [("text", "\u20ac".encode())], 1007)
    for i in range(len(data) + 1):
        check(echo, text(data[:i], fin=False) + frame(CONT, data[i:]),
              end=1007)
    check(echo, fragments(data, 1), end=1007)
    # The same bytes are no matter where there is no text.
    check(echo, frame(BINARY, data) + fragments(data, 1, "binary"),
          [("binary", data)] * 2)


@pytest.mark.parametrize("before", [b"", b"a" * 7, b"a" * 300, "\u20ac".encode()
                                    * 9], ids=["0", "7", "300", "27"])
@pytest.mark.parametrize("data", INVALID.values(), ids=INVALID)
def test_6_fail_fast(echo, data, before):
    """The close comes at the byte that is wrong: the rest is never sent, and
    up to the byte before it the connection is good."""
    data = before + data
    at = wrong_at(data)
    # Within one frame that promises more.
    whole = text(data + b"x" * 1000)
    head = len(whole) - len(data) - 1000
    ws = Player.to(echo)
    ws.say(whole[:head + at])
    ws.say(whole[head + at:head + at + 1])
    ws.hear_close(1007)
    # In fragments, between which pings show that all is well.
    ws = Player.to(echo)
    ws.say(text(data[:at], fin=False) + frame(PING, b"1"))
    ws.hear(("pong", b"1"))
    ws.say(frame(CONT, data[at:at + 1], fin=False))
    ws.hear_close(1007)


@pytest.mark.parametrize("data", SHORT, ids=repr)
def test_6_text_that_ends_within_a_character(echo, data):
    for one in (data, b"before" + data):
        check(echo, text(one), end=1007)
        check(echo, text(one), end=1007, chop=1)
        check(echo, fragments(one, 1), end=1007)
        check(echo, text(one, fin=False) + frame(CONT), end=1007)
        # Not before the end: more might come.
        ws = Player.to(echo)
        ws.say(text(one, fin=False) + frame(PING, b"1"))
        ws.hear(("pong", b"1"))
        ws.say(frame(CONT))
        ws.hear_close(1007)


def test_6_a_character_does_not_go_on_in_the_next_message(echo):
    check(echo, text(b"\xe2\x82") + text(b"\xac"), end=1007)


# -- 7: closing -----------------------------------------------------------------

def close(code, reason=b"", **kw):
    return frame(CLOSE, close_payload(code, reason), **kw)


GOOD_CODES = [1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 1012, 1013,
              1014, 3000, 3001, 3999, 4000, 4001, 4999]
BAD_CODES = [0, 1, 999, 1004, 1005, 1006, 1015, 1016, 1100, 1999, 2000, 2999,
             5000, 5001, 32768, 65535]


def closings():
    for code in GOOD_CODES:
        yield "%d" % code, close(code), [], code
        yield ("%d-reason" % code, close(code, "Tsch\u00fcs".encode()), [],
               code, 1)
    for code in BAD_CODES:
        yield "%d-bad" % code, close(code), [], 1002
        yield "%d-bad-reason" % code, close(code, b"bye"), [], 1002, 1
    yield "empty", frame(CLOSE), [], None
    yield "empty-chopped", frame(CLOSE), [], None, 1
    for byte in (b"\0", b"\x03", b"\xff"):
        yield "one-byte-%s" % byte.hex(), frame(CLOSE, byte), [], 1002
    for n in (124, 125, 200, 65536):
        yield "reason-of-%d" % n, close(1000, b"x" * n), [], 1002
    yield "without-fin", close(1000, fin=False), [], 1002
    yield "in-16-bits", close(1000, length=16), [], 1002
    for name, data in INVALID.items():
        if len(data) < 60:
            yield ("reason-%s" % name, close(1000, b"before" + data), [], 1007)
    for data in SHORT:
        yield "reason-short-%s" % data.hex(), close(1000, data), [], 1007
    for name, string in VALID.items():
        yield ("reason-valid-%s" % name, close(1000, string[:30].encode()),
               [], 1000)


@table(list(closings()))
def test_7_closings(echo, data, expected, end, chop):
    check(echo, data, expected, end, chop)


def test_7_reasons_of_every_length(echo):
    for n in range(124):
        check(echo, close(1000, payload(n)), end=1000)


@table([("%s-by-%s" % (name, chop), data, expected, end, chop)
        for name, data, expected, end in [
            ("text-close", text(b"a") + close(1000), [("text", b"a")], 1000),
            ("close-close", close(1000) + close(1001), [], 1000),
            ("close-text", close(1000) + text(b"never"), [], 1000),
            ("close-ping", close(1000) + frame(PING, b"never"), [], 1000),
            ("close-garbage", close(1000) + b"\xff" * 1000, [], 1000),
            ("close-bad-close", close(1000) + close(5), [], 1000),
            ("ping-close", frame(PING, b"p") + close(1000), [("pong", b"p")],
             1000),
            ("ping-close-ping", frame(PING, b"p") + close(1000) +
             frame(PING, b"q"), [("pong", b"p")], 1000),
            ("in-a-message", text(b"a", fin=False) + close(1000) +
             frame(CONT, b"b"), [], 1000),
            ("in-a-message-empty", text(b"\xe2", fin=False) + frame(CLOSE),
             [], None),
            ("error-then-text", frame(3) + text(b"never"), [], 1002),
            ("error-then-close", frame(3) + close(1000), [], 1002),
            ("error-then-garbage", frame(3) + b"\xff" * 100000, [], 1002)]
        for chop in (None, 1 if len(data) < 100 else 999)])
def test_7_the_order_around_a_close(echo, data, expected, end, chop):
    check(echo, data, expected, end, chop)


@pytest.mark.parametrize("data,code", [
    (close(1000), 1000), (frame(3), 1002), (text(b"\xff"), 1007),
    (frame(BINARY, b"x" * (MAX + 1))[:14], 1009)],
    ids=["close", "opcode", "utf-8", "size"])
def test_7_what_comes_after_the_close_does_no_harm(echo, data, code):
    """The server has closed its side and reads what is still under way: a
    reset could take the close frame from the peer's hands."""
    ws = Player.to(echo)
    ws.say(data)
    assert struct.unpack("!H", ws.recv()[1][:2])[0] == code
    assert ws.buf == b"" and ws.sock.recv(1) == b""
    for _ in range(20):
        ws.say(b"\x81\xff" * 30000)
    ws.say(close(1000))
    ws.hear_end()


def test_7_a_large_message_before_the_close_arrives(echo):
    data = payload(MAX)
    check(echo, text(data) + close(1000), [("text", data)], 1000)


# -- 9: large messages, many messages --------------------------------------------

LARGE = [1 << 16, 1 << 18, 1 << 20]


@table([("%s-%d" % (kind, n), frame(opcode, payload(n)),
         [(kind, payload(n))], OPEN)
        for kind, opcode in KINDS.items() for n in LARGE])
def test_9_large_messages(echo, data, expected, end, chop):
    check(echo, data, expected, end, chop)


@pytest.mark.parametrize("size", [64, 256, 1024, 4096, 16384, 65536, 262144])
@pytest.mark.parametrize("kind", KINDS)
def test_9_large_messages_in_fragments(echo, kind, size):
    n = MAX if size > 64 else MAX // 2
    check(echo, fragments(payload(n), size, kind), [(kind, payload(n))])


@pytest.mark.parametrize("size", [64, 128, 256, 512, 1024, 2048])
@pytest.mark.parametrize("kind", KINDS)
def test_9_large_messages_in_chops(echo, kind, size):
    check(echo, frame(KINDS[kind], payload(MAX)), [(kind, payload(MAX))],
          chop=size)


@pytest.mark.parametrize("size", [0, 16, 64, 256, 1024])
@pytest.mark.parametrize("kind", KINDS)
def test_9_many_messages(echo, kind, size):
    """One after the other, then without awaiting an answer."""
    one = frame(KINDS[kind], payload(size))
    ws = Player.to(echo)
    for _ in range(200):
        ws.say(one)
        ws.hear((kind, payload(size)))
    ws.say(one * 800)
    ws.hear(*[(kind, payload(size))] * 800)
    ws.leave()


@pytest.mark.parametrize("n", [65536, 65537, 131072])
def test_10_fragments_of_an_odd_size(echo, n):
    check(echo, fragments(payload(n), 1300), [("text", payload(n))], chop=1300)


# -- 12: extensions that nobody speaks here ----------------------------------------

@pytest.mark.parametrize("offer", [
    "permessage-deflate", "permessage-deflate; client_max_window_bits",
    "permessage-deflate; server_no_context_takeover; "
    "client_max_window_bits=15, permessage-deflate",
    "x-webkit-deflate-frame", "permessage-bzip2", ", ,", "a; b=\"c\""])
def test_12_extensions_are_not_taken(echo, offer):
    ws = Player.to(echo, headers=["Sec-WebSocket-Extensions: " + offer])
    assert "sec-websocket-extensions" not in ws.headers
    ws.say(text(b"plain"))
    ws.hear(("text", b"plain"))
    ws.say(text(b"\x4a\x04\x00", rsv=4))
    ws.hear_close(1002)


# -- all of it in random pieces ---------------------------------------------------

def random_session(rng):
    """Frames, what they bring, and how it ends."""
    data, expected = b"", []
    for _ in range(rng.randrange(1, 30)):
        n = rng.choice([0, 1, 3, 125, 126, 700, 65535, 65536, 70000])
        kind = rng.choice(list(KINDS))
        what = rng.randrange(4)
        if what == 0:
            data += frame(KINDS[kind], payload(n))
            expected.append((kind, payload(n)))
        elif what == 1:
            mark = rng.randbytes(rng.randrange(126))
            data += frame(PING, mark)
            expected.append(("pong", mark))
        elif what == 2:
            size = max(n // rng.randrange(1, 9), 1)
            data += fragments(payload(n), size, kind, frame(PONG, b"?"))
            expected.append((kind, payload(n)))
        else:
            data += frame(PONG, rng.randbytes(rng.randrange(126)))
    end, last = rng.choice([(OPEN, b""), (1000, close(1000)), (1002, frame(7)),
                            (1007, text(b"\xed\xa0")), (None, frame(CLOSE))])
    return data + last, expected, end


@pytest.mark.parametrize("seed", range(24))
def test_random_sessions_in_random_pieces(echo, seed):
    rng = random.Random(seed)
    data, expected, end = random_session(rng)
    check(echo, data, expected, end)
    for top in (20, 2000, 70000):
        if len(data) // top > 5000:
            continue
        sizes, left = [], len(data)
        while left > 0:
            sizes.append(rng.randrange(1, top))
            left -= sizes[-1]
        check(echo, data, expected, end, sizes or [1])
