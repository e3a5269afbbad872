"""Strangers who know what TLS is, and do it wrong."""
import asyncio
import random
import socket
import ssl
import struct

from rawws import TEXT, frame
import places
import records
import wire

NONSENSE = (
    b"GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n", bytes(5000),
    b"\x16\x03\x01\xff\xff" + b"\x01" * 100, b"\x16\x03\x01\0\0" * 100,
    b"\x15\x03\x01\0\x02\x02\x28", b"\x80\x2e\x01\0\x02\0\x15\0\0\0\x10",
    b"\x17\x03\x03\0\x40" + bytes(64), b"\x14\x03\x03\0\x01\x01" * 50,
)
NAMES = ("localhost", places.SECOND, "nobody.example")


class Shaker:
    def __init__(self, soak, number):
        self.soak = soak
        self.token = "hostile%d" % (number % 20)
        self.contexts = [*soak.secure.contexts, ssl.create_default_context()]

    async def live(self):
        acts = (self.nonsense, self.half, self.unread, self.flood, self.drops,
                self.garbage, self.strict, self.goodbye, self.goodbye,
                self.broken, self.deaf)
        while not self.soak.ending.is_set():
            self.soak.count["hostile by TLS"] += 1
            self.client = self.new(self.soak.secure.contexts)
            try:
                await asyncio.wait_for(self.act(random.choice(acts)), 8)
            except (OSError, asyncio.TimeoutError):
                pass
            finally:
                self.leave(self.client)
            await self.soak.pause(random.expovariate(4))

    @staticmethod
    def new(contexts):
        return records.Records(random.choice(contexts), random.choice(NAMES))

    @staticmethod
    def leave(client):
        if random.random() < 0.5:
            client.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER,
                                   struct.pack("ii", 1, 0))
        client.sock.close()

    async def act(self, what):
        await self.client.connect(self.soak.secure.port)
        await what()

    async def until_closed(self):
        while await self.client.more():
            pass

    async def write(self, data):
        """In some pieces, or cut off somewhere."""
        n = random.randint(1, len(data))
        await self.client.send(data[:n])
        await asyncio.sleep(random.choice([0, 0.01]))
        if random.random() < 0.5:
            await self.client.send(data[n:])

    async def nonsense(self):
        await self.client.send(random.choice(NONSENSE))
        if random.random() < 0.5:
            await self.until_closed()

    async def half(self):
        """Gone somewhere in the first or the second flight."""
        if random.random() < 0.5:
            await self.client.send(await self.client.flight())
        await self.write(await self.client.flight())

    async def unread(self):
        """A hello, and no look at the answer."""
        await self.client.send(await self.client.flight())
        await asyncio.sleep(random.choice([0, 0, 0.05]))

    async def flood(self):
        """Many of them at once: each costs a signature."""
        clients = [self.new(self.soak.secure.contexts) for _ in range(10)]
        try:
            for client in clients:
                await client.connect(self.soak.secure.port)
                await client.send(await client.flight())
            await clients[0].more()
        finally:
            for client in clients:
                self.leave(client)

    async def drops(self):
        """A handshake, byte by byte, until the time is over."""
        if random.random() < 0.5:
            await self.client.send(await self.client.flight())
        for byte in await self.client.flight():
            await self.client.send(bytes([byte]))
            await asyncio.sleep(0.2)

    async def garbage(self):
        """In the place of the second flight."""
        await self.client.send(await self.client.flight())
        await self.client.more()
        await self.client.send(random.choice(NONSENSE))
        await self.until_closed()

    async def strict(self):
        """Does not like the certificate, and says so."""
        leave, self.client = self.client, self.new(self.contexts[-1:])
        self.leave(leave)
        await self.client.connect(self.soak.secure.port)
        try:
            await self.client.shake()
        except ssl.SSLError:
            await self.client.send(self.client.outgoing.read())
        await self.until_closed()

    async def joined(self):
        await self.client.shake()
        await self.client.send(self.client.sealed(wire.handshake(self.token)))
        await self.client.more()

    async def goodbye(self):
        """A close_notify anywhere: in a handshake, a request, a frame."""
        where = random.randrange(4)
        if where == 0:
            await self.client.send(await self.client.flight())
            await self.client.send(b"\x15\x03\x03\0\x02\x01\0")
        elif where == 1:
            await self.joined()
            data = frame(TEXT, b"x" * 1000)
            await self.client.send(self.client.sealed(
                data[:random.randint(1, len(data))]))
        else:
            await self.client.shake()
            data = wire.handshake(self.token)
            await self.client.send(self.client.sealed(
                data[:random.randint(1, len(data))]))
        if where > 0:
            await self.client.send(self.client.goodbye())
        if random.random() < 0.5:
            await self.until_closed()

    async def broken(self):
        """A record that nobody can decipher, whole or not."""
        await (self.joined() if random.random() < 0.5
               else self.client.shake())
        await self.write(b"\x17\x03\x03\0\x40" + random.randbytes(64))
        await self.until_closed()

    async def deaf(self):
        """Many requests, no look at the answers, and good-bye."""
        await self.client.shake()
        await self.client.send(self.client.sealed(
            b"GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n" * 50))
        await asyncio.sleep(random.choice([0, 1]))
        await self.client.send(self.client.goodbye())
