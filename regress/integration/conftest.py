"""Fixtures: a folder, a way to start daemons, a default one."""
import pytest

from gateway import Folder, Gateway
from rawws import RawWS


@pytest.fixture
def folder():
    f = Folder()
    yield f
    f.remove()


@pytest.fixture
def start(folder):
    """start(settings, ...) gives a running daemon; all are stopped, and
    checked, at the end of the test."""
    started = []

    def run(settings="", wait=True, **kw):
        g = Gateway(folder, settings, **kw)
        started.append(g)
        return g.start() if wait else g

    yield run
    for g in started:
        g.check()


@pytest.fixture
def gateway(start):
    """A daemon with a server token "s1", and player tokens "p1" (player 1)
    and "p21" (player 21)."""
    g = start("publishers { rate-limit 0 }", wait=False)
    g.add_token("s1", subject="server-1", server=True)
    g.add_token("p1", 1)
    g.add_token("p21", 21)
    return g.start()


@pytest.fixture(scope="module")
def shared():
    """One daemon for all tests of a module that do it no harm; it has a server
    token "s1", and shared.fresh() makes players."""
    f = Folder()
    g = Gateway(f, "publishers { rate-limit 0 }")
    g.add_token("s1", subject="server-1", server=True)
    g.start()
    yield g
    g.check()
    f.remove()


@pytest.fixture
def connect():
    """connect(gateway, token, ...): a RawWS that goes away with the test."""
    opened = []

    def run(*args, **kw):
        ws = RawWS.connect(*args, **kw)
        opened.append(ws)
        return ws

    yield run
    for ws in opened:
        ws.abort()
