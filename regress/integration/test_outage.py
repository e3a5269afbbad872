"""The database server goes away, stands still, comes back; and the gateway is
the calmest part of it all."""
import statistics
import threading
import time

import pytest

from gateway import wait_for
from rawhttp import RawHTTP, post
from rawws import RawWS, Refused

BODY = b'{"player_id":"nobody","event":"e"}'
# Short times, so that the test is; the defaults are longer.
SETTINGS = """
publishers { rate-limit 0 }
players { revalidate-period 1s }
tokens { cache 100ms; grace 4s; lookup-timeout 700ms }
"""
TIMEOUT = 0.7
DOWN = "the database does not answer"
UP = "the database answers"


class Pinger(threading.Thread):
    """A player who pings all the while, and takes the time of it."""

    def __init__(self, ws):
        super().__init__(daemon=True)
        self.ws = ws
        self.times = []
        self.over = False
        self.failed = None

    def run(self):
        try:
            while not self.over:
                start = time.monotonic()
                self.ws.send(9, b"p")
                while self.ws.recv()[0] != 10:
                    pass
                self.times.append(time.monotonic() - start)
                time.sleep(0.01)
        except Exception as e:      # pylint: disable=broad-except
            self.failed = e

    def finish(self):
        self.over = True
        self.join(10)
        assert self.failed is None, self.failed
        assert len(self.times) > 20
        assert statistics.median(self.times) < 0.05


def player(g, token):
    """What a new player gets, and after how long."""
    start = time.monotonic()
    try:
        RawWS.connect(g, token).abort()
        got = 101
    except Refused as e:
        assert e.status != 503 or int(e.headers["retry-after"]) > 0
        got = e.status
    return got, time.monotonic() - start


def server(g, token):
    with RawHTTP(g) as c:
        res = c.ask(post("/publish", BODY, token))
        assert res.status != 503 or int(res.headers["retry-after"]) > 0
        return res.status


def ready(g):
    return g.request("GET", "/readyz")[0]


@pytest.fixture
def site(start_mysql, connect, mariadb):
    """A gateway with a player, who is connected and pings, and servers."""
    g = start_mysql(SETTINGS, wait=False)
    g.add_token("s1", subject="server-1", server=True)
    g.add_token("s2", subject="server-2", server=True)
    g.add_token("p1", 1)
    g.start()
    assert server(g, "s1") == 200
    g.ws = connect(g, "p1")
    g.pinger = Pinger(g.ws)
    g.pinger.start()
    yield g
    if not mariadb.running():
        mariadb.start()
    mariadb.thaw()


def lines(g, msg):
    return [l for l in g.log() if l["msg"].startswith(msg)]


def during(g, revoke=None):
    """While the server is away; the outage has just begun."""
    begun = time.monotonic()
    while time.monotonic() < begun + 3:
        got, took = player(g, "p1")
        assert got == 503 and took < TIMEOUT + 0.5
        assert server(g, "s1") == 200           # in its grace
        assert server(g, "s2") == 503           # never seen
        time.sleep(0.02)
    assert ready(g) == 503
    assert g.request("GET", "/healthz")[0] == 200
    before = time.monotonic()
    g.ctl("show", "stats")
    assert time.monotonic() < before + 2
    # The grace is over, too.
    wait_for(lambda: server(g, "s1") == 503, "the end of the grace", 8)


def after(g):
    wait_for(lambda: ready(g) == 200, "readiness", 10)
    assert player(g, "p1")[0] == 101
    assert server(g, "s1") == 200
    assert server(g, "s2") == 200
    g.pinger.finish()
    assert len(lines(g, DOWN)) == 1
    assert len(lines(g, UP)) == 1


def test_the_server_is_stopped_and_started(site, mariadb):
    site.disconnect()
    mariadb.stop()
    wait_for(lambda: ready(site) == 503, "that it is noticed", 3)
    during(site)
    mariadb.start()
    after(site)


def test_the_server_is_frozen(site, mariadb):
    mariadb.freeze()
    during(site)
    mariadb.thaw()
    after(site)


def test_the_server_is_restarted_at_once(site, mariadb):
    site.disconnect()
    mariadb.stop()
    mariadb.start()
    after(site)


def test_its_connection_is_killed(site, mariadb):
    """What was prepared went with it, and is prepared anew."""
    for _ in range(3):
        for i in site.connections():
            mariadb.execute("KILL %d" % i)
        wait_for(lambda: player(site, "p1")[0] == 101, "a player", 5)
        assert server(site, "s1") == 200
    site.pinger.finish()


def test_revalidation_is_made_up_without_a_spike(start_mysql, connect,
                                                 mariadb):
    """Who lost the token in the meantime goes; the others are asked for a few
    at a time."""
    g = start_mysql(SETTINGS.replace("revalidate-period 1s",
                                     "revalidate-period 4s"), wait=False)
    for i in range(200):
        g.add_token("t%d" % i, i)
    g.start()
    open_ws = [connect(g, "t%d" % i) for i in range(200)]
    mariadb.freeze()
    time.sleep(6)
    assert ready(g) == 503
    assert g.metrics()["ws_active_connections"] == 200
    mariadb.thaw()
    wait_for(lambda: ready(g) == 200, "readiness", 10)
    g.delete_token("t7")
    rates, last = [], g.metrics()["ws_store_lookups_total"]
    for _ in range(8):
        time.sleep(0.5)
        now = g.metrics()["ws_store_lookups_total"]
        rates.append(now - last)
        last = now
    # 50 a second are usual, and a few times that for what is overdue; the
    # store tells its figures every other second.
    assert sum(rates) >= 190
    assert max(rates) < 200 * 2.5
    assert open_ws[7].recv_close() == (1008, "token expired")
    wait_for(lambda: g.metrics()["ws_active_connections"] == 199, "one left")


def test_a_slow_query_blocks_nothing(start_mysql, mariadb, connect):
    """The table is locked by another: lookups wait, and time out."""
    g = start_mysql(SETTINGS, wait=False)
    g.add_token("p1", 1)
    g.start()
    ws = connect(g, "p1")
    pinger = Pinger(ws)
    pinger.start()
    con = mariadb.connect(g.name)
    con.execute("LOCK TABLES ws_token WRITE")
    for _ in range(3):
        got, took = player(g, "p1")
        assert got == 503 and took < TIMEOUT + 0.5
        start = time.monotonic()
        g.ctl("show", "stats")
        assert g.request("GET", "/healthz")[0] == 200
        assert time.monotonic() < start + 1
    con.execute("UNLOCK TABLES")
    con.close()
    wait_for(lambda: player(g, "p1")[0] == 101, "a player", 8)
    pinger.finish()


@pytest.mark.parametrize("how", ["frozen", "locked"])
def test_it_stops_in_time(start_mysql, mariadb, how):
    g = start_mysql("", wait=False)
    g.add_token("p1", 1)
    g.start()
    con = mariadb.connect(g.name)
    if how == "locked":
        con.execute("LOCK TABLES ws_token WRITE")
    else:
        mariadb.freeze()
    thread = threading.Thread(target=player, args=(g, "p1"), daemon=True)
    thread.start()
    time.sleep(0.3)
    start = time.monotonic()
    try:
        assert g.stop() == 0
        assert time.monotonic() < start + 5
    finally:
        mariadb.thaw()
        con.close()


def test_a_table_that_goes_and_comes(start_mysql):
    g = start_mysql("tokens { cache 0 }", wait=False)
    g.add_token("p1", 1)
    g.start()
    assert player(g, "p1")[0] == 101
    g.execute("RENAME TABLE ws_token TO other")
    assert player(g, "p1")[0] == 503
    assert ready(g) == 503
    assert "table ws_token is missing" in g.ctl_json("show", "store")["error"]
    g.execute("RENAME TABLE other TO ws_token")
    assert player(g, "p1")[0] == 101
    assert ready(g) == 200
    # Of another make, under statements that are prepared.
    g.execute("ALTER TABLE ws_token MODIFY player_id VARCHAR(20), "
              "ADD extra INT FIRST")
    assert player(g, "p1")[0] == 101
