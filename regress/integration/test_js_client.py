"""The players' client for JavaScript, clients/js, by Node: its own tests, its
package, and the running daemon."""
import json
import os
import pathlib
import re
import shutil
import subprocess
import tarfile

import pytest

from gateway import LIMIT, ROOT
from launch import free_port

HERE = pathlib.Path(__file__).resolve().parent
CLIENT = ROOT / "clients" / "js"
MODULE = CLIENT / "ws-gateway-client.js"
BUILTIN = "--experimental-websocket"


def has_builtin():
    return subprocess.run(
        ["node", BUILTIN, "-e",
         "process.exit(typeof WebSocket === 'function' ? 0 : 1)"],
        capture_output=True, timeout=LIMIT, check=False).returncode == 0


class Client:
    """One client in a process of its own."""

    def __init__(self, gateway, token, kind="ws", module=MODULE.as_uri(),
                 script=HERE / "js_client.mjs", port=None, **options):
        options = {"minDelay": 50, "maxDelay": 400, "restartDelay": 100,
                   **options, "module": module, "kind": kind, "token": token,
                   "url": "ws://127.0.0.1:%d/ws" % (port or gateway.port)}
        flags = [BUILTIN] if kind == "builtin" else []
        env = dict(os.environ, NODE_PATH="/usr/share/nodejs",
                   NODE_NO_WARNINGS="1")
        self.process = subprocess.Popen(
            ["node", *flags, str(script), json.dumps(options)], env=env,
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def tell(self, **command):
        self.process.stdin.write(json.dumps(command) + "\n")
        self.process.stdin.flush()

    def line(self, **match):
        """The next line that has all of these."""
        for text in self.process.stdout:
            got = json.loads(text)
            if all(k in got and (v is ... or got[k] == v)
                   for k, v in match.items()):
                return got
        raise AssertionError("node has ended: %s" % match)

    def end(self):
        """It must have nothing left to do."""
        self.process.stdin.close()
        try:
            assert self.process.wait(LIMIT) == 0
        finally:
            self.kill()

    def kill(self):
        self.process.kill()
        self.process.wait()
        self.process.stdout.close()


@pytest.fixture
def client():
    started = []

    def run(*args, **kw):
        started.append(Client(*args, **kw))
        return started[-1]

    yield run
    for c in started:
        c.kill()


@pytest.fixture(params=["ws", "builtin"])
def kind(request):
    if request.param == "builtin" and not has_builtin():
        pytest.skip("this Node has no WebSocket of its own")
    return request.param


def test_its_own_tests():
    res = subprocess.run(["node", "--test", "test/client.test.js"],
                         cwd=CLIENT, capture_output=True, text=True,
                         timeout=120, check=False)
    assert res.returncode == 0, res.stdout
    passed = int(re.search(r"^\S pass (\d+)$", res.stdout, re.M).group(1))
    assert passed >= 44, res.stdout


def test_gets_messages(gateway, client, kind):
    c = client(gateway, "p21", kind)
    c.line(state="open")
    for n in range(20):
        gateway.publish("21", "e", n)
        assert c.line(event=...)["payload"] == n
    gateway.broadcast("all", {"big": 9007199254740993})
    assert c.line(event="all")["raw"] == \
        '{"event":"all","payload":{"big": 9007199254740993}}'
    c.tell(call="close")
    assert c.line(state="closed")["close"]["code"] == 1000
    line = gateway.wait_log(lambda l: l.get("event") == "ws_disconnect")
    assert line["player_id"] == "21"
    c.end()


def test_the_token_stays_out_of_the_url(gateway, client, kind):
    """A token with bytes that a subprotocol can't carry goes the other way."""
    gateway.add_token("with space+/=", 7)
    for token, player, auth in (("p21", "21", "protocol"),
                                ("p1", "1", "query"),
                                ("with space+/=", "7", "auto")):
        c = client(gateway, token, kind, auth=auth)
        c.line(state="open")
        assert gateway.publish(player, "e")["delivered"] == 1
        c.line(event="e")


def test_1008_ends_it(start, client, kind):
    g = start("players { revalidate-period 100ms }", wait=False)
    g.add_token("p1", 1)
    g.start()
    c = client(g, "p1", kind)
    c.line(state="open")
    g.delete_token("p1")
    close = c.line(state="closed")["close"]
    assert (close["code"], close["reason"], close["wasClean"]) == \
        (1008, "token expired", True)
    c.end()


def test_kicked_and_begun_anew(gateway, client):
    c = client(gateway, "p21")
    c.line(state="open")
    gateway.ctl("kick", "player", "21", "be", "nice")
    close = c.line(state="closed")["close"]
    assert (close["code"], close["reason"]) == (1008, "be nice")
    c.tell(call="open")
    c.line(state="open")
    gateway.publish("21", "e")
    c.line(event="e")


def test_a_restart(start, folder, client, kind):
    port = free_port()
    g = start(listen="127.0.0.1:%d" % port, wait=False)
    g.add_token("p1", 1)
    g.add_token("s1", subject="s", server=True)
    g.start()
    c = client(g, "p1", kind)
    c.line(state="open")
    assert g.stop() == 0
    assert c.line(state="waiting")["close"]["code"] == 1001
    c.line(state="connecting")
    again = start(listen="127.0.0.1:%d" % port)
    c.line(state="open")
    again.publish("1", "back")
    c.line(event="back")


def test_killed_without_a_word(start, client, kind):
    port = free_port()
    g = start(listen="127.0.0.1:%d" % port, wait=False)
    g.add_token("p1", 1)
    g.start()
    c = client(g, "p1", kind)
    c.line(state="open")
    g.expect_exit = 1
    os.kill(g.pid_of("engine"), 9)
    assert c.line(state="waiting")["close"]["code"] == 1006
    g.wait_exit()
    start(listen="127.0.0.1:%d" % port)
    c.line(state="open")


def test_drained(gateway, client):
    c = client(gateway, "p21")
    c.line(state="open")
    gateway.ctl("drain", "0s")
    close = c.line(state="waiting")["close"]
    assert (close["code"], close["reason"]) == (1012, "draining")
    close = c.line(state="waiting")["close"]
    assert (close["status"], close["retryAfter"]) == (503, 5)


def test_tokens_are_renewed(gateway, client, kind):
    c = client(gateway, "none", kind, renew=True)
    for _ in range(3):
        c.line(asked="none")
        assert c.line(state="waiting")["close"]["code"] == 1006
    c.tell(token="p21")
    c.line(asked="p21")
    c.line(state="open")


def test_refusals_that_node_sees(start, client):
    g = start('origins { "https://game.example.org" }', wait=False)
    g.add_token("p1", 1)
    g.start()
    c = client(g, "nobody")
    assert c.line(state="closed")["close"]["status"] == 401
    c.end()
    c = client(g, "p1")
    assert c.line(state="closed")["close"]["status"] == 403
    c.end()


def test_too_many_connections_is_waited_out(start, client):
    g = start("players { max-connections 1 }", wait=False)
    g.add_token("p1", 1)
    g.start()
    first = client(g, "p1")
    first.line(state="open")
    second = client(g, "p1")
    close = second.line(state="waiting")["close"]
    assert (close["status"], close["retryAfter"]) == (429, 5)
    first.tell(call="close")
    second.line(state="open")


def test_nobody_listens(gateway, client, kind):
    """Failures in a row end it where that was asked for."""
    c = client(gateway, "p1", kind, port=free_port(), maxFailures=3)
    for _ in range(3):
        c.line(state="waiting")
    c.line(state="closed")
    c.end()


# -- what is published --------------------------------------------------------

def manifest():
    return json.loads((CLIENT / "package.json").read_text())


def test_the_manifest():
    m = manifest()
    assert (m["license"], m["type"], m["sideEffects"]) == \
        ("ISC", "module", False)
    assert "dependencies" not in m and "devDependencies" not in m
    entry = m["exports"]["."]
    assert list(entry) == ["types", "default"]
    for name in (*m["files"], *entry.values(), m["types"]):
        assert (CLIENT / name).is_file(), name
    assert (CLIENT / "LICENSE").read_text() == \
        (ROOT / "LICENSE").read_text()


def test_the_types_name_what_there_is():
    """Everything exported or public is declared, and nothing else."""
    js = MODULE.read_text()
    ts = (CLIENT / "ws-gateway-client.d.ts").read_text()
    exported = re.findall(r"^export (?:class|function|const) (\w+)", js, re.M)
    declared = re.findall(
        r"^export declare (?:class|function|const) (\w+)", ts, re.M)
    assert sorted(exported) == sorted(declared)
    public = re.findall(r"^\t(?:get )?([a-z]\w*)\([^)]*\) \{$", js, re.M)
    body = ts[ts.index("declare class GatewayClient"):]
    body = body[:body.index("\n}")]
    typed = re.findall(r"^\t(?:readonly )?(\w+)[<(:]", body, re.M)
    assert sorted(set(public)) == sorted(set(typed))
    defaults = js[js.index("const DEFAULTS"):js.index("const AUTH")]
    options = ts[ts.index("interface Options"):]
    options = options[:options.index("\n}")]
    assert sorted(re.findall(r"^\t(\w+)\??:", options, re.M)) == sorted(
        [*re.findall(r"^\t(\w+):", defaults, re.M), "token", "environment"])


def test_npm_pack(tmp_path, gateway, client):
    """The package has what it must, no more, and can be used by its name."""
    if shutil.which("npm") is None:
        pytest.skip("no npm")
    res = subprocess.run(
        ["npm", "pack", "--json", "--offline", "--ignore-scripts",
         "--pack-destination", str(tmp_path)],
        cwd=CLIENT, capture_output=True, text=True, timeout=60, check=False,
        env=dict(os.environ, npm_config_cache=str(tmp_path / "cache")))
    assert res.returncode == 0, res
    (packed,) = json.loads(res.stdout)
    assert sorted(f["path"] for f in packed["files"]) == sorted(
        ["LICENSE", "README.md", "package.json", *manifest()["files"]])
    with tarfile.open(tmp_path / packed["filename"]) as tar:
        tar.extractall(tmp_path / "node_modules")
    (tmp_path / "node_modules" / "package").rename(
        tmp_path / "node_modules" / "ws-gateway-client")
    script = tmp_path / "js_client.mjs"
    shutil.copy(HERE / "js_client.mjs", script)
    c = client(gateway, "p21", module="ws-gateway-client", script=script)
    c.line(state="open")
    gateway.publish("21", "e", 1)
    c.line(event="e")
