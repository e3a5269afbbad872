"""Listening sockets that a service manager passes: LISTEN_FDS, LISTEN_PID and
LISTEN_FDNAMES."""
import contextlib
import os
import pathlib
import signal
import socket
import subprocess
import sys

import pytest

from gateway import DAEMON, LIMIT, Gateway, wait_for
from launch import assert_refused
from test_listen import roles_of

# As systemd does it: to 3 and on, then exec as the process that is named.
EXEC = """
import os, sys
fds = [int(fd) for fd in sys.argv[1].split(",") if fd]
for i, fd in enumerate(fds):
    os.dup2(fd, 3 + i)
os.environ.setdefault("LISTEN_PID", str(os.getpid()))
os.closerange(3 + len(fds), 256)
os.execv(sys.argv[2], sys.argv[2:])
"""


class Passed(Gateway):
    """A gateway that is started with sockets; names=None gives them none."""

    def __init__(self, folder, settings="", sockets=(), names=None, **kw):
        super().__init__(folder, settings, **{"listen": None, **kw})
        self.sockets = sockets
        # Out of the way of what they are to become.
        self.pass_fds = tuple(duplicate(s) for s in sockets)
        self.env = {"LISTEN_FDS": str(len(sockets)), **(self.env or {})}
        if names is not None:
            self.env["LISTEN_FDNAMES"] = ":".join(names)

    def command(self):
        return [sys.executable, "-c", EXEC,
                ",".join(map(str, self.pass_fds)), *super().command()]

    def close(self):
        for fd in self.pass_fds:
            os.close(fd)
        for s in self.sockets:
            s.close()

    def refused(self, *words):
        """It doesn't start, and says why in a line."""
        self.launch()
        self.process.wait(LIMIT)
        self.expect_exit = 1
        assert_refused(subprocess.CompletedProcess(
            [], self.process.returncode, "", self.err()), *words)


def duplicate(s):
    fd = os.dup(s.fileno())
    while fd < 100:
        fd = os.dup2(fd, fd + 100, inheritable=False)
    return fd


def tcp(family=socket.AF_INET, host="127.0.0.1", listen=True):
    s = socket.socket(family, socket.SOCK_STREAM)
    s.bind((host, 0))
    if listen:
        s.listen()
    return s


@pytest.fixture
def passed(start):
    made = []

    def run(sockets, names=None, settings="", **kw):
        g = start(settings, kind=Passed, sockets=sockets, names=names, **kw)
        made.append(g)
        return g
    yield run
    for g in made:
        g.close()


def roles_at(g, s):
    g.port = s.getsockname()[1]
    return roles_of(g)


ALL = {"player", "publish", "metrics"}


def test_names_are_roles(passed):
    names = ["player", "publish+metrics", "metrics", "ws-gatewayd.socket"]
    sockets = [tcp() for _ in names]
    g = passed(sockets, names)
    want = [{"player"}, {"publish", "metrics"}, {"metrics"}, ALL]
    assert [roles_at(g, s) for s in sockets] == want
    # A reload of the same changes none of it.
    g.ctl("reload")
    assert [roles_at(g, s) for s in sockets] == want


def test_no_names(passed):
    """They are all for everything, in place of the addresses."""
    sockets = [tcp(), tcp()]
    g = passed(sockets, settings='listen on "127.0.0.1:1"')
    assert [roles_at(g, s) for s in sockets] == [ALL, ALL]
    assert len([l for l in g.log() if l["msg"] == "listening"]) == 2


def test_one_name_for_several(passed):
    sockets = [tcp(), tcp(), tcp()]
    g = passed(sockets, ["player", "metrics", "player"])
    assert [roles_at(g, s) for s in sockets] == [
        {"player"}, {"metrics"}, {"player"}]


def test_named_in_the_configuration(passed):
    """A statement says what a socket is for, whatever its name, and addresses
    may stand beside it; a reload changes what it is for."""
    conf = """listen on "socket:a" { roles player }
        listen on "socket:metrics"
        listen on "127.0.0.1:0" { roles publish }"""
    sockets = [tcp(), tcp()]
    g = passed(sockets, ["a", "metrics"], conf)
    addresses = [l["address"] for l in g.log() if l["msg"] == "listening"]
    assert len(addresses) == 3
    assert [roles_at(g, s) for s in sockets] == [{"player"}, ALL]
    g.port = int(addresses[2].rsplit(":", 1)[1])
    assert roles_of(g) == {"publish"}
    g.settings = conf.replace("roles player", "roles metrics")
    g.write_conf()
    g.ctl("reload")
    assert roles_at(g, sockets[0]) == {"metrics"}


def test_a_reload_that_says_nothing_of_one(passed):
    sockets = [tcp()]
    g = passed(sockets, ["a"], 'listen on "socket:a" { roles player }')
    g.settings = 'listen on "127.0.0.1:0" { roles player }'
    g.write_conf()
    res = g.ctl("reload", check=False)
    assert res.returncode == 1 and 'listen on "socket:a"' in res.stderr, res
    assert roles_at(g, sockets[0]) == {"player"}


def test_players_and_addresses(passed, connect):
    """One socket for both families: IPv4 is IPv4 in the log."""
    s = tcp(socket.AF_INET6, "::")
    g = passed([s], ["x"])
    g.port = s.getsockname()[1]
    token, player = g.fresh()
    connect(g, token)
    g.add_token("s1", subject="server", server=True)
    assert g.publish(player, "hello") == {"delivered": 1, "queued": 0}
    line = g.wait_log(lambda l: l.get("event") == "ws_connect")
    assert line["ip"].startswith("127.0.0.1"), line


def test_unix_socket(passed, folder):
    path = str(folder.path / "http.sock")
    s = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    s.bind(path)
    s.listen()
    g = passed([s], ["metrics"])
    g.wait_log(lambda l: l.get("address") == "unix:" + path)
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as c:
        c.settimeout(LIMIT)
        c.connect(path)
        c.sendall(b"GET /healthz HTTP/1.0\r\n\r\n")
        assert c.recv(4096).startswith(b"HTTP/1.1 200")
    g.stop()
    assert os.path.exists(path), "it is not ours to remove"


def test_stays_open_over_a_restart(passed):
    """Who connects while the daemon is away waits for the next one."""
    s = tcp()
    g = passed([s], ["metrics"])
    g.port = s.getsockname()[1]
    assert g.request("GET", "/healthz")[0] == 200
    g.signal(signal.SIGTERM)
    assert g.wait_exit() == 0
    with g.socket() as c:
        c.sendall(b"GET /healthz HTTP/1.0\r\n\r\n")
        g.launch()
        assert c.recv(4096).startswith(b"HTTP/1.1 200")


def test_children_know_nothing_of_it(passed):
    """The engine has the socket, non-blocking; no other process does."""
    s = tcp()
    g = passed([s], ["player"])
    inode = os.fstat(s.fileno()).st_ino

    def holders():
        found = set()
        for pid in [g.process.pid, *g.children()]:
            folder = pathlib.Path("/proc/%d/fd" % pid)
            for fd in folder.iterdir():
                with contextlib.suppress(FileNotFoundError):
                    if os.readlink(fd) == "socket:[%d]" % inode:
                        found.add(pid)
        return found
    if os.getuid() == 0:
        wait_for(lambda: holders() == {g.pid_of("engine")}, "handed over")
    for pid in g.children() if os.getuid() == 0 else []:
        assert b"LISTEN_" not in pathlib.Path(
            "/proc/%d/environ" % pid).read_bytes()
    assert not os.get_blocking(s.fileno())


def test_for_another_process(passed):
    """LISTEN_PID says for whom they are: they are closed and left alone."""
    g = passed([tcp()], ["player"], env={"LISTEN_PID": "1"},
               listen="127.0.0.1:0")
    assert roles_of(g) == ALL


def test_in_the_background(passed, folder):
    """The process that goes on is another one."""
    s = tcp()
    g = passed([s], ["metrics"], wait=False, flags=[
        "-daemon", "-pid-file", str(folder.path / "pid"), "-log-file",
        str(folder.path / "log")])
    g.launch()
    assert g.wait_exit() == 0, g.err()
    try:
        g.port = s.getsockname()[1]
        assert g.request("GET", "/healthz")[0] == 200
    finally:
        g.ctl("stop")


@pytest.mark.parametrize("kind, words", [
    ("udp", ("none that listens", "Accept=no")),
    ("connected", ("none that listens", "Accept=no")),
    ("bound", ("none that listens", "Accept=no")),
    ("file", ("the passed socket",)),
])
def test_not_a_listening_socket(passed, kind, words):
    with contextlib.ExitStack() as stack:
        if kind == "udp":
            s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        elif kind == "connected":
            s, other = socket.socketpair()
            stack.callback(other.close)
        elif kind == "bound":
            s = tcp(listen=False)
        else:
            s = open("/dev/null", "rb")     # noqa: SIM115
        passed([s], ["player"], wait=False).refused('"player"', *words)


@pytest.mark.parametrize("env, words", [
    ({"LISTEN_FDS": "x"}, ("LISTEN_FDS", '"x"')),
    ({"LISTEN_FDS": "-1"}, ("LISTEN_FDS",)),
    ({"LISTEN_FDS": "256"}, ("LISTEN_FDS",)),
    ({"LISTEN_FDS": "2"}, ("LISTEN_FDNAMES", "name 2 of 2")),
    ({"LISTEN_FDNAMES": "a:b"}, ("LISTEN_FDNAMES", "more names")),
    ({"LISTEN_FDNAMES": ""}, ("LISTEN_FDNAMES",)),
    ({"LISTEN_FDNAMES": "80"}, ("LISTEN_FDNAMES",)),
    ({"LISTEN_FDNAMES": "a b"}, ("LISTEN_FDNAMES",)),
    ({"LISTEN_FDNAMES": "x" * 300}, ("LISTEN_FDNAMES", "too long")),
])
def test_bad_environment(passed, env, words):
    g = passed([tcp()], ["a"], wait=False)
    g.env.update(env)
    g.refused(*words)


@pytest.mark.parametrize("settings, words", [
    ('listen on "socket:b"', ('listen on "socket:a"',)),
    ('listen on "socket:a"\nlisten on "socket:b"',
     ('"socket:b"', "passed no socket", "FileDescriptorName=")),
    # What would be lost if the socket took its place.
    ('listen on ":443" { roles player }', ('listen on "socket:a"',)),
    ('listen on ":443" { proxy-protocol yes }\nproxies { "127.0.0.1" }',
     ('listen on "socket:a"',)),
])
def test_configuration_that_does_not_fit(passed, settings, words):
    passed([tcp()], ["a"], settings, wait=False).refused(*words)


def test_no_service_manager(folder):
    """The statement alone passes -n, since it may be fine elsewhere."""
    conf = folder.path / "x.conf"
    conf.write_text('listen on "socket:player"\ndatabase sqlite "%s" create\n'
                    % (folder.path / "tokens.db"))
    args = [str(DAEMON), "-f", str(conf)]
    res = subprocess.run([*args, "-n"], capture_output=True, text=True,
                         check=False, timeout=LIMIT)
    assert res.returncode == 0, res
    res = subprocess.run([*args, "-d"], capture_output=True, text=True,
                         check=False, timeout=LIMIT)
    assert_refused(subprocess.CompletedProcess([], res.returncode, "",
                                               res.stderr),
                   '"socket:player"', "passed no socket")
