"""The servers of the bench: ours and its peers, each started on a free port in
a folder of its own and pinned to the server's core."""
import os
import pathlib
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time

import machine

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parents[1]
sys.path.insert(0, str(HERE.parent / "integration"))

import gateway                                          # noqa: E402
from launch import free_port                            # noqa: E402

PROGRAMS = ROOT / "build" / "bench"
TOOLS = ROOT / "build" / "tools"
MODULE = "usr/lib/nginx/modules/ngx_nchan_module.so"
# Everything on, and nothing in the way.
SETTINGS = """log level info
publishers { rate-limit 1000000; rate-period 100ms; max-body 4M }
limits { handshake-rate 0; handshakes 100000 }
players { send-queue-hard 8M }
"""


def pin():
    os.sched_setaffinity(0, {machine.cores()[0]})


class Peer:
    """A server that is one command; ARGS is what wsload has to know of it."""
    args = {}

    def __init__(self):
        self.port = free_port()
        self.dir = pathlib.Path(tempfile.mkdtemp(prefix="wsg-bench."))
        self.process = None

    @staticmethod
    def missing():
        """Why it can't be had, or None."""
        return None

    def command(self):
        raise NotImplementedError

    def environment(self):
        return None

    def start(self):
        self.log = open(self.dir / "log", "wb")
        self.process = subprocess.Popen(
            self.command(), cwd=self.dir, stdin=subprocess.DEVNULL,
            stdout=self.log, stderr=self.log, env=self.environment(),
            preexec_fn=pin)
        end = time.monotonic() + 10
        while True:
            try:
                socket.create_connection(("127.0.0.1", self.port), 1).close()
                return self
            except OSError:
                if self.process.poll() is not None or time.monotonic() > end:
                    text = (self.dir / "log").read_text(errors="replace")
                    self.stop()
                    raise RuntimeError("%s: %s" % (self.name, text)) from None
                time.sleep(0.02)

    def pid(self):
        return self.process.pid

    def load_args(self, kind):
        return self.args.get(kind, [])

    def stop(self):
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            try:
                self.process.wait(10)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
        self.log.close()
        shutil.rmtree(self.dir, ignore_errors=True)


class Floor(Peer):
    name, about = "floor", "a bare loop of send(2)"
    program = "floor_plain"

    def command(self):
        return [str(PROGRAMS / self.program), str(self.port)]


class Merged(Floor):
    name, about = "merged", "the same, with what waits for a client in one call"
    program = "floor_merged"


class Uring(Floor):
    name, about = "floor uring", "the same through io_uring"
    program = "floor_uring"

    @staticmethod
    def missing():
        path = pathlib.Path("/proc/sys/kernel/io_uring_disabled")
        if path.exists() and path.read_text().strip() == "2":
            return "io_uring is switched off"
        return None


class Nchan(Peer):
    name, about = "nchan", "nginx with nchan, one worker; checks nothing"
    # One channel for all where that will do: it is what costs it least.
    args = {
        "broadcast": ["--path", "/sub/all", "--pub", "/pub/all"],
        "unicast": ["--path", "/sub/p%d", "--pub", "/pub/p%d",
                    "--body", '{"event":"e","payload":%p}'],
        "connect": ["--path", "/sub/all"],
    }

    conf = (HERE / "peers" / "nchan.conf").read_text()

    @staticmethod
    def nginx():
        return shutil.which("nginx", path=os.environ["PATH"] + ":/usr/sbin") \
            or shutil.which(str(TOOLS / "usr/sbin/nginx"))

    @staticmethod
    def module():
        for top in (pathlib.Path("/"), TOOLS):
            if (top / MODULE).exists():
                return top / MODULE
        return None

    @classmethod
    def missing(cls):
        if cls.nginx() is None or cls.module() is None:
            return "nginx or its module is not there"
        return None

    def command(self):
        text = self.conf
        user = "user nobody nogroup;" if os.getuid() == 0 else ""
        for name, value in {
                "MODULE": self.module(), "DIR": self.dir, "USER": user,
                "PORT": self.port,
                "CONNECTIONS": machine.file_limit()}.items():
            text = text.replace("@%s@" % name, str(value))
        (self.dir / "nginx.conf").write_text(text)
        os.chmod(self.dir, 0o755)
        return [self.nginx(), "-p", str(self.dir), "-c",
                str(self.dir / "nginx.conf")]


class NodeWs(Peer):
    name, about = "Node ws", "Node with ws; parses the JSON, checks no token"

    @staticmethod
    def missing():
        if shutil.which("node") is None:
            return "there is no node"
        res = subprocess.run(["node", "-e", "require('ws')"], check=False,
                             capture_output=True, env=NodeWs.environment())
        return None if res.returncode == 0 else "node has no ws"

    @staticmethod
    def environment():
        return {**os.environ, "NODE_PATH": "/usr/share/nodejs"}

    def command(self):
        return ["node", str(HERE / "peers" / "node_ws.js"), str(self.port)]


class Ours:
    """The gateway with its tokens in SQLite, confined, metrics on."""
    name, about = "ws-gatewayd", "authentication, rate limit, strict JSON, " \
        "metrics and confinement on"
    settings = ""
    sandbox = "require"
    level = "warn"
    header = ["--header", "Authorization: Bearer s1"]
    database = None

    @staticmethod
    def missing():
        return None

    @classmethod
    def make_database(cls, tokens):
        """One for all: a server, and so many players."""
        folder = cls.database = gateway.Folder()
        g = gateway.Gateway(folder)
        con = g.sql()
        with con:
            con.execute("BEGIN")
            con.execute("INSERT INTO ws_token VALUES "
                        "('s1', NULL, 's1', 1, '2999-01-01 00:00:00')")
            con.executemany("INSERT INTO ws_token VALUES "
                            "(?, ?, 's', 0, '2999-01-01 00:00:00')",
                            (("p%d" % n, n) for n in range(tokens)))
        con.close()
        cls.source = g.db

    @classmethod
    def remove_database(cls):
        if cls.database is not None:
            cls.database.remove()

    def start(self):
        self.folder = gateway.Folder()
        shutil.copy(self.source, self.folder.path / "tokens.db")
        self.folder.own(self.folder.path / "tokens.db")
        self.gateway = gateway.Gateway(
            self.folder, SETTINGS + self.settings + "\nsandbox %s\n" %
            self.sandbox, preexec=pin)
        try:
            self.gateway.start()
        except BaseException:
            self.stop()
            raise
        if self.level != "info":        # where "started" is looked for
            self.gateway.ctl("log", self.level)
        self.port = self.gateway.port
        return self

    def pid(self):
        return self.gateway.process.pid

    def load_args(self, kind):
        return [] if kind == "connect" else self.header

    def stop(self):
        self.gateway.stop()
        self.folder.remove()


def variant(name, settings):
    """Ours with other settings, as a column of its own."""
    return type("Variant", (Ours,), {"name": name, "settings": settings,
                                     "about": "with %s" % settings})


def why_not(kind):
    """Why a peer can't be had, or None: it is started once."""
    why = kind.missing()
    if why is None and issubclass(kind, Peer):
        try:
            kind().start().stop()
        except (RuntimeError, OSError) as e:
            why = str(e).strip()
    return why


def present(kinds):
    """Those that can be had, and why the others can't."""
    whys = {kind: why_not(kind) for kind in kinds}
    return ([kind for kind in kinds if whys[kind] is None],
            {kind.name: why for kind, why in whys.items() if why is not None})
