"""The service manager's protocol: what the daemon tells the socket in
NOTIFY_SOCKET, and when it does not."""
import contextlib
import os
import pathlib
import signal
import socket
import time

import pytest

from gateway import LIMIT
from launch import Background, daemon


class Manager:
    """The other end: a datagram socket, and what came."""

    def __init__(self, address):
        self.address = address
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.bind(address.replace("@", "\0", 1))
        if not address.startswith("@"):
            os.chmod(address, 0o777)
        self.seen = []

    def env(self, **more):
        return {"NOTIFY_SOCKET": self.address, **more}

    def next(self, limit=LIMIT):
        """The variables of the next datagram; None when none comes."""
        self.socket.settimeout(limit)
        try:
            text = self.socket.recv(4096).decode()
        except TimeoutError:
            return None
        self.seen.append(dict(line.split("=", 1)
                              for line in text.split("\n")))
        return self.seen[-1]

    def wait(self, match):
        """The first datagram from now on that MATCH likes."""
        end = time.monotonic() + LIMIT
        while time.monotonic() < end:
            message = self.next()
            if message is not None and match(message):
                return message
        raise AssertionError("not told: %s" % self.seen)

    def wait_for(self, **want):
        return self.wait(lambda m: want.items() <= m.items())

    def quiet(self, seconds, *names):
        """Whether nothing with one of NAMES comes for so long."""
        end = time.monotonic() + seconds
        while (left := end - time.monotonic()) > 0:
            message = self.next(left)
            if message and not set(names).isdisjoint(message):
                return False
        return True


@pytest.fixture(params=["path", "abstract"])
def manager(request, folder):
    name = str(folder.path / "notify.sock")
    m = Manager(name if request.param == "path" else "@" + name)
    yield m
    m.socket.close()


def test_ready_status_stopping(start, connect, manager):
    """Ready when strangers can connect and not before, then figures, then the
    end; the word is in the first datagram."""
    g = start(env=manager.env(WATCHDOG_USEC="400000"), wait=False).launch()
    assert manager.next() == {"READY": "1"}
    g.start_known()
    manager.wait_for(STATUS="0 players, 0 connections, 0 messages queued")
    token, player = g.fresh()
    connect(g, token)
    connect(g, token)
    g.add_token("s1", subject="server", server=True)
    g.publish("away", "x")
    manager.wait_for(STATUS="1 players, 2 connections, 1 messages queued")
    g.ctl("drain", "1h")
    manager.wait(lambda m: m.get("STATUS", "").endswith(", draining"))
    g.signal(signal.SIGTERM)
    manager.wait_for(STOPPING="1")
    assert g.wait_exit() == 0


def test_stop_by_ctl(start, manager):
    """And no word of a watchdog that nobody asked for."""
    g = start(env=manager.env())
    manager.wait(lambda m: "STATUS" in m)
    g.ctl("stop")
    manager.wait_for(STOPPING="1")
    assert g.wait_exit() == 0
    assert not any("WATCHDOG" in m for m in manager.seen)


@pytest.mark.parametrize("good", [True, False])
def test_reload(start, manager, good):
    """A reload has a beginning and an end, whatever comes of it."""
    g = start(env=manager.env())
    manager.wait_for(READY="1")
    if not good:
        g.settings = "nonsense"
        g.write_conf()
    before = time.monotonic_ns() // 1000
    g.signal(signal.SIGHUP)
    message = manager.wait_for(RELOADING="1")
    assert before <= int(message["MONOTONIC_USEC"]) <= \
        time.monotonic_ns() // 1000
    manager.wait_for(READY="1")
    g.settings = ""
    g.write_conf()
    g.ctl("reload")
    manager.wait_for(RELOADING="1")
    manager.wait_for(READY="1")


def test_watchdog_is_for_the_engine(start, manager):
    """Fed as long as the engine answers: not by a parent that is well."""
    g = start(env=manager.env(WATCHDOG_USEC="1000000"))
    for _ in range(3):
        manager.wait_for(WATCHDOG="1")
    engine = g.pid_of("engine")
    os.kill(engine, signal.SIGSTOP)
    # An answer may be on its way.
    manager.quiet(0.2, "WATCHDOG")
    assert manager.quiet(1.5, "WATCHDOG"), manager.seen
    os.kill(engine, signal.SIGCONT)
    manager.wait_for(WATCHDOG="1")


def test_watchdog_of_another(start, manager):
    """WATCHDOG_PID says whom it is for."""
    start(env=manager.env(WATCHDOG_USEC="200000", WATCHDOG_PID="1"))
    manager.wait(lambda m: "STATUS" in m)
    assert manager.quiet(0.5, "WATCHDOG"), manager.seen


def test_children_know_nothing_of_it(start, manager):
    g = start(env=manager.env(WATCHDOG_USEC="1000000"))
    for pid in g.children():
        env = pathlib.Path("/proc/%d/environ" % pid).read_bytes()
        assert b"NOTIFY" not in env and b"WATCHDOG" not in env


def test_refusal_is_the_status(folder, manager):
    """What "systemctl status" shows of a start that failed."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        res = daemon("-addr", "127.0.0.1:%d" % taken.getsockname()[1],
                     "-dsn", folder.path / "tokens.db", "-d", "-f",
                     "/dev/null", env={**os.environ, **manager.env()})
    assert res.returncode == 1
    message = manager.wait(lambda m: "STATUS" in m)
    assert "another program listens there" in message["STATUS"]
    assert not any("READY" in m for m in manager.seen)


def test_manager_that_has_gone(start, folder):
    """A service manager that doesn't listen is told of once, and costs
    nothing else."""
    manager = Manager(str(folder.path / "gone.sock"))
    g = start(env=manager.env(WATCHDOG_USEC="100000"))
    manager.wait_for(READY="1")
    manager.socket.close()
    line = g.wait_log(lambda l: "can't tell the service manager" in l["msg"])
    assert "WATCHDOG=1" in line["msg"] or "STATUS" in line["msg"]
    g.ctl("reload")
    assert g.request("GET", "/healthz")[0] == 200
    said = [l for l in g.log() if "service manager" in l["msg"]]
    assert len(said) == 1, said


@pytest.mark.parametrize("name", ["relative", "vsock:2:1234", "/" + "x" * 200,
                                  "/nonexistent/socket", ""])
def test_no_such_manager(start, name):
    g = start(env={"NOTIFY_SOCKET": name, "WATCHDOG_USEC": "1000000"})
    line = g.wait_log(lambda l: "NOTIFY_SOCKET" in l["msg"])
    assert line["level"] == "warn"
    assert g.request("GET", "/healthz")[0] == 200


@pytest.mark.parametrize("usec", ["0", "-1", "x", "999", "9" * 30, ""])
def test_watchdog_that_can_not_be(start, manager, usec):
    g = start(env=manager.env(WATCHDOG_USEC=usec))
    g.wait_log(lambda l: "WATCHDOG_USEC" in l["msg"])
    manager.wait_for(READY="1")


def test_full_socket_is_not_waited_for(start, folder):
    """A service manager that doesn't read: the daemon goes on, and what state
    it is in is told once there is room."""
    manager = Manager(str(folder.path / "full.sock"))
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as other:
        other.setblocking(False)
        other.connect(manager.address)
        with contextlib.suppress(BlockingIOError):
            while True:
                other.send(b"FILL=1")
    g = start(env=manager.env(WATCHDOG_USEC="200000"))
    g.wait_log(lambda l: "can't tell the service manager" in l["msg"])
    assert g.request("GET", "/healthz")[0] == 200
    manager.wait_for(READY="1")
    manager.wait_for(WATCHDOG="1")


def test_in_the_background(folder, manager):
    """It is for the foreground: -daemon works as it does without."""
    db = folder.path / "tokens.db"
    env = os.environ.copy()
    os.environ.update(manager.env())
    try:
        with Background("pid", "-daemon", "-C", "-dsn", db, "-pid-file",
                        folder.path / "pid", "-addr", "127.0.0.1:0", "-f",
                        "/dev/null", cwd=folder.path):
            manager.wait_for(READY="1")
    finally:
        os.environ.clear()
        os.environ.update(env)
    manager.wait_for(STOPPING="1")
