"""The slow and the hostile."""
import asyncio
import random
import socket

from rawctl import hello, imsg
from rawws import (BINARY, CLOSE, CONT, PING, TEXT, close_payload, frame)
import players
import records
import wire

GARBAGE = (
    b"GET /ws HTTP/1.1\r\n\r\n", b"\0" * 50, b"GET / HTTP/1.1\r\nHost",
    b"POST /publish HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n"
    b"Transfer-Encoding: chunked\r\n\r\n",
    b"POST /publish HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer s1\r\n"
    b"Content-Length: 100\r\n\r\n{\"half",
    b"POST /publish HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer s1\r\n"
    b"Content-Length: 8\r\n\r\n{\"a\":\"\xff\"",
    b"POST /broadcast HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer s1\r\n"
    b"Transfer-Encoding: chunked\r\n\r\nffffffffffffffffff\r\n",
    b"GET /ws?token=nobody HTTP/1.1\r\nHost: x\r\n\r\n",
    b"HEAD /metrics HTTP/1.1\r\nHost: x\r\n\r\n" * 3,
    b"GET /" + b"a" * 5000, b"GET / HTTP/1.1\r\nHost: x\r\nA: " + b"a" * 9000,
    b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + b"\x55" * 500,
)


def frames():
    return random.choice([
        frame(TEXT, b"hello"), frame(BINARY, b"\xff" * 200),
        frame(PING, b"x" * 20) * 300, frame(TEXT, b"\xff\xfe"),
        frame(TEXT, b"no mask", mask=False), frame(CLOSE, close_payload(1000)),
        frame(CLOSE, close_payload(999)), frame(CLOSE, b"x"),
        frame(TEXT, b"part", fin=False), frame(CONT, b"rest"),
        frame(TEXT, b"a", fin=False) * 2000, frame(3), frame(TEXT, b"x", rsv=4),
        frame(TEXT, b"x" * 60000), frame(BINARY, b"", length=64),
        frame(TEXT, b"x" * 70000), frame(TEXT, b"cut")[:4],
        b"\x81\xff\xff\xff\xff\xff\xff\xff\xff\xff1234",
    ])


class Stranger:
    """Does one thing after the other; whatever the daemon makes of it is
    right, as long as it lives and others don't notice."""

    def __init__(self, soak, number):
        self.soak = soak
        self.tokens = ["hostile%d" % ((number * 3 + i) % 20) for i in range(3)]

    async def live(self):
        acts = (self.garbage, self.garbage, self.drops, self.half, self.frames,
                self.frames, self.cut, self.publishes, self.control,
                self.upload)
        while not self.soak.ending.is_set():
            self.soak.count["hostile"] += 1
            try:
                await asyncio.wait_for(self.act(random.choice(acts)), 8)
            except (OSError, asyncio.IncompleteReadError,
                    asyncio.TimeoutError, wire.Refused):
                pass
            await self.soak.pause(random.expovariate(4))

    async def act(self, what):
        self.reader = self.writer = None
        try:
            await what()
        finally:
            if self.writer is not None:
                if random.random() < 0.5:
                    players.reset(self.writer)
                    self.writer.transport.abort()
                else:
                    self.writer.close()

    async def open(self):
        self.reader, self.writer = await self.soak.place().open()

    async def join(self):
        ws = await wire.WebSocket.connect(self.soak.place(),
                                          random.choice(self.tokens))
        self.reader, self.writer = ws.reader, ws.writer

    async def write(self, data):
        """In random pieces, some of them on their own."""
        while data:
            n = random.randint(1, len(data))
            self.writer.write(data[:n])
            data = data[n:]
            await asyncio.sleep(random.choice([0, 0, 0.01]))
        await self.writer.drain()

    async def until_closed(self):
        while await self.reader.read(65536):
            pass

    async def garbage(self):
        await self.open()
        await self.write(random.choice(GARBAGE))
        if random.random() < 0.5:
            await self.write(random.randbytes(200))
            await self.until_closed()

    async def drops(self):
        """Slowloris: a head, byte by byte, until the time is over."""
        await self.open()
        for byte in wire.handshake(self.tokens[0]):
            self.writer.write(bytes([byte]))
            await asyncio.sleep(0.2)

    async def half(self):
        """A handshake that ends anywhere."""
        await self.open()
        data = wire.handshake(random.choice(self.tokens))
        await self.write(data[:random.randint(1, len(data))])

    async def frames(self):
        await self.join()
        for _ in range(random.randint(1, 4)):
            await self.write(frames())
        if random.random() < 0.5:
            await self.until_closed()

    async def cut(self):
        """Gone in the middle of a frame, or without a word."""
        await self.join()
        data = frame(TEXT, b"x" * 1000)
        self.writer.write(data[:random.randint(0, len(data))])
        await asyncio.sleep(random.choice([0, 0.05, 1]))
        players.reset(self.writer)

    async def publishes(self):
        """Many requests whose answers nobody reads."""
        await self.open()
        self.writer.write(b"GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n" * 50)
        await asyncio.sleep(1)

    async def upload(self):
        """A large body with no right to send it."""
        await self.open()
        await self.write(b"POST /broadcast HTTP/1.1\r\nHost: x\r\n"
                         b"Authorization: Bearer no\r\n"
                         b"Content-Length: 300000\r\n\r\n" + b"x" * 100000)

    async def control(self):
        self.reader, self.writer = await asyncio.open_unix_connection(
            str(self.soak.gateway.control))
        data = random.choice([
            random.randbytes(40), hello()[:10], hello(99),
            hello() + imsg(1005, b"", 3), hello() + imsg(9999),
            hello() + imsg(1004) * 20])
        self.writer.write(data)
        await asyncio.sleep(random.choice([0, 0.2]))


async def slow(soak, number):
    """A player who reads less than comes, or nothing at all."""
    token = "slow%d" % number
    loop = asyncio.get_running_loop()
    while not soak.ending.is_set():
        client = records.Records(soak.secure.contexts[0], "localhost")
        client.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        try:
            hello = wire.handshake(token)
            if number % 3 == 0:
                await client.connect(soak.secure.port)
                await client.shake()
                hello = client.sealed(hello)
            else:
                await client.connect(soak.plain.port)
            await client.send(hello)
            for _ in range(150):
                await soak.pause(0.1)
                if soak.ending.is_set() or (
                        number % 2 and
                        not await loop.sock_recv(client.sock, 512)):
                    break
        except OSError:
            pass
        finally:
            client.sock.close()
        soak.count["slow"] += 1
