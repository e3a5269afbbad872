"""The publisher for PHP, clients/php, by php-cli: the running daemon, and
servers that behave worse than it."""
import contextlib
import datetime
import email.utils
import json
import re
import shutil
import socket
import subprocess
import threading

import pytest

from gateway import LIMIT, ROOT, wait_for
from launch import can_connect, free_port

SOURCE = ROOT / "clients" / "php" / "WsGateway.php"
SCRIPT = ROOT / "regress" / "integration" / "php_client.php"

if shutil.which("php") is None:
    pytest.skip("no php", allow_module_level=True)


class Php:
    """One PHP process with one publisher."""

    def __init__(self, address, token="s1", *times):
        self.process = subprocess.Popen(
            ["php", "-n", "-d", "error_reporting=-1", "-d",
             "display_errors=stderr", "-d", "zend.exception_ignore_args=0",
             *EXTENSIONS, str(SCRIPT), str(SOURCE)],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.address = address
        self.said = self.call("new", address, token, *times)

    def call(self, name, *args, **more):
        self.process.stdin.write(
            json.dumps({"call": name, "args": args, **more}) + "\n")
        self.process.stdin.flush()
        return json.loads(self.process.stdout.readline())

    def publish(self, *args):
        return self.call("publish", *args)

    def fails(self, kind, *args, status=None):
        """A publish fails like that; what it says."""
        said = self.publish(*(args or ("21", "e")))
        assert said.get("error") == "WsGateway\\" + kind, said
        assert said["ours"]
        assert said.get("status") == status
        return said

    def end(self):
        self.process.stdin.close()
        try:
            assert self.process.wait(LIMIT) == 0
        finally:
            self.process.kill()
            self.process.wait()
            self.process.stdout.close()


def loadable(name):
    """Options that load an extension without the system's php.ini."""
    for flags in ([], ["-d", "extension=" + name]):
        res = subprocess.run(
            ["php", "-n", *flags, "-r",
             "exit(extension_loaded('%s') ? 0 : 1);" % name],
            capture_output=True, timeout=LIMIT, check=False)
        if res.returncode == 0:
            return flags
    return []


# Only for the fork of a test: the file itself needs none.
EXTENSIONS = loadable("pcntl")


@pytest.fixture
def php():
    started = []

    def run(*args):
        started.append(Php(*args))
        assert started[-1].said == {}, started[-1].said
        return started[-1]

    yield run
    for p in started:
        p.end()


def address(gateway):
    return "http://127.0.0.1:%d" % gateway.port


# -- with the daemon ----------------------------------------------------------

def test_it_is_php():
    res = subprocess.run(["php", "-n", "-l", str(SOURCE)],
                         capture_output=True, text=True, timeout=LIMIT,
                         check=False)
    assert res.returncode == 0, res
    assert "declare(strict_types=1);" in SOURCE.read_text()


def test_nothing_newer_than_php_7_4():
    text = re.sub(r"/\*.*?\*/|//.*?$", "", SOURCE.read_text(),
                  flags=re.S | re.M)
    for what in (r"\bmatch\s*\(", r"\?->", r"\breadonly\b", r"\benum\b",
                 r"\bmixed\b", r"\bstr_(contains|starts_with|ends_with)\b",
                 r"\bfinal const\b", r"(private|public) \??\w+ \$\w+,",
                 r",\s*\)\s*(:\s*\w+\s*)?\{", r"\(\.\.\.\)",
                 r"\w\|\w+ \$", r"\barray_is_list\b", r"\): static\b",
                 r"\): never\b", r"catch \([\w\\|]+\)",
                 r"(\?\?|\?|:|=>|=) throw\b", r"\bget_debug_type\b"):
        assert not re.search(what, text), what
    # An attribute is a comment there, up to the end of its line.
    for line in text.splitlines():
        assert "#[" not in line or line.strip() == "#[\\SensitiveParameter]"


def test_publish(gateway, php, connect):
    p = php(address(gateway))
    ws = connect(gateway, "p21")
    assert p.publish(21, "target", {"hit": True}) == \
        {"delivered": 1, "queued": False}
    assert ws.recv_text() == '{"event":"target","payload":{"hit":true}}'
    assert p.publish("21", "e") == {"delivered": 1, "queued": False}
    assert ws.recv_text() == '{"event":"e","payload":null}'
    assert p.publish("away", "e", []) == {"delivered": 0, "queued": True}


def test_broadcast(gateway, php, connect):
    p = php(address(gateway))
    players = [connect(gateway, t) for t in ("p1", "p21", "p21")]
    assert p.call("broadcast", "all", [1]) == \
        {"delivered": 3, "queued": False}
    for ws in players:
        assert ws.recv_text() == '{"event":"all","payload":[1]}'


def test_values_arrive_as_they_are(gateway, php, connect):
    p = php(address(gateway))
    ws = connect(gateway, "p21")
    for value, text in ((9007199254740993, "9007199254740993"),
                        (0.1, "0.1"), (1.0, "1.0"), ("a/b é 😀",
                                                     '"a/b é 😀"'),
                        ("\u2028\x00\"\\", '"\\u2028\\u0000\\"\\\\"'),
                        ([], "[]"), ({"a": {"b": None}}, '{"a":{"b":null}}'),
                        (False, "false"), ("x" * 300000,
                                           '"%s"' % ("x" * 300000))):
        p.publish("21", "e", value)
        assert ws.recv_text() == '{"event":"e","payload":%s}' % text
    p.publish("21", "näme \"q\"", 1)
    assert json.loads(ws.recv_text())["event"] == 'näme "q"'


def test_one_connection_for_all(gateway, php):
    p = php(address(gateway))
    before = gateway.metrics()["ws_accepted_total"]
    for _ in range(50):
        assert p.publish("21", "e")["queued"]
    # And one for the second look at the metrics.
    assert gateway.metrics()["ws_accepted_total"] == before + 2
    p.call("close")
    assert p.publish("21", "e")["queued"]
    assert gateway.metrics()["ws_accepted_total"] == before + 4


def test_a_connection_is_kept_through_refusals(gateway, php):
    p = php(address(gateway))
    before = gateway.metrics()["ws_accepted_total"]
    p.fails("BadRequestException", "x" * 256, "e", status=400)
    assert p.publish("21", "e")["queued"]
    assert gateway.metrics()["ws_accepted_total"] == before + 2


def closed_by_peer(port):
    """A connection to that port is half closed (CLOSE_WAIT), by the peer."""
    with open("/proc/net/tcp", encoding="ascii") as f:
        rows = [line.split() for line in f][1:]
    return any(row[2].endswith(":%04X" % port) and row[3] == "08"
               for row in rows)


def test_an_idle_connection_that_was_closed(start, php):
    g = start("http { keepalive-timeout 100ms }", wait=False)
    g.add_token("s1", subject="s", server=True)
    g.start()
    p = php(address(g))
    assert p.publish("21", "e")["queued"]
    before = g.metrics()["ws_accepted_total"]
    wait_for(lambda: closed_by_peer(g.port), "the end of keep-alive")
    assert p.publish("21", "e")["queued"]
    assert g.metrics()["ws_accepted_total"] == before + 2


def test_an_old_connection_is_not_used(gateway, php):
    p = php(address(gateway), "s1", 5.0, 2.0, 0.0)
    before = gateway.metrics()["ws_accepted_total"]
    assert p.publish("21", "e")["queued"]
    assert p.publish("21", "e")["queued"]
    assert gateway.metrics()["ws_accepted_total"] == before + 3


def test_a_restarted_gateway(start, php):
    port = free_port()
    g = start(listen="127.0.0.1:%d" % port, wait=False)
    g.add_token("s1", subject="s", server=True)
    g.start()
    p = php(address(g))
    assert p.publish("21", "e")["queued"]
    assert g.stop() == 0
    assert "no connection to tcp://127.0.0.1" in \
        p.fails("ConnectionException")["text"]
    start(listen="127.0.0.1:%d" % port)
    wait_for(lambda: can_connect("127.0.0.1", port), "the new one")
    assert p.publish("21", "e")["queued"]


def test_a_child_has_a_connection_of_its_own(gateway, php):
    if loadable("pcntl") != EXTENSIONS or subprocess.run(
            ["php", "-n", *EXTENSIONS, "-r",
             "exit(function_exists('pcntl_fork') ? 0 : 1);"],
            timeout=LIMIT, check=False).returncode != 0:
        pytest.skip("no pcntl")
    p = php(address(gateway))
    assert p.publish("21", "e")["queued"]
    before = gateway.metrics()["ws_accepted_total"]
    assert p.call("child", "21", "e") == {}
    assert p.publish("21", "e")["queued"]
    assert gateway.metrics()["ws_accepted_total"] == before + 2
    assert gateway.metrics()["ws_messages_published_total"] == 3


def test_over_a_unix_socket(start, folder, php):
    path = folder.path / "http.sock"
    g = start('listen on "unix:%s" mode 0666' % path, wait=False)
    g.add_token("s1", subject="s", server=True)
    g.start()
    for prefix in ("unix:", "unix://"):
        p = php(prefix + str(path))
        assert p.publish("21", "e") == {"delivered": 0, "queued": True}


def test_errors_by_status(start, php):
    g = start("publishers { rate-limit 2; rate-period 10s; max-body 4K }",
              wait=False)
    g.add_token("s1", subject="s", server=True)
    g.add_token("p1", 1)
    g.start()
    bad = php(address(g), "nobody").fails("AuthenticationException",
                                          status=403)
    assert bad["text"] == "403 invalid server token"
    php(address(g), "p1").fails("AuthenticationException", status=403)
    php(address(g) + "/elsewhere").fails("NotFoundException", status=404)
    p = php(address(g))
    p.fails("TooLargeException", "21", "e", "x" * 5000, status=413)
    assert p.publish("21", "e")["queued"]
    said = p.fails("RateLimitedException", status=429)
    assert 1 <= said["retry"] <= 10
    assert said["text"] == "429 rate limit"


def test_a_large_message_is_refused_while_it_is_sent(gateway, php):
    """Far more than the sockets' buffers hold."""
    p = php(address(gateway))
    p.fails("TooLargeException", "21", "e", "x" * 20000000, status=413)
    assert p.publish("21", "e")["queued"]


def test_a_database_that_is_down(start, php):
    g = start("tokens { cache 0s; grace 0s }", wait=False)
    g.add_token("s1", subject="s", server=True)
    g.start()
    con = g.sql()
    con.execute("ALTER TABLE ws_token RENAME TO gone")
    said = php(address(g)).fails("UnavailableException", status=503)
    assert said["retry"] == 2
    con.execute("ALTER TABLE gone RENAME TO ws_token")
    con.close()


# -- arguments ----------------------------------------------------------------

@pytest.mark.parametrize("where", [
    "", "127.0.0.1:8080", "ftp://h", "http://", "http://u@h", "http://h/?q",
    "http://h/#f", "http://h\r\nX: y", "http://h/a b", "unix:", "unix:x",
    "http://h:99999999"])
def test_bad_addresses(where):
    p = Php(where)
    assert p.said.get("error") == "InvalidArgumentException", p.said
    p.end()


@pytest.mark.parametrize("token", ["", "a b", "a\r\nX: y", "a\n", "é"])
def test_bad_tokens(token):
    p = Php("http://127.0.0.1:1", token)
    assert p.said["error"] == "InvalidArgumentException"
    p.end()


def test_bad_times_and_players(php):
    for times in ((0,), (-1.0,), (1.0, 0), (1.0, 1.0, -1)):
        p = Php("http://127.0.0.1:1", "s1", *times)
        assert p.said["error"] == "InvalidArgumentException"
        p.end()
    p = php("http://127.0.0.1:1")
    assert p.publish("", "e")["error"] == "InvalidArgumentException"
    for player in (None, 1.5, True, []):
        assert p.publish(player, "e")["error"] == "TypeError"
    assert p.publish(1, 2)["error"] == "TypeError"


def test_data_that_is_no_json(gateway, php):
    p = php(address(gateway))
    for kind in ("utf8", "inf", "resource"):
        said = p.call("bad", kind=kind)
        assert said["error"] == "WsGateway\\InvalidMessageException", said
    assert gateway.metrics()["ws_messages_published_total"] == 0


def test_the_token_is_shown_to_nobody(gateway, php):
    p = php(address(gateway), "very-secret-token")
    assert "Publisher" in p.call("dump")["text"]
    assert "secret" not in p.call("dump")["text"]
    said = p.fails("AuthenticationException", status=403)
    assert "secret" not in said["text"]
    version = subprocess.run(["php", "-n", "-r", "echo PHP_VERSION_ID;"],
                             capture_output=True, text=True, timeout=LIMIT,
                             check=True).stdout
    bad = php("http://127.0.0.1:%d" % free_port(), "very-secret-token")
    trace = bad.fails("ConnectionException")["trace"]
    if int(version) >= 80200:
        assert "secret" not in trace


# -- servers that behave badly ------------------------------------------------

class Server:
    """Answers connection after connection with what it was given: bytes, which
    end with the connection's end, or a function of the socket."""

    def __init__(self, *answers):
        self.sock = socket.create_server(("127.0.0.1", 0))
        self.url = "http://127.0.0.1:%d" % self.sock.getsockname()[1]
        self.answers = answers
        self.heads = []
        self.error = None
        self.done = threading.Event()
        self.thread = threading.Thread(target=self.run)
        self.thread.start()

    def run(self):
        try:
            for answer in self.answers:
                con, _ = self.sock.accept()
                with con:
                    con.settimeout(LIMIT)
                    if callable(answer):
                        answer(self, con)
                    else:
                        self.read(con)
                        con.sendall(answer)
        except Exception as e:  # told to the test by stop()
            self.error = e

    def read(self, con):
        """One request; its body."""
        data = b""
        while b"\r\n\r\n" not in data:
            data += self.more(con)
        head, body = data.split(b"\r\n\r\n", 1)
        self.heads.append(head.decode())
        length = int(re.search(r"Content-Length: (\d+)",
                               head.decode()).group(1))
        while len(body) < length:
            body += self.more(con)
        return body

    @staticmethod
    def more(con):
        data = con.recv(65536)
        assert data, "the client has gone"
        return data

    def listen_no_more(self):
        """And wake an accept that nobody came to."""
        with contextlib.suppress(OSError):
            self.sock.shutdown(socket.SHUT_RDWR)

    def stop(self):
        self.done.set()
        self.listen_no_more()
        self.thread.join(LIMIT)
        self.sock.close()
        if self.error and not isinstance(self.error, OSError):
            raise self.error


@pytest.fixture
def serve():
    started = []

    def run(*answers):
        started.append(Server(*answers))
        return started[-1]

    yield run
    for s in started:
        s.stop()


OK = b"HTTP/1.1 200 OK\r\nContent-Length: 27\r\n\r\n" \
    b'{"delivered":1,"queued":0}\n'
GOOD = {"delivered": 1, "queued": False}


def test_the_request_to_the_byte(serve, php):
    bodies = []

    def answer(server, con):
        for _ in range(2):
            bodies.append(server.read(con))
            con.sendall(OK)
    s = serve(answer)
    p = php(s.url + "/prefix/", "tok")
    assert p.publish(21, "e", {"a": 1}) == GOOD
    assert p.call("broadcast", "e") == GOOD
    host = s.url[len("http://"):]
    assert [h.replace("\r\n", "\n") for h in s.heads] == [
        "POST /prefix/%s HTTP/1.1\nHost: %s\nAuthorization: Bearer tok\n"
        "Content-Type: application/json\nContent-Length: %d" % (
            path, host, len(body))
        for path, body in zip(("publish", "broadcast"), bodies)]
    assert bodies == [
        b'{"player_id":"21","event":"e","payload":{"a":1}}',
        b'{"event":"e","payload":null}']


@pytest.mark.parametrize("answer", [
    OK,
    b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early\r\nX: y\r\n\r\n" + OK,
    b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
    b'5;x=y\r\n{"del\r\n15\r\nivered":1,"queued":0}\r\n0\r\nT: t\r\n\r\n',
    b'HTTP/1.0 200 OK\r\n\r\n{"delivered":1,"queued":0}',
    b'HTTP/1.1 200\r\n\r\n{"delivered":1,"queued":0}',
    b"HTTP/1.1 200 OK\ncontent-LENGTH:26\n\n" b'{"delivered":1,"queued":0}',
], ids=range(6))
def test_answers_of_all_forms(serve, php, answer):
    """In one piece and byte by byte."""
    def slowly(server, con):
        server.read(con)
        for i in range(len(answer)):
            con.sendall(answer[i:i + 1])
    s = serve(answer, slowly)
    p = php(s.url)
    assert p.publish("21", "e") == GOOD
    p.call("close")
    assert p.publish("21", "e") == GOOD


@pytest.mark.parametrize("body", [
    b"", b"ok", b"{}", b"7", b'"x"', b"[]", b'{"delivered":"1"}',
    b'{"delivered":null,"queued":[]}'])
def test_a_200_that_says_nothing(serve, php, body):
    """The Go predecessor's, for one."""
    s = serve(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s" % (
        len(body), body))
    assert php(s.url).publish("21", "e") == \
        {"delivered": None, "queued": None}


@pytest.mark.parametrize("answer,text", [
    (b"", "the connection ended without an answer"),
    (b"HTTP/1.1 200 OK\r\n", "the connection ended"),
    (b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nx",
     "ended within the answer"),
    (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nab",
     "ended within the answer"),
    (b"SSH-2.0-x\r\n\r\n", "not HTTP"),
    (b"HTTP/1.1 2000 OK\r\n\r\n", "not HTTP"),
    (b"HTTP/1.1 200 OK\r\nno colon\r\n\r\n", "not HTTP"),
    (b"HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n", "not HTTP"),
    (b"HTTP/1.1 200 OK\r\nContent-Length: 99999999999\r\n\r\n", "not HTTP"),
    (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
     "not HTTP"),
    (b"x" * 2000000, "too large"),
    (b"HTTP/1.1 200 OK\r\n\r\n" + b"x" * 2000000, "too large"),
    (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" +
     b"10000\r\n" + b"x" * 65536 + b"\r\n" * 1 +
     (b"10000\r\n" + b"x" * 65536 + b"\r\n") * 20, "too large"),
], ids=range(13))
def test_bad_answers(serve, php, answer, text):
    """An error, and the next message has another connection."""
    s = serve(answer, OK)
    p = php(s.url)
    assert text in p.fails("ConnectionException")["text"]
    assert p.publish("21", "e") == GOOD


def test_an_answer_too_many(serve, php):
    """It belongs to nobody, least of all to the next message."""
    more = OK.replace(b'"delivered":1', b'"delivered":9')

    def late(server, con):
        server.read(con)
        con.sendall(OK)
        con.sendall(more)
        arrived.set()
        server.done.wait(LIMIT)
    arrived = threading.Event()
    s = serve(OK + more, OK)
    p = php(s.url)
    assert [p.publish("21", "e") for _ in range(2)] == [GOOD, GOOD]
    s = serve(late)
    p = php(s.url)
    assert p.publish("21", "e") == GOOD
    assert arrived.wait(LIMIT)
    s.listen_no_more()
    # Another connection, which is refused: the first was not used again.
    p.fails("ConnectionException")
    s.done.set()


def test_nothing_is_sent_twice(serve, php):
    """The connection ends instead of the second answer."""
    def answer(server, con):
        server.read(con)
        con.sendall(OK)
        server.read(con)
    s = serve(answer, OK)
    p = php(s.url)
    assert p.publish("21", "e") == GOOD
    p.fails("ConnectionException")
    assert len(s.heads) == 2
    assert p.publish("21", "e") == GOOD


def test_silence_is_a_timeout(serve, php):
    def silent(server, con):
        server.read(con)
        server.done.wait(LIMIT)

    def drops(server, con):
        server.read(con)
        while not server.done.wait(0.05):
            con.sendall(b"H")
    for answer in (silent, drops):
        s = serve(answer)
        p = php(s.url, "s1", 0.3)
        assert p.fails("TimeoutException")["text"] == \
            "no answer within 0.3 s"
        s.done.set()


def test_who_does_not_read_is_a_timeout(serve, php):
    s = serve(lambda server, con: server.done.wait(LIMIT))
    p = php(s.url, "s1", 0.3)
    p.fails("TimeoutException", "21", "e", "x" * 20000000)


def test_who_does_not_accept_is_a_timeout(php):
    """A full backlog: the kernel lets a connection wait."""
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        s.listen(0)
        name = s.getsockname()
        waiting = []
        try:
            for _ in range(4):
                c = socket.socket()
                c.setblocking(False)
                c.connect_ex(name)
                waiting.append(c)
            p = php("http://127.0.0.1:%d" % name[1], "s1", 5.0, 0.3)
            p.fails("TimeoutException")
        finally:
            for c in waiting:
                c.close()


@pytest.mark.parametrize("value,least,most", [
    ("7", 7, 7), ("0", 0, 0), ("soon", None, None), ("", None, None),
    ("-5", None, None), ("date", 50, 60), ("past", 0, 0)])
def test_retry_after(serve, php, value, least, most):
    now = datetime.datetime.now(datetime.timezone.utc)
    if value in ("date", "past"):
        value = email.utils.format_datetime(now + datetime.timedelta(
            seconds=60 if value == "date" else -60), usegmt=True)
    s = serve(b"HTTP/1.1 503 x\r\nRetry-After: %s\r\nContent-Length: 0\r\n"
              b"\r\n" % value.encode())
    got = php(s.url).fails("UnavailableException", status=503)["retry"]
    if least is None:
        assert got is None
    else:
        assert least <= got <= most


@pytest.mark.parametrize("status,kind", [
    (301, "ResponseException"), (400, "BadRequestException"),
    (401, "AuthenticationException"), (404, "NotFoundException"),
    (405, "ResponseException"), (408, "ResponseException"),
    (413, "TooLargeException"), (429, "RateLimitedException"),
    (500, "ResponseException"), (502, "UnavailableException"),
    (504, "UnavailableException")])
def test_statuses(serve, php, status, kind):
    page = b"<html>a proxy's page</html>"
    s = serve(b"HTTP/1.1 %d x\r\nContent-Length: %d\r\n\r\n%s" % (
        status, len(page), page))
    assert php(s.url).fails(kind, status=status)["text"] == \
        "%d refused" % status


def test_https(serve, php, tmp_path):
    """Certificates are checked; with the right one it is as without."""
    import ssl
    key, cert = tmp_path / "key.pem", tmp_path / "cert.pem"
    if shutil.which("openssl") is None:
        pytest.skip("no openssl")
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt",
         "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2", "-subj",
         "/CN=localhost", "-addext", "subjectAltName=DNS:localhost",
         "-keyout", str(key), "-out", str(cert)],
        capture_output=True, timeout=LIMIT, check=True)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(cert, key)

    def refused(server, con):
        with pytest.raises(OSError):
            context.wrap_socket(con, server_side=True)

    def answer(server, con):
        with context.wrap_socket(con, server_side=True) as tls:
            for _ in range(3):
                body = server.read(tls)
                assert len(body) > 100000
                tls.sendall(OK)
    s = serve(refused, answer)
    url = "https://localhost:%d" % s.sock.getsockname()[1]
    assert "ertificate" in php(url).fails("ConnectionException")["text"]
    p = php(url, "s1", 5.0, 2.0, 30.0, {"cafile": str(cert)})
    for _ in range(3):
        assert p.publish("21", "e", "x" * 100000) == GOOD
