"""The daemon for a long time under everything at once: soak.py [SECONDS]

Players who come and go and know what they are owed, slow ones, hostile ones,
publishers, an operator.  Exit code 0: nobody well-behaved lost a message or got
one twice, no process grew, no sanitizer had a word to say, and in the end the
gauges and descriptors were where they were before."""
import asyncio
import collections
import json
import logging
import os
import pathlib
import random
import sys
import time

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "integration"))

from gateway import BUILD, Folder, Gateway      # noqa: E402
from launch import free_port                    # noqa: E402
import leaks                                    # noqa: E402
import admin                                    # noqa: E402
import handshakes                               # noqa: E402
import ledger                                   # noqa: E402
import places                                   # noqa: E402
import players                                  # noqa: E402
import publish                                  # noqa: E402
import strangers                                # noqa: E402
import watch                                    # noqa: E402

STAYERS = (1, 1, 2, 3, 1, 2)        # connections of each
PERSONS = {"commuter": 30, "late": 5, "crowded": 1, "vanishing": 5}
SLOW = 6
STRANGERS = 12
SHAKERS = 6
CHILDREN = ("engine", "store", "keys", "starter")
SAMPLE = 5
PROGRESS = 30
GAUGES = ("ws_active_connections", "ws_players", "ws_send_queue_bytes",
          "ws_queue_messages", "ws_queue_bytes", "ws_queue_players",
          "ws_handshakes", "ws_tls_handshakes_pending",
          "ws_token_lookups_pending", "ws_control_clients")
SETTINGS = """
publishers { rate-limit 0 }
queue { ttl %dms; max-messages %d }
players { revalidate-period 5s; pong-timeout 60s
          close-timeout 10s; send-queue-hard 2M; send-queue-soft 256K
          send-queue-soft-time 2s; max-message 64K }
http { request-timeout 3s; keepalive-timeout 5m }
tokens { lookup-timeout 20s }
limits { handshake-rate 0 }
""" % (ledger.TTL * 1000, ledger.MAX_QUEUED)


class SoakGateway(Gateway):
    """Its log goes into a file, which the operator rotates."""

    def __init__(self, folder, settings, **kw):
        self.logfile = folder.path / "log"
        super().__init__(folder, settings, **kw)

    def log(self):
        if not self.logfile.exists():
            return []
        return [json.loads(line)
                for line in self.logfile.read_text().split("\n")[:-1]]


class Soak:
    def __init__(self, gateway, secure, seconds):
        self.gateway = gateway
        self.plain = places.Plain(gateway.port)
        self.secure = secure
        self.settings = gateway.settings
        self.seconds = seconds
        self.failures = []
        self.count = collections.Counter()
        self.broadcasts = ledger.Channel()
        self.ending = asyncio.Event()   # all come together for the end
        self.over = asyncio.Event()     # all may go
        self.slow = SLOW
        self.started = time.monotonic()

    def place(self):
        """Where the next one comes."""
        return random.choice((self.plain, self.secure))

    def fail(self, text):
        self.failures.append(text)
        if len(self.failures) <= 50:
            print("FAILED at %d s: %s" % (
                time.monotonic() - self.started, text), flush=True)

    async def pause(self, seconds):
        """Not longer than to the end."""
        try:
            await asyncio.wait_for(self.ending.wait(), seconds)
        except asyncio.TimeoutError:
            pass

    @staticmethod
    async def wait(predicate, what, limit=60):
        end = time.monotonic() + limit
        while not predicate():
            if time.monotonic() > end:
                raise AssertionError("timed out: " + what)
            await asyncio.sleep(0.02)

    def read_log(self, path):
        """Each line is JSON, and none is worse than a warning."""
        for line in path.read_text().split("\n")[:-1]:
            if json.loads(line)["level"] in ("error", "fatal") and \
                    "configuration" not in line:
                self.fail("log: " + line)

    def reloads(self):
        """Changes with every reload."""
        return sum(line.get("msg") == "configuration reloaded"
                   for line in self.gateway.log())

    def people(self):
        """Everybody who has a token."""
        for n in range(SLOW):
            self.gateway.add_token("slow%d" % n, subject="slow%d" % n,
                                   ttl=self.seconds + 7200)
        for n in range(20):
            self.gateway.add_token("hostile%d" % n, subject="hostile%d" % n,
                                   ttl=self.seconds + 7200)
        self.stayers = [players.Stayer(self, 100 + i, n)
                        for i, n in enumerate(STAYERS)]
        self.stay_connections = sum(STAYERS)
        self.persons = list(self.stayers)
        for kind, n in PERSONS.items():
            for _ in range(n):
                self.persons.append(players.Person(
                    self, 200 + len(self.persons), kind))

    async def observe(self):
        shown = time.monotonic()
        while True:
            self.watch.sample()
            if time.monotonic() - shown >= PROGRESS:
                shown = time.monotonic()
                print("%5d s: %d messages, %d broadcasts, %d connections, "
                      "%d hostile; %s; %d failures" % (
                          shown - self.started, self.count["messages"],
                          self.broadcasts.taken, self.count["connections"],
                          self.count["hostile"], self.watch.line(),
                          len(self.failures)), flush=True)
            await asyncio.sleep(SAMPLE)

    def spawn(self, coroutine):
        task = asyncio.create_task(coroutine)
        self.tasks.append(task)
        return task

    async def run(self):
        self.people()
        self.watch = watch.Watch(self.gateway, CHILDREN)
        self.before = {name: watch.descriptors(pid)
                       for name, pid in self.watch.pids.items()}
        self.tasks = []
        for stayer in self.stayers:
            await stayer.join()
        observer = asyncio.create_task(self.observe())
        publishers = [publish.Publisher(self, "s1", place) for place in
                      (self.plain, self.secure) * 2]
        there = [self.spawn(p.live()) for p in self.persons]
        others = [self.spawn(publishers[0].broadcasts(4)),
                  self.spawn(publishers[1].privates(self.persons[0::2])),
                  self.spawn(publishers[2].privates(self.persons[1::2])),
                  self.spawn(publishers[3].noise()),
                  self.spawn(admin.Admin(self).live())]
        others += [self.spawn(strangers.slow(self, n)) for n in range(SLOW)]
        others += [self.spawn(strangers.Stranger(self, n).live())
                   for n in range(STRANGERS)]
        others += [self.spawn(handshakes.Shaker(self, n).live())
                   for n in range(SHAKERS)]
        # Whoever breaks ends it all.
        await asyncio.wait(self.tasks, timeout=self.seconds,
                           return_when=asyncio.FIRST_EXCEPTION)
        observer.cancel()
        self.ending.set()
        await asyncio.wait_for(asyncio.gather(*others), 120)
        await self.wait(lambda: all(p.ready() for p in self.persons),
                        "everybody to be there")
        await publish.last_words(self, publishers)
        try:
            await self.wait(lambda: all(p.done() for p in self.persons),
                            "everybody to have the last message")
        except AssertionError:
            for p in self.persons:
                if not p.done():
                    self.fail("%s: the last message has not come" % p.name)
        self.over.set()
        await asyncio.wait_for(asyncio.gather(*there), 60)
        for p in publishers:
            p.http.close()

    async def settle(self):
        """Everybody has gone: what is left?"""
        def calm():
            m = self.gateway.metrics()
            self.left = {n: m[n] for n in GAUGES if m[n] != 0}
            self.shaken = [m["ws_tls_handshakes_total"],
                           m["ws_tls_handshakes_failed_total"]]
            if m["ws_http_connections"] != 1:
                self.left["ws_http_connections"] = m["ws_http_connections"]
            now = {name: watch.descriptors(pid)
                   for name, pid in self.watch.pids.items()}
            if now != self.before:
                self.left["descriptors"] = (self.before, now)
            return not self.left
        try:
            await self.wait(calm, "the gauges")
        except AssertionError:
            self.fail("left in the end: %r" % self.left)

    def summary(self):
        persons = [p for p in self.persons if p not in self.stayers]
        print("%d s on %s" % (self.seconds, BUILD.name))
        print("messages: %d received; %d broadcasts; queued ones given up as "
              "they should: %d expired, %d pushed out" % (
                  self.count["messages"], self.broadcasts.taken,
                  sum(p.inbox.expired for p in persons),
                  sum(p.inbox.pushed for p in persons)))
        print("by TLS: %d handshakes, %d that failed, %d certificates" % (
            *self.shaken, self.secure.written + 1))
        print("done: " + ", ".join("%s %d" % item for item in
                                   sorted(self.count.items())))
        for line in self.watch.judge(self.fail):
            print(line)


def main():
    seconds = int(sys.argv[1]) if len(sys.argv) > 1 else 600
    leaks.prepare()
    folder = Folder()
    logfile = folder.path / "log"
    # Freed memory is kept by the sanitizer, but not more and more; nor are
    # stacks, which it can't follow through a library without frame pointers.
    options = os.environ.get("ASAN_OPTIONS", "detect_leaks=1")
    # Strangers write where nobody listens any more, and asyncio warns of it.
    logging.getLogger("asyncio").setLevel(logging.ERROR)
    secure = places.Secure(free_port(), folder.path)
    g = SoakGateway(folder, SETTINGS + secure.setting() +
                    'log level info\nlog file "%s"' % logfile,
                    listen="127.0.0.1:%d" % free_port(),
                    env={"ASAN_OPTIONS": options + ":quarantine_size_mb=1"
                         ":thread_local_quarantine_size_kb=16"
                         ":malloc_context_size=2"})
    g.add_token("s1", subject="server", server=True, ttl=seconds + 7200)
    soak = None
    try:
        g.start()
        soak = Soak(g, secure, seconds)

        async def all_of_it():
            await soak.run()
            await soak.settle()
        asyncio.run(all_of_it())
        soak.summary()
        g.check()
        soak.read_log(logfile)
    finally:
        g.stop()
        err = g.err()
        if err:
            print("standard error of the daemon:\n" + err)
        folder.remove()
    print("soak: %s" % ("passed" if not soak.failures else
                        "FAILED, %d times" % len(soak.failures)))
    return 1 if soak.failures else 0


if __name__ == "__main__":
    sys.exit(main())
