"""RFC 8259 over the wire: what is not JSON is a 400 and goes to nobody, and
what is arrives as the bytes that were sent."""
import json
import random

import pytest

from rawhttp import RawHTTP, chunked, post, request
from rawws import TEXT


class Wire:
    """A server and a player; what one says the other hears."""

    def __init__(self, gateway, connect):
        token, name = gateway.fresh()
        self.name = name.encode()
        self.http = RawHTTP(gateway)
        self.ws = connect(gateway, token)

    def members(self, rest):
        return b'{"player_id":"%s",%s}' % (self.name, rest)

    def accepted(self, body, event, payload):
        res = self.http.ask(post("/publish", body))
        assert res.status == 200, (res, body[:200])
        self.heard(event, payload)

    def heard(self, event, payload):
        opcode, data = self.ws.recv()
        assert opcode == TEXT
        assert data == b'{"event":%s,"payload":%s}' % (event, payload)

    def rejected(self, body):
        res = self.http.ask(post("/publish", body))
        assert res.status == 400, (res, body[:200])
        assert res.body.startswith(b"bad request"), res
        assert res.body.count(b"\n") == 1 and res.body.isascii()

    def settle(self):
        """Nothing but what was heard has been sent."""
        self.accepted(self.members(b'"event":"mark"'), b'"mark"', b"null")


@pytest.fixture
def wire(shared, connect):
    w = Wire(shared, connect)
    yield w
    w.settle()
    w.http.sock.close()


# -- values: name -> bytes -----------------------------------------------------------

def utf8(*points):
    return b'"' + "".join(map(chr, points)).encode() + b'"'


ACCEPTED = [
    b"null", b"true", b"false",
    b"0", b"-0", b"1", b"-1", b"9", b"10", b"123", b"0.0", b"-0.0", b"0.5",
    b"1.0", b"1.000", b"0.000000001", b"-1.5", b"1e0", b"1E0", b"0e0", b"0e5",
    b"0E+5", b"-0e-5", b"1e+5", b"1e-5", b"1E+05", b"1e00000", b"1.5e10",
    b"1.5E-10", b"0.0e0", b"123.456e78", b"1e400", b"-1e400", b"1e-400",
    b"9007199254740993", b"-9223372036854775809", b"18446744073709551616",
    b"123456789012345678901234567890.123456789012345678901234567890e+99",
    b"9" * 5000, b"0." + b"0" * 5000 + b"1", b"1e" + b"0" * 5000,
    b'""', b'"a"', b'" "', b'"/"', b'"\\/"', b'"\\""', b'"\\\\"', b'"\\b"',
    b'"\\f"', b'"\\n"', b'"\\r"', b'"\\t"', b'"\\\\\\""', b'"\\\\u0041"',
    b'"\\u0000"', b'"\\u0041"', b'"\\u00e9"', b'"\\uABCD"', b'"\\uabcd"',
    b'"\\uAbCd"', b'"\\uffff"', b'"\\ufffe"', b'"\\u001f"', b'"\\u0022"',
    b'"\\u005c"', b'"\\u2028\\u2029"', b'"\\ud83d\\ude00"', b'"\\uD83D\\uDE00"',
    b'"\\ud800"', b'"\\udc00"', b'"\\udc00\\ud800"', b'"\\ud800\\ud800"',
    b'"\\ud800a"', b'"\\ud800\\n"', b'"\\ud800\\u0041"', b'"\\udbff\\udfff"',
    b'"\x7f"', utf8(0x80), utf8(0x7ff), utf8(0x800), utf8(0xd7ff),
    utf8(0xe000), utf8(0xfeff), utf8(0xfffd), utf8(0xfffe), utf8(0xffff),
    utf8(0x10000), utf8(0x10ffff), utf8(0x2028, 0x2029), utf8(0x85, 0xa0),
    utf8(0x65, 0x301), utf8(0x202e), utf8(0x1f468, 0x200d, 0x1f469),
    b"'".join([b'"', b'"']), b'"// no comment"', b'"/* neither */"',
    b'"<script>&amp;"', b'"' + b"x" * 100000 + b'"',
    b'"' + b"\\u0000" * 10000 + b'"', b'"' + "\U0001f600".encode() * 10000 +
    b'"',
    b"[]", b"[ ]", b"[\t\n\r ]", b"[1]", b"[1,2]", b"[ 1 , 2 ]", b"[[]]",
    b"[[],[]]", b"[{}]", b"[null]", b'["",""]', b"[1,[2,[3,[4]]]]",
    b"[" + b"0," * 50000 + b"0]", b"[" * 500 + b"]" * 500,
    b"{}", b"{ }", b'{"a":1}', b'{ "a" : 1 }', b'{"":0}', b'{"a":{}}',
    b'{"a":1,"a":2}', b'{"a":1,"A":2}', b'{"b":1,"a":2}', b'{"1":1,"0":0}',
    b'{"\\u0061":1,"a":2}', b'{"a\\nb":1}', b'{"\xc3\xa9":1}',
    b'{"\\ud800":1}', b'{"__proto__":{"x":1}}', b'{"constructor":1}',
    b'{"event":"inner","payload":1,"player_id":"2"}', b'{"a":[{"b":[{}]}]}',
    b'{"a":\n1,\r\n"b":\t2}', b"{" + b",".join(
        b'"k%d":%d' % (i, i) for i in range(20000)) + b"}",
]

REJECTED = [
    # literals
    b"nul", b"nulll", b"Null", b"NULL", b"True", b"TRUE", b"FALSE", b"fals",
    b"truefalse", b"undefined", b"NaN", b"Infinity", b"-Infinity", b"nan",
    b"None", b"yes", b"a", b"\xff",
    # numbers
    b"-", b"+1", b"+0", b"00", b"01", b"-01", b"-00", b"1.", b"-1.", b".5",
    b"-.5", b"1.e1", b"1e", b"1e+", b"1e-", b"1E", b"1e1.5", b"1e1e1", b"1.2.3",
    b"--1", b"+-1", b"1-", b"1+1", b"0x1", b"0b1", b"0o7", b"1_000", b"1,000",
    b"1 000", b"1a", b"1f", b"1L", b"$1", b"1%", b"- 1", b"0.", b"0e", b".",
    b"e1", b"\xef\xbc\x91", b"\xd9\xa1", b"1\xc2\xa0", b"1\0",
    # strings
    b'"', b'"a', b'a"', b"'a'", b"`a`", b'"a" "b"', b'"a""b"', b'"\\"', b'"\\',
    b'"\\a"', b'"\\v"', b'"\\0"', b'"\\x41"', b'"\\\'"', b'"\\ "', b'"\\N"',
    b'"\\U0041"', b'"\\u"', b'"\\u1"', b'"\\u12"', b'"\\u123"', b'"\\u123g"',
    b'"\\u 123"', b'"\\u+123"', b'"\\u{41}"', b'"\\u00"41"', b'"\\\n"',
    b'"\\\xc3\xa9"', b'"\\u\xef\xbc\x91111"', b'\\"a"', b'"a\nb"',
    # arrays
    b"[", b"]", b"[1", b"[1,", b"[1,]", b"[,1]", b"[,]", b"[1,,2]", b"[1 2]",
    b"[1;2]", b"[1}", b"[1]]", b"[[1]", b"[:]", b"[1:2]", b'["a":1]', b"(1)",
    b"[\x0b]", b"[\xc2\xa0]", b"[1\0]", b"[,", b"[" * 20000,
    # objects
    b"{", b"}", b'{"a"}', b'{"a":}', b'{"a":1', b'{"a":1,}', b'{,"a":1}',
    b'{"a":1,,"b":2}', b'{"a" 1}', b'{"a"=1}', b'{"a"::1}', b'{"a":1:2}',
    b'{a:1}', b"{'a':1}", b"{1:1}", b"{null:1}", b"{[]:1}", b'{"a":1 "b":2}',
    b'{"a":1;"b":2}', b'{"a":1]', b'{"a":1}}', b"{{}}", b'{"a"\xc2\xa0:1}',
    b'{"\\x":1}', b'{"\xff":1}', b'{"a\n":1}', b'{"a":1,"b"', b'{"a":1,"b":',
    b'{"a":' * 5000,
    # what is no JSON
    b"/**/1", b"1/**/", b"1//x", b"#1", b"1#", b"<a/>", b"\x0b1", b"\x0c1",
    b"\xc2\xa01", b"\xe2\x80\xa81", b"\xef\xbb\xbf1", b"\x001",
    # nothing at all
    b"", b" ",
]
REJECTED += [b'"%c"' % c for c in range(32)]

# Bytes that are in no UTF-8.
BAD_UTF8 = [
    b"\x80", b"\xbf", b"\xc0\x80", b"\xc0\xaf", b"\xc1\xbf", b"\xc2",
    b"\xc2\xc2\x80", b"\xe0\x80\xaf", b"\xe0\x9f\xbf", b"\xe2\x82",
    b"\xe2\x28\xa1", b"\xed\xa0\x80", b"\xed\xbf\xbf",
    b"\xed\xa0\xbd\xed\xb8\x80", b"\xf0\x80\x80\xaf", b"\xf0\x8f\xbf\xbf",
    b"\xf0\x9f\x98", b"\xf4\x90\x80\x80", b"\xf5\x80\x80\x80",
    b"\xf8\x88\x80\x80\x80", b"\xfc\x84\x80\x80\x80\x80", b"\xfe", b"\xff",
    b"\xe9", b"\xff\xfea\0"]
REJECTED += [b'"' + b + b'"' for b in BAD_UTF8]
assert len(set(ACCEPTED)) == len(ACCEPTED)
assert len(set(REJECTED)) == len(REJECTED)


def short(value):
    return "%.40r-%d" % (value, len(value))


@pytest.mark.parametrize("value", ACCEPTED, ids=short)
def test_accepted_and_unchanged(wire, value):
    """As the payload, in an array, in an object, as a member that is unknown,
    and with white space around it, which goes."""
    wire.accepted(wire.members(b'"event":"e","payload":' + value), b'"e"',
                  value)
    for outer in (b"[%s]", b"[ %s\t]", b'{"a":%s}', b'{"a" : %s,"b":[0]}'):
        wire.accepted(wire.members(b'"payload":%s,"event":"e"' %
                                   (outer % value)), b'"e"', outer % value)
    wire.accepted(wire.members(b'"x":%s,"event":"e","payload":0' % value),
                  b'"e"', b"0")
    wire.accepted(wire.members(b'"event":"e","payload" \n:\r\n \t%s \n\t' %
                               value), b'"e"', value)


@pytest.mark.parametrize("value", REJECTED, ids=short)
def test_rejected(wire, value):
    for outer in (b'"event":"e","payload":%s', b'"payload":%s,"event":"e"',
                  b'"event":"e","payload":[%s]' if value.strip() else
                  b'"event":"e","payload":[0,%s]',
                  b'"event":"e","payload":{"a":%s}', b'"event":"e","x":%s',
                  b'"event":"e","payload":0,"payload":%s'):
        wire.rejected(wire.members(outer % value))


@pytest.mark.parametrize("value", [v for v in ACCEPTED if v[0] == 34],
                         ids=short)
def test_events_are_strings_like_others(wire, value):
    wire.accepted(wire.members(b'"event":%s,"payload":0' % value), value, b"0")


@pytest.mark.parametrize("value", [v for v in REJECTED if v[:1] == b'"'],
                         ids=short)
def test_strings_are_checked_wherever_they_are(wire, value):
    wire.rejected(wire.members(b'"event":' + value))
    wire.rejected(b'{"player_id":%s,"event":"e"}' % value)
    wire.rejected(wire.members(b'"event":"e",%s:0' % value))


def test_what_matters_in_a_string_at_every_place(wire):
    """Whatever is looked at by words of eight bytes."""
    for n in range(20):
        for m in (0, 1, 7, 8, 9):
            for good in (b"\\n", b'\\"', b"\\\\", b"\\u00e9", b"\x7f", b"\xc3\xa9",
                         b"\xe2\x82\xac", b"\xf0\x9f\x98\x80", b" ", b"!", b"#",
                         b"[", b"]"):
                value = b'"' + b"a" * n + good + b"b" * m + b'"'
                wire.accepted(wire.members(b'"event":"e","payload":' + value),
                              b'"e"', value)
            for bad in (b"\n", b"\0", b"\x1f", b'"', b"\\x", b"\xff", b"\x80",
                        b"\xed\xa0\x80", b"\xf4\x90\x80\x80", b"\xc3"):
                wire.rejected(wire.members(b'"event":"e","payload":"' +
                                           b"a" * n + bad + b"b" * m + b'"'))


# -- the text as a whole ---------------------------------------------------------------

@pytest.mark.parametrize("body", [
    b"", b" ", b"\n", b"\0", b"null", b"true", b"0", b'"e"', b"[]", b'["event"]',
    b"{", b"}", b"[{}]", b"{}{}", b"\xef\xbb\xbf", b"event=e&player_id=1"],
    ids=repr)
def test_a_text_that_is_no_object(wire, body):
    wire.rejected(body)


BEFORE_AND_AFTER = [b"\xef\xbb\xbf", b"\0", b"\x0b", b"\x0c", b"\xc2\xa0",
                    b"\xe2\x80\xa8", b"\xe3\x80\x80", b"\xff", b",", b"{}",
                    b"null", b"x", b"//", b"/**/", b"#", b";", b"\x1e", b"}",
                    b"]", b"\xfe\xff"]


@pytest.mark.parametrize("junk", BEFORE_AND_AFTER, ids=repr)
def test_something_before_or_after(wire, junk):
    body = wire.members(b'"event":"e"')
    for one in (junk + body, body + junk, body + b"\n" + junk,
                b" " + junk + body):
        wire.rejected(one)


def test_white_space_before_and_after(wire):
    body = wire.members(b'"event":"e"')
    for space in (b" ", b"\n", b"\r", b"\t", b"\r\n", b" \t\r\n" * 5000):
        for one in (space + body, body + space, space + body + space):
            wire.accepted(one, b'"e"', b"null")


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-16-be",
                                      "utf-32", "utf-8-sig", "latin-1"])
def test_other_encodings(wire, encoding):
    body = wire.members('"event":"\u00e9"'.encode()).decode()
    wire.rejected(body.encode(encoding))


def test_every_beginning_of_a_text_is_no_text(wire):
    body = wire.members(b'"event":"\\u00e9\xe2\x82\xac","payload":'
                        b'[1.5e+3,true,null,{"a":"b"}]')
    for n in range(len(body)):
        wire.rejected(body[:n])


# -- members ---------------------------------------------------------------------------

def test_members_in_any_order(wire):
    player = b'"player_id":"%s"' % wire.name
    event, payload, other = b'"event":"e"', b'"payload":[1]', b'"x":{"y":1}'
    for order in ((player, event, payload), (payload, event, player),
                  (event, player, payload, other), (other, payload, player,
                                                    other, event)):
        wire.accepted(b"{" + b",".join(order) + b"}", b'"e"', b"[1]")


@pytest.mark.parametrize("members,event,payload", [
    (b'"event":"a","event":"b"', b'"b"', b"null"),
    (b'"event":"a","EVENT":"b"', b'"b"', b"null"),
    (b'"EVENT":"a","event":"b","Event":"c"', b'"c"', b"null"),
    (b'"event":1,"event":"b"', b'"b"', b"null"),
    (b'"event":"e","payload":1,"payload":{"z":1}', b'"e"', b'{"z":1}'),
    (b'"event":"e","payload":1,"payload":null', b'"e"', b"null"),
    (b'"event":"e","payload":1,"PayLoad":[2]', b'"e"', b"[2]"),
    (b'"\\u0065vent":"e","payload":1', b'"e"', b"1"),
    (b'"\\u0045VENT":"e","p\\u0061yload":1', b'"e"', b"1"),
    (b'"event":"e","event ":"x","events":"x"," event":"x"', b'"e"', b"null"),
    (b'"event":"e","event\\u0000":"x","":"x","ev\\u0000ent":"x"', b'"e"',
     b"null"),
    (b'"event":"e","\xc3\xa9vent":"x","\xd0\xb5vent":"x"', b'"e"', b"null"),
    (b'"event":"e","x":{"event":"inner","player_id":"0"}', b'"e"', b"null"),
    (b'"event":"e","x":[{"payload":1}]', b'"e"', b"null")], ids=repr)
def test_names_of_members(wire, members, event, payload):
    """The last one counts, in any case, however it is spelled."""
    wire.accepted(wire.members(members), event, payload)


def test_the_last_player_counts(wire):
    wire.accepted(b'{"player_id":"nobody","event":"e","Player_ID":"%s"}' %
                  wire.name, b'"e"', b"null")
    wire.accepted(b'{"player_id":"nobody","event":"e","player_id":%s}' %
                  wire.name, b'"e"', b"null")


def test_broadcasts_are_no_different(wire):
    for value in ACCEPTED:
        res = wire.http.ask(post("/broadcast", b'{"event":"e","payload":%s}' %
                                 value))
        assert res.status == 200
        wire.heard(b'"e"', value)
    for value in REJECTED:
        res = wire.http.ask(post("/broadcast", b'{"event":"e","payload":%s}' %
                                 value))
        assert res.status == 400


# -- depth -----------------------------------------------------------------------------

def nested(kind, n):
    if kind == "arrays":
        return b"[" * n + b"]" * n
    if kind == "objects":
        return b'{"a":' * (n - 1) + b"{}" + b"}" * (n - 1)
    both = b'[{"a":' * (n // 2) + b"[]" * (n % 2) + b"0" * (1 - n % 2)
    return both + b"}]" * (n // 2)


@pytest.mark.parametrize("kind", ["arrays", "objects", "both"])
def test_depth(wire, kind):
    """1,000 levels with the outer object, and not one more, however many."""
    for n in (1, 2, 62, 63, 64, 65, 500, 998, 999):
        value = nested(kind, n)
        wire.accepted(wire.members(b'"event":"e","payload":' + value), b'"e"',
                      value)
        wire.accepted(wire.members(b'"event":"e","x":' + value), b'"e"',
                      b"null")
    for n in (1000, 1001, 1002, 5000, 100000):
        wire.rejected(wire.members(b'"event":"e","payload":' +
                                   nested(kind, n)))
        wire.rejected(wire.members(b'"event":"e","x":' + nested(kind, n)))
    wire.rejected(b"[" * 500000)
    wire.rejected(b'{"a":' * 200000)
    # It is the depth that counts, not the number.
    value = b"[" + b",".join([nested(kind, 998)] * 50) + b"]"
    wire.accepted(wire.members(b'"event":"e","payload":' + value), b'"e"',
                  value)


# -- against another opinion -------------------------------------------------------------

def refuse_constant(name):
    raise ValueError(name)


def valid(text):
    """What Python's own parser thinks, made strict."""
    try:
        json.loads(text.decode("utf-8"), parse_constant=refuse_constant)
    except (ValueError, RecursionError):
        return False
    return not text.startswith(b"\xef\xbb\xbf")


def random_value(rng, depth=0):
    kind = rng.randrange(7 if depth < 5 else 5)
    space = rng.choice([b"", b"", b"", b" ", b"\n", b"\t\r"])
    if kind < 2:
        return rng.choice([b"null", b"true", b"false", b"0", b"-1", b"1.5e+3",
                           b"-0.0E-0", b"12345678901234567890"])
    if kind < 5:
        return b'"' + b"".join(rng.choice([
            b"a", b"\\n", b'\\"', b"\\\\", b"\\/", b"\\u00e9", b"\\ud83d",
            b"\xc3\xa9", b"\xf0\x9f\x98\x80", b"x" * 9, b" "])
            for _ in range(rng.randrange(6))) + b'"'
    items = [space + random_value(rng, depth + 1) + space
             for _ in range(rng.randrange(4))]
    if kind == 5:
        return b"[" + b",".join(items) + b"]"
    return b"{" + b",".join(b'"%d":' % rng.randrange(3) + i
                            for i in items) + b"}"


@pytest.mark.parametrize("seed", range(10))
def test_random_values_and_what_a_byte_makes_of_them(wire, seed):
    rng = random.Random(seed)
    good = bad = 0
    for _ in range(150):
        value = random_value(rng)
        wire.accepted(wire.members(b'"event":"e","payload":' + value), b'"e"',
                      value)
        for _ in range(3):
            one = bytearray(value)
            at = rng.randrange(len(one))
            if rng.randrange(2):
                one[at] = rng.choice(b'{}[],:"\\0123456789.eE+-tfn \n\0\x80')
            else:
                del one[at]
            changed = b"[" + one + b"]"
            body = wire.members(b'"event":"e","payload":' + changed)
            if valid(body):
                good += 1
                wire.accepted(body, b'"e"', changed)
            else:
                bad += 1
                wire.rejected(body)
    assert good > 20 and bad > 100


def test_a_body_in_chunks_of_any_size(wire):
    value = b'[1.5e3, null,{"a":"\\u00e9\xe2\x82\xac\\""} ]'
    body = wire.members(b'"event":"e","payload":' + value)
    for size in range(1, len(body) + 1):
        res = wire.http.ask(request("POST", "/publish", chunked(body, size), [
            "Authorization: Bearer s1", "Transfer-Encoding: chunked"],
            length=False))
        assert res.status == 200
        wire.heard(b'"e"', value)
