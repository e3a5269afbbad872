"""What is owed to whom: messages are numbered where they are published, and
judged where they arrive."""
import collections
import time

MAX_QUEUED = 40     # the daemon's limits: soak.py configures them
TTL = 6.0
SLACK = 2.0         # a message so near to its end may go or stay


class Channel:
    """A sequence of messages: all broadcasts, or those for one player."""

    def __init__(self):
        self.sent = 0       # the request is on its way
        self.taken = 0      # its 200 is here


class Track:
    """One channel on one connection: no gap, nothing twice, from what was
    sent after the handshake to what was taken before the end."""

    def __init__(self, channel, name, fail):
        self.channel = channel
        self.name = name
        self.fail = fail
        self.low = channel.taken    # was over before we asked
        self.high = None
        self.last = None
        self.owed = 0

    def joined(self):
        self.high = self.channel.sent + 1

    def take(self, seq):
        if self.last is None:
            if not self.low < seq <= self.high:
                self.fail("%s: %d first, joined between %d and %d" % (
                    self.name, seq, self.low, self.high))
        elif seq != self.last + 1:
            self.fail("%s: %d after %d" % (self.name, seq, self.last))
        self.last = seq

    def mark(self):
        """From here on the connection may end."""
        self.owed = self.channel.taken

    def end(self):
        have = self.high - 1 if self.last is None else self.last
        if have < self.owed:
            self.fail("%s: ended with %d, %d was taken" % (
                self.name, have, self.owed))

    def done(self):
        return self.last == self.channel.sent


class Inbox:
    """The messages of a player who comes and goes, over all connections: none
    twice, none out of order.  A gap is right when the offline queue had to
    give those up: past their time, or pushed out by newer ones.  A player who
    vanishes without a close is owed nothing that was under way: LENIENT."""

    def __init__(self, name, fail, lenient=False):
        self.name = name
        self.fail = fail
        self.lenient = lenient
        self.channel = Channel()
        self.waiting = collections.deque()      # seq, when it was sent
        self.last = 0
        self.received = self.expired = self.pushed = 0
        self.asked_at = self.joined_at = 0.0
        self.sent_then = 0

    def send(self):
        self.channel.sent += 1
        self.waiting.append((self.channel.sent, time.monotonic()))
        return self.channel.sent

    def ask(self):
        """A handshake begins."""
        self.asked_at = time.monotonic()
        self.sent_then = 0

    def joined(self):
        self.joined_at = time.monotonic()
        self.sent_then = self.channel.sent

    def skipped(self, seq, when):
        if self.lenient:
            return
        if self.joined_at - when > TTL - SLACK:
            self.expired += 1
        elif self.sent_then - seq >= MAX_QUEUED:
            self.pushed += 1
        else:
            self.fail("%s: %d is lost, sent %.1f s before the connection" % (
                self.name, seq, self.joined_at - when))

    def take(self, seq):
        if seq <= self.last:
            self.fail("%s: %d after %d" % (self.name, seq, self.last))
            return
        while self.waiting and self.waiting[0][0] < seq:
            self.skipped(*self.waiting.popleft())
        if not self.waiting or self.waiting[0][0] != seq:
            self.fail("%s: %d was never sent" % (self.name, seq))
            return
        _, when = self.waiting.popleft()
        if self.asked_at - when > TTL + SLACK:
            self.fail("%s: %d came %.1f s late" % (
                self.name, seq, self.asked_at - when - TTL))
        self.last = seq
        self.received += 1

    def done(self):
        return self.last == self.channel.sent
