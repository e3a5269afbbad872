#!/usr/bin/python3
"""make bench, make bench-full: see README.md beside."""
import argparse
import datetime
import json
import os
import pathlib
import signal
import sys
import time

import full
import load
import machine
import quick
import rounds
import scenarios
import servers
import table

KINDS = [servers.Ours, servers.Floor, servers.Merged, servers.Uring,
         servers.Nchan, servers.NodeWs]
QUICK_LIMIT = 540       # seconds, of the ten minutes


def options():
    p = argparse.ArgumentParser(prog="bench.py", description=__doc__)
    p.add_argument("--full", action="store_true",
                   help="all of it, not the quick table only")
    p.add_argument("--only", metavar="PART", action="append",
                   choices=["quick", *full.PARTS],
                   help="this part (of --full); may be repeated")
    p.add_argument("--smoke", action="store_true",
                   help="tiny counts: does the bench itself work?")
    p.add_argument("--rounds", type=int, default=3)
    p.add_argument("--json", type=pathlib.Path, metavar="FILE")
    p.add_argument("--variant", metavar="NAME=SETTINGS", action="append",
                   default=[], help="ours with other settings, as a column")
    return p.parse_args()


def stop(number, frame):
    """Servers are stopped and folders removed on the way out."""
    sys.exit(128 + number)


def print_quick(result):
    print("work per second of the server's CPU (all its processes), medians of "
          "%d rounds" % result["rounds"])
    print(table.text(*quick.full_table(result)))
    print("the same per second that the server's core was busy")
    print(table.text(*quick.core_table(result)))
    print(rounds.disturbed(result))


def measure(args, kinds):
    deadline = time.monotonic() + QUICK_LIMIT
    parts = args.only or (["quick", *full.PARTS] if args.full else ["quick"])
    out = {}
    if args.smoke:
        out["quick"] = quick.measure(
            kinds, 1, deadline, scenarios.quick(20, 40, 0.1), [20, 40], 0.1)
    elif "quick" in parts:
        out["quick"] = quick.measure(kinds, args.rounds, deadline)
    if "quick" in out:
        print_quick(out["quick"])
    if not args.smoke:
        for part in parts:
            if part in full.PARTS:
                try:
                    out[part] = full.measure(part, kinds, args.rounds)
                except load.Lost as e:
                    args.failed.append(part)
                    print("\n%s: no figures: %s" % (part, e))
                sys.stdout.flush()
                save(args, out)
    return out


def save(args, out):
    """After each part, so that nothing is lost when a later one fails.  With
    --only, other parts stay as they are, each with what it was measured on."""
    if args.json is None:
        return
    before = {}
    if args.only and args.json.exists():
        before = json.loads(args.json.read_text())
    now = {"machine": args.machine, "rounds": args.rounds,
           "date": datetime.date.today().isoformat()}
    args.json.parent.mkdir(parents=True, exist_ok=True)
    args.json.write_text(json.dumps({
        **before, **out, "measured": {
            **before.get("measured", {}), **{part: now for part in out}},
    }, indent=1) + "\n")


def main():
    args = options()
    signal.signal(signal.SIGTERM, stop)
    load.build()
    args.machine, args.failed = machine.describe(), []
    server, client = machine.cores()
    if server == client:
        print("There is only one core: server and load share it, and what is "
              "printed is of little worth.")
    else:
        print("server on core %d, load on core %d" % (server, client))
    kinds, absent = servers.present(KINDS[:2] if args.smoke else KINDS)
    for extra in args.variant:
        kind = servers.variant(*extra.split("=", 1))
        if kind.name in [k.name for k in kinds]:
            sys.exit("%s: there is a server of that name" % kind.name)
        kinds.append(kind)
    for name, why in absent.items():
        print("left out: %s: %s" % (name, why))
    try:
        servers.Ours.make_database(
            100 if args.smoke else machine.most_clients())
        save(args, measure(args, kinds))
    finally:
        servers.Ours.remove_database()
    return 1 if args.failed else 0


if __name__ == "__main__":
    os.environ.setdefault("PYTHONDONTWRITEBYTECODE", "1")
    sys.exit(main())
