"""What is about MySQL and MariaDB alone: ways to connect, accounts, secrets."""
import os
import pathlib
import re
import subprocess

import pytest

from gateway import DAEMON, SANDBOX, wait_for
from mariadb import PASSWORD, literal
from rawhttp import RawHTTP, post
from rawws import RawWS, Refused


def status(g, token):
    try:
        RawWS.connect(g, token).abort()
        return 101
    except Refused as e:
        return e.status


def works(g):
    """Both kinds of tokens; again on a connection that is made in the
    sandbox."""
    for _ in range(2):
        start = len(g.log())
        assert status(g, "p1") == 101
        assert status(g, "P1") == 401
        with RawHTTP(g) as c:
            assert c.ask(post("/publish", b'{"player_id":"1","event":"e"}',
                              "s1")).status == 200
        for i in g.connections():
            g.server.execute("KILL %d" % i)
        g.wait_log(lambda l: l["msg"] == "the database answers", start=start)


@pytest.fixture
def begin(start_mysql, mariadb):
    """begin(a form of DSN or block): a daemon that is connected that way."""
    def run(form, **kw):
        g = start_mysql("tokens { cache 0 }", wait=False, **kw)
        fill = {"name": g.name, "port": mariadb.port, "password": PASSWORD,
                "socket": mariadb.socket, "ca": mariadb.ca, "dir": g.dir}
        g.database = form % fill
        g.add_token("p1", 1)
        g.add_token("s1", subject="s", server=True)
        return g
    return run


WAYS = {
    "tcp": 'database mysql "gw:%(password)s@tcp(127.0.0.1:%(port)d)/%(name)s"',
    "a name": 'database mysql "gw:%(password)s@tcp(localhost:%(port)d)'
              '/%(name)s"',
    "unix": 'database mysql "gw:%(password)s@unix(%(socket)s)/%(name)s"',
    "ed25519": 'database mysql "ed:%(password)s@tcp(127.0.0.1:%(port)d)'
               '/%(name)s"',
    "skip-verify": 'database mysql "gw:%(password)s@tcp(127.0.0.1:%(port)d)'
                   '/%(name)s?tls=skip-verify"',
    "preferred": 'database mysql "gw:%(password)s@tcp(127.0.0.1:%(port)d)'
                 '/%(name)s?tls=preferred"',
    "block": 'database mysql {\n host "127.0.0.1"; port %(port)d\n'
             ' database "%(name)s"; user "gw"; password "%(password)s" }',
    "block, socket": 'database mysql { socket "%(socket)s"\n'
                     ' database "%(name)s", user gw\n'
                     ' password "%(password)s"\n}',
    "tls": 'database mysql { host localhost; port %(port)d\n'
           ' database "%(name)s"; user "gw"; password "%(password)s"\n'
           ' tls { ca "%(ca)s" }\n}',
    "tls, dsn": 'database mysql {\n'
                ' dsn "ed:%(password)s@tcp(localhost:%(port)d)/%(name)s"\n'
                ' tls { ca "%(ca)s" }\n}',
}


@pytest.mark.parametrize("way", list(WAYS))
def test_ways_to_connect(begin, way):
    g = begin(WAYS[way])
    g.start()
    if "tls" in way or way in ("skip-verify", "preferred"):
        g.server.execute("ALTER USER gw@'%' REQUIRE SSL")
    try:
        works(g)
    finally:
        g.server.execute("ALTER USER gw@'%' REQUIRE NONE")


def test_password_file(begin):
    g = begin('database mysql {\n user gw; database "%(name)s"\n'
              ' host "127.0.0.1"; port %(port)d\n'
              ' password file "%(dir)s/secret"\n}')
    (g.dir / "secret").write_text(PASSWORD + "\nnot this\n")
    os.chmod(g.dir / "secret", 0o600)
    g.start()
    works(g)
    shown = g.ctl("show", "config").stdout
    assert 'password file "%s/secret"' % g.dir in shown
    assert PASSWORD not in shown
    out = subprocess.run([DAEMON, "-nvf", g.conf], capture_output=True,
                         text=True, check=True)
    assert PASSWORD not in out.stdout
    # Another password at the server, then in the file: a reload is enough,
    # and one that the server does not take changes nothing.
    (g.dir / "secret").write_text("wrong\n")
    res = g.ctl("reload", check=False)
    assert res.returncode == 1 and "refuses user" in res.stderr
    works(g)
    (g.dir / "secret").unlink()
    res = g.ctl("reload", check=False)
    assert res.returncode == 1 and "secret: No such file" in res.stderr
    assert "%s:1: " % g.conf in res.stderr
    works(g)
    g.server.execute("ALTER USER gw@'%' IDENTIFIED BY 'second'")
    try:
        (g.dir / "secret").write_text("second\n")
        assert g.ctl("reload").stderr == ""
        works(g)
    finally:
        g.server.execute("ALTER USER gw@'%%' IDENTIFIED BY '%s'" % PASSWORD)


def refused(g):
    g.expect_exit = 1
    g.launch()
    assert g.wait_exit() == 1
    (line,) = g.err().splitlines()
    assert PASSWORD not in line and "hunter2" not in line
    return line


@pytest.mark.parametrize("form,why", [
    ('database mysql "gw:hunter2@tcp(127.0.0.1:%(port)d)/%(name)s"',
     'refuses user "gw": check the user and the password'),
    ('database mysql "gw:%(password)s@tcp(127.0.0.1:%(port)d)/wsgnone"',
     "there is no such database"),
    ('database mysql "gw:%(password)s@tcp(127.0.0.1:%(port)d)/mysql"',
     'user "gw" may not use that database'),
    ('database mysql "gw:%(password)s@tcp(127.0.0.1:1)/%(name)s"',
     "can't be reached"),
    ('database mysql "gw:%(password)s@unix(%(dir)s/none)/%(name)s"',
     "can't be reached"),
    ('database mysql "gw:%(password)s@tcp(no.such.host.invalid)/%(name)s"',
     "the host has no address"),
    ('database mysql "gw:%(password)s@tcp(127.0.0.1:%(port)d)/%(name)s'
     '?tls=true"', "no TLS"),
    ('database mysql { dsn "gw:%(password)s@tcp(127.0.0.1:%(port)d)/%(name)s"'
     '\n tls { ca "%(ca)s" }\n}', "no TLS"),
    ('database mysql { dsn "gw:%(password)s@tcp(localhost:%(port)d)/%(name)s"'
     '\n tls { ca "%(dir)s/none" }\n}', "can't be read"),
])
def test_what_is_wrong_at_the_start(begin, form, why):
    line = refused(begin(form))
    assert why in line


def test_a_frozen_server_at_the_start(begin, mariadb):
    g = begin('database mysql "gw:%(password)s@tcp(127.0.0.1:%(port)d)'
              '/%(name)s?timeout=300ms"')
    mariadb.freeze()
    try:
        assert "does not answer in time" in refused(g)
    finally:
        mariadb.thaw()


def test_a_missing_table_at_the_start(start_mysql):
    g = start_mysql("tokens { cache 0 }", wait=False, create_db=False).start()
    assert status(g, "p1") == 503
    g.wait_log(lambda l: "table ws_token is missing" in l["msg"])
    g.make_db()
    g.add_token("p1", 1)
    # The store may have put off its next attempt.
    wait_for(lambda: status(g, "p1") == 101, "the table")


def test_no_right_to_the_table(begin, mariadb):
    g = begin(WAYS["tcp"])
    mariadb.execute("CREATE USER IF NOT EXISTS poor@'%%' IDENTIFIED BY '%s'"
                    % PASSWORD)
    mariadb.execute("CREATE TABLE %s.other (i INT)" % g.name)
    mariadb.execute("GRANT SELECT ON %s.other TO poor@'%%'" % g.name)
    g.database = g.database.replace("gw:", "poor:")
    g.start()
    line = g.wait_log(lambda l: "GRANT SELECT" in l["msg"])
    assert PASSWORD not in line["msg"]
    assert status(g, "p1") == 503
    mariadb.execute("GRANT SELECT ON %s.ws_token TO poor@'%%'" % g.name)
    wait_for(lambda: status(g, "p1") == 101, "the right")


def test_unknown_parameters_are_named(begin):
    g = begin('database mysql "gw:%(password)s@tcp(127.0.0.1:%(port)d)'
              '/%(name)s?parseTime=true&foo=hunter2"')
    g.start()
    line = g.wait_log(lambda l: "not known" in l["msg"])
    assert line["msg"].endswith(": foo")
    works(g)


def test_the_password_shows_nowhere(begin):
    g = begin(WAYS["tcp"])
    g.start()
    works(g)
    for pid in [g.process.pid, *g.children()]:
        assert PASSWORD.encode() not in pathlib.Path(
            "/proc/%d/cmdline" % pid).read_bytes()
    shown = g.ctl("show", "config").stdout + g.ctl("show", "store").stdout
    assert PASSWORD not in shown and "********" in shown
    assert PASSWORD not in (g.dir / "stdout").read_text()
    status_of = pathlib.Path("/proc/%d/limits" % g.pid_of("store")).read_text()
    assert re.search(r"Max core file size\s+0\s+0", status_of)


def test_the_password_on_the_command_line(start_mysql, mariadb):
    """It is gone from the titles once the daemon runs."""
    g = start_mysql("", wait=False, database="#")
    g.flags = ["-db", "mysql", "-dsn", mariadb.dsn(g.name)]
    g.add_token("p1", 1)
    g.start()
    assert status(g, "p1") == 101
    for pid in [g.process.pid, *g.children()]:
        assert PASSWORD.encode() not in pathlib.Path(
            "/proc/%d/cmdline" % pid).read_bytes()


def test_time_zone_of_the_application(begin):
    """Who writes local times says so in the DSN."""
    g = begin('database mysql "gw:%(password)s@tcp(127.0.0.1:%(port)d)'
              '/%(name)s?time_zone=%%27%%2B05%%3A00%%27"')
    g.execute("INSERT INTO ws_token VALUES "
              "('soon', 1, 's', 0, NOW(6) + INTERVAL 5 HOUR + INTERVAL 1 "
              "MINUTE), ('gone', 1, 's', 0, NOW(6) + INTERVAL 5 HOUR "
              "- INTERVAL 1 MINUTE)")
    g.start()
    assert status(g, "soon") == 101
    assert status(g, "gone") == 401


def test_the_key_is_used(begin):
    """A batch is a search by the primary key, not a scan."""
    g = begin(WAYS["tcp"])
    g.execute("INSERT INTO ws_token SELECT CONCAT('x', seq), seq, 's', 0, "
              "'2999-01-01' FROM seq_1_to_3000")
    g.start()
    works(g)
    g.execute("ANALYZE TABLE ws_token")
    for n in (1, 8, 64):
        (row,) = g.execute(
            "EXPLAIN SELECT token FROM ws_token WHERE token IN (%s)" %
            ",".join(literal("x%d" % i) for i in range(1, n + 1)))
        assert row[3] in (b"const", b"range"), row
        assert row[5] == b"PRIMARY"


def test_ctl_token(begin, connect):
    g = begin(WAYS["tcp"])
    g.start()
    token = g.ctl("token", "add", "-p", "77").stdout.strip()
    server = g.ctl("token", "add", "-s", "site", "-e", "30d").stdout.strip()
    row, = g.execute("SELECT player_id, subject_id, is_server, expires_at > "
                     "NOW(6) FROM ws_token WHERE token = ?", token)
    assert row == [b"77", b"77", b"0", b"1"]
    row, = g.execute("SELECT player_id, subject_id, is_server, "
                     "TIMESTAMPDIFF(HOUR, NOW(6), expires_at) FROM ws_token "
                     "WHERE token = ?", server)
    assert row[:3] == [None, b"site", b"1"] and 718 <= int(row[3]) <= 720
    ws = connect(g, token)
    rows = g.ctl_json("token", "list")
    assert len(rows) == 4
    assert token not in str(rows) and token[:4] in str(rows)
    assert "1" in g.ctl("token", "revoke", "-p", "77").stdout
    assert ws.recv_close()[0] == 1008
    assert status(g, token) == 401
    # In another case it is another token.
    g.ctl("token", "revoke", "P1", check=False)
    assert status(g, "p1") == 101
    g.ctl("token", "revoke", "p1")
    assert status(g, "p1") == 401
    g.ctl("token", "revoke", "-s", "site")
    assert g.execute("SELECT COUNT(*) FROM ws_token") == [[b"1"]]
    res = g.ctl("token", "add", "-p", "x" * 33, check=False)
    assert res.returncode != 0


def test_a_long_list(begin):
    g = begin(WAYS["unix"])
    g.execute("INSERT INTO ws_token SELECT CONCAT('x', seq), seq, 's', 0, "
              "'2999-01-01' FROM seq_1_to_1000")
    g.start()
    rows = g.ctl_json("token", "list")
    assert len(rows) == 1002
    assert len({r["identity"] for r in rows if r["kind"] == "player"}) == 1000
    out = g.ctl("token", "revoke", "-p", "500").stdout
    assert "1" in out


def test_tokens_without_the_right_to_write(begin, mariadb):
    g = begin(WAYS["tcp"])
    mariadb.execute("CREATE USER IF NOT EXISTS reader@'%%' IDENTIFIED BY '%s'"
                    % PASSWORD)
    mariadb.execute("GRANT SELECT ON %s.* TO reader@'%%'" % g.name)
    g.database = g.database.replace("gw:", "reader:")
    g.start()
    res = g.ctl("token", "add", "-p", "1", check=False)
    assert res.returncode != 0 and "INSERT command denied" in res.stderr
    res = g.ctl("token", "revoke", "-p", "1", check=False)
    assert res.returncode != 0
    assert status(g, "p1") == 101
    assert g.request("GET", "/readyz")[0] == 200


def test_show_store(begin):
    g = begin(WAYS["tcp"])
    g.start()
    works(g)
    shown = g.ctl("show", "store").stdout
    for word in ("backend      mysql", "state        up for", "lookups ",
                 "median", "errors ", "last error", "cache hits"):
        assert word in shown, shown
    figures = g.ctl_json("show", "store")
    assert figures["backend"] == "mysql" and figures["up"] is True
    assert figures["errors"] >= 1 and figures["last_error"]
    assert figures["error"] == ""


@pytest.mark.skipif(SANDBOX != "require", reason="no sandbox")
def test_it_is_confined(begin):
    g = begin(WAYS["tcp"])
    g.start()
    status_of = pathlib.Path("/proc/%d/status" % g.pid_of("store")).read_text()
    assert re.search(r"^Seccomp:\s+2$", status_of, re.M)
    assert re.search(r"^NoNewPrivs:\s+1$", status_of, re.M)
