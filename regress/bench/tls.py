"""What TLS costs: tls.py [CONNECTIONS]

Idle WebSockets by TLS, and plain ones, in turn: bytes of private memory of all
our processes for each, by the slope from a quarter of CONNECTIONS to all of
them.  And the CPU time of all our processes for a handshake of each, with its
token; the keys are EC ones (P-256), in a process of their own."""
import os
import pathlib
import resource
import sys
import time

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "integration"))

import certs                                            # noqa: E402
from gateway import Folder, Gateway                     # noqa: E402
from rawws import RawWS                                 # noqa: E402

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


def measure(n, tls):
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


def main():
    n = int(sys.argv[1]) if len(sys.argv) > 1 else 4000
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    print("%-8s %18s %26s" % ("", "bytes idle", "CPU us for a handshake"))
    for _ in range(2):
        for name, tls in (("plain", None), ("TLS", "1")):
            size, spent = measure(n, tls)
            print("%-8s %18d %26.0f" % (name, size, spent * 1e6), flush=True)


if __name__ == "__main__":
    main()
