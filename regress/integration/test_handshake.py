"""Players connect: contract, section 2, from GET /ws to the 101."""
import base64
import itertools
import os

import pytest

from gateway import Folder, Gateway, wait_for
from rawhttp import RawHTTP
from rawws import RawWS, Refused

ORIGIN = "https://example.org"


def head(token="good", method="GET", version="1.1", target=None, host=True,
         key=None, **over):
    """The bytes of a handshake; a header given as None is left out."""
    headers = {"Upgrade": "websocket", "Connection": "Upgrade",
               "Sec-WebSocket-Version": "13",
               "Sec-WebSocket-Key": key or
               base64.b64encode(os.urandom(16)).decode(),
               "Origin": ORIGIN}
    if host:
        headers["Host"] = "localhost"
    for name, value in over.items():
        headers[name.replace("_", "-")] = value
    if target is None:
        target = "/ws" if token is None else "/ws?token=" + token
    lines = ["%s %s HTTP/%s" % (method, target, version)]
    for name, value in headers.items():
        for one in value if isinstance(value, list) else [value]:
            if one is not None:
                lines.append("%s: %s" % (name, one))
    return "\r\n".join(lines).encode("latin-1") + b"\r\n\r\n"


def shake(gateway, data=None, **kw):
    """The response to a handshake."""
    with RawHTTP(gateway) as c:
        c.send(data or head(**kw))
        # A 101 has no length: what follows it are frames.
        while b"\r\n\r\n" not in c.buf:
            c.fill()
        if c.buf.startswith(b"HTTP/1.1 101 "):
            c.buf = c.buf.replace(b"\r\n\r\n",
                                  b"\r\nContent-Length: 0\r\n\r\n", 1)
        return c.response()


@pytest.fixture(scope="module")
def strict():
    """One connection a player, one origin; "full" has its connection."""
    f = Folder()
    g = Gateway(f, 'players { max-connections 1 }\norigins { "%s" }' % ORIGIN)
    g.add_token("good", 1)
    g.add_token("full", 2)
    g.start()
    ws = RawWS.connect(g, "full", headers=["Origin: " + ORIGIN])
    yield g
    ws.close()
    g.check()
    f.remove()


# In the contract's order: what is wrong, the request that has it, the answer.
FAULTS = [
    ("missing token", {"token": None}, 401, b"missing token\n"),
    ("invalid token", {"token": "nobody"}, 401, b"invalid token\n"),
    ("too many connections", {"token": "full"}, 429,
     b"too many connections\n"),
    ("method", {"method": "POST"}, 405, None),
    ("bad handshake", {"Sec_WebSocket_Key": "short"}, 400, None),
    ("version", {"Sec_WebSocket_Version": "8"}, 426, None),
    ("origin", {"Origin": "https://evil.example"}, 403, None),
]


@pytest.mark.parametrize("fault", FAULTS, ids=lambda f: f[0])
def test_each_refusal(strict, fault):
    _, over, status, body = fault
    res = shake(strict, **over)
    assert res.status == status
    if body is not None:
        assert res.body == body


@pytest.mark.parametrize("fault", FAULTS, ids=lambda f: f[0])
def test_error_bodies_are_one_line_of_text(strict, fault):
    res = shake(strict, **fault[1])
    assert res.headers["content-type"].startswith("text/plain")
    assert res.body.endswith(b"\n") and res.body.count(b"\n") == 1
    assert len(res.body) > 1


@pytest.mark.parametrize(
    "first,second",
    [p for p in itertools.combinations(FAULTS, 2)
     if len({**p[0][1], **p[1][1]}) == 2],
    ids=lambda f: f[0])
def test_order_of_refusals(strict, first, second):
    """With two things wrong, the first in the contract's order is told."""
    assert shake(strict, **{**first[1], **second[1]}).status == first[2]


def test_everything_wrong_tells_the_token(strict):
    over = {}
    for fault in FAULTS[3:]:
        over.update(fault[1])
    assert shake(strict, token=None, **over).body == b"missing token\n"
    assert shake(strict, token="x", **over).body == b"invalid token\n"
    assert shake(strict, token="full", **over).status == 429


def test_another_version_is_told_ours(strict):
    for version in ("8", "12", "14", "130", "1"):
        res = shake(strict, Sec_WebSocket_Version=version)
        assert (res.status, res.headers["sec-websocket-version"]) == \
            (426, "13")


@pytest.mark.parametrize("method", ["POST", "HEAD", "PUT", "DELETE",
                                    "OPTIONS", "PATCH"])
def test_405_for_another_method(strict, method):
    with RawHTTP(strict) as c:
        res = c.ask(head(method=method), head=method == "HEAD")
        assert res.status == 405
        assert "GET" in res.headers["allow"]


def b64(n):
    return base64.b64encode(bytes(range(n))).decode()


@pytest.mark.parametrize("over", [
    {"Sec_WebSocket_Key": None},
    {"Sec_WebSocket_Key": ""},
    {"Sec_WebSocket_Key": b64(15)},
    {"Sec_WebSocket_Key": b64(17)},
    {"Sec_WebSocket_Key": b64(16).rstrip("=")},
    {"Sec_WebSocket_Key": b64(16)[:-3] + "*=="},
    {"Sec_WebSocket_Key": "x" * 24},
    {"Sec_WebSocket_Key": [b64(16), b64(16)]},
    {"Upgrade": None},
    {"Upgrade": "h2c"},
    {"Upgrade": "websockets"},
    {"Connection": None},
    {"Connection": "keep-alive"},
    {"Sec_WebSocket_Version": None},
    {"version": "1.0"},
    {"host": False},
], ids=str)
def test_400_for_a_bad_handshake(strict, over):
    assert shake(strict, **over).status == 400


@pytest.mark.parametrize("over", [
    {"Upgrade": "WebSocket"},
    {"Upgrade": "h2c, websocket"},
    {"Connection": "keep-alive, Upgrade"},
    {"Connection": "UPGRADE"},
    {"Connection": ["keep-alive", "upgrade"]},
    {"Sec_WebSocket_Extensions": "permessage-deflate"},
    {"target": "http://localhost/ws?token=good"},
    {"target": "/ws?a=b&token=good&c=d"},
], ids=str)
def test_good_handshakes(start, folder, over):
    g = start(wait=False)
    g.add_token("good", 1)
    g.start()
    res = shake(g, **over)
    assert res.status == 101
    # No extension is ever agreed on.
    assert "sec-websocket-extensions" not in res.headers
    assert "sec-websocket-protocol" not in res.headers


def test_accept_of_rfc6455(shared):
    """The example of section 1.3."""
    token, _ = shared.fresh()
    res = shake(shared, token=token, key="dGhlIHNhbXBsZSBub25jZQ==")
    assert res.status == 101
    assert res.headers["sec-websocket-accept"] == \
        "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="
    assert res.headers["upgrade"].lower() == "websocket"
    assert res.headers["connection"].lower() == "upgrade"


def test_frames_may_follow_the_handshake_at_once(shared):
    """A client need not wait for the 101 to have its bytes read."""
    token, player = shared.fresh()
    ws = RawWS(shared.socket())
    ws.sock.sendall(head(token=token) +
                    b"\x89\x82\x00\x00\x00\x00hi")
    assert ws.read_head()[0] == 101
    assert ws.recv() == (10, b"hi")
    ws.close()


def test_handshake_byte_by_byte(shared):
    token, _ = shared.fresh()
    with RawHTTP(shared) as c:
        for byte in head(token=token):
            c.send(bytes([byte]))
        while b"\r\n\r\n" not in c.buf:
            c.fill()
        assert c.buf.startswith(b"HTTP/1.1 101 ")


def test_keep_alive_goes_on_after_a_refusal(shared):
    token, _ = shared.fresh()
    with RawHTTP(shared) as c:
        assert c.ask(head(token=None)).status == 401
        assert c.ask(head(token="nobody")).status == 401
        assert c.ask(head(token=token, Sec_WebSocket_Key="x")).status == 400
        c.send(head(token=token))
        while b"\r\n\r\n" not in c.buf:
            c.fill()
        assert c.buf.startswith(b"HTTP/1.1 101 ")


# -- the token ----------------------------------------------------------------

def raw_query(token):
    return "".join("%%%02X" % b for b in token)


@pytest.fixture(scope="module")
def named():
    """Tokens whose bytes want care."""
    f = Folder()
    g = Gateway(f, "players { max-connections 50 }")
    for i, token in enumerate((b"Ab c+d%/=&", b"nul\0nul", b"nul",
                               b"\xff\xfe\x80", b"x" * 32, b"first",
                               b"second", b"%zz")):
        g.add_token(token, 100 + i)
    g.start()
    yield g
    g.check()
    f.remove()


def who(gateway, query):
    """Which player a query connects, or the status."""
    start = len(gateway.log())
    res = shake(gateway, target="/ws?" + query)
    if res.status != 101:
        return res.status
    line = gateway.wait_log(lambda l: l.get("event") == "ws_connect",
                            start=start)
    gateway.wait_log(lambda l: l.get("event") == "ws_disconnect" and
                     l["connection"] == line["connection"], start=start)
    return line["player_id"]


@pytest.mark.parametrize("query,player", [
    ("token=Ab+c%2Bd%25%2F%3D%26", "100"),
    ("token=Ab%20c%2bd%25/=%26", "100"),
    ("token=" + raw_query(b"Ab c+d%/=&"), "100"),
    ("token=%41b+c%2Bd%25%2F%3D%26", "100"),
    ("token=nul%00nul", "101"),
    ("token=nul", "102"),
    ("token=nul%00", 401),
    ("token=nul%00xxx", 401),
    ("token=%FF%FE%80", "103"),
    ("token=" + "x" * 32, "104"),
    ("token=" + "x" * 33, 401),
    ("token=" + "x" * 31, 401),
    ("token=" + "%78" * 32, "104"),
    ("token=" + "%78" * 33, 401),
    ("token=" + "x" * 1000, 401),
    ("token=first&token=second", "105"),
    ("token=second&token=first", "106"),
    ("a=1&token=first", "105"),
    ("token=nobody&token=first", 401),
    ("token=&token=first", 401),
    ("token&token=first", 401),
    ("to%6Ben=first", "105"),
    ("TOKEN=first", 401),
    ("xtoken=first", 401),
    ("token%00=first", 401),
    ("tokens=first", 401),
    ("token=FIRST", 401),
    ("token=first+", 401),
    ("token=%zz", "107"),
    ("", 401),
])
def test_the_token_is_form_decoded_and_the_first_counts(named, query, player):
    assert who(named, query) == player


def test_a_token_over_32_bytes_is_not_asked_for(shared):
    before = shared.metrics()["ws_token_lookups_total"]
    res = shake(shared, token="x" * 33)
    assert (res.status, res.body) == (401, b"invalid token\n")
    assert shared.metrics()["ws_token_lookups_total"] == before


def test_bearer_header(shared, connect):
    token, player = shared.fresh()
    ws = connect(shared, path="/ws",
                 headers=["Authorization: Bearer " + token])
    assert "sec-websocket-protocol" not in ws.headers
    shared.publish(player, "e")
    assert ws.recv_text() == '{"event":"e","payload":null}'


@pytest.mark.parametrize("form", ["bearer, %s", "bearer,%s", "bearer , %s",
                                  "bearer, %s, chat"])
def test_bearer_subprotocol(shared, connect, form):
    token, player = shared.fresh()
    ws = connect(shared, path="/ws",
                 headers=["Sec-WebSocket-Protocol: " + form % token])
    assert ws.headers["sec-websocket-protocol"] == "bearer"
    shared.publish(player, "e")
    assert ws.recv_text() == '{"event":"e","payload":null}'


def test_bearer_subprotocol_in_two_headers(shared, connect):
    """A list may be spread over several lines (RFC 6455, 11.3.4)."""
    token, player = shared.fresh()
    ws = connect(shared, path="/ws",
                 headers=["Sec-WebSocket-Protocol: bearer",
                          "Sec-WebSocket-Protocol: " + token])
    assert ws.headers["sec-websocket-protocol"] == "bearer"
    shared.publish(player, "e")
    assert ws.recv_text() == '{"event":"e","payload":null}'


@pytest.mark.parametrize("headers,body", [
    (["Authorization: Basic abc"], b"missing token\n"),
    (["Authorization: Bearer"], b"missing token\n"),
    (["Authorization: Bearer nobody"], b"invalid token\n"),
    (["Sec-WebSocket-Protocol: bearer"], b"missing token\n"),
    (["Sec-WebSocket-Protocol: chat, bearer"], b"missing token\n"),
    (["Sec-WebSocket-Protocol: bearer, nobody"], b"invalid token\n"),
    (["Sec-WebSocket-Protocol: bearer, " + "x" * 33], b"invalid token\n"),
])
def test_bearer_refused(shared, headers, body):
    with pytest.raises(Refused) as e:
        RawWS.connect(shared, path="/ws", headers=headers)
    assert (e.value.status, e.value.body) == (401, body)


def test_a_protocol_that_was_not_asked_for_is_not_selected(shared, connect):
    token, _ = shared.fresh()
    ws = connect(shared, token, headers=["Sec-WebSocket-Protocol: chat"])
    assert "sec-websocket-protocol" not in ws.headers


# -- origins ------------------------------------------------------------------

@pytest.fixture(scope="module")
def origins():
    f = Folder()
    g = Gateway(f, 'players { max-connections 50 }\norigins {\n'
                '"https://example.org"\n"http://localhost:3000"\n'
                '"HTTPS://Shop.Example.org:443"\n}')
    g.add_token("good", 1)
    g.start()
    yield g
    g.check()
    f.remove()


@pytest.mark.parametrize("origin,status", [
    ("https://example.org", 101),
    ("https://example.org:443", 101),
    ("https://EXAMPLE.org", 101),
    ("https://shop.example.org", 101),
    ("http://localhost:3000", 101),
    (None, 403),
    ("", 403),
    ("null", 403),
    ("http://example.org", 403),
    ("https://example.org:8443", 403),
    ("https://example.org:80", 403),
    ("https://www.example.org", 403),
    ("https://example.org.evil.example", 403),
    ("https://evil.example/https://example.org", 403),
    ("https://example.org/", 403),
    ("https://example.org@evil.example", 403),
    ("http://localhost", 403),
    ("http://localhost:30000", 403),
    ("example.org", 403),
    (["https://example.org", "https://evil.example"], 403),
])
def test_origins_match_exactly(origins, origin, status):
    """On scheme, host and port; none at all is no browser and is refused."""
    assert shake(origins, Origin=origin).status == status


@pytest.mark.parametrize("origin", [None, "https://anything.example", "null"])
def test_no_list_allows_all(shared, origin):
    token, _ = shared.fresh()
    assert shake(shared, token=token, Origin=origin).status == 101


# -- how many -----------------------------------------------------------------

def test_max_conns_holds_under_a_race(shared):
    """Forty handshakes at once, five may be."""
    token, player = shared.fresh()
    socks = [RawHTTP(shared) for _ in range(40)]
    for c in socks:
        c.send(head(token=token)[:-2])
    for c in socks:
        c.send(b"\r\n")
    statuses = []
    for c in socks:
        while b"\r\n\r\n" not in c.buf:
            c.fill()
        statuses.append(int(c.buf.split(b" ")[1]))
    assert sorted(set(statuses)) == [101, 429]
    assert statuses.count(101) == 5
    assert shared.publish(player, "e")["delivered"] == 5
    for c in socks:
        c.sock.close()


def test_a_place_is_free_again(start, connect):
    g = start("players { max-connections 1 }", wait=False)
    g.add_token("t", 1)
    g.start()
    for _ in range(5):
        ws = connect(g, "t")
        with pytest.raises(Refused) as e:
            RawWS.connect(g, "t")
        assert e.value.status == 429
        ws.close()


def test_max_conns_counts_a_player_not_a_token(start, connect):
    g = start("players { max-connections 1 }", wait=False)
    g.add_token("a", 1)
    g.add_token("b", 1)
    g.add_token("c", 2)
    g.start()
    connect(g, "a")
    with pytest.raises(Refused) as e:
        connect(g, "b")
    assert e.value.status == 429
    connect(g, "c")


def test_identity_is_that_of_the_handshake(start, connect):
    """Even if the row changes, and the token is looked up again."""
    g = start("players { revalidate-period 100ms }\n"
              "publishers { rate-limit 0 }", wait=False)
    g.add_token("s1", subject="server", server=True)
    g.add_token("t", 1)
    g.start()
    ws = connect(g, "t")
    g.execute("UPDATE ws_token SET player_id = 2 WHERE token = 't'")
    done = g.metrics()["ws_token_revalidations_total"]
    wait_for(lambda: g.metrics()["ws_token_revalidations_total"] > done + 1,
             "revalidation")
    assert g.publish("2", "other") == {"delivered": 0, "queued": 1}
    assert g.publish("1", "mine") == {"delivered": 1, "queued": 0}
    assert ws.recv_text() == '{"event":"mine","payload":null}'


def test_tokens_are_never_logged(start, connect):
    g = start("log level trace", wait=False)
    g.add_token("SecretOfPlayer", 1, subject="someone")
    g.add_token("SecretOfServer", subject="server", server=True)
    g.start()
    players = [
        connect(g, "SecretOfPlayer"),
        connect(g, path="/ws",
                headers=["Authorization: Bearer SecretOfPlayer"]),
        connect(g, path="/ws",
                headers=["Sec-WebSocket-Protocol: bearer, SecretOfPlayer"])]
    for token in ("SecretOfNobody", "SecretOfServer"):
        with pytest.raises(Refused):
            connect(g, token)
    assert g.post("/publish", {"player_id": 1, "event": "e"},
                  "SecretOfServer")[0] == 200
    assert g.post("/publish", {"player_id": 1, "event": "e"},
                  "SecretOfNobody")[0] == 403
    assert g.post("/publish", b"SecretOfBody", "SecretOfServer")[0] == 400
    _, _, metrics = g.request("GET", "/metrics")
    assert b"Secret" not in metrics
    for ws in players:
        ws.close()
    for pid in (g.process.pid, *g.children()):
        with open("/proc/%d/cmdline" % pid, "rb") as f:
            assert b"Secret" not in f.read()
    assert g.stop() == 0
    assert "Secret" not in (g.dir / "stdout").read_text()
    assert "Secret" not in g.err()
