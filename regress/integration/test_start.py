"""The start: every refusal names the thing, the reason and the remedy, with
exit code 1 and before anything is detached; what is stale is replaced; and
when "-daemon" returns 0, the daemon serves."""
import json
import os
import pathlib
import pwd
import shutil
import signal
import socket
import sqlite3
import subprocess

import pytest

from gateway import CTL, DAEMON, SANDBOX, USER, Gateway, wait_for
from launch import (Background, assert_refused, can_connect, daemon,
                    free_port)
from rawws import RawWS

ROOT = os.getuid() == 0
as_root = pytest.mark.skipif(not ROOT, reason="only for root")
not_root = pytest.mark.skipif(ROOT, reason="root may do it")


@pytest.fixture
def refuse(folder):
    """refuse(settings, words...): by a daemon in the foreground and by one
    that was to go into the background, which leaves no process behind."""
    def run(words, settings="", **kw):
        g = Gateway(folder, settings, **kw)
        g.write_conf()
        before = sorted(os.listdir(folder.path))
        for mode in (["-d"], ["-daemon"]):
            assert_refused(daemon("-f", g.conf, *g.flags, *mode, "-log-file",
                                  "refused.log", cwd=folder.path), *words)
            # What it said, it also wrote into the log.
            log = folder.path / "refused.log"
            if log.exists():
                last = json.loads(log.read_text().splitlines()[-1])
                assert all(w in last["msg"] for w in words), last
                log.unlink()
        left = sorted(os.listdir(folder.path))
        assert left == before

    return run


# -- refusals ----------------------------------------------------------------

def test_port_in_use(refuse):
    with socket.create_server(("127.0.0.1", 0)) as s:
        address = "127.0.0.1:%d" % s.getsockname()[1]
        refuse([address, "another program listens", "choose another port"],
               listen=address)


def test_second_port_in_use(refuse):
    """The first one that was bound is let go."""
    with socket.create_server(("127.0.0.1", 0)) as s:
        port = free_port()
        refuse(["another program listens"],
               'listen on "127.0.0.1:%d"' % s.getsockname()[1],
               listen="127.0.0.1:%d" % port)
        assert not can_connect("127.0.0.1", port)


def test_name_that_is_none(refuse):
    refuse(["no-such-host.invalid:8080", "check the name"],
           listen="no-such-host.invalid:8080")


def test_address_of_another_machine(refuse):
    refuse(["192.0.2.1:8080", "not an address of this machine"],
           listen="192.0.2.1:8080")


@not_root
def test_low_port(refuse):
    limit = pathlib.Path("/proc/sys/net/ipv4/ip_unprivileged_port_start")
    if int(limit.read_text()) <= 80:
        pytest.skip("low ports are for all here")
    refuse(["127.0.0.1:80", "permission denied", "1023"],
           listen="127.0.0.1:80")


def test_database_missing(refuse, folder):
    refuse([str(folder.path / "tokens.db"), "is missing", "-C",
            "ws-gatewayctl token add"], create_db=False)


def test_database_missing_without_any_configuration(folder):
    """The first minute: started with nothing."""
    if os.path.exists("/etc/ws-gatewayd.conf"):
        pytest.skip("/etc/ws-gatewayd.conf would be read")
    res = daemon("-addr", "127.0.0.1:0", cwd=folder.path)
    assert_refused(res, str(folder.path / "ws_tokens.db"), "is missing", "-C",
                   "ws-gatewayctl token add")


def test_database_is_none(refuse, folder):
    (folder.path / "tokens.db").write_text("this is a text file\n" * 1000)
    folder.own(folder.path / "tokens.db")
    refuse([str(folder.path / "tokens.db"), "no SQLite database"],
           create_db=False)


def test_database_is_a_folder(refuse, folder):
    (folder.path / "tokens.db").mkdir()
    refuse([str(folder.path / "tokens.db"), "no regular file"],
           create_db=False)


def test_folder_of_database_missing(refuse, folder):
    path = folder.path / "no" / "tokens.db"
    for create in ("", " create"):
        refuse([str(folder.path / "no"), "missing"],
               database='database sqlite "%s"%s' % (path, create),
               create_db=False)


@not_root
def test_database_unreadable(refuse, folder):
    g = Gateway(folder)
    os.chmod(g.db, 0)
    refuse([str(g.db), "ermission denied"])


@as_root
def test_database_that_only_root_can_open(start):
    """It is opened before root is dropped: that works, and what will not work
    later is said now."""
    g = start(wait=False)
    g.add_token("tok", 5)
    os.chmod(g.db, 0)
    os.chown(g.db, 0, 0)
    g.start()
    RawWS.connect(g, "tok").close()
    warning = [l["msg"] for l in g.log() if l["level"] == "warn"]
    assert any(str(g.db) in m and "user %s" % USER in m and "read" in m
               for m in warning), warning


@not_root
def test_folder_not_writable_to_create(refuse, folder):
    inner = folder.path / "closed"
    inner.mkdir(mode=0o500)
    refuse([str(inner / "tokens.db"), "ermission denied"],
           database='database sqlite "%s" create' % (inner / "tokens.db"),
           create_db=False)


@as_root
def test_user_missing(refuse):
    refuse(["user _no_such_user", "does not exist", "useradd"],
           'user "_no_such_user"', create_db=True)


@as_root
def test_user_is_root(refuse):
    refuse(["user root", "choose another"], 'user "root"')


@as_root
def test_chroot_that_others_own(refuse, folder):
    inner = folder.path / "chroot"
    inner.mkdir()
    folder.own(inner)
    refuse(["chroot %s" % inner, "owned by root", "chown"],
           'chroot "%s"' % inner)


def test_pid_file_of_a_live_process(refuse, folder):
    pid_file = folder.path / "d.pid"
    pid_file.write_text("%d\n" % os.getppid())
    refuse([str(pid_file), "process %d is running" % os.getppid(), "stop it"],
           'pid file "%s"' % pid_file)
    assert pid_file.read_text() == "%d\n" % os.getppid()


def test_pid_file_of_a_second_daemon(start, folder):
    first = start('pid file "%s"' % (folder.path / "d.pid"))
    res = daemon("-f", first.conf)
    assert_refused(res, str(folder.path / "d.pid"),
                   "process %d is running" % first.process.pid)
    assert (folder.path / "d.pid").read_text() == \
        "%d\n" % first.process.pid


def test_pid_file_in_no_folder(refuse, folder):
    refuse([str(folder.path / "no" / "d.pid"), "create its folder"],
           'pid file "%s"' % (folder.path / "no" / "d.pid"))


def test_pid_file_is_a_link(refuse, folder):
    """Nobody gets to choose which file root writes to."""
    target = folder.path / "target"
    target.write_text("keep\n")
    (folder.path / "d.pid").symlink_to(target)
    refuse([str(folder.path / "d.pid"), "symbolic link"],
           'pid file "%s"' % (folder.path / "d.pid"))
    assert target.read_text() == "keep\n"


def test_log_file_in_no_folder(folder):
    g = Gateway(folder)
    g.write_conf()
    for mode in ("-d", "-daemon"):
        assert_refused(daemon("-f", g.conf, "-log-file", "no/x.log", mode,
                              cwd=folder.path),
                       "log file %s" % (folder.path / "no" / "x.log"),
                       "create its folder")


def test_live_unix_socket(refuse, folder):
    path = str(folder.path / "http.sock")
    with socket.socket(socket.AF_UNIX) as s:
        s.bind(path)
        s.listen()
        refuse([path, "another process listens"], 'listen on "unix:%s"' % path)
    assert os.path.exists(path)


def test_live_control_socket(refuse, folder):
    path = str(folder.path / "control.sock")
    with socket.socket(socket.AF_UNIX) as s:
        s.bind(path)
        s.listen()
        refuse(["control socket", path, "another process listens"])


def test_file_in_the_way_of_a_socket(refuse, folder):
    path = folder.path / "http.sock"
    path.write_text("keep\n")
    refuse([str(path), "no socket"], 'listen on "unix:%s"' % path)
    assert path.read_text() == "keep\n"


def test_group_of_a_socket_missing(refuse, folder):
    refuse(["group _no_such_group"], 'listen on "unix:%s" group '
           '"_no_such_group"' % (folder.path / "http.sock"))


def test_mysql_unreachable(refuse, folder):
    """Named by its address, never by its password."""
    dsn = "user:hush@tcp(127.0.0.1:1)/tokens"
    refuse(["tokens", "127.0.0.1:1", "can't be reached"],
           database='database mysql "%s"' % dsn)
    res = daemon("-f", "/dev/null", "-addr", "127.0.0.1:0", "-db", "mysql",
                 "-dsn", dsn, "-log-file", "l", cwd=folder.path)
    assert_refused(res, "can't be reached")
    assert "hush" not in res.stderr + (folder.path / "l").read_text()


def test_bad_configuration(folder):
    g = Gateway(folder, "playres {\n}\n")
    g.write_conf()
    line = g.conf.read_text().splitlines().index("playres {") + 1
    for mode in ("-d", "-daemon"):
        res = daemon("-f", g.conf, mode)
        assert res.returncode == 1
        assert res.stderr.startswith("ws-gatewayd: %s:%d: " % (g.conf, line))


# -- what is stale is replaced -----------------------------------------------

def dead_pid():
    """The pid of a process that is no more."""
    with subprocess.Popen(["true"]) as p:
        pass
    return p.pid


@pytest.mark.parametrize("content", [
    "dead", "", "garbage\n", "-1\n", "0\n", "99999999999999999999\n",
    "\0\0\0\0", "a long text\n" * 10000], ids=lambda text: text[:8])
def test_stale_pid_file(start, folder, content):
    pid_file = folder.path / "d.pid"
    pid_file.write_text("%d\n" % dead_pid() if content == "dead" else content)
    g = start('pid file "%s"' % pid_file)
    assert pid_file.read_text() == "%d\n" % g.process.pid
    assert g.stop() == 0
    assert not pid_file.exists()


def test_stale_sockets(start, folder):
    """As kill -9 leaves them."""
    path = folder.path / "http.sock"
    settings = 'listen on "unix:%s"\npid file "%s"' % (
        path, folder.path / "d.pid")
    first = start(settings)
    first.expect_exit = -signal.SIGKILL
    first.process.kill()
    first.wait_exit()
    assert path.exists() and first.control.exists()
    assert (folder.path / "d.pid").exists()
    # Its children may be there for a moment, with the listening sockets.
    def gone():
        s = socket.socket(socket.AF_UNIX)
        try:
            s.connect(str(path))
        except ConnectionRefusedError:
            return True
        finally:
            s.close()
        return False
    wait_for(gone, "the children have gone")
    (folder.path / "stdout").unlink()
    second = start(settings)
    with socket.socket(socket.AF_UNIX) as s:
        s.connect(str(path))
        s.sendall(b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n")
        assert s.recv(100).startswith(b"HTTP/1.1 200 ")
    assert second.stop() == 0
    assert not path.exists() and not second.control.exists()


def test_only_own_socket_is_removed(start, folder):
    path = folder.path / "http.sock"
    g = start('listen on "unix:%s"' % path)
    path.unlink()
    with socket.socket(socket.AF_UNIX) as other:
        other.bind(str(path))
        assert g.stop() == 0
        assert path.exists()


def test_unix_listener_mode(start, folder):
    path = folder.path / "http.sock"
    start('listen on "unix:%s" mode 0606' % path)
    assert path.stat().st_mode & 0o777 == 0o606


# -- creating the database ---------------------------------------------------

@pytest.mark.parametrize("how", ["-C", "create"])
def test_create(start, folder, how):
    path = folder.path / "new.db"
    g = start(flags=["-C"] if how == "-C" else [], create_db=False,
              database='database sqlite "%s"%s' % (
                  path, " create" if how == "create" else ""))
    g.db = path
    assert g.request("GET", "/readyz")[0] == 200
    g.add_token("tok", 5)
    ws = RawWS.connect(g, "tok")
    ws.close()
    con = sqlite3.connect(path)
    assert con.execute("SELECT name FROM sqlite_master WHERE type = 'index' "
                       "AND name = 'idx_ws_token_server_exp'").fetchone()
    con.close()
    st = path.stat()
    assert st.st_mode & 0o007 == 0
    assert ROOT is False or st.st_uid != 0


def test_create_keeps_what_is_there(start):
    g = start(flags=["-C"], wait=False)
    g.add_token("tok", 5)
    g.start()
    RawWS.connect(g, "tok").close()


def test_table_may_come_later(start, folder):
    """The daemon starts, says what is missing, and is well when it's made."""
    sqlite3.connect(folder.path / "tokens.db").execute(
        "CREATE TABLE other (x)").connection.close()
    folder.own(folder.path / "tokens.db")
    g = start(create_db=False)
    assert g.request("GET", "/readyz")[0] == 503
    assert any("ws_token" in l["msg"] and l["level"] == "warn"
               for l in g.log())
    g.make_db()
    g.add_token("tok", 5)
    RawWS.connect(g, "tok").close()
    wait_for(lambda: g.request("GET", "/readyz")[0] == 200, "ready")


# -- into the background -----------------------------------------------------

def test_background(folder):
    """Relative paths are those of the caller's working directory; at the
    moment that the caller gets its 0, all is there and answers."""
    port = free_port()
    (folder.path / "etc").mkdir()
    (folder.path / "var").mkdir()
    folder.own(folder.path / "var")
    (folder.path / "etc" / "c.conf").write_text(
        'listen on "127.0.0.1:%d"\ncontrol "%s"\nsandbox %s\n%s'
        'database sqlite "var/t.db" create\npid file "var/d.pid"\n'
        'log file "var/d.log"\n' % (
            port, folder.path / "c.sock", SANDBOX,
            'user "%s"\n' % USER if ROOT else ""))
    with Background("var/d.pid", "-f", "etc/c.conf", "-daemon",
                    cwd=folder.path) as b:
        assert can_connect("127.0.0.1", port)
        pid = b.process.pid
        assert b.pid_text == "%d\n" % pid
        proc = pathlib.Path("/proc/%d" % pid)
        # A session of its own, no terminal, nothing of the caller's.
        stat = (proc / "stat").read_text().rsplit(")", 1)[1].split()
        assert int(stat[3]) == pid and int(stat[4]) == 0
        if ROOT:                # or /proc does not tell
            assert os.readlink(proc / "cwd") == "/"
            for fd in "012":
                assert os.readlink(proc / "fd" / fd) == "/dev/null"
        lines = [json.loads(l) for l in
                 (folder.path / "var" / "d.log").read_text().splitlines()]
        started = [l for l in lines if l["msg"] == "started"]
        assert started and started[0]["pid"] == pid
        assert (folder.path / "var" / "t.db").exists()
        # The configuration is found again from "/".
        conf = folder.path / "etc" / "c.conf"
        conf.write_text(conf.read_text() + "log level error\n")
        b.process.signal(signal.SIGHUP)
        wait_for(lambda: "configuration reloaded" in
                 (folder.path / "var" / "d.log").read_text() or
                 b"level error" in config(folder), "reload")
        b.stop()
        for name in ("var/d.pid", "c.sock"):
            assert not (folder.path / name).exists()
        assert not can_connect("127.0.0.1", port)


def config(folder):
    return subprocess.run([str(CTL), "-s", str(folder.path / "c.sock"),
                           "show", "config"], capture_output=True,
                          check=False).stdout


def test_foreground_flag_wins(start, folder):
    g = start("daemonize yes", flags=["-d"])
    assert g.process.poll() is None
    assert g.request("GET", "/healthz")[0] == 200


def test_closed_standard_descriptors(folder):
    """What it opens must not become its standard output."""
    g = Gateway(folder, 'log file "%s"\npid file "%s"' % (
        folder.path / "l", folder.path / "p"), listen="127.0.0.1:%d" %
        free_port())
    g.write_conf()
    res = subprocess.run(["sh", "-c", 'exec "$0" "$@" <&- >&- 2>&-', DAEMON,
                          "-f", g.conf, "-daemon"], cwd=folder.path,
                         timeout=20, check=False)
    assert res.returncode == 0
    pid = int((folder.path / "p").read_text())
    try:
        with socket.create_connection(("127.0.0.1", int(
                g.listen.rsplit(":", 1)[1]))) as s:
            s.sendall(b"GET /healthz HTTP/1.0\r\n\r\n")
            assert s.recv(100).startswith(b"HTTP/1.")
        assert (folder.path / "p").read_text() == "%d\n" % pid
        for line in (folder.path / "l").read_text().splitlines():
            json.loads(line)
    finally:
        os.kill(pid, signal.SIGTERM)
        wait_for(lambda: not (folder.path / "p").exists(), "stopped")


def test_by_name_in_path(folder, start):
    """Started as a shell does: the children are found all the same."""
    g = start(wait=False)
    g.command = lambda: ["sh", "-c",
                         'cd / && PATH=%s exec ws-gatewayd -f "$0"' %
                         DAEMON.parent, str(g.conf)]
    g.launch()
    g.wait_log(lambda l: l.get("msg") == "started")


@as_root
def test_syslog(folder):
    """As a daemon without a log file."""
    if os.path.exists("/dev/log"):
        pytest.skip("the system has a syslog")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as log:
        log.settimeout(20)
        log.bind("/dev/log")
        try:
            os.chmod("/dev/log", 0o666)
            g = Gateway(folder, 'pid file "%s"' % (folder.path / "p"))
            g.write_conf()
            with Background("p", "-f", g.conf, "-daemon", cwd=folder.path) \
                    as b:
                mark = "ws-gatewayd[%d]: " % b.process.pid
                texts = []
                while not any('"started"' in t for t in texts):
                    text = log.recv(65536).decode()
                    if mark in text:
                        texts.append(text)
                assert all(t.startswith("<") for t in texts)
                json.loads(texts[-1].split(mark, 1)[1])
        finally:
            os.unlink("/dev/log")


# -- without root ------------------------------------------------------------

@not_root
def test_without_root_says_so(start):
    g = start()
    assert any(l["level"] == "warn" and "not started as root" in l["msg"]
               for l in g.log())


@as_root
def test_dropped_caller_says_so(folder):
    """The same for root's tests: started by an ordinary user."""
    if shutil.which("setpriv") is None:
        pytest.skip("no setpriv")
    nobody = pwd.getpwnam("nobody")
    reachable = subprocess.run(
        ["setpriv", "--reuid=%d" % nobody.pw_uid, "--clear-groups", "test",
         "-x", DAEMON], check=False).returncode == 0
    if not reachable:
        pytest.skip("nobody can't reach the build")
    g = Gateway(folder, "", create_db=False, listen="127.0.0.1:0",
                database='database sqlite "%s" create' %
                (folder.path / "n.db"))
    os.chown(folder.path, nobody.pw_uid, nobody.pw_gid)
    g.command = lambda: ["setpriv", "--reuid=%d" % nobody.pw_uid,
                         "--regid=%d" % nobody.pw_gid, "--clear-groups",
                         str(DAEMON), "-f", str(g.conf)]
    g.start()
    assert any("not started as root" in l["msg"] for l in g.log())
    g.check()


def test_sandbox_modes(start):
    """What is in force is in the log; "off" says that nothing is."""
    g = start("sandbox off")
    started = [l for l in g.log() if l["msg"] == "started"][0]
    assert started["sandbox"] == "none"
    assert g.request("GET", "/healthz")[0] == 200
