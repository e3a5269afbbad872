"""What confinement, the log and being watched cost: ours with and without."""
import contextlib
import threading
import urllib.request

import rounds
import scenarios
import servers
import table

TITLE = "The cost of confinement, of the log and of being watched"
EVERY = 0.1         # seconds from one look at the metrics to the next


class Watched(servers.Ours):
    """Its metrics are read ten times a second."""
    name, about = "metrics read 10 times a second", ""

    def start(self):
        super().start()
        self.enough = threading.Event()
        self.reader = threading.Thread(target=self.read, daemon=True)
        self.reader.start()
        return self

    def read(self):
        url = "http://127.0.0.1:%d/metrics" % self.port
        while not self.enough.wait(EVERY):
            with contextlib.suppress(OSError), \
                    urllib.request.urlopen(url, timeout=5) as answer:
                answer.read()

    def stop(self):
        self.enough.set()
        self.reader.join(10)
        super().stop()


class Logging(servers.Ours):
    name, about, level = "log at info", "", "info"


class Loose(servers.Ours):
    name, about, sandbox = "not confined", "", "off"


class Plain(servers.Ours):
    name, about = "confined, log at warn", ""


def measure(kinds, n_rounds):
    specs = [scenarios.broadcast("broadcast",
                                 "broadcast to 1,000, one in flight"),
             scenarios.publish("publish", "publish to one, 64 in flight"),
             scenarios.handshakes(5000)]
    # One server at a time: the reader of one would disturb the others.
    seen = {s["name"]: {} for s in specs}
    for _ in range(n_rounds):
        for spec in specs:
            for kind in (Plain, Loose, Logging, Watched):
                one = rounds.run([spec], [kind], 1)[spec["name"]]
                seen[spec["name"]].setdefault(kind.name, []).extend(
                    one[kind.name])
    return {"titles": {s["name"]: [s["title"], s["key"]] for s in specs},
            "runs": seen}


def tables(result):
    names = [k.name for k in (Plain, Loose, Logging, Watched)]
    body = []
    for scenario, (title, key) in result["titles"].items():
        seen = result["runs"][scenario]
        body.append([title, table.number(rounds.median(
            seen.get(names[0]), key)),
            *(table.ratio(rounds.median_ratio(
                seen.get(n), seen.get(names[0]), key)) for n in names[1:])])
    return [("work per CPU second, and as ratios to the first column; the "
             "counters themselves are always on",
             ["", *names], body)]
