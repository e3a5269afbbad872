"""What is out of reach of a confined process, seen from outside: its view of
the file system, whom it may signal, and what secrets are in its memory."""
import contextlib
import os
import pathlib
import re
import signal
import stat

import leaks
import pytest

from launch import daemon
from mariadb import PASSWORD
from test_processes import all_pids

ROOT = os.getuid() == 0
# Whoever runs them, they are not dumpable: only root can look at that.
pytestmark = pytest.mark.skipif(not ROOT, reason="only for root")
HUGE = 8 << 30          # the sanitizers' map of memory, which has no data
CHUNK = 1 << 20


# -- secrets -----------------------------------------------------------------

def regions(pid):
    """Start and end of what can be read."""
    for line in pathlib.Path("/proc/%d/maps" % pid).read_text().splitlines():
        m = re.match(r"([0-9a-f]+)-([0-9a-f]+) (\S+) \S+ \S+ \S+ *(.*)", line)
        start, end = int(m[1], 16), int(m[2], 16)
        if m[3][0] == "r" and end - start < HUGE and \
                m[4] not in ("[vvar]", "[vsyscall]", "[vvar_vclock]"):
            yield start, end


def found(pid, secrets):
    """Those of SECRETS, name -> bytes, that PID has anywhere: in its memory,
    its command line, its environment."""
    names = set()
    overlap = max(map(len, secrets.values())) - 1

    def look(data):
        names.update(n for n, s in secrets.items() if s in data)

    for name in ("cmdline", "environ"):
        look(pathlib.Path("/proc/%d/%s" % (pid, name)).read_bytes())
    with open("/proc/%d/mem" % pid, "rb", buffering=0) as mem:
        for start, end in regions(pid):
            tail = b""
            for at in range(start, end, CHUNK):
                # A mapping may have gone, or be of a file that is shorter.
                with contextlib.suppress(OSError):
                    mem.seek(at)
                    data = tail + mem.read(min(CHUNK, end - at))
                    look(data)
                    tail = data[-overlap:]
    return names


def check_secrets(g, secrets, may, must):
    """MAY: process -> names that it may hold; MUST: those that it does, or the
    search would prove nothing."""
    for process, pid in all_pids(g).items():
        names = found(pid, secrets)
        allowed = set(may.get(process, ())) | set(must.get(process, ()))
        assert names <= allowed, (process, names - allowed)
        assert set(must.get(process, ())) <= names, (process, names)


def test_secrets(start, connect):
    """The engine knows the tokens that were shown to it and no other; the
    parent knows what is in its file."""
    secrets = {"comment": b"zq-a-comment-of-the-file",
               "environment": b"zq-a-variable",
               "database": b"zq-a-token-that-never-came",
               "database server": b"zq-a-server-that-never-came",
               "player": b"zq-a-token-that-is-here",
               "server": b"zq-a-server-that-is-here"}
    g = start("# " + secrets["comment"].decode(), wait=False,
              env={"ZQ": secrets["environment"].decode()})
    for player, name in enumerate(("database", "database server", "player",
                                   "server")):
        g.add_token(secrets[name].decode(), player, "subject-%d" % player,
                    "server" in name)
    g.start()
    connect(g, secrets["player"].decode())
    assert g.publish("2", "e", 1, secrets["server"].decode())["delivered"]
    tables = {"database", "database server", "player", "server"}
    check_secrets(
        g, secrets,
        may={"parent": {"comment"}, "store": tables},
        must={"parent": {"environment"}, "engine": {"player", "server"},
              "store": {"database"}})


def test_the_tokens_of_control_clients(start):
    """One that is made, and shown once, does not stay in the engine."""
    g = start()
    token = g.ctl("token", "add", "-p", "5").stdout.split()[0]
    other = g.ctl("token", "add", "-s", "zq").stdout.split()[0]
    assert len(token) >= 20 and len(other) >= 20
    assert g.ctl("token", "list").returncode == 0
    check_secrets(g, {"new": token.encode(), "other": other.encode()},
                  may={"store": {"new", "other"}}, must={})


PASSWORDS = {
    "in the dsn":
        'database mysql "gw:%(password)s@tcp(127.0.0.1:%(port)d)/%(name)s"',
    "in a block":
        'database mysql {\n host "127.0.0.1"; port %(port)d;'
        ' database "%(name)s"; user "gw"; password "%(password)s" }',
    "in a file":
        'database mysql {\n host "127.0.0.1"; port %(port)d;'
        ' database "%(name)s"; user "gw"; password file "%(dir)s/secret" }'}


@pytest.mark.parametrize("where", PASSWORDS)
def test_password(start_mysql, mariadb, where):
    """Of the database: of no use to the engine, before and after a reload."""
    g = start_mysql(wait=False)
    (g.dir / "secret").write_text(PASSWORD + "\n")
    os.chmod(g.dir / "secret", 0o600)
    g.database = PASSWORDS[where] % {
        "name": g.name, "port": mariadb.port, "password": PASSWORD,
        "dir": g.dir}
    g.add_token("zq-another-token", 9)
    g.start()
    for turn in range(2):
        check_secrets(g, {"password": PASSWORD.encode(),
                          "token": b"zq-another-token"},
                      may={"parent": {"password"}, "store": {"token"}},
                      must={"store": {"password"}})
        if turn == 0:
            mark = len(g.log())
            g.signal(signal.SIGHUP)
            g.wait_log(lambda l: l["msg"] == "configuration reloaded",
                       start=mark)
            assert g.ctl("show", "config").returncode == 0


def test_the_search_sees_all_of_memory(start):
    """What is in a variable of its own, in the engine: the proof that a secret
    would have been found."""
    g = start('origins {\n\t"http://zq-origin.example"\n}')
    assert found(g.pid_of("engine"), {"o": b"http://zq-origin.example",
                                      "no": b"zq-nobody-" + b"has"}) == {"o"}


# -- files -------------------------------------------------------------------

def test_the_engine_sees_no_files(gateway):
    """Its root is an empty folder that is not its to write in, and nothing
    that it has open leads out of there."""
    pid = gateway.pid_of("engine")
    root = "/proc/%d/root" % pid
    assert os.listdir(root) == (["proc"] if leaks.prepared else [])
    st = os.stat(root)
    assert st.st_uid == 0 and not st.st_mode & 0o022
    for name, process in all_pids(gateway).items():
        for fd in os.listdir("/proc/%d/fd" % process):
            path = "/proc/%d/fd/%s" % (process, fd)
            with contextlib.suppress(FileNotFoundError):
                assert not stat.S_ISDIR(os.stat(path).st_mode), \
                    (name, os.readlink(path))


def test_no_folder_is_open_without_a_sandbox_either(start):
    """That is where a descriptor of one would be a way out of the chroot."""
    g = start("sandbox off")
    pid = g.pid_of("engine")
    assert os.readlink("/proc/%d/root" % pid) != "/"
    for fd in os.listdir("/proc/%d/fd" % pid):
        with contextlib.suppress(FileNotFoundError):
            mode = os.stat("/proc/%d/fd/%s" % (pid, fd)).st_mode
            assert not stat.S_ISDIR(mode), fd


# -- the network and each other ----------------------------------------------

@pytest.mark.parametrize("role", ["engine", "store", "ctl"])
@pytest.mark.parametrize("name", ["connect", "bind", "udp", "unix", "kill",
                                  "kill-group"])
def test_no_way_out(role, name, folder):
    """Not to the network, not to a local service, not to a sibling: the
    attempt is the end of the process."""
    keep = [folder.path] if role == "store" else []
    res = daemon("-selftest", role, name, *keep)
    assert res.returncode == -signal.SIGSYS, res


@pytest.mark.parametrize("name", ["connect", "udp", "unix", "open"])
def test_the_client_of_a_database_server_reaches_that_only(name):
    res = daemon("-selftest", "store-net", name)
    assert res.returncode in (0, -signal.SIGSYS), res


@pytest.mark.parametrize("name", ["connect", "bind", "udp", "unix"])
def test_the_parent_has_no_network(name, folder):
    assert daemon("-selftest", "parent", name, folder.path).returncode == 0
