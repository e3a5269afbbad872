"""What is done over and over costs no memory, not even such as a process could
still find: the search for leaks does not see that."""
import contextlib
import pathlib
import re
import shutil
import socket
import ssl

import pytest

import certs
from gateway import BUILD

KIB = 64            # more than a heap needs to find its shape

pytestmark = pytest.mark.skipif(
    BUILD.name == "san", reason="a sanitizer keeps what is freed")


def anonymous(pid):
    """KiB of memory that is no file's."""
    text = pathlib.Path("/proc/%d/status" % pid).read_text()
    return int(re.search(r"RssAnon:\s+(\d+) kB", text)[1])


def processes(g, isolation):
    names = ["engine", "store", "starter"]
    if isolation == "yes":
        names.append("keys")
    return {"parent": g.process.pid, **{n: g.pid_of(n) for n in names}}


def repeat(g, act, warm, more, isolation="yes"):
    pids = processes(g, isolation)
    for n in range(warm):
        act(n)
    before = {name: anonymous(pid) for name, pid in pids.items()}
    for n in range(warm, warm + more):
        act(n)
    grown = {name: anonymous(pid) - before[name]
             for name, pid in pids.items()}
    assert max(grown.values()) <= KIB, (grown, before)


@pytest.fixture
def secure(start, folder):
    """A daemon with TLS, whose files are c.pem and c.key."""
    def run(settings=""):
        cert, key = folder.path / "c.pem", folder.path / "c.key"
        shutil.copy(certs.pair().cert, cert)
        shutil.copy(certs.pair().key, key)
        g = start('listen on "127.0.0.1:0" { tls {\n'
                  'certificate "%s" key "%s"\n} }\nlog level info\n%s' % (
                      cert, key, settings), listen=None)
        return g, cert, key
    return run


@pytest.mark.parametrize("isolation", ["yes", "no"])
def test_reloads(secure, isolation):
    """Other certificates and keys each time, and some that are refused."""
    g, cert, key = secure("tls { key-isolation %s }" % isolation)
    pairs = [certs.pair(name, kind) for name in ("a.example", "b.example")
             for kind in ("rsa", "ec")]

    def act(n):
        shutil.copy(pairs[n % 4].cert, cert)
        res = g.ctl("reload", check=False)
        assert res.returncode == 1 and str(cert) in res.stderr, res
        shutil.copy(pairs[n % 4].key, key)
        g.ctl("reload")
    repeat(g, act, 60, 80, isolation)


def test_handshakes(secure):
    """Whole ones, and such as are broken off or are none."""
    g, *_ = secure()
    contexts = [certs.client(), certs.client(
        maximum_version=ssl.TLSVersion.TLSv1_2)]

    def act(n):
        with socket.create_connection(("127.0.0.1", g.port), 20) as s:
            if n % 4 == 0:
                incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
                tls = contexts[0].wrap_bio(incoming, outgoing)
                with contextlib.suppress(ssl.SSLWantReadError):
                    tls.do_handshake()
                s.sendall(outgoing.read())
                assert s.recv(3)
            elif n % 4 == 1:
                s.sendall(b"\x16\x03\x01\x02\0\x01" + bytes(100))
            else:
                with contexts[n % 2].wrap_socket(s) as tls:
                    tls.sendall(b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n")
                    assert tls.recv(12) == b"HTTP/1.1 200"
    repeat(g, act, 200, 1000)
