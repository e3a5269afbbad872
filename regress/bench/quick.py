"""The table of "make bench"."""
import time

import machine
import memory
import rounds
import scenarios
import table
from rounds import say


def measure(kinds, n_rounds, deadline, specs=None, counts=None, hold=1.5):
    """Everything, as it goes into the JSON."""
    specs = specs or scenarios.quick()
    counts = counts or [2000, min(18000, machine.most_clients())]
    begun = time.monotonic()
    mem = {kind.name: memory.by_count(kind, counts, hold) for kind in kinds
           if kind.name not in scenarios.NOT_BATCHED}
    say("memory took %.0f s" % (time.monotonic() - begun))
    seen = rounds.run(specs, kinds, n_rounds, deadline)
    return {
        "servers": {kind.name: kind.about for kind in kinds},
        "scenarios": [{k: s[k] for k in ("name", "title", "key")}
                      for s in specs],
        "runs": seen, "memory": mem, "memory counts": counts,
        "rounds": max(len(r) for by in seen.values() for r in by.values()),
    }


def against(quick):
    """Those that a ratio is given to: the floor, and servers of their own."""
    return [n for n in quick["servers"] if n not in scenarios.NOT_BATCHED][1:]


def rows(quick, key=None):
    """Head and rows; with a KEY that figure instead of the scenario's own."""
    names = list(quick["servers"])
    ours = names[0]
    head = ["", *names, *("/ " + n for n in against(quick))]
    out = []
    for s in quick["scenarios"]:
        seen = quick["runs"][s["name"]]
        what = key(s) if key else s["key"]
        out.append([s["title"],
                    *(table.number(rounds.median(seen.get(n), what))
                      for n in names),
                    *(table.ratio(rounds.median_ratio(
                        seen.get(ours), seen.get(n), what))
                      for n in against(quick))])
    return head, out


def memory_row(quick):
    """Bytes an idle connection; its ratios are the other way round: less is
    better."""
    names = list(quick["servers"])
    slopes = {n: memory.slope(seen) for n, seen in quick["memory"].items()}
    mine = slopes.get(names[0])
    return ["bytes of an idle connection (less is better)",
            *(table.number(slopes.get(n)) for n in names),
            *(table.ratio(mine / slopes[n] if mine is not None and
                          (slopes.get(n) or 0) > 100 else None)
              for n in against(quick))]


def full_table(quick):
    head, body = rows(quick)
    return head, [*body, memory_row(quick)]


def core_table(quick):
    """The same by the busy time of the whole core: what only moves to a kernel
    thread is seen there."""
    return rows(quick, lambda s: s["key"].replace("_cpu_s", "_core_s"))
