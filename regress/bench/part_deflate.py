"""Broadcasts of 2 KiB of JSON, as they are and by permessage-deflate: what it
saves on the wire and what it costs in CPU."""
import memory
import pick
import rounds
import scenarios
import servers
import table

TITLE = "permessage-deflate: broadcasts of 2 KiB of JSON to 1,000 clients"
CLIENTS = 1000
KEY = "deliveries_per_cpu_s"


class Ours(servers.Ours):
    settings = "players { compress yes }"


class Nchan(servers.Nchan):
    conf = servers.Nchan.conf.replace(
        "nchan_publisher;",
        "nchan_publisher;\n\t\t\tnchan_deflate_message_for_websocket on;")


class NodeWs(servers.NodeWs):
    def command(self):
        return [*super().command(), "deflate"]


def measure(kinds, n_rounds):
    names = [kind.name for kind in kinds]
    kinds = [kind for kind in (Ours, Nchan, NodeWs) if kind.name in names]
    text = {"payload": 2048, "text": True}
    specs = [scenarios.broadcast("plain", "2 KiB", CLIENTS, **text),
             scenarios.broadcast("deflate", "2 KiB, compressed", CLIENTS,
                                 deflate=True, **text)]
    counts = pick.counts(2000, limit=18000)
    return {"runs": rounds.run(specs, kinds, n_rounds),
            "idle": [memory.by_count(Ours, counts, **more)
                     for more in ({}, {"deflate": True})]}


def size(results):
    """Bytes on the wire of one delivery."""
    return rounds.median([None if r is None else {
        "bytes": r["bytes"] / r["delivered"]} for r in results or ()], "bytes")


def tables(result):
    body = []
    for name, plain in result["runs"]["plain"].items():
        packed = result["runs"]["deflate"].get(name)
        sizes = size(plain), size(packed)
        body.append([
            name, *(table.number(n) for n in sizes),
            table.ratio(sizes[1] / sizes[0] if all(sizes) else None),
            table.number(rounds.median(plain, KEY)),
            table.number(rounds.median(packed, KEY)),
            table.ratio(rounds.median_ratio(packed, plain, KEY))])
    return [("bytes that a client reads for each of them, and deliveries per "
             "second of the server's CPU",
             ["", "bytes, plain", "compressed", "ratio", "deliveries, plain",
              "compressed", "ratio"], body),
            ("bytes of an idle connection of %s, by slope" % Ours.name,
             ["plain", "compressed"],
             [[table.number(memory.slope(seen)) for seen in result["idle"]]])]
