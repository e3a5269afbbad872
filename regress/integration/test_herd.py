"""Everybody comes back at once."""
import os
import resource
import signal
import socket

import pytest

from gateway import wait_for
from rawws import RawWS

PLAYERS = 2000
BATCH = 64          # tokens of one query
REQUEST = ("GET /ws?token=t%d HTTP/1.1\r\nHost: h\r\nUpgrade: websocket\r\n"
           "Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
           "Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n")


@pytest.fixture(autouse=True)
def descriptors():
    old = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (old[1], old[1]))
    if old[1] != resource.RLIM_INFINITY and old[1] < 2 * PLAYERS + 100:
        pytest.skip("only %d descriptors" % old[1])
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, old)


def rows(g):
    for i in range(0, PLAYERS, 500):
        g.execute("INSERT INTO ws_token VALUES " + ",".join(
            "('t%d', %d, 's', 0, '2999-01-01 00:00:00')" % (n, n)
            for n in range(i, i + 500)))


def store(g):
    """The store's figures, once the last of them are told."""
    def look():
        figures = g.ctl_json("show", "store")
        return figures if figures["lookups"] >= PLAYERS else None
    return wait_for(look, "the store's figures", 5)


def test_a_herd_costs_few_queries(start_each):
    g = start_each("log level info", wait=False)
    rows(g)
    g.start()
    # Those who come first wait for one query; the others come meanwhile.
    socks = []
    for i in range(PLAYERS):
        s = socket.create_connection(("127.0.0.1", g.port), 20)
        socks.append(s)
    for i, s in enumerate(socks):
        s.sendall((REQUEST % i).encode())
    for s in socks:
        assert s.recv(12) == b"HTTP/1.1 101"
    queries = store(g)["batches"]
    assert queries <= PLAYERS / 4, queries
    for s in socks:
        s.close()


def test_all_at_once_fill_the_batches(start_each):
    """The store is busy with one query: what comes in that time is whole
    batches."""
    g = start_each("log level info", wait=False)
    rows(g)
    g.start()
    socks = [socket.create_connection(("127.0.0.1", g.port), 20)
             for _ in range(PLAYERS)]
    # The engine is stopped until all of it is there.
    engine = g.pid_of("engine")
    os.kill(engine, signal.SIGSTOP)
    for i, s in enumerate(socks):
        s.sendall((REQUEST % i).encode())
    os.kill(engine, signal.SIGCONT)
    for s in socks:
        assert s.recv(12) == b"HTTP/1.1 101"
    assert store(g)["batches"] <= PLAYERS / BATCH + 20
    for s in socks:
        s.close()
    RawWS.connect(g, "t1").abort()
