"""Latency at a fixed rate of broadcasts that no server is busy with."""
import pick
import rounds

TITLE = "Latency of 20 broadcasts a second to 1,000 clients"


def measure(kinds, n_rounds):
    kinds = pick.servers(kinds, "floor", "nchan", "Node ws")
    spec = {"name": "latency", "title": "20 broadcasts a second",
            "kind": "broadcast", "mode": "fanout",
            "options": {"conns": 1000, "rate": 20, "msgs": 100, "warmup": 10,
                        "inflight": 16}}
    return rounds.run([spec], kinds, n_rounds)["latency"]


def tables(result):
    def ms(results, key):
        value = rounds.median(results, key)
        return "-" if value is None else "%.1f" % (value / 1000)
    return [("publish to frame, over all frames, and to the last of them; ms",
             ["", "p50", "p99", "all p50", "all p99"],
             [[name, *(ms(seen, key) for key in (
                 "lat_p50_us", "lat_p99_us", "full_p50_us", "full_p99_us"))]
              for name, seen in result.items()])]
