"""What a publish to one waits while broadcasts to very many go out.  Those many
are a load of its own; what is measured are a few players whose reader goes
before it on its core, so that the wait is the server's."""
import statistics

import load
import pick
import rounds
import table
from rounds import say

TITLE = "Publish to one while a broadcast to all goes out every 100 ms"
PROBES = 8
SECONDS = 5
PROBE = {"conns": PROBES, "rate": 200, "msgs": 200 * SECONDS, "warmup": 50,
         "inflight": 16, "stall": 20}
BROADCASTS = {"rate": 10, "msgs": 1000, "inflight": 16, "warmup": 5,
              "seconds": SECONDS + 2}


def measure(kinds, n_rounds):
    kinds = pick.servers(kinds, "floor")    # others are too slow for it
    clients = pick.counts(limit=15000)[-1]
    seen = {kind.name: [] for kind in kinds}
    for turn in range(n_rounds):
        with rounds.Servers(kinds) as running:
            for name, server in running.items():
                say("round %d: tail: %s" % (turn + 1, name))
                seen[name].append(one(server, clients))
    return {"clients": clients, "runs": seen}


def one(server, clients):
    """Alone, beside, and the broadcasts beside; or None."""
    probe = {"first": clients, **PROBE}
    try:
        with load.Beside(server, "connect", "idle", conns=clients,
                         hold=SECONDS + 2):
            alone = load.run(server, "unicast", "unicast", urgent=True, **probe)
        with load.Beside(server, "broadcast", "fanout", conns=clients,
                         **BROADCASTS) as crowd:
            beside = load.run(server, "unicast", "unicast", urgent=True,
                              **probe)
    except load.Lost as e:
        say("  no figure: %s" % e)
        return None
    return [alone, beside, crowd.result]


def tables(result):
    body = []
    for name, runs in result["runs"].items():
        runs = [r for r in runs if r is not None]
        if not runs:
            continue

        def ms(which, key, runs=runs):
            return "%.2f" % (statistics.median(
                r[which][key] for r in runs) / 1000)
        body.append([name, ms(0, "lat_p50_us"), ms(0, "lat_p99_us"),
                     ms(1, "lat_p50_us"), ms(1, "lat_p99_us"),
                     table.ratio(statistics.median(
                         beside["lat_p99_us"] / alone["lat_p50_us"]
                         for alone, beside, _ in runs)),
                     "%.1f" % statistics.median(
                         crowd["msgs_per_s"] for *_, crowd in runs),
                     ms(2, "full_p50_us")])
    return [("{:,} clients and {} more, who are published to 200 times a "
             "second; ms".format(result["clients"], PROBES),
             ["", "p50 alone", "p99 alone", "p50 beside", "p99 beside",
              "p99 beside / p50 alone", "broadcasts a second",
              "their p50 to the last"], body)]
