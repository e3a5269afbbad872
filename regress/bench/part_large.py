"""Payloads of 1 MiB to 1,000 clients: the memory grows by the frame, not by
frame times clients."""
import load
import pick
from rounds import say

TITLE = "Payloads of 1 MiB to 1,000 clients"
PAYLOAD = 1 << 20


def measure(kinds, n_rounds):
    out = []
    for inflight in (1, 4):
        server = pick.servers(kinds)[0]().start()
        try:
            say("large: %d in flight" % inflight)
            out.append(load.run(server, "broadcast", "fanout", limit=120,
                                lossless=False, conns=1000, payload=PAYLOAD,
                                msgs=8, inflight=inflight, stall=20))
        finally:
            server.stop()
    return out


def tables(result):
    return [("peak of resident memory of all its processes, before and after; "
             "MiB",
             ["in flight", "before", "after", "grown by", "broadcasts",
              "frames lost", "MiB/s"],
             [["%d" % r["inflight"], "%.1f" % r["srv_high_before_mib"],
               "%.1f" % r["srv_high_mib"],
               "%.1f" % (r["srv_high_mib"] - r["srv_high_before_mib"]),
               "%d" % r["msgs"], "%d" % r["lost"],
               "%.0f" % (r["delivered"] * PAYLOAD / 2**20 / r["secs"])]
              for r in result])]
