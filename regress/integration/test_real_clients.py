"""The clients that there are: Python's websockets, Node's ws, curl."""
import asyncio
import json
import os
import pathlib
import subprocess

import pytest
import websockets

import certs

HERE = pathlib.Path(__file__).resolve().parent


def url(gateway, token=None):
    base = certs.url("ws", gateway.port, "/ws")
    return base if token is None else base + "?token=" + token


def run(coroutine):
    return asyncio.run(asyncio.wait_for(coroutine, 20))


async def publish(gateway, *args):
    loop = asyncio.get_running_loop()
    return await loop.run_in_executor(None, gateway.publish, *args)


# -- Python -------------------------------------------------------------------

def test_python_gets_messages(shared):
    token, player = shared.fresh()

    async def session():
        async with websockets.connect(url(shared, token)) as ws:
            for n in range(20):
                await publish(shared, player, "e", n)
                assert json.loads(await ws.recv()) == \
                    {"event": "e", "payload": n}
            await ws.send("hello")
            await ws.send(b"\xff" * 1000)
            await ws.send(["fragments ", "of ", "text"])
            await (await ws.ping(b"there?"))
        assert ws.close_code == 1000
    run(session())


def test_python_with_big_messages(shared):
    token, player = shared.fresh()

    async def session():
        async with websockets.connect(url(shared, token)) as ws:
            for size in (125, 65536, 1000000):
                await publish(shared, player, "e", "x" * size)
                assert json.loads(await ws.recv())["payload"] == "x" * size
    run(session())


def test_python_with_subprotocol_and_header(shared):
    token, player = shared.fresh()

    async def session():
        async with websockets.connect(
                url(shared), subprotocols=["bearer", token]) as ws:
            assert ws.subprotocol == "bearer"
            await publish(shared, player, "e")
            await ws.recv()
        async with websockets.connect(
                url(shared), extra_headers={
                    "Authorization": "Bearer " + token}) as ws:
            await publish(shared, player, "e")
            await ws.recv()
    run(session())


def test_python_is_refused(shared):
    async def session(token):
        with pytest.raises(websockets.InvalidStatusCode) as e:
            async with websockets.connect(url(shared, token)):
                pass
        assert e.value.status_code == 401
    run(session(None))
    run(session("nobody"))


def test_python_over_a_unix_socket(start, folder):
    path = folder.path / "http.sock"
    g = start('listen on "unix:%s" mode 0666' % path, wait=False)
    g.add_token("p1", 1)
    g.start()

    async def session():
        async with websockets.unix_connect(
                str(path), "ws://localhost/ws?token=p1") as ws:
            await (await ws.ping())
    run(session())
    line = g.wait_log(lambda l: l.get("event") == "ws_connect")
    assert line["ip"] == "unix"


def test_python_is_told_why_it_is_closed(start):
    g = start("players { revalidate-period 100ms }", wait=False)
    g.add_token("p1", 1)
    g.start()

    async def session():
        async with websockets.connect(url(g, "p1")) as ws:
            g.delete_token("p1")
            with pytest.raises(websockets.ConnectionClosed):
                await ws.recv()
            assert (ws.close_code, ws.close_reason) == \
                (1008, "token expired")
    run(session())


def test_python_answers_pings(start):
    g = start("players { ping-interval 50ms; pong-timeout 300ms }",
              wait=False)
    g.add_token("p1", 1)
    g.start()

    async def session():
        async with websockets.connect(url(g, "p1"),
                                      ping_interval=None) as ws:
            # Three times the timeout, and it is still there.
            with pytest.raises(asyncio.TimeoutError):
                await asyncio.wait_for(ws.recv(), 0.9)
            await (await ws.ping())
    run(session())


# -- Node ---------------------------------------------------------------------

class Node:
    def __init__(self, *args):
        env = dict(os.environ, NODE_PATH="/usr/share/nodejs")
        self.process = subprocess.Popen(
            ["node", str(HERE / "ws_client.js"), *args], env=env,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)

    def __enter__(self):
        return self

    def __exit__(self, *exc):
        self.process.kill()
        self.process.wait()
        self.process.stdout.close()

    def line(self, *keys):
        """The next line that has one of the keys."""
        for line in self.process.stdout:
            got = json.loads(line)
            if any(k in got for k in keys):
                return got
        raise AssertionError("node has ended")


def test_node(shared):
    token, player = shared.fresh()
    with Node(url(shared, token), "https://example.org") as node:
        assert node.line("open", "error", "status") == \
            {"open": "", "extensions": ""}
        shared.publish(player, "e", {"big": 9007199254740993})
        assert node.line("message") == {
            "message":
            '{"event":"e","payload":{"big": 9007199254740993}}',
            "binary": False}
        shared.publish(player, "echo", "x" * 40000)
        node.line("message")
        assert node.line("pong") == {"pong": "x"}
        shared.publish(player, "close")
        assert node.line("close") == {"close": 1000, "reason": ""}
        assert node.process.wait(20) == 0


def test_node_with_subprotocol(shared):
    token, player = shared.fresh()
    with Node(url(shared), "", "bearer", token) as node:
        assert node.line("open", "error", "status")["open"] == "bearer"
        shared.publish(player, "e")
        assert "message" in node.line("message")


def test_node_is_refused(shared):
    with Node(url(shared, "nobody")) as node:
        assert node.line("open", "error", "status") == {"status": 401}


# -- curl ---------------------------------------------------------------------

def curl(*args, stdin=None):
    """Status and body."""
    res = subprocess.run(
        ["curl", "-sS", "--noproxy", "*", "-m", "20", "-w", "\n%{http_code}",
         *args], input=stdin, capture_output=True, timeout=30, check=False)
    assert res.returncode == 0, res
    body, status = res.stdout.rsplit(b"\n", 1)
    return int(status), body


AUTH = ["-H", "Authorization: Bearer s1"]
BODY = '{"player_id":"nobody","event":"hello","payload":{"from":"HTTP"}}'


def http(gateway, path):
    return certs.url("http", gateway.port, path)


@pytest.mark.parametrize("options", [
    [], ["--http1.0"], ["-H", "Expect: 100-continue"],
    ["-H", "Transfer-Encoding: chunked"],
    ["-H", "Transfer-Encoding: chunked", "-H", "Expect: 100-continue"],
    ["-H", "Content-Type: application/json"], ["-H", "Connection: close"],
    ["--http2"]], ids=" ".join)
def test_curl_publishes(shared, connect, options):
    token, player = shared.fresh()
    ws = connect(shared, token)
    body = BODY.replace("nobody", player)
    status, reply = curl(*AUTH, *options, "-d", body,
                         http(shared, "/publish"))
    assert (status, reply) == (200, b'{"delivered":1,"queued":0}\n')
    assert ws.recv_text() == '{"event":"hello","payload":{"from":"HTTP"}}'


def test_curl_with_a_large_chunked_upload(shared, connect):
    """It waits for the 100 by itself with a body like that."""
    token, player = shared.fresh()
    ws = connect(shared, token)
    body = json.dumps({"player_id": player, "event": "e",
                       "payload": "x" * 900000}).encode()
    for options in (["-T", "-", "-X", "POST"], ["--data-binary", "@-"]):
        status, _ = curl(*AUTH, *options, http(shared, "/publish"),
                         stdin=body)
        assert status == 200
        assert json.loads(ws.recv_text())["payload"] == "x" * 900000


def test_curl_is_told_that_it_is_too_much(shared):
    for options in (["-T", "-", "-X", "POST"], ["--data-binary", "@-"]):
        status, _ = curl(*AUTH, *options, http(shared, "/publish"),
                         stdin=b" " * 3000000)
        assert status == 413


def test_curl_is_refused(shared):
    assert curl("-d", BODY, http(shared, "/publish")) == \
        (401, b"missing token\n")
    assert curl("-H", "Authorization: Bearer x", "-H", "Expect: 100-continue",
                "-d", BODY, http(shared, "/publish")) == \
        (403, b"invalid server token\n")


def test_curl_uses_one_connection_for_several(shared):
    before = shared.metrics()["ws_accepted_total"]
    res = subprocess.run(
        ["curl", "-sS", "--noproxy", "*", "-m", "20", *AUTH, "-d", BODY,
         http(shared, "/publish"), http(shared, "/broadcast"),
         http(shared, "/publish")], capture_output=True, timeout=30,
        check=False)
    assert res.returncode == 0
    assert res.stdout.count(b'"delivered":0') == 3
    # One for curl, one for the second look at the metrics.
    assert shared.metrics()["ws_accepted_total"] == before + 2


def test_curl_reads_metrics(shared):
    status, body = curl("--compressed", http(shared, "/metrics"))
    assert status == 200 and b"\nws_active_connections " in b"\n" + body


def test_curl_over_a_unix_socket(start, folder):
    path = folder.path / "http.sock"
    g = start('listen on "unix:%s" mode 0666' % path, wait=False)
    g.add_token("s1", subject="s", server=True)
    g.start()
    assert curl("--unix-socket", str(path), *AUTH, "-d", BODY,
                "http://localhost/publish") == \
        (200, b'{"delivered":0,"queued":1}\n')
    assert curl("--unix-socket", str(path), "http://localhost/healthz") == \
        (200, b"ok\n")
