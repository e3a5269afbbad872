"""Interleaved rounds: A B C A B C, since the speed of a machine drifts.  Each
ratio is one of the same round; of the rounds, the medians count."""
import statistics
import sys
import time

import load


def say(text):
    print(text, file=sys.stderr, flush=True)


class Servers:
    """Started anew, and stopped whatever happens."""

    def __init__(self, kinds):
        self.kinds = kinds
        self.running = {}

    def __enter__(self):
        try:
            for kind in self.kinds:
                self.running[kind.name] = kind().start()
        except BaseException:
            self.__exit__()
            raise
        return self.running

    def __exit__(self, *exc):
        for server in self.running.values():
            server.stop()
        return False


def attempt(server, scenario, **more):
    """One run; None, and a word about it, when it failed."""
    try:
        return load.run(server, scenario["kind"], scenario["mode"],
                        **{**scenario["options"], **more})
    except (load.Lost, OSError) as e:
        say("  %s: no figure: %s" % (scenario["title"], e))
        return None


def afresh(kind, scenario):
    """An attempt on a server of its own, whose memory is still to be got."""
    with Servers([kind]) as running:
        return attempt(running[kind.name], scenario)


def run(scenarios, kinds, rounds, deadline=None):
    """{scenario: {server: [result or None for each round]}}.  A round that
    would not end before the deadline, going by the longest so far, is left
    out, and so is any scenario past it."""
    seen = {s["name"]: {} for s in scenarios}
    longest = 0
    for turn in range(rounds):
        begun = time.monotonic()
        if deadline is not None and turn and begun + longest > deadline:
            say("no time for round %d" % (turn + 1))
            break
        with Servers(kinds) as servers:
            for scenario in scenarios:
                if deadline is not None and time.monotonic() > deadline:
                    say("no time for: " + scenario["title"])
                    continue
                say("round %d: %s" % (turn + 1, scenario["title"]))
                for kind in kinds:
                    if kind.name in scenario.get("without", ()):
                        continue
                    seen[scenario["name"]].setdefault(kind.name, []).append(
                        afresh(kind, scenario) if scenario.get("fresh")
                        else attempt(servers[kind.name], scenario))
        longest = max(longest, time.monotonic() - begun)
    return seen


def median(results, key):
    values = [r[key] for r in results or () if r is not None]
    return statistics.median(values) if values else None


def median_ratio(ours, theirs, key):
    """Of the ratios within each round."""
    values = [a[key] / b[key] for a, b in zip(ours or (), theirs or ())
              if a is not None and b is not None and b[key]]
    return statistics.median(values) if values else None


def every(result):
    """All that wsload said, wherever a part has put it."""
    if isinstance(result, dict) and "other_cpu_s" in result:
        yield result
    elif isinstance(result, (dict, list)):
        for value in result.values() if isinstance(result, dict) else result:
            yield from every(value)


def disturbed(result):
    """How many of the runs were, in words."""
    runs = list(every(result))
    return "%d of %d runs were disturbed by other work on the machine" % (
        sum(load.disturbed(r) for r in runs), len(runs))
