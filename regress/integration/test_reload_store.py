"""Another database at a reload: a new store for it, while nobody notices.  One
that can't be had changes nothing."""
import os
import pathlib
import re
import signal
import sqlite3
import threading

import pytest

from gateway import SCHEMA, Folder, expires, wait_for
from mariadb import PASSWORD
from rawws import RawWS, Refused

CHANGED = "configuration reloaded\n"


class Other:
    """A second SQLite database, in a folder of its own."""

    def __init__(self, schema=SCHEMA):
        self.folder = Folder()
        self.path = self.folder.path / "other.db"
        con = sqlite3.connect(self.path)
        con.executescript(schema)
        con.close()
        self.folder.own(self.path)

    @property
    def statement(self):
        return 'database sqlite "%s"' % self.path

    def add(self, token, player=None, server=False):
        con = sqlite3.connect(self.path)
        con.execute("INSERT INTO ws_token VALUES (?,?,?,?,?)",
                    (token, player, "subject-" + token, int(server),
                     expires()))
        con.commit()
        con.close()

    def delete(self, token):
        con = sqlite3.connect(self.path)
        con.execute("DELETE FROM ws_token WHERE token = ?", (token,))
        con.commit()
        con.close()


@pytest.fixture
def other():
    o = Other()
    o.add("new", 100)
    o.add("s2", server=True)
    yield o
    o.folder.remove()


def change(g, database):
    """Reload with another database: what ws-gatewayctl said."""
    g.database = database
    g.write_conf()
    return g.ctl("reload", check=False)


def refused(g, token):
    with pytest.raises(Refused) as e:
        RawWS.connect(g, token)
    return e.value.status


def works_as_before(g, ws, config):
    """The refused reload has changed nothing at all."""
    assert g.ctl("show", "config").stdout == config
    assert g.publish("1", "still", 1) == {"delivered": 1, "queued": 0}
    assert ws.recv_text() == '{"event":"still","payload":1}'
    assert refused(g, "new") == 401
    token, _ = g.fresh()
    RawWS.connect(g, token).close()
    assert g.request("GET", "/readyz")[0] == 200


def test_another_database(gateway, connect, other):
    g = gateway
    one, two = connect(g, "p1"), connect(g, "p21")
    old = g.pid_of("store")
    assert refused(g, "new") == 401
    res = change(g, other.statement)
    assert (res.returncode, res.stdout, res.stderr) == (0, CHANGED, "")
    # A new process, and the old one has gone before the answer came.
    assert g.pid_of("store") != old
    assert not pathlib.Path("/proc/%d" % old).exists()
    assert str(other.path) in g.ctl("show", "config").stdout
    # Whose tokens they are, now: players, and servers that were cached.
    ws = connect(g, "new")
    assert refused(g, "p1") == 401
    assert g.post("/publish", {"player_id": "1", "event": "e"})[0] == 403
    # Who was here is still here, on the same connection.
    for n, (player, sock) in enumerate((("1", one), ("21", two),
                                        ("100", ws))):
        assert g.publish(player, "after", n, "s2")["delivered"] == 1
        assert sock.recv_text() == '{"event":"after","payload":%d}' % n
    # And the control socket asks it, too.
    token = g.ctl("token", "add", "-p", "7").stdout.split()[0]
    con = sqlite3.connect(other.path)
    assert con.execute("SELECT count(*) FROM ws_token WHERE token = ?",
                       (token,)).fetchone() == (1,)
    con.close()


def test_there_and_back(gateway, connect, other):
    """Each time, and by a signal as well."""
    g = gateway
    ws, first = connect(g, "p1"), g.database
    for turn in range(3):
        for database, good, bad in ((other.statement, "new", "p21"),
                                    (first, "p21", "new")):
            g.database = database
            g.write_conf()
            mark = len(g.log())
            if turn == 1:
                g.signal(signal.SIGHUP)
                g.wait_log(lambda l: l["msg"] == "configuration reloaded",
                           start=mark)
            else:
                assert g.ctl("reload").stdout == CHANGED
            wait_for(lambda bad=bad: refused(g, bad) == 401, "the change")
            RawWS.connect(g, good).close()
    assert g.publish("1", "e", 1)["delivered"] == 1
    assert ws.recv_text() == '{"event":"e","payload":1}'
    assert len(g.children()) == 3


def test_the_new_store_is_confined(gateway, other):
    assert change(gateway, other.statement).returncode == 0
    text = pathlib.Path("/proc/%d/status" %
                        gateway.pid_of("store")).read_text()
    assert re.search(r"^Seccomp:\s+2$", text, re.M)
    assert re.search(r"^NoNewPrivs:\s+1$", text, re.M)
    uids = set(re.search(r"^Uid:\s+(.*)$", text, re.M)[1].split())
    assert len(uids) == 1 and "0" not in uids
    caps = re.findall(r"^Cap(?:Inh|Prm|Eff|Amb):\s+(\w+)$", text, re.M)
    assert len(caps) == 4 and not any(int(c, 16) for c in caps)


def test_players_are_asked_for_in_the_new_database(start, connect, other):
    """The revalidation goes there: who is not in it has to go in time."""
    g = start("players { revalidate-period 300ms }", wait=False)
    for n in (1, 2):
        g.add_token("p%d" % n, n)
    g.start()
    other.add("p1", 1)
    stays, goes = connect(g, "p1"), connect(g, "p2")
    assert change(g, other.statement).returncode == 0
    assert goes.recv_close() == (1008, "token expired")
    stays.settle()
    other.delete("p1")
    assert stays.recv_close() == (1008, "token expired")


def test_lookups_under_way(start, other):
    """Asked of a database that is locked, answered by the new one."""
    g = start("tokens { lookup-timeout 20s }")
    lock = g.sql()
    lock.execute("BEGIN EXCLUSIVE")
    outcome = []

    def handshake():
        ws = RawWS.connect(g, "new")
        outcome.append(ws)
        ws.close()

    thread = threading.Thread(target=handshake)
    thread.start()
    wait_for(lambda: g.metrics()["ws_store_lookups_pending"] >= 1 or
             g.ctl_json("show", "store")["pending"] >= 1, "the lookup")
    assert change(g, other.statement).returncode == 0
    thread.join(20)
    assert len(outcome) == 1
    lock.close()


def test_under_load(start, connect, other):
    """Six databases in turn while players come, and messages go: no handshake
    fails, no connection ends, no message is lost or out of order."""
    g = start("publishers { rate-limit 0 }\n"
              "players { revalidate-period 500ms; max-connections 10000 }",
              wait=False)
    for add in (lambda t, p=None, **kw: g.add_token(t, p, t, **kw),
                other.add):
        for n in range(50):
            add("both%d" % n, 5000 + n)
        add("server", server=True)
    g.start()
    players = [connect(g, "both%d" % n) for n in range(50)]
    done = threading.Event()
    failed, count = [], {"came": 0, "sent": 0}

    def until_done(step):
        try:
            while not done.is_set():
                step()
        except Exception as e:      # the test fails with it, below
            failed.append(e)

    def come():
        ws = RawWS.connect(g, "both%d" % (count["came"] % 50))
        count["came"] += 1
        ws.close()

    def send():
        g.broadcast("n", count["sent"], "server")
        count["sent"] += 1

    threads = [threading.Thread(target=until_done, args=(step,))
               for step in (come, send)]
    for t in threads:
        t.start()
    first = g.database
    try:
        for database in (other.statement, first) * 3:
            assert change(g, database).returncode == 0
    finally:
        done.set()
        for t in threads:
            t.join(20)
    assert not failed, failed
    assert count["came"] > 20 and count["sent"] > 20
    for ws in players:
        for n in range(count["sent"]):
            assert ws.recv_text() == '{"event":"n","payload":%d}' % n
        ws.settle()


BAD = {
    "missing": ('database sqlite "%(dir)s/none.db"', "is missing"),
    "no folder": ('database sqlite "/nonexistent/x.db"', "folder"),
    "damaged": ('database sqlite "%(dir)s/damaged.db"', "no SQLite database"),
    "no file": ('database sqlite "%(dir)s"', "no regular file"),
    "no server": ('database mysql "u:p@tcp(127.0.0.1:1)/db"', "127.0.0.1:1"),
    "no socket": ('database mysql "u@unix(%(dir)s/none.sock)/db"',
                  "none.sock"),
    "no certificate": ('database mysql {\n dsn "u@tcp(127.0.0.1:1)/db"\n'
                       ' tls { ca "%(dir)s/none.pem" }\n}', "none.pem"),
}


@pytest.mark.parametrize("kind", BAD)
def test_a_database_that_can_not_be_had(gateway, connect, kind):
    g = gateway
    ws, store = connect(g, "p1"), g.pid_of("store")
    (g.dir / "damaged.db").write_text("this is no database\n" * 100)
    os.chmod(g.dir / "damaged.db", 0o644)
    config = g.ctl("show", "config").stdout
    statement, words = BAD[kind]
    g.settings = "players { max-connections 1 }"
    mark = len(g.log())
    res = change(g, statement % {"dir": g.dir})
    assert res.returncode == 1 and res.stdout == ""
    # Where the statement is, and what is wrong with it.
    assert "%s:1: " % g.conf in res.stderr and words in res.stderr, res
    assert any(words in l["msg"] and l["level"] == "error"
               for l in g.log()[mark:])
    assert not any(l["msg"] == "configuration reloaded"
                   for l in g.log()[mark:])
    assert g.pid_of("store") == store and len(g.children()) == 3
    works_as_before(g, ws, config)
    # The next good one is taken.
    g.database = 'database sqlite "%s"' % g.db
    g.settings = "publishers { rate-limit 0 }\nqueue { ttl 7s }"
    g.write_conf()
    assert g.ctl("reload").stdout == CHANGED
    assert "ttl 7s" in g.ctl("show", "config").stdout


def test_all_else_changes_with_it(gateway, connect, other):
    connect(gateway, "p1")
    gateway.settings = "players { max-connections 1 }\npublishers " \
        "{ rate-limit 0 }\npid file \"/run/elsewhere.pid\""
    res = change(gateway, other.statement)
    assert res.returncode == 0
    assert "restart is needed for: pid file" in res.stderr
    ws = connect(gateway, "new")
    assert refused(gateway, "new") == 429
    ws.settle()


def test_create(gateway, connect):
    """A database that is not there is made, when the file says so."""
    g = gateway
    ws = connect(g, "p1")
    assert change(g, 'database sqlite "%s/made.db" create' %
                  g.dir).returncode == 0
    token = g.ctl("token", "add", "-p", "5").stdout.split()[0]
    connect(g, token).settle()
    ws.settle()


@pytest.mark.parametrize("which", ["store", "starter"])
def test_a_store_that_hangs(gateway, connect, other, which):
    """The reload that waits is the only thing that does; another is told so;
    the daemon stops in time all the same."""
    g = gateway
    ws = connect(g, "p1")
    os.kill(g.pid_of("starter"), signal.SIGSTOP)
    g.database = other.statement
    g.write_conf()
    waiting = threading.Thread(target=lambda: g.ctl("reload", check=False))
    waiting.start()
    wait_for(lambda: any("a new store starts" in l["msg"] for l in g.log()),
             "the reload")
    res = g.ctl("reload", check=False)
    assert res.returncode == 1 and "under way" in res.stderr
    assert g.publish("1", "e", 1)["delivered"] == 1
    assert ws.recv_text() == '{"event":"e","payload":1}'
    if which == "store":
        g.signal(signal.SIGHUP)
        os.kill(g.pid_of("starter"), signal.SIGCONT)
        waiting.join(20)
        wait_for(lambda: sum(l["msg"] == "configuration reloaded"
                             for l in g.log()) == 2, "both")
        connect(g, "new").settle()
    g.signal(signal.SIGTERM)
    assert g.wait_exit() == 0
    waiting.join(20)


@pytest.mark.parametrize("which", ["store", "starter"])
def test_who_ends_takes_all_along(gateway, other, which):
    """A store that a reload has brought is a store like the first."""
    g = gateway
    g.expect_exit = 1
    assert change(g, other.statement).returncode == 0
    os.kill(g.pid_of(which), signal.SIGKILL)
    assert g.wait_exit() == 1
    line = [l for l in g.log() if l.get("signal")][0]
    assert line["child"] == which and line["signal"] == "SIGKILL"


def test_stops_after_a_reload(gateway, other, connect):
    assert change(gateway, other.statement).returncode == 0
    ws = connect(gateway, "new")
    gateway.signal(signal.SIGTERM)
    assert ws.recv_close() == (1001, "going away")
    ws.close()
    assert gateway.wait_exit() == 0
    assert gateway.log()[-1]["msg"] == "stopped"
    assert not any("while stopping" in l["msg"] for l in gateway.log())


# -- MariaDB -----------------------------------------------------------------

def test_from_sqlite_to_mysql_and_back(start, start_mysql, connect, other):
    """Another kind, with other system calls in its sandbox; who has a token in
    both stays through it all."""
    m = start_mysql(wait=False)
    m.add_token("s1", subject="server", server=True)
    m.add_token("both", 1)
    m.add_token("only-mysql", 2)
    other.add("both", 1)
    other.add("s1", server=True)
    g = start("publishers { rate-limit 0 }\n"
              "players { revalidate-period 200ms }",
              database=other.statement)
    ws = connect(g, "both")
    for _ in range(2):
        res = change(g, m.database)
        assert res.returncode == 0, res
        connect(g, "only-mysql").settle()
        assert refused(g, "new") == 401
        # The old answer must be wrong, too: a password that is none.
        bad = change(g, m.database.replace(PASSWORD, "zq-wrong"))
        assert bad.returncode == 1 and 'refuses user "gw"' in bad.stderr, bad
        assert "zq-wrong" not in bad.stderr
        connect(g, "only-mysql").settle()
        assert g.publish("1", "e", 1)["delivered"] == 1
        assert ws.recv_text() == '{"event":"e","payload":1}'
        assert change(g, other.statement).returncode == 0
        assert refused(g, "only-mysql") == 401
        connect(g, "new").settle()
    ws.settle()
