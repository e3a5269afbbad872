"""No memory: an allocation fails, one after the other, in each process and at
each thing that it does.  A client gets an error or the end of its connection,
or the daemon ends in order and says why; nothing is corrupted, and whoever
comes next is served.

FAULT_ALL=1 (environment) tries each allocation, which takes long; without it
the first of each scenario, and some of those that follow."""
import contextlib
import http.client
import os
import time

import pytest

from faults import ROLES, FaultGateway
from gateway import Folder, wait_for
from rawws import PING, Closed, RawWS, Refused

ALL = os.environ.get("FAULT_ALL") == "1"


class Sweep:
    """A daemon that is started again when it had to end."""

    def __init__(self, folder, settings=""):
        self.folder = folder
        self.settings = "publishers { rate-limit 0 }\n" + settings
        self.g = None
        self.deaths = self.lived = 0

    def gateway(self):
        if self.g is None:
            for name in ("stdout", "stderr"):
                (self.folder.path / name).unlink(missing_ok=True)
            self.g = FaultGateway(self.folder, self.settings)
            self.g.execute("DELETE FROM ws_token")
            self.g.add_token("s1", subject="s", server=True)
            for i in range(5):
                self.g.add_token("p%d" % i, i)
            self.g.start()
            self.serve()
        return self.g

    def serve(self):
        """The next well-behaved player and server."""
        try:
            ws = RawWS.connect(self.g, "p1")
        except Refused as e:
            # The store is gone, and all will be.
            raise ConnectionError from e
        for i in range(2):
            assert self.g.publish("1", "ok", i) == \
                {"delivered": 1, "queued": 0}
            assert ws.recv_text() == '{"event":"ok","payload":%d}' % i
        ws.close()

    def ended(self):
        """It ends now: in order, and it says why."""
        code = self.g.wait_exit()
        said = [l["msg"] for l in self.g.log()
                if l["level"] in ("error", "fatal", "warn")]
        text = self.g.err()
        self.stop(code)
        assert code == 1, (code, text, said)
        assert said or text, "ended without a word"
        self.deaths += 1
        return said, text

    def stop(self, expect):
        g, self.g = self.g, None
        g.expect_exit = expect
        g.check()

    def close(self):
        if self.g is not None:
            self.stop(0)

    def ends(self):
        """Whether it is about to end, after the first line that says so; the
        end of a new store is but that of a reload, which is said, too."""
        lines = [l for l in self.g.log() if l["level"] in ("fatal", "error")]
        refused = sum("not reloaded" in l["msg"] for l in lines)
        fatal = sum(l["level"] == "fatal" for l in lines)
        return fatal > refused or self.g.process.poll() is not None or any(
            l["level"] == "error" and "configuration" not in l["msg"]
            for l in lines)

    def settled(self):
        """Whether the daemon lives on after the fault."""
        with contextlib.suppress(OSError, http.client.HTTPException):
            wait_for(lambda: self.g.metrics()["ws_active_connections"] == 0,
                     "players gone")
            self.serve()
            return not self.ends()
        return False


def numbers():
    """Which allocation fails, in turn; without an end."""
    n = 1
    while True:
        yield n
        n = n + 1 if ALL else n * 4


def sweep(s, role, scenario):
    """SCENARIO(gateway) until no allocation is left to fail.  What it raises
    of these is what clients may see; its assertions hold in any case."""
    for n in numbers():
        g = s.gateway()
        g.page.fail(role, n)
        error = None
        try:
            scenario(g)
        except (OSError, Closed, Refused, EOFError,
                http.client.HTTPException) as e:
            error = e
        failed = g.page.failed(role)
        g.page.fail(role, 0)
        lives = s.settled()
        if lives:
            s.lived += 1
        else:
            s.ended()
        if not failed:
            assert error is None and lives, (n, error)
            break
    assert s.lived + s.deaths > 1


def handshake(g):
    ws = RawWS.connect(g, "p2")
    ws.settle()
    ws.close()


def messages(g):
    """To one, and to all."""
    ws = RawWS.connect(g, "p2")
    for path, expected in (("/publish", "e"), ("/broadcast", "b")):
        status, _, _ = g.post(path, {"player_id": "2", "event": expected,
                                     "payload": [1]})
        if status != 200:
            raise ConnectionError(status)
        assert ws.recv_text() == '{"event":"%s","payload":[1]}' % expected
    ws.close()


def offline(g):
    """A queue, and its delivery."""
    for i in range(3):
        g.publish("3", "e", i)
    ws = RawWS.connect(g, "p3")
    for i in range(3):
        assert ws.recv_text() == '{"event":"e","payload":%d}' % i
    ws.close()


def control(*args):
    def scenario(g):
        res = g.ctl(*args, check=False)
        # 2: it was gone before it could be asked.
        assert res.returncode in (0, 1, 2), res
        if res.returncode != 0:
            assert res.stderr, res
            raise ConnectionError(res.stderr)
    return scenario


def another_database(g):
    """To and fro between two that have the same rows."""
    one, two = g.db, g.dir / "two.db"
    if not two.exists():
        two.write_bytes(one.read_bytes())
        g.folder.own(two)
    g.database = 'database sqlite "%s"' % (
        one if str(two) in g.conf.read_text() else two)
    g.write_conf()
    control("reload")(g)


@pytest.mark.parametrize("role,scenario", [
    ("engine", handshake), ("store", handshake), ("engine", messages),
    ("engine", offline), ("engine", control("show", "players")),
    ("engine", control("token", "list")), ("store", control("token", "list")),
    ("engine", control("reload")), ("parent", control("reload")),
    ("engine", another_database), ("parent", another_database),
    ("store", another_database), ("starter", another_database),
], ids=["handshake-engine", "handshake-store", "messages-engine",
        "offline-engine", "players-engine", "tokens-engine", "tokens-store",
        "reload-engine", "reload-parent", "database-engine",
        "database-parent", "database-store", "database-starter"])
def test_no_memory(folder, role, scenario):
    s = Sweep(folder)
    try:
        sweep(s, role, scenario)
    finally:
        s.close()


@pytest.mark.parametrize("role", ROLES)
def test_no_memory_at_the_start(role):
    """It starts and serves, or says in a line why it does not."""
    for n in numbers():
        folder = Folder()
        g = FaultGateway(folder, "publishers { rate-limit 0 }")
        g.add_token("p2", 2)
        g.page.fail(role, n)
        g.launch()
        wait_for(lambda g=g: g.process.poll() is not None or any(
            l["msg"] == "started" for l in g.log()), "a start or an end")
        failed = g.page.failed(role)
        g.page.fail(role, 0)
        if g.process.poll() is None:
            g.start_known()
            handshake(g)
        else:
            g.expect_exit = 1
            assert g.err().strip(), n
        g.check()
        folder.remove()
        if not failed:
            assert g.expect_exit == 0
            break


@pytest.mark.parametrize("role", ["engine", "store"])
def test_no_memory_for_last_words(folder, role):
    """Nothing at all is left: even that is said."""
    s = Sweep(folder)
    g = s.gateway()
    g.page.fail(role, 1, 1 << 40)
    with pytest.raises((OSError, Closed, EOFError, Refused)):
        RawWS.connect(g, "p2")
    said, text = s.ended()
    assert role + " exited with code 1" in said
    assert "Cannot allocate memory" in text


def test_wall_clock_jumps(folder):
    """What measures does not look at it; what expires at a date does."""
    day = 86400
    g = FaultGateway(folder, "players { ping-interval 200ms; "
                     "pong-timeout 30s; revalidate-period 500ms }\n"
                     "queue { ttl 1m }\n"
                     "publishers { rate-limit 8; rate-period 24h }")
    g.add_token("s1", subject="s", server=True, ttl=30 * day)
    g.add_token("short", 1, ttl=3600)
    for n in (2, 3, 4):
        g.add_token("p%d" % n, n, ttl=30 * day)
    g.start()
    try:
        ws = RawWS.connect(g, "short")
        stays = RawWS.connect(g, "p2")
        for player in ("3", "4"):
            g.publish(player, "kept", 1)
        for _ in range(6):
            g.publish("2", "e", 1)
        assert g.post("/publish", {})[0] == 429

        g.page.set_clock(-day)
        for _ in range(3):
            while ws.recv()[0] != PING:
                pass
        ws.settle()
        assert g.post("/publish", {})[0] == 429
        late = RawWS.connect(g, "p3")
        assert late.recv_text() == '{"event":"kept","payload":1}'
        late.close()

        g.page.set_clock(day)
        begin = time.monotonic()
        assert ws.recv_close() == (1008, "token expired")
        assert time.monotonic() - begin < 10
        with pytest.raises(Refused) as e:
            RawWS.connect(g, "short")
        assert e.value.status == 401
        for _ in range(3):
            while stays.recv()[0] != PING:
                pass
        stays.settle()
        assert g.post("/publish", {})[0] == 429
        late = RawWS.connect(g, "p4")
        assert late.recv_text() == '{"event":"kept","payload":1}'
        late.close()
        stays.close()
        times = [l["time"][:10] for l in g.log()]
        assert len(set(times)) >= 3
    finally:
        g.page.set_clock(0)
        g.check()
