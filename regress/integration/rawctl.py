"""A control client on a raw socket: sends what it is told to, right or wrong.
The numbers are those of lib/control.h."""
import socket
import struct

(HELLO, OK, FAIL, SHOW_STATS, SHOW_PLAYERS, SHOW_PLAYER, SHOW_QUEUE,
 SHOW_CONFIG, KICK_PLAYER, KICK_CONN, PUBLISH_BEGIN, PUBLISH_DATA,
 PUBLISH_END, MONITOR, RELOAD, LOG_LEVEL, DRAIN, STOP, TOKEN_ADD, TOKEN_LIST,
 TOKEN_REVOKE, STATS, PLAYER) = range(1000, 1023)
VERSION = 2
ERR_REQUEST, ERR_NOTFOUND, ERR_VERSION, ERR_PERMISSION, ERR_BUSY = range(5)


def imsg(kind, data=b"", length=None):
    """A message; LENGTH is what its header says."""
    return struct.pack("=IIII", kind, 16 + len(data) if length is None
                       else length, 0, 0) + data


def hello(version=VERSION):
    return imsg(HELLO, struct.pack("=I32s", version, b"test"))


def ident(name):
    return struct.pack("=I64s", len(name), name)


def publish_begin(player, event_len, payload_len, broadcast=0):
    return imsg(PUBLISH_BEGIN, struct.pack("=I", broadcast) + ident(player) +
                struct.pack("=II", event_len, payload_len))


class RawCtl:
    def __init__(self, gateway, greet=True, limit=20.0):
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(limit)
        self.sock.connect(str(gateway.control))
        self.buf = b""
        if greet:
            assert self.ask(hello())[0] == HELLO

    def __enter__(self):
        return self

    def __exit__(self, *exc):
        self.sock.close()

    def send(self, data):
        self.sock.sendall(data)

    def read(self, n):
        while len(self.buf) < n:
            data = self.sock.recv(65536)
            if not data:
                raise EOFError
            self.buf += data
        data, self.buf = self.buf[:n], self.buf[n:]
        return data

    def recv(self):
        """The next message: type, data."""
        kind, length, _, _ = struct.unpack("=IIII", self.read(16))
        return kind, self.read(length - 16)

    def ask(self, data):
        self.send(data)
        return self.recv()

    def closed(self):
        """Everything up to the end: the messages before it."""
        out = []
        try:
            while True:
                out.append(self.recv())
        except (EOFError, ConnectionResetError):
            return out


def error(data):
    """What a FAIL says: its number and its text."""
    return (struct.unpack("=I", data[:4])[0],
            data[4:].split(b"\0", 1)[0].decode())
