"""ws-gatewayctl against the running daemon, and the control socket against
clients of all kinds."""
import contextlib
import grp
import itertools
import json
import os
import pwd
import re
import resource
import select
import shutil
import socket
import struct
import subprocess
import threading
import time

import pytest

import rawctl
import certs
from gateway import CTL, LIMIT, wait_for
from launch import daemon
from rawctl import RawCtl
from rawws import RawWS, Refused

ROOT = os.getuid() == 0
as_root = pytest.mark.skipif(not ROOT, reason="only for root")
DONE, FAILED, NO_DAEMON, NO_MATCH = range(4)


def fails(g, code, *args, **kw):
    """The command fails with this exit code and one reason; returns it."""
    res = g.ctl(*args, check=False, **kw)
    assert res.returncode == code, res
    assert res.stdout == ""
    assert res.stderr.startswith("ws-gatewayctl: ")
    return res.stderr


def table(text):
    """The rows of a table, by its heads."""
    heads, *rows = [re.split(r"  +", l.strip()) for l in text.splitlines()]
    return [dict(zip(heads, row)) for row in rows]


# -- show --------------------------------------------------------------------

def test_show_stats(shared, connect):
    token, player = shared.fresh()
    connect(shared, token)
    before = shared.ctl_json("show", "stats")
    shared.publish(player, "e", 1)
    st = shared.ctl_json("show", "stats")
    assert st["published"] == before["published"] + 1
    assert st["delivered"] == before["delivered"] + 1
    assert st["connections"] >= 1 and st["players"] >= 1
    assert st["store_up"] is True and st["store_backend"] == "sqlite"
    assert st["draining"] is False and st["control_clients"] == 1
    assert set(st["processes"]) == {"parent", "engine", "store"} | (
        {"keys"} if certs.TLS else set())
    metrics = shared.metrics()
    assert st["opened"] == metrics["ws_connections_opened_total"]
    text = shared.ctl("show", "stats").stdout
    for word in ("daemon", "connections", "messages", "queue", "store",
                 "sqlite, up", "parent", "engine"):
        assert word in text
    assert re.search(r"engine +[\d.]+[KMG] bytes", text)
    assert re.search(r"engine +\d+ bytes", shared.ctl("show", "stats",
                                                      "-n").stdout)


def test_show_store(shared, connect):
    connect(shared, shared.fresh()[0])
    wait_for(lambda: shared.ctl_json("show", "store")["lookups"] > 0,
             "figures")
    st = shared.ctl_json("show", "store")
    assert st["backend"] == "sqlite" and st["up"] is True
    assert "sqlite" in shared.ctl("show", "store").stdout


def test_show_players_and_player(shared, connect):
    token, player = shared.fresh(subject="sub-x")
    ws = [connect(shared, token) for _ in range(2)]
    shared.publish(player, "e", "x" * 100)
    row = [r for r in shared.ctl_json("show", "players")
           if r["player"] == player][0]
    assert row["connections"] == 2 and row["sent"] == 2
    row = [r for r in table(shared.ctl("show", "players").stdout)
           if r["PLAYER"] == player][0]
    assert row["CONNECTIONS"] == "2" and row["SENT"] == "2"
    assert re.fullmatch(r"\d+s|\d+m\d\ds", row["SINCE"])
    one = shared.ctl_json("show", "player", player)
    assert one["player"] == player and one["queue"] is None
    ports = {"127.0.0.1:%d" % w.sock.getsockname()[1] for w in ws}
    assert {c["address"] for c in one["connections"]} == ports
    for c in one["connections"]:
        assert c["subject"] == "sub-x" and c["sent"] == 1
        assert c["sent_bytes"] > 100 and c["send_queue"] == 0
        assert 0 < c["token_ttl_ms"] <= 3600000
    text = shared.ctl("show", "player", player).stdout
    assert "player %s: 2 connections" % player in text
    assert "59m" in text and ports & set(text.split())
    assert "no" in fails(shared, NO_MATCH, "show", "player", "nobody-here")


def test_show_queue(shared):
    for i in range(3):
        assert shared.publish("away", "e", i)["queued"] == 1
    row = [r for r in shared.ctl_json("show", "queue")
           if r["player"] == "away"][0]
    assert row["messages"] == 3 and row["bytes"] > 50
    assert row["oldest_ms"] + row["next_expiry_ms"] == 10000
    row = [r for r in table(shared.ctl("show", "queue").stdout)
           if r["PLAYER"] == "away"][0]
    assert row["MESSAGES"] == "3"
    one = shared.ctl_json("show", "player", "away")
    assert one["connections"] == [] and one["queue"]["messages"] == 3
    assert "not connected" in shared.ctl("show", "player", "away").stdout


def test_show_config(shared, tmp_path):
    """What it prints is a configuration that says the same."""
    text = shared.ctl("show", "config").stdout
    conf = tmp_path / "c.conf"
    conf.write_text(text)
    res = daemon("-nv", "-f", conf)
    assert res.returncode == 0 and res.stdout == text
    assert shared.ctl_json("show", "config")["config"] == text.splitlines()


def test_identities_are_bytes(shared, connect):
    """A name with anything in it: the tables escape it, and take that back."""
    shared.execute("INSERT INTO ws_token VALUES ('odd', NULL, ?, 0, "
                   "'2999-01-01 00:00:00')", b"\xff\x1b[31m\\")
    connect(shared, "odd")
    shown = "\\xff\\x1b[31m\\\\"
    out = shared.ctl("show", "players").stdout
    assert shown in out and "\x1b" not in out
    rows = shared.ctl_json("show", "players")
    row = [r for r in rows if r["player"] == shown][0]
    assert row["player_hex"] == b"\xff\x1b[31m\\".hex()
    assert len(shared.ctl_json("show", "player", shown)["connections"]) == 1


def test_json_of_every_answer_is_json(shared, connect):
    token, player = shared.fresh()
    connect(shared, token)
    for args in (["show", "stats"], ["show", "store"], ["show", "players"],
                 ["show", "player", player], ["show", "queue"],
                 ["show", "config"], ["publish", player, "e"],
                 ["broadcast", "e", "1"], ["reload"], ["log", "debug"],
                 ["token", "list"], ["token", "add", "-p", "5"],
                 ["kick", "player", player],
                 ["token", "revoke", "-p", "5"]):
        shared.ctl_json(*args)
    # The option may also stand at the end of what has one.
    json.loads(shared.ctl("show", "players", "-j").stdout)


def test_empty_lists(start):
    g = start()
    for what in (["show", "players"], ["show", "queue"], ["token", "list"]):
        assert g.ctl_json(*what) == []
        assert len(g.ctl(*what).stdout.splitlines()) == 1


# -- the command line --------------------------------------------------------

@pytest.mark.parametrize("args", [
    ["sh", "sta"], ["sho", "players"], ["show", "q"], ["show", "c"],
    ["tok", "l"], ["rel"], ["l", "d"], ["b", "ev"]])
def test_abbreviations(shared, args):
    assert shared.ctl(*args).returncode == DONE


@pytest.mark.parametrize("args, words", [
    ([], ["usage:", "show", "kick", "monitor", "token"]),
    (["-x"], ["usage:"]),
    (["s"], ["ambiguous", "show", "stop"]),
    (["show"], ["missing", "stats", "players", "queue", "config"]),
    (["show", "p"], ["ambiguous", "player", "players"]),
    (["show", "nothing"], ["nothing", "stats"]),
    (["show", "stats", "now"], ["now", "nothing more"]),
    (["show", "player"], ["missing", "ID"]),
    (["show", "player", ""], ["empty"]),
    (["show", "player", "x" * 65], ["64"]),
    (["kick", "connection", "x"], ["not a number"]),
    (["kick", "player", "1", "x" * 200], ["123"]),
    (["publish", "1"], ["missing", "EVENT"]),
    (["monitor", "everything"], ["everything", "connect", "drop"]),
    (["log", "loud"], ["loud", "verbose", "brief"]),
    (["drain", "10"], ["duration"]),
    (["drain", "-5s"], ["negative"]),
    (["drain", "3d"], ["most"]),
    (["token", "add"], ["whose", "-p", "-s"]),
    (["token", "add", "-p", "1", "-s", "2"], ["enough"]),
    (["token", "add", "-p", "1", "-e", "0s"], ["live"]),
    (["token", "add", "-p", "1", "-e", "soon"], ["duration"]),
    (["token", "add", "-p", "x" * 33], ["32"]),
    (["token", "revoke"], ["missing", "TOKEN"]),
])
def test_usage_errors(shared, args, words):
    """Told before anything is sent, with what was possible there."""
    res = shared.ctl(*args, check=False)
    assert res.returncode == FAILED and res.stdout == ""
    for word in words:
        assert word in res.stderr, res.stderr


def test_help_and_version(shared):
    for arg, word in (("-h", "usage: ws-gatewayctl"), ("-V", "ws-gatewayctl ")):
        res = shared.ctl(arg)
        assert word in res.stdout and res.stderr == ""


def test_no_daemon(folder):
    """Exit code 2, and what may be wrong."""
    def ask(path):
        res = subprocess.run([str(CTL), "-s", str(path), "show", "stats"],
                             capture_output=True, text=True, timeout=LIMIT,
                             check=False)
        assert res.returncode == NO_DAEMON, res
        assert str(path) in res.stderr
        return res.stderr
    assert "Is ws-gatewayd running?" in ask(folder.path / "none.sock")
    assert "-s" in ask(folder.path / "none.sock")
    stale = folder.path / "stale.sock"
    with socket.socket(socket.AF_UNIX) as s:
        s.bind(str(stale))
    assert "no daemon" in ask(stale)
    ask("/" + "x" * 200)


@pytest.mark.parametrize("answer, code, word", [
    (rawctl.hello(99), NO_DAEMON, "version 99"),
    (rawctl.imsg(rawctl.FAIL, struct.pack("=I256s", rawctl.ERR_VERSION,
                                          b"speak another")), NO_DAEMON,
     "speak another"),
    (b"HTTP/1.1 400 Bad Request\r\n\r\n" * 9, FAILED, ""),
    (rawctl.imsg(rawctl.HELLO, b"short"), FAILED, "not understood"),
    (b"", FAILED, "closed"),
])
def test_strange_daemons(folder, answer, code, word):
    path = str(folder.path / "c.sock")
    with socket.socket(socket.AF_UNIX) as s:
        s.bind(path)
        s.listen()
        s.settimeout(LIMIT)

        def serve():
            c, _ = s.accept()
            with c:
                c.recv(1000)
                c.sendall(answer)
        t = threading.Thread(target=serve)
        t.start()
        res = subprocess.run([str(CTL), "-s", path, "show", "stats"],
                             capture_output=True, text=True, timeout=LIMIT,
                             check=False)
        t.join(LIMIT)
    assert res.returncode == code, res
    assert word in res.stderr and res.stdout == ""


# -- kick --------------------------------------------------------------------

def test_kick_player(shared, connect):
    token, player = shared.fresh()
    other = connect(shared, shared.fresh()[0])
    ws = [connect(shared, token) for _ in range(3)]
    assert shared.ctl("kick", "player", player, "go", "to", "bed").stdout == \
        "3 connections kicked\n"
    for w in ws:
        assert w.recv_close() == (1008, "go to bed")
    other.settle()
    assert "no connection" in fails(shared, NO_MATCH, "kick", "player",
                                    player)
    assert shared.metrics()[
        'ws_connections_closed_total{reason="kick"}'] >= 3


def test_kick_connection(shared, connect):
    token, player = shared.fresh()
    first, second = connect(shared, token), connect(shared, token)
    port = second.sock.getsockname()[1]
    number = [c["connection"] for c in
              shared.ctl_json("show", "player", player)["connections"]
              if c["address"].endswith(":%d" % port)][0]
    assert shared.ctl_json("kick", "connection", str(number)) == {"kicked": 1}
    assert second.recv_close()[0] == 1008
    first.settle()
    fails(shared, NO_MATCH, "kick", "connection", str(number))


def test_kick_reason_is_cut_for_nobody(shared, connect):
    """123 bytes fit a close frame, and bad UTF-8 does not go into one."""
    token, player = shared.fresh()
    ws = connect(shared, token)
    bad = subprocess.run([str(CTL), "-s", str(shared.control), "kick",
                          "player", player, b"\xff\xfe"], capture_output=True,
                         timeout=LIMIT, check=False)
    assert bad.returncode == FAILED and b"UTF-8" in bad.stderr
    shared.ctl("kick", "player", player, "é" * 61)
    assert ws.recv_close() == (1008, "é" * 61)


# -- publish -----------------------------------------------------------------

def test_publish(shared, connect):
    token, player = shared.fresh()
    ws = connect(shared, token)
    assert "delivered to 1 connection\n" == shared.ctl(
        "publish", player, "target", '{"b":1,"a":9007199254740993}').stdout
    assert ws.recv_text() == \
        '{"event":"target","payload":{"b":1,"a":9007199254740993}}'
    shared.ctl("publish", player, 'quo"te', stdin="")
    assert ws.recv_text() == '{"event":"quo\\"te","payload":null}'
    for args in (["publish", player, "e", "-"], ["publish", player, "e"]):
        shared.ctl(*args, stdin=' [1, 2.50]\n')
        assert ws.recv_text() == '{"event":"e","payload":[1, 2.50]}'
    assert shared.ctl_json("publish", "nobody", "e", "1") == {
        "delivered": 0, "queued": 1}
    assert "queued" in shared.ctl("publish", "nobody", "e", "1").stdout


def test_publish_big(shared, connect):
    """In many messages, up to the limit that servers have."""
    token, player = shared.fresh()
    ws = connect(shared, token)
    payload = '"%s"' % ("x" * 1000000)
    done = []
    t = threading.Thread(target=lambda: done.append(ws.recv_text()))
    t.start()
    shared.ctl("publish", player, "big", stdin=payload)
    t.join(LIMIT)
    assert json.loads(done[0])["payload"] == json.loads(payload)
    assert "limit" in fails(shared, FAILED, "publish", player, "big",
                            stdin='"%s"' % ("x" * 3000000))


@pytest.mark.parametrize("payload", [
    "{bad", "01", "'x'", "[1,]", '"\x01"', "1 2", "\ud800"])
def test_publish_bad_json(shared, connect, payload):
    token, player = shared.fresh()
    ws = connect(shared, token)
    data = payload.encode("utf-8", "surrogatepass")
    res = subprocess.run([str(CTL), "-s", str(shared.control), "publish",
                          player, "e"], input=data, capture_output=True,
                         timeout=LIMIT, check=False)
    assert res.returncode == FAILED
    assert b"not JSON" in res.stderr or b"UTF-8" in res.stderr
    ws.settle()


def test_broadcast(start, connect):
    g = start()
    players = [connect(g, g.fresh()[0]) for _ in range(5)]
    assert g.ctl_json("broadcast", "all", "[]") == {
        "delivered": 5, "queued": 0}
    for ws in players:
        assert ws.recv_text() == '{"event":"all","payload":[]}'
    assert g.ctl_json("show", "queue") == []
    assert g.metrics()["ws_messages_published_total"] == 1


# -- monitor -----------------------------------------------------------------

class Monitor:
    """A "ws-gatewayctl monitor" and the lines that it prints."""

    def __init__(self, g, *args, stir):
        self.process = subprocess.Popen(
            [str(CTL), "-s", str(g.control), "-j", "monitor", *args],
            stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        os.set_blocking(self.process.stdout.fileno(), False)
        self.buf = b""
        self.events = []
        # What shows that it watches is that it sees something.
        end = time.monotonic() + LIMIT
        while not self.events:
            assert time.monotonic() < end
            stir()
            self.read(0.1)
        self.stir = stir

    def read(self, limit):
        if not select.select([self.process.stdout], [], [], limit)[0]:
            return
        data = self.process.stdout.read()
        assert data != b"", self.process.stderr.read()
        self.buf += data
        *lines, self.buf = self.buf.split(b"\n")
        self.events += [json.loads(l) for l in lines]

    def want(self, **members):
        """Until an event that has these members; returns it."""
        end = time.monotonic() + LIMIT
        while True:
            for ev in self.events:
                if members.items() <= ev.items():
                    return ev
            assert time.monotonic() < end, (members, self.events)
            self.read(0.1)

    def close(self):
        self.process.terminate()
        self.process.wait(LIMIT)
        self.process.stdout.close()
        self.process.stderr.close()


@pytest.fixture
def monitor():
    """monitor(gateway, args...): started, and seen to watch."""
    started = []

    def run(g, *args, player):
        token = g.add_token("stir-%d" % len(started), player)

        def stir():
            g.publish(player, "stir")
            ws = RawWS.connect(g, token)
            g.publish(player, "stir")
            g.ctl("kick", "player", player)
            ws.abort()
        m = Monitor(g, *args, stir=stir)
        started.append(m)
        return m

    yield run
    for m in started:
        m.close()


def test_monitor(start, monitor, connect):
    """Why did player X not get Y?  Every step of a message is there."""
    g = start("publishers { rate-limit 0 }\nqueue { max-messages 1 }",
              wait=False)
    g.add_token("s1", subject="server-1", server=True)
    g.add_token("p7", 7)
    g.start()
    m = monitor(g, player="stirrer")
    g.publish("7", "first")
    m.want(kind="publish", player="7", event="first", delivered=0)
    m.want(kind="queue", player="7", event="first")
    g.publish("7", "second")
    m.want(kind="drop", player="7", event="first", detail="queue_full")
    ws = connect(g, "p7")
    address = "127.0.0.1:%d" % ws.sock.getsockname()[1]
    ev = m.want(kind="connect", player="7", detail=address)
    number = ev["connection"]
    m.want(kind="flush", player="7", event="second", connection=number)
    g.publish("7", "third", "x" * 99)
    assert m.want(kind="publish", player="7", event="third",
                  delivered=1)["bytes"] > 99
    g.broadcast("fourth")
    m.want(kind="broadcast", event="fourth", delivered=1)
    g.ctl("kick", "player", "7", "because")
    assert m.want(kind="kick", player="7", connection=number)
    m.want(kind="disconnect", player="7", connection=number, detail="kick")
    with pytest.raises(Refused):
        RawWS.connect(g, "wrong")
    assert "token" in m.want(kind="refuse")["detail"]
    for ev in m.events:
        assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z",
                            ev["time"])


def test_monitor_filters(start, monitor):
    g = start("publishers { rate-limit 0 }", wait=False)
    g.add_token("s1", server=True)
    g.start()
    one = monitor(g, "player", "21", player="21")
    kinds = monitor(g, "kick", "disconnect", player="stirrer")
    both = monitor(g, "player", "21", "queue", player="21")
    g.publish("22", "not-mine")
    g.publish("21", "mine")
    g.broadcast("for-all")
    one.want(event="mine", kind="publish")
    one.want(event="for-all", kind="broadcast")
    assert {ev.get("player") for ev in one.events} <= {"21", None}
    assert "not-mine" not in {ev.get("event") for ev in one.events}
    kinds.stir()
    kinds.want(kind="kick")
    kinds.want(kind="disconnect")
    assert {ev["kind"] for ev in kinds.events} == {"kick", "disconnect"}
    both.want(kind="queue", event="mine")
    assert {(ev["kind"], ev["player"]) for ev in both.events} == {
        ("queue", "21")}


def test_monitor_for_people(gateway):
    """Text, a line an event, until it is interrupted or its reader goes."""
    p = subprocess.Popen([str(CTL), "-s", str(gateway.control), "monitor"],
                         stdout=subprocess.PIPE, text=True)

    def seen():
        gateway.publish("21", "hello")
        return select.select([p.stdout], [], [], 0.05)[0]
    wait_for(seen, "an event")
    line = p.stdout.readline()
    assert re.match(r"\d\d:\d\d:\d\d\.\d{3} \w+ +player=21 .*event=hello",
                    line), line
    p.stdout.close()
    wait_for(lambda: gateway.publish("21", "x") and p.poll() is not None,
             "it ends with its reader")
    assert p.returncode == FAILED


def test_monitor_that_nobody_reads_loses_events(gateway):
    with RawCtl(gateway) as c:
        c.send(rawctl.imsg(rawctl.MONITOR, struct.pack("=I", 0) +
                           rawctl.ident(b"")))
        wait_for(lambda: gateway.publish("21", "e") and gateway.metrics()[
            "ws_monitor_events_lost_total"] > 10, "lost events")
        # It is told how many.
        lost = 0
        while not lost:
            kind, data = c.recv()
            lost = struct.unpack_from("=I", data, 12)[0]
        assert lost > 0


# -- reload, log, drain, stop ------------------------------------------------

def test_reload(start):
    g = start("queue {\n\tttl 5s\n}")
    g.settings = "queue {\n\tttl 6s\n}"
    g.write_conf()
    assert g.ctl("reload").stdout == "configuration reloaded\n"
    assert "\tttl 6s" in g.ctl("show", "config").stdout
    g.settings = "queue {\n\tttl never\n}"
    g.write_conf()
    line = g.conf.read_text().splitlines().index("\tttl never") + 1
    assert "%s:%d: " % (g.conf, line) in fails(g, FAILED, "reload")
    assert "\tttl 6s" in g.ctl("show", "config").stdout
    g.settings = "queue {\n\tttl 7s\n}"
    g.listen = "127.0.0.1:1"
    g.write_conf()
    res = g.ctl("reload")
    assert "restart is needed for: listen" in res.stderr
    assert g.ctl_json("reload")["reloaded"] is True


def test_log_level(gateway):
    def lines(event):
        gateway.publish("21", event)
        mark = gateway.ctl("broadcast", "mark-" + event, "1")
        assert mark.returncode == DONE
        return [l for l in gateway.log() if l.get("event") == event]
    assert gateway.ctl("log", "brief").stdout == "log level is info\n"
    gateway.wait_log(lambda l: l["msg"] == "log level is info")
    wait_for(lambda: not lines("brief-%d" % time.monotonic_ns()), "quiet")
    assert gateway.ctl("log", "verbose").stdout == "log level is debug\n"
    gateway.publish("21", "loud")
    gateway.publish("21", "loud")
    wait_for(lambda: lines("loud"), "debug lines")
    for level in ("trace", "warn", "error", "fatal", "info", "debug"):
        assert gateway.ctl_json("log", level) == {"level": level}


def test_drain(start, connect):
    g = start("publishers { rate-limit 0 }", wait=False)
    g.add_token("s1", server=True)
    g.start()
    players = [connect(g, g.fresh()[0]) for _ in range(20)]
    token, _ = g.fresh()
    began = time.monotonic()
    out = g.ctl("drain", "2s").stdout
    assert out == "draining: 20 connections to close within 2s\n"
    # Spread, and not in one go.
    times = []
    waiting = {ws.sock: ws for ws in players}
    while waiting:
        ready, _, _ = select.select(list(waiting), [], [], LIMIT)
        assert ready, "%d of them still wait" % len(waiting)
        for sock in ready:
            ws = waiting.pop(sock)
            times.append(time.monotonic())
            assert ws.recv_close()[0] == 1012
            ws.send(8, b"\x03\xf4")
    assert times[-1] - times[0] > 0.5 and times[-1] - began < 10
    with pytest.raises(Refused) as refused:
        RawWS.connect(g, token)
    assert refused.value.status == 503
    assert "retry-after" in refused.value.headers
    status, _, body = g.request("GET", "/readyz")
    assert (status, body) == (503, b"draining\n")
    assert g.request("GET", "/healthz")[0] == 200
    assert g.ctl_json("show", "stats")["draining"] is True
    # Servers may still publish; what is for players who left is queued.
    assert g.publish("1000", "e")["queued"] == 1
    assert g.metrics()["ws_draining"] == 1
    wait_for(lambda: g.metrics()["ws_active_connections"] == 0, "empty")


def test_stop(start, folder, connect):
    g = start('pid file "%s"' % (folder.path / "p"))
    ws = connect(g, g.fresh()[0])
    assert g.ctl("stop").stdout == "stopping\n"
    assert ws.recv_close()[0] == 1001
    ws.close()
    assert g.wait_exit() == 0
    assert not (folder.path / "p").exists() and not g.control.exists()
    assert any("asked by ws-gatewayctl" in l["msg"] for l in g.log())
    fails(g, NO_DAEMON, "show", "stats")


def test_changes_are_in_the_log_with_who_made_them(gateway, connect):
    connect(gateway, "p21")
    gateway.ctl("kick", "player", "21", "why")
    line = gateway.wait_log(lambda l: l.get("request") == "kick player")
    assert line["uid"] == os.getuid()
    assert line["player_id"] == "21" and line["reason"] == "why"


# -- tokens ------------------------------------------------------------------

def test_token_add(start, connect):
    g = start("publishers { rate-limit 0 }")
    player = g.ctl("token", "add", "-p", "42").stdout.strip()
    server = g.ctl("token", "add", "-s", "web-1", "-e", "2w").stdout.strip()
    assert re.fullmatch(r"[\w-]{32}", player)
    assert re.fullmatch(r"[\w-]{32}", server) and server != player
    ws = connect(g, player)
    assert g.publish("42", "e", token=server)["delivered"] == 1
    ws.recv_text()
    # Neither is good in the other's place.
    assert g.post("/publish", {"player_id": "42", "event": "e"},
                  token=player)[0] == 403
    with pytest.raises(Refused):
        RawWS.connect(g, server)


@pytest.mark.parametrize("text, seconds", [
    ("30d", 30 * 86400), ("2w", 14 * 86400), ("12h", 43200),
    ("1h30m", 5400), ("90s", 90), ("1w2d3h", 788400)])
def test_token_ttl(shared, text, seconds):
    row = shared.ctl_json("token", "add", "-p", "9", "-e", text)
    assert row["ttl_ms"] == seconds * 1000
    con = shared.sql()
    (left,) = con.execute(
        "SELECT (julianday(expires_at) - julianday('now')) * 86400 "
        "FROM ws_token WHERE token = ?", (row["token"],)).fetchone()
    con.close()
    assert abs(left - seconds) < 30


def test_token_default_ttl(shared):
    assert shared.ctl_json("token", "add", "-s", "x")["ttl_ms"] == \
        30 * 86400 * 1000


def test_token_list_has_no_secrets(start):
    g = start()
    secret = g.ctl("token", "add", "-p", "42").stdout.strip()
    g.add_token("longer-than-four-letters", 43, subject="s43")
    g.add_token("over-and-done", 44, subject="s44",
                expires_at="2001-01-01 00:00:00")
    for out in (g.ctl("token", "list").stdout,
                g.ctl("-j", "token", "list").stdout):
        for token in (secret, "longer-than-four-letters", "over-and-done"):
            assert token[:4] in out and token[:5] not in out
    rows = {r["identity"]: r for r in g.ctl_json("token", "list")}
    assert rows["42"]["token"] == secret[:4]
    assert rows["43"]["subject"] == "s43" and rows["43"]["kind"] == "player"
    assert rows["44"]["ttl_ms"] < 0
    assert "expired" in g.ctl("token", "list").stdout


def test_token_revoke_acts_at_once(start, connect):
    """Long before the next revalidation, and before any cache runs out."""
    g = start("tokens { cache 1h }\npublishers { rate-limit 0 }\n"
              "players { revalidate-period 1h }")
    first = g.ctl("token", "add", "-p", "42").stdout.strip()
    second = g.ctl("token", "add", "-p", "42").stdout.strip()
    server = g.ctl("token", "add", "-s", "web").stdout.strip()
    other = g.ctl("token", "add", "-s", "other").stdout.strip()
    a, b = connect(g, first), connect(g, first)
    c, d = connect(g, second), connect(g, second)
    assert g.publish("0", "e", token=server)
    assert g.ctl("token", "revoke", first).stdout == "1 token revoked\n"
    for ws in (a, b):
        assert ws.recv_close() == (1008, "token expired")
    c.settle()
    with pytest.raises(Refused) as refused:
        RawWS.connect(g, first)
    assert refused.value.status == 401
    assert g.ctl_json("token", "revoke", "-p", "42") == {"revoked": 1}
    for ws in (c, d):
        assert ws.recv_close()[0] == 1008
    g.ctl("token", "revoke", "-s", "web")
    assert g.post("/publish", {"player_id": "0", "event": "e"},
                  token=server)[0] == 403
    assert g.publish("0", "e", token=other)
    assert "no such token" in fails(g, NO_MATCH, "token", "revoke", first)
    assert [r["identity"] for r in g.ctl_json("token", "list")] == ["other"]


def test_token_that_begins_with_a_dash(shared):
    shared.add_token("-dash", 3)
    assert shared.ctl("token", "revoke", "--", "-dash").returncode == DONE


def test_tokens_of_a_read_only_database(start, folder):
    g = start(database='database sqlite "file:%s?mode=ro"' %
              (folder.path / "tokens.db"))
    text = fails(g, FAILED, "token", "add", "-p", "1")
    assert "read-only" in text and str(g.db) in text
    assert g.ctl("token", "list").returncode == DONE


def many_tokens(g, count):
    with contextlib.closing(g.sql()) as con:
        con.execute("BEGIN")
        con.executemany("INSERT INTO ws_token VALUES (?,?,?,0,"
                        "'2999-01-01 00:00:00')",
                        [("t%d" % i, i, "s") for i in range(count)])
        con.execute("COMMIT")


def test_long_token_list(start):
    """In many pieces, to a client that reads when it likes."""
    g = start()
    many_tokens(g, 20000)
    rows = g.ctl_json("token", "list")
    assert sorted(int(r["identity"]) for r in rows) == list(range(20000))


# -- many clients, bad clients -----------------------------------------------

def test_several_at_once(shared):
    procs = [subprocess.Popen(
        [str(CTL), "-s", str(shared.control), "-j", "show", what],
        stdout=subprocess.PIPE) for what in
        ("stats", "players", "queue", "config") * 3]
    for p in procs:
        out, _ = p.communicate(timeout=LIMIT)
        assert p.returncode == DONE
        json.loads(out)


def test_one_connection_many_requests(shared):
    with RawCtl(shared) as c:
        for _ in range(100):
            assert c.ask(rawctl.imsg(rawctl.SHOW_STATS))[0] == rawctl.STATS
            assert c.recv()[0] == rawctl.OK


def test_max_clients(start):
    g = start("control { max-clients 2 }")
    with RawCtl(g), RawCtl(g, greet=False):
        text = fails(g, NO_DAEMON, "show", "stats")
        assert "2 control clients" in text
    wait_for(lambda: g.ctl("show", "stats", check=False).returncode == DONE,
             "room again")


ROW = rawctl.imsg(rawctl.SHOW_STATS)


@pytest.mark.parametrize("greet, data", [
    (False, b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"),
    (False, os.urandom(5000)),
    (False, b"\0" * 100),
    (False, b"\xff" * 100),
    (False, rawctl.imsg(rawctl.HELLO, b"", 15)),
    (False, rawctl.imsg(rawctl.HELLO, b"x" * 36, 16385)),
    (False, rawctl.imsg(rawctl.HELLO, b"short")),
    (False, ROW),
    (True, rawctl.hello()),
    (True, rawctl.imsg(1)),
    (True, rawctl.imsg(rawctl.OK)),
    (True, rawctl.imsg(rawctl.SHOW_STATS, b"more")),
    (True, rawctl.imsg(rawctl.KICK_PLAYER, b"less")),
    (True, rawctl.imsg(rawctl.PUBLISH_DATA, b"x")),
    (True, rawctl.imsg(rawctl.PUBLISH_END)),
    (True, ROW * 50),
    (True, rawctl.publish_begin(b"1", 2, 2) +
     rawctl.imsg(rawctl.PUBLISH_DATA, b"x" * 5)),
    (True, rawctl.publish_begin(b"1", 2, 2) +
     rawctl.imsg(rawctl.PUBLISH_DATA, b"x") + rawctl.imsg(rawctl.PUBLISH_END)),
    (True, rawctl.publish_begin(b"1", 0xffffffff, 0xffffffff)),
    (True, rawctl.publish_begin(b"1", 0, 2)),
    (True, rawctl.publish_begin(b"", 1, 2)),
    (True, rawctl.publish_begin(b"1", 1, 1) + ROW),
], ids=map(str, itertools.count()))
def test_hostile_client(shared, greet, data):
    """It is told, closed and forgotten; nobody else notices."""
    with RawCtl(shared, greet=greet) as c:
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            c.send(data)
        for kind, _ in c.closed():
            assert kind in (rawctl.FAIL, rawctl.STATS, rawctl.OK)
    st = wait_for(lambda: (s := shared.ctl_json("show", "stats")) and
                  s["control_clients"] == 1 and s, "it is forgotten")
    assert st["store_up"] is True


@pytest.mark.parametrize("kind, data", [
    (rawctl.SHOW_PLAYER, rawctl.ident(b"")),
    (rawctl.SHOW_PLAYER, struct.pack("=I64s", 0xffffffff, b"x")),
    (rawctl.LOG_LEVEL, struct.pack("=Q", 99)),
    (rawctl.DRAIN, struct.pack("=Q", 1 << 63)),
    (rawctl.KICK_PLAYER, struct.pack("=Q", 0) + rawctl.ident(b"1") +
     b"x" * 124 + b"\0" * 4),
    (rawctl.MONITOR, struct.pack("=I", 0xffffffff) + rawctl.ident(b"")),
    (rawctl.TOKEN_ADD, struct.pack("=IIIxxxx64sQ", 9, 9, 4, b"x", 1)),
    (rawctl.TOKEN_ADD, struct.pack("=III64sxxxxQ", 0, 0, 0xffff, b"x", 1)),
])
def test_impossible_requests(shared, kind, data):
    """Of the right form and with wrong contents: an error, and no harm."""
    with RawCtl(shared) as c:
        got, answer = c.ask(rawctl.imsg(kind, data))
        assert got == rawctl.FAIL, got
        assert rawctl.error(answer)[0] == rawctl.ERR_REQUEST
    assert shared.request("GET", "/readyz")[0] == 200


def test_wrong_version(shared):
    with RawCtl(shared, greet=False) as c:
        kind, data = c.ask(rawctl.hello(99))
        assert kind == rawctl.FAIL
        number, text = rawctl.error(data)
        assert number == rawctl.ERR_VERSION and "99" in text
        assert c.closed() == []


def test_clients_that_keep_it_waiting(start):
    """No hello, half a message, half a payload, an answer that is not read:
    10 s, then the place is free for others."""
    g = start("control { max-clients 5 }")
    many_tokens(g, 20000)
    with RawCtl(g, greet=False) as silent, RawCtl(g, greet=False) as half, \
            RawCtl(g) as upload, RawCtl(g) as deaf:
        half.send(rawctl.hello()[:20])
        upload.send(rawctl.publish_begin(b"1", 5, 5))
        deaf.send(rawctl.imsg(rawctl.TOKEN_LIST))
        assert g.ctl("show", "stats").returncode == DONE
        for c in (silent, half, upload):
            assert c.closed() == []
        wait_for(lambda: g.ctl_json("show", "stats")["control_clients"] == 1,
                 "only ours is left")
        assert rawctl.OK not in [kind for kind, _ in deaf.closed()]
    assert any("has read nothing" in l["msg"] for l in g.log())


def test_show_of_thousands_to_one_who_does_not_read(start, connect):
    """The engine makes the records as they are read, and goes on meanwhile."""
    count = 3000
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard != resource.RLIM_INFINITY and hard < count + 300:
        count = hard - 300
    if soft < count + 300:
        resource.setrlimit(resource.RLIMIT_NOFILE, (count + 300, hard))
    g = start("publishers { rate-limit 0 }", wait=False)
    g.add_token("s1", server=True)
    many_tokens(g, count)
    g.start()
    socks = []
    try:
        for i in range(count):
            s = g.socket()
            s.sendall((
                "GET /ws?token=t%d HTTP/1.1\r\nHost: x\r\nUpgrade: websocket"
                "\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
                "Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n" %
                i).encode())
            socks.append(s)
        for s in socks:
            assert s.recv(1000).startswith(b"HTTP/1.1 101 ")
        rows = g.ctl_json("show", "players")
        assert sorted(int(r["player"]) for r in rows) == list(range(count))
        with RawCtl(g) as c:
            c.send(rawctl.imsg(rawctl.SHOW_PLAYERS))
            for i in range(50):
                assert g.publish("1", "e", i)["delivered"] == 1
            # Somebody leaves before the list has come to them.
            g.ctl("kick", "player", str(count - 1))
            seen = set()
            while True:
                kind, data = c.recv()
                if kind == rawctl.OK:
                    break
                assert kind == rawctl.PLAYER
                (n,) = struct.unpack_from("=I", data)
                seen.add(int(data[4:4 + n]))
            assert seen >= set(range(count - 1))
    finally:
        for s in socks:
            s.close()
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


# -- who may -----------------------------------------------------------------

def test_socket_mode_and_group(start, folder):
    group = grp.getgrgid(os.getgid()).gr_name
    path = folder.path / "other.sock"
    g = start(wait=False)
    g.control = '%s" mode 0620 group "%s' % (path, group)
    g.start()
    g.control = path
    st = path.stat()
    assert st.st_mode & 0o777 == 0o620 and st.st_gid == os.getgid()
    assert g.ctl("show", "stats").returncode == DONE


@as_root
def test_permission_denied(gateway):
    """An ordinary user is not let in, and told who is."""
    if shutil.which("setpriv") is None:
        pytest.skip("no setpriv")
    nobody = pwd.getpwnam("nobody")
    drop = ["setpriv", "--reuid=%d" % nobody.pw_uid,
            "--regid=%d" % nobody.pw_gid, "--clear-groups"]
    if subprocess.run([*drop, "test", "-x", CTL], check=False).returncode:
        pytest.skip("nobody can't reach the build")
    res = subprocess.run([*drop, CTL, "-s", gateway.control, "show", "stats"],
                         capture_output=True, text=True, timeout=LIMIT,
                         check=False)
    assert res.returncode == NO_DAEMON
    assert "ermission denied" in res.stderr and "group" in res.stderr


def test_no_control(start):
    """Switched off, there is none."""
    g = start(wait=False)
    plain = g.write_conf

    def without():
        plain()
        g.conf.write_text(g.conf.read_text().replace(
            'control "%s"' % g.control, "no control"))
    g.write_conf = without
    g.start()
    assert not g.control.exists()
    assert g.request("GET", "/readyz")[0] == 200
    fails(g, NO_DAEMON, "show", "stats")
