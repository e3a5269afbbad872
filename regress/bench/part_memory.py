"""Memory of idle connections by count, and what many more would take."""
import memory
import pick
import table

TITLE = "Memory of idle connections"
COMPUTED = (100000, 1000000)


def measure(kinds, n_rounds):
    counts = pick.counts(1000, 2000, 5000, 10000, 15000)
    return {kind.name: memory.by_count(kind, counts)
            for kind in pick.servers(kinds)}


def mib(value):
    return "{:,.1f}".format(value / 2**20)


def tables(result):
    head = ["connections", "private, MiB", "bytes each",
            "kernel, both ends, MiB", "bytes a pair"]
    return [("private memory of all processes of %s (smaps_rollup); slope %s "
             "bytes a connection" % (
                 name, table.number(memory.slope(seen))), head, rows(seen))
            for name, seen in result.items() if seen]


def rows(seen):
    out = [["{:,}".format(r["conns"]), mib(r["priv"]),
            "%.0f" % r["priv_per_conn"],
            mib(r["slab_per_pair"] * r["conns"]),
            "{:,.0f}".format(r["slab_per_pair"])] for r in seen]
    if len(seen) < 2:
        return out
    slab = seen[-1]["slab_per_pair"]
    for n in COMPUTED:
        if n > seen[-1]["conns"]:
            out.append(["{:,} (computed)".format(n), mib(memory.at(seen, n)),
                        "%.0f" % memory.slope(seen), mib(slab * n),
                        "{:,.0f}".format(slab)])
    return out
