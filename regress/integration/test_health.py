"""/healthz and /readyz: what a load balancer and a service manager go by."""
import os
import signal

import pytest

from gateway import wait_for
from rawws import RawWS, Refused


def ready(g):
    status, headers, body = g.request("GET", "/readyz")
    if status == 503:
        assert "Retry-After" in headers
    return status, body.decode()


def test_ready(shared):
    assert ready(shared) == (200, "ready\n")
    assert shared.request("GET", "/healthz")[::2] == (200, b"ok\n")
    for path in ("/healthz", "/readyz"):
        assert shared.request("HEAD", path)[::2] == (200, b"")
        status, headers, _ = shared.request("POST", path, b"")
        assert status == 405


def test_database_locked(start, connect):
    """Alive, not ready, and ready again; who is there stays."""
    g = start("tokens { lookup-timeout 200ms\ncache 0s }\n"
              "players { revalidate-period 500ms }", wait=False)
    token, player = g.fresh()
    g.add_token("s1", server=True)
    g.start()
    ws = connect(g, token)
    con = g.sql()
    con.execute("BEGIN EXCLUSIVE")
    wait_for(lambda: ready(g)[0] == 503, "not ready")
    assert "locked" in g.ctl_json("show", "store")["error"]
    assert g.request("GET", "/healthz")[0] == 200
    with pytest.raises(Refused) as refused:
        RawWS.connect(g, token)
    assert refused.value.status == 503
    assert "retry-after" in refused.value.headers
    ws.settle()
    assert g.metrics()["ws_store_up"] == 0
    con.execute("COMMIT")
    con.close()
    wait_for(lambda: ready(g)[0] == 200, "ready")
    RawWS.connect(g, token).close()
    assert g.publish(player, "e")["delivered"] == 1


def test_store_frozen(start, connect):
    """A store that says nothing at all is a database that is down."""
    g = start("tokens { lookup-timeout 200ms\ncache 0s }", wait=False)
    token, player = g.fresh()
    g.start()
    ws = connect(g, token)
    store = g.pid_of("store")
    os.kill(store, signal.SIGSTOP)

    def turned_away():
        with pytest.raises(Refused) as refused:
            RawWS.connect(g, token)
        return refused.value.status == 503

    try:
        wait_for(lambda: turned_away() and ready(g)[0] == 503, "not ready")
        assert "store does not answer" in ready(g)[1]
        assert g.request("GET", "/healthz")[0] == 200
        ws.settle()
        assert g.ctl_json("publish", player, "e", "1")["delivered"] == 1
    finally:
        os.kill(store, signal.SIGCONT)
    wait_for(lambda: ready(g)[0] == 200, "ready")
    RawWS.connect(g, token).close()


def test_database_replaced_by_nonsense(start, connect):
    """Corrupt, then well again; noticed by those who want to come in."""
    g = start("tokens { lookup-timeout 500ms }", wait=False)
    token, _ = g.fresh()
    g.start()
    ws = connect(g, token)

    def answer():
        try:
            RawWS.connect(g, token).close()
        except Refused as refused:
            return refused.status
        return 101
    good = g.db.read_bytes()
    for data, status in ((b"no database " * 1000, 503), (good, 101)):
        new = g.dir / "new.db"
        new.write_bytes(data)
        g.folder.own(new)
        new.rename(g.db)
        wait_for(lambda: answer() == status, "status %d" % status)
        wait_for(lambda: (ready(g)[0] == 200) == (status == 101), "readyz")
        if status == 503:
            # Why is for the operator, not for everybody.
            assert ready(g)[1] == "token database unavailable\n"
            assert str(g.db) in g.ctl_json("show", "store")["error"]
        ws.settle()
