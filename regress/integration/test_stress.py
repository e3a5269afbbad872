"""Everything at once, at random: whatever strangers do, the gauges are back at
zero when they have left, and nobody well-behaved has missed a message."""
import json
import random
import socket
import struct

import certs
from gateway import wait_for
from rawws import (BINARY, CLOSE, PING, TEXT, Closed, RawWS, Refused,
                   close_payload, frame)

ROUNDS = 400
PLAYERS = 30
GAUGES = ("ws_active_connections", "ws_players", "ws_send_queue_bytes",
          "ws_queue_messages", "ws_queue_bytes", "ws_queue_players",
          "ws_handshakes", "ws_token_lookups_pending")


def reset(sock):
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER,
                    struct.pack("ii", 1, 0))
    sock.close()


def publish_bytes(rnd, player):
    body = json.dumps({"player_id": str(player), "event": "noise",
                       "payload": "x" * rnd.choice([0, 10, 3000])}).encode()
    head = ("POST /%s HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer s1\r\n"
            % rnd.choice(["publish", "broadcast"]))
    if rnd.random() < 0.3:
        return (head + "Transfer-Encoding: chunked\r\n\r\n").encode() + \
            b"%x\r\n%s\r\n0\r\n\r\n" % (len(body), body)
    return (head + "Content-Length: %d\r\n\r\n" % len(body)).encode() + body


def garbage(rnd):
    return rnd.choice([
        b"GET /ws HTTP/1.1\r\n\r\n", b"\x00" * 50, b"GET / HTTP/1.1\r\nHost",
        b"POST /publish HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n"
        b"Transfer-Encoding: chunked\r\n\r\n",
        b"POST /publish HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer s1\r\n"
        b"Content-Length: 100\r\n\r\n{\"half",
        b"GET /ws?token=nobody HTTP/1.1\r\nHost: x\r\n\r\n",
        b"HEAD /metrics HTTP/1.1\r\nHost: x\r\n\r\n" * 3,
    ])


def chatter(rnd):
    """Frames, most of them right."""
    return rnd.choice([
        frame(TEXT, b"hello"), frame(BINARY, b"\xff" * 200),
        frame(PING, b"x" * 20) * 50, frame(TEXT, b"\xff\xfe"),
        frame(TEXT, b"no mask", mask=False), frame(CLOSE, close_payload(1000)),
        frame(TEXT, b"part", fin=False), frame(3, b""),
        frame(TEXT, b"cut")[:4],
    ])


def send(sock, data, rnd):
    """In random pieces; a server that has had enough is fine."""
    try:
        while data:
            n = rnd.randint(1, max(1, len(data)))
            sock.sendall(data[:n])
            data = data[n:]
    except (*certs.ENDED, socket.timeout):
        pass


def test_random_strangers(start):
    rnd = random.Random(20)
    g = start("publishers { rate-limit 0; max-body 32K }\n"
              "queue { ttl 300ms }\n"
              "players { close-timeout 300ms; send-queue-hard 64K; "
              "send-queue-soft 32K; send-queue-soft-time 300ms; "
              "max-connections 3 }\n"
              "http { request-timeout 500ms; keepalive-timeout 500ms }",
              wait=False)
    g.add_token("s1", subject="server", server=True)
    g.add_token("good", 5000)
    for i in range(PLAYERS):
        g.add_token("p%d" % i, i)
    g.start()
    idle = g.metrics()
    good = RawWS.connect(g, "good")
    open_ = []
    for n in range(ROUNDS):
        what = rnd.random()
        if what < 0.35:
            try:
                open_.append(RawWS.connect(g, "p%d" % rnd.randrange(PLAYERS)))
            except (Refused, Closed, *certs.ENDED):
                pass
        elif what < 0.6 and open_:
            ws = rnd.choice(open_)
            send(ws.sock, chatter(rnd), rnd)
        elif what < 0.7 and open_:
            ws = open_.pop(rnd.randrange(len(open_)))
            reset(ws.sock) if rnd.random() < 0.5 else ws.abort()
        elif what < 0.85:
            s = g.socket()
            send(s, b"".join(publish_bytes(rnd, rnd.randrange(PLAYERS + 5))
                             for _ in range(rnd.randint(1, 6))), rnd)
            if rnd.random() < 0.3:
                reset(s)
            else:
                s.shutdown(socket.SHUT_WR)
                while s.recv(65536):
                    pass
                s.close()
        elif what < 0.95:
            s = g.socket()
            send(s, garbage(rnd), rnd)
            reset(s) if rnd.random() < 0.5 else s.close()
        else:
            g.ctl("kick", "player", str(rnd.randrange(PLAYERS)), "random",
                  check=False)
        if n % 20 == 0:
            g.publish("5000", "count", n)
            while True:
                message = json.loads(good.recv_text())
                if message["event"] == "count":
                    break
            assert message["payload"] == n
    good.close()
    for ws in open_:
        ws.abort()

    def calm():
        m = g.metrics()
        return all(m[name] == 0 for name in GAUGES) and \
            m["ws_http_connections"] == 1
    wait_for(calm, "the gauges to be at zero")
    # What is left of the budget is this request's own, as it was before.
    assert g.metrics()["ws_memory_bytes"] <= idle["ws_memory_bytes"] + 1024
