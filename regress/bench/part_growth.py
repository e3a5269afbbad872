"""Broadcasts, one in flight, to ever more clients: how the cost of a delivery
grows."""
import pick
import rounds
import scenarios
import table

TITLE = "Broadcast, one in flight, by the number of clients"
KEY = "deliveries_per_cpu_s"


def measure(kinds, n_rounds):
    kinds = pick.servers(kinds, "floor", "floor uring", "nchan", "Node ws")
    counts = pick.counts(100, 1000, 2000, 5000, 10000, 15000, limit=18000)
    specs = [scenarios.broadcast(str(n), "broadcast to {:,}".format(n), n, 2)
             for n in counts]
    return {"counts": counts, "servers": [k.name for k in kinds],
            "runs": rounds.run(specs, kinds, n_rounds)}


def growth(result, name):
    """Cost of a delivery at the most clients over that at 1,000."""
    runs = result["runs"]
    return rounds.median_ratio(runs.get("1000", {}).get(name),
                               runs[str(result["counts"][-1])].get(name), KEY)


def tables(result):
    names = result["servers"]
    ours = names[0]
    head = ["clients", *names, *("/ " + n for n in names[1:])]
    body = []
    for n in result["counts"]:
        seen = result["runs"][str(n)]
        body.append(["{:,}".format(n),
                     *(table.number(rounds.median(seen.get(s), KEY))
                       for s in names),
                     *(table.ratio(rounds.median_ratio(
                         seen.get(ours), seen.get(s), KEY))
                       for s in names[1:])])
    body.append(["cost of a delivery, most / 1,000",
                 *(table.ratio(growth(result, s)) for s in names),
                 *("" for _ in names[1:])])
    return [("deliveries per second of the server's CPU", head, body)]
