"""A client's reset (RST) behind every byte of what it sends: nothing stays of
it, and whoever comes next is served."""
import os
import socket
import struct

import pytest

from gateway import wait_for
from rawhttp import chunked, post
from rawws import (BINARY, CLOSE, CONT, PING, TEXT, RawWS, close_payload,
                   frame)

GAUGES = ("ws_active_connections", "ws_http_connections",
          "ws_send_queue_bytes", "ws_store_lookups_pending")
HANDSHAKE = (b"GET /ws?token=p1 HTTP/1.1\r\nHost: localhost\r\n"
             b"Upgrade: websocket\r\nConnection: Upgrade\r\n"
             b"Sec-WebSocket-Version: 13\r\n"
             b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n")
BODY = b'{"player_id":"21","event":"e","payload":{"a":[1,2,3]}}'
STREAMS = {
    "text": frame(TEXT, b"hello"),
    "text of 16 bits": frame(TEXT, b"x" * 130),
    "fragments": frame(TEXT, b"he", fin=False) + frame(PING, b"p") +
    frame(CONT, b"llo"),
    "a length too wide": frame(BINARY, b"\x80\x81", length=16) +
    frame(BINARY, b"", length=16),
    "close": frame(CLOSE, close_payload(1000, b"bye")),
}


def reset(sock):
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER,
                    struct.pack("ii", 1, 0))
    sock.close()


def descriptors(g):
    return len(os.listdir("/proc/%d/fd" % g.pid_of("engine")))


class Before:
    """How things stood, and stand again."""

    def __init__(self, g):
        self.g = g
        self.fds = descriptors(g)
        self.published = g.metrics()["ws_messages_published_total"]

    def again(self):
        def quiet():
            m = self.g.metrics()
            # The one that asks is there itself.
            return all(m[k] == (k == "ws_http_connections")
                       for k in GAUGES if k in m)
        wait_for(quiet, "gauges at zero")
        wait_for(lambda: descriptors(self.g) <= self.fds, "descriptors")
        ws = RawWS.connect(self.g, "p1")
        self.g.publish("1", "ok")
        assert ws.recv_text() == '{"event":"ok","payload":null}'
        ws.close()


@pytest.fixture
def g(start):
    gateway = start("publishers { rate-limit 0 }\n"
                    "players { max-connections 1000 }", wait=False)
    gateway.add_token("s1", subject="server-1", server=True)
    gateway.add_token("p1", 1)
    return gateway.start()


def test_at_every_byte_of_the_handshake(g):
    before = Before(g)
    for n in range(len(HANDSHAKE) + 1):
        sock = g.socket()
        sock.sendall(HANDSHAKE[:n])
        reset(sock)
    before.again()


@pytest.mark.parametrize("name", STREAMS)
def test_at_every_byte_of_frames(g, name):
    before = Before(g)
    data = STREAMS[name]
    for n in range(len(data) + 1):
        ws = RawWS.connect(g, "p1")
        ws.sock.sendall(data[:n])
        reset(ws.sock)
    before.again()


@pytest.mark.parametrize("request_", [
    post("/publish", BODY), post("/broadcast", BODY),
    post("/publish", chunked(BODY), headers=["Transfer-Encoding: chunked"],
         length=False)], ids=["length", "broadcast", "chunked"])
def test_at_every_byte_of_a_publish(g, request_):
    before = Before(g)
    for n in range(len(request_)):
        sock = g.socket()
        sock.sendall(request_[:n])
        reset(sock)
    before.again()
    # No part of a message was taken for a whole one (one is ours).
    assert g.metrics()["ws_messages_published_total"] == before.published + 1


def test_while_messages_are_on_their_way(g):
    """The frames that wait for a player go with it."""
    before = Before(g)
    for _ in range(20):
        ws = RawWS.connect(g, "p1")
        g.publish("1", "e", "x" * 100000)
        ws.sock.recv(10)
        reset(ws.sock)
    before.again()
