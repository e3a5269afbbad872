"""The soak and the proof of the memory budget, scaled down: what they show in
an hour and with thousands must hold for seconds and with a hundred, too."""
import os
import subprocess
import sys

import pytest

from gateway import BUILD, ROOT

LIMIT = 180


def run(program, *args):
    res = subprocess.run(
        [sys.executable, str(ROOT / "regress" / "soak" / program), *args],
        env=dict(os.environ, BUILD=str(BUILD)), stdin=subprocess.DEVNULL,
        capture_output=True, text=True, timeout=LIMIT, check=False)
    assert res.returncode == 0, res.stdout + res.stderr
    return res.stdout


def test_soak():
    assert "\nsoak: passed\n" in run("soak.py", "10")


@pytest.mark.skipif(BUILD.name == "san",
                    reason="a sanitizer needs memory of its own")
def test_memory_budget():
    """Readers read everything, others nothing, within 64 MiB."""
    assert run("budget.py", "100", "6", "64").count("none lost") == 3
