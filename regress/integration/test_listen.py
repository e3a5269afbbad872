"""Listeners: what each is there for, and what a reload changes of that."""

import json
import socket
from http.client import HTTPConnection

import pytest

from gateway import wait_for
from rawws import RawWS

PATHS = {
    "player": ["/ws"],
    "publish": ["/publish", "/broadcast"],
    "metrics": ["/metrics", "/healthz", "/readyz"],
}


@pytest.fixture
def make(start, folder):
    def run(settings):
        g = start(settings % {"dir": folder.path}, wait=False, listen=None)
        g.add_token("p1", 1)
        g.add_token("s1", server=True)
        return g.start()
    return run


def roles_of(g):
    """The roles that answer at g.port; each with all its paths, or none."""
    http, there = g.http(), set()
    for role, paths in PATHS.items():
        found = set()
        for path in paths:
            http.request("GET", path)
            res = http.getresponse()
            res.read()
            found.add(res.status != 404)
        assert len(found) == 1, (role, found)
        if found.pop():
            there.add(role)
    http.close()
    return there


@pytest.mark.parametrize("roles", [
    ["player"], ["publish"], ["metrics"], ["player", "publish"],
    ["publish", "metrics"], ["player", "publish", "metrics"]])
def test_roles(make, roles):
    g = make('listen on "127.0.0.1:0" { roles %s }' % " ".join(roles))
    assert roles_of(g) == set(roles)


def test_all_roles_by_default(make):
    g = make('listen on "127.0.0.1:0"')
    assert roles_of(g) == set(PATHS)


def test_split(make):
    """Players are public; publishing and metrics are on another port."""
    g = make('listen on "127.0.0.1:0" { roles player }\n'
             'listen on "127.0.0.2:0" { roles publish metrics }')
    ws = RawWS.connect(g, "p1")
    http = HTTPConnection("127.0.0.2", g.ports()[1], timeout=20)
    http.request("POST", "/publish",
                 '{"player_id":"1","event":"e","payload":1}',
                 {"Authorization": "Bearer s1"})
    assert http.getresponse().status == 200
    http.close()
    assert json.loads(ws.recv_text())["event"] == "e"
    ws.close()


def test_unix(make):
    g = make('listen on "unix:%(dir)s/h.sock" mode 0666 { roles metrics }\n'
             'listen on "127.0.0.1:0" { roles player }')
    s = socket.socket(socket.AF_UNIX)
    s.connect(str(g.dir / "h.sock"))
    s.sendall(b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n"
              b"GET /ws HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
    s.settimeout(10)
    data = b""
    while chunk := s.recv(4096):
        data += chunk
    s.close()
    assert data.startswith(b"HTTP/1.1 200 ")
    assert b"HTTP/1.1 404 " in data


def change(g, old, new):
    text = g.conf.read_text()
    assert old in text
    g.conf.write_text(text.replace(old, new))
    res = g.ctl("reload")
    return res.stdout + res.stderr


def test_reload_roles(make):
    """In place, for connections that are open, too; and players stay."""
    g = make('listen on "127.0.0.1:0" { roles player metrics }')
    ws = RawWS.connect(g, "p1")
    http = g.http()

    def status():
        http.request("GET", "/healthz")
        res = http.getresponse()
        res.read()
        return res.status

    assert status() == 200
    assert change(g, "roles player metrics",
                  "roles publish") == "configuration reloaded\n"
    assert roles_of(g) == {"publish"}
    assert status() == 404
    http.close()
    g.publish("1", "e")
    assert json.loads(ws.recv_text())["event"] == "e"
    ws.close()


def test_reload_closes(make):
    """An address that is gone is closed; who came through it stays."""
    g = make('listen on "127.0.0.1:0"\n'
             'listen on "unix:%(dir)s/h.sock" mode 0666')
    path = g.dir / "h.sock"
    s = socket.socket(socket.AF_UNIX)
    s.connect(str(path))
    s.settimeout(10)
    s.sendall(b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n")
    assert s.recv(4096).startswith(b"HTTP/1.1 200 ")
    line = 'listen on "unix:%s" mode 0666' % path
    assert change(g, line, "") == "configuration reloaded\n"
    assert not path.exists()
    s.sendall(b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n")
    assert s.recv(4096).startswith(b"HTTP/1.1 200 ")
    s.close()
    assert roles_of(g) == set(PATHS)
    # Back again: that needs privileges that are no more.
    answer = change(g, 'listen on "127.0.0.1:0"',
                    'listen on "127.0.0.1:0"\n' + line)
    assert 'restart is needed for: listen on "unix:%s"' % path in answer


def test_reload_moved(make):
    """The old address serves on until the restart."""
    g = make('listen on "127.0.0.1:0"')
    answer = change(g, "127.0.0.1:0", "127.0.0.1:1")
    assert 'restart is needed for: listen on "127.0.0.1:1"' in answer
    assert roles_of(g) == set(PATHS)
    wait_for(lambda: any("restart is needed" in l["msg"] for l in g.log()),
             "the log line")
    shown = g.ctl("show", "config").stdout
    assert 'listen on "127.0.0.1:0"' in shown
    assert "127.0.0.1:1" not in shown


def test_reload_mode(make):
    g = make('listen on "127.0.0.1:0"\n'
             'listen on "unix:%(dir)s/h.sock" mode 0666')
    answer = change(g, "mode 0666", "mode 0600")
    assert "h.sock\" mode and group" in answer
    assert (g.dir / "h.sock").stat().st_mode & 0o777 == 0o666
