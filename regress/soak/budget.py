"""The memory budget, proved: budget.py [READERS [SECONDS [MIB]]]

As many players who never read as players who do, and broadcasts of 16 KiB for
a while, three times:

defaults  the bounds of the send queues close the stuck players
shared    send queues without a bound, and a budget that the broadcasts alone
          use up, though all who wait for one share it
own       a budget that messages of their own for some of the stuck use up

Exit code 0: the readers got every message, byte for byte, and all processes
together were never larger than the budget and a tenth."""
import json
import pathlib
import resource
import select
import socket
import sys
import time

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "integration"))

from gateway import Folder, Gateway, wait_for   # noqa: E402
from rawhttp import RawHTTP, post               # noqa: E402
import watch                                    # noqa: E402
import wire                                     # noqa: E402

MIB = 1 << 20
RATE = 10000            # broadcasts times readers a second
PAYLOAD = 16 << 10
PRIVATE = 512 << 10     # for the stuck: less often, but larger
UNBOUNDED = "send-queue-hard 1G; send-queue-soft 1G"
TRIES = 50              # requests that may be refused for want of memory
LATE = 120              # seconds more that it may take to fill the budget
CHUNK = 64 << 10


def message(number):
    """A broadcast's payload: its number in front, as long as any other."""
    return "%08d" % number + "x" * (PAYLOAD - 8)


def encoded(number):
    """The frame that a reader gets."""
    text = ('{"event":"b","payload":"%s"}' % message(number)).encode()
    return bytes([0x81, 126]) + len(text).to_bytes(2, "big") + text


class Reader:
    """Knows the bytes that are to come: broadcasts from number 0 on."""
    expected = []
    size = len(encoded(0))

    def __init__(self, sock):
        self.sock = sock
        self.got = 0

    def take(self):
        """False at the end of the stream."""
        try:
            data = self.sock.recv(CHUNK)
        except BlockingIOError:
            return True
        at, n = 0, len(data)
        while at < n:
            number, offset = divmod(self.got, self.size)
            step = min(n - at, self.size - offset)
            assert number < len(self.expected) and data[at:at + step] == \
                self.expected[number][offset:offset + step], \
                "broadcast %d: not the bytes that were sent" % number
            at += step
            self.got += step
        return n > 0


class Proof:
    def __init__(self, gateway, budget, players, seconds, private):
        self.g = gateway
        self.budget = budget
        self.players = players
        self.seconds = seconds
        self.private = private      # messages a second for some of the stuck
        self.victims = max(4, players // 100)
        self.bites = False          # whether the budget is to be reached
        self.readers = []
        self.stuck = {}
        self.peak = dict.fromkeys(("parent", "engine", "store", "all"), 0)
        self.reconnected = self.away = 0
        self.refused = self.sent = self.privates = 0
        self.closed = {"slow": 0, "memory": 0}
        self.epoll = select.epoll()

    def connect(self, token, stuck=False):
        """The stuck come by a socket for which the kernel keeps less: with TCP
        it takes megabytes for each before the daemon has to keep anything."""
        if stuck:
            sock = socket.socket(socket.AF_UNIX)
            address = str(self.g.dir / "stuck.sock")
        else:
            sock = socket.socket()
            address = ("127.0.0.1", self.g.port)
        sock.settimeout(30)
        sock.connect(address)
        sock.sendall(wire.handshake(token))
        head = b""
        while not head.endswith(b"\r\n\r\n"):
            data = sock.recv(1)     # not a byte of a message
            assert data, "no answer to the handshake: %r" % head
            head += data
        if stuck and head.startswith(b"HTTP/1.1 503"):
            self.away += 1      # no memory for one more just now
        else:
            assert head.startswith(b"HTTP/1.1 101"), head
            self.reconnected += 1
        sock.setblocking(False)
        return sock

    def populate(self):
        for n in range(self.players):
            reader = Reader(self.connect("r%d" % n))
            self.epoll.register(reader.sock, select.EPOLLIN)
            self.readers.append(reader)
            self.stuck["n%d" % n] = self.connect("n%d" % n, True)
        self.reconnected = 0
        self.by_fd = {r.sock.fileno(): r for r in self.readers}

    def read(self, timeout):
        """What has come for readers; whether an answer has come, too."""
        answer = False
        for fd, _ in self.epoll.poll(timeout, 512):
            if fd in self.by_fd:
                assert self.by_fd[fd].take(), "a reader was closed"
            else:
                answer = True
        return answer

    def sample(self):
        total = 0
        for name, pid in self.pids.items():
            n = watch.resident(pid)
            total += n
            self.peak[name] = max(self.peak[name], n)
        self.peak["all"] = max(self.peak["all"], total)

    def return_stuck(self):
        """Those who were closed come back, as they would."""
        there = {p["player"] for p in
                 self.g.ctl_json("show", "players")}
        for token in self.stuck:
            if token not in there:
                self.stuck[token].close()
                self.stuck[token] = self.connect(token, True)

    def publish(self, http, path, document):
        """Whether it was taken: one that finds no memory is refused, and lost
        to nobody."""
        body = json.dumps(document).encode()
        http.send(post(path, body))
        while not self.read(30):
            pass
        res = http.response()
        assert res.status in (200, 503), res
        self.refused += res.status == 503
        return res.status == 200

    def run(self):
        self.pids = watch.Watch(self.g).pids
        self.sample()
        idle = self.peak["all"]
        self.populate()
        http = RawHTTP(self.g)
        http.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.epoll.register(http.sock, select.EPOLLIN)
        start = time.monotonic()
        due = {"broadcast": start, "look": start}
        if self.private:
            due["private"] = start
        while not self.enough(time.monotonic() - start):
            now = time.monotonic()
            if now >= due["broadcast"]:
                due["broadcast"] += self.players / RATE
                Reader.expected.append(encoded(self.sent))
                # One that is refused is published again, as servers do.
                while not self.publish(http, "/broadcast", {
                        "event": "b", "payload": message(self.sent)}):
                    assert self.refused < TRIES, "refused again and again"
                self.sent += 1
                self.sample()
            for _ in range(8):
                if not self.private or now < due["private"]:
                    break
                due["private"] += 1 / self.private
                self.privates += self.publish(http, "/publish", {
                    "player_id": "n%d" % (self.privates % self.victims),
                    "event": "own", "payload": "x" * PRIVATE})
            if now >= due["look"]:
                due["look"] += 2
                self.return_stuck()
                self.closed = self.why_closed()
            self.read(max(0, min(due.values()) - time.monotonic()))
        wait_for(self.caught_up, "the readers to have everything", 60)
        self.sample()
        http.sock.close()
        self.report(idle, time.monotonic() - start)

    def enough(self, seconds):
        """A busy machine needs longer to fill the budget."""
        if self.bites and self.closed["memory"] < self.victims:
            return seconds > self.seconds + LATE
        return seconds > self.seconds

    def why_closed(self):
        m = self.g.metrics()
        return {r: m['ws_connections_closed_total{reason="%s"}' % r]
                for r in ("slow", "memory")}

    def caught_up(self):
        self.read(0.1)
        return all(r.got == self.sent * Reader.size for r in self.readers)

    def report(self, idle, seconds):
        closed = self.closed = self.why_closed()
        print("%d readers, %d who never read, %.0f s" % (
            self.players, self.players, seconds))
        print("  %d broadcasts of 16 KiB, %d delivered to readers, none "
              "lost; %d messages for the stuck; %d refused with 503" % (
                  self.sent, self.sent * self.players, self.privates,
                  self.refused))
        print("  closed: %d slow, %d for memory; %d came back, %d found no "
              "memory" % (closed["slow"], closed["memory"], self.reconnected,
                          self.away))
        print("  budget %.1f MiB; resident at most: %s; all when idle %.1f" % (
            self.budget / MIB, ", ".join("%s %.1f" % (name, n / MIB)
                                         for name, n in self.peak.items()),
            idle / MIB))
        # The tenth of a small budget has no room for three programs.
        over = max(self.budget / 10, 1.1 * idle)
        assert self.peak["all"] <= self.budget + over, "over the budget"
        assert not self.bites or closed["memory"] > 0, \
            "the budget was never reached"

    def end(self):
        for reader in self.readers:
            reader.sock.close()
        for sock in self.stuck.values():
            sock.close()
        self.epoll.close()


def prove(name, players, seconds, budget, settings="", private=0):
    print(name)
    Reader.expected.clear()
    folder = Folder()
    g = Gateway(folder, "log level info\npublishers { rate-limit 0 }\n"
                "players { ping-interval 1h; pong-timeout 2h; "
                "revalidate-period 1h; %s }\n"
                "limits { memory %d; handshake-rate 0 }\n"
                'listen on "unix:%s" mode 0666' % (
                    settings, budget, folder.path / "stuck.sock"))
    try:
        rows = ["('%s%d', NULL, '%s%d', 0, '2999-01-01 00:00:00')" %
                (kind, n, kind, n) for kind in "rn" for n in range(players)]
        for first in range(0, len(rows), 500):
            g.execute("INSERT INTO ws_token VALUES " +
                      ",".join(rows[first:first + 500]))
        g.add_token("s1", subject="server", server=True)
        g.start()
        g.ctl("log", "warn")
        proof = Proof(g, budget, players, seconds, private)
        proof.bites = settings == UNBOUNDED
        try:
            proof.run()
        finally:
            proof.end()
        g.check()
    finally:
        g.stop()
        folder.remove()


def main():
    players = int(sys.argv[1]) if len(sys.argv) > 1 else 2000
    seconds = int(sys.argv[2]) if len(sys.argv) > 2 else 60
    need = players * 3 + 500
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(need, hard), hard))
    budget = (int(sys.argv[3]) if len(sys.argv) > 3 else 256) * MIB
    prove("defaults", players, seconds, budget)
    # Half of the broadcasts fit, beside what a connection and its queue need.
    shared = players * 6144 + seconds * RATE // players * PAYLOAD // 2
    prove("shared", players, seconds, shared, UNBOUNDED)
    prove("own", players, seconds, budget, UNBOUNDED,
          6 * budget / seconds / PRIVATE)


if __name__ == "__main__":
    main()
