"""A player that does not read: contract, section 2, the last sentence."""
import socket
import time

import pytest

import certs
from gateway import LIMIT, wait_for
from rawhttp import RawHTTP, post
from rawws import PING, TEXT, RawWS, frame

SLOW = 'ws_connections_closed_total{reason="slow"}'


def narrow(gateway, token, size=4096):
    """A player with a small receive buffer, which fills at once."""
    ws = RawWS.connect(gateway, token)
    ws.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, size)
    return ws


def bounded(start, settings, players=10, max_body="1M"):
    g = start("publishers { rate-limit 0; max-body %s }\nplayers { %s }" %
              (max_body, settings), wait=False)
    g.add_token("s1", subject="s", server=True)
    for i in range(players):
        g.add_token("p%d" % i, i)
    return g.start()


@pytest.mark.parametrize("kind", ["publish", "broadcast"])
def test_past_the_bound_it_is_closed_and_counted(start, connect, kind):
    """And nobody else waits for it."""
    g = bounded(start, "send-queue-hard 256K; send-queue-soft 256K; "
                "send-queue-soft-time 1h", max_body="64K")
    slow = narrow(g, "p0")
    others = [connect(g, "p%d" % i) for i in range(1, 6)]
    payload = "x" * 30000
    worst, n = 0.0, 0
    end = time.monotonic() + 15
    while g.metrics()[SLOW] == 0:
        assert time.monotonic() < end
        begin = time.monotonic()
        if kind == "broadcast":
            g.broadcast("e", [n, payload])
        else:
            g.publish("0", "e", [n, payload])
            g.broadcast("e", [n, payload])
        for ws in others:
            assert ws.recv_text() == \
                '{"event":"e","payload":[%d, "%s"]}' % (n, payload)
        worst = max(worst, time.monotonic() - begin)
        assert g.metrics()["ws_send_queue_bytes"] <= 256 * 1024 + 2048
        n += 1
    assert worst < 2
    m = g.metrics()
    assert m[SLOW] == 1
    assert m["ws_active_connections"] == 5
    assert m["ws_send_queue_bytes"] == 0
    assert m['ws_messages_dropped_total{reason="closed"}'] >= 1
    line = g.wait_log(lambda l: l.get("event") == "ws_disconnect")
    assert (line["player_id"], line["reason"]) == ("0", "slow")
    # A message to it is queued from now on.
    assert g.publish("0", "e") == {"delivered": 0, "queued": 1}
    slow.abort()


def test_the_soft_bound_gives_it_a_time(start, connect):
    g = bounded(start, "send-queue-hard 64M; send-queue-soft 64K; "
                "send-queue-soft-time 300ms")
    slow = narrow(g, "p0")
    other = connect(g, "p1")
    payload = "x" * 1000000
    for _ in range(8):
        g.broadcast("e", payload)
        other.recv_text()
    begin = time.monotonic()
    wait_for(lambda: g.metrics()[SLOW] == 1, "the soft bound")
    assert time.monotonic() - begin < 6
    other.settle()
    slow.abort()


def test_who_reads_in_time_stays(start):
    """Below the soft bound again, its time is not counted any more."""
    g = bounded(start, "send-queue-hard 64M; send-queue-soft 64K; "
                "send-queue-soft-time 1s")
    ws = narrow(g, "p0", 262144)
    payload = "x" * 1000000
    begin = time.monotonic()
    waited = 0
    while time.monotonic() - begin < 1.6 or waited < 2:
        assert time.monotonic() - begin < LIMIT
        for _ in range(6):
            g.broadcast("e", payload)
        waited += g.metrics()["ws_send_queue_bytes"] > 65536
        for _ in range(6):
            assert len(ws.recv_text()) > 1000000
    assert g.metrics()[SLOW] == 0
    ws.settle()
    ws.close()


def test_one_message_always_fits(start, connect):
    """As large as it may be against a bound that is no larger."""
    g = bounded(start, "send-queue-hard 8K; send-queue-soft 8K; "
                "send-queue-soft-time 10ms", max_body="8K")
    ws = connect(g, "p1")
    payload = "x" * 8100
    for _ in range(50):
        assert g.publish("1", "e", payload)["delivered"] == 1
        assert len(ws.recv_text()) > 8100


def test_big_payloads_to_many(start, connect):
    g = bounded(start, "max-connections 100", players=40)
    players = [connect(g, "p%d" % i) for i in range(40)]
    for n in range(3):
        payload = str(n) * 500000
        assert g.broadcast("big", payload) == {"delivered": 40, "queued": 0}
        want = '{"event":"big","payload":"%s"}' % payload
        for ws in players:
            assert ws.recv_text() == want
    assert g.metrics()["ws_messages_delivered_total"] == 120
    assert g.metrics()[SLOW] == 0


def test_several_slow_ones_at_once(start, connect):
    g = bounded(start, "send-queue-hard 128K; send-queue-soft 128K",
                max_body="64K")
    slow = [narrow(g, "p%d" % (i % 3)) for i in range(12)]
    other = connect(g, "p9")
    payload = "x" * 60000
    end = time.monotonic() + 15
    n = 0
    while g.metrics()[SLOW] < 12:
        assert time.monotonic() < end
        g.broadcast("e", payload)
        n += 1
        other.recv_text()
    m = g.metrics()
    assert m["ws_active_connections"] == 1
    assert m["ws_send_queue_bytes"] == 0
    for ws in slow:
        ws.abort()


def test_who_pings_and_does_not_read_is_bounded(start):
    """Answers to pings are not to fill memory."""
    g = bounded(start, "send-queue-hard 64K; send-queue-soft 16K; "
                "send-queue-soft-time 200ms", max_body="64K")
    ws = narrow(g, "p0")
    ws.sock.settimeout(0.2)
    data = frame(PING, b"x" * 125) * 200
    end = time.monotonic() + 10
    top = 0
    try:
        while time.monotonic() < end and g.metrics()[SLOW] == 0:
            top = max(top, g.metrics()["ws_send_queue_bytes"])
            try:
                ws.sock.sendall(data)
            except TimeoutError:
                continue
    except certs.ENDED:
        pass
    assert top < 128 * 1024
    assert g.request("GET", "/healthz")[0] == 200
    ws.abort()


def tiny(gateway):
    """A connection with the smallest buffers that the kernel gives."""
    sock = socket.socket()
    for option in (socket.SO_RCVBUF, socket.SO_SNDBUF):
        sock.setsockopt(socket.SOL_SOCKET, option, 1)
    sock.settimeout(60)
    sock.connect(("127.0.0.1", gateway.port))
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    assert sock.getsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF) < 8192
    return certs.wrap(sock)


class Tiny:
    """What RawWS.connect() and RawHTTP ask for a socket."""

    def __init__(self, gateway):
        self.gateway = gateway

    def socket(self, limit):
        del limit
        return tiny(self.gateway)


# libssl reads the five bytes of a record's header alone: too few for the kernel
# to open so small a window again, and its probes come every half minute then.
@pytest.mark.skipif(bool(certs.TLS), reason="the client's window stays shut")
def test_smallest_socket_buffers(start):
    """Large messages arrive whole and in order, to one and to all; so do
    those of a server whose own buffers are such, and its answers."""
    g = bounded(start, "send-queue-hard 16M; send-queue-soft 16M", players=2)
    players = [RawWS.connect(Tiny(g), "p%d" % i) for i in range(2)]
    server = RawHTTP(Tiny(g))
    sizes = (1, 125, 126, 65535, 65536, 100000)
    for path in ("/publish", "/broadcast"):
        for n, size in enumerate(sizes):
            payload = bytes(0x61 + (n + i) % 26 for i in range(26))
            payload = (payload * (size // 26 + 1))[:size]
            body = b'{"player_id":"0","event":"e","payload":"%s"}' % payload \
                if path == "/publish" else \
                b'{"event":"e","payload":"%s"}' % payload
            assert server.ask(post(path, body)).status == 200
            for ws in players[:1] if path == "/publish" else players:
                opcode, data = ws.recv()
                assert opcode == TEXT
                assert data == b'{"event":"e","payload":"%s"}' % payload
    # All in the queue at once.
    for n in range(5):
        body = '{"player_id":"0","event":"e","payload":"%s"}' % (
            str(n) * 60000)
        assert server.ask(post("/publish", body.encode())).status == 200
    for n in range(5):
        assert players[0].recv_text() == \
            '{"event":"e","payload":"%s"}' % (str(n) * 60000)
    # What players say comes in as small pieces, and is dropped whole.
    players[0].sock.sendall(frame(TEXT, b"x" * 30000))
    for ws in players:
        ws.settle()
        ws.close()
    assert g.metrics()[SLOW] == 0
