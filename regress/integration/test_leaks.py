"""The tests look for leaks in every process: a daemon that has one in each is
noticed, whoever runs them."""
import os
import re

import leaks
import pytest

from gateway import BUILD, Folder, Gateway

LEAKY = BUILD / "ws-gatewayd-leak"
SIZES = {"parent": 1009, "engine": 2003, "store": 3001,    # primes
         "starter": 4001}

pytestmark = pytest.mark.skipif(not (leaks.sanitized() and leaks.wanted()),
                                reason="for the sanitizer build")


class LeakyGateway(Gateway):
    def command(self):
        return [str(LEAKY), *super().command()[1:]]


def test_leaks_are_noticed():
    """By check(), in each process.  On a busy machine the search of one may
    take longer than a stop has time for: then another daemon is tried."""
    if os.getuid() == 0 and not leaks.prepared:
        pytest.skip("no mounts of our own: see the warning")
    missing = set(SIZES)
    for _ in range(5):
        f = Folder()
        g = LeakyGateway(f).start()
        with pytest.raises(AssertionError, match="LeakSanitizer"):
            g.check()
        text = g.err()
        f.remove()
        assert leaks.OFF not in text
        lost = [int(n) for n in re.findall(r"leak of (\d+) byte", text)]
        missing -= {name for name, size in SIZES.items()
                    if any(n % size == 0 for n in lost)}
        if not missing:
            return
    raise AssertionError("nothing was noticed in %s" % missing)


def test_no_leak_is_noticed_where_there_is_none(start, connect):
    """The fixture's check() would say so."""
    g = start()
    connect(g, g.fresh()[0])
    g.stop()
    assert "Sanitizer" not in g.err() and leaks.OFF not in g.err()
