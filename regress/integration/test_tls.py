"""TLS: certificates by name, keys in a process of their own, what strangers can
do with a handshake, and reloads under players who stay."""
import contextlib
import json
import os
import pathlib
import re
import resource
import signal
import socket
import ssl
import struct
import subprocess
import sys
import time
from http.client import HTTPSConnection

import pytest

import certs
from gateway import LIMIT, wait_for
from rawhttp import RawHTTP, request
from rawws import RawWS
from test_confinement import found
from test_processes import all_pids

HERE = pathlib.Path(__file__).resolve().parent
PENDING = "ws_tls_handshakes_pending"
FAILED = "ws_tls_handshakes_failed_total"


def listen(*lines, address="127.0.0.2:0", roles="player publish metrics"):
    """A listener that speaks TLS, with LINES in its block."""
    return 'listen on "%s" {\n\troles %s\n\ttls {\n\t\t%s\n\t}\n}' % (
        address, roles, "\n\t\t".join(lines))


PLAIN = 'listen on "127.0.0.1:0"\n'


class Tls:
    """What RawWS.connect() and RawHTTP ask for a socket, and more of it."""

    def __init__(self, gateway, port, name="localhost", context=None):
        self.gateway = gateway
        self.address = ("127.0.0.2", port)
        self.name = name
        self.context = context or certs.plain_client()

    def raw(self, limit=LIMIT):
        return socket.create_connection(self.address, limit)

    def socket(self, limit=LIMIT, **kw):
        return self.context.wrap_socket(self.raw(limit),
                                        server_hostname=self.name, **kw)

    def named(self, name):
        return Tls(self.gateway, self.address[1], name, self.context)

    def having(self, **kw):
        return Tls(self.gateway, self.address[1], self.name,
                   certs.client(**kw))

    def subject(self):
        """The name in the certificate that is shown."""
        with self.socket() as s:
            der = s.getpeercert(True)
        out = subprocess.run(
            ["openssl", "x509", "-inform", "DER", "-noout", "-subject"],
            input=der, capture_output=True, check=True, timeout=LIMIT)
        return re.search(r"CN ?= ?(\S+)", out.stdout.decode())[1]


class Records:
    """A client whose records go out, and come in, as a test has it."""

    def __init__(self, tls, sock):
        self.sock = sock
        self.incoming, self.outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self.tls = tls.context.wrap_bio(self.incoming, self.outgoing,
                                        server_hostname=tls.name)

    def flight(self):
        """What it has to say next, once there is something."""
        while True:
            with contextlib.suppress(ssl.SSLWantReadError):
                self.tls.do_handshake()
            if data := self.outgoing.read():
                return data
            self.incoming.write(self.sock.recv(65536))

    def shake(self):
        for _ in range(2):
            self.sock.sendall(self.flight())

    def say(self, data):
        self.tls.write(data)
        self.sock.sendall(self.outgoing.read())

    def goodbye(self):
        with contextlib.suppress(ssl.SSLError):
            self.tls.unwrap()
        self.sock.sendall(self.outgoing.read())


@pytest.fixture
def secure(start):
    """secure(lines...) gives a daemon that listens plain (g.port), and by TLS;
    and the latter as a Tls."""
    def run(*lines, settings="", **kw):
        lines = lines or (certs.pair().setting(),)
        g = start(PLAIN + listen(*lines) + "\n" + settings, wait=False,
                  **dict({"listen": None}, **kw))
        g.add_token("s1", server=True)
        g.add_token("p1", 1)
        g.start()
        return g, Tls(g, g.ports()[1])
    return run


def refused(start, *lines, settings=""):
    """What is said by one that does not start, and by -n."""
    g = start(PLAIN + listen(*lines) + "\n" + settings, wait=False,
              listen=None)
    g.expect_exit = 1
    g.launch()
    assert g.wait_exit() == 1
    text = g.err()
    out = subprocess.run([*g.command(), "-n"], capture_output=True, text=True,
                         timeout=LIMIT, check=False)
    assert out.returncode == 1, "-n finds nothing"
    return text, out.stderr


# -- handshakes ---------------------------------------------------------------

@pytest.mark.parametrize("isolation", ["yes", "no"])
@pytest.mark.parametrize("kind", ["rsa", "ec"])
@pytest.mark.parametrize("version", ["TLSv1_2", "TLSv1_3"])
def test_handshake(secure, connect, kind, version, isolation):
    v = ssl.TLSVersion[version]
    g, tls = secure(certs.pair(kind + ".example", kind).setting(),
                    settings="tls { key-isolation %s }" % isolation)
    assert ("keys" in all_names(g)) == (isolation == "yes")
    tls = tls.having(minimum_version=v, maximum_version=v)
    assert tls.subject() == kind + ".example"
    ws = connect(tls, "p1")
    assert ws.sock.version() == version.replace("_", ".")
    assert g.publish("1", "e", 1)["delivered"] == 1
    assert json.loads(ws.recv_text())["payload"] == 1
    ws.close()
    m = g.metrics()
    assert m["ws_tls_handshakes_total"] == 2
    assert m[PENDING] == m[FAILED] == 0
    # Each handshake takes one, and so does the try at the start.
    assert m["ws_tls_signatures_total"] == (3 if isolation == "yes" else 0)


def all_names(g):
    names = []
    for pid in g.children():
        cmd = pathlib.Path("/proc/%d/cmdline" % pid).read_bytes()
        names.append(cmd.split(b"\0")[0].decode().split(": ")[-1].strip())
    return names


def test_by_name(secure):
    """Whose name a client asks for, it gets; the first is for all others."""
    g, tls = secure(*(certs.pair(n + ".example", k).setting() for n, k in (
        ("one", "ec"), ("two", "rsa"), ("three", "ec"))))
    for name in ("one", "two", "three"):
        assert tls.named(name + ".example").subject() == name + ".example"
    assert tls.named("four.example").subject() == "one.example"
    assert g.metrics()[FAILED] == 0


def test_alpn(secure):
    _, tls = secure()
    context = certs.client()
    context.set_alpn_protocols(["h2", "http/1.1"])
    tls.context = context
    with tls.socket() as s:
        assert s.selected_alpn_protocol() == "http/1.1"


def test_protocols(secure):
    _, tls = secure(certs.pair().setting(), "protocols tlsv1.3")
    old = tls.having(maximum_version=ssl.TLSVersion.TLSv1_2)
    with pytest.raises(ssl.SSLError):
        old.socket()
    with tls.socket() as s:
        assert s.version() == "TLSv1.3"


def test_ciphers(secure):
    _, tls = secure(certs.pair().setting(), "protocols tlsv1.2",
                    'ciphers "ECDHE-ECDSA-CHACHA20-POLY1305"')
    with tls.socket() as s:
        assert s.cipher()[0] == "ECDHE-ECDSA-CHACHA20-POLY1305"


# Its callback has libssl send an empty ticket; LibreSSL's libssl takes that for
# the opposite.  Strict: whoever mends it is to be noticed.
LIBRETLS = pytest.mark.xfail(
    sys.platform == "linux", reason="LibreTLS gives no tickets", strict=True)


@pytest.mark.parametrize(
    "tickets", [pytest.param(True, marks=LIBRETLS), False])
@pytest.mark.parametrize("version", ["TLSv1_2", "TLSv1_3"])
def test_session_tickets(secure, tickets, version):
    _, tls = secure(certs.pair().setting(),
                    "session-tickets " + ("yes" if tickets else "no"))
    v = ssl.TLSVersion[version]
    tls = tls.having(minimum_version=v, maximum_version=v)
    with tls.socket() as s:
        s.sendall(request("GET", "/healthz"))
        assert s.recv(4096).startswith(b"HTTP/1.1 200 ")
        session = s.session
    with tls.socket(session=session) as s:
        assert s.session_reused == tickets


def test_ocsp_staple(secure, folder):
    """The answer of an authority goes along with the certificate."""
    pair = certs.pair()
    der = folder.path / "ocsp.der"
    serial = subprocess.run(
        ["openssl", "x509", "-in", str(pair.cert), "-noout", "-serial"],
        capture_output=True, text=True, check=True,
        timeout=LIMIT).stdout.strip().split("=")[1]
    index = folder.path / "index.txt"
    index.write_text("V\t491231235959Z\t\t%s\tunknown\t/CN=x\n" % serial)
    cert, key = str(pair.cert), str(pair.key)
    subprocess.run(
        ["openssl", "ocsp", "-index", str(index), "-CA", cert, "-rsigner",
         cert, "-rkey", key, "-issuer", cert, "-cert", cert, "-ndays", "1",
         "-respout", str(der)], check=True, capture_output=True,
        timeout=LIMIT)
    _, tls = secure(pair.setting() + ' ocsp "%s"' % der)
    out = subprocess.run(
        ["openssl", "s_client", "-connect", "%s:%d" % tls.address, "-status",
         "-servername", "localhost"], stdin=subprocess.DEVNULL,
        capture_output=True, text=True, timeout=LIMIT, check=False).stdout
    assert "OCSP Response Status: successful" in out
    assert "Cert Status: good" in out


def test_client_certificates(secure, start):
    """Without one of its authority nobody says a word; whose it is is logged."""
    client = certs.pair("publisher.example")
    g, tls = secure(certs.pair().setting(), 'client-ca "%s"' % client.cert)
    with pytest.raises((ssl.SSLError, ConnectionError)), \
            tls.socket() as s:
        s.sendall(request("GET", "/healthz"))
        s.recv(1)               # with TLS 1.3 the client learns of it here
    wait_for(lambda: g.metrics()[FAILED] == 1, "the failure")
    tls = tls.having()
    stranger = certs.pair("stranger.example")
    tls.context.load_cert_chain(stranger.cert, stranger.key)
    with pytest.raises((ssl.SSLError, ConnectionError)), \
            tls.socket() as s:
        s.sendall(request("GET", "/healthz"))
        s.recv(1)
    tls = tls.having()
    tls.context.load_cert_chain(client.cert, client.key)
    with RawHTTP(tls) as c:
        assert c.ask(request("GET", "/healthz")).status == 200
    line = g.wait_log(lambda l: l["msg"] == "client certificate")
    assert "CN=publisher.example" in line["subject"]
    assert line["address"].startswith("127.0.0.1:")


def test_real_clients(secure):
    """curl, and Node's "ws"; and an end of sending that is no end."""
    g, tls = secure()
    out = subprocess.run(
        ["curl", "-sS", "--cacert", str(certs.pair().cert), "--resolve",
         "localhost:%d:127.0.0.2" % tls.address[1],
         "https://localhost:%d/healthz" % tls.address[1]],
        capture_output=True, text=True, timeout=LIMIT, check=False)
    assert out.stdout == "ok\n", out
    env = dict(os.environ, NODE_TLS_REJECT_UNAUTHORIZED="0",
               NODE_PATH="/usr/share/nodejs:/usr/lib/nodejs")
    p = subprocess.Popen(
        ["node", str(HERE / "ws_client.js"),
         "wss://127.0.0.2:%d/ws?token=p1" % tls.address[1]], env=env,
        stdout=subprocess.PIPE, text=True)
    assert "open" in json.loads(p.stdout.readline())
    g.publish("1", "close", "x" * 100000)
    assert len(json.loads(p.stdout.readline())["message"]) > 100000
    assert json.loads(p.stdout.readline())["close"] == 1000
    assert p.wait(LIMIT) == 0
    p.stdout.close()
    half = subprocess.run(
        ["node", "-e", "const s = require('tls').connect({port: %d, host: "
         "'127.0.0.2', rejectUnauthorized: false, allowHalfOpen: true}, () => "
         "s.end('GET /healthz HTTP/1.1\\r\\nHost: x\\r\\n\\r\\n'));"
         "s.on('data', (d) => process.stdout.write(d));"
         "s.on('end', () => process.exit(0));" % tls.address[1]],
        capture_output=True, text=True, timeout=LIMIT, check=False)
    assert half.stdout.startswith("HTTP/1.1 200 "), half


# -- what is refused at the start ----------------------------------------------

def test_kinds_that_cannot_be_kept_apart(start, secure):
    pair = certs.pair("ed.example", "ed25519")
    text, check = refused(start, pair.setting())
    for said in (text, check):
        assert str(pair.cert) in said and "only RSA and EC keys" in said
        assert "key-isolation no" in said


def test_other_kinds_in_the_engine(secure):
    _, tls = secure(certs.pair("ed.example", "ed25519").setting(),
                    settings="tls { key-isolation no }")
    assert tls.subject() == "ed.example"


@pytest.mark.parametrize("isolation", ["yes", "no"])
def test_key_of_another(start, isolation):
    one, two = certs.pair("one.example"), certs.pair("two.example", "rsa")
    three = certs.pair("three.example")
    for other in (two, three):
        text, check = refused(
            start, 'certificate "%s" key "%s"' % (one.cert, other.key),
            settings="tls { key-isolation %s }" % isolation)
        assert str(one.cert) in text
        assert str(one.cert) in check


@pytest.mark.parametrize("what", [
    "missing", "empty", "folder", "garbage", "key for a certificate",
    "protocols", "ciphers", "client-ca"])
def test_bad_files(start, folder, what):
    pair = certs.pair()
    path = folder.path / "file"
    lines = ['certificate "%s" key "%s"' % (path, pair.key)]
    expected = str(path)
    if what == "empty":
        path.write_text("")
    elif what == "folder":
        path.mkdir()
    elif what == "garbage":
        path.write_text("garbage\n" * 1000)
    elif what == "key for a certificate":
        path.write_bytes(pair.key.read_bytes())
    elif what in ("protocols", "ciphers"):
        lines = [pair.setting(), what + " nonsense"]
        expected = "nonsense" if what == "protocols" else "cipher"
    elif what == "client-ca":
        path.write_text("garbage")
        lines = [pair.setting(), 'client-ca "%s"' % path]
        expected = "tls"
    for said in refused(start, *lines):
        assert expected in said


def test_printed(secure):
    """What -nv prints says the same again."""
    g, _ = secure(certs.pair().setting(), "protocols tlsv1.2 tlsv1.3",
                  "session-tickets yes")

    def printed(path):
        return subprocess.run([str(g.command()[0]), "-nvf", str(path)],
                              capture_output=True, text=True, timeout=LIMIT,
                              check=True).stdout
    first = printed(g.conf)
    assert '\t\tprotocols "tlsv1.2 tlsv1.3"\n\t\tsession-tickets yes' in first
    path = g.dir / "again.conf"
    path.write_text(first)
    assert printed(path) == first


# -- keys ----------------------------------------------------------------------

def numbers(pair):
    """The secret numbers of a key, as bytes from the highest on."""
    text = subprocess.run(["openssl", "pkey", "-in", str(pair.key), "-noout",
                           "-text"], capture_output=True, text=True,
                          check=True, timeout=LIMIT).stdout
    out = {}
    for name, value in re.findall(
            r"^(priv|privateExponent|prime1|prime2):\n((?: +[0-9a-f:]+\n)+)",
            text, re.M):
        out[name] = bytes.fromhex(
            re.sub(r"[\s:]", "", value)).lstrip(b"\0")
    assert out
    return out


def secrets_of(*pairs):
    """What of their keys can be looked for: the text, and each number in
    either order of bytes."""
    secrets = {}
    for pair in pairs:
        lines = pair.key.read_text().splitlines()
        secrets[pair.name + " text"] = lines[len(lines) // 2].encode()
        for name, n in numbers(pair).items():
            secrets["%s %s" % (pair.name, name)] = n
            secrets["%s %s turned" % (pair.name, name)] = n[::-1]
    return secrets


def but_keys(g):
    return {**all_pids(g), "starter": g.pid_of("starter")}


@pytest.mark.skipif(os.getuid() != 0, reason="only for root")
def test_keys_are_nowhere_else(secure, connect):
    """Neither as text, nor as the numbers that it stands for, in either order
    of bytes; before and after handshakes and a reload."""
    pairs = [certs.pair("rsa.example", "rsa"), certs.pair("ec.example", "ec")]
    g, tls = secure(*(p.setting() for p in pairs))
    secrets = secrets_of(*pairs)
    for turn in range(2):
        for pair in pairs:
            assert tls.named(pair.name).subject() == pair.name
        if turn:
            assert g.ctl("reload").returncode == 0
        for process, pid in but_keys(g).items():
            assert found(pid, secrets) == set(), process
        held = found(g.pid_of("keys"), secrets)
        # As libcrypto has them on a little-endian machine.
        assert "rsa.example prime1 turned" in held
        assert "ec.example priv turned" in held


REFUSALS = {
    # By the engine, by a new store, and because nobody answers in time.
    "certificates": "protocols",
    "store": "database",
    "keys": "answer",
}


@pytest.mark.skipif(os.getuid() != 0, reason="only for root")
@pytest.mark.parametrize("isolation,refusal", [
    ("yes", "certificates"), ("yes", "store"), ("yes", "keys"),
    ("no", "certificates"), ("no", "store")])
@pytest.mark.parametrize("kind", ["rsa", "ec"])
def test_keys_of_a_refused_reload(secure, renewable, isolation, refusal, kind):
    """They are in no process any more; those of a good one are."""
    g, tls = secure(renewable.setting,
                    settings="tls { key-isolation %s }" % isolation)
    pair = certs.pair("refused.example", kind)
    secrets = secrets_of(pair)
    text = g.conf.read_text()
    bad = {"certificates": text.replace(
               renewable.setting, renewable.setting + "\n\t\tprotocols no"),
           "store": re.sub(r'database sqlite "[^"]*"',
                           'database sqlite "/nowhere/x"', text),
           "keys": text}[refusal]
    assert (bad != text) == (refusal != "keys")
    g.conf.write_text(bad)
    renewable(pair)
    pids = but_keys(g)
    if isolation == "yes":
        pids["keys"] = g.pid_of("keys")
    if refusal == "keys":
        os.kill(pids["keys"], signal.SIGSTOP)
    res = g.ctl("reload", check=False)
    assert res.returncode == 1 and REFUSALS[refusal] in res.stderr, res
    if refusal == "keys":
        os.kill(pids["keys"], signal.SIGCONT)
    assert tls.subject() == "old.example"

    def held():
        return {(process, name) for process, pid in pids.items()
                for name in found(pid, secrets)}
    last = set()

    def gone():
        last.clear()
        last.update(held())
        return not last
    with contextlib.suppress(AssertionError):
        wait_for(gone, "an end of them")
    assert last == set()

    g.conf.write_text(text)
    assert g.ctl("reload").returncode == 0
    assert tls.subject() == "refused.example"
    assert {process for process, _ in held()} == \
        {"keys" if isolation == "yes" else "engine"}


@pytest.mark.parametrize("level", ["debug", "info"])
def test_log_level_of_the_keys(secure, level):
    """It is the configuration's, as that of any process."""
    g, _ = secure(settings="log level " + level)
    said = any(l["process"] == "keys" and l["msg"].startswith("confined")
               for l in g.log())
    assert said == (level == "debug")


def test_keys_frozen(secure, connect):
    """No signature for a while: handshakes fail soon, and nothing else."""
    g, tls = secure(settings="tls { signature-timeout 300ms }")
    ws = connect(tls, "p1")
    keys = g.pid_of("keys")
    os.kill(keys, signal.SIGSTOP)
    for _ in range(3):
        begin = time.monotonic()
        with pytest.raises((ssl.SSLError, ConnectionError)):
            tls.socket()
        assert time.monotonic() - begin < LIMIT / 2
    # One was waited for; the others were not, while its answer is overdue.
    assert g.metrics()["ws_tls_signatures_failed_total"] == 3
    assert g.publish("1", "e", 1)["delivered"] == 1
    ws.recv_text()
    os.kill(keys, signal.SIGCONT)

    def again():
        with contextlib.suppress(ssl.SSLError, ConnectionError):
            return tls.subject()
    assert wait_for(again, "a handshake") == "localhost"
    ws.settle()
    g.wait_log(lambda l: "no signature" in l["msg"])


def test_keys_frozen_at_a_reload(secure, connect, renewable):
    """It is waited for, for a while: then the reload is refused, and the next
    one is none the worse for it."""
    g, tls = secure(renewable.setting)
    ws = connect(tls, "p1")
    keys = g.pid_of("keys")
    renewable(certs.pair("new.example"))
    os.kill(keys, signal.SIGSTOP)
    res = g.ctl("reload", check=False)
    assert res.returncode == 1
    assert "the keys process does not answer" in res.stderr
    os.kill(keys, signal.SIGCONT)
    assert tls.subject() == "old.example"
    # One who comes back in time has the keys before it is asked for them.
    os.kill(keys, signal.SIGSTOP)
    start = len(g.log())
    g.signal(signal.SIGHUP)
    for _ in range(3):
        g.metrics()
    os.kill(keys, signal.SIGCONT)
    g.wait_log(lambda l: "reloaded" in l["msg"], start=start)
    assert tls.subject() == "new.example"
    ws.settle()


def test_signature_timeout_of_a_refused_reload(secure, renewable):
    """Is not in force, not even that."""
    g, tls = secure(renewable.setting,
                    settings="tls { signature-timeout 200ms }")
    g.conf.write_text(g.conf.read_text().replace("200ms", "20s").replace(
        renewable.setting, renewable.setting + "\n\t\tprotocols nonsense"))
    assert "nonsense" in g.ctl("reload", check=False).stderr
    keys = g.pid_of("keys")
    os.kill(keys, signal.SIGSTOP)
    begin = time.monotonic()
    with pytest.raises((ssl.SSLError, ConnectionError)):
        tls.socket()
    assert time.monotonic() - begin < LIMIT / 2
    os.kill(keys, signal.SIGCONT)


def test_keys_killed(secure):
    """As of any process: the daemon ends, and says whose fault it was."""
    g, _ = secure()
    g.expect_exit = 1
    os.kill(g.pid_of("keys"), signal.SIGKILL)
    assert g.wait_exit() == 1
    assert any(l.get("child") == "keys" and l.get("signal") == "SIGKILL"
               for l in g.log())


# -- what strangers do ----------------------------------------------------------

def test_slow_handshake(secure, connect):
    """Those who say nothing, or half of it, are let go in time."""
    g, tls = secure(settings="tls { handshake-timeout 500ms }")
    hello = client_hello()
    slow = [tls.raw() for _ in range(20)]
    for i, s in enumerate(slow):
        s.sendall(hello[:i * len(hello) // 21])
    wait_for(lambda: g.metrics()[PENDING] == 20, "20 in progress")
    ws = connect(tls, "p1")
    ws.settle()
    for s in slow:
        s.settimeout(LIMIT)
        with contextlib.suppress(ConnectionError):
            while s.recv(4096):
                pass
        s.close()
    wait_for(lambda: g.metrics()[PENDING] == 0, "none in progress")
    assert g.metrics()[FAILED] == 20
    ws.settle()


def client_hello():
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    tls = certs.plain_client().wrap_bio(incoming, outgoing,
                                        server_hostname="localhost")
    with contextlib.suppress(ssl.SSLWantReadError):
        tls.do_handshake()
    return outgoing.read()


def test_bounded_in_number(secure, connect):
    g, tls = secure(settings="tls { max-handshakes 3 }")
    held = [tls.raw() for _ in range(3)]
    wait_for(lambda: g.metrics()[PENDING] == 3, "3 in progress")
    with pytest.raises((ssl.SSLError, ConnectionError)):
        tls.socket()
    line = g.wait_log(lambda l: l["msg"] == "connection refused")
    assert (line["reason"], line["limit"]) == ("handshakes", 3)
    # Others are not held up by that.
    assert RawHTTP(g).ask(request("GET", "/healthz")).status == 200
    for s in held:
        s.close()
    wait_for(lambda: g.metrics()[PENDING] == 0, "none in progress")
    connect(tls, "p1").settle()


NONSENSE = {
    "http": b"GET /ws?token=p1 HTTP/1.1\r\nHost: x\r\n\r\n",
    "zeros": bytes(5000),
    "too long": b"\x16\x03\x01\xff\xff" + b"\x01" * 100,
    "empty records": b"\x16\x03\x01\0\0" * 100,
    "alert": b"\x15\x03\x01\0\x02\x02\x28",
    "sslv2": b"\x80\x2e\x01\0\x02\0\x15\0\0\0\x10"}


@pytest.mark.parametrize("name", NONSENSE)
def test_what_is_no_handshake(secure, connect, name):
    g, tls = secure()
    with tls.raw() as s:
        with contextlib.suppress(OSError):
            s.sendall(NONSENSE[name])
            s.shutdown(socket.SHUT_WR)
            while s.recv(4096):
                pass
    wait_for(lambda: g.metrics()[FAILED] == 1, "the failure")
    assert g.metrics()[PENDING] == 0
    connect(tls, "p1").settle()


@pytest.mark.parametrize("how", ["said", "unsaid"])
def test_end(secure, connect, how):
    """An end is one, whether TLS is told of it or not."""
    g, tls = secure()
    ws = connect(tls, "p1")
    if how == "said":
        ws.sock.shutdown(socket.SHUT_WR)
    else:
        socket.socket.shutdown(ws.sock, socket.SHUT_WR)
    wait_for(lambda: g.metrics()["ws_active_connections"] == 0, "its end")
    assert g.metrics()['ws_connections_closed_total{reason="eof"}'] == 1


def test_broken_record(secure, connect):
    """One who breaks the cipher in the middle is gone, alone."""
    g, tls = secure()
    ws, other = connect(tls, "p1"), connect(tls, "p1")
    raw = socket.socket(fileno=os.dup(ws.sock.fileno()))
    raw.sendall(b"\x17\x03\x03\0\x40" + bytes(64))
    raw.close()
    wait_for(lambda: g.metrics()["ws_active_connections"] == 1, "its end")
    other.settle()


def test_certificate_without_its_key(secure):
    """Who shows a certificate, and says good-bye in place of the proof that it
    is his, has shaken no hands, and is not logged as that client."""
    client = certs.pair("publisher.example")
    g, tls = secure(certs.pair().setting(), 'client-ca "%s"' % client.cert)
    tls = tls.having(maximum_version=ssl.TLSVersion.TLSv1_2)
    tls.context.load_cert_chain(client.cert, client.key)
    with tls.raw() as s:
        thief = Records(tls, s)
        s.sendall(thief.flight())
        flight = thief.flight()
        certificate = flight[:5 + int.from_bytes(flight[3:5], "big")]
        assert certificate[5] == 11
        rest = flight[len(certificate):]
        exchange = rest[:5 + int.from_bytes(rest[3:5], "big")]
        assert exchange[5] == 16
        s.sendall(certificate + exchange + b"\x15\x03\x03\0\x02\x01\0")
        assert s.recv(1) == b""
    metrics = g.metrics()
    assert metrics[FAILED] == 1
    assert metrics["ws_tls_handshakes_total"] == 0
    assert not any(l["msg"] == "client certificate" for l in g.log())


# -- the way out ------------------------------------------------------------------

def test_large_messages_and_a_slow_reader(secure, connect):
    """Records that a socket takes in part are gone on with."""
    g, tls = secure(settings="publishers { rate-limit 0 }\nplayers {\n"
                    "\tsend-queue-hard 64M; send-queue-soft 64M\n}")
    ws = connect(tls, "p1")
    sizes = [1, 16383, 16384, 16385, 500000, 1000000, 3, 200000]
    for turn, size in enumerate(sizes):
        g.publish("1", "e", chr(97 + turn) * size)
        g.broadcast("b", size)
    for turn, size in enumerate(sizes):
        assert json.loads(ws.recv_text())["payload"] == chr(97 + turn) * size
        assert json.loads(ws.recv_text())["payload"] == size
    ws.close()


def test_goodbye_and_gone(secure):
    """One who ends his side, and is then cut off under an answer, holds up
    nobody."""
    g, tls = secure()
    with socket.socket() as s:
        s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        s.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        s.settimeout(LIMIT)
        s.connect(tls.address)
        client = Records(tls, s)
        client.shake()
        while g.metrics()["ws_send_queue_bytes"] < 50000:
            client.say(request("GET", "/metrics"))
        client.goodbye()
        for _ in range(3):      # turns of its loop: it has heard all that
            g.metrics()
        s.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER,
                     struct.pack("ii", 1, 0))
    wait_for(lambda: g.metrics()["ws_send_queue_bytes"] == 0, "its end")


# -- reloads ----------------------------------------------------------------------

def replace(path, new):
    """As a renewal does it: another file of that name."""
    tmp = path.with_suffix(".new")
    tmp.write_bytes(new.read_bytes())
    tmp.chmod(0o644)
    tmp.rename(path)


@pytest.fixture
def renewable(folder):
    """Files that a test may change."""
    cert, key = folder.path / "c.pem", folder.path / "c.key"

    def renew(pair):
        replace(cert, pair.cert)
        replace(key, pair.key)
    renew.setting = 'certificate "%s" key "%s"' % (cert, key)
    renew.cert = cert
    renew(certs.pair("old.example"))
    return renew


def many(g, tls, n):
    players = []
    for i in range(n):
        token = g.add_token("m%d" % i, 1000 + i) if i < 200 else \
            "m%d" % (i % 200)
        players.append(RawWS.connect(tls, token))
    return players


def test_reload_under_players(secure, renewable):
    """1,000 players: none is dropped, and who is new sees what is new."""
    n = 1000
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, 4096), hard))
    g, tls = secure(renewable.setting, settings="log level info")
    players = many(g, tls, n)
    assert tls.subject() == "old.example"
    renewable(certs.pair("new.example", "rsa"))
    assert tls.subject() == "old.example"
    assert g.ctl("reload").stdout == "configuration reloaded\n"
    assert tls.subject() == "new.example"
    assert g.metrics()["ws_active_connections"] == n
    assert g.broadcast("after")["delivered"] == n
    for ws in players:
        assert json.loads(ws.recv_text())["event"] == "after"
        ws.abort()
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


@pytest.mark.parametrize("isolation", ["yes", "no"])
def test_bad_reload_changes_nothing(secure, connect, renewable, isolation):
    g, tls = secure(renewable.setting,
                    settings="tls { key-isolation %s }\nqueue { ttl 5s }" %
                    isolation)
    ws = connect(tls, "p1")
    text = g.conf.read_text()

    def fails(expected):
        res = g.ctl("reload", check=False)
        assert res.returncode == 1 and expected in res.stderr, res
        assert tls.subject() == "old.example"
        assert "\tttl 5s" in g.ctl("show", "config").stdout
        ws.settle()

    g.conf.write_text(text.replace("ttl 5s", "ttl 6s"))
    # The key is not that of the certificate any more.
    replace(renewable.cert, certs.pair("new.example").cert)
    fails(str(renewable.cert))
    renewable.cert.unlink()
    fails("No such file")
    replace(renewable.cert, certs.pair("old.example").key)
    fails(str(renewable.cert))
    g.conf.write_text(text.replace("ttl 5s", "ttl 6s").replace(
        renewable.setting, renewable.setting + "\n\t\tprotocols nonsense"))
    renewable(certs.pair("new.example"))
    fails("nonsense")
    g.conf.write_text(text.replace("ttl 5s", "ttl 6s"))
    assert g.ctl("reload").stdout == "configuration reloaded\n"
    assert tls.subject() == "new.example"
    assert "\tttl 6s" in g.ctl("show", "config").stdout
    ws.settle()


def test_the_engine_waits_for_the_keys(secure, folder):
    """It may ask for a signature before the keys process has read its keys: here
    there is much in front of them."""
    paths = [(folder.path / ("%d.pem" % i), folder.path / ("%d.key" % i))
             for i in range(3)]

    def write(turn):
        # A set that was in force lately is still known.
        for i, (cert, key) in enumerate(paths):
            pair = certs.pair("k%d.example" % ((turn * len(paths) + i) % 15))
            cert.write_bytes(pair.cert.read_bytes())
            key.touch(mode=0o600)
            key.write_text("# nothing\n" * 6000 + pair.key.read_text())

    write(0)
    g, tls = secure(*('certificate "%s" key "%s"' % pair for pair in paths))
    for turn in range(1, 21):
        write(turn)
        assert g.ctl("reload").stdout == "configuration reloaded\n", turn
        assert tls.subject() == "k%d.example" % (turn * len(paths) % 15)


def test_certificate_is_good_and_the_database_is_not(secure, renewable):
    """All or nothing, whichever of them is found out last."""
    g, tls = secure(renewable.setting)
    text = g.conf.read_text()
    renewable(certs.pair("new.example"))
    g.conf.write_text(text.replace(str(g.db), str(g.dir / "missing.db")))
    for _ in range(2):
        res = g.ctl("reload", check=False)
        assert res.returncode == 1 and "missing.db" in res.stderr
        assert tls.subject() == "old.example"
    g.conf.write_text(text)
    assert g.ctl("reload").stdout == "configuration reloaded\n"
    assert tls.subject() == "new.example"


def test_reload_in_the_middle_of_a_handshake(secure, renewable):
    """It is finished with what it began with."""
    g, tls = secure(renewable.setting)
    with tls.raw() as raw:
        hello = client_hello()
        raw.sendall(hello[:100])
        wait_for(lambda: g.metrics()[PENDING] == 1, "one in progress")
        renewable(certs.pair("new.example"))
        for _ in range(2):
            assert g.ctl("reload").returncode == 0
        raw.sendall(hello[100:])
        assert raw.recv(3)[:1] in (b"\x16", b"\x15")
    wait_for(lambda: g.metrics()[PENDING] == 0, "none in progress")
    assert tls.subject() == "new.example"


def test_reload_plain_and_tls(secure, connect):
    """A listener may change its ways; who is there stays as he is."""
    g, tls = secure()
    ws = connect(tls, "p1")
    text = g.conf.read_text()
    block = text[text.index("\ttls {"):text.index("\t}\n}") + 3]
    g.conf.write_text(text.replace(block, ""))
    assert g.ctl("reload").stdout == "configuration reloaded\n"
    with tls.raw() as s:
        s.sendall(request("GET", "/healthz"))
        assert s.recv(4096).startswith(b"HTTP/1.1 200 ")
    g.publish("1", "e", 1)
    ws.recv_text()
    g.conf.write_text(text)
    assert g.ctl("reload").stdout == "configuration reloaded\n"
    assert tls.subject() == "localhost"
    ws.settle()


@pytest.mark.parametrize("other", ["tls", "plain"])
@pytest.mark.parametrize("stays", [True, False])
def test_reload_with_an_address_that_cannot_be(secure, connect, renewable,
                                               stays, other):
    """Whatever it speaks, and before or in place of one that is there: that one
    keeps its own certificate, or gets its own new one."""
    g, tls = secure(renewable.setting)
    ws = connect(tls, "p1")
    text = g.conf.read_text()
    at = text.index('listen on "127.0.0.2:0"')
    end = text.index("\n}\n", at) + 3
    new = 'listen on "127.0.0.3:1"\n' if other == "plain" else listen(
        certs.pair("stranger.example").setting(), address="127.0.0.3:1")
    renewable(certs.pair("new.example"))
    g.conf.write_text(text[:at] + new + "\n" +
                      (text[at:] if stays else text[end:]))
    for _ in range(2):
        answer = g.ctl("reload")
        assert 'restart is needed for: listen on "127.0.0.3:1"\n' in \
            answer.stdout + answer.stderr
        assert tls.subject() == "new.example"
    shown = g.ctl("show", "config").stdout
    assert str(renewable.cert) in shown and "127.0.0.3" not in shown
    g.conf.write_text(text)
    assert g.ctl("reload").stdout == "configuration reloaded\n"
    assert tls.subject() == "new.example"
    ws.settle()


def test_refused_reload_with_an_address_that_cannot_be(secure, renewable):
    """What is kept is kept by those who come after it, too."""
    g, tls = secure(renewable.setting)
    text = g.conf.read_text()
    moved = text.replace("127.0.0.2:0", "127.0.0.2:1")
    g.conf.write_text(moved.replace(str(g.db), str(g.dir / "missing.db")))
    for _ in range(2):
        res = g.ctl("reload", check=False)
        assert res.returncode == 1 and "missing.db" in res.stderr
        assert tls.subject() == "old.example"
    g.conf.write_text(moved)
    answer = g.ctl("reload")
    assert "restart is needed" in answer.stdout + answer.stderr
    assert tls.subject() == "old.example"


def test_no_tls_at_the_start(start):
    """There is no process for keys then: a reload says so, and changes
    nothing."""
    g = start(PLAIN, listen=None)
    g.conf.write_text(g.conf.read_text().replace(
        PLAIN, 'listen on "127.0.0.1:0" { tls {\n%s\n} }\n' %
        certs.pair().setting()))
    res = g.ctl("reload", check=False)
    assert res.returncode == 1 and "restart" in res.stderr
    con = HTTPSConnection("127.0.0.1", g.port, timeout=LIMIT,
                          context=certs.plain_client())
    with pytest.raises(ssl.SSLError):
        con.request("GET", "/healthz")
    with socket.create_connection(("127.0.0.1", g.port), LIMIT) as s:
        s.sendall(request("GET", "/healthz"))
        assert s.recv(4096).startswith(b"HTTP/1.1 200 ")
