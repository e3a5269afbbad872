"""The bench itself works: tiny counts, of which the figures mean nothing."""
import json
import os
import pathlib
import subprocess

import pytest

from gateway import BUILD

BENCH = pathlib.Path(__file__).resolve().parents[1] / "bench"

pytestmark = pytest.mark.skipif(
    BUILD.name != "release" or os.uname().sysname != "Linux",
    reason="one build is enough; it is for Linux")


def test_smoke(tmp_path):
    out = tmp_path / "out.json"
    res = subprocess.run(["/usr/bin/python3", "-B", BENCH / "bench.py",
                          "--smoke", "--json", out], check=False,
                         capture_output=True, text=True, timeout=120)
    assert res.returncode == 0, res
    data = json.loads(out.read_text())["quick"]
    assert set(data["servers"]) == {"ws-gatewayd", "floor"}
    for name, by_server in data["runs"].items():
        for server, results in by_server.items():
            assert results != [None], (name, server, res.stderr)
        assert len(by_server) == 2, name
    lines = [line for line in res.stdout.splitlines()
             if line.startswith("broadcast to 20, 16 in flight")]
    assert len(lines) == 2 and len(lines[0].split()) >= 9, res.stdout

    subprocess.run(["/usr/bin/python3", "-B", BENCH / "results.py", out,
                    tmp_path], check=True, timeout=20)
    text = (tmp_path / "RESULTS.md").read_text()
    assert "| broadcast to 20, 16 in flight |" in text
