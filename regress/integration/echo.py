"""The daemon of the test build that sends players' messages back, and a player
that checks every byte of the answer and how the connection ends."""
import socket
import struct

import pytest

from gateway import BUILD, Folder, Gateway
from rawws import BINARY, CLOSE, PONG, TEXT, RawWS, close_payload

MAX = 1 << 20               # max-message
FRAGMENTS = 20000           # max-fragments
TOKEN = "echo"
NAMES = {"text": TEXT, "binary": BINARY, "pong": PONG}


class EchoGateway(Gateway):
    def command(self):
        return [str(BUILD / "ws-gatewayd-echo"), *super().command()[1:]]


@pytest.fixture(scope="module")
def echo():
    f = Folder()
    g = EchoGateway(f, "log level info\nplayers { max-connections 10000; "
                    "max-message 1M; max-fragments %d }" % FRAGMENTS)
    g.add_token(TOKEN, 1)
    g.start()
    yield g
    g.check()
    f.remove()


class Player(RawWS):
    """A connected player that says something and hears what is expected."""

    @classmethod
    def to(cls, gateway, **kw):
        self = cls.connect(gateway, TOKEN, **kw)
        self.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return self

    def say(self, data, chop=None):
        """In one piece, or in pieces of CHOP bytes: one number, or one for
        each piece with the last one for the rest."""
        if chop is None:
            self.sock.sendall(data)
            return
        sizes = [chop] if isinstance(chop, int) else list(chop)
        at = i = 0
        while at < len(data):
            n = sizes[min(i, len(sizes) - 1)]
            self.sock.sendall(data[at:at + n])
            at += n
            i += 1

    def hear(self, *expected):
        """The frames that come next: ("text", payload) and so on."""
        for kind, payload in expected:
            opcode, data = self.recv()
            assert opcode == NAMES[kind], (kind, opcode, data[:200])
            assert data == payload, (kind, data[:200], payload[:200])

    def hear_close(self, code):
        """The next frame closes, with a code (None: without one), and with
        nothing after it."""
        opcode, data = self.recv()
        assert opcode == CLOSE, (opcode, data[:200])
        if code is None:
            assert data == b""
        else:
            assert struct.unpack("!H", data[:2])[0] == code, data
            data[2:].decode("utf-8")
        self.hear_end()

    def hear_end(self):
        """The server has sent the end of TCP: a reset would raise."""
        assert self.buf == b"", self.buf[:200]
        assert self.sock.recv(1) == b""
        self.sock.close()

    def leave(self):
        """All is well: our close is answered, and is the last."""
        self.send(CLOSE, close_payload(1000))
        self.hear_close(1000)
