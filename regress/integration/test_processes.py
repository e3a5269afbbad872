"""DESIGN: three processes, what each of them holds, how they are confined, and
how they live and die together."""
import contextlib
import json
import os
import pathlib
import pwd
import re
import signal
import subprocess
import time

import leaks
import pytest

from gateway import DAEMON, USER, Folder, Gateway, wait_for
from launch import Process, can_connect, daemon, free_port
from rawhttp import RawHTTP, request
from rawws import RawWS, Refused

ROOT = os.getuid() == 0
as_root = pytest.mark.skipif(not ROOT, reason="only for root")
not_root = pytest.mark.skipif(ROOT, reason="not for root")
CHILDREN = ("engine", "store")


def proc(pid, name):
    return pathlib.Path("/proc/%d/%s" % (pid, name))


def status(pid):
    """/proc/PID/status: name -> text."""
    return dict(line.split(":\t", 1) for line in
                proc(pid, "status").read_text().splitlines() if ":\t" in line)


def all_pids(g):
    return {"parent": g.process.pid, "engine": g.pid_of("engine"),
            "store": g.pid_of("store")}


def title(pid):
    return proc(pid, "cmdline").read_bytes()


# -- who they are ------------------------------------------------------------

def test_processes_with_titles(gateway):
    pids = {**all_pids(gateway), "starter": gateway.pid_of("starter")}
    assert set(gateway.children()) == set(pids.values()) - {pids["parent"]}
    for name, pid in pids.items():
        assert title(pid).split(b"\0")[0] == b"ws-gatewayd: " + name.encode()


def test_no_secret_in_titles_or_environment(start, folder):
    """A DSN may hold a password, the environment anything."""
    path = folder.path / "hush-dsn.db"
    g = start(wait=False, env={
        "DATABASE_PASSWORD": "hush-env", "TZ": "UTC"})
    g.database = ""
    g.flags = ["-C", "-dsn", "file:%s?cache=shared" % path]
    g.start()
    for name, pid in all_pids(g).items():
        assert b"hush" not in title(pid), name
        with contextlib.suppress(PermissionError):
            environ = proc(pid, "environ").read_bytes()
            if name != "parent":
                assert b"hush" not in environ, name


@as_root
def test_identities(gateway):
    entry = pwd.getpwnam(USER)
    for name, pid in all_pids(gateway).items():
        st = status(pid)
        if name == "parent":
            assert st["Uid"].split() == ["0"] * 4
            continue
        assert st["Uid"].split() == [str(entry.pw_uid)] * 4
        assert st["Gid"].split() == [str(entry.pw_gid)] * 4
        assert st["Groups"].split() in ([], [str(entry.pw_gid)])
        for caps in ("CapInh", "CapPrm", "CapEff", "CapAmb"):
            assert int(st[caps], 16) == 0


@not_root
def test_identities_of_a_caller(gateway):
    for pid in all_pids(gateway).values():
        assert status(pid)["Uid"].split() == [str(os.getuid())] * 4


def test_confinement_in_force(gateway):
    for name, pid in all_pids(gateway).items():
        st = status(pid)
        assert st["NoNewPrivs"].strip() == "1", name
        assert st["Seccomp"].strip() == "2", name
        core = [l for l in proc(pid, "limits").read_text().splitlines()
                if l.startswith("Max core file size")] \
            if ROOT else [""]
        assert not core[0] or core[0].split()[4:6] == ["0", "0"], name


def test_not_dumpable(gateway):
    """Memory with tokens in it: for nobody of the same user to read."""
    for name, pid in all_pids(gateway).items():
        if ROOT:
            assert proc(pid, "mem").stat().st_uid == 0, name
        else:
            with pytest.raises(PermissionError):
                open(proc(pid, "mem"), "rb").close()
            with pytest.raises(PermissionError):
                os.listdir(proc(pid, "fd"))


@as_root
def test_engine_has_no_files(gateway):
    engine = gateway.pid_of("engine")
    root = os.readlink(proc(engine, "root"))
    # The search for leaks of a sanitizer build has its one folder there.
    root_seen = os.listdir("/proc/%d/root" % engine)
    assert root != "/" and root_seen == (["proc"] if leaks.prepared else [])
    st = os.stat(root)
    assert st.st_uid == 0 and st.st_mode & 0o022 == 0
    assert os.readlink(proc(engine, "cwd")) == root


def descriptors(pid):
    """fd -> what it is, flags."""
    out = {}
    for fd in os.listdir(proc(pid, "fd")):
        with contextlib.suppress(FileNotFoundError):
            flags = proc(pid, "fdinfo/" + fd).read_text()
            out[int(fd)] = (os.readlink(proc(pid, "fd/" + fd)),
                            int(re.search(r"flags:\s+(\d+)", flags)[1], 8))
    return out


def listening(port):
    """The inodes of the sockets that listen on PORT."""
    out = set()
    for line in pathlib.Path("/proc/net/tcp").read_text().splitlines()[1:]:
        f = line.split()
        if f[3] == "0A" and int(f[1].rsplit(":", 1)[1], 16) == port:
            out.add("socket:[%s]" % f[9])
    return out


@as_root
def test_descriptors(gateway):
    """Each holds its own things and nothing of the others."""
    assert gateway.ctl("token", "add", "-p", "5").returncode == 0
    listeners = listening(gateway.port)
    assert listeners
    for name, pid in all_pids(gateway).items():
        fds = descriptors(pid)
        names = {what for what, _ in fds.values()}
        for fd, (what, flags) in fds.items():
            assert fd <= 2 or flags & os.O_CLOEXEC, (name, fd, what)
        if name != "parent":
            assert fds[0][0] == fds[1][0] == "/dev/null"
            assert sum(fd > 2 and what == "/dev/null" for fd, (what, _)
                       in fds.items()) == 0
        assert bool(listeners & names) == (name == "engine")
        assert (str(gateway.db) in names) == (name == "store")
        own = "/proc/%d/" % pid
        files = {what for fd, (what, _) in fds.items()
                 if fd > 2 and what.startswith("/") and
                 not what.startswith(own)}
        assert files <= ({str(gateway.db), str(gateway.db) + "-journal"}
                         if name == "store" else set()), (name, files)


@as_root
def test_descriptors_of_the_caller_stay_with_it(start):
    """What someone forgot to close is not for a daemon to keep."""
    g = start(wait=False)
    r, w = os.pipe()
    os.set_inheritable(w, True)
    g.command = lambda: ["sh", "-c", 'exec "$0" "$@"', str(DAEMON), "-f",
                         str(g.conf)]
    popen = subprocess.Popen

    def keep(*args, **kw):
        return popen(*args, close_fds=False, **kw)
    subprocess.Popen = keep
    try:
        g.start()
    finally:
        subprocess.Popen = popen
    os.close(w)
    pipe = os.readlink("/proc/self/fd/%d" % r)
    for name, pid in all_pids(g).items():
        assert pipe not in {what for what, _ in descriptors(pid).values()}, \
            name
    os.close(r)


@as_root
def test_the_starter_has_nothing(gateway):
    """It can't be confined as those are whom it starts: so it holds nothing,
    and of root's powers what a store needs to open its database."""
    starter = gateway.pid_of("starter")
    fds = descriptors(starter)
    kinds = re.compile("/dev/null|socket:|pipe:|anon_inode:|/proc/%d/|%s" % (
        starter, re.escape(str(gateway.dir / "stderr"))))
    assert all(kinds.match(what) for what, _ in fds.values()), fds
    assert not listening(gateway.port) & {what for what, _ in fds.values()}
    assert len([w for w, _ in fds.values() if w.startswith("socket:")]) <= 3
    st = status(starter)
    assert st["NoNewPrivs"].strip() == "1"
    powers = {0, 1, 2, 3, 5, 6, 7}      # of capability.h, CHOWN to SETUID
    allowed = sum(1 << n for n in powers)
    for caps in ("CapPrm", "CapEff", "CapBnd"):
        assert int(st[caps], 16) & ~allowed == 0, caps
    assert int(st["CapInh"], 16) == int(st["CapAmb"], 16) == 0
    # Nobody else reads from it, or from its memory.
    assert proc(starter, "mem").stat().st_uid == 0


# -- how they die ------------------------------------------------------------

@pytest.mark.parametrize("child", (*CHILDREN, "starter"))
@pytest.mark.parametrize("sig", ["KILL", "ABRT", "SYS"])
def test_killed_child_ends_all(start, folder, connect, child, sig):
    g = start('pid file "%s"\nlisten on "unix:%s"' % (
        folder.path / "p", folder.path / "s"))
    g.expect_exit = 1
    ws = connect(g, g.fresh()[0])
    others = [Process(pid) for pid in g.children()]
    number = getattr(signal, "SIG" + sig)
    os.kill(g.pid_of(child), number)
    if child != "engine":       # which can still say good-bye
        assert ws.recv_close()[0] == 1001
        ws.close()
    assert g.wait_exit() == 1
    for p in others:
        assert p.wait(), "a child was left behind"
        p.close()
    line = [l for l in g.log() if l.get("signal")][0]
    assert line["level"] == "error"
    assert line["child"] == child and line["signal"] == "SIG" + sig
    assert child in line["msg"] and "SIG" + sig in line["msg"]
    assert ("sandbox violation" in line["msg"]) == (sig == "SYS")
    assert not any((folder.path / n).exists() for n in
                   ("p", "s", "control.sock"))


def test_killed_parent_takes_its_children_along(start):
    g = start()
    g.expect_exit = -signal.SIGKILL
    children = [Process(pid) for pid in g.children()]
    g.signal(signal.SIGKILL)
    for p in children:
        assert p.wait(), "a child was left behind"
        p.close()
    assert not can_connect("127.0.0.1", g.port)


def test_children_leave_signals_to_the_parent(gateway, connect):
    """As ^C on a terminal sends them, to the whole group."""
    ws = connect(gateway, "p1")
    for pid in gateway.children():
        for sig in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP,
                    signal.SIGUSR1):
            os.kill(pid, sig)
    ws.settle()
    assert gateway.request("GET", "/readyz")[0] == 200


# -- the proofs of confinement -----------------------------------------------

def probes():
    res = daemon("-selftest", "engine", "?")
    assert res.returncode == 2
    return res.stderr.split("probes: ")[1].split()


@pytest.mark.parametrize("role", ["parent", *CHILDREN])
def test_confined_processes_can_not(role, folder):
    """Each attempt ends in an error, or in the end of the process."""
    names = probes()
    for wanted in ("open", "create", "unlink", "socket", "connect", "bind",
                   "fork", "exec", "ptrace", "kill", "chroot", "setuid",
                   "mmap-exec"):
        assert wanted in names
    for name in names:
        if (role, name) == ("parent", "kill"):
            continue            # it has children to end
        keep = ["/var/empty"] if role == "engine" and ROOT and \
            os.path.isdir("/var/empty") else [folder.path]
        if role == "engine" and keep == [folder.path]:
            keep = []
        res = daemon("-selftest", role, name, *keep)
        assert res.returncode in (0, -signal.SIGSYS), (role, name, res)
        if name in ("fork", "exec", "ptrace", "chroot", "setuid",
                    "mmap-exec"):
            assert res.returncode == -signal.SIGSYS, (role, name, res)


@pytest.mark.parametrize("role", ["store", "parent"])
def test_what_is_kept_can_be_used(role):
    """A proof that the proofs are none by accident: the same attempt works
    where the folder is kept."""
    res = daemon("-selftest", role, "open", "/etc")
    assert res.returncode == 1, res


def test_selftest_usage():
    assert daemon("-selftest").returncode == 2
    assert daemon("-selftest", "nobody", "open").returncode == 2


def test_hidden_mode_by_hand():
    for name in (*CHILDREN, "starter", "other"):
        res = daemon("-proc", name)
        assert res.returncode == 1 and "parent process" in res.stderr


# -- stopping: CONTRACT 8 ----------------------------------------------------

@pytest.mark.parametrize("sig", ["TERM", "INT"])
def test_stop(start, folder, connect, sig):
    g = start('pid file "%s"\nlisten on "unix:%s"' % (
        folder.path / "p", folder.path / "s"))
    players = [connect(g, g.fresh()[0]) for _ in range(20)]
    began = time.monotonic()
    g.signal(getattr(signal, "SIG" + sig))
    for ws in players:
        assert ws.recv_close() == (1001, "going away")
        ws.send(8, b"\x03\xe9")
    for ws in players:
        assert ws.at_eof()
    assert g.wait_exit() == 0
    assert time.monotonic() - began < 5
    assert not any((folder.path / n).exists() for n in
                   ("p", "s", "control.sock"))
    text = [l["msg"] for l in g.log()]
    assert "stopping: SIG" + sig in text and text[-1] == "stopped"


def test_stop_waits_for_a_request_that_runs(start):
    """One that was sent is answered, one that never ends is not awaited."""
    g = start()
    with RawHTTP(g) as idle, RawHTTP(g) as half:
        idle.ask(request("GET", "/healthz"))
        half.send(b"GET /healthz HTTP/1.1\r\n")
        began = time.monotonic()
        g.signal(signal.SIGTERM)
        assert idle.closed()
        assert g.wait_exit() == 0
        assert time.monotonic() - began < 5


def test_stop_in_spite_of_everything(connect):
    """A stuck engine, a stuck store, players who don't answer: within 5 s, one
    beside the other."""
    with contextlib.ExitStack() as stack:
        daemons = []
        for stuck in ("engine", "store", "starter", None):
            f = Folder()
            stack.callback(f.remove)
            g = Gateway(f, 'pid file "%s"' % (f.path / "p"))
            stack.callback(g.check)
            g.start()
            token, _ = g.fresh()
            connect(g, token)
            daemons.append((g, stuck))
        for g, stuck in daemons:
            if stuck is not None:
                os.kill(g.pid_of(stuck), signal.SIGSTOP)
        began = time.monotonic()
        for g, _ in daemons:
            g.signal(signal.SIGTERM)
            g.signal(signal.SIGTERM)
        for g, stuck in daemons:
            assert g.wait_exit() == 0, stuck
            assert time.monotonic() - began < 5, stuck
            assert not (g.dir / "p").exists() and not g.control.exists()
            if stuck is not None:
                assert any("%s took too long" % stuck in l["msg"]
                           for l in g.log())


# -- reloading ---------------------------------------------------------------

def reload(g, settings):
    """Write the file again and say so; returns once it is in force."""
    g.settings = settings
    g.write_conf()
    g.signal(signal.SIGHUP)
    lines = {line.strip() for line in settings.splitlines()
             if line.startswith(("\t", "log level"))}
    wait_for(lambda: lines <= {x.strip() for x in g.ctl(
        "show", "config").stdout.splitlines()}, "the engine has it")


def test_reload(gateway, connect):
    g = gateway
    first = connect(g, "p1")
    assert connect(g, "p1")
    reload(g, 'origins {\n\t"http://a.example"\n}\n'
           'players {\n\tmax-connections 2\n}\n'
           'publishers {\n\trate-limit 3\n\trate-period 1h\n}\n'
           'queue {\n\tttl 100ms\n}\n'
           'log level warn')
    with pytest.raises(Refused) as refused:
        RawWS.connect(g, "p1")
    assert refused.value.status == 429
    with pytest.raises(Refused) as refused:
        RawWS.connect(g, "p21")
    assert refused.value.status == 403
    connect(g, "p21", headers=["Origin: http://a.example"]).close()
    for _ in range(3):
        assert g.publish("9", "e", 1)["queued"] == 1
    assert g.post("/publish", {"player_id": "9", "event": "e"})[0] == 429
    wait_for(lambda: g.metrics()["ws_messages_expired_total"] == 3, "expiry")
    mark = len(g.log())
    connect(g, "p21", headers=["Origin: http://a.example"]).close()
    # Who is here stays, and the log has nothing of it.
    first.settle()
    assert not [l for l in g.log()[mark:] if l["level"] == "info"]


def test_reload_of_a_bad_file_changes_nothing(gateway, connect):
    g = gateway
    before = g.ctl("show", "config").stdout
    good = g.conf.read_text()
    mark = len(g.log())
    g.conf.write_text(good + "players { max-connections 1 }\nnonsense here\n")
    g.signal(signal.SIGHUP)
    g.wait_log(lambda l: "not reloaded" in l["msg"], start=mark)
    line = len(good.splitlines()) + 2
    assert any("%s:%d: " % (g.conf, line) in l["msg"] and
               l["level"] == "error" for l in g.log()[mark:])
    assert g.ctl("show", "config").stdout == before
    assert connect(g, "p1") and connect(g, "p1")
    # A file that is gone is no reason to stop, either.
    g.conf.unlink()
    mark = len(g.log())
    g.signal(signal.SIGHUP)
    g.wait_log(lambda l: "not reloaded" in l["msg"], start=mark)
    assert g.ctl("show", "config").stdout == before
    # And the next good one is taken.
    g.conf.write_text(good)
    g.signal(signal.SIGHUP)
    g.wait_log(lambda l: l["msg"] == "configuration reloaded", start=mark)


def test_reload_says_what_takes_a_restart(gateway):
    g = gateway
    g.listen = "127.0.0.1:1"
    reload(g, 'pid file "/nonexistent/x.pid"\ndaemonize yes\n'
           "publishers {\n\trate-limit 1\n}")
    line = g.wait_log(lambda l: "restart is needed" in l["msg"])
    for name in ("listen", "pid file", "daemonize"):
        assert name in line["msg"]
    assert g.request("GET", "/readyz")[0] == 200
    out = g.ctl("show", "config").stdout
    assert "nonexistent" not in out and '"127.0.0.1:1"' not in out
    assert "daemonize no" in out


def test_flags_win_after_a_reload_too(start):
    g = start("players {\n\tmax-connections 2\n}", flags=["-max-conns", "7"])
    g.settings = "players {\n\tmax-connections 3\n}\nqueue {\n\tttl 77s\n}"
    g.write_conf()
    g.signal(signal.SIGHUP)
    wait_for(lambda: "ttl 1m17s" in g.ctl("show", "config").stdout, "reload")
    assert "max-connections 7" in g.ctl("show", "config").stdout


# -- the log -----------------------------------------------------------------

def test_log_rotation(start, folder):
    path, old = folder.path / "d.log", folder.path / "d.log.0"
    g = start(wait=False)
    g.flags = ["-log-file", "d.log"]        # from the working directory
    g.launch()
    wait_for(lambda: path.exists() and '"started"' in path.read_text(),
             "start")
    assert (folder.path / "stdout").read_text() == ""
    for _ in range(2):
        path.rename(old)
        before = old.read_text()
        g.signal(signal.SIGUSR1)
        wait_for(lambda: path.exists() and "reopened" in path.read_text(),
                 "new file")
        assert old.read_text() == before
    assert path.stat().st_mode & 0o777 == 0o640
    # A folder that takes no file keeps the old one in use.
    path.unlink()
    path.mkdir()
    g.signal(signal.SIGUSR1)
    g.signal(signal.SIGHUP)
    wait_for(lambda: g.process.poll() is None, "goes on")
    assert g.ctl("show", "stats").returncode == 0
    path.rmdir()
    g.signal(signal.SIGUSR1)
    wait_for(lambda: path.exists() and "reopened" in path.read_text(),
             "new file")
    assert g.stop() == 0
    for line in path.read_text().splitlines():
        json.loads(line)
    assert '"stopped"' in path.read_text()


def test_log_is_appended(start, folder):
    path = folder.path / "d.log"
    path.write_text("kept\n")
    folder.own(path)
    g = start('log file "%s"' % path, wait=False).launch()
    wait_for(lambda: '"started"' in path.read_text(), "start")
    assert path.read_text().startswith("kept\n{")
    assert g.stop() == 0


def start_without_log(g, **kw):
    """Where the log can't be read: wait for the port."""
    port = free_port()
    g.listen = "127.0.0.1:%d" % port
    g.port = port
    g.write_conf()
    g.stderr = open(g.dir / "stderr", "ab")
    g.stdout = kw.pop("stdout", None) or open(g.dir / "stdout", "ab")
    g.process = subprocess.Popen(g.command(), cwd=g.dir, stdout=g.stdout,
                                 stdin=subprocess.DEVNULL, stderr=g.stderr)
    wait_for(lambda: g.process.poll() is not None or
             can_connect("127.0.0.1", port), "listens")
    return g


def test_log_into_a_pipe_that_nobody_reads(start, connect):
    """More than the pipe, the parent's buffer and the sockets hold; then it is
    read after all, and says how much was lost."""
    g = start("log level trace\npublishers { rate-limit 0 }", wait=False)
    g.add_token("s1", server=True)
    token, player = g.fresh()
    r, w = os.pipe()
    start_without_log(g, stdout=os.fdopen(w, "wb"))
    g.stdout.close()
    ws = connect(g, token)
    body = json.dumps({"player_id": player, "event": "e" * 60})
    req = request("POST", "/publish", body.encode(),
                  ["Authorization: Bearer s1"])
    with RawHTTP(g) as http:
        worst = 0
        for _ in range(100):
            began = time.monotonic()
            http.send(req * 30)
            for _ in range(30):
                assert http.response().status == 200
            for _ in range(30):
                ws.recv_text()
            worst = max(worst, time.monotonic() - began)
    assert worst < 5
    assert g.request("GET", "/readyz")[0] == 200
    os.set_blocking(r, False)
    text = b""

    def lost():
        nonlocal text
        with contextlib.suppress(BlockingIOError):
            while True:
                text += os.read(r, 1 << 16)
        return b"log lines were lost" in text
    wait_for(lost, "what was lost is told")
    for line in text.split(b"\n")[:-1]:
        json.loads(line)
    os.close(r)
    # Without a reader at all: EPIPE and SIGPIPE are no reason to end.
    g.publish(player, "again")
    assert "again" in ws.recv_text()


def test_log_into_a_full_disk(start, connect):
    """/dev/full, which takes nothing, ever."""
    g = start("log level trace\npublishers { rate-limit 0 }", wait=False)
    g.flags = ["-log-file", "/dev/full"]
    g.add_token("s1", server=True)
    token, player = g.fresh()
    start_without_log(g)
    ws = connect(g, token)
    for i in range(200):
        g.publish(player, "e", i)
        assert json.loads(ws.recv_text())["payload"] == i
    g.signal(signal.SIGHUP)
    g.publish(player, "e", "end")
    assert "end" in ws.recv_text()


@not_root
def test_log_says_that_root_is_missing(gateway):
    assert any("not started as root" in l["msg"] for l in gateway.log())


def test_log_has_no_token(gateway, connect):
    """Neither when it is good nor when it is bad, at any level."""
    gateway.ctl("log", "trace")
    gateway.add_token("hush-player", 77, subject="s")
    gateway.add_token("hush-server", subject="t", server=True)
    connect(gateway, "hush-player").close()
    with pytest.raises(Refused):
        RawWS.connect(gateway, "hush-wrong")
    gateway.publish("77", "e", token="hush-server")
    gateway.post("/publish", {}, token="hush-other")
    gateway.ctl("token", "revoke", "hush-player")
    gateway.stop()
    assert "hush-" not in (gateway.dir / "stdout").read_text()
