"""GET /metrics: contract, section 5."""
import gzip
import re
import shutil
import socket
import subprocess

import pytest

from gateway import ROOT, wait_for
from rawhttp import RawHTTP, request
from rawws import RawWS

PROMTOOL = shutil.which("promtool") or \
    shutil.which(str(ROOT / "build" / "tools" / "usr" / "bin" / "promtool"))


def page(gateway):
    with RawHTTP(gateway) as c:
        res = c.ask(request("GET", "/metrics"))
    assert res.status == 200
    return res


def test_prometheus_text_format(shared):
    res = page(shared)
    assert res.headers["content-type"] == \
        "text/plain; version=0.0.4; charset=utf-8"
    sample = re.compile(r'^[a-z_]+(\{[a-z]+="[^"\\\n]*"\})? '
                        r"[0-9.e+-]+$")
    text = res.body.decode("ascii")
    assert text.endswith("\n")
    for line in text.splitlines():
        assert line.startswith(("# HELP ", "# TYPE ")) or \
            sample.match(line), line


def test_no_sample_stands_twice(shared):
    names = [line.rsplit(" ", 1)[0] for line in
             page(shared).body.decode().splitlines()
             if not line.startswith("#")]
    assert len(names) == len(set(names))


@pytest.mark.parametrize("name,kind", [
    ("ws_active_connections", "gauge"),
    ("ws_messages_published_total", "counter"),
    ("ws_messages_delivered_total", "counter"),
    ("process_cpu_seconds_total", "counter"),
    ("process_resident_memory_bytes", "gauge"),
    ("process_virtual_memory_bytes", "gauge"),
    ("process_open_fds", "gauge"),
    ("process_max_fds", "gauge"),
    ("process_start_time_seconds", "gauge"),
])
def test_names_and_kinds(shared, name, kind):
    text = page(shared).body.decode()
    assert "\n# TYPE %s %s\n" % (name, kind) in "\n" + text
    assert re.search("^%s[ {]" % name, text, re.M)


def test_every_name_is_ours_or_the_process(shared):
    for name in re.findall("^# TYPE ([^ ]+)", page(shared).body.decode(),
                           re.M):
        assert name.startswith(("ws_", "process_"))


def test_promtool_has_nothing_to_say(shared, connect):
    assert PROMTOOL is not None, "promtool is missing: make deps"
    token, player = shared.fresh()
    connect(shared, token)
    shared.publish(player, "e")
    res = subprocess.run([PROMTOOL, "check", "metrics"],
                         input=page(shared).body, capture_output=True,
                         timeout=60, check=False)
    assert (res.returncode, res.stdout, res.stderr) == (0, b"", b"")


def test_the_three_names_and_their_meaning(gateway, connect):
    def three():
        m = gateway.metrics()
        return (m["ws_active_connections"], m["ws_messages_published_total"],
                m["ws_messages_delivered_total"])
    assert three() == (0, 0, 0)
    # Published and queued: delivered when it is flushed.
    gateway.publish("1", "e")
    gateway.publish("1", "e")
    assert three() == (0, 2, 0)
    a = connect(gateway, "p1")
    a.recv_text()
    a.recv_text()
    assert three() == (1, 2, 2)
    # One for each connection.
    b = connect(gateway, "p1")
    gateway.publish("1", "e")
    c = connect(gateway, "p21")
    gateway.broadcast("e")
    for ws in (a, b, c):
        ws.settle()
    assert three() == (3, 4, 7)
    # Nobody there, and not queued.
    gateway.post("/broadcast", {"player_id": "nobody", "event": "e"})
    assert three() == (3, 5, 7)
    # What was refused was not published.
    gateway.post("/publish", b"{}")
    gateway.post("/publish", {"player_id": "1", "event": "e"}, "nobody")
    assert three() == (3, 5, 7)
    # Pings, closes and the like are no messages.
    b.close()
    c.close()
    assert three() == (1, 5, 7)
    a.abort()
    wait_for(lambda: three() == (0, 5, 7), "the end of a connection")


def test_a_write_that_failed_is_no_delivery(start):
    """What waits for a player that goes away was not delivered to it."""
    g = start("publishers { rate-limit 0 }\nplayers { send-queue-hard 64M; "
              "send-queue-soft 64M }", wait=False)
    g.add_token("s1", subject="s", server=True)
    g.add_token("p1", 1)
    g.start()
    ws = RawWS.connect(g, "p1")
    ws.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    for _ in range(20):
        g.publish("1", "e", "x" * 1000000)
    m = g.metrics()
    assert m["ws_messages_published_total"] == 20
    written = m["ws_messages_delivered_total"]
    assert written < 20
    ws.abort()
    wait_for(lambda: g.metrics()["ws_active_connections"] == 0, "the end")
    m = g.metrics()
    assert m["ws_messages_delivered_total"] + \
        m['ws_messages_dropped_total{reason="closed"}'] == 20
    assert m["ws_messages_delivered_total"] < 20


def test_refusals_are_counted_by_reason(start):
    g = start("publishers { rate-limit 1; rate-period 1h }\n"
              "players { max-connections 1 }", wait=False)
    g.add_token("s1", subject="s", server=True)
    g.start()
    before = {k: v for k, v in g.metrics().items()
              if k.startswith("ws_refused_total")}
    assert set(before.values()) == {0}
    assert not any("null" in k or "?" in k for k in before)
    g.request("GET", "/ws")
    g.request("GET", "/ws?token=nobody")
    g.request("GET", "/nowhere")
    g.request("GET", "/publish")
    g.post("/publish", b"{}", "nobody")
    g.post("/publish", b"{}")
    g.post("/publish", b"{}")
    m = g.metrics()
    changed = {k: m[k] for k in before if m[k] != 0}
    assert changed == {'ws_refused_total{reason="%s"}' % k: 1 for k in (
        "missing_token", "invalid_token", "not_found", "post_only",
        "server_token", "body", "rate")}


def test_publishes_are_counted_by_result(gateway, connect):
    connect(gateway, "p1")
    gateway.publish("1", "e")
    gateway.publish("2", "e")
    gateway.publish("x" * 100, "e")     # no identity is so long
    gateway.broadcast("e")
    m = gateway.metrics()
    for result in ("delivered", "queued", "lost", "broadcast"):
        assert m['ws_publishes_total{result="%s"}' % result] == 1
    assert m["ws_messages_published_total"] == 4


def test_fanout_and_lookups_are_timed(gateway, connect):
    ws = connect(gateway, "p1")
    gateway.publish("1", "e")
    ws.recv_text()
    m = gateway.metrics()
    for name, n in (("ws_fanout_duration_seconds", 1),
                    ("ws_token_lookup_duration_seconds", 2)):
        assert m[name + "_count"] == n
        assert m[name + '_bucket{le="+Inf"}'] == n
        assert 0 <= m[name + "_sum"] < 5


def test_state_of_the_daemon(shared):
    m = shared.metrics()
    assert m["ws_store_up"] == 1
    assert m["ws_draining"] == 0
    assert m["ws_uptime_seconds"] >= 0
    assert any(k.startswith("ws_build_info{version=") for k in m)
    for process in ("parent", "engine", "store"):
        label = '{process="%s"}' % process
        assert m["process_resident_memory_bytes" + label] > 100000
        assert m["process_open_fds" + label] > 2
        assert m["process_start_time_seconds" + label] > 1.6e9


def test_no_token_player_or_address_in_it(start, connect):
    g = start("publishers { rate-limit 0 }", wait=False)
    g.add_token("SecretServer", subject="NameOfServer", server=True)
    g.add_token("SecretPlayer", None, subject="NameOfPlayer")
    g.start()
    connect(g, "SecretPlayer")
    g.publish("NameOfPlayer", "NameOfEvent", token="SecretServer")
    g.publish("NameOfOther", "NameOfEvent", token="SecretServer")
    text = page(g).body
    for word in (b"Secret", b"NameOf", b"127.0.0.1", b"unix"):
        assert word not in text


def test_only_get_and_head(shared):
    with RawHTTP(shared) as c:
        res = c.ask(request("POST", "/metrics", b"x"))
        assert (res.status, res.headers["allow"]) == (405, "GET")
        res = c.ask(request("HEAD", "/metrics"), head=True)
        assert res.status == 200 and int(res.headers["content-length"]) > 1000


def test_a_query_does_not_matter(shared):
    with RawHTTP(shared) as c:
        assert c.ask(request("GET", "/metrics?x=y")).status == 200


def test_gzip_on_request_is_optional(shared):
    """Who asks for it gets it or not, but gets what the header says."""
    with RawHTTP(shared) as c:
        res = c.ask(request("GET", "/metrics", headers=[
            "Accept-Encoding: gzip"]))
        if "content-encoding" in res.headers:
            res.body = gzip.decompress(res.body)
        assert b"ws_active_connections" in res.body


def test_healthz_and_readyz(shared):
    for path, body in (("/healthz", b"ok\n"), ("/readyz", b"ready\n")):
        status, _, got = shared.request("GET", path)
        assert (status, got) == (200, body)
