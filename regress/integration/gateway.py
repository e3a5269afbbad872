"""A running ws-gatewayd for the tests: started, awaited, asked, stopped.

BUILD (environment) names the build folder; SANDBOX the sandbox mode, which is
"require" unless set; OUTPUT how it writes, which is left to it unless set;
TLS that all is by TLS (certs.py).
Whoever runs the tests, root or not, gets the daemon as it runs for them: as
root it drops to the user in GATEWAY_USER.
"""
import http.client
import json
import os
import pathlib
import pwd
import shutil
import signal
import socket
import sqlite3
import subprocess
import tempfile
import time

import certs

ROOT = pathlib.Path(__file__).resolve().parents[2]
BUILD = pathlib.Path(os.environ.get("BUILD", ROOT / "build" / "release"))
DAEMON = BUILD / "ws-gatewayd"
CTL = BUILD / "ws-gatewayctl"
SANDBOX = os.environ.get("SANDBOX", "require")
OUTPUT = os.environ.get("OUTPUT")
USER = os.environ.get("GATEWAY_USER", "_wsgateway")
SCHEMA = (ROOT / "etc" / "schema.sqlite.sql").read_text()
LIMIT = 20.0        # seconds that any wait may take
SANITIZER = ["ERROR: AddressSanitizer", "ERROR: LeakSanitizer",
             "LeakSanitizer has encountered", "runtime error:",
             "UndefinedBehaviorSanitizer"]


def wait_for(predicate, what, limit=LIMIT):
    """Call until it returns something true; for what sends no event."""
    end = time.monotonic() + limit
    while True:
        value = predicate()
        if value:
            return value
        if time.monotonic() > end:
            raise AssertionError("timed out: " + what)
        time.sleep(0.01)


def expires(seconds=3600):
    """The text of a time from now, as the table has it (UTC)."""
    return time.strftime("%Y-%m-%d %H:%M:%S",
                         time.gmtime(time.time() + seconds))


def children_of(pid):
    path = "/proc/%d/task/%d/children" % (pid, pid)
    try:
        return [int(p) for p in pathlib.Path(path).read_text().split()]
    except FileNotFoundError:
        out = subprocess.run(["ps", "-o", "pid=", "--ppid", str(pid)],
                             capture_output=True, text=True, check=False)
        return [int(p) for p in out.stdout.split()]


class Folder:
    """A folder that the daemon's user can reach and write to."""

    def __init__(self):
        self.path = pathlib.Path(tempfile.mkdtemp(prefix="wsg-test."))
        self.own(self.path)
        os.chmod(self.path, 0o755)

    @staticmethod
    def own(path):
        if os.getuid() == 0:
            entry = pwd.getpwnam(USER)
            os.chown(path, entry.pw_uid, entry.pw_gid)

    def remove(self):
        shutil.rmtree(self.path, ignore_errors=True)


class Gateway:
    """One daemon.  SETTINGS is text for the configuration file, FLAGS more
    arguments; with config=False there is no file, only flags."""

    def __init__(self, folder, settings="", flags=(), listen="127.0.0.1:0",
                 create_db=True, database=None, env=None,
                 preexec=None):
        self.folder = folder
        self.dir = folder.path
        self.db = self.dir / "tokens.db"
        self.control = self.dir / "control.sock"
        self.conf = self.dir / "ws-gatewayd.conf"
        self.settings = settings
        self.flags = list(flags)
        self.listen = listen
        self.database = database or 'database sqlite "%s"' % self.db
        self.env = env
        self.preexec = preexec      # called in the new process
        self.pass_fds = ()
        self.process = None
        self.port = None
        self.expect_exit = 0
        self.serial = 0
        if create_db and not self.db.exists():
            self.make_db()

    # -- the database, as the application would write it ------------------

    def make_db(self):
        with self.sql() as con:
            con.executescript(SCHEMA)
        self.folder.own(self.db)

    def sql(self):
        con = sqlite3.connect(self.db, timeout=10, isolation_level=None)
        # No test cuts the power: it need not wait for the disk.
        con.execute("PRAGMA synchronous = OFF")
        return con

    def add_token(self, token, player=None, subject=None, server=False,
                  ttl=3600, expires_at=None):
        """Insert a row; bytes stay bytes."""
        subject = subject if subject is not None else "subject-%s" % token
        self.execute("INSERT INTO ws_token VALUES (?,?,?,?,?)",
                     token, player, subject, 1 if server else 0,
                     expires_at if expires_at is not None else expires(ttl))
        return token

    def fresh(self, **kw):
        """A token of a player who has none yet: token, player."""
        self.serial += 1
        player = 1000 + self.serial
        return self.add_token("t%d" % player, player, **kw), str(player)

    def delete_token(self, token):
        self.execute("DELETE FROM ws_token WHERE token = ?", token)

    def execute(self, statement, *values):
        con = self.sql()
        con.execute(statement, values)
        con.close()

    # -- life ---------------------------------------------------------------

    def write_conf(self):
        lines = [self.database, 'control "%s"' % self.control]
        if self.listen is not None:
            lines.append('listen on "%s"%s' % (self.listen, certs.block()))
        if os.getuid() == 0 and 'user "' not in self.settings:
            lines.append('user "%s"' % USER)
        if "sandbox " not in self.settings:
            lines.append("sandbox " + SANDBOX)
        if "log level" not in self.settings:
            lines.append("log level debug")
        if OUTPUT and "output " not in self.settings:
            lines.append("http { output %s }" % OUTPUT)
        self.conf.write_text("\n".join([*lines, self.settings, ""]))

    def command(self):
        return [str(DAEMON), "-f", str(self.conf), *self.flags]

    def launch(self):
        """Start without waiting for anything."""
        self.write_conf()
        self.stdout = open(self.dir / "stdout", "ab")
        self.stderr = open(self.dir / "stderr", "ab")
        env = dict(os.environ)
        env.update(self.env or {})
        self.process = subprocess.Popen(
            self.command(), cwd=self.dir, stdin=subprocess.DEVNULL,
            stdout=self.stdout, stderr=self.stderr, env=env,
            preexec_fn=self.preexec, pass_fds=self.pass_fds)
        return self

    def start(self):
        self.launch()
        self.wait_log(lambda l: l.get("msg") == "started")
        return self.start_known()

    def start_known(self):
        """It has started: where it listens."""
        if self.port is None:
            self.port = next(iter(self.ports()), None)
        return self

    def ports(self):
        """Of TCP, in the order of the configuration."""
        return [int(l["address"].rsplit(":", 1)[1]) for l in self.log()
                if l.get("msg") == "listening"
                and not l["address"].startswith("unix:")]

    def log(self):
        path = self.dir / "stdout"
        if not path.exists():
            return []
        text = path.read_text(errors="replace")
        lines = text.split("\n")[:-1]
        return [json.loads(line) for line in lines if line.startswith("{")]

    def wait_log(self, match, limit=LIMIT, start=0):
        """The first log line (from index START on) that MATCH likes."""
        def look():
            for line in self.log()[start:]:
                if match(line):
                    return line
            if self.process.poll() is not None and not any(
                    match(line) for line in self.log()[start:]):
                raise AssertionError("the daemon has gone: %s\n%s" % (
                    self.process.returncode, self.err()))
            return None
        return wait_for(look, "log line", limit)

    def err(self):
        return (self.dir / "stderr").read_text(errors="replace")

    def pid_of(self, name):
        """The pid of a child: "engine" or "store"."""
        for child in self.children():
            title = pathlib.Path("/proc/%d/cmdline" % child).read_bytes()
            if name.encode() in title:
                return child
        raise AssertionError("no process " + name)

    def children(self):
        """All of them, with those that the starter has started."""
        out, todo = [], [self.process.pid]
        while todo:
            found = children_of(todo.pop())
            out += found
            todo += found
        return out

    def signal(self, sig):
        self.process.send_signal(sig)

    def wait_exit(self, limit=LIMIT):
        return self.process.wait(limit)

    def stop(self):
        """Stop as a service manager does; returns the exit code."""
        if self.process is None:
            return 0
        if self.process.poll() is None:
            self.signal(signal.SIGTERM)
            try:
                self.wait_exit()
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
                raise AssertionError("did not stop on SIGTERM") from None
        self.stdout.close()
        self.stderr.close()
        return self.process.returncode

    def check(self):
        """What must hold for every daemon that a test has started."""
        code = self.stop()
        text = self.err()
        for word in SANITIZER:
            assert word not in text, text
        bad = [l for l in self.log() if l["level"] in ("error", "fatal")] \
            if code != self.expect_exit else []
        assert code == self.expect_exit, "exit code %s\n%s%s" % (
            code, text, bad)

    # -- asking -------------------------------------------------------------

    def http(self, limit=LIMIT):
        if certs.TLS:
            return http.client.HTTPSConnection(
                "127.0.0.1", self.port, timeout=limit,
                context=certs.plain_client())
        return http.client.HTTPConnection("127.0.0.1", self.port,
                                          timeout=limit)

    def request(self, method, path, body=None, headers=None):
        """One request on a connection of its own: status, headers, body."""
        con = self.http()
        con.request(method, path, body, headers or {})
        res = con.getresponse()
        data = res.read()
        con.close()
        return res.status, res.headers, data

    def post(self, path, document, token="s1"):
        if not isinstance(document, (bytes, str)):
            document = json.dumps(document)
        return self.request("POST", path, document,
                            {"Authorization": "Bearer " + token})

    def publish(self, player, event, payload=None, token="s1"):
        status, _, body = self.post("/publish", {
            "player_id": player, "event": event, "payload": payload}, token)
        assert status == 200, (status, body)
        return json.loads(body)

    def broadcast(self, event, payload=None, token="s1"):
        status, _, body = self.post("/broadcast", {
            "event": event, "payload": payload}, token)
        assert status == 200, (status, body)
        return json.loads(body)

    def metrics(self):
        """Every sample: name with labels -> value."""
        status, _, body = self.request("GET", "/metrics")
        assert status == 200
        out = {}
        for line in body.decode().splitlines():
            if line and not line.startswith("#"):
                name, value = line.rsplit(" ", 1)
                out[name] = float(value)
        return out

    def ctl(self, *args, stdin=None, check=True, limit=LIMIT):
        res = subprocess.run([str(CTL), "-s", str(self.control), *args],
                             input=stdin, capture_output=True, text=True,
                             timeout=limit, check=False)
        if check:
            assert res.returncode == 0, (args, res)
        return res

    def ctl_json(self, *args):
        return json.loads(self.ctl("-j", *args).stdout)

    def socket(self, limit=LIMIT):
        """A raw connection."""
        return certs.wrap(socket.create_connection(
            ("127.0.0.1", self.port), limit))
