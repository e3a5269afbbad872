"""The manual pages against the daemon and the control tool: all commands,
options, flags, metrics, statuses and exit codes, and nothing else; and what
ws-gatewayd-protocol(7) gives as examples, as it stands there.  The settings
are in test_settings.py."""
import json
import os
import re
import shutil
import subprocess

import pytest

import certs
from gateway import CTL, DAEMON, LIMIT, ROOT, wait_for

PAGES = {p.name: p.read_text() for p in
         [*(ROOT / "ws-gatewayd").glob("*.[578]"),
          ROOT / "ws-gatewayctl" / "ws-gatewayctl.8"]}
CTL_8 = PAGES["ws-gatewayctl.8"]
DAEMON_8 = PAGES["ws-gatewayd.8"]
PROTOCOL_7 = PAGES["ws-gatewayd-protocol.7"]


def part(page, title, level="Sh"):
    """The section (or subsection) of that title."""
    return page.split(".%s %s\n" % (level, title), 1)[1].split("\n.Sh ")[0] \
        .split("\n.Ss " if level == "Ss" else "\n.Sh ")[0]


def source(*names):
    return "".join((ROOT / name).read_text() for name in names)


def ctl(*args):
    return subprocess.run([str(CTL), *args], capture_output=True, text=True,
                          check=False, timeout=LIMIT)


def follows(*words):
    """What may come there: words, options, <values>."""
    return [line.split("\t")[0]
            for line in ctl("-C", "--", *words).stdout.splitlines()]


def words_of(found):
    return [w for w in found if w[0] not in "<-"]


def command_items():
    """"show player" -> its text; and all of it."""
    text = CTL_8.split("The commands are as follows:", 1)[1]
    text = text.split("\n.Sh ")[0].replace(".It Xo\n.Cm", ".It Cm")
    # The list of the kinds of events stands within one of them.
    outer = re.sub(r"\n\.Bl [^\n]*-compact.*?\n\.El", "", text, flags=re.S)
    items = {}
    for item in outer.split("\n.It Cm ")[1:]:
        name = re.match(r"[a-z ]+?(?= [a-zA-Z]*[A-Z]| event|\n|$)", item)[0]
        assert name not in items, "twice: " + name
        items[name] = item
    return items, text


def test_commands():
    items, text = command_items()
    commands = set()
    for word in words_of(follows()):
        below = words_of(follows(word))
        if word in ("monitor", "log"):
            # What may follow is a value rather than a command of its own.
            commands.add(word)
            for value in below:
                assert re.search(r"\bCm %s\b" % value, items[word] if
                                 word == "log" else text), value
        elif below:
            commands |= {"%s %s" % (word, w) for w in below}
        else:
            commands.add(word)
    assert len(commands) >= 18
    assert commands == set(items)


def test_options_of_commands():
    items, text = command_items()
    general = {"-n": "With\n.Fl n\n", "-j": "take\n.Fl j\n"}
    seen = set()
    for name, item in items.items():
        place = tuple(name.split())
        found = follows(*place)
        if any(w == "<ID>" for w in found):
            found += follows(*place, "21")
        for option in [w for w in found if w.startswith("-")]:
            seen.add(option)
            named = re.search(r"\bFl %s( |$)" % (
                option[1:] if option != "--" else "-"), item, re.M)
            assert named or (place[0] == "show" and
                             general[option] in text) or (
                place[0] == "monitor" and option == "-j"), (name, option)
    assert seen == {"-j", "-n", "-p", "-s", "-e", "--"}


def test_options_of_ctl():
    usage = ctl("-h").stdout.split("\n")[0]
    letters = set(re.findall(r"\[-(\w+)\]", usage)[0]) | {"s"}
    assert "[-s socket]" in usage
    options = part(CTL_8, "DESCRIPTION").split("The commands are", 1)[0]
    named = set(re.findall(r"^\.It Fl (\w)", options, re.M))
    # What the shells complete with is not said to people who ask for help.
    assert named == letters | {"C"}
    accepted = re.search(r'getopt\(argc, argv, "\+?([\w:]+)"',
                         source("ws-gatewayctl/ctl.c"))[1]
    assert set(accepted) - {":"} == named


def test_flags_of_the_daemon():
    usage = subprocess.run([str(DAEMON), "-h"], capture_output=True,
                           text=True, check=True, timeout=LIMIT).stdout
    flags = set(re.findall(r"^  -([\w-]+)", usage, re.M))
    assert len(flags) == 20 or len(flags) == 21
    named = set(re.findall(r"^\.It Fl ([\w-]+)", part(
        DAEMON_8, "DESCRIPTION"), re.M))
    assert flags - {"help"} == named


def test_exit_codes_of_ctl(gateway):
    codes = set(re.findall(r"^#define EXIT_\w+\s+(\d)",
                           source("ws-gatewayctl/ctl.c"), re.M))
    assert codes == set(re.findall(r"^\.It (\d)$", part(
        CTL_8, "EXIT STATUS"), re.M)) == {"0", "1", "2", "3"}
    assert ctl("-h").returncode == 0
    assert ctl("nonsense").returncode == 1
    assert ctl("-s", "/nonexistent", "stop").returncode == 2
    assert gateway.ctl("show", "stats").returncode == 0
    assert gateway.ctl("kick", "player", "none", check=False).returncode == 3
    assert gateway.ctl("token", "revoke", "none",
                       check=False).returncode == 3


def test_exit_codes_of_the_daemon():
    """0 and 1, and no other: that of its own processes nobody sees, and the
    self-test is for tests."""
    text = "".join(p.read_text() for p in
                   (ROOT / "ws-gatewayd").glob("*.c")
                   if p.name not in ("selftest.c", "proc_exec.c"))
    assert set(re.findall(r"\b_?(?:exit|errx?)\((\d)", text)) == {"0", "1"}
    assert {"0", "1"} == set(re.findall(r"\bexits (\d) ", part(
        DAEMON_8, "EXIT STATUS")))


def test_metrics(gateway):
    """Names, kinds and values of labels."""
    _, _, body = gateway.request("GET", "/metrics")
    kinds = set(re.findall(r"^# TYPE (\w+) (\w+)", body.decode(), re.M))
    text = part(DAEMON_8, "METRICS")
    assert kinds == set(re.findall(r"^\.It Li (\w+) Pq (\w+)$", text, re.M))
    assert len(kinds) == len(re.findall(r"^\.It ", text, re.M))
    items = dict(re.findall(r"^\.It Li (\w+) Pq \w+\n(.*?)(?=\n\.It|\n\.El)",
                            text, re.M | re.S))
    labels = {}
    for name, label, value in re.findall(
            r'^(ws_\w+)\{(reason|result)="(\w+)"\}', body.decode(), re.M):
        labels.setdefault((name, label), set()).add(value)
    assert len(labels) == 4
    for (name, label), values in labels.items():
        assert ".Li %s :\n" % label in items[name]
        named = re.sub(r"\.Li| [,.:]|\band\b", " ",
                       items[name].split(".Li %s :\n" % label)[1]).split()
        assert set(named) == values and len(named) == len(values), name


def rows(section):
    """status, text, Retry-After of a table in the protocol's page."""
    table = section.split(".It Sy Status", 1)[1].split(".El", 1)[0]
    return {(status, text.replace(r"\(dq", '"'), retry.strip('"'))
            for status, text, retry in re.findall(
                r"^\.It (\d+) Ta (.*) Ta (.*)$", table, re.M)}


def test_statuses():
    """What is refused is in the page, with its text."""
    text = source("ws-gatewayd/reply.c").split("refusals[REFUSE", 1)[1]
    text = text.split("};", 1)[0]
    table = set(re.findall(
        r'\] = \{ (\d+), "(.*?)",\s*"(?:Retry-After: (\d+))?', text))
    assert len(table) >= 20
    page = rows(part(PROTOCOL_7, "Connecting", "Ss")) | \
        rows(part(PROTOCOL_7, "Answers", "Ss"))
    elsewhere = {("404", "not found", ""), ("408", "request timeout", ""),
                 ("429", "too many connections from this address", "5"),
                 ("503", "too many connections", "5"),
                 ("431", "header too large", ""),
                 ("400", "bad request", "")}
    for row in elsewhere:
        assert re.search(r"\b%s\b" % row[0], PROTOCOL_7), row
    more = {("200", '{"delivered":N,"queued":0 or 1}', ""),
            ("411", "length required", ""),
            ("400", "bad request: and what is wrong", ""),
            ("429", "rate limit", "seconds")}
    assert page - more == table - elsewhere - {("429", "rate limit", "")}
    for status in re.findall(r"http_fail\(p, (\d+)", "".join(
            p.read_text() for p in (ROOT / "ws-gatewayd").glob("http*.c"))):
        assert status == "500" or re.search(r"\b%s\b" % status,
                                            PROTOCOL_7), status


def test_close_codes():
    """Those that we send are in the table; what is sent is in the code."""
    table = part(PROTOCOL_7, "Close codes", "Ss")
    codes = {int(c) for c in re.findall(r"^\.It (\d+) Ta", table, re.M)}
    values = dict(re.findall(r"^#define (WS_CLOSE_\w+)\s+(\d+)",
                             source("ws-gatewayd/ws.h"), re.M))
    text = "".join(p.read_text() for p in (ROOT / "ws-gatewayd").glob("*.c"))
    sent = {int(values[name]) for name in re.findall(
        r"(?:fail|session_close)\(\w+, (WS_CLOSE_\w+)", text)}
    assert codes == sent | {1000}


def test_pages_name_each_other():
    for name, page in PAGES.items():
        for other, number in re.findall(r"^\.Xr (ws-gateway\S+) (\d)", page,
                                        re.M):
            assert "%s.%s" % (other, number) in PAGES, (name, other)
    readme = (ROOT / "README.md").read_text()
    for name in PAGES:
        assert "%s(%s)" % tuple(name.rsplit(".", 1)) in readme, name


def test_make_install_has_them_all():
    text = (ROOT / "Makefile").read_text().split("\ninstall:", 1)[1]
    for name in PAGES:
        assert "/" + name in text, name


# -- examples, as they stand ------------------------------------------------

PLAIN = pytest.mark.skipif(bool(certs.TLS), reason="they are of plain HTTP")


def examples(title):
    """The literal text under a heading, as a reader sees it."""
    text = part(PROTOCOL_7, title, "Ss")
    return [block.replace(r"\e", "\\").replace(r"\&", "")
            for block in re.findall(r"^\.Bd -literal.*?\n(.*?)^\.Ed", text,
                                    re.M | re.S)]


@pytest.fixture
def player(start, connect):
    """A gateway with its clients' tokens, and player 21."""
    g = start("", wait=False)
    g.add_token("s1", subject="shop", server=True)
    g.add_token("p21", 21)
    g.start()
    ws = connect(g, "p21")
    ws.gateway = g

    def run(code, *command):
        """The example, on the gateway's port, by COMMAND."""
        path = g.dir / "example"
        path.write_text(code.replace("127.0.0.1:8080",
                                     "127.0.0.1:%d" % g.port))
        return subprocess.Popen(
            [*command, str(path)], stdout=subprocess.PIPE, text=True,
            env={**os.environ, "SERVER_TOKEN": "s1", "PLAYER_TOKEN": "p21",
                 "GOCACHE": str(g.dir / "go"), "GO111MODULE": "off",
                 "NODE_PATH": "/usr/share/nodejs:/usr/lib/nodejs"})
    ws.run = run
    yield ws


MESSAGE = '{"event":"target","payload":{"hit":true}}'


@PLAIN
def test_example_curl(player):
    (code,) = examples("curl")
    out, _ = player.run(code, "sh", "-e").communicate(timeout=LIMIT)
    assert out == '{"delivered":1,"queued":0}\n' * 2
    assert player.recv_text() == MESSAGE
    assert player.recv_text() == '{"event":"news","payload":"hello"}'


@PLAIN
def test_example_php(player):
    if shutil.which("php") is None:
        pytest.skip("no php")
    (code,) = examples("PHP")
    out, _ = player.run(code, "php").communicate(timeout=LIMIT)
    assert out == 'HTTP/1.1 200 OK\n{"delivered":1,"queued":0}\n'
    assert player.recv_text() == MESSAGE


@PLAIN
def test_example_go(player):
    if shutil.which("go") is None:
        pytest.skip("no go")
    (code,) = examples("Go")
    path = player.gateway.dir / "example.go"
    path.write_text("")
    process = player.run(code, "sh", "-c", 'cp "$0" "$0.go" && '
                         'exec go run "$0.go"')
    out, _ = process.communicate(timeout=120)
    assert out == '200 OK \n{"delivered":1,"queued":0}\n'
    assert player.recv_text() == MESSAGE


@PLAIN
def test_example_python(player):
    publish, receive = examples("Python")
    out, _ = player.run(publish, "/usr/bin/python3").communicate(
        timeout=LIMIT)
    assert out == "{'delivered': 1, 'queued': 0}\n"
    assert json.loads(player.recv_text()) == json.loads(MESSAGE)
    process = player.run(receive, "/usr/bin/python3")
    said_to(player.gateway, process)


def said_to(g, process):
    """It prints what is published to it; then it is ended."""
    try:
        wait_for(lambda: g.metrics()["ws_active_connections"] == 2,
                 "the player of the example")
        g.publish("21", "target", {"hit": True})
        line = process.stdout.readline()
        assert re.match(r"target \{ ?'?hit'?: [Tt]rue ?\}", line), line
    finally:
        process.kill()
        process.communicate()


@PLAIN
def test_example_javascript(player):
    (code,) = examples("JavaScript")
    # Debian's Node has no WebSocket; that of a browser is like the package's.
    code = ('globalThis.WebSocket ??= require("ws");\n' + code +
            "\nconnect(process.env.PLAYER_TOKEN);\n")
    process = player.run(code, "/usr/bin/node")
    said_to(player.gateway, process)
    # It does not come back when it is told not to.
    process = player.run(code, "/usr/bin/node")
    wait_for(lambda: player.gateway.metrics()["ws_active_connections"] == 2,
             "the player of the example")
    player.gateway.ctl("kick", "player", "21", "that is all")
    out, _ = process.communicate(timeout=LIMIT)
    assert out == "not welcome any more: that is all\n"
    assert process.returncode == 0


@PLAIN
def test_the_go_programs_command_lines(start, folder, connect):
    """Those of its README, word for word but for the program's name, and for
    the port, which may be taken."""
    text = part(PROTOCOL_7, "COMING FROM THE GO PROGRAM")
    lines = re.search(r"^\.Bd -literal.*?\n(.*?)\n\.Ed", text,
                      re.M | re.S)[1].split("\n")
    assert lines == ["ws-gatewayd -db sqlite -dsn "
                     "file:ws_tokens.db?cache=shared",
                     'ws-gatewayd -db mysql -dsn "root@/echoCTF"']
    for line in lines:
        res = subprocess.run(
            ["sh", "-c", line.replace("ws-gatewayd", '"$0" -nvf /dev/null'),
             str(DAEMON)], capture_output=True, text=True, check=False,
            timeout=LIMIT)
        assert res.returncode == 0 and res.stderr == ""
        assert line.split()[-1].strip('"') in res.stdout
    g = start(wait=False, listen=None, flags=[
        "-addr", "127.0.0.1:0", *lines[0].split()[1:]])
    g.database = ""
    g.db.rename(folder.path / "ws_tokens.db")
    g.db = folder.path / "ws_tokens.db"
    g.add_token("p1", 1)
    g.start()
    connect(g, "p1").settle()
