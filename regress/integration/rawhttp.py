"""A small HTTP client on a raw socket: the bytes go out as they are given, in
the pieces that they are given in, and the responses are read one by one."""


class Response:
    def __init__(self, status, version, headers, body):
        self.status = status
        self.version = version
        self.headers = headers
        self.body = body

    def __repr__(self):
        return "<%d %r %r>" % (self.status, self.headers, self.body)


def request(method, target, body=None, headers=(), version="1.1",
            length=True):
    """The bytes of a request; LENGTH is whether a Content-Length is added."""
    lines = ["%s %s HTTP/%s" % (method, target, version), "Host: localhost",
             *headers]
    if body is not None and length:
        lines.append("Content-Length: %d" % len(body))
    return "\r\n".join(lines).encode("latin-1") + b"\r\n\r\n" + (body or b"")


def post(path, body, token="s1", headers=(), **kw):
    return request("POST", path, body,
                   ["Authorization: Bearer " + token, *headers], **kw)


def chunked(body, size=7):
    """BODY as chunks of SIZE bytes."""
    out = b""
    for i in range(0, len(body), size):
        piece = body[i:i + size]
        out += b"%x\r\n%s\r\n" % (len(piece), piece)
    return out + b"0\r\n\r\n"


class RawHTTP:
    def __init__(self, gateway, limit=20.0):
        self.sock = gateway.socket(limit)
        self.buf = b""

    def __enter__(self):
        return self

    def __exit__(self, *exc):
        self.sock.close()

    def send(self, data):
        self.sock.sendall(data)

    def fill(self):
        data = self.sock.recv(65536)
        if not data:
            raise EOFError("closed after %r" % self.buf)
        self.buf += data

    def response(self, head=False):
        """The next response, be it interim; HEAD has no body."""
        while b"\r\n\r\n" not in self.buf:
            self.fill()
        top, self.buf = self.buf.split(b"\r\n\r\n", 1)
        lines = top.decode("latin-1").split("\r\n")
        version, status = lines[0].split(" ")[:2]
        headers = {}
        for line in lines[1:]:
            name, value = line.split(":", 1)
            assert name.lower() not in headers, "twice: " + name
            headers[name.lower()] = value.strip()
        body = b""
        if int(status) >= 200 and not head:
            n = int(headers["content-length"])
            while len(self.buf) < n:
                self.fill()
            body, self.buf = self.buf[:n], self.buf[n:]
        return Response(int(status), version, headers, body)

    def ask(self, data, head=False):
        self.send(data)
        return self.response(head)

    def closed(self):
        """Whether the server has said all it will say."""
        if self.buf:
            return False
        try:
            return self.sock.recv(1) == b""
        except ConnectionResetError:
            return True
