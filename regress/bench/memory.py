"""Memory by the number of idle connections.  Each count is asked of a server
that was started anew: an allocator keeps what an earlier run freed."""
import load
from rounds import say


def idle(kind, clients, hold, options):
    server = kind().start()
    try:
        return load.run(server, "connect", "idle", conns=clients, hold=hold,
                        **options)
    finally:
        server.stop()


def by_count(kind, counts, hold=1.5, **options):
    """[result for each count], read after so many seconds; ends at the first
    that can't be had."""
    seen = []
    for clients in counts:
        say("memory: %s, %d clients" % (kind.name, clients))
        try:
            seen.append(idle(kind, clients, hold, options))
        except load.Lost as e:
            say("  no figure: %s" % e)
            break
    return seen


def slope(seen, key="priv"):
    """Bytes that one connection adds, by least squares; with two counts it is
    the difference of the two."""
    if len(seen) < 2:
        return None
    xs = [r["conns"] for r in seen]
    ys = [r[key] for r in seen]
    mx, my = sum(xs) / len(xs), sum(ys) / len(ys)
    return sum((x - mx) * (y - my) for x, y in zip(xs, ys)) / \
        sum((x - mx) ** 2 for x in xs)


def at(seen, clients, key="priv"):
    """What so many would take, by the slope."""
    return seen[-1][key] + slope(seen, key) * (clients - seen[-1]["conns"])
