"""Fixtures: a folder, a way to start daemons, a default one."""
import leaks
import pytest

import certs
from gateway import Folder, Gateway
from mariadb import MysqlGateway, Server
from rawws import RawWS

# Whose tests are about what any database must do: they run on each.
BOTH = ("test_handshake", "test_publish")

# By TLS, all but those whose clients are their own, and those that are not about
# what goes over a socket.
if certs.TLS:
    collect_ignore = ["test_%s.py" % name for name in (
        "bench", "browser", "completion", "faults", "flags", "herd",
        "js_client", "leaks", "listen", "mysql", "notify", "outage", "php",
        "passed", "processes", "proxies", "proxy", "reload_errors",
        "reload_store", "settings", "soak", "start", "static", "tls")]

# Those that take longest; who shares modules out to several workers begins with
# them, so that all end at about the same time.
LONG = ("tls", "proxy", "browser", "faults", "js_client", "processes", "ctl",
        "notify", "php", "tokens", "mysql", "reload_store", "outage", "soak",
        "deflate", "reload_errors", "prometheus", "completion", "bench",
        "start", "herd", "http_hostile", "log", "limits", "handshake")

# In what this process starts, and in no other.
leaks.prepare()


def pytest_generate_tests(metafunc):
    if "backend" in metafunc.fixturenames and (
            metafunc.module.__name__ in BOTH or
            "start_each" in metafunc.fixturenames):
        metafunc.parametrize("backend", ["sqlite", "mysql"], indirect=True,
                             scope="module")


def pytest_collection_modifyitems(items):
    order = {"test_" + name: n for n, name in enumerate(LONG)}
    items.sort(key=lambda item: order.get(item.module.__name__, len(LONG)))


@pytest.fixture(scope="session")
def mariadb():
    """The server, which tests may stop if they start it again."""
    server = Server()
    MysqlGateway.server = server
    yield server
    server.remove()


@pytest.fixture(scope="module")
def backend(request):
    """The class of a gateway on the kind of database that is tested."""
    if getattr(request, "param", "sqlite") == "sqlite":
        return Gateway
    request.getfixturevalue("mariadb")
    return MysqlGateway


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

    def run(settings="", wait=True, kind=Gateway, **kw):
        g = kind(folder, settings, **kw)
        started.append(g)
        return g.start() if wait else g

    yield run
    for g in started:
        g.check()


@pytest.fixture
def start_each(start, backend):
    """The same, on each kind of database."""
    def run(*args, **kw):
        return start(*args, kind=backend, **kw)
    return run


@pytest.fixture
def start_mysql(start, mariadb):
    def run(*args, **kw):
        return start(*args, kind=MysqlGateway, **kw)
    return run


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
def shared(backend):
    """One daemon for all tests of a module that do it no harm; it has a server
    token "s1", and shared.fresh() makes players."""
    f = Folder()
    g = backend(f, "publishers { rate-limit 0 }")
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
