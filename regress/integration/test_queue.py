"""Messages for players who are away: contract, section 4."""
import json
import threading
import time

import pytest

from gateway import wait_for
from rawhttp import RawHTTP, post


@pytest.fixture
def queue(start):
    """queue(settings of the block) gives a daemon with players 0 to 9."""
    def run(settings, max_body="1M"):
        g = start("publishers { rate-limit 0; max-body %s }\nqueue { %s }" %
                  (max_body, settings), wait=False)
        g.add_token("s1", subject="s", server=True)
        for i in range(10):
            g.add_token("p%d" % i, i)
        return g.start()
    return run


def texts(ws, n):
    return [json.loads(ws.recv_text())["payload"] for _ in range(n)]


def nothing_more(ws):
    """A text frame would make recv() in settle() show it first."""
    ws.send(9, b"mark")
    assert ws.recv() == (10, b"mark")


def test_the_next_connection_gets_what_is_left_oldest_first(shared, connect):
    token, player = shared.fresh()
    for n in range(100):
        assert shared.publish(player, "e", n) == {"delivered": 0, "queued": 1}
    ws = connect(shared, token)
    assert texts(ws, 100) == list(range(100))
    nothing_more(ws)


def test_once(shared, connect):
    token, player = shared.fresh()
    shared.publish(player, "e", 1)
    first = connect(shared, token)
    assert texts(first, 1) == [1]
    second = connect(shared, token)
    nothing_more(second)
    first.close()
    nothing_more(connect(shared, token))


def test_a_queued_message_is_the_same_to_the_byte(shared, connect):
    token, player = shared.fresh()
    body = b'{"player_id":"%s","event":"\\u00e9","payload":' \
        b'{"z":9007199254740993,"a":1.0}}' % player.encode()
    with RawHTTP(shared) as c:
        assert c.ask(post("/publish", body)).body == \
            b'{"delivered":0,"queued":1}\n'
    assert connect(shared, token).recv() == (
        1, b'{"event":"\\u00e9","payload":{"z":9007199254740993,"a":1.0}}')


@pytest.mark.parametrize("more", [1, 3])
def test_only_the_next_connection_gets_it(shared, connect, more):
    token, player = shared.fresh()
    for n in range(5):
        shared.publish(player, "e", n)
    first = connect(shared, token)
    others = [connect(shared, token) for _ in range(more)]
    assert texts(first, 5) == list(range(5))
    for ws in others:
        nothing_more(ws)
    shared.publish(player, "e", "new")
    for ws in (first, *others):
        assert texts(ws, 1) == ["new"]


def test_before_anything_newer(queue, connect):
    """While a server publishes without a pause, the player comes: it gets all
    in order, none twice."""
    g = queue("max-messages 100000; ttl 1m")
    for turn in range(3):
        count = 400
        queued = []

        def server():
            with RawHTTP(g) as c:
                for n in range(count):
                    res = c.ask(post("/publish", json.dumps(
                        {"player_id": turn, "event": "e",
                         "payload": n}).encode()))
                    queued.append(json.loads(res.body)["queued"])
        t = threading.Thread(target=server)
        t.start()
        wait_for(lambda: len(queued) > 50, "some that are queued")
        ws = connect(g, "p%d" % turn)
        assert texts(ws, count) == list(range(count))
        t.join()
        nothing_more(ws)
        assert queued[0] == 1
        assert queued == sorted(queued, reverse=True)


def test_at_most_max_queued_and_the_oldest_goes(queue, connect):
    g = queue("max-messages 5; ttl 1m")
    for n in range(12):
        assert g.publish("1", "e", n)["queued"] == 1
    assert g.metrics()["ws_queue_messages"] == 5
    assert g.metrics()[
        'ws_messages_dropped_total{reason="queue_full"}'] == 7
    assert texts(connect(g, "p1"), 5) == [7, 8, 9, 10, 11]


def test_the_default_is_100(shared, connect):
    token, player = shared.fresh()
    for n in range(105):
        shared.publish(player, "e", n)
    ws = connect(shared, token)
    assert texts(ws, 100) == list(range(5, 105))
    nothing_more(ws)


def test_one_player_does_not_cost_another(queue, connect):
    """The bound is each player's, and so is what waits."""
    g = queue("max-messages 3; ttl 1m")
    for n in range(3):
        g.publish("1", "e", n)
    for n in range(50):
        g.publish("2", "e", n)
    assert texts(connect(g, "p2"), 3) == [47, 48, 49]
    ws = connect(g, "p1")
    assert texts(ws, 3) == [0, 1, 2]
    nothing_more(ws)
    nothing_more(connect(g, "p3"))


def test_no_queue(queue, connect):
    g = queue("max-messages 0")
    assert g.publish("1", "e") == {"delivered": 0, "queued": 0}
    nothing_more(connect(g, "p1"))


def test_each_message_lives_for_the_ttl(queue, connect):
    g = queue("ttl 200ms")
    begin = time.monotonic()
    g.publish("1", "e", 1)
    wait_for(lambda: g.metrics()["ws_messages_expired_total"] == 1, "expiry")
    assert time.monotonic() - begin >= 0.2
    m = g.metrics()
    assert m["ws_queue_messages"] == m["ws_queue_bytes"] == \
        m["ws_queue_players"] == 0
    nothing_more(connect(g, "p1"))


def test_each_has_its_own_time(queue, connect):
    g = queue("ttl 2s")
    begin = time.monotonic()
    g.publish("1", "e", "old")
    time.sleep(1.2)     # of the message's life
    g.publish("1", "e", "new")
    assert time.monotonic() - begin < 2
    wait_for(lambda: g.metrics()["ws_messages_expired_total"] >= 1, "expiry")
    assert g.metrics()["ws_messages_expired_total"] == 1
    ws = connect(g, "p1")
    assert texts(ws, 1) == ["new"]
    nothing_more(ws)



def test_bounded_as_a_whole_by_messages(queue, connect):
    """The oldest of all go."""
    g = queue("total-messages 6; ttl 1m")
    for n in range(4):
        for player in (1, 2):
            g.publish(str(player), "e", n)
    assert g.metrics()["ws_queue_messages"] == 6
    assert g.metrics()[
        'ws_messages_dropped_total{reason="queue_total"}'] == 2
    assert texts(connect(g, "p1"), 3) == [1, 2, 3]
    assert texts(connect(g, "p2"), 3) == [1, 2, 3]


def test_bounded_as_a_whole_by_bytes(queue, connect):
    g = queue("total-bytes 64K; ttl 1m", max_body="64K")
    for n in range(40):
        assert g.publish(str(n % 10), "e", [n, "x" * 5000])["queued"] == 1
        assert g.metrics()["ws_queue_bytes"] <= 65536
    left = int(g.metrics()["ws_queue_messages"])
    assert 10 <= left <= 13
    for i in range(10):
        want = [n for n in range(40 - left, 40) if n % 10 == i]
        assert [n for n, _ in texts(connect(g, "p%d" % i), len(want))] == want
    assert g.metrics()["ws_queue_messages"] == 0
    # One that is as large as it gets takes nearly all the room.
    for n in range(5):
        g.publish("away", "e", n)
    g.publish("x", "e", "x" * 65450)
    m = g.metrics()
    assert m["ws_queue_messages"] < 6
    assert 65450 < m["ws_queue_bytes"] <= 65536


def test_a_broadcast_is_never_queued(shared, connect):
    token, player = shared.fresh()
    shared.broadcast("all", 1)
    status, _, body = shared.post("/broadcast", {
        "player_id": player, "event": "one"})
    assert (status, body) == (200, b'{"delivered":0,"queued":0}\n')
    shared.publish(player, "e", "only")
    ws = connect(shared, token)
    assert texts(ws, 1) == ["only"]
    nothing_more(ws)


def test_queued_while_the_connection_closes(shared, connect):
    """A player who has gone is away, from its close on."""
    token, player = shared.fresh()
    ws = connect(shared, token)
    ws.close()
    assert shared.publish(player, "e", 1) == {"delivered": 0, "queued": 1}
    assert texts(connect(shared, token), 1) == [1]


def test_a_refused_connection_gets_nothing(shared, connect):
    """A bad handshake does not cost the queue."""
    token, player = shared.fresh()
    shared.publish(player, "e", 1)
    with RawHTTP(shared) as c:
        res = c.ask(b"GET /ws?token=%s HTTP/1.1\r\nHost: x\r\n\r\n" %
                    token.encode())
        assert res.status == 400
    assert texts(connect(shared, token), 1) == [1]


def test_a_long_queue_is_no_slow_player(queue, connect):
    """What waited may be more than the bound of the send queue."""
    g = queue("max-messages 1000; ttl 1m; total-bytes 64M")
    payload = "x" * 100000
    for n in range(80):
        g.publish("1", "e", [n, payload])
    ws = connect(g, "p1")
    assert [p[0] for p in texts(ws, 80)] == list(range(80))
    nothing_more(ws)


def test_a_queue_of_very_many(queue, connect):
    """As many as max-messages says, however small they are."""
    g = queue("max-messages 70000; ttl 1m; total-messages 70000")
    count = 70000
    data = post("/publish", b'{"player_id":1,"event":""}')
    with RawHTTP(g) as c:
        for _ in range(count // 500):
            c.send(data * 500)
            for _ in range(500):
                assert c.response().body == b'{"delivered":0,"queued":1}\n'
    ws = connect(g, "p1")
    want = b'{"event":"","payload":null}'
    for _ in range(count):
        assert ws.recv() == (1, want)
    nothing_more(ws)


def test_a_subject_has_a_queue_as_well(shared, connect):
    token = shared.add_token("with-subject", subject="queue-subject")
    shared.publish("queue-subject", "e", 1)
    assert texts(connect(shared, token), 1) == [1]


def test_in_memory(start, connect):
    """A restart forgets it."""
    first = start("publishers { rate-limit 0 }", wait=False)
    first.add_token("s1", subject="s", server=True)
    first.add_token("p1", 1)
    first.start()
    first.publish("1", "e")
    assert first.stop() == 0
    second = start("publishers { rate-limit 0 }", wait=False)
    (second.dir / "stdout").unlink()
    second.start()
    nothing_more(connect(second, "p1"))
