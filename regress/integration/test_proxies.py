"""Behind nginx and haproxy: what players and servers see is what they would see
without them."""
import contextlib
import random
import select
import signal

import pytest

from gateway import Folder, Gateway, wait_for
from proxies import Proxy
from rawhttp import RawHTTP, chunked, post, request
from rawws import (CLOSE, PING, PONG, TEXT, Closed, RawWS, Refused,
                   close_payload)

KINDS = [("nginx", "tcp"), ("nginx", "unix"), ("haproxy", "tcp"),
         ("haproxy", "unix")]
PER_TOKEN = 3000            # messages that a server may publish


class Behind:
    """A gateway and a proxy before it."""

    def __init__(self, kind, upstream, settings):
        self.folder = Folder()
        self.kind = kind
        self.gateway = Gateway(
            self.folder, settings + '\nlisten on "unix:%s"' %
            (self.folder.path / "http.sock"))
        for name in ("s1", "s2"):
            self.gateway.add_token(name, subject=name, server=True)
        self.gateway.start()
        self.proxy = Proxy(kind, self.gateway, upstream)

    def player(self):
        token, name = self.gateway.fresh()
        ws = RawWS.connect(self.proxy, token)
        return ws, name

    def http(self):
        return RawHTTP(self.proxy)

    def ask(self, data):
        with self.http() as c:
            return c.ask(data)

    def end(self):
        self.proxy.stop()
        self.gateway.check()
        self.folder.remove()


@pytest.fixture(scope="module", params=KINDS, ids="-".join)
def behind(request):
    b = Behind(*request.param, "publishers { rate-limit %d; rate-period 1h }"
               % PER_TOKEN)
    yield b
    b.end()


@pytest.fixture(params=["nginx", "haproxy"])
def behind_own(request):
    """behind_own(settings) is one for this test alone."""
    made = []

    def run(settings):
        made.append(Behind(request.param, "tcp", settings))
        return made[-1]
    yield run
    for b in made:
        b.end()


def note(player, payload, event=b'"e"'):
    return b'{"player_id":"%s","event":%s,"payload":%s}' % (
        player.encode(), event, payload)


def text(ws):
    opcode, data = ws.recv()
    assert opcode == TEXT
    return data


def test_a_message_to_a_player(behind):
    ws, name = behind.player()
    assert behind.ask(post("/publish", note(name, b"1"))).body == \
        b'{"delivered":1,"queued":0}\n'
    assert text(ws) == b'{"event":"e","payload":1}'
    ws.settle()
    ws.close()
    wait_for(lambda: behind.gateway.metrics()["ws_active_connections"] == 0,
             "the close to get through")


def test_what_waits_comes_with_the_connection(behind):
    token, name = behind.gateway.fresh()
    assert behind.ask(post("/publish", note(name, b'"late"'))).body == \
        b'{"delivered":0,"queued":1}\n'
    ws = RawWS.connect(behind.proxy, token)
    assert text(ws) == b'{"event":"e","payload":"late"}'
    ws.close()


@pytest.mark.parametrize("size", [1, 125, 126, 65535, 65536, 1000000])
def test_messages_of_every_size(behind, size):
    ws, name = behind.player()
    payload = b'"%s"' % (b"x" * size)
    for body in (post("/publish", note(name, payload)),
                 request("POST", "/publish", chunked(note(name, payload), 5003),
                         ["Authorization: Bearer s1",
                          "Transfer-Encoding: chunked"], length=False)):
        assert behind.ask(body).status == 200
        assert text(ws) == b'{"event":"e","payload":%s}' % payload
    ws.close()


def test_a_chunked_upload_that_comes_piece_by_piece(behind):
    """Nobody waits for the whole of it: the gateway has its head first."""
    ws, name = behind.player()
    data = request("POST", "/publish", chunked(note(name, b"[1,2,3]"), 3),
                   ["Authorization: Bearer s1", "Transfer-Encoding: chunked"],
                   length=False)
    with behind.http() as c:
        before = behind.gateway.metrics()["ws_http_requests_total"]
        at = data.index(b"\r\n\r\n") + 4
        c.send(data[:at + 8])
        # Each look at the metrics is a request, too.
        seen = [before]

        def arrived():
            seen.append(behind.gateway.metrics()["ws_http_requests_total"])
            return seen[-1] > seen[-2] + 1

        wait_for(arrived, "the head")
        for i in range(at + 8, len(data)):
            c.send(data[i:i + 1])
        assert c.response().status == 200
    assert text(ws) == b'{"event":"e","payload":[1,2,3]}'
    ws.close()


@pytest.mark.parametrize("pipelined", [False, True])
def test_a_thousand_messages_on_one_connection(behind, pipelined):
    """All are answered, in their order, and few connections are behind it."""
    ws, name = behind.player()
    rng = random.Random(1)
    here = [rng.randrange(2) for _ in range(1000)]
    requests = [post("/publish", note(name if h else "away", b"%d" % n))
                for n, h in enumerate(here)]
    accepted = behind.gateway.metrics()["ws_accepted_total"]
    heard = []
    with behind.http() as c:
        if pipelined:
            for i in range(0, 1000, 50):
                c.send(b"".join(requests[i:i + 50]))
                for h in here[i:i + 50]:
                    heard.append(c.response())
        else:
            for data in requests:
                heard.append(c.ask(data))
    for h, res in zip(here, heard):
        assert res.status == 200
        assert (b'"delivered":1' in res.body) == bool(h), res
    for n, h in enumerate(here):
        if h:
            assert text(ws) == b'{"event":"e","payload":%d}' % n
    assert behind.gateway.metrics()["ws_accepted_total"] - accepted < 8
    ws.close()


@pytest.mark.parametrize("data,status,header", [
    (request("POST", "/publish", b"{}"), 401, "www-authenticate"),
    (post("/publish", b"{}", token="nobody"), 403, None),
    (post("/publish", b"{}"), 400, None),
    (post("/publish", b"x" * 1000000), 400, None),
    (request("GET", "/publish"), 405, "allow"),
    (request("GET", "/nowhere"), 404, None),
    (request("GET", "/ws"), 401, "www-authenticate"),
    (request("GET", "/ws?token=nobody"), 401, "www-authenticate")],
    ids=["401", "403", "400", "400-large", "405", "404", "ws-401-missing",
         "ws-401"])
def test_refusals_pass_through(behind, data, status, header):
    """And the connection goes on."""
    with behind.http() as c:
        for _ in range(3):
            res = c.ask(data)
            assert res.status == status
            assert header is None or header in res.headers
            assert res.body.count(b"\n") == 1
            assert c.ask(request("GET", "/healthz")).status == 200


@pytest.mark.parametrize("size", [(1 << 20) + 1, 4 << 20])
@pytest.mark.parametrize("framing", ["length", "chunked"])
def test_413_passes_through(behind, size, framing):
    body = b"x" * size
    if framing == "length":
        data = post("/publish", body)
    else:
        data = request("POST", "/publish", chunked(body, 65536),
                       ["Authorization: Bearer s1",
                        "Transfer-Encoding: chunked"], length=False)
    with behind.http() as c:
        c.sock.setblocking(False)
        with contextlib.suppress(ConnectionError):
            at = 0
            while at < len(data):
                readable, writable, _ = select.select([c.sock], [c.sock], [],
                                                      20)
                if readable:
                    break
                assert writable
                at += c.sock.send(data[at:at + 65536])
        c.sock.settimeout(20)
        res = c.response()
        assert (res.status, res.body) == (413, b"body too large\n")
    assert behind.ask(post("/publish", note("away", b"1"))).status == 200


def test_429_passes_through(behind):
    """Of the rate; of a player's connections."""
    with RawHTTP(behind.gateway) as c:
        for _ in range(PER_TOKEN // 100):
            c.send(post("/publish", b"{}", token="s2") * 100)
            for _ in range(100):
                c.response()
    res = behind.ask(post("/publish", b"{}", token="s2"))
    assert (res.status, res.body) == (429, b"rate limit\n")
    assert int(res.headers["retry-after"]) >= 1
    token, _ = behind.gateway.fresh()
    five = [RawWS.connect(behind.proxy, token) for _ in range(5)]
    with pytest.raises(Refused) as e:
        RawWS.connect(behind.proxy, token)
    assert e.value.status == 429 and "retry-after" in e.value.headers
    for ws in five:
        ws.settle()
        ws.close()


def test_100_continue(behind):
    data = post("/publish", note("away", b"1"), headers=[
        "Expect: 100-continue"])
    at = data.index(b"\r\n\r\n") + 4
    with behind.http() as c:
        for _ in range(3):
            assert c.ask(data[:at]).status == 100
            assert c.ask(data[at:]).status == 200
    if behind.kind == "haproxy":
        # nginx says 100 by itself before it asks.
        with behind.http() as c:
            bad = data.replace(b"Bearer s1", b"Bearer no")
            assert c.ask(bad[:at]).status == 403


def test_closes_pass_through(behind):
    ws, name = behind.player()
    behind.gateway.ctl("kick", "player", name, "out of here")
    assert ws.recv_close() == (1008, "out of here")
    ws, _ = behind.player()
    ws.sock.sendall(b"\x83\x80\0\0\0\0")
    assert ws.recv_close()[0] == 1002
    ws, name = behind.player()
    ws.abort()
    wait_for(lambda: behind.gateway.metrics()["ws_active_connections"] == 0,
             "a player that vanished to be gone")


def test_smuggling_through_a_proxy(behind):
    """Whatever the proxy makes of it, it does not become another's request:
    the next client's answer is its own."""
    inner = post("/broadcast", b'{"event":"smuggled"}')
    for lines, body in [
            (["Content-Length: 0", "Transfer-Encoding: chunked"],
             b"0\r\n\r\n"),
            (["Transfer-Encoding: chunked", "Content-Length: %d" % (
                len(inner) + 5)], b"0\r\n\r\n"),
            (["Content-Length: %d" % len(inner),
              "Transfer-Encoding: xchunked"], b""),
            (["Transfer-Encoding: xchunked"], b""),
            (["Transfer-Encoding : chunked"], b"0\r\n\r\n"),
            (["Transfer-Encoding: chunked"], b"0;\r\n\r\n"),
            (["Transfer-Encoding: chunked"], b"0\n\n"),
            (["Content-Length: 5, 5"], b"abcde")]:
        head = "\r\n".join(["POST /publish HTTP/1.1", "Host: localhost",
                            "Authorization: Bearer nobody", *lines])
        with behind.http() as c, contextlib.suppress(EOFError,
                                                     ConnectionError):
            c.send(head.encode() + b"\r\n\r\n" + body + inner)
            assert c.response().status in (400, 403, 501)
        for _ in range(3):
            assert behind.ask(request("GET", "/nowhere")).status == 404


def test_a_player_stays_over_several_pings(behind_own):
    """As long as it answers, the proxy lets both through."""
    b = behind_own("players { ping-interval 200ms; pong-timeout 700ms }")
    ws, name = b.player()
    for _ in range(6):
        assert ws.recv() == (PING, b"")
        ws.send(PONG)
    assert b.ask(post("/publish", note(name, b"1"))).status == 200
    while True:
        opcode, data = ws.recv()
        if opcode == TEXT:
            break
    assert data == b'{"event":"e","payload":1}'
    # Now it does not answer.
    with pytest.raises(Closed):
        while True:
            assert ws.recv() == (PING, b"")


def test_the_end_of_the_gateway_passes_through(behind_own):
    b = behind_own("")
    ws, _ = b.player()
    b.gateway.signal(signal.SIGTERM)
    assert ws.recv_close()[0] == 1001
    ws.send(CLOSE, close_payload(1001))
    assert ws.at_eof()
    assert b.gateway.wait_exit() == 0
