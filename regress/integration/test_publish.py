"""Servers publish: contract, section 3."""
import json
import socket
import time

import pytest

import certs
from gateway import Folder, Gateway
from rawhttp import RawHTTP, chunked, post, request

BODY = b'{"player_id":"nobody","event":"e"}'
PATHS = ("/publish", "/broadcast")


def answer(gateway, data, head=False):
    with RawHTTP(gateway) as c:
        return c.ask(data, head)


# -- statuses -----------------------------------------------------------------

@pytest.mark.parametrize("path", PATHS)
def test_200_when_taken(shared, path):
    res = answer(shared, post(path, BODY))
    assert res.status == 200
    assert res.version == "HTTP/1.1"


def test_the_reply_says_what_became_of_it(shared, connect):
    token, player = shared.fresh()
    _, away = shared.fresh()
    for n in range(3):
        assert shared.publish(player, "e") == \
            ({"delivered": n, "queued": 0} if n else
             {"delivered": 0, "queued": 1})
        connect(shared, token)
    res = answer(shared, post("/publish", json.dumps(
        {"player_id": player, "event": "e"}).encode()))
    assert res.body == b'{"delivered":3,"queued":0}\n'
    assert res.headers["content-type"] == "application/json"
    # A 200 all the same.
    res = answer(shared, post("/publish", json.dumps(
        {"player_id": away, "event": "e"}).encode()))
    assert (res.status, res.body) == (200, b'{"delivered":0,"queued":1}\n')
    res = answer(shared, post("/broadcast", json.dumps(
        {"player_id": away, "event": "e"}).encode()))
    assert (res.status, res.body) == (200, b'{"delivered":0,"queued":0}\n')


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("authorization", [
    None, "", "Bearer", "Bearer ", "Basic czE6", "s1", "Token s1"])
def test_401_missing_token(shared, path, authorization):
    headers = [] if authorization is None else \
        ["Authorization: " + authorization]
    res = answer(shared, request("POST", path, BODY, headers))
    assert (res.status, res.body) == (401, b"missing token\n")


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("token", ["nobody", "player", "old", "s", "S1",
                                   "x" * 33, "x" * 1000, "s1 s1", "s%31"])
def test_403_invalid_server_token(shared, path, token):
    if token == "player":
        token, _ = shared.fresh()
    if token == "old":
        shared.fresh(server=True, ttl=-10)
        token = "t%d" % (1000 + shared.serial)
    res = answer(shared, post(path, BODY, token))
    assert (res.status, res.body) == (403, b"invalid server token\n")


def test_the_token_of_a_query_is_not_for_servers(shared):
    assert answer(shared, request("POST", "/publish?token=s1",
                                  BODY)).status == 401


@pytest.mark.parametrize("scheme", ["Bearer", "bearer", "BEARER"])
def test_the_scheme_is_matched_without_regard_to_case(shared, scheme):
    assert answer(shared, request("POST", "/publish", BODY, [
        "Authorization: %s s1" % scheme])).status == 200


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("method", ["GET", "HEAD", "PUT", "DELETE",
                                    "OPTIONS", "PATCH"])
def test_405_for_another_method(shared, path, method):
    res = answer(shared, request(method, path, headers=[
        "Authorization: Bearer s1"]), method == "HEAD")
    assert (res.status, res.headers["allow"]) == (405, "POST")


@pytest.mark.parametrize("path", PATHS)
def test_411_without_a_length(shared, path):
    assert answer(shared, post(path, None)).status == 411


@pytest.mark.parametrize("path", PATHS)
def test_413_too_large(start, path):
    g = start("publishers { max-body 1K }", wait=False)
    g.add_token("s1", subject="s", server=True)
    g.start()
    fits = b'{"player_id":"1","event":"e","payload":"%s"}'
    fits %= b"x" * (1024 - len(fits) + 2)
    assert len(fits) == 1024
    more = fits + b" "
    assert answer(g, post(path, fits)).status == 200
    assert answer(g, post(path, more)).status == 413
    te = ["Transfer-Encoding: chunked"]
    assert answer(g, post(path, chunked(fits, 100), headers=te,
                          length=False)).status == 200
    assert answer(g, post(path, chunked(more, 100), headers=te,
                          length=False)).status == 413
    # Told by the length alone.
    with RawHTTP(g) as c:
        assert c.ask(post(path, None, headers=[
            "Content-Length: 99999999999"])).status == 413
        assert c.closed()


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("headers", [
    ["Content-Length: 34", "Transfer-Encoding: chunked"],
    ["Transfer-Encoding: chunked", "Content-Length: 34"],
    ["Content-Length: 34", "Content-Length: 35"],
    ["Content-Length: 34, 35"],
    ["Content-Length: -1"],
    ["Content-Length: 0x22"],
    ["Content-Length: 34 34"],
    ["Content-Length: 99999999999999999999999"],
    ["Content-Length : 34"],
    ["Content-Length: 34", "X: a\r\n folded"],
    ["Content-Length: 34", "bad header"],
], ids=str)
def test_400_and_close_for_broken_framing(shared, path, headers):
    """Both lengths, two lengths that differ, and the like."""
    with RawHTTP(shared) as c:
        c.send(post(path, BODY, headers=headers, length=False) +
               post(path, BODY))
        res = c.response()
        assert (res.status, res.headers["connection"]) == (400, "close")
        # What follows must not be taken for a request.
        assert c.closed()


@pytest.mark.parametrize("body", [
    b"zz\r\n", b"-1\r\n", b"5 \r\nhello\r\n", b"5\nhello\r\n",
    b"5\r\nhelloXX0\r\n\r\n", b"fffffffffffffffff\r\n",
    b"5;x=\"\n\"\r\nhello\r\n"], ids=str)
def test_400_and_close_for_bad_chunks(shared, body):
    with RawHTTP(shared) as c:
        res = c.ask(post("/publish", body, headers=[
            "Transfer-Encoding: chunked"], length=False))
        assert res.status == 400
        assert c.closed()


@pytest.mark.parametrize("coding", ["gzip", "gzip, chunked", "identity"])
def test_another_transfer_coding_is_refused(shared, coding):
    with RawHTTP(shared) as c:
        res = c.ask(post("/publish", b"0\r\n\r\n", headers=[
            "Transfer-Encoding: " + coding], length=False))
        assert res.status in (400, 501)
        assert c.closed()


def test_404_for_another_path(shared):
    for path in ("/", "/publish/", "/Publish", "/broadcasts", "/ws/"):
        assert answer(shared, post(path, BODY)).status == 404


# -- the order ----------------------------------------------------------------

@pytest.fixture(scope="module")
def rated():
    """"empty" has used up its rate."""
    f = Folder()
    g = Gateway(f, "publishers { rate-limit 1; rate-period 1h }")
    g.add_token("empty", subject="s", server=True)
    g.start()
    assert answer(g, post("/publish", BODY, "empty")).status == 200
    yield g
    g.check()
    f.remove()


@pytest.mark.parametrize("path", PATHS)
def test_refused_in_the_order_401_403_429_400(rated, path):
    bad = b"not JSON"
    assert answer(rated, request("POST", path, bad)).status == 401
    assert answer(rated, post(path, bad, "nobody")).status == 403
    res = answer(rated, post(path, bad, "empty"))
    assert (res.status, res.body) == (429, b"rate limit\n")
    assert 3590 <= int(res.headers["retry-after"]) <= 3600


def test_a_bad_body_costs_a_message_of_the_rate(start):
    g = start("publishers { rate-limit 3; rate-period 1h }", wait=False)
    g.add_token("s1", subject="s", server=True)
    g.start()
    assert [answer(g, post("/publish", b)).status for b in (
        b"{", BODY, b"[]", BODY)] == [400, 200, 400, 429]


def test_a_refused_token_costs_nothing(start):
    g = start("publishers { rate-limit 1; rate-period 1h }", wait=False)
    g.add_token("s1", subject="s", server=True)
    g.start()
    for _ in range(3):
        assert answer(g, post("/publish", BODY, "nobody")).status == 403
        assert answer(g, request("POST", "/publish", BODY)).status == 401
    assert answer(g, post("/publish", BODY)).status == 200


# -- keep-alive, pipelining, framing ------------------------------------------

def test_keep_alive_goes_on_after_refused_bodies(rated):
    """The body of a refused request is read and thrown away."""
    body = post("/publish", BODY, "nobody")     # a request in a body
    te = ["Transfer-Encoding: chunked"]
    with RawHTTP(rated) as c:
        for _ in range(3):
            assert c.ask(request("POST", "/publish", body)).status == 401
            assert c.ask(post("/publish", body, "nobody")).status == 403
            assert c.ask(post("/publish", body, "empty")).status == 429
            assert c.ask(post("/publish", chunked(body), "empty", te,
                              length=False)).status == 429
            assert c.ask(request("PUT", "/publish", body)).status == 405
            assert c.ask(request("POST", "/nowhere", body)).status == 404
            assert c.ask(request("GET", "/healthz", body)).status == 200


def test_keep_alive_goes_on_after_400(shared):
    with RawHTTP(shared) as c:
        for _ in range(3):
            assert c.ask(post("/publish", b"{" * 100)).status == 400
            assert c.ask(post("/publish", BODY)).status == 200


def test_a_refused_body_that_comes_later(shared):
    """The answer does not wait for it, and it is not taken for a request."""
    with RawHTTP(shared) as c:
        body = b"GET /healthz HTTP/1.1\r\n\r\n" * 100
        data = post("/publish", body, "nobody")
        c.send(data[:-len(body)])
        assert c.response().status == 403
        c.send(body)
        assert c.ask(post("/publish", BODY)).status == 200


def mixed(shared):
    """Requests and the statuses they want."""
    te = ["Transfer-Encoding: chunked"]
    return [
        (post("/publish", BODY), 200),
        (post("/broadcast", BODY), 200),
        (post("/publish", b"{}"), 400),
        (post("/publish", chunked(BODY), headers=te, length=False), 200),
        (request("GET", "/healthz"), 200),
        (post("/publish", BODY, "nobody"), 403),
        (request("POST", "/publish", BODY), 401),
        (post("/publish", chunked(BODY, 1), headers=te, length=False), 200),
        (request("GET", "/nowhere"), 404),
        (post("/publish", BODY), 200),
    ]


def test_pipelining_in_one_segment(shared):
    pairs = mixed(shared) * 5
    with RawHTTP(shared) as c:
        c.send(b"".join(data for data, _ in pairs))
        assert [c.response().status for _ in pairs] == [s for _, s in pairs]
        assert c.ask(request("GET", "/healthz")).status == 200


def test_pipelining_byte_by_byte(shared):
    pairs = mixed(shared)
    with RawHTTP(shared) as c:
        for byte in b"".join(data for data, _ in pairs):
            c.send(bytes([byte]))
        assert [c.response().status for _ in pairs] == [s for _, s in pairs]


@pytest.mark.parametrize("size", [2, 3, 17, 64, 101, 257])
def test_pipelining_in_odd_segments(shared, size):
    pairs = mixed(shared) * 2
    data = b"".join(d for d, _ in pairs)
    with RawHTTP(shared) as c:
        for i in range(0, len(data), size):
            c.send(data[i:i + size])
        assert [c.response().status for _ in pairs] == [s for _, s in pairs]


def test_pipelined_messages_keep_their_order(shared, connect):
    token, player = shared.fresh()
    ws = connect(shared, token)
    with RawHTTP(shared) as c:
        c.send(b"".join(post("/publish", json.dumps(
            {"player_id": player, "event": "n", "payload": n}).encode())
            for n in range(300)))
        for n in range(300):
            assert c.response().status == 200
    got = [json.loads(ws.recv_text())["payload"] for _ in range(300)]
    assert got == list(range(300))


@pytest.mark.parametrize("size", [1, 2, 16, 1000])
def test_chunked(shared, connect, size):
    token, player = shared.fresh()
    ws = connect(shared, token)
    body = json.dumps({"player_id": player, "event": "e",
                       "payload": "x" * 500}).encode()
    res = answer(shared, post("/publish", chunked(body, size), headers=[
        "Transfer-Encoding: Chunked"], length=False))
    assert (res.status, res.body) == (200, b'{"delivered":1,"queued":0}\n')
    assert json.loads(ws.recv_text())["payload"] == "x" * 500


def test_chunk_extensions_and_trailers(shared):
    n = len(BODY)
    with RawHTTP(shared) as c:
        assert c.ask(post(
            "/publish", b"%X;name=value\r\n%s\r\n000\r\nTrailer: x\r\n\r\n" %
            (n, BODY), headers=["Transfer-Encoding: chunked"],
            length=False)).status == 200
        assert c.ask(request("GET", "/healthz")).status == 200


def test_the_same_length_twice_is_one_length_or_400(shared):
    """RFC 9110 lets a server choose (8.6)."""
    n = len(BODY)
    res = answer(shared, post("/publish", BODY, headers=[
        "Content-Length: %d" % n, "Content-Length: %d" % n], length=False))
    assert res.status in (200, 400)


@pytest.mark.parametrize("path", PATHS)
def test_expect_100_continue(shared, path):
    data = post(path, BODY, headers=["Expect: 100-continue"])
    with RawHTTP(shared) as c:
        for _ in range(2):
            res = c.ask(data[:-len(BODY)])
            assert (res.status, res.headers) == (100, {})
            c.send(BODY)
            assert c.response().status == 200


def test_expect_100_continue_is_answered_by_the_refusal(rated):
    for token, status in (("nobody", 403), ("empty", 429)):
        with RawHTTP(rated) as c:
            data = post("/publish", BODY, token, ["Expect: 100-continue"])
            assert c.ask(data[:-len(BODY)]).status == status


def test_expect_something_else(shared):
    assert answer(shared, post("/publish", BODY, headers=[
        "Expect: tea"])).status in (200, 417)


def test_http_10_with_close(shared):
    with RawHTTP(shared) as c:
        res = c.ask(post("/publish", BODY, version="1.0"))
        assert (res.status, res.headers["connection"]) == (200, "close")
        assert c.closed()


def test_http_10_without_host(shared):
    with RawHTTP(shared) as c:
        assert c.ask(b"GET /healthz HTTP/1.0\r\n\r\n").status == 200
        assert c.closed()


def test_http_11_with_close(shared):
    with RawHTTP(shared) as c:
        res = c.ask(post("/publish", BODY, headers=["Connection: close"]))
        assert (res.status, res.headers["connection"]) == (200, "close")
        assert c.closed()


def test_http_11_keep_alive_is_the_default(shared):
    with RawHTTP(shared) as c:
        for _ in range(50):
            res = c.ask(post("/publish", BODY))
            assert res.status == 200
            assert res.headers.get("connection") != "close"


@pytest.mark.parametrize("version", ["0.9", "2.0", "1.2", "1", "1.10"])
def test_other_versions(shared, version):
    with RawHTTP(shared) as c:
        assert c.ask(post("/publish", BODY, version=version)).status in \
            (200, 400, 505)


def test_head_has_no_body(shared):
    with RawHTTP(shared) as c:
        for path in ("/metrics", "/healthz", "/nowhere"):
            res = c.ask(request("HEAD", path), head=True)
            assert int(res.headers["content-length"]) > 0
        assert c.ask(request("GET", "/healthz")).body == b"ok\n"


def test_absolute_form(shared):
    assert answer(shared, post("http://localhost/publish",
                               BODY)).status == 200


@certs.no_half_close
def test_the_end_of_sending_is_no_reason_not_to_answer(shared):
    """As with printf ... | nc."""
    with RawHTTP(shared) as c:
        c.send(post("/publish", BODY) * 3)
        c.sock.shutdown(socket.SHUT_WR)
        assert [c.response().status for _ in range(3)] == [200] * 3
        assert c.closed()


@pytest.mark.parametrize("kind", [
    None, "application/json", "text/plain", "application/octet-stream",
    "application/x-www-form-urlencoded", "image/png", "nonsense", ""])
def test_any_content_type_is_taken(shared, kind):
    headers = [] if kind is None else ["Content-Type: " + kind]
    for path in PATHS:
        assert answer(shared, post(path, BODY,
                                   headers=headers)).status == 200


def test_a_request_that_is_not_complete_in_time(start):
    g = start("http { request-timeout 100ms }", wait=False)
    g.add_token("s1", subject="s", server=True)
    g.start()
    for data in (b"GET /healthz", post("/publish", BODY)[:-1]):
        with RawHTTP(g) as c:
            res = c.ask(data)
            assert (res.status, res.body) == (408, b"request timeout\n")
            assert c.closed()


def test_an_idle_connection_is_closed(start):
    g = start("http { keepalive-timeout 50ms }")
    with RawHTTP(g) as c:
        assert c.ask(request("GET", "/healthz")).status == 200
        assert c.closed()


# -- the body -----------------------------------------------------------------

GOOD = [
    b'{"player_id":"P","event":"e"}',
    b' \t\r\n{ "player_id" : "P" , "event" : "e" } \r\n',
    b'{"event":"e","player_id":"P"}',
    b'{"player_id":"P","event":"e","payload":null}',
    b'{"player_id":"P","event":"e","payload":[]}',
    b'{"player_id":"P","event":"e","payload":{"a":[1,2,{"b":null}]}}',
    b'{"player_id":"P","event":"e","payload":-0.0e-10}',
    b'{"player_id":"P","event":"e","payload":1E400}',
    b'{"player_id":"P","event":"e","payload":"\\u0000\\ud83d\\ude00\\/"}',
    '{"player_id":"P","event":"\u00e9\U0001f600","payload":"\u2028"}'.encode(),
    # unknown members
    b'{"player_id":"P","event":"e","x":1,"y":{"event":5},"z":[]}',
    b'{"player_id":"P","event":"e","":""}',
    # member names without regard to case
    b'{"PLAYER_ID":"P","EVENT":"e","PAYLOAD":1}',
    b'{"Player_Id":"P","Event":"e","PayLoad":1}',
    # escapes in names
    b'{"\\u0070layer_id":"P","\\u0065vent":"e"}',
    b'{"player\\u005fid":"P","eve\\u006E\\u0074":"e"}',
    # the last of a repeated member
    b'{"player_id":"Q","player_id":"P","event":1,"event":"e"}',
    b'{"player_id":true,"PLAYER_ID":"P","Event":null,"event":"e"}',
]


@pytest.mark.parametrize("body", GOOD, ids=repr)
def test_good_bodies(shared, connect, body):
    token, player = shared.fresh()
    ws = connect(shared, token)
    body = body.replace(b'"P"', b'"%s"' % player.encode())
    for path in PATHS:
        res = answer(shared, post(path, body))
        assert (res.status, res.body) == \
            (200, b'{"delivered":1,"queued":0}\n')
        json.loads(ws.recv_text())


BAD = [
    b"", b" ", b"null", b"[]", b'"x"', b"1", b"{", b"}", b"{}x",
    BODY + b"x", BODY + BODY, BODY[:-1], b"\xef\xbb\xbf" + BODY,
    b"{'player_id':'1','event':'e'}", b"{player_id:1,event:2}",
    b'{"player_id":"1","event":"e",}',
    b'{,"player_id":"1","event":"e"}',
    b'{"player_id":"1" "event":"e"}',
    b'{"player_id":"1","event":"e"}/* */', b'{"player_id":"1","event":"e"}\0',
    b'{"player_id";"1","event":"e"}',
] + [b'{"player_id":"1","event":"e","payload":' + p + b"}" for p in [
    b"", b"01", b"-", b"+1", b".5", b"1.", b"1e", b"1e+", b"0x10", b"NaN",
    b"Infinity", b"-Infinity", b"True", b"TRUE", b"nul", b"nulll",
    b"undefined", b"[1,]", b"[,1]", b"[1 2]", b"[1", b"{1:2}", b'{"a"}',
    b'{"a":}', b'{"a":1,}', b"'x'", b'"x', b'"\n"', b'"\t"', b'"\x1f"',
    b'"\0"', b'"\\x41"', b'"\\u12"', b'"\\u12G4"', b'"\\"', b"\\",
    b'"\x80"', b'"\xc0\x80"', b'"\xc3"', b'"\xe2\x82"', b'"\xed\xa0\x80"',
    b'"\xf4\x90\x80\x80"', b'"\xff"', b'"\xf0\x80\x80\x80"', b"\xa0", b"1 1",
]] + [
    b'{"player_id":"1","event":"\xff"}',
    b'{"player_id":"\xff","event":"e"}',
    b'{"player_id":"1","event":"e","\xff":1}',
    b'{"player_id":"1","event":"e","x":01}',
]


@pytest.mark.parametrize("body", BAD, ids=repr)
def test_400_for_what_is_not_strict_json(shared, body):
    for path in PATHS:
        res = answer(shared, post(path, body))
        assert res.status == 400
        assert res.body.startswith(b"bad request")
        assert res.body.endswith(b"\n") and res.body.count(b"\n") == 1


@pytest.mark.parametrize("event,status", [
    (b'"\\ud83d\\ude00"', 200), (b'"\\ud83d"', None), (b'"\\ude00"', None)])
def test_surrogates(shared, connect, event, status):
    """A lone one is JSON by its grammar, but no text: taken or not, what goes
    out must be good."""
    token, player = shared.fresh()
    ws = connect(shared, token)
    res = answer(shared, post(
        "/publish", b'{"player_id":"%s","event":%s}' %
        (player.encode(), event)))
    assert res.status in ((status,) if status else (200, 400))
    if res.status == 200:
        assert json.loads(ws.recv_text())["event"] == json.loads(event)


@pytest.mark.parametrize("body", [
    b'{"event":"e"}', b'{"player_id":"","event":"e"}',
    b'{"player_id":null,"event":"e"}', b'{"PLAYERID":"1","event":"e"}',
    b'{"player_id":"1","player_id":"","event":"e"}'], ids=repr)
def test_400_says_that_player_id_is_missing(shared, body):
    res = answer(shared, post("/publish", body))
    assert res.status == 400
    assert b"player_id" in res.body and b"event" not in res.body
    # It is optional on /broadcast.
    assert answer(shared, post("/broadcast", body)).status == 200


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("body", [
    b'{"player_id":"1"}', b'{"player_id":"1","event":null}',
    b'{"player_id":"1","events":"e"}'], ids=repr)
def test_400_says_that_event_is_missing(shared, path, body):
    res = answer(shared, post(path, body))
    assert res.status == 400
    assert b"event" in res.body and b"player_id" not in res.body


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("value", [b"true", b"false", b"{}", b"[]", b"1.0",
                                   b"1.5", b"1e1", b'["1"]'])
def test_400_for_a_player_id_of_another_kind(shared, path, value):
    res = answer(shared, post(path, b'{"player_id":%s,"event":"e"}' % value))
    assert res.status == 400 and b"player_id" in res.body


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("value", [b"1", b"true", b"{}", b"[]"])
def test_400_for_an_event_of_another_kind(shared, path, value):
    res = answer(shared, post(path, b'{"player_id":"1","event":%s}' % value))
    assert res.status == 400 and b"event" in res.body


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("player,value", [
    (None, b'"%s"'), (None, b"%s"), (None, b" %s "),
    ("esc", b'"\\u0065s\\u0063"'), ("slash/", b'"slash\\/"'),
    ("\u00e9\U0001f600", b'"\\u00e9\\ud83d\\ude00"'),
    ("\u00e9\u00e9", '"\u00e9\u00e9"'.encode()),
    ("-5", b"-5"), ("0042", b'"0042"'), ("a b", b'"a b"'),
    ("12345678901234567890", b"12345678901234567890"),
], ids=repr)
def test_player_id_is_a_string_or_an_integer(shared, connect, path, player,
                                             value):
    if player is None:
        token, player = shared.fresh()
        value %= player.encode()
    else:
        shared.serial += 1
        token = shared.add_token("u%d" % shared.serial, subject=player)
    ws = connect(shared, token)
    res = answer(shared, post(path, b'{"player_id":%s,"event":"e"}' % value))
    assert (res.status, res.body) == (200, b'{"delivered":1,"queued":0}\n')
    assert ws.recv_text() == '{"event":"e","payload":null}'


def test_an_identity_that_is_alike_is_another(shared, connect):
    token = shared.add_token("zeros", subject="00421")
    ws = connect(shared, token)
    for value in (b"421", b'"421"', b'"0421"', b'"00421 "', b'"00421\\u0000"'):
        assert answer(shared, post(
            "/broadcast", b'{"player_id":%s,"event":"e"}' % value)).body == \
            b'{"delivered":0,"queued":0}\n'
    ws.settle()


def test_a_very_long_player_id(shared):
    for n in (64, 65, 255, 256, 5000):
        res = answer(shared, post(
            "/publish", b'{"player_id":"%s","event":"e"}' % (b"x" * n)))
        assert res.status in (200, 400)


def test_deep_nesting_does_no_harm(shared):
    for n in (100, 10000, 400000):
        res = answer(shared, post(
            "/publish", b'{"player_id":"1","event":"e","payload":' +
            b"[" * n + b"]" * n + b"}"))
        assert res.status in (200, 400)
    assert answer(shared, post("/publish", BODY)).status == 200


# -- whom it reaches ----------------------------------------------------------

def test_publish_goes_to_every_connection_of_the_player(shared, connect):
    token, player = shared.fresh()
    other, _ = shared.fresh()
    mine = [connect(shared, token) for _ in range(3)]
    away = connect(shared, other)
    assert shared.publish(player, "e") == {"delivered": 3, "queued": 0}
    for ws in mine:
        assert ws.recv_text() == '{"event":"e","payload":null}'
    away.settle()


@pytest.mark.parametrize("body", [
    b'{"event":"all"}', b'{"player_id":"","event":"all"}',
    b'{"player_id":null,"event":"all"}'])
def test_broadcast_without_player_goes_to_all(start, connect, body):
    g = start("publishers { rate-limit 0 }", wait=False)
    g.add_token("s1", subject="s", server=True)
    for i in range(4):
        g.add_token("t%d" % i, i)
    g.start()
    players = [connect(g, "t%d" % i) for i in (0, 1, 2, 3, 3)]
    assert answer(g, post("/broadcast", body)).body == \
        b'{"delivered":5,"queued":0}\n'
    for ws in players:
        assert ws.recv_text() == '{"event":"all","payload":null}'


def test_broadcast_with_player_goes_to_that_player(shared, connect):
    token, player = shared.fresh()
    other, _ = shared.fresh()
    mine = [connect(shared, token) for _ in range(2)]
    away = connect(shared, other)
    res = answer(shared, post("/broadcast", json.dumps(
        {"player_id": player, "event": "e"}).encode()))
    assert res.body == b'{"delivered":2,"queued":0}\n'
    for ws in mine:
        assert ws.recv_text() == '{"event":"e","payload":null}'
    away.settle()


# -- the rate -----------------------------------------------------------------

def test_rate_is_of_each_token_and_both_endpoints_together(start):
    g = start("publishers { rate-limit 4; rate-period 1h }", wait=False)
    for token in ("a", "b"):
        g.add_token(token, subject="same", server=True)
    g.start()
    paths = ["/publish", "/broadcast"] * 2
    for token in ("a", "b"):
        for path in paths:
            assert answer(g, post(path, BODY, token)).status == 200
        for path in paths:
            res = answer(g, post(path, BODY, token))
            assert res.status == 429
            # The next one comes after a quarter of the period.
            assert 890 <= int(res.headers["retry-after"]) <= 900


def test_rate_is_refilled_evenly(start):
    """Ten in a second are one every 100 ms, after a burst of ten."""
    g = start("publishers { rate-limit 10; rate-period 1s }", wait=False)
    g.add_token("s1", subject="s", server=True)
    g.start()
    with RawHTTP(g) as c:
        begin = time.monotonic()
        burst = 0
        while c.ask(post("/publish", BODY)).status == 200:
            burst += 1
        used = time.monotonic() - begin
        assert 10 <= burst <= 10 + used * 10 + 1
        more = 0
        while time.monotonic() - begin < used + 0.55:
            res = c.ask(post("/publish", BODY))
            if res.status == 200:
                more += 1
            else:
                assert res.headers["retry-after"] == "1"
                time.sleep(0.005)
        elapsed = time.monotonic() - begin
        assert (elapsed - used) * 10 - 2 <= more <= elapsed * 10 + 1


def test_rate_of_zero_is_no_limit(shared):
    with RawHTTP(shared) as c:
        c.send(post("/publish", BODY) * 200)
        assert {c.response().status for _ in range(200)} == {200}


def test_the_default_rate_is_ten_a_second(start):
    g = start(wait=False)
    g.add_token("s1", subject="s", server=True)
    g.start()
    with RawHTTP(g) as c:
        begin = time.monotonic()
        c.send(post("/publish", BODY) * 100)
        taken = [c.response().status for _ in range(100)].count(200)
        assert 10 <= taken <= 11 + (time.monotonic() - begin) * 10


# -- the token's cache --------------------------------------------------------

def test_a_busy_server_does_not_cost_a_lookup_a_message(start):
    g = start("publishers { rate-limit 0 }\ntokens { cache 1h }", wait=False)
    g.add_token("s1", subject="s", server=True)
    g.start()
    with RawHTTP(g) as c:
        for _ in range(50):
            assert c.ask(post("/publish", BODY)).status == 200
    assert g.metrics()["ws_token_lookups_total"] == 1


@certs.no_half_close
def test_half_closed_while_a_token_is_looked_up(start):
    """Both requests were there before the client's side was shut: both are
    answered, whenever the end of file comes."""
    g = start("publishers { rate-limit 0 }\ntokens { cache 0 }", wait=False)
    g.add_token("s1", subject="server", server=True)
    g.start()
    one = post("/broadcast", b'{"event":"e"}')
    for n in range(200):
        with RawHTTP(g) as c:
            c.send(one * 2)
            # At some of these times it meets the answer of the store.
            for _ in range(n * 20):
                pass
            c.sock.shutdown(socket.SHUT_WR)
            assert c.response().status == 200
            assert c.response().status == 200
