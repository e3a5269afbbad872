"""The wire in asyncio: WebSockets and HTTP requests whose bytes we make."""
import asyncio
import base64
import os
import struct

from rawws import CLOSE, close_payload, frame

LIMIT = 30.0        # seconds that an answer may take


class Refused(Exception):
    """The server did not upgrade."""


async def read_head(reader):
    """Status and Content-Length of a response."""
    head = await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), LIMIT)
    lines = head.decode("latin-1").split("\r\n")
    length = 0
    for line in lines[1:]:
        if line.lower().startswith("content-length:"):
            length = int(line.split(":")[1])
    return int(lines[0].split(" ")[1]), length


def handshake(token):
    key = base64.b64encode(os.urandom(16)).decode()
    return ("GET /ws?token=%s HTTP/1.1\r\nHost: localhost\r\n"
            "Upgrade: websocket\r\nConnection: Upgrade\r\n"
            "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: %s\r\n\r\n"
            % (token, key)).encode()


class WebSocket:
    def __init__(self, reader, writer):
        self.reader = reader
        self.writer = writer
        self.closing = False        # our close frame has gone

    @classmethod
    async def connect(cls, place, token):
        reader, writer = await place.open()
        self = cls(reader, writer)
        writer.write(handshake(token))
        status, length = await read_head(reader)
        if status != 101:
            body = await reader.readexactly(length)
            writer.close()
            raise Refused("%d %r" % (status, body))
        return self

    def send(self, opcode, payload=b""):
        self.writer.write(frame(opcode, payload))

    def goodbye(self, payload=close_payload(1000)):
        if not self.closing:
            self.closing = True
            self.send(CLOSE, payload)

    async def recv(self):
        """The next frame; IncompleteReadError at the end."""
        b0, b1 = await self.reader.readexactly(2)
        n = b1
        if n == 126:
            (n,) = struct.unpack("!H", await self.reader.readexactly(2))
        elif n == 127:
            (n,) = struct.unpack("!Q", await self.reader.readexactly(8))
        return b0 & 15, await self.reader.readexactly(n)


class Http:
    """A connection that is kept; one request at a time."""

    def __init__(self, place):
        self.place = place
        self.reader = self.writer = None

    async def ask(self, data):
        if self.writer is None:
            self.reader, self.writer = await self.place.open()
        self.writer.write(data)
        status, length = await read_head(self.reader)
        return status, await self.reader.readexactly(length)

    def close(self):
        if self.writer is not None:
            self.writer.close()
            self.writer = None
