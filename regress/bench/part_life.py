"""As many connections as the limit of open files allows: opened, pinged,
broadcast to and closed, and nothing may be missing."""
import load
import pick

TITLE = "A whole life of as many connections as open files allow"
BROADCASTS = 10


def measure(kinds, n_rounds):
    clients = pick.counts()[-1]
    server = pick.servers(kinds)[0]().start()
    try:
        return load.run(server, "broadcast", "life", limit=300, lossless=False,
                        conns=clients, msgs=BROADCASTS, stall=20)
    finally:
        server.stop()


def missing(result):
    """Of everything, together."""
    n = result["conns"]
    return (n - result["pongs"]) + (n - result["clean_closes"]) + \
        abs(result["lost"]) + result["dup"] + result["failed"]


def tables(result):
    n = result["conns"]

    def row(what, got, want, seconds=None):
        return [what, "{:,}".format(got), "{:,}".format(want - got),
                "" if seconds is None else "%.1f" % seconds]
    return [(None, ["", "number", "missing", "seconds"], [
        row("opened", n, n + result["failed"], result["open_s"]),
        row("pings answered", result["pongs"], n, result["ping_s"]),
        row("frames of %d broadcasts" % BROADCASTS, result["delivered"],
            n * BROADCASTS, result["secs"]),
        row("closed with a handshake", result["clean_closes"], n,
            result["close_s"])])]
