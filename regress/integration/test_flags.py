"""CONTRACT 6: the command line."""
import os
import pathlib
import socket
import sqlite3

import pytest

from gateway import DAEMON, SCHEMA, wait_for
from launch import (Background, assert_refused, can_connect, daemon,
                    free_port)
from rawws import RawWS, Refused

NO_FILE = ("-f", "/dev/null")       # whatever this machine has in /etc


def printed(*args, cwd="/"):
    """What -nv says of these flags: "name value" lines, blocks prefixed."""
    res = daemon(*NO_FILE, "-nv", *args, cwd=cwd)
    assert res.returncode == 0, res
    assert res.stderr == ""
    out, block = [], ""
    for line in res.stdout.splitlines():
        if line.endswith("{"):
            block = line[:-1]
        elif line == "}":
            block = ""
        else:
            out.append(block + line.strip())
    return out


DEFAULTS = [
    'listen on ":8080"',
    'database sqlite "file:ws_tokens.db?cache=shared"',
    "log level info",
    "daemonize no",
    "players max-connections 5",
    "queue max-messages 100",
    "queue ttl 10s",
    "publishers rate-limit 10",
    "publishers rate-period 1s",
    "players revalidate-period 1m",
]


def test_defaults():
    out = printed()
    for line in DEFAULTS:
        assert line in out
    assert not [x for x in out if x.startswith(("origins", "log file",
                                                "pid file"))]


VALUES = [
    ("addr", "127.0.0.1:7000", 'listen on "127.0.0.1:7000"'),
    ("addr", "[::1]:7000", 'listen on "[::1]:7000"'),
    ("addr", "localhost:7000", 'listen on "localhost:7000"'),
    ("addr", "unix:/run/x.sock",
     'listen on "unix:/run/x.sock" mode 0660'),
    ("db", "sqlite", 'database sqlite "file:ws_tokens.db?cache=shared"'),
    ("dsn", "file:x.db?cache=shared",
     'database sqlite "file:x.db?cache=shared"'),
    ("dsn", "/var/lib/x.db", 'database sqlite "/var/lib/x.db"'),
    ("origins", "https://a.example", 'origins "https://a.example"'),
    ("log-file", "/tmp/x.log", 'log file "/tmp/x.log"'),
    ("log-level", "trace", "log level trace"),
    ("log-level", "debug", "log level debug"),
    ("log-level", "info", "log level info"),
    ("log-level", "warn", "log level warn"),
    ("log-level", "error", "log level error"),
    ("log-level", "fatal", "log level fatal"),
    ("pid-file", "/tmp/x.pid", 'pid file "/tmp/x.pid"'),
    ("max-conns", "7", "players max-connections 7"),
    ("max-queued", "8", "queue max-messages 8"),
    ("max-queued", "0", "queue max-messages 0"),
    ("offline-ttl", "300ms", "queue ttl 300ms"),
    ("offline-ttl", "1m30s", "queue ttl 1m30s"),
    ("offline-ttl", "2h", "queue ttl 2h"),
    ("offline-ttl", "1.5s", "queue ttl 1s500ms"),
    ("rate-limit", "0", "publishers rate-limit 0"),
    ("rate-limit", "99", "publishers rate-limit 99"),
    ("rate-period", "250ms", "publishers rate-period 250ms"),
    ("revalidate-period", "5m", "players revalidate-period 5m"),
]


@pytest.mark.parametrize("flag, value, line", VALUES)
def test_values(flag, value, line):
    out = printed("-" + flag, value)
    assert line in out or line.replace("1s500ms", "1.5s") in out


@pytest.mark.parametrize("spell", [
    lambda flag, value: ["-" + flag, value],
    lambda flag, value: ["--" + flag, value],
    lambda flag, value: ["-%s=%s" % (flag, value)],
    lambda flag, value: ["--%s=%s" % (flag, value)]],
    ids=["-x v", "--x v", "-x=v", "--x=v"])
def test_spellings(spell):
    """Each flag with one dash or two, with a space or with "="."""
    chosen = {flag: (value, line) for flag, value, line in VALUES
              if flag != "db"}
    assert len(chosen) == 12
    out = printed(*spell("db", "sqlite"), *[
        arg for flag, (value, _) in chosen.items()
        for arg in spell(flag, value)])
    for value, line in chosen.values():
        assert line in out or line.replace("1s500ms", "1.5s") in out


@pytest.mark.parametrize("args, value", [
    ((), "no"), (("-daemon",), "yes"), (("--daemon",), "yes"),
    (("-daemon=true",), "yes"), (("-daemon=1",), "yes"),
    (("--daemon=T",), "yes"), (("-daemon=false",), "no"),
    (("-daemon=0",), "no"), (("-daemon", "-daemon=false"), "no"),
    (("-daemon", "-d"), "no")])
def test_daemon_spellings(args, value):
    assert "daemonize " + value in printed(*args)


def test_several_addresses():
    out = printed("-addr", ":7000", "-addr=127.0.0.1:7001",
                  "--addr", "unix:/run/x.sock")
    assert [x for x in out if x.startswith("listen")] == [
        'listen on ":7000"', 'listen on "127.0.0.1:7001"',
        'listen on "unix:/run/x.sock" mode 0660']


def test_last_one_counts():
    out = printed("-max-conns", "3", "-max-conns=4")
    assert "players max-connections 4" in out


def test_origins_are_trimmed():
    out = printed("-origins", " https://a.example , http://b.example:3000,"
                  "HTTPS://C.example:443 ")
    assert [x for x in out if x.startswith("origins")] == [
        'origins "https://a.example"', 'origins "http://b.example:3000"',
        'origins "https://c.example"']


def test_an_error_of_a_flag_does_not_name_the_file(tmp_path):
    """Nor one of the file the flag."""
    conf = tmp_path / "conf"
    conf.write_text('\ndatabase mysql "nonsense"\n')
    res = daemon("-n", "-f", str(conf))
    assert res.returncode == 1 and "%s:2: database" % conf in res.stderr
    res = daemon("-n", "-f", str(conf), "-dsn", "nonsense")
    assert res.returncode == 1 and "database mysql: the DSN" in res.stderr
    assert str(conf) not in res.stderr


def test_mysql_dsn_is_printed_whole():
    """-nv is a configuration, so it must have the password in it."""
    dsn = "user:pa'ss@tcp(127.0.0.1:3306)/db?parseTime=true"
    assert 'database mysql "%s"' % dsn in printed("-db", "mysql", "-dsn", dsn)


def test_flags_win_over_the_file(tmp_path):
    conf = tmp_path / "c.conf"
    conf.write_text('listen on ":7000"\nlog level warn\n'
                    'database sqlite "/a.db"\norigins { "http://a.example" }\n'
                    'players { max-connections 2 }\nqueue { ttl 1s }\n')
    res = daemon("-nv", "-f", conf, "-addr", ":7001", "-log-level=error",
                 "-dsn", "/b.db", "-origins", "http://b.example",
                 "-max-conns", "9")
    assert res.returncode == 0, res
    for line in ('listen on ":7001"', "log level error",
                 'database sqlite "/b.db"', '\t"http://b.example"',
                 "\tmax-connections 9", "\tttl 1s"):
        assert line in res.stdout.splitlines()
    for text in (":7000", "a.example", "/a.db"):
        assert text not in res.stdout


@pytest.mark.parametrize("args, words", [
    (["-x"], ["-x"]),
    (["--max-con", "5"], ["-max-con"]),
    (["-max-conns"], ["-max-conns", "value"]),
    (["-="], ["-="]),
    (["---addr", ":1"], ["---addr"]),
    (["serve"], ["serve"]),
    (["-log-level", "info", "serve"], ["serve"]),
    (["--", "-daemon"], ["-daemon"]),
    (["-addr", "8080"], ["-addr", "8080"]),
    (["-addr", ":99999"], ["-addr", "99999"]),
    (["-addr", "::1:80"], ["-addr", "::1:80"]),
    (["-addr", "unix:relative"], ["-addr", "relative"]),
    (["-db", "pg"], ["-db", "pg"]),
    (["-dsn", ""], ["-dsn"]),
    (["-db", "mysql"], ["-dsn"]),
    (["-db", "mysql", "-dsn", "file:x.db"], ["DSN"]),
    (["-origins", "example.org"], ["-origins", "example.org"]),
    (["-origins", " , "], ["-origins"]),
    (["-log-level", "loud"], ["-log-level", "loud"]),
    (["-max-conns", "0"], ["-max-conns", '"0"']),
    (["-max-conns", "-1"], ["-max-conns", '"-1"']),
    (["-max-conns", "5x"], ["-max-conns", '"5x"']),
    (["-max-conns", ""], ["-max-conns"]),
    (["-max-queued", "-1"], ["-max-queued", '"-1"']),
    (["-offline-ttl", "10"], ["-offline-ttl", '"10"', "duration"]),
    (["-offline-ttl", "0s"], ["-offline-ttl"]),
    (["-offline-ttl", "-5s"], ["-offline-ttl", '"-5s"']),
    (["-rate-limit", "-1"], ["-rate-limit"]),
    (["-rate-limit", "1.5"], ["-rate-limit"]),
    (["-rate-period", "0"], ["-rate-period"]),
    (["-rate-period", "1 s"], ["-rate-period"]),
    (["-revalidate-period", "0s"], ["-revalidate-period"]),
    (["-revalidate-period", "-1m"], ["-revalidate-period"]),
    (["-daemon=maybe"], ["-daemon", "maybe"]),
    (["-n=maybe"], ["-n", "maybe"]),
    (["-f", "/nonexistent/x.conf"], ["/nonexistent/x.conf", "No such file"]),
    (["-f", "/"], ["/"]),
])
def test_refused(args, words):
    no_file = () if "-f" in args else NO_FILE
    assert_refused(daemon(*no_file, *args), *words)


def test_control_characters_are_not_passed_on():
    res = daemon(*NO_FILE, "-log-level", "a\x1b[31m\nb")
    assert_refused(res, "-log-level")
    assert "\x1b" not in res.stderr


@pytest.mark.parametrize("flag", ["-h", "--h", "-help", "--help"])
def test_help(flag):
    res = daemon(flag)
    assert res.returncode == 0 and res.stderr == ""
    for name in ("addr", "db", "dsn", "origins", "log-file", "log-level",
                 "pid-file", "max-conns", "max-queued", "offline-ttl",
                 "rate-limit", "rate-period", "revalidate-period", "daemon",
                 "f", "n", "d", "v", "C"):
        assert "\n  -%s " % name in res.stdout


def test_check_and_print_round_trip(tmp_path):
    first = daemon(*NO_FILE, "-nv", "-max-conns", "3", "-origins",
                   "http://a.example", "-offline-ttl", "1m30s",
                   "-addr", "[::1]:7000")
    conf = tmp_path / "again.conf"
    conf.write_text(first.stdout)
    again = daemon("-f", conf, "-n", "-v")
    assert again.returncode == 0 and again.stdout == first.stdout
    quiet = daemon("-nf", conf)
    assert quiet.returncode == 0 and quiet.stdout == ""
    assert quiet.stderr == "configuration OK\n"


def test_check_opens_nothing(folder):
    """-n is safe beside a daemon that runs."""
    res = daemon(*NO_FILE, "-n", "-pid-file", "x.pid", "-log-file", "x.log",
                 "-C", cwd=folder.path)
    assert res.returncode == 0
    assert os.listdir(folder.path) == []


def test_bad_line_of_the_file(tmp_path):
    conf = tmp_path / "bad.conf"
    conf.write_text("log level info\nplayers {\n\tmax-connections 0\n}\n")
    for mode in (["-n"], ["-d"], ["-daemon"]):
        assert_refused(daemon(*mode, "-f", conf), "%s:3:" % conf,
                       "max-connections", '"0"')


# -- command lines that started the old program, as they stand ---------------

def make_db(folder, name):
    path = folder.path / name
    con = sqlite3.connect(path)
    con.executescript(SCHEMA)
    con.execute("INSERT INTO ws_token VALUES ('tok', 1, 's', 0, "
                "'2999-01-01 00:00:00')")
    con.commit()
    con.close()
    folder.own(path)


class At:
    """As much of a Gateway as RawWS wants."""

    def __init__(self, port):
        self.port = port

    def socket(self, limit):
        return socket.create_connection(("127.0.0.1", self.port), limit)


@pytest.fixture
def no_system_file():
    if os.path.exists("/etc/ws-gatewayd.conf"):
        pytest.skip("/etc/ws-gatewayd.conf would be read")


def test_old_daemon_line(folder, no_system_file):
    make_db(folder, "x.db")
    port = free_port()
    with Background("p.pid", "-addr", ":%d" % port, "-db", "sqlite", "-dsn",
                    "file:x.db?cache=shared", "-daemon", "-pid-file", "p.pid",
                    "-log-file", "l.log", "-log-level", "debug",
                    "-max-conns", "1", "-origins",
                    "http://localhost:3000, https://example.org",
                    "-offline-ttl", "30s", cwd=folder.path) as b:
        # At this moment, not some time later.
        with pytest.raises(Refused) as refused:
            RawWS.connect(At(port), "tok", headers=["Origin: http://x.y"])
        assert refused.value.status == 403
        ws = RawWS.connect(At(port), "tok",
                           headers=["Origin: https://example.org"])
        with pytest.raises(Refused) as refused:
            RawWS.connect(At(port), "tok",
                          headers=["Origin: https://example.org"])
        assert refused.value.status == 429
        wait_for(lambda: '"ws_connect"' in (folder.path / "l.log").read_text(),
                 "log line")
        b.process.signal(15)
        assert ws.recv_close()[0] == 1001
        ws.close()
        assert b.process.wait()
        assert not (folder.path / "p.pid").exists()


def test_old_foreground_line(folder, start, no_system_file):
    """With "=", two dashes and the log on standard output."""
    make_db(folder, "tokens.db")
    port = free_port()
    g = start(wait=False, create_db=False)
    g.command = lambda: [str(DAEMON), "--addr=:%d" % port,
                         "--dsn=file:tokens.db", "-rate-limit=100",
                         "-rate-period=1m", "-daemon=false"]
    g.launch()
    g.wait_log(lambda l: l.get("msg") == "started")
    assert can_connect("127.0.0.1", port)
    ws = RawWS.connect(At(port), "tok")
    ws.settle()
    ws.close()


def test_port_alone_listens_on_both_families(folder, no_system_file):
    make_db(folder, "x.db")
    port = free_port()
    with Background("p", "-addr", ":%d" % port, "-dsn", "x.db", "-daemon",
                    "-pid-file", "p", "-log-file", "l", cwd=folder.path):
        assert can_connect("127.0.0.1", port)
        if pathlib.Path("/proc/net/if_inet6").exists():
            assert can_connect("::1", port)
    wait_for(lambda: not can_connect("127.0.0.1", port), "closed")
