"""Log lines: contract, section 7."""
import contextlib
import json
import os
import re
import socket
import subprocess

import pytest

from gateway import wait_for
from rawhttp import RawHTTP, post
from rawws import Refused


def lines(gateway):
    """Every line, which must be one JSON object in valid UTF-8."""
    text = (gateway.dir / "stdout").read_bytes().decode("utf-8")
    assert text.endswith("\n")

    def pairs(items):
        assert len({k for k, _ in items}) == len(items), items
        return dict(items)
    return [json.loads(line, object_pairs_hook=pairs)
            for line in text.split("\n")[:-1]]


def test_one_json_object_a_line_with_time_level_msg(gateway, connect):
    ws = connect(gateway, "p1")
    gateway.publish("1", "e")
    ws.close()
    gateway.stop()
    got = lines(gateway)
    assert len(got) > 3
    for line in got:
        # RFC 3339
        assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?"
                            r"(Z|[+-]\d\d:\d\d)", line["time"])
        assert line["level"] in ("trace", "debug", "info", "warn", "error",
                                 "fatal")
        assert line["msg"]
    assert [line["time"] for line in got] == \
        sorted(line["time"] for line in got)


def test_connect_and_disconnect(gateway, connect):
    first = connect(gateway, "p21")
    second = connect(gateway, "p21")
    second.close()
    first.close()
    gateway.wait_log(lambda l: l.get("event") == "ws_disconnect" and
                     l["connections"] == 0)
    got = [line for line in gateway.log()
           if line.get("event", "").startswith("ws_")]
    assert [(line["event"], line["connections"]) for line in got] == [
        ("ws_connect", 1), ("ws_connect", 2), ("ws_disconnect", 1),
        ("ws_disconnect", 0)]
    for line in got:
        assert line["level"] == "info"
        assert line["player_id"] == "21"
        assert line["subject_id"] == "subject-p21"
        assert line["ip"] == "127.0.0.1"


def test_identity_without_player_id(gateway, connect):
    gateway.add_token("anna", None, subject="anna's")
    connect(gateway, "anna")
    line = gateway.wait_log(lambda l: l.get("event") == "ws_connect")
    assert line["player_id"] == line["subject_id"] == "anna's"


def test_a_message_is_logged_by_its_event(gateway, connect):
    connect(gateway, "p1")
    gateway.publish("1", "target")
    gateway.broadcast("news")
    line = gateway.wait_log(lambda l: l.get("event") == "target")
    assert (line["player_id"], line["subject_id"], line["delivered"]) == \
        ("1", "server-1", 1)
    line = gateway.wait_log(lambda l: l.get("event") == "news")
    assert line["subject_id"] == "server-1"
    assert "player_id" not in line


def test_too_many_connections(start, connect):
    g = start("players { max-connections 2 }", wait=False)
    g.add_token("p1", 1, subject="somebody")
    g.start()
    connect(g, "p1")
    connect(g, "p1")
    with pytest.raises(Refused):
        connect(g, "p1")
    line = g.wait_log(lambda l: l.get("limit") is not None)
    assert (line["level"], line["player_id"], line["subject_id"], line["ip"],
            line["limit"], line["current"]) == \
        ("warn", "1", "somebody", "127.0.0.1", 2, 2)


@pytest.mark.parametrize("subject", [
    b'quo"te', b"back\\slash", b"new\nline", b"\x01\x1f\x7f", b"\xff\xfe",
    b"caf\xc3\xa9", b"\xe2\x82", b"nul\0nul", b"\xe2\x80\xa8"], ids=repr)
def test_any_bytes_in_a_field_are_one_good_line(gateway, connect, subject):
    gateway.add_token("odd", None, subject=subject)
    connect(gateway, "odd").close()
    gateway.wait_log(lambda l: l.get("event") == "ws_disconnect")
    gateway.stop()
    got = [line for line in lines(gateway)
           if line.get("event") == "ws_connect"]
    assert len(got) == 1
    try:
        assert got[0]["subject_id"] == subject.decode()
    except UnicodeDecodeError:
        assert got[0]["subject_id"]


@pytest.mark.parametrize("event", ['a"b', "a\nb", "\u00e9\u2028", "\0",
                                   "x" * 5000, "\U0001f600"], ids=repr)
def test_any_event_is_one_good_line(gateway, event):
    before = len(gateway.log())
    gateway.publish("1", event)
    gateway.wait_log(lambda l: l.get("msg") == "publish", start=before)
    gateway.stop()
    got = [line for line in lines(gateway) if line["msg"] == "publish"]
    assert len(got) == 1 and got[0]["event"]


def test_payloads_are_not_logged(gateway):
    gateway.publish("1", "e", "PrivatePayload")
    gateway.stop()
    assert "PrivatePayload" not in (gateway.dir / "stdout").read_text()


def test_log_file_is_appended_to(start, folder):
    path = folder.path / "gateway.log"
    path.write_text('{"msg":"before"}\n')
    folder.own(path)
    g = start('log file "%s"\nhttp { max-connections 10 }' % path, wait=False)
    g.launch()
    wait_for(lambda: '"started"' in path.read_text(), "the start")
    g.stop()
    got = [json.loads(line) for line in path.read_text().splitlines()]
    assert got[0] == {"msg": "before"}
    assert len(got) > 2


def test_level(start, folder):
    """What is below it is not written."""
    path = str(folder.path / "http.sock")
    g = start('log level warn\nlisten on "unix:%s"\n'
              'http { max-connections 1 }' % path, wait=False).launch()

    def ask():
        """A connection, and the status that it was told."""
        sock = socket.socket(socket.AF_UNIX)
        sock.settimeout(20)
        try:
            sock.connect(path)
            sock.sendall(b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n")
        except BrokenPipeError:
            pass        # it was refused before it asked
        except (FileNotFoundError, ConnectionRefusedError):
            return sock, b""
        try:
            return sock, sock.recv(100)[9:12]
        except ConnectionResetError:
            return sock, b""

    def told(status):
        sock, got = ask()
        if got == status:
            return sock
        sock.close()
        return None
    with wait_for(lambda: told(b"200"), "the start"):
        wait_for(lambda: told(b"503"), "one too many").close()
    line = g.wait_log(lambda l: l.get("limit") == 1)
    assert line["level"] == "warn"
    g.stop()
    assert {l["level"] for l in g.log()} == {"warn"}


@pytest.fixture
def small_disk(folder):
    """A file system of 64 KiB."""
    path = folder.path / "disk"
    path.mkdir()
    if os.getuid() != 0 or subprocess.run(
            ["mount", "-t", "tmpfs", "-o", "size=64k,mode=755", "tmpfs",
             str(path)], capture_output=True, check=False).returncode != 0:
        pytest.skip("needs the right to mount")
    yield path
    subprocess.run(["umount", "-l", str(path)], check=True)


@pytest.mark.parametrize("requests", [300, 3000], ids=["kept", "lost"])
def test_full_disk(start, small_disk, requests):
    """The daemon goes on; when there is room again, so does the log: with
    every line that it could keep, and one that says how many it could not."""
    path = small_disk / "gateway.log"
    filler = small_disk / "filler"
    g = start('log file "%s"\npublishers { rate-limit 0 }' % path, wait=False)
    g.add_token("s1", subject="server-1", server=True)
    g.launch()
    wait_for(lambda: path.exists() and '"started"' in path.read_text(),
             "the start")
    g.port = next(int(json.loads(l)["address"].rsplit(":", 1)[1])
                  for l in path.read_text().splitlines() if "listening" in l)
    with open(filler, "wb", buffering=0) as f, \
            contextlib.suppress(OSError):
        while True:
            f.write(b"x" * 512)
    with RawHTTP(g) as server:
        for n in range(requests):
            status = server.ask(post(
                "/broadcast", b'{"event":"line-%d"}' % n)).status
            assert status == 200
    assert os.statvfs(small_disk).f_bavail == 0
    subprocess.run(["mount", "-o", "remount,size=8m", str(small_disk)],
                   check=True)
    g.broadcast("last", 1)

    def after():
        text = path.read_text()
        return text.endswith("\n") and ('"event":"last"' in text
                                        or "lines were lost" in text)
    wait_for(after, "the log goes on")
    got = [json.loads(line) for line in path.read_text().splitlines()]
    lost = [l["msg"] for l in got if "were lost" in l["msg"]]
    seen = [int(l["event"][5:]) for l in got
            if l.get("event", "").startswith("line-")]
    assert seen == list(range(len(seen))), "a gap in what was kept"
    if requests == 300:
        assert not lost and len(seen) == requests
    else:
        assert len(lost) == 1
        assert int(lost[0].split()[0]) >= requests - len(seen) > 0
        g.broadcast("more", 1)
        wait_for(lambda: '"event":"more"' in path.read_text(), "a line more")


def test_disk_that_stays_full(start):
    g = start('log file "/dev/full"\nlisten on "127.0.0.1:0"', listen=None,
              wait=False)
    g.launch()
    wait_for(lambda: g.control.exists() and
             g.ctl("show", "stats", check=False).returncode == 0, "the start")
    assert g.stop() == 0
