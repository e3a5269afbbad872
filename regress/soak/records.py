"""A TLS client whose records go out, and come in, as we have it."""
import asyncio
import contextlib
import socket
import ssl


class Records:
    def __init__(self, context, name):
        self.loop = asyncio.get_running_loop()
        self.sock = socket.socket()
        self.sock.setblocking(False)
        self.incoming, self.outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self.tls = context.wrap_bio(self.incoming, self.outgoing,
                                    server_hostname=name)

    async def connect(self, port):
        await self.loop.sock_connect(self.sock, ("127.0.0.1", port))

    async def send(self, data):
        await self.loop.sock_sendall(self.sock, data)

    async def more(self):
        """Whatever comes next, deciphered or not; false at the end."""
        data = await self.loop.sock_recv(self.sock, 4096)
        self.incoming.write(data)
        return data

    async def flight(self):
        """What it has to say next of its handshake."""
        while True:
            with contextlib.suppress(ssl.SSLWantReadError):
                self.tls.do_handshake()
            if data := self.outgoing.read():
                return data
            if not await self.more():
                raise ConnectionResetError

    async def shake(self):
        """In both versions it speaks twice."""
        for _ in range(2):
            await self.send(await self.flight())

    def sealed(self, data):
        self.tls.write(data)
        return self.outgoing.read()

    def goodbye(self):
        """A close_notify."""
        with contextlib.suppress(ssl.SSLError):
            self.tls.unwrap()
        return self.outgoing.read()
