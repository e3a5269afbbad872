"""The tests look for leaks in every process: a daemon that has one in each is
noticed, whoever runs them."""
import os
import re

import leaks
import pytest

from gateway import BUILD, Gateway

LEAKY = BUILD / "ws-gatewayd-leak"
SIZES = {"parent": 1009, "engine": 2003, "store": 3001}    # primes

pytestmark = pytest.mark.skipif(not (leaks.sanitized() and leaks.wanted()),
                                reason="for the sanitizer build")


class LeakyGateway(Gateway):
    def command(self):
        return [str(LEAKY), *super().command()[1:]]


def test_leaks_are_noticed(folder, connect):
    if os.getuid() == 0 and not leaks.prepared:
        pytest.skip("no mounts of our own: see the warning")
    g = LeakyGateway(folder)
    g.start()
    connect(g, g.fresh()[0])
    with pytest.raises(AssertionError, match="LeakSanitizer"):
        g.check()
    text = g.err()
    lost = [int(n) for n in re.findall(r"leak of (\d+) byte", text)]
    for name, size in SIZES.items():
        assert any(n % size == 0 for n in lost), (name, text)
    assert leaks.OFF not in text


def test_no_leak_is_noticed_where_there_is_none(start, connect):
    """The fixture's check() would say so."""
    g = start()
    connect(g, g.fresh()[0])
    g.stop()
    assert "Sanitizer" not in g.err() and leaks.OFF not in g.err()
