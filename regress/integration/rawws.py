"""A small WebSocket client on a raw socket: sends what it is told to, right or
wrong, and shows what comes back frame by frame.  It shares no code with the
daemon or with a library."""
import base64
import hashlib
import os
import struct

GUID = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
CONT, TEXT, BINARY, CLOSE, PING, PONG = 0, 1, 2, 8, 9, 10


def masked(payload, key):
    """XOR with the four bytes of KEY, over and over."""
    n = len(payload)
    keys = (key * (n // 4 + 1))[:n]
    return (int.from_bytes(payload, "big") ^
            int.from_bytes(keys, "big")).to_bytes(n, "big")


def frame(opcode, payload=b"", fin=True, mask=True, rsv=0, length=None):
    """Bytes of a frame; LENGTH forces the width of the length: 7, 16, 64."""
    n = len(payload)
    head = bytes([(0x80 if fin else 0) | rsv << 4 | opcode])
    bit = 0x80 if mask else 0
    if length == 64 or (length is None and n > 0xffff):
        head += struct.pack("!BQ", bit | 127, n)
    elif length == 16 or (length is None and n > 125):
        head += struct.pack("!BH", bit | 126, n)
    else:
        head += bytes([bit | n])
    if mask:
        key = os.urandom(4)
        head += key
        payload = masked(payload, key)
    return head + payload


def close_payload(code, reason=b""):
    return struct.pack("!H", code) + reason


class Refused(Exception):
    """The server did not upgrade."""

    def __init__(self, status, headers, body):
        super().__init__("%d %r" % (status, body))
        self.status = status
        self.headers = headers
        self.body = body


class Closed(Exception):
    """The server has closed the TCP connection."""


class RawWS:
    """A connected player."""

    def __init__(self, sock):
        self.sock = sock
        self.buf = b""

    @classmethod
    def connect(cls, gateway, token=None, path=None, headers=(), limit=20.0,
                sock=None):
        self = cls(sock or gateway.socket(limit))
        key = base64.b64encode(os.urandom(16))
        if path is None:
            path = "/ws" if token is None else "/ws?token=" + token
        lines = ["GET %s HTTP/1.1" % path, "Host: localhost",
                 "Upgrade: websocket", "Connection: Upgrade",
                 "Sec-WebSocket-Version: 13",
                 "Sec-WebSocket-Key: " + key.decode(), *headers]
        self.sock.sendall("\r\n".join(lines).encode() + b"\r\n\r\n")
        status, self.headers = self.read_head()
        if status != 101:
            body = self.read(int(self.headers.get("content-length", "0")))
            self.sock.close()
            raise Refused(status, self.headers, body)
        accept = base64.b64encode(hashlib.sha1(key + GUID).digest()).decode()
        assert self.headers["sec-websocket-accept"] == accept
        return self

    def fill(self):
        data = self.sock.recv(65536)
        if not data:
            raise Closed()
        self.buf += data

    def read(self, n):
        while len(self.buf) < n:
            self.fill()
        data, self.buf = self.buf[:n], self.buf[n:]
        return data

    def read_head(self):
        while b"\r\n\r\n" not in self.buf:
            self.fill()
        head, self.buf = self.buf.split(b"\r\n\r\n", 1)
        lines = head.decode("latin-1").split("\r\n")
        headers = {}
        for line in lines[1:]:
            name, value = line.split(":", 1)
            headers[name.strip().lower()] = value.strip()
        return int(lines[0].split(" ")[1]), headers

    def send(self, opcode, payload=b"", **kw):
        self.sock.sendall(frame(opcode, payload, **kw))

    def recv(self):
        """The next frame: opcode, payload.  All of them come unfragmented and
        unmasked."""
        b0, b1 = self.read(2)
        assert b0 & 0x80 and not b0 & 0x70, "fragment or RSV bits: %x" % b0
        assert not b1 & 0x80, "a masked frame"
        n = b1
        if n == 126:
            (n,) = struct.unpack("!H", self.read(2))
            assert n > 125
        elif n == 127:
            (n,) = struct.unpack("!Q", self.read(8))
            assert n > 0xffff
        return b0 & 15, self.read(n)

    def recv_text(self):
        """The next message, pings passed over."""
        while True:
            opcode, payload = self.recv()
            if opcode == TEXT:
                return payload.decode()
            assert opcode == PING, (opcode, payload)

    def recv_close(self):
        """Read up to the close frame: code (None without one), reason."""
        while True:
            opcode, payload = self.recv()
            if opcode == CLOSE:
                break
        if not payload:
            return None, ""
        return struct.unpack("!H", payload[:2])[0], payload[2:].decode()

    def at_eof(self):
        """The server has closed and sent nothing more."""
        if self.buf:
            return False
        try:
            return self.sock.recv(1) == b""
        except ConnectionResetError:
            return True

    def settle(self):
        """Until everything sent before has been taken in: ping, pong."""
        mark = os.urandom(8)
        self.send(PING, mark)
        while True:
            opcode, payload = self.recv()
            if opcode == PONG:
                assert payload == mark
                return

    def close(self, code=1000):
        """The close handshake, by us."""
        self.send(CLOSE, close_payload(code))
        while True:
            try:
                opcode, _ = self.recv()
            except (Closed, ConnectionResetError):
                break
            if opcode == CLOSE:
                break
        self.sock.close()

    def abort(self):
        """Vanish."""
        self.sock.close()
