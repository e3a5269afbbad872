"""What a publish to one waits while broadcasts to very many go out."""
import load
import pick
import rounds
import statistics
import table
from rounds import say

TITLE = "Publish to one while a broadcast to all goes out every 100 ms"
OPTIONS = {"rate": 200, "msgs": 1000, "warmup": 50, "inflight": 16,
           "targets": 8}


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
    """The same without and with the broadcasts, or None."""
    try:
        return [load.run(server, "unicast", "unicast", conns=clients, **more,
                         **OPTIONS) for more in ({}, {"noise": 0.1})]
    except load.Lost as e:
        say("  no figure: %s" % e)
        return None


def tables(result):
    body = []
    for name, pairs in result["runs"].items():
        pairs = [p for p in pairs if p is not None]
        if not pairs:
            continue

        def ms(which, key, pairs=pairs):
            return "%.2f" % (statistics.median(
                p[which][key] for p in pairs) / 1000)
        body.append([name, ms(0, "lat_p50_us"), ms(0, "lat_p99_us"),
                     ms(1, "lat_p50_us"), ms(1, "lat_p99_us"),
                     table.ratio(statistics.median(
                         b["lat_p99_us"] / a["lat_p50_us"]
                         for a, b in pairs)),
                     "%d of %d" % (sum(b["noise_late"] for _, b in pairs),
                                   sum(b["noise"] + b["noise_late"]
                                       for _, b in pairs))])
    return [("{:,} clients, 200 publishes a second; ms".format(
        result["clients"]),
        ["", "p50 alone", "p99 alone", "p50 beside", "p99 beside",
         "p99 beside / p50 alone", "broadcasts left out"], body)]
