"""The well-behaved: they read, answer pings and close as they should, and know
what they are owed."""
import asyncio
import json
import random
import socket
import struct

from rawws import CLOSE, PING, PONG, TEXT
import ledger
import wire


class Connection:
    def __init__(self, person):
        self.person = person
        self.ws = None
        self.broadcasts = ledger.Track(
            person.soak.broadcasts, person.name + " broadcasts",
            person.soak.fail)

    def take(self, kind, seq):
        if kind == "b":
            self.broadcasts.take(seq)
        elif kind == "p":
            self.person.inbox.take(seq)

    def joined(self):
        self.broadcasts.joined()

    def mark(self):
        self.broadcasts.mark()

    def end(self):
        self.broadcasts.end()

    def done(self):
        return self.broadcasts.done()


class Person:
    """Comes and goes; one connection at a time."""
    kinds = {
        # kind: how long it stays, is away, messages a second
        "commuter": ((1, 8), (0, 2), 1),
        "late": ((1, 3), (3, 10), 1),
        "crowded": ((1, 3), (2, 4), 18),
        "vanishing": ((0.5, 4), (0, 2), 1),
    }

    def __init__(self, soak, number, kind):
        self.soak = soak
        self.id = str(number)
        self.name = "%s %d" % (kind, number)
        self.kind = kind
        self.stay, self.away, self.rate = self.kinds[kind]
        self.inbox = ledger.Inbox(self.name, soak.fail, kind == "vanishing")
        self.conn = None
        self.tokens = 0
        self.dismissals = set()     # reasons for which it may be closed
        self.gone = asyncio.Event()
        self.new_token()

    def new_token(self):
        self.tokens += 1
        self.token = "w%s-%d" % (self.id, self.tokens)
        self.soak.gateway.add_token(self.token, int(self.id),
                                    ttl=self.soak.seconds + 7200)

    def send(self):
        return self.inbox.send()

    @property
    def channel(self):
        return self.inbox.channel

    def recipients(self):
        return 1

    def dismissed(self, reason):
        """The operator is about to end its connection."""
        self.dismissals.add(reason)
        self.gone.clear()
        if self.conn is not None:
            self.conn.mark()

    async def live(self):
        while not self.soak.over.is_set():
            await self.session()
            await self.soak.pause(random.uniform(*self.away))

    async def connect(self):
        conn = Connection(self)
        while True:
            token = self.token
            self.inbox.ask()
            conn.broadcasts.low = self.soak.broadcasts.taken
            try:
                conn.ws = await wire.WebSocket.connect(self.soak.place(),
                                                       token)
                break
            except wire.Refused as e:
                # It was revoked while we came.
                if token == self.token or "401" not in str(e):
                    self.soak.fail("%s: refused: %s" % (self.name, e))
                    await asyncio.sleep(1)
        self.inbox.joined()
        conn.joined()
        self.soak.count["connections"] += 1
        self.conn = conn
        return conn

    async def session(self):
        conn = await self.connect()
        leave = asyncio.create_task(self.leave(conn))
        try:
            await self.listen(conn)
            conn.end()
        finally:
            leave.cancel()
            self.conn = None
            self.gone.set()

    async def leave(self, conn):
        """Go after a while, or when all is over."""
        await self.soak.pause(random.uniform(*self.stay))
        if self.soak.ending.is_set():
            await self.soak.over.wait()
        elif self.kind == "vanishing":
            conn.ws.closing = True
            if random.random() < 0.5:
                reset(conn.ws.writer)
            conn.ws.writer.transport.abort()
            return
        conn.mark()
        conn.ws.goodbye()

    async def listen(self, conn):
        """Until the server has closed."""
        said = None
        try:
            while True:
                opcode, payload = await conn.ws.recv()
                if said is not None:
                    self.soak.fail("%s: a frame after the close" % self.name)
                if opcode == TEXT:
                    self.soak.count["messages"] += 1
                    event = json.loads(payload)
                    conn.take(event["event"], event["payload"][0]
                              if event["event"] in ("b", "p") else 0)
                elif opcode == PING and not conn.ws.closing:
                    conn.ws.send(PONG, payload)
                elif opcode == CLOSE:
                    said = payload
                    self.closed(conn, payload)
        except (asyncio.IncompleteReadError, OSError) as e:
            if said is None and self.kind != "vanishing":
                self.soak.fail("%s: the end without a close frame: %r" % (
                    self.name, e))
        conn.ws.writer.close()

    def closed(self, conn, payload):
        """The server's close frame, which may be the answer to ours."""
        if conn.ws.closing and payload[:2] == struct.pack("!H", 1000):
            return
        code = struct.unpack("!H", payload[:2])[0] if payload else None
        reason = payload[2:].decode()
        if code != 1008 or reason not in self.dismissals:
            self.soak.fail("%s: closed with %s %r" % (
                self.name, code, reason))
        self.soak.count["dismissed"] += 1
        conn.ws.goodbye(payload[:2])

    def ready(self):
        return self.conn is not None

    def done(self):
        return self.inbox.done() and self.ready() and self.conn.done()


class StayConnection(Connection):
    """One of several: each gets every message."""

    def __init__(self, person):
        super().__init__(person)
        self.own = ledger.Track(person.channel, person.name, person.soak.fail)

    def take(self, kind, seq):
        if kind == "p":
            self.own.take(seq)
        else:
            super().take(kind, seq)

    def joined(self):
        super().joined()
        self.own.joined()

    def mark(self):
        super().mark()
        self.own.mark()

    def end(self):
        super().end()
        self.own.end()

    def done(self):
        return super().done() and self.own.done()


class Stayer(Person):
    """Stays from the beginning to the end, on some connections at a time."""
    kinds = {"stayer": (None, None, 1)}

    def __init__(self, soak, number, connections):
        self.private = ledger.Channel()
        super().__init__(soak, number, "stayer")
        self.connections = connections
        self.conns = []

    @property
    def channel(self):
        return self.private

    def send(self):
        self.private.sent += 1
        return self.private.sent

    def recipients(self):
        return self.connections

    async def join(self):
        """Before anything is published."""
        for _ in range(self.connections):
            conn = StayConnection(self)
            conn.ws = await wire.WebSocket.connect(self.soak.place(),
                                                   self.token)
            conn.joined()
            self.conns.append(conn)
            self.soak.count["connections"] += 1

    async def live(self):
        leave = asyncio.create_task(self.leave_all())
        await asyncio.gather(*(self.listen(c) for c in self.conns))
        leave.cancel()
        for conn in self.conns:
            conn.end()

    async def leave_all(self):
        await self.soak.over.wait()
        for conn in self.conns:
            conn.mark()
            conn.ws.goodbye()

    def ready(self):
        return len(self.conns) == self.connections

    def done(self):
        return all(c.done() for c in self.conns)


def reset(writer):
    """Let the end of a connection be a reset."""
    sock = writer.get_extra_info("socket")
    if sock is not None:    # it has not come to an end by TLS yet
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER,
                        struct.pack("ii", 1, 0))
