"""Proxies in front: the PROXY protocol, what proxies write into headers, and who
is believed.  The client's address is what limits, logs and ctl go by."""
import contextlib
import json
import os
import re
import socket
import ssl
import subprocess
import time

import pytest

from gateway import ROOT, Folder, Gateway, wait_for
from proxies import Proxy, find
from rawhttp import RawHTTP, post, request
from rawws import RawWS, Refused

SIGNATURE = b"\r\n\r\n\0\r\nQUIT\n"
STRANGER = "127.0.0.9"      # none of the proxies, which are 127.0.0.1
CLIENT = "192.0.2.7"
REFUSED = 'ws_refused_total{reason="%s"}'


def v1(client=CLIENT, port=4711):
    return ("PROXY %s %s %s %d 80\r\n" % (
        ("TCP6", client, "::1", port) if ":" in client else
        ("TCP4", client, "127.0.0.2", port))).encode()


def v2(client=CLIENT, port=4711, tlvs=b"", command=0x21, kind=None):
    if client is None:
        kind, body = kind or 0, b""
    elif ":" in client:
        kind = kind or 0x21
        body = socket.inet_pton(socket.AF_INET6, client) + bytes(16)
    else:
        kind = kind or 0x11
        body = socket.inet_aton(client) + bytes(4)
    if client is not None:
        body += port.to_bytes(2, "big") + b"\0\x50"
    body += tlvs
    return (SIGNATURE + bytes([command, kind]) + len(body).to_bytes(2, "big") +
            body)


class Proxied(Gateway):
    """self.port is plain; self.proxied, at 127.0.0.2, awaits a header."""

    def start_known(self):
        super().start_known()
        for line in self.log():
            address = line.get("address", "")
            if line.get("msg") == "listening" and \
                    address.startswith("127.0.0.2:"):
                self.proxied = int(address.rsplit(":", 1)[1])
        return self

    def raw(self, data=b"", source="127.0.0.1", limit=20):
        """A connection to the listener that awaits a header."""
        s = socket.create_connection(("127.0.0.2", self.proxied), limit,
                                     (source, 0))
        s.sendall(data)
        return s

    def plain(self, source="127.0.0.1"):
        return socket.create_connection(("127.0.0.1", self.port), 20,
                                        (source, 0))

    def player(self, sock, headers=()):
        token, name = self.fresh()
        ws = RawWS.connect(self, token, sock=sock, headers=headers)
        ws.name = name
        return ws

    def shown(self, name):
        """The address that ctl shows for the one connection of a player."""
        found = [c["address"] for c in self.ctl_json("show", "player", name)
                 ["connections"]]
        assert len(found) == 1, found
        return found[0]

    def logged(self, name, event="ws_connect"):
        return self.wait_log(lambda l: l.get("event") == event and
                             l.get("player_id") == name)["ip"]

    def refused(self, reason):
        return self.metrics()[REFUSED % reason]


class Ask(RawHTTP):
    """HTTP on a socket that is there already."""

    def __init__(self, sock):       # pylint: disable=super-init-not-called
        self.sock = sock
        self.buf = b""


@pytest.fixture
def make():
    made = []

    def start(settings="", proxies="127.0.0.1"):
        folder = Folder()
        g = Proxied(folder, 'listen on "127.0.0.2:0" { proxy-protocol yes }\n'
                    'listen on "unix:%s" mode 0666\nproxies { %s }\n%s' % (
                        folder.path / "http.sock", proxies, settings))
        g.add_token("s1", server=True)
        made.append((folder, g))
        return g.start()
    yield start
    for folder, g in made:
        g.check()
        folder.remove()


def ended(s):
    """The gateway says nothing and closes, by FIN or by RST."""
    with s:
        try:
            return s.recv(100) == b""
        except ConnectionResetError:
            return True


# -- the PROXY protocol ----------------------------------------------------

@pytest.mark.parametrize("header,ip,address", [
    (v1(), CLIENT, CLIENT + ":4711"),
    (v1("2001:db8::7", 1), "2001:db8::7", "[2001:db8::7]:1"),
    (v1("::ffff:" + CLIENT), CLIENT, CLIENT + ":4711"),
    (v2(), CLIENT, CLIENT + ":4711"),
    (v2("2001:db8::7"), "2001:db8::7", "[2001:db8::7]:4711"),
    (v2("::ffff:" + CLIENT), CLIENT, CLIENT + ":4711"),
    (v2(tlvs=b"\x04\0\x02xx\x05\0\x03abc"), CLIENT, CLIENT + ":4711"),
    (v2(tlvs=b"\x04\x0f\xf1" + bytes(4081)), CLIENT, CLIENT + ":4711"),
    (v2(None, command=0x20), "127.0.0.1", None),
    (v2(command=0x20), "127.0.0.1", None),
    (v2(None), "127.0.0.1", None),
    (v2(kind=0x12), "127.0.0.1", None),
    (b"PROXY UNKNOWN\r\n", "127.0.0.1", None)],
    ids=["v1", "v1-6", "v1-mapped", "v2", "v2-6", "v2-mapped", "v2-tlvs",
         "v2-longest", "v2-local", "v2-local-address", "v2-unspec",
         "v2-datagram", "v1-unknown"])
@pytest.mark.parametrize("pieces", ["whole", "alone", "bytes"])
def test_the_address_of_a_header(make, header, ip, address, pieces):
    """It is logged and shown, at the start and the end of a connection."""
    g = make()
    s = g.raw()
    s.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    own = "127.0.0.1:%d" % s.getsockname()[1]
    if pieces == "bytes":
        for i in range(len(header)):
            s.sendall(header[i:i + 1])
    elif pieces == "alone":
        s.sendall(header)
    else:
        # In one segment with the request.
        token, name = g.fresh()
        s.sendall(header + request("GET", "/ws?token=" + token, None, [
            "Upgrade: websocket", "Connection: Upgrade",
            "Sec-WebSocket-Version: 13",
            "Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA=="]))
        assert s.recv(12) == b"HTTP/1.1 101"
        assert (g.logged(name), g.shown(name)) == (ip, address or own)
        s.close()
        assert g.logged(name, "ws_disconnect") == ip
        return
    ws = g.player(s)
    assert (g.logged(ws.name), g.shown(ws.name)) == (ip, address or own)
    g.publish(ws.name, "e", 1)
    assert ws.recv()[1] == b'{"event":"e","payload":1}'
    ws.close()
    assert g.logged(ws.name, "ws_disconnect") == ip


def test_strangers_are_not_listened_to(make):
    g = make()
    for header in (v1(), v2(), v2(None, command=0x20), b""):
        assert ended(g.raw(header, source=STRANGER))
    assert g.refused("untrusted") == 4
    g.wait_log(lambda l: l["msg"] == "connection refused")
    lines = [l for l in g.log() if l["msg"] == "connection refused"]
    assert {l["ip"] for l in lines} == {STRANGER}
    assert {l["reason"] for l in lines} == {"untrusted"}
    assert len(lines) < 4           # one a second at the most
    assert g.metrics()["ws_http_connections"] == 1      # that asks for this


@pytest.mark.parametrize("data", [
    request("GET", "/healthz"),
    b"\x16\x03\x01\x02\0\x01\0\x01\xfc\x03\x03" + bytes(32),
    b"PROXY TCP4 192.0.2.7 127.0.0.2 4711 80\n",
    b"PROXY TCP4 192.0.2.7 127.0.0.2 4711\r\n",
    b"PROXY TCP4 192.0.2.777 127.0.0.2 4711 80\r\n",
    b"PROXY TCP4 2001:db8::7 ::1 4711 80\r\n",
    b"PROXY UNKNOWN " + b"x" * 200,
    SIGNATURE + b"\x31\x11\0\x0c" + bytes(12),
    SIGNATURE + b"\x2f\x11\0\x0c" + bytes(12),
    SIGNATURE + b"\x21\x55\0\x0c" + bytes(12),
    SIGNATURE + b"\x21\x11\0\x0b" + bytes(11),
    SIGNATURE + b"\x21\x11\xff\xff" + bytes(100),
    os.urandom(64).replace(b"P", b"Q", 1)],
    ids=["http", "tls", "lf", "words", "address", "family", "endless",
         "version", "command", "kind", "short", "v2-endless", "random"])
def test_bad_headers(make, data):
    g = make()
    assert ended(g.raw(data))
    assert g.refused("proxy") == 1
    line = g.wait_log(lambda l: l["msg"] == "connection refused")
    assert (line["reason"], line["ip"]) == ("proxy", "127.0.0.1")
    assert line["error"]
    # Byte by byte it is the same, and found at once.
    s = g.raw()
    with contextlib.suppress(ConnectionError):
        for i in range(len(data)):
            s.sendall(data[i:i + 1])
    assert ended(s)
    assert g.refused("proxy") == 2


@pytest.mark.parametrize("slow,more", [
    (b"", b""), (b"PROXY", b""), (b"PROXY UNKNOWN ", b"1"), (SIGNATURE, b""),
    (SIGNATURE + b"\x21\x11\x10\0", b"1")],
    ids=["none", "v1", "v1-slow", "v2", "v2-slow"])
def test_a_header_has_its_time(make, slow, more):
    """However busy its sender looks."""
    g = make("http { request-timeout 400ms }")
    start = time.monotonic()
    s = g.raw(slow)
    s.settimeout(0.02)
    with contextlib.suppress(ConnectionError):
        for _ in range(500):
            try:
                assert s.recv(1) == b""
                break
            except TimeoutError:
                s.sendall(more)
    assert 0.3 < time.monotonic() - start < 10
    s.close()
    assert g.refused("timeout") == 1
    assert g.refused("proxy") == 0


def test_the_request_has_its_own_time(make):
    """What the header took of it is not held against the request."""
    g = make("http { request-timeout 1s }")
    header = v1()
    with Ask(g.raw(header[:9])) as c:
        time.sleep(0.7)
        c.send(header[9:])
        time.sleep(0.7)
        assert c.ask(request("GET", "/healthz")).status == 200


def test_a_client_may_go_before_its_header(make):
    g = make()
    for data in (b"", b"PROXY ", SIGNATURE):
        g.raw(data).close()
    s = g.raw(b"PROXY ")
    s.shutdown(socket.SHUT_WR)
    assert ended(s)
    wait_for(lambda: g.metrics()["ws_http_connections"] == 1, "them to go")
    assert g.metrics()["ws_memory_bytes"] < 20000
    assert [g.refused(r) for r in ("proxy", "untrusted", "timeout")] == [0] * 3


@pytest.mark.parametrize("rest,status", [
    (b"\x16\x03\x01\x02\0\x01\0\x01\xfc\x03\x03" + bytes(32), 400),
    (v1(), 400), (v2(), 400), (b"\0" * 20, 400)],
    ids=["tls", "v1", "v2", "nul"])
def test_one_header_then_http(make, rest, status):
    g = make()
    for header in (v1(), v2()):
        with Ask(g.raw(header + rest)) as c:
            assert c.response().status == status
    line = g.wait_log(lambda l: l["msg"] == "refused")
    assert line["ip"] == CLIENT


def test_a_plain_listener_takes_no_header(make):
    g = make()
    for header in (v1(), v2()):
        with Ask(g.plain()) as c:
            c.send(header + request("GET", "/healthz"))
            assert c.response().status == 400


def test_the_limit_is_the_clients(make):
    g = make("limits { per-address 2 }")
    two = [g.player(g.raw(h)) for h in (v1(port=1), v2(port=2))]
    before = g.metrics()["ws_refused_total{reason=\"address\"}"]
    with Ask(g.raw(v1(port=3))) as c:
        res = c.response()
        assert res.status == 429 and "retry-after" in res.headers
        assert res.body == b"too many connections from this address\n"
        assert c.sock.recv(1) == b""
    with pytest.raises(Refused) as e:
        g.player(g.raw(v2("::ffff:" + CLIENT)))
    assert e.value.status == 429
    assert g.refused("address") == before + 2
    # Others have their own, an IPv6 network one together.
    others = [g.player(g.raw(v1("192.0.2.8"))),
              g.player(g.raw(v1("2001:db8::1"))),
              g.player(g.raw(v2("2001:db8::2")))]
    with pytest.raises(Refused):
        g.player(g.raw(v1("2001:db8::3")))
    others.append(g.player(g.raw(v1("2001:db8:0:1::3"))))
    # A proxy is no client, as often as it comes.
    for _ in range(5):
        others.append(g.player(g.raw(v2(None, command=0x20))))
    two.pop().close()

    def again():
        with contextlib.suppress(Refused):
            return g.player(g.raw(v1()))
        return None
    two.append(wait_for(again, "room for one more"))
    for ws in two + others:
        ws.close()
    wait_for(lambda: g.metrics()["ws_active_connections"] == 0, "all to go")
    g.player(g.raw(v1())).close()


def test_a_reload_changes_who_is_trusted(make):
    """And nobody is dropped, or counted twice or never, for that."""
    g = make("limits { per-address 2 }")
    conf = g.conf.read_text()
    kept = [g.player(g.raw(v1())), g.player(g.raw(b"PROXY UNKNOWN\r\n")),
            g.player(g.plain(), ["X-Forwarded-For: 192.0.2.8"])]
    idle = Ask(g.plain())
    assert idle.ask(request("GET", "/healthz")).status == 200
    g.conf.write_text(conf.replace("proxies { 127.0.0.1 }",
                                   "proxies { 192.0.2.0/24 }"))
    g.ctl("reload")
    assert ended(g.raw(v1()))
    ws = g.player(g.plain(), ["X-Forwarded-For: 192.0.2.9"])
    assert g.shown(ws.name).startswith("127.0.0.1:")
    kept.append(ws)
    # That was counted, and leaves when it is not any more.
    g.conf.write_text(conf)
    g.ctl("reload")
    assert idle.ask(request("GET", "/healthz")).status == 200
    idle.sock.close()
    for ws in kept:
        g.publish(ws.name, "e", 1)
        assert ws.recv()[1] == b'{"event":"e","payload":1}'
        ws.close()
    wait_for(lambda: g.metrics()["ws_active_connections"] == 0, "all to go")
    two = [g.player(g.raw(v1())) for _ in range(2)]
    with pytest.raises(Refused):
        g.player(g.raw(v1()))
    for ws in two:
        ws.close()


def test_stopping_does_not_wait_for_headers(make):
    g = make()
    waiting = [g.raw(b"PROXY "), g.raw()]
    wait_for(lambda: g.metrics()["ws_http_connections"] == 3, "them")
    start = time.monotonic()
    assert g.stop() == 0
    assert time.monotonic() - start < 2.5
    for s in waiting:
        assert ended(s)


# -- before TLS ------------------------------------------------------------

def certificate(folder):
    """A self-signed one and its key in a file."""
    pem = folder / "pem"
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt",
         "ec_paramgen_curve:P-256", "-nodes", "-subj", "/CN=localhost",
         "-keyout", str(folder / "key"), "-out", str(folder / "crt")],
        check=True, capture_output=True)
    pem.write_text((folder / "crt").read_text() +
                   (folder / "key").read_text())
    return pem


@pytest.fixture
def tls():
    folder = Folder()
    pem = certificate(folder.path)
    g = Proxied(folder, 'listen on "127.0.0.2:0" {\n\tproxy-protocol yes\n'
                '\ttls { certificate "%s" key "%s" }\n}\n'
                "proxies { 127.0.0.1 }\nlimits { per-address 1 }\n"
                "http { request-timeout 2s }" % (pem, pem))
    g.add_token("s1", server=True)
    yield g.start()
    g.check()
    folder.remove()


def shake(s):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    s = context.wrap_socket(s, do_handshake_on_connect=False)
    s.do_handshake()
    return s


@pytest.mark.parametrize("header", [v1(), v2(), v2(tlvs=b"\x04\0\x02xx")],
                         ids=["v1", "v2", "v2-tlvs"])
@pytest.mark.parametrize("joined", [True, False])
def test_a_header_before_tls(tls, header, joined):
    """In one segment with the client's hello, or byte by byte before it."""
    s = tls.raw()
    if joined:
        s.setsockopt(socket.IPPROTO_TCP, socket.TCP_CORK, 1)
        s.sendall(header)
    else:
        s.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for i in range(len(header)):
            s.sendall(header[i:i + 1])
    ws = tls.player(shake(s))
    assert tls.logged(ws.name) == CLIENT
    assert tls.shown(ws.name) == CLIENT + ":4711"
    tls.publish(ws.name, "e", 1)
    assert ws.recv()[1] == b'{"event":"e","payload":1}'
    # Another one of that client is not let in; there is no way to say why.
    other = tls.raw(header)
    with pytest.raises((ssl.SSLError, OSError)):
        shake(other)
    assert tls.refused("address") == 1
    ws.close()


def test_tls_without_a_header(tls):
    """Whoever begins with TLS, or with a header of one who is not listed."""
    with pytest.raises((ssl.SSLError, OSError)):
        shake(tls.raw())
    assert tls.refused("proxy") == 1
    with pytest.raises((ssl.SSLError, OSError)):
        shake(tls.raw(v1(), source=STRANGER))
    assert tls.refused("untrusted") == 1
    # The handshake has a time of its own, and plain text is no handshake.
    assert ended(tls.raw(v1() + request("GET", "/healthz")))
    wait_for(lambda: tls.metrics()["ws_http_connections"] == 1, "them to go")


# -- headers ---------------------------------------------------------------

@pytest.mark.parametrize("kind,lines,ip", [
    ("x-forwarded-for", ["X-Forwarded-For: 192.0.2.7"], CLIENT),
    ("x-forwarded-for", ["x-forwarded-FOR:   192.0.2.7:99  "], CLIENT),
    ("x-forwarded-for", ["X-Forwarded-For: 203.0.113.1, 192.0.2.7"], CLIENT),
    ("x-forwarded-for", ["X-Forwarded-For: 192.0.2.7, 127.0.0.1, 10.1.2.3"],
     CLIENT),
    ("x-forwarded-for", ["X-Forwarded-For: 203.0.113.1",
                         "Via: 1.1 proxy",
                         "X-Forwarded-For: 192.0.2.7, 10.1.2.3"], CLIENT),
    ("x-forwarded-for", ["X-Forwarded-For: 192.0.2.7",
                         "X-Forwarded-For: 10.1.2.3",
                         "X-Forwarded-For:"], CLIENT),
    ("x-forwarded-for", ["X-Forwarded-For: 2001:db8::7"], "2001:db8::7"),
    ("x-forwarded-for", ["X-Forwarded-For: 192.0.2.7, rubbish"], "127.0.0.1"),
    ("x-forwarded-for", ["X-Forwarded-For: 192.0.2.7, unix:, 10.1.2.3"],
     "10.1.2.3"),
    ("x-forwarded-for", ["X-Forwarded-For: 192.0.2.7" + ", 10.0.0.1" * 64],
     "10.0.0.1"),
    ("x-forwarded-for", ["X-Forwarded-For: " + "," * 3000], "127.0.0.1"),
    ("x-forwarded-for", ["X-Forwarded-For: 192.0.2.7",
                         "Forwarded: for=192.0.2.8"], CLIENT),
    ("x-forwarded-for", ["Forwarded: for=192.0.2.8"], "127.0.0.1"),
    ("x-forwarded-for", ["X-Real-IP: 192.0.2.8"], "127.0.0.1"),
    ("forwarded", ["Forwarded: for=192.0.2.7;proto=https"], CLIENT),
    ("forwarded", ['Forwarded: for="[2001:db8::7]:47011"'], "2001:db8::7"),
    ("forwarded", ['Forwarded: for=", for=192.0.2.7, for=10.1.2.3;by=_x'],
     CLIENT),
    ("forwarded", ["Forwarded: for=192.0.2.7, for=unknown"], "127.0.0.1"),
    ("forwarded", ["Forwarded: for=192.0.2.7",
                   "X-Forwarded-For: 192.0.2.8"], CLIENT),
    ("forwarded", ["X-Forwarded-For: 192.0.2.8"], "127.0.0.1"),
    ("none", ["X-Forwarded-For: 192.0.2.7", "Forwarded: for=192.0.2.7"],
     "127.0.0.1")])
def test_the_address_of_a_request(make, kind, lines, ip):
    g = make("http { client-header %s }" % kind, "127.0.0.1, 10.0.0.0/8")
    ws = g.player(g.plain(), lines)
    assert g.logged(ws.name) == ip
    assert g.shown(ws.name).startswith("[%s]:" % ip if ":" in ip else ip + ":")
    ws.close()
    # Strangers are themselves, whatever they say.
    ws = g.player(g.plain(STRANGER), lines)
    assert g.logged(ws.name) == STRANGER
    assert g.shown(ws.name) == "%s:%d" % (STRANGER,
                                          ws.sock.getsockname()[1])
    ws.close()


def test_no_list_no_belief():
    """As it has always been."""
    folder = Folder()
    g = Proxied(folder)
    g.start()
    ws = g.player(g.plain(), ["X-Forwarded-For: 192.0.2.7",
                              "Forwarded: for=192.0.2.7"])
    assert g.logged(ws.name) == "127.0.0.1"
    ws.close()
    g.check()
    folder.remove()


def test_unix_sockets_are_trusted_by_name(make):
    for proxies, ip in [("127.0.0.1", "unix"), ("127.0.0.1, unix", CLIENT)]:
        g = make(proxies=proxies)
        s = socket.socket(socket.AF_UNIX)
        s.settimeout(20)
        s.connect(str(g.dir / "http.sock"))
        ws = g.player(s, ["X-Forwarded-For: 203.0.113.1, 192.0.2.7"])
        assert g.logged(ws.name) == ip
        ws.close()


def test_the_header_protocol_over_a_unix_socket():
    folder = Folder()
    path = folder.path / "proxied.sock"
    g = Proxied(folder, 'listen on "unix:%s" mode 0666 { proxy-protocol yes }\n'
                "proxies { unix }" % path)
    g.start()
    s = socket.socket(socket.AF_UNIX)
    s.settimeout(20)
    s.connect(str(path))
    s.sendall(v2())
    ws = g.player(s)
    assert (g.logged(ws.name), g.shown(ws.name)) == (CLIENT, CLIENT + ":4711")
    ws.close()
    g.check()
    folder.remove()


def test_a_header_after_a_header(make):
    """After the PROXY protocol the client's own word counts for nothing, but
    that of another proxy of ours does."""
    g = make(proxies="127.0.0.1, 10.0.0.0/8")
    for header, lines, ip in [
            (v2(), ["X-Forwarded-For: 203.0.113.1"], CLIENT),
            (v2("10.1.1.1"), ["X-Forwarded-For: 203.0.113.1"], "203.0.113.1"),
            (v2("10.1.1.1"), [], "10.1.1.1"),
            (v2(None, command=0x20), ["X-Forwarded-For: 203.0.113.1"],
             "203.0.113.1")]:
        ws = g.player(g.raw(header), lines)
        assert g.logged(ws.name) == ip
        ws.close()


def test_each_request_has_its_own_client(make):
    """Proxies share connections: nothing of a client stays behind."""
    g = make()
    clients = ["192.0.2.%d" % i for i in range(1, 5)]
    with Ask(g.plain()) as c:
        for ip in clients:
            assert c.ask(request("GET", "/nowhere", None,
                                 ["X-Forwarded-For: " + ip])).status == 404
        assert c.ask(post("/publish", b"{}")).status == 400
        ws = g.player(c.sock)
        assert g.logged(ws.name) == "127.0.0.1"
        assert g.shown(ws.name) == "127.0.0.1:%d" % c.sock.getsockname()[1]
    # The log is limited to one line of a reason in ten seconds.
    line = g.wait_log(lambda l: l.get("reason") == "not_found")
    assert line["ip"] == clients[0]


def test_the_limit_by_header(make):
    g = make("limits { per-address 2 }")
    ours = ["X-Forwarded-For: " + CLIENT]
    two = [g.player(g.plain(), ours), g.player(g.plain(), ours)]
    shared = Ask(g.plain())
    for _ in range(2):
        with pytest.raises(Refused) as e:
            g.player(g.plain(), ours)
        assert e.value.status == 429
        # The proxy's connection goes on, for others.
        res = shared.ask(post("/publish", b'{"player_id":"1","event":"e"}',
                              headers=ours))
        assert res.status == 429 and "retry-after" in res.headers
        assert shared.ask(request("GET", "/healthz", None, [
            "X-Forwarded-For: 192.0.2.8"])).status == 200
    assert g.refused("address") == 4
    # Nor is it limited itself, nor what it asks for itself.
    many = [Ask(g.plain()) for _ in range(6)]
    for c in many:
        assert c.ask(request("GET", "/healthz")).status == 200
    two.pop().close()

    def again():
        with contextlib.suppress(Refused):
            return g.player(g.plain(), ours)
        return None
    two.append(wait_for(again, "room for one more"))
    for ws in two:
        ws.close()
    for c in [shared, *many]:
        c.sock.close()
    wait_for(lambda: g.metrics()["ws_active_connections"] == 0, "all to go")
    g.player(g.plain(), ours).close()


def test_requests_in_progress_count(make):
    """A slow body holds its client's place, until it is whole or given up."""
    g = make("limits { per-address 1 }")
    ours = ["X-Forwarded-For: " + CLIENT]
    body = b'{"player_id":"1","event":"e"}'
    data = post("/publish", body, headers=ours)
    for finish in (True, False):
        slow = Ask(g.plain())
        slow.send(data[:-5])
        wait_for(lambda: g.refused("address") + 1, "metrics")

        def held():
            with Ask(g.plain()) as c:
                return c.ask(data).status == 429
        wait_for(held, "its place to be taken")
        if finish:
            slow.send(data[-5:])
            assert slow.response().status == 200
            assert slow.ask(data).status == 200
        slow.sock.close()
        wait_for(lambda: not held(), "its place to be free")


# -- behind the real ones --------------------------------------------------

@pytest.fixture
def behind(make):
    made = []

    def run(kind, upstream, options, settings="", proxies="127.0.0.1"):
        g = make(settings, proxies)
        if upstream == "proxied":
            upstream = g.proxied
        made.append(Proxy(kind, g, upstream, "tcp", options))
        return g, made[-1]
    yield run
    for proxy in made:
        proxy.stop()


NGINX_X = "proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;"
NGINX_RFC = 'proxy_set_header Forwarded "for=$remote_addr;proto=$scheme";'
REAL = [
    ("haproxy", "proxied", "send-proxy", ""),
    ("haproxy", "proxied", "send-proxy-v2", ""),
    ("haproxy", "proxied", "send-proxy-v2 proxy-v2-options unique-id,crc32c",
     ""),
    ("nginx", "tcp", NGINX_X, ""),
    ("nginx", "unix", NGINX_X, ""),
    ("nginx", "tcp", NGINX_RFC, "http { client-header forwarded }")]
REAL_IDS = ["haproxy-v1", "haproxy-v2", "haproxy-v2-tlvs", "nginx-tcp",
            "nginx-unix", "nginx-forwarded"]


@pytest.mark.parametrize("kind,upstream,options,settings", REAL, ids=REAL_IDS)
def test_behind_a_real_proxy(behind, kind, upstream, options, settings):
    """Players come from where they come from, whatever they say."""
    g, proxy = behind(kind, upstream, options,
                      settings + "\nlimits { per-address 2 }\n"
                      "publishers { rate-limit 0 }",
                      "127.0.0.1, unix")
    lies = ["X-Forwarded-For: 203.0.113.1", 'Forwarded: for="203.0.113.1']
    players = []
    for i in (21, 22, 23):
        ip = "127.0.0.%d" % i
        for headers in ([], lies):
            s = proxy.socket(source=ip)
            port = s.getsockname()[1]
            ws = g.player(s, headers)
            players.append(ws)
            assert g.logged(ws.name) == ip
            assert g.shown(ws.name) == "%s:%d" % (
                ip, port if kind == "haproxy" else 0)
        # A third one of the same client is refused, by a whole answer.
        with pytest.raises(Refused) as e:
            g.player(proxy.socket(source=ip), lies)
        assert e.value.status == 429, e.value
        assert e.value.body == b"too many connections from this address\n"
    assert g.refused("address") == 3
    # Publishers share few connections, and reach everybody.
    with Ask(proxy.socket(source="127.0.0.31")) as c:
        for ws in players * 2:
            res = c.ask(post("/publish", json.dumps(
                {"player_id": ws.name, "event": "e"}).encode()))
            assert (res.status, json.loads(res.body)["delivered"]) == (200, 1)
            assert ws.recv()[1] == b'{"event":"e","payload":null}'
    for ws in players:
        ws.close()
    wait_for(lambda: g.metrics()["ws_active_connections"] == 0, "all to go")
    for ip in ("127.0.0.21", "127.0.0.22"):
        ws = g.player(proxy.socket(source=ip))
        assert g.logged(ws.name) == ip
        ws.close()


def test_nginx_shares_its_connections(behind):
    """Different clients on one connection are told apart."""
    g, proxy = behind("nginx", "tcp", NGINX_X)
    accepted = g.metrics()["ws_accepted_total"]
    for i in range(20):
        with Ask(proxy.socket(source="127.0.0.%d" % (40 + i))) as c:
            assert c.ask(request("GET", "/healthz")).status == 200
    assert g.metrics()["ws_accepted_total"] - accepted < 8
    ws = g.player(proxy.socket(source="127.0.0.60"))
    assert g.logged(ws.name) == "127.0.0.60"
    ws.close()


@pytest.mark.parametrize("kind", ["nginx", "haproxy"])
def test_the_samples_are_right(tmp_path, kind):
    """nginx and haproxy take etc/proxy-*, with a certificate that is there."""
    pem = certificate(tmp_path)
    name = "proxy-nginx.conf" if kind == "nginx" else "proxy-haproxy.cfg"
    text = (ROOT / "etc" / name).read_text()
    assert "proxies { 127.0.0.1 }" in text
    text = re.sub(r"/etc/\S+\.(crt|key|pem)", str(pem), text)
    program, env = find(kind)
    conf = tmp_path / "conf"
    if kind == "nginx":
        text = "pid %s/pid;\nevents {}\nhttp {\n%s\n}\n" % (tmp_path, text)
        command = [program, "-t", "-e", "stderr", "-c", str(conf)]
    else:
        command = [program, "-c", "-f", str(conf)]
    conf.write_text(text)
    res = subprocess.run(command, env={**os.environ, **env}, check=False,
                         capture_output=True, text=True)
    assert res.returncode == 0, res.stderr


def test_haproxy_checks_its_server(behind):
    """Health checks are LOCAL, and limited by nothing."""
    g, proxy = behind("haproxy", "proxied",
                      "send-proxy-v2 check check-send-proxy inter 50ms",
                      "limits { per-address 1 }")
    before = g.metrics()["ws_accepted_total"]
    wait_for(lambda: g.metrics()["ws_accepted_total"] > before + 20, "checks")
    assert [g.refused(r) for r in ("address", "proxy", "untrusted")] == [0] * 3
    with Ask(proxy.socket(source="127.0.0.21")) as c:
        assert c.ask(request("GET", "/healthz")).status == 200
