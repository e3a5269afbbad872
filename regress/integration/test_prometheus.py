"""What etc/ has for Prometheus and Grafana: the alerts, each with figures that
set it off and some that must not; and with Debian's prometheus, which scrapes
a running daemon, every query of the alerts and of the dashboard."""
import json
import re
import shutil
import signal
import subprocess
import time
import urllib.parse
import urllib.request

import pytest

import certs
from gateway import LIMIT, ROOT, wait_for
from launch import free_port

TOOLS = ROOT / "build" / "tools" / "usr" / "bin"
RULES = ROOT / "etc" / "prometheus" / "ws-gatewayd.rules.yml"
CASES = ROOT / "regress" / "prometheus" / "rules.yml"
DASHBOARD = ROOT / "etc" / "grafana" / "ws-gatewayd.json"
NAME = r"\b(?:ws|process)_\w+|\bup\b"


def tool(name):
    """It is installed, or promtool.sh has unpacked it."""
    path = shutil.which(name) or shutil.which(str(TOOLS / name))
    assert path is not None, "regress/promtool.sh gets " + name
    return path


def promtool(*args):
    return subprocess.run([tool("promtool"), *map(str, args)],
                          capture_output=True, text=True, check=False,
                          timeout=LIMIT)


def alerts():
    """name -> its lines"""
    parts = RULES.read_text().split("- alert: ")[1:]
    return {p.split("\n")[0]: p for p in parts}


def panels():
    return [p for p in json.loads(DASHBOARD.read_text())["panels"]
            if p["type"] != "row"]


def queries():
    """Every query of the dashboard, with Grafana's variables filled in."""
    out = [(p["title"], t["expr"]) for p in panels() for t in p["targets"]]
    document = json.loads(DASHBOARD.read_text())
    out += [("annotation " + a["name"], a["expr"])
            for a in document["annotations"]["list"]]
    for title, expr in out:
        expr = expr.replace("$job", "ws-gatewayd").replace(
            "$instance", ".+").replace("$__rate_interval", "1m")
        assert "$" not in expr, expr
        yield title, expr


def test_rules_are_right():
    res = promtool("check", "rules", RULES)
    assert res.returncode == 0, res
    assert "%d rules found" % len(alerts()) in res.stdout


def test_alerts():
    res = promtool("test", "rules", CASES)
    assert res.returncode == 0, res.stdout + res.stderr
    # Each has both: what sets it off, and what is near and must not.
    names = re.findall(r"^  - name: (.*)$", CASES.read_text(), re.M)
    assert sorted(names) == sorted(
        [*alerts()] + [n + ", quiet" for n in alerts()])


def test_alerts_have_all_that_a_reader_needs():
    for name, text in alerts().items():
        assert re.search(r"severity: (critical|warning|info)\n", text), name
        for word in ("summary: ", "description: ", "{{ $labels.instance }}"):
            assert word in text, (name, word)


def test_every_metric_that_is_asked_for_exists(gateway):
    _, _, body = gateway.request("GET", "/metrics")
    names = {re.sub(r"\{.*", "", line.split(" ")[0])
             for line in body.decode().splitlines() if line[0] != "#"}
    text = [expr for _, expr in queries()] + [
        t.split("labels:")[0] for t in alerts().values()]
    asked = set(re.findall(NAME, "\n".join(text))) - {"up"}
    assert len(asked) > 50
    assert asked <= names
    # And, the other way, no figure is left out of the dashboard but these.
    shown = set(re.findall(NAME, "\n".join(e for _, e in queries())))
    left = {n for n in names - shown
            if not n.endswith(("_sum", "_count"))}
    assert left == {"ws_messages_compressed_total", "ws_queue_players",
                    "ws_queue_limit_players", "ws_token_lookups_limit",
                    "process_start_time_seconds",
                    "process_virtual_memory_bytes"}


def test_values_of_labels_exist(gateway):
    _, _, body = gateway.request("GET", "/metrics")
    have = set(re.findall(r'(\w+)\{(reason|process)="(\w+)"\}',
                          body.decode()))
    text = "\n".join([RULES.read_text(), *[e for _, e in queries()]])
    found = re.findall(r'(\w+)\{[^{}]*?\b(reason|process)=~?"([\w|]+)"', text)
    assert len(found) > 10
    for metric, label, values in found:
        for value in values.split("|"):
            assert (metric, label, value) in have


class Prometheus:
    """Debian's, scraping one gateway each second."""

    def __init__(self, gateway, folder):
        self.port = free_port()
        config = folder / "prometheus.yml"
        config.write_text("""
global: {scrape_interval: 1s, evaluation_interval: 1s}
rule_files: ["%s"]
scrape_configs:
  - job_name: ws-gatewayd
    static_configs: [{targets: ["127.0.0.1:%d"]}]
""" % (RULES, gateway.port))
        res = promtool("check", "config", config)
        assert res.returncode == 0, res
        self.log = open(folder / "prometheus.log", "wb")
        self.process = subprocess.Popen(
            [tool("prometheus"), "--config.file=%s" % config,
             "--storage.tsdb.path=%s" % (folder / "data"),
             "--web.listen-address=127.0.0.1:%d" % self.port],
            stdout=self.log, stderr=self.log)

    def get(self, path, **params):
        url = "http://127.0.0.1:%d/api/v1/%s?%s" % (
            self.port, path, urllib.parse.urlencode(params))
        with urllib.request.urlopen(url, timeout=LIMIT) as res:
            answer = json.load(res)
        assert answer["status"] == "success", answer
        return answer["data"]

    def query(self, expr):
        return self.get("query", query=expr, time=time.time())["result"]

    def ready(self):
        """It has looked at the gateway twice: there are rates."""
        assert self.process.poll() is None, "prometheus has ended"
        try:
            return self.query("count_over_time(up[1m]) > 2 and up == 1")
        except OSError:
            return None

    def stop(self):
        self.process.terminate()
        try:
            self.process.wait(LIMIT)
        finally:
            self.process.kill()
            self.process.wait()
            self.log.close()


@pytest.fixture
def prometheus(gateway, connect, tmp_path):
    if certs.TLS:
        pytest.skip("it is not to trust our authority")
    connect(gateway, "p1")
    p = Prometheus(gateway, tmp_path)
    try:
        # Something that was there before the first look is no rate.
        wait_for(p.ready, "what prometheus has seen", 60)
        for _ in range(3):
            gateway.publish("1", "e")
        wait_for(lambda: p.query("increase(ws_messages_published_total[1m])"
                                 " > 0"), "the messages")
        yield p
    finally:
        p.stop()


def test_prometheus_understands_it_all(prometheus):
    """Every panel has something to show; every alert is looked at, and, with
    nothing wrong, none is on."""
    asked = list(queries())
    assert len(asked) > 60
    for title, expr in asked:
        found = prometheus.query(expr)
        assert found or title.startswith("annotation"), (title, expr)
        if "quantile" in expr:
            assert any(r["value"][1] != "NaN" for r in found), (title, expr)
    groups = wait_for(lambda: [
        g for g in prometheus.get("rules")["groups"]
        if all(r["health"] == "ok" for r in g["rules"])], "the rules")
    rules = {r["name"]: r for g in groups for r in g["rules"]}
    assert set(rules) == set(alerts())
    assert [n for n, r in rules.items() if r["state"] != "inactive"] == []
    # What a scrape was made of, Prometheus liked as a whole.
    (target,) = prometheus.get("targets")["activeTargets"]
    assert (target["health"], target["lastError"]) == ("up", "")
    for name in ("job", "instance"):
        assert prometheus.get("label/%s/values" % name,
                              **{"match[]": "ws_build_info"})


def test_an_alert_goes_off(prometheus, gateway):
    """The daemon is killed; it takes a minute until that is more than a
    suspicion."""
    gateway.expect_exit = -signal.SIGKILL
    gateway.process.kill()
    gateway.process.wait()
    state = wait_for(lambda: [
        r["state"] for g in prometheus.get("rules")["groups"]
        for r in g["rules"] if r["name"] == "WsGatewayDown" and
        r["state"] != "inactive"], "the alert")
    assert state in (["pending"], ["firing"])


def test_the_dashboard_is_in_order():
    document = json.loads(DASHBOARD.read_text())
    assert document["uid"] and document["title"] == "ws-gatewayd"
    every = document["panels"]
    ids = [p["id"] for p in every]
    assert len(ids) == len(set(ids))
    taken = set()
    for p in every:
        g = p["gridPos"]
        assert 0 <= g["x"] and g["x"] + g["w"] <= 24, p["title"]
        cells = {(x, y) for x in range(g["x"], g["x"] + g["w"])
                 for y in range(g["y"], g["y"] + g["h"])}
        assert not cells & taken, p["title"]
        taken |= cells
    for p in panels():
        assert p["datasource"]["uid"] == "${datasource}"
        assert p["title"] and p["targets"] and p["fieldConfig"]
        refs = [t["refId"] for t in p["targets"]]
        assert len(refs) == len(set(refs))
    assert [v["name"] for v in document["templating"]["list"]] == [
        "datasource", "job", "instance"]
