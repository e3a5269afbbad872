"""What TLS costs, beside plain WebSockets in turn: private memory of all our
processes for an idle connection, by the slope from a quarter of them to all, and
their CPU time for a handshake with its token.  The keys are EC ones (P-256), in
a process of their own."""
import os
import pathlib
import resource
import statistics
import time

import machine
import rounds       # by way of it servers.py, which says where these are:
import certs
from gateway import Folder, Gateway
from rawws import RawWS

TITLE = "The cost of TLS"
CLIENTS = 4000
TICK = os.sysconf("SC_CLK_TCK")


def pids(g):
    return [g.process.pid, *g.children()]


def private(g):
    total = 0
    for pid in pids(g):
        for line in pathlib.Path("/proc/%d/smaps_rollup" % pid) \
                .read_text().splitlines():
            if line.startswith("Private_"):
                total += int(line.split()[1]) * 1024
    return total


def cpu(g):
    total = 0
    for pid in pids(g):
        stat = pathlib.Path("/proc/%d/stat" % pid).read_text()
        total += sum(map(int, stat.rsplit(")", 1)[1].split()[11:13]))
    return total / TICK


def one(n, tls):
    certs.TLS = tls
    certs.plain_client.cache_clear()
    folder = Folder()
    g = Gateway(folder, "log level info\nlimits { handshake-rate 0 }\n"
                "players { max-connections %d }" % n)
    sockets, memory = [], {}
    try:
        g.add_token("p1", 1)
        g.start()
        g.ctl("log", "warn")
        begin = cpu(g)
        for count in (n // 4, n):
            while len(sockets) < count:
                sockets.append(RawWS.connect(g, "p1").sock)
            # What was freed on the way is given back by now.
            time.sleep(1)
            memory[count] = private(g)
        spent = cpu(g) - begin
        return ((memory[n] - memory[n // 4]) / (n - n // 4), spent / n)
    finally:
        for s in sockets:
            s.close()
        g.stop()
        folder.remove()


def measure(kinds, n_rounds):
    n = min(CLIENTS, machine.most_clients())
    before = certs.TLS
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    seen = {"plain": [], "TLS": []}
    try:
        for turn in range(n_rounds):
            for name, tls in (("plain", None), ("TLS", "1")):
                rounds.say("round %d: tls: %s" % (turn + 1, name))
                seen[name].append(one(n, tls))
    finally:
        certs.TLS = before
        certs.plain_client.cache_clear()
    return seen


def tables(result):
    def median(name, which):
        return statistics.median(r[which] for r in result[name])
    plain, tls = median("plain", 0), median("TLS", 0)
    return [("bytes of private memory for an idle connection; CPU time of a "
             "handshake, all processes counted, the one that signs among them; "
             "the libraries' share is what a plain connection does not have",
             ["", "bytes idle", "the libraries' share", "CPU of a handshake, "
              "microseconds"],
             [[name, "{:,.0f}".format(median(name, 0)), share,
               "%.0f" % (median(name, 1) * 1e6)]
              for name, share in (("plain", "-"), ("TLS", "%.0f %%" % (
                  100 * (tls - plain) / tls)))])]
