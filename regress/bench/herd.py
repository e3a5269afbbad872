"""A herd comes back: herd.py [PLAYERS [ROUNDS]]

All players connect at once to a gateway that has just started: batched lookups
against one query a connection, on SQLite and on MariaDB, in turn.  Prints the
handshakes admitted a second and the queries that they took."""
import json
import pathlib
import resource
import statistics
import subprocess
import sys

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "integration"))

import mariadb                                          # noqa: E402
from gateway import Folder, Gateway, wait_for           # noqa: E402
from load import PROGRAMS, build                        # noqa: E402


def herd(load, kind, players, batch):
    """One round: handshakes a second, queries."""
    folder = Folder()
    g = kind(folder, "log level info\n"
             "tokens { batch %d; lookup-timeout 1m }" % batch)
    try:
        for first in range(0, players, 500):
            g.execute("INSERT INTO ws_token VALUES " + ",".join(
                "('p%d', %d, 's', 0, '2999-01-01 00:00:00')" % (n, n)
                for n in range(first, min(first + 500, players))))
        g.start()
        g.ctl("log", "warn")
        out = subprocess.run(
            [load, "idle", "--json", "--port", str(g.port), "--pid",
             str(g.process.pid), "--conns", str(players), "--ramp",
             str(players), "--hold", "1"],
            check=True, capture_output=True, text=True).stdout
        result = json.loads(out)
        assert result["failed"] == 0, result

        def figures():
            store = g.ctl_json("show", "store")
            return store if store["lookups"] >= players else None
        queries = wait_for(figures, "the store's figures")["batches"]
        return result["handshakes_per_s"], queries
    finally:
        g.stop()
        folder.remove()


def main():
    players = int(sys.argv[1]) if len(sys.argv) > 1 else 15000
    rounds = int(sys.argv[2]) if len(sys.argv) > 2 else 3
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    build()
    load = PROGRAMS / "wsload"
    mariadb.MysqlGateway.server = server = mariadb.Server()
    try:
        cases = [(name, kind, batch)
                 for name, kind in (("SQLite", Gateway),
                                    ("MariaDB", mariadb.MysqlGateway))
                 for batch in (64, 1)]
        seen = {case: [] for case in cases}
        for _ in range(rounds):
            for case in cases:
                seen[case].append(herd(load, case[1], players, case[2]))
        print("%d players at once, %d rounds, medians" % (players, rounds))
        print("%-8s %6s %14s %8s" % ("", "batch", "handshakes/s", "queries"))
        for case in cases:
            print("%-8s %6d %14.0f %8.0f" % (
                case[0], case[2],
                statistics.median(r[0] for r in seen[case]),
                statistics.median(r[1] for r in seen[case])))
    finally:
        server.remove()


main()
