"""Everything that a stranger can make grow has a bound: each one is gone past,
and is then seen in the answer, in the metrics and in the log."""
import json
import resource
import socket

import pytest

import certs
from gateway import wait_for
from rawhttp import RawHTTP, post, request
from rawws import PING, Closed, RawWS, Refused, frame


def refused(g, reason):
    return g.metrics()['ws_refused_total{reason="%s"}' % reason]


def logged(g, **fields):
    return g.wait_log(lambda l: all(l.get(k) == v for k, v in fields.items()))


def players(g, n):
    for i in range(n):
        g.add_token("p%d" % i, i)


def open_gateway(start, settings, n=10):
    g = start("publishers { rate-limit 0 }\n" + settings, wait=False)
    g.add_token("s1", subject="server", server=True)
    players(g, n)
    return g.start()


def http_status(sock):
    data = b""
    while b"\r\n" not in data:
        piece = sock.recv(4096)
        if not piece:
            break
        data += piece
    return int(data.split(b" ")[1])


@certs.no_refusal
def test_connections_in_total(start):
    g = open_gateway(start, "http { max-connections 4 }")
    open_ = [g.socket() for _ in range(4)]
    wait_for(lambda: g_connections(g, open_[0]) == 4, "four connections")
    extra = g.socket()
    assert http_status(extra) == 503
    extra.close()
    open_.pop().close()
    # The place is free again: asked on a connection that is there.
    wait_for(lambda: g_connections(g, open_[0]) == 3, "a free place")
    assert ask(open_[0], "/metrics").count(
        'ws_refused_total{reason="connections"} 1\n') == 1
    logged(g, msg="connection refused", reason="connections")
    for s in open_:
        s.close()


def ask(sock, path):
    """One request on a connection that stays open: the body."""
    sock.sendall(b"GET %s HTTP/1.1\r\nHost: x\r\n\r\n" % path.encode())
    data = b""
    while b"\r\n\r\n" not in data:
        data += sock.recv(65536)
    head, body = data.split(b"\r\n\r\n", 1)
    length = int([l for l in head.split(b"\r\n")
                  if l.lower().startswith(b"content-length")][0].split(b":")[1])
    while len(body) < length:
        body += sock.recv(65536)
    return body.decode()


def g_connections(g, sock):
    for line in ask(sock, "/metrics").splitlines():
        if line.startswith("ws_http_connections "):
            return int(line.split()[1])
    raise AssertionError("no ws_http_connections")


@certs.no_refusal
def test_connections_of_an_address(start):
    g = open_gateway(start, "limits { per-address 3 }")
    open_ = [g.socket() for _ in range(3)]
    wait_for(lambda: g_connections(g, open_[0]) == 3, "three connections")
    extra = g.socket()
    assert http_status(extra) == 429
    extra.close()
    # Another address has its own number.
    other = socket.create_connection(("127.0.0.1", g.port), 20,
                                     source_address=("127.0.0.7", 0))
    assert "ok" in ask(other, "/healthz")
    other.close()
    open_.pop().close()
    wait_for(lambda: g_connections(g, open_[0]) == 2, "a free place")
    again = g.socket()
    assert "ok" in ask(again, "/healthz")
    assert 'reason="address"} 1\n' in ask(again, "/metrics")
    logged(g, msg="connection refused", reason="address")
    for s in open_ + [again]:
        s.close()


def test_handshake_rate(start):
    g = open_gateway(start, "limits { handshake-rate 1; handshake-burst 3 }")
    done = [RawWS.connect(g, "p%d" % i) for i in range(3)]
    with pytest.raises(Refused) as e:
        RawWS.connect(g, "p4")
    assert e.value.status == 503
    assert int(e.value.headers["retry-after"]) >= 1
    assert refused(g, "handshake_rate") >= 1
    logged(g, msg="refused", reason="handshake_rate")
    for ws in done:
        ws.close()


def test_handshakes_in_progress(start):
    g = open_gateway(start, "limits { handshakes 2 }\n"
                     "tokens { lookup-timeout 2s }")
    con = g.sql()
    con.execute("PRAGMA journal_mode=DELETE")
    con.execute("BEGIN EXCLUSIVE")
    waiting = []
    for i in range(2):
        s = g.socket()
        s.sendall(("GET /ws?token=p%d HTTP/1.1\r\nHost: x\r\n\r\n" % i)
                  .encode())
        waiting.append(s)
    wait_for(lambda: g.metrics()["ws_handshakes"] == 2, "two handshakes")
    with pytest.raises(Refused) as e:
        RawWS.connect(g, "p5")
    assert e.value.status == 503
    assert refused(g, "handshakes") == 1
    con.execute("ROLLBACK")
    con.close()
    for s in waiting:
        # Not a handshake, but its token was good in the end.
        assert http_status(s) in (400, 503)
        s.close()
    assert g.metrics()["ws_handshakes"] == 0


def test_a_refused_handshake_is_over(start):
    """It is not in progress for as long as its client stays."""
    g = open_gateway(start, "limits { handshakes 3 }")
    held = []
    for _ in range(10):
        s = g.socket()
        s.sendall(b"GET /ws?token=nobody HTTP/1.0\r\n\r\n")
        assert http_status(s) == 401
        held.append(s)
    RawWS.connect(g, "p1").close()
    for s in held:
        s.close()


def test_pings_of_a_player_who_does_not_read(start):
    """The answers wait up to a bound, and the server's own pings behind
    them; the connection ends by its pong timeout like any other."""
    g = open_gateway(start, "players { ping-interval 50ms; pong-timeout 1s }")
    ws = RawWS.connect(g, "p1")
    ws.sock.settimeout(0.2)
    try:
        for _ in range(400):
            ws.sock.sendall(frame(PING) * 1000)
    except (socket.timeout, ConnectionError):
        pass
    logged(g, event="ws_disconnect", reason="pong_timeout")
    assert g.metrics()["ws_send_queue_bytes"] == 0
    ws.abort()


def test_pending_lookups(start):
    g = open_gateway(start, "tokens { max-lookups 2; lookup-timeout 2s }")
    con = g.sql()
    con.execute("PRAGMA journal_mode=DELETE")
    con.execute("BEGIN EXCLUSIVE")
    waiting = []
    for i in range(2):
        s = g.socket()
        s.sendall(("GET /ws?token=p%d HTTP/1.1\r\nHost: x\r\n\r\n" % i)
                  .encode())
        waiting.append(s)
    wait_for(lambda: g.metrics()["ws_token_lookups_pending"] == 2, "lookups")
    with pytest.raises(Refused) as e:
        RawWS.connect(g, "p5")
    assert e.value.status == 503
    assert "retry-after" in e.value.headers
    assert refused(g, "lookups") == 1
    con.execute("ROLLBACK")
    con.close()
    for s in waiting:
        s.close()


def test_queue_players(start):
    g = open_gateway(start, "queue { total-players 3; ttl 1m }")
    for i in range(5):
        assert g.publish(str(i), "m%d" % i)["queued"] == 1
    m = g.metrics()
    assert m["ws_queue_players"] == 3
    assert m['ws_messages_dropped_total{reason="queue_total"}'] == 2
    # The oldest went; the newest is there.
    ws = RawWS.connect(g, "p4")
    assert json.loads(ws.recv_text())["event"] == "m4"
    ws.close()
    ws = RawWS.connect(g, "p0")
    g.publish("0", "first")
    assert json.loads(ws.recv_text())["event"] == "first"
    ws.close()
    logged(g, msg="offline queue: a message was dropped",
           reason="queue_total")


def test_memory_budget_takes_from_the_largest(start):
    """Players that don't read and big offline queues give way; a player that
    reads loses nothing, and the budget is never passed."""
    budget = 8 << 20
    g = open_gateway(start, "limits { memory 8M }\n"
                     "players { send-queue-hard 64M; send-queue-soft 64M }\n"
                     "queue { max-messages 1000; ttl 1m; total-bytes 64M }", 40)
    reader = RawWS.connect(g, "p1")
    stuck = [RawWS.connect(g, "p2") for _ in range(3)]
    payload = "x" * 100000
    n = 0
    peak = 0
    # Private messages to the stuck player, to absent ones, and to the reader.
    for i in range(150):
        g.publish("2", "stuck", payload)
        g.publish(str(10 + i % 20), "away", payload)
        g.publish("1", "seen", {"n": i, "pad": payload})
        got = json.loads(reader.recv_text())
        assert got["payload"]["n"] == i
        n += 1
        if i % 10 == 0:
            m = g.metrics()
            peak = max(peak, m["ws_memory_bytes"])
    m = g.metrics()
    assert n == 150
    assert max(peak, m["ws_memory_bytes"]) <= budget
    assert m['ws_connections_closed_total{reason="memory"}'] + \
        m['ws_messages_dropped_total{reason="memory"}'] > 0
    logged(g, msg="memory budget used up: the largest consumer goes")
    reader.settle()
    reader.close()
    for ws in stuck:
        ws.abort()


def stuck_player(g, folder, token):
    """By a socket for which the kernel keeps little; never reads again."""
    sock = socket.socket(socket.AF_UNIX)
    sock.settimeout(20)
    sock.connect(str(folder.path / "stuck.sock"))
    return RawWS.connect(g, token, sock=sock)


def crowd(start, folder, memory, n):
    """N players who never read and one who does, in little memory."""
    g = open_gateway(start, "log level info\nlimits { memory %s }\n"
                     "players { send-queue-hard 1G; send-queue-soft 1G }\n"
                     'listen on "unix:%s" mode 0666' % (
                         memory, folder.path / "stuck.sock"), n + 1)
    reader = RawWS.connect(g, "p0")
    return g, reader, [stuck_player(g, folder, "p%d" % i)
                       for i in range(1, n + 1)]


def memory(http):
    """In use, and connections closed for it; asked on a connection that is
    there: a new one would make room."""
    values = dict(line.rsplit(" ", 1) for line in http.ask(
        request("GET", "/metrics")).body.decode().splitlines())
    return (int(values["ws_memory_bytes"]),
            int(values['ws_connections_closed_total{reason="memory"}']))


def test_memory_that_many_share(start, folder):
    """Messages that everybody waits for are free when the last who does has
    gone: as many go as it takes, and no publisher is sent away."""
    g, reader, stuck = crowd(start, folder, "2M", 100)
    with RawHTTP(g) as http:
        for i in range(60):
            body = json.dumps({"event": "b", "payload": [i, "x" * 200000]})
            res = http.ask(post("/broadcast", body.encode()))
            assert res.status == 200, (i, res)
            assert json.loads(reader.recv_text())["payload"][0] == i
            used, closed = memory(http)
            assert used <= 2 << 20
            if closed == 100:
                break
        assert closed == 100
    reader.settle()
    reader.close()
    for ws in stuck:
        ws.abort()


def test_memory_of_long_queues(start, folder):
    """Queues that all grow at the same message stay in the budget, too; a
    player who reads loses nothing, however many come at once."""
    g, reader, stuck = crowd(start, folder, "1M", 150)
    body = json.dumps({"event": "b"}).encode()
    with RawHTTP(g) as http:
        # They come in one turn of the loop: more than a ring has room for.
        http.send(post("/broadcast", body) * 200)
        for _ in range(200):
            assert http.response().status == 200
            assert json.loads(reader.recv_text())["event"] == "b"
        for _ in range(3000):
            assert http.ask(post("/broadcast", body)).status == 200
            assert json.loads(reader.recv_text())["event"] == "b"
            used, closed = memory(http)
            assert used <= 1 << 20
            if closed > 0:
                break
        assert closed > 0
    reader.settle()
    reader.close()
    for ws in stuck:
        ws.abort()


def few_files():
    resource.setrlimit(resource.RLIMIT_NOFILE, (100, 100))


@certs.no_refusal
def test_out_of_descriptors(start):
    """accept(2) fails for want of a descriptor: the client is told so, nobody
    spins, and it goes on when there are some again."""
    # Connections leave room in the limit of open files; clients of the control
    # socket, of which there may be many here, take it away.
    g = start("control { max-clients 200 }", wait=False, preexec=few_files)
    g.add_token("p1", 1)
    g.start()
    ws = RawWS.connect(g, "p1")
    control = []
    for _ in range(45):
        s = socket.socket(socket.AF_UNIX)
        s.connect(str(g.control))
        control.append(s)
    wait_for(lambda: g.metrics()["ws_control_clients"] == 45, "clients")
    held = []
    status = 200
    while status == 200:
        assert len(held) < 100
        s = g.socket()
        held.append(s)
        s.sendall(b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n")
        status = http_status(s)
    assert status == 503
    # Whoever is there is served.
    assert "ok" in ask(held[0], "/healthz")
    ws.settle()
    for s in control:
        s.close()
    fresh = g.socket()
    assert "ok" in ask(fresh, "/healthz")
    text = ask(fresh, "/metrics")
    assert 'ws_refused_total{reason="descriptors"} ' in text
    line = [l for l in text.splitlines()
            if l.startswith("ws_accept_errors_total")][0]
    # Listeners rest: there were a few errors, not thousands.
    assert 1 <= int(line.split()[1]) < 100
    logged(g, msg="connection refused", reason="descriptors")
    for s in held + [fresh]:
        s.close()
    ws.close()


def test_more_connections_than_files(start):
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    g = start("http { max-connections %d }" % (hard + 1), wait=False)
    g.expect_exit = 1
    g.launch()
    assert g.wait_exit() == 1
    assert "max-connections" in g.err() and "open files" in g.err()


@pytest.mark.parametrize("head,status,reason", [
    (b"GET /" + b"a" * 5000 + b" HTTP/1.1\r\n", 414, "header"),
    (b"GET / HTTP/1.1\r\nHost: x\r\nA: " + b"a" * 9000, 431, "header"),
])
def test_header_limits(gateway, head, status, reason):
    s = gateway.socket()
    s.sendall(head)
    assert http_status(s) == status
    assert refused(gateway, reason) == 1
    logged(gateway, msg="refused", reason=reason)
    s.close()


def test_request_timeout(start):
    g = open_gateway(start, "http { request-timeout 200ms }")
    s = g.socket()
    s.sendall(b"GET /healthz HTTP/1.1\r\n")
    assert http_status(s) == 408
    assert refused(g, "timeout") == 1
    logged(g, msg="refused", reason="timeout")
    s.close()


def test_message_limits(start):
    g = open_gateway(start, "players { max-message 1K; max-fragments 3 }")
    ws = RawWS.connect(g, "p1")
    ws.send(1, b"a" * 1025)
    assert ws.recv_close()[0] == 1009
    assert ws.at_eof()
    ws = RawWS.connect(g, "p1")
    for i in range(4):
        ws.send(1 if i == 0 else 0, b"a", fin=False)
    assert ws.recv_close()[0] == 1008
    try:
        ws.fill()
    except (Closed, ConnectionResetError):
        pass
    m = g.metrics()
    assert m['ws_connections_closed_total{reason="too_big"}'] == 1
    logged(g, event="ws_disconnect", reason="too_big")
