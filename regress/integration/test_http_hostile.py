"""Requests that nobody honest sends.  What can't be framed without doubt is
refused and ends the connection, and not one byte after it becomes a request;
who is slow has a time; and how the bytes are cut makes no difference."""
import contextlib
import random
import select
import socket
import time

import pytest

import certs
from gateway import LIMIT, Folder, Gateway, wait_for
from rawhttp import RawHTTP, chunked, post, request
from rawws import (BINARY, CLOSE, PING, PONG, TEXT, RawWS, close_payload,
                   frame)

PUBLISHED = "ws_messages_published_total"
BODY = b'{"player_id":"nobody","event":"e"}'
GOOD = post("/publish", BODY)
# What an attacker would like to see taken for a request.
SMUGGLED = post("/broadcast", b'{"event":"smuggled"}') * 2


def answers(gateway, data, chop=None):
    """Say DATA and read to the end of TCP, which must be a clean one: the
    responses.  Who is not done with us gets our end first."""
    with RawHTTP(gateway) as c:
        c.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        with contextlib.suppress(BrokenPipeError):
            for i in range(0, len(data), chop or len(data)):
                c.send(data[i:i + (chop or len(data))])
        out = []
        while True:
            try:
                out.append(c.response())
            except EOFError:
                assert c.buf == b"", c.buf
                return out


def assert_refused(gateway, data, statuses, chop=None):
    """Just these answers, the last of which closes; nothing was taken for the
    message of SMUGGLED."""
    before = gateway.metrics()[PUBLISHED]
    got = answers(gateway, data, chop)
    assert [r.status for r in got] == statuses, got
    assert got[-1].headers["connection"] == "close"
    taken = sum(r.status == 200 for r in got)
    assert gateway.metrics()[PUBLISHED] == before + taken


def head(*lines, body=b"", first="POST /publish HTTP/1.1", host="localhost",
         token="s1"):
    """A request of which each line is given, and then SMUGGLED."""
    top = [first]
    if host is not None:
        top.append("Host: " + host)
    if token is not None:
        top.append("Authorization: Bearer " + token)
    return "\r\n".join([*top, *lines]).encode("latin-1") + b"\r\n\r\n" + body


CHUNKS = b"22\r\n" + BODY + b"\r\n0\r\n\r\n"
assert len(BODY) == 0x22


# -- what is refused: name -> bytes, status ---------------------------------------

def lengths():
    for value in ["+34", "-34", "-0", "+0", "34 34", "34,34", "34, 34", "34,35",
                  "0x22", "34;", "34.0", "3e1", "", " ", "34\x0b", "34\x0c",
                  "'34'", '"34"', "34\xa0", "\xef\xbc\x93", "a", "34a", "a34",
                  "3 4", "9007199254740993", "18446744073709551650",
                  "99999999999999999999999999999999", "1" * 400]:
        yield "length-%.20r" % value, head("Content-Length: " + value), 400
    yield "length-2-to-32", head("Content-Length: 4294967330"), 413
    yield "length-2-to-53", head("Content-Length: 9007199254740992"), 413
    for a, b in [(34, 34), (34, 35), (0, 34), (34, 0)]:
        yield ("lengths-%d-%d" % (a, b),
               head("Content-Length: %d" % a, "Content-Length: %d" % b), 400)
    for name, lines in {
            "both": ["Content-Length: 34", "Transfer-Encoding: chunked"],
            "both-turned": ["Transfer-Encoding: chunked",
                            "Content-Length: 34"],
            "both-zero": ["Content-Length: 0", "Transfer-Encoding: chunked"],
            "both-case": ["content-length: 34",
                          "TRANSFER-ENCODING: chunked"],
            "both-identity": ["Content-Length: 34",
                              "Transfer-Encoding: identity"],
            "both-far": ["Content-Length: 34", *["X-%d: y" % i for i in
                                                 range(20)],
                         "Transfer-Encoding: chunked"]}.items():
        yield name, head(*lines, body=CHUNKS), 400


def encodings():
    for value, status in [
            ("identity", 501), ("gzip", 501), ("gzip, chunked", 501),
            ("identity, chunked", 501), ("xchunked", 501), ("chunkedx", 501),
            ("chunke", 501), ("cow", 501), ("chunked, chunked", 400),
            ("chunked, identity", 400), ("chunked,", 400), (",chunked", 400),
            (", chunked", 400), ("chunked;x=1", 400), ("chunked ;", 400),
            ("chunked chunked", 400), ("chunk ed", 400), ("", 400),
            (" ", 400), ('"chunked"', 400), ("'chunked'", 501),
            ("chunked\x0b", 400), ("\x0bchunked", 400), ("chunked\0", 400),
            ("chunked\xa0", 400), ("\xa0chunked", 400), ("chunked\x85", 400),
            ("[chunked]", 400), ("(chunked)", 400), ("chunked=", 400)]:
        yield ("coding-%r" % value,
               head("Transfer-Encoding: " + value, body=CHUNKS), status)
    for a, b in [("chunked", "chunked"), ("chunked", "identity"),
                 ("identity", "chunked"), ("gzip", "chunked")]:
        yield ("codings-%s-%s" % (a, b),
               head("Transfer-Encoding: " + a, "Transfer-Encoding: " + b,
                    body=CHUNKS), 501 if a != "chunked" else 400)
    yield ("coding-in-1.0", head("Transfer-Encoding: chunked", body=CHUNKS,
                                 first="POST /publish HTTP/1.0"), 400)


CODING = "Transfer-Encoding: chunked"


def headers():
    for name, line in {
            "space-before-colon": "Transfer-Encoding : chunked",
            "tab-before-colon": "Transfer-Encoding\t: chunked",
            "length-space-colon": "Content-Length : 34",
            "fold": "X: y\r\n " + CODING, "fold-tab": "X: y\r\n\t" + CODING,
            "fold-empty": "X:\r\n y", "fold-of-coding":
            "Transfer-Encoding:\r\n chunked", "only-space": " ",
            "bare-lf": "X: y\n" + CODING, "bare-lf-length":
            "X: y\nContent-Length: 34", "bare-cr": "X: y\r" + CODING,
            "cr-cr-lf": "X: y\r\r\n" + CODING, "lf-cr": "X: y\n\r" + CODING,
            "lf-lf": "X: y\n\nX: y", "no-colon": "Transfer-Encoding chunked",
            "only-colon": ":", "no-name": ": chunked", "one-word": "chunked",
            "request-as-header": "GET / HTTP/1.1", "nul-value": "X: a\0b",
            "nul-name": "X\0: a", "utf-8-name": "X\xc3\xa9: a",
            "bom": "\xef\xbb\xbfX: a"}.items():
        yield name, head(line, "Content-Length: 0"), 400
    yield ("fold-first", b"POST /publish HTTP/1.1\r\n Host: h\r\n\r\n", 400)
    yield ("lf-only", head("Content-Length: 34").replace(b"\r\n", b"\n"), 400)
    yield ("lf-at-the-end", head("Content-Length: 0")[:-2] + b"\n", 400)
    yield ("cr-at-the-end", head("Content-Length: 0")[:-1] + b"X", 400)
    for c in sorted(set(range(256)) - {ord("\r"), ord("\n"), ord(":")} - set(
            b"!#$%&'*+-.^_`|~0123456789abcdefghijklmnopqrstuvwxyz"
            b"ABCDEFGHIJKLMNOPQRSTUVWXYZ")):
        yield "name-byte-%02x" % c, head("X%c: y" % c), 400
    for c in sorted(set(range(32)) - set(b"\t\r\n") | {127}):
        yield "value-byte-%02x" % c, head("X: y%c" % c), 400
    yield "many", head(*["X: y"] * 80), 431
    yield "large", head("X: " + "y" * 9000), 431
    yield "large-name", head("x" * 9000 + ": y"), 431


def hosts():
    yield "no-host", head("Content-Length: 0", host=None), 400
    for host in ["a b", "a,b", "a/b", "user@h", "h:port", "[::1", "::1", "h:80:80",
                 "h:8 0", ":80", "h\\", "h?", "h#", "[::1]x", "[g]", "%zz",
                 "h%", "h\xe9", "<h>", '"h"', "h, h"]:
        yield "host-%r" % host, head("Content-Length: 0", host=host), 400
    yield "two-hosts", head("Host: localhost", "Content-Length: 0"), 400
    yield "two-hosts-differ", head("Host: other", "Content-Length: 0"), 400


def first_lines():
    for line, status in [
            ("POST  /publish HTTP/1.1", 400), ("POST /publish  HTTP/1.1", 400),
            ("POST /publish HTTP/1.1 ", 400), (" POST /publish HTTP/1.1", 400),
            ("POST\t/publish HTTP/1.1", 400), ("POST /publish\tHTTP/1.1", 400),
            ("POST /publish", 400), ("POST", 400), ("/publish", 400),
            ("POST /publish http/1.1", 400), ("POST /publish HTTP/1.1x", 400),
            ("POST /publish HTTP/1", 400), ("POST /publish HTTP/1.", 400),
            ("POST /publish HTTP/.1", 400), ("POST /publish HTTP/01.1", 400),
            ("POST /publish HTTP/1.10", 400), ("POST /publish HTTP/1,1", 400),
            ("POST /publish HTTP/+1.1", 400), ("POST /publish HTTP 1.1", 400),
            ("POST /publish HTTPS/1.1", 400), ("POST /publish H/1.1", 400),
            ("POST /publish HTTP/2.0", 505), ("POST /publish HTTP/1.2", 505),
            ("POST /publish HTTP/0.9", 505), ("POST /publish HTTP/9.9", 505),
            ("PRI * HTTP/2.0", 400), ("GET /publish", 400),
            ("P\0ST /publish HTTP/1.1", 400), ("P(ST /publish HTTP/1.1", 400),
            ("P:ST /publish HTTP/1.1", 400), ("\x80 /publish HTTP/1.1", 400),
            ('"POST" /publish HTTP/1.1', 400),
            ("POST publish HTTP/1.1", 400), ("POST ?x HTTP/1.1", 400),
            ("POST * HTTP/1.1", 400), ("POST *x HTTP/1.1", 400),
            ("OPTIONS *x HTTP/1.1", 400), ("POST . HTTP/1.1", 400),
            ("POST \\publish HTTP/1.1", 400), ("POST http:/x HTTP/1.1", 400),
            ("POST http:x HTTP/1.1", 400), ("POST http:///x HTTP/1.1", 400),
            ("POST http://:80/x HTTP/1.1", 400),
            ("POST http://u@h/publish HTTP/1.1", 400),
            ("POST http://a,b/publish HTTP/1.1", 400),
            ("POST http://h:x/publish HTTP/1.1", 400),
            ("POST ftp://h/publish HTTP/1.1", 400),
            ("POST ws://h/publish HTTP/1.1", 400),
            ("POST httpx://h/publish HTTP/1.1", 400),
            ("POST file:///publish HTTP/1.1", 400),
            ("POST h:80 HTTP/1.1", 400), ("CONNECT /publish HTTP/1.1", 400),
            ("CONNECT h HTTP/1.1", 400), ("CONNECT h: HTTP/1.1", 400),
            ("POST /publish#x HTTP/1.1", 400),
            ("POST /pub\0lish HTTP/1.1", 400),
            ("POST /publ\x7fish HTTP/1.1", 400),
            ("POST /publi\xc3\xa9 HTTP/1.1", 400),
            ("POST /pub\rlish HTTP/1.1", 400),
            ("POST /pub\nlish HTTP/1.1", 400),
            ("POST /publish\r HTTP/1.1", 400),
            ("POST /publish HTTP/1.1\r", 400),
            ("X" * 100 + " / HTTP/1.1", 501),
            ("POST /" + "x" * 5000 + " HTTP/1.1", 414),
            ("\x16\x03\x01\x02\0\x01\0\x01\xfc\x03\x03", 400),
            ("SSH-2.0-OpenSSH_9.2", 400), ("\r\n\r\n\r\n\r\n\r\n", 400),
            ("\n", 400), ("\0", 400)]:
        yield "line-%.40r" % line, head("Content-Length: 0", first=line), status
    yield ("line-lf", b"POST /publish HTTP/1.1\nHost: h\r\n\r\n", 400)
    yield ("line-cr", b"POST /publish HTTP/1.1\rHost: h\r\n\r\n", 400)
    yield ("version-0.9", b"GET /healthz\r\n", 400)


def chunks():
    size, data = b"22", b"\r\n" + BODY + b"\r\n"
    for bad in [b"", b" ", b" 22", b"22 ", b"22\t", b"+22", b"-22", b"0x22",
                b"22g", b"g", b"22.0", b"2 2", b"2\xb2", b"22\0", b"\x0022",
                b"22,", b"22:", b"22=1", b"22;", b"22;=", b"22;=a", b"22;a=",
                b"22;a b", b"22;;a", b'22;a="b', b'22;a="b"c', b"22;a\0",
                b"22;a\x80", b"22;" + b"x" * 300, b"0" * 17 + b"22",
                b"10000000000000022", b"22\r", b"22\r\r", b"22;a\r",
                b"22\n2", b"22;a\nX: y"]:
        yield "size-%.20r" % bad, bad + data + b"0\r\n\r\n", 400
    yield "size-lf", size + b"\n" + BODY + b"\r\n0\r\n\r\n", 400
    yield "data-lf", size + b"\r\n" + BODY + b"\n0\r\n\r\n", 400
    yield "data-cr", size + b"\r\n" + BODY + b"\r0\r\n\r\n", 400
    yield "data-none", size + b"\r\n" + BODY + b"0\r\n\r\n", 400
    yield "data-longer", b"21" + data + b"0\r\n\r\n", 400
    yield "data-much-longer", b"2" + data + b"0\r\n\r\n", 400
    yield "data-spaces", size + b"\r\n" + BODY + b"  \r\n0\r\n\r\n", 400
    for name, end in {
            "last-lf": b"0\n\r\n", "last-lf-lf": b"0\r\n\n", "last-cr":
            b"0\r\n\rX", "last-0x0": b"0x0\r\n\r\n", "last-minus":
            b"-0\r\n\r\n"}.items():
        yield name, size + data + end, 400
    for name, trailer in {
            "no-colon": b"X\r\n", "fold": b"X: y\r\n z\r\n", "space": b"X : y"
            b"\r\n", "lf": b"X: y\n", "cr": b"X: y\rZ: y\r\n", "nul":
            b"X: \0\r\n", "no-name": b": y\r\n", "request":
            b"GET /healthz HTTP/1.1\r\n"}.items():
        yield "trailer-" + name, size + data + b"0\r\n" + trailer + b"\r\n", 400
    yield "trailer-large", size + data + b"0\r\nX: " + b"y" * 9000, 431
    yield "trailers", size + data + b"0\r\n" + b"X: y\r\n" * 20 + b"\r\n", 431


REFUSED = [*lengths(), *encodings(), *headers(), *hosts(), *first_lines(), *[
    ("chunk-" + name, head(CODING, body=body), status)
    for name, body, status in chunks()]]
assert len({name for name, _, _ in REFUSED}) == len(REFUSED)
refused = pytest.mark.parametrize(
    "data,status", [pytest.param(d, s, id=ascii(n)) for n, d, s in REFUSED])


@refused
def test_refused_and_nothing_after_it_is_a_request(shared, data, status):
    """As it is; byte by byte; after a good request, in the same segment."""
    assert_refused(shared, data + SMUGGLED, [status])
    if len(data) < 1000:
        assert_refused(shared, data + SMUGGLED, [status], chop=1)
    assert_refused(shared, GOOD + data + SMUGGLED, [200, status])


@pytest.mark.parametrize("garbage", [
    b"\0" * 100, b"\xff" * 100, b"garbage\r\n", b"{}", b"\x81\x80\0\0\0\0",
    b"\x88\x80\0\0\0\0", b"0\r\n\r\n", b'{"player_id":"x","event":"e"}\r\n\r\n',
    b" \r\n\r\n", b"\r\n" * 50, b"\n\n", BODY], ids=repr)
def test_garbage_after_good_requests(shared, garbage):
    """The good ones are answered, the garbage is refused."""
    for n in (1, 3):
        assert_refused(shared, GOOD * n + garbage + b"\r\n\r\n" + SMUGGLED,
                       [200] * n + [400])


@pytest.mark.parametrize("first,token,status", [
    ("POST /nowhere HTTP/1.1", "s1", 404), ("PUT /publish HTTP/1.1", "s1", 405),
    ("POST /publish HTTP/1.1", None, 401),
    ("POST /publish HTTP/1.1", "nobody", 403),
    ("POST /publish HTTP/1.1", "x" * 33, 403)],
    ids=["404", "405", "401", "403", "403-long"])
@pytest.mark.parametrize("body", [b for _, b, s in chunks() if s == 400],
                         ids=[ascii(n) for n, _, s in chunks() if s == 400])
def test_bad_chunks_of_a_request_that_was_refused(shared, first, token, status,
                                                  body):
    """It has its answer; where its body ends can't be known, so no other."""
    before = shared.metrics()[PUBLISHED]
    got = answers(shared, head(CODING, body=body, first=first, token=token) +
                  SMUGGLED)
    assert [r.status for r in got] == [status]
    assert shared.metrics()[PUBLISHED] == before


@pytest.mark.parametrize("token,status", [("s1", 413), ("nobody", 403)])
def test_a_body_over_the_limit_is_not_read_to_its_end(shared, token, status):
    data = b"POST /publish HTTP/1.1\r\n" * (3 << 16)
    for lines, body in [
            (["Content-Length: %d" % len(data)], data),
            ([CODING], chunked(data, 65536)),
            ([CODING], b"ffffffffffffffff\r\n" + data),
            ([CODING], b"8000000000000000\r\n" + data)]:
        before = shared.metrics()[PUBLISHED]
        got = answers(shared, head(*lines, body=body, token=token) + SMUGGLED)
        assert [r.status for r in got] == [status]
        assert shared.metrics()[PUBLISHED] == before


# -- what looks odd and is right ---------------------------------------------------

def unusual():
    body = dict(body=BODY)
    length = "Content-Length: 34"
    for value in ["34", " 34", "34 ", "\t34\t", "034", "000000000000034"]:
        yield "length-%r" % value, head("Content-Length:" + value, **body)
    for value in ["chunked", " chunked ", "\tchunked\t", "Chunked", "CHUNKED"]:
        yield ("coding-%r" % value,
               head("Transfer-Encoding:" + value, body=CHUNKS))
    for line in ["X:", "X: ", "X:y", "X: " + "\xe9\xff\x80", "X: a\tb",
                 "!#$%&'*+-.^_`|~: y", "0: y", "Transfer_Encoding: chunked",
                 "X-Transfer-Encoding: chunked", "Content_Length: 5",
                 "Upgrade: websocket", "Upgrade: h2c", "Connection: x, y",
                 "Connection: Upgrade", "TE: chunked", "Trailer: X",
                 "Proxy-Connection: close", "X: a: b: c", "X: " + "y" * 7000]:
        yield "header-%.30r" % line, head(line, length, **body)
    yield "headers", head(*["X: y"] * 60, length, **body)
    for target in ["/publish?x", "/publish?", "/publish??/#"[:-1],
                   "http://localhost/publish", "HTTP://localhost/publish",
                   "https://h:443/publish?x", "http://[::1]:8080/publish",
                   "http://other/publish"]:
        yield ("target-%s" % target,
               head(length, first="POST %s HTTP/1.1" % target, **body))
    for host in ["", "localhost:80", "[::1]", "[::1]:80", "a_b", "h:", "%41",
                 "1.2.3.4", "xn--nxasmq6b"]:
        yield "host-%r" % host, head(length, host=host, **body)
    for n in range(1, 5):
        yield "empty-lines-%d" % n, b"\r\n" * n + head(length, **body)
    for name, c in {
            "zeros": b"0000000000000022\r\n" + BODY + b"\r\n0\r\n\r\n",
            "many-zeros": b"22\r\n" + BODY + b"\r\n0000000000000000\r\n\r\n",
            "upper": b"1C\r\n" + BODY[:0x1c] + b"\r\n6\r\n" + BODY[0x1c:] +
            b"\r\n0\r\n\r\n",
            "extension": b"22;a=b;c=\"d;\\\"\r\"".replace(b"\r", b"") +
            b"\r\n" + BODY + b"\r\n0;last\r\n\r\n",
            "spaced-extension": b"22 ; a = b\r\n" + BODY + b"\r\n0\r\n\r\n",
            "trailers": b"22\r\n" + BODY + b"\r\n0\r\nContent-Length: 5\r\n"
            b"Transfer-Encoding: gzip\r\nHost: x\r\n\r\n"}.items():
        yield "chunk-" + name, head(CODING, body=c)


@pytest.mark.parametrize("data", [pytest.param(d, id=ascii(n))
                                  for n, d in unusual()])
def test_unusual_and_right(shared, data):
    """And the next request starts where it should."""
    for chop in (None, 1):
        got = answers(shared, data + GOOD + request(
            "GET", "/healthz", headers=["Connection: close"]), chop)
        assert [r.status for r in got] == [200] * 3


@pytest.mark.parametrize("target", [
    "/", "/./publish", "/x/../publish", "/publish/", "/publish/.", "//publish",
    "/%70ublish", "/publish%00", "/publish;x", "/PUBLISH", "/publish.",
    "/publish%20", "/publish+", "http://h", "http://h?publish", "http://h/",
    "/publish%2f", "/ws/", "/metrics/", "/healthz/x"])
def test_a_path_is_what_it_is(shared, target):
    """Nothing is normalised: another spelling is another path."""
    got = answers(shared, head("Content-Length: 34", body=BODY,
                               first="POST %s HTTP/1.1" % target) +
                  request("GET", "/healthz", headers=["Connection: close"]))
    assert [r.status for r in got] == [404, 200]


def test_a_body_of_a_get_is_not_a_request(shared):
    for lines, body in ((["Content-Length: %d" % len(SMUGGLED)], SMUGGLED),
                        ([CODING], chunked(SMUGGLED))):
        before = shared.metrics()[PUBLISHED]
        for path in ("/healthz", "/metrics", "/nowhere"):
            got = answers(shared, head(*lines, body=body,
                                       first="GET %s HTTP/1.1" % path) +
                          request("GET", "/healthz",
                                  headers=["Connection: close"]))
            assert len(got) == 2 and got[1].status == 200
        assert shared.metrics()[PUBLISHED] == before


def test_what_follows_an_upgrade_is_not_a_request(shared, connect):
    """It is a broken frame."""
    token, _ = shared.fresh()
    before = shared.metrics()[PUBLISHED]
    ws = connect(shared, token)
    ws.sock.sendall(SMUGGLED)
    assert ws.recv_close()[0] == 1002 and ws.at_eof()
    assert shared.metrics()[PUBLISHED] == before


def test_what_follows_a_refused_expectation_is_not_a_request(shared):
    """A body that was not asked for may come or not: nobody can tell."""
    before = shared.metrics()[PUBLISHED]
    got = answers(shared, head("Content-Length: 34", "Expect: 100-continue",
                               token="nobody") + SMUGGLED)
    assert [r.status for r in got] == [403]
    assert shared.metrics()[PUBLISHED] == before


# -- who is slow -------------------------------------------------------------------

TIMEOUT = 0.4


@pytest.fixture(scope="module")
def hasty():
    """400 ms for a request, and between two of them."""
    f = Folder()
    g = Gateway(f, "publishers { rate-limit 0 }\nhttp { request-timeout 400ms;"
                " keepalive-timeout 400ms }")
    g.add_token("s1", subject="s", server=True)
    g.start()
    yield g
    g.check()
    f.remove()


def dribble(sock, data, pace=0.03):
    """Byte after byte, until the server says something."""
    for i in range(len(data)):
        sock.sendall(data[i:i + 1])
        if select.select([sock], [], [], pace)[0]:
            return
    select.select([sock], [], [], LIMIT)


@pytest.mark.parametrize("before,slow", [
    (b"", b"POST /publish HTTP/1.1\r\nHost: localhost\r\nX-Long: y"),
    (head()[:-2], b"X: y\r\n" * 20),
    (head("Content-Length: 100"), b" " * 99),
    (head(CODING) + b"64\r\n", b" " * 99),
    (head(CODING), b"1\r\n \r\n" * 20),
    (head(CODING, body=b"1;"), b"x" * 99),
    (head(CODING, body=b"0\r\n"), b"X: y\r\n" * 20)],
    ids=["line", "headers", "body", "chunk", "chunks", "extension", "trailers"])
def test_a_request_in_drops_has_its_time_as_a_whole(hasty, before, slow):
    """Each byte in time does not make the request be in time."""
    for first in (b"", GOOD):
        with RawHTTP(hasty) as c:
            begin = time.monotonic()
            c.send(first + before)
            if first:
                assert c.response().status == 200
            dribble(c.sock, slow)
            res = c.response()
            assert TIMEOUT * 0.9 < time.monotonic() - begin < TIMEOUT + 3
            assert res.status == 408
            assert res.headers["connection"] == "close"
            assert c.closed()


def test_a_refused_body_in_drops_has_its_time(hasty):
    with RawHTTP(hasty) as c:
        begin = time.monotonic()
        c.send(head("Content-Length: 100", token="nobody"))
        assert c.response().status == 403
        dribble(c.sock, b" " * 99)
        assert c.closed()
        assert TIMEOUT * 0.9 < time.monotonic() - begin < TIMEOUT + 3


@pytest.mark.parametrize("before", [b"", b"\r\n", GOOD], ids=["new", "line",
                                                               "served"])
def test_who_says_nothing_is_let_go(hasty, before):
    with RawHTTP(hasty) as c:
        begin = time.monotonic()
        c.send(before or b"")
        if before == GOOD:
            assert c.response().status == 200
        elif before:
            assert c.response().status == 408
        assert c.closed()
        assert time.monotonic() - begin < TIMEOUT + 3


def test_many_slow_ones_hold_nobody_up(hasty):
    # Handshakes take a while, and the first is not to be late for the last.
    slow = [RawHTTP(hasty) for _ in range(50 if certs.TLS else 200)]
    for n, c in enumerate(slow):
        c.send(head("Content-Length: 100")[:20 + n])
    worst = 0.0
    for _ in range(50):
        begin = time.monotonic()
        with RawHTTP(hasty) as c:
            assert c.ask(GOOD).status == 200
        worst = max(worst, time.monotonic() - begin)
    assert worst < 0.5
    for c in slow:
        assert c.response().status == 408
        assert c.closed()
        c.sock.close()


def test_who_does_not_read_answers_is_let_go(hasty):
    """What waits for it is bounded meanwhile."""
    n = hasty.metrics()["ws_http_connections"]
    c = RawHTTP(hasty)
    c.sock.settimeout(0.1)
    top = 0
    with contextlib.suppress(OSError):
        for _ in range(200):
            c.send(request("GET", "/metrics") * 100)
            top = max(top, hasty.metrics()["ws_send_queue_bytes"])
    assert top < 1 << 20
    wait_for(lambda: hasty.metrics()["ws_http_connections"] <= n,
             "the end of the one that does not read")
    assert hasty.metrics()["ws_send_queue_bytes"] == 0
    c.sock.close()


def test_who_reads_answers_late_gets_them_all(shared):
    data = request("GET", "/healthz") * 5000
    with RawHTTP(shared) as c:
        c.sock.setblocking(False)
        sent = 0
        while sent < len(data):
            if not select.select([], [c.sock], [], 0.2)[1]:
                break           # neither side takes any more
            sent += c.sock.send(data[sent:sent + 65536])
        c.sock.settimeout(LIMIT)
        n = 0
        while n < sent * 5000 // len(data):
            assert c.response().status == 200
            n += 1


# -- who closes its half -----------------------------------------------------------

@certs.no_half_close
@pytest.mark.parametrize("data,statuses", [
    (b"", []), (b"\r\n", []), (b"POST", []), (GOOD[:60], []),
    (GOOD[:-1], []), (GOOD, [200]), (GOOD * 20, [200] * 20),
    (GOOD * 3 + GOOD[:-1], [200] * 3), (head(CODING, body=CHUNKS), [200]),
    (head(CODING, body=CHUNKS[:-2]), []),
    (head("Content-Length: 34", token="nobody"), [403]),
    (GOOD + b"garbage\0", [200, 400]),
    (head("Content-Length: 34", "Expect: 100-continue")[:-2], [])],
    ids=["nothing", "line", "method", "head", "body", "one", "twenty",
         "three-and-a-half", "chunked", "chunked-part", "refused", "garbage",
         "expect"])
def test_the_end_of_sending(shared, data, statuses):
    """What was whole is answered; what was not has no effect."""
    before = shared.metrics()[PUBLISHED]
    with RawHTTP(shared) as c:
        c.send(data)
        c.sock.shutdown(socket.SHUT_WR)
        for status in statuses:
            assert c.response().status == status
        assert c.closed()
    assert shared.metrics()[PUBLISHED] == before + statuses.count(200)


def test_a_player_that_closes_its_half(shared, connect):
    """Is gone: nothing it says could be awaited any more."""
    token, name = shared.fresh()
    ws = connect(shared, token)
    ws.sock.shutdown(socket.SHUT_WR)
    assert ws.at_eof()
    wait_for(lambda: shared.publish(name, "e")["delivered"] == 0, "the end")


# -- how the bytes are cut -----------------------------------------------------------

def handshake(token):
    return request("GET", "/ws?token=" + token, headers=[
        "Upgrade: websocket", "Connection: Upgrade",
        "Sec-WebSocket-Version: 13",
        "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ=="])


def read_session(c):
    """What a connection that becomes a WebSocket answers, to its end."""
    out = []
    while not out or out[-1][0] != 101:
        while b"\r\n\r\n" not in c.buf:
            c.fill()
        if c.buf.startswith(b"HTTP/1.1 101 "):
            c.buf = c.buf.replace(b"\r\n\r\n",
                                  b"\r\nContent-Length: 0\r\n\r\n", 1)
        r = c.response()
        out.append((r.status, sorted((k, v) for k, v in r.headers.items()
                                     if k != "date"), r.body))
    ws = RawWS(c.sock)
    ws.buf = c.buf
    while not out or out[-1][0] != CLOSE:
        out.append(ws.recv())
    assert ws.at_eof()
    return out


def session(gateway, sizes):
    """A life from the first request to the close, in pieces of these sizes,
    the last of them for all that is left."""
    token, name = gateway.fresh()
    note = b'{"player_id":"%s","event":"e","payload":[1]}' % name.encode()
    data = b"".join([
        request("GET", "/healthz"), GOOD, post("/publish", note),
        head(CODING, body=chunked(note, 5)), request("GET", "/nowhere"),
        head("Content-Length: 34", body=BODY, token="nobody"), GOOD * 3,
        handshake(token), frame(TEXT, b"hello"), frame(PING, b"one"),
        frame(BINARY, bytes(60000) if sizes[-1] > 50 else b"\0", fin=False),
        frame(PING, b"x" * 125), frame(0, b""), frame(PONG, b""),
        frame(CLOSE, close_payload(1000, b"bye"))])
    with RawHTTP(gateway) as c:
        c.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        at = 0
        for i in range(len(data)):
            if at >= len(data):
                break
            n = sizes[min(i, len(sizes) - 1)]
            c.send(data[at:at + n])
            at += n
        out = read_session(c)
    statuses = [o[0] for o in out]
    assert statuses == [200, 200, 200, 200, 404, 403, 200, 200, 200, 101,
                        TEXT, TEXT, PONG, PONG, CLOSE]
    assert out[10][1] == out[11][1] == b'{"event":"e","payload":[1]}'
    return out


def test_a_whole_life_byte_by_byte(shared):
    want = session(shared, [1 << 20])
    for size in (1, 2, 3, 5, 17, 255):
        assert session(shared, [size]) == want


@pytest.mark.parametrize("seed", range(12))
def test_a_whole_life_in_random_cuts(shared, seed):
    rng = random.Random(seed)
    want = session(shared, [1 << 20])
    for top in (10, 100, 1000, 30000):
        sizes = [rng.randrange(1, top) for _ in range(1000)]
        assert session(shared, [*sizes, 1 << 20]) == want


@pytest.mark.parametrize("seed", range(12))
def test_requests_in_random_cuts(shared, seed):
    """Good ones and the first bad one, in one piece against random pieces."""
    rng = random.Random(seed)
    data = b"".join(rng.choice([
        GOOD, post("/broadcast", b'{"event":"e"}'), post("/publish", b"{"),
        head(CODING, body=CHUNKS), request("GET", "/healthz"),
        request("GET", "/x"), b"\r\n" + GOOD,
        head("Content-Length: 34", body=BODY, token=None)])
        for _ in range(20))
    data += rng.choice(REFUSED)[1] + SMUGGLED

    def plain(got):
        return [(r.status, r.body, sorted(
            (k, v) for k, v in r.headers.items() if k != "date")) for r in got]

    want = plain(answers(shared, data))
    assert len(want) == 21
    for size in (1, rng.randrange(2, 50), rng.randrange(50, 1500)):
        assert plain(answers(shared, data, size)) == want
