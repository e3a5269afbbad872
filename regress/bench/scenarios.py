"""What "make bench" measures: each scenario is a run of wsload."""
import machine

NOT_BATCHED = ("merged", "floor uring")     # differ in broadcasts only


def broadcast(name, title, clients=1000, seconds=1.5, **options):
    return {"name": name, "title": title, "kind": "broadcast",
            "mode": "fanout", "key": "deliveries_per_cpu_s",
            "options": {"conns": clients, "seconds": seconds,
                        "msgs": 20000 if clients <= 1000 else 4000,
                        "warmup": 50 if clients <= 1000 else 5, **options}}


def publish(name, title, seconds=1.5, **options):
    return {"name": name, "title": title, "kind": "unicast",
            "mode": "unicast", "key": "pubs_per_cpu_s",
            "without": NOT_BATCHED,
            "options": {"conns": 1000, "seconds": seconds, "msgs": 1000000,
                        "warmup": 1000, "inflight": 64, **options}}


def handshakes(clients, name="handshakes", title="handshakes", **more):
    return {"name": name, "title": title, "kind": "connect",
            "mode": "idle", "key": "handshakes_per_cpu_s",
            "without": NOT_BATCHED,
            "options": {"conns": clients, "hold": 0.1}, **more}


def quick(clients=1000, many=10000, seconds=1.5):
    many = min(many, machine.most_clients())
    n = "{:,}".format(clients)
    return [
        broadcast("broadcast", "broadcast to %s, one in flight" % n,
                  clients, seconds),
        broadcast("broadcast16", "broadcast to %s, 16 in flight" % n,
                  clients, seconds, inflight=16),
        broadcast("broadcast4k", "broadcast to %s of 4 KiB" % n,
                  clients, seconds, payload=4096),
        broadcast("broadcast10k", "broadcast to {:,}, one in flight".format(
            many), many, seconds),
        publish("publish", "publish to one of %s, 64 in flight" % n,
                seconds, conns=clients),
        publish("pipelined", "the same, pipelined on one connection",
                seconds, conns=clients, pub_conns=1),
        handshakes(many, "herd", "handshakes, a server just started",
                   fresh=True),
        handshakes(many, title="handshakes, as many as there were before"),
    ]
