"""ws-gatewayctl top: the screen, by a terminal that is a pty; the lines and the
JSON where there is none; and the terminal is left as it was, whatever ends it."""
import contextlib
import fcntl
import json
import os
import pty
import re
import select
import signal
import struct
import subprocess
import termios
import time
import types

import pytest

from gateway import CTL, LIMIT, wait_for

CLEAR = "\033[H\033[J"


class Screen:
    """ws-gatewayctl top on a terminal of its own."""

    def __init__(self, gateway, *args, rows=24, columns=100, term="vt100"):
        self.master, self.slave = pty.openpty()
        self.size(rows, columns)
        self.before = termios.tcgetattr(self.slave)
        self.process = subprocess.Popen(
            [str(CTL), "-s", str(gateway.control), "top", *args],
            stdin=self.slave, stdout=self.slave, stderr=self.slave,
            env={**os.environ, "TERM": term}, start_new_session=True)
        self.text = ""

    def size(self, rows, columns):
        fcntl.ioctl(self.slave, termios.TIOCSWINSZ,
                    struct.pack("HHHH", rows, columns, 0, 0))

    def read(self, limit=0.05):
        if select.select([self.master], [], [], limit)[0]:
            self.text += os.read(self.master, 65536).decode()
        return self.text

    def look(self):
        """What stands on the screen now, if it is whole."""
        parts = self.read().split(CLEAR)
        return parts[-1].replace("\r\n", "\n") if len(parts) > 1 else ""

    def wait(self, what):
        """Until a screen is there that WHAT fits; the lines of it."""
        def find():
            assert self.process.poll() is None, self.read()
            text = self.look()
            return text.split("\n") if re.search(what, text, re.M) else None
        return wait_for(find, "a screen with " + what)

    def key(self, data):
        os.write(self.master, data)

    def raw(self):
        flags = termios.tcgetattr(self.slave)[3]
        return not flags & (termios.ICANON | termios.ECHO)

    def end(self):
        """It has ended: the code, and the terminal is as it was."""
        code = self.process.wait(LIMIT)
        assert termios.tcgetattr(self.slave) == self.before
        while select.select([self.master], [], [], 0)[0]:
            self.read()
        assert self.text.rstrip().endswith("\033[?25h\033[?7h") or code == 1
        assert "\033[?25h\033[?7h" in self.text
        return code

    def close(self):
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        os.close(self.master)
        os.close(self.slave)


@pytest.fixture
def screen():
    opened = []

    def run(*args, **kw):
        opened.append(Screen(*args, **kw))
        return opened[-1]

    yield run
    for s in opened:
        s.close()


def publish_until(g, s, what, *players):
    """Messages to PLAYERS until the screen shows WHAT."""
    end = time.monotonic() + LIMIT
    while not re.search(what, s.look(), re.M):
        assert time.monotonic() < end, s.look()
        for player in players:
            g.publish(player, "e")
    return s.look().split("\n")


def test_screen(gateway, connect, screen):
    connect(gateway, "p1")
    connect(gateway, "p1")
    connect(gateway, "p21")
    gateway.publish("nobody", "e")
    s = screen(gateway, "100ms")
    lines = s.wait(r"^processes .*\n\nPLAYER(.*\n){3}")
    assert s.raw()
    assert re.match(r"ws-gatewayd \S+, up \d+s; each 0\.1 s; q quits$",
                    lines[0])
    assert lines[1].startswith("connections  3 of 2 players, 1 other; ") or \
        lines[1].startswith("connections  3 of 2 players, 0 other; ")
    assert lines[3].startswith("waiting      1 messages of 1 players, ")
    assert lines[4].startswith("store        sqlite, up; ")
    assert re.match(r"processes    parent \S+% \S+ engine \S+% \S+ store",
                    lines[5])
    assert lines[7].split() == ["PLAYER", "CONNECTIONS", "SINCE", "SENT",
                                "SENT/S", "QUEUED"]
    assert {l.split()[0] for l in lines[8:10]} == {"1", "21"}
    # Who gets the most stands first.
    publish_until(gateway, s, r"QUEUED\n21 +1 .* [1-9]\d*\.\d +0$", "21")
    lines = publish_until(gateway, s, r"QUEUED\n1 +2 .* [1-9]\d*\.\d +0$",
                          "1")
    assert re.search(r" [1-9]\d*\.\d published/s, [1-9]\d*\.\d delivered/s",
                     lines[2])
    s.wait(r"^messages +0\.0 published/s, 0\.0 delivered/s")
    s.key(b"x")
    s.key(b"q")
    assert s.end() == 0


def test_no_more_players_than_there_is_room_for(start, connect, screen):
    g = start()
    for _ in range(12):
        connect(g, g.fresh()[0])
    s = screen(g, "100ms", rows=14)
    lines = s.wait(r"^PLAYER(.*\n){6}$")
    assert len(lines) == 14 and lines[-1] == ""
    s.size(24, 100)
    s.process.send_signal(signal.SIGWINCH)
    lines = s.wait(r"^PLAYER(.*\n){13}$")
    assert len(lines) == 21
    s.size(5, 100)
    s.wait(r"SENT/S +QUEUED\n$")
    s.key(b"\x03")
    assert s.end() == 0


def test_names_do_nothing_to_the_terminal(start, connect, screen):
    g = start()
    g.add_token("bad", None, b"\x1b[2Jx\n")
    connect(g, "bad")
    s = screen(g, "100ms")
    s.wait(r"^\\x1b\[2Jx\\x0a +1 ")
    s.key(b"q")
    assert s.end() == 0


@pytest.mark.parametrize("how", ["SIGTERM", "SIGINT", "SIGHUP", "ctrl-c",
                                 "ctrl-d", "Q"])
def test_ways_to_end_it(gateway, screen, how):
    s = screen(gateway, "9s")
    s.wait(r"^processes")
    if how.startswith("SIG"):
        s.process.send_signal(getattr(signal, how))
    else:
        s.key({"ctrl-c": b"\x03", "ctrl-d": b"\x04", "Q": b"Q"}[how])
    assert s.end() == 0


def test_the_daemon_goes(gateway, screen):
    """Why it ends can be read, on a terminal that is as it was."""
    s = screen(gateway, "100ms")
    s.wait(r"^processes")
    gateway.stop()
    assert s.end() == 1
    assert "the daemon has closed the connection" in s.text or \
        "Broken pipe" in s.text or "reset by peer" in s.text


def test_no_daemon(screen):
    """Then the terminal was not touched."""
    s = screen(types.SimpleNamespace(control="/nonexistent"))
    assert s.process.wait(LIMIT) == 2
    assert "cannot connect" in s.read() and "\033" not in s.text
    assert not s.raw()


def lines_of(gateway, *args, n=3, env=None):
    """The first N lines that it prints where there is no terminal."""
    process = subprocess.Popen(
        [str(CTL), "-s", str(gateway.control), *args], text=True,
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
        stderr=subprocess.PIPE, env={**os.environ, **(env or {})})
    try:
        return [process.stdout.readline() for _ in range(n)]
    finally:
        process.kill()
        _, err = process.communicate()
        assert err == ""


def test_lines(gateway, connect):
    connect(gateway, "p1")
    head, *rest = lines_of(gateway, "top", "100ms", n=4)
    assert head.split() == ["TIME", "CONNS", "PLAYERS", "OPENED/S",
                            "CLOSED/S", "REFUSED/S", "PUBLISHED/S",
                            "DELIVERED/S", "WAITING", "CPU%"]
    for line in rest:
        assert re.match(r"\d\d:\d\d:\d\d +1 +1 +0\.0 +0\.0 +0\.0 +0\.0 +0\.0"
                        r" +0 +\d+\.\d\n$", line), line
        assert len(line) == len(head)


def test_json(gateway, connect):
    connect(gateway, "p1")
    for args in (("-j", "top", "100ms"), ("top", "-j", "100ms"),
                 ("top", "100ms", "-j")):
        for line in lines_of(gateway, *args, n=2):
            look = json.loads(line)
            assert (look["connections"], look["players"]) == (1, 1)
            assert abs(look["time"] / 1000 - time.time()) < LIMIT
            assert set(look) == {
                "time", "connections", "players", "opened", "closed",
                "refused", "published", "delivered", "queue_messages",
                "lookups", "cpu"}


def test_rates(gateway, connect):
    """They are what happened, by the time that it took."""
    connect(gateway, "p1")
    process = subprocess.Popen(
        [str(CTL), "-s", str(gateway.control), "-j", "top", "500ms"],
        text=True, stdout=subprocess.PIPE, stdin=subprocess.DEVNULL)
    try:
        process.stdout.readline()
        for _ in range(50):
            gateway.publish("1", "e")
        total = 0
        end = time.monotonic() + LIMIT
        while total < 48 and time.monotonic() < end:
            total += json.loads(process.stdout.readline())["delivered"] / 2
    finally:
        process.kill()
        process.communicate()
    assert total == pytest.approx(50, rel=0.1)


def test_a_dumb_terminal_has_lines(gateway, screen):
    s = screen(gateway, "100ms", term="dumb")
    wait_for(lambda: "PUBLISHED/S" in s.read(), "lines")
    assert not s.raw() and "\033" not in s.text
    s.process.terminate()
    assert s.process.wait(LIMIT) == -signal.SIGTERM


def test_who_reads_has_seen_enough(gateway):
    process = subprocess.Popen(
        [str(CTL), "-s", str(gateway.control), "top", "100ms"],
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE)
    process.stdout.readline()
    process.stdout.close()
    with contextlib.suppress(subprocess.TimeoutExpired):
        process.wait(LIMIT)
    assert process.poll() == 1


@pytest.mark.parametrize("interval", ["99ms", "9001ms", "0s", "1d", "x", "-1s"])
def test_bad_intervals(gateway, interval):
    res = gateway.ctl("top", interval, check=False)
    assert res.returncode == 1
    assert interval in res.stderr and "possible here:" in res.stderr
