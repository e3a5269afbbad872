"""What a connected player gets and may send: contract, section 2."""
import json
import time

import pytest

from gateway import wait_for
from rawhttp import RawHTTP, post
from rawws import (BINARY, CLOSE, CONT, PING, PONG, TEXT, Closed, close_payload,
                   frame)


@pytest.fixture
def player(shared, connect):
    """A connected player; what it is told is told by .say(payload bytes)."""
    token, name = shared.fresh()
    ws = connect(shared, token)
    ws.gateway, ws.player = shared, name
    return ws


def publish(gateway, player, event, payload=None):
    """The JSON of event and payload as it is."""
    body = b'{"player_id":"%s","event":%s' % (player.encode(), event)
    if payload is not None:
        body += b',"payload":' + payload
    with RawHTTP(gateway) as c:
        res = c.ask(post("/publish", body + b"}"))
        assert res.status == 200, res


def text(ws):
    """The next frame, which must be text, as bytes."""
    opcode, data = ws.recv()
    assert opcode == TEXT
    return data


# -- the shape of a message ---------------------------------------------------

def test_a_message_is_one_unfragmented_text_frame(player):
    publish(player.gateway, player.player, b'"hello"', b'{"a":1}')
    assert player.read(1) == b"\x81"
    n = player.read(1)[0]
    assert player.read(n) == b'{"event":"hello","payload":{"a":1}}'


def test_a_payload_that_was_not_given_is_null(player):
    publish(player.gateway, player.player, b'"e"')
    assert text(player) == b'{"event":"e","payload":null}'


@pytest.mark.parametrize("event", [
    b'"e"', b'""', b'"a\\"b"', b'"\\u00e9"', '"\u00e9"'.encode(),
    b'"\\/\\b\\f\\n\\r\\t\\\\"', b'"\\u0000"', b'"payload"',
    '"\U0001f600\u2028"'.encode()], ids=repr)
def test_event_is_what_the_server_sent(player, event):
    publish(player.gateway, player.player, event, b"1")
    assert text(player) == b'{"event":' + event + b',"payload":1}'


@pytest.mark.parametrize("payload", [
    b"null", b"true", b"false", b"0", b"-0", b"1.0", b"1.10", b"1e2", b"1E+2",
    b"9007199254740993", b"-9007199254740993", b"12345678901234567890123",
    b"0.1000000000000000055511151231257827", b"1e400", b"-1E-400",
    b"123456789.123456789123456789", b'""', b'"x"', b"[]", b"{}", b"[[],{}]",
    b'{"z":1,"a":2,"m":3}', b'{"a":1,"a":2}', b'{"":0}',
    b'{"b":{"z":[3,1,2],"a":null},"a":0}',
    b'"\\u00e9\\ud83d\\ude00"', '"\u00e9\U0001f600"'.encode(), b'"\\/"',
    b'"/"', b'"\\u003cscript\\u003e"', b'"<script>&\xe2\x80\xa8"',
    b'"\\u0000"', b'"\x7f"', '"\ufffd\ufeff\U0010ffff"'.encode(),
    b'[ 1 , 2 ]', b'{ "a" : 1 }',
], ids=repr)
def test_payload_is_what_the_server_sent(player, payload):
    """Numbers keep every digit, objects their order, strings their escapes."""
    publish(player.gateway, player.player, b'"e"', payload)
    assert text(player) == b'{"event":"e","payload":' + payload + b"}"


def test_white_space_around_values_does_not_matter(player):
    with RawHTTP(player.gateway) as c:
        assert c.ask(post("/publish", b' { "event" : "e" , "payload" : [1] , '
                          b'"player_id" : "%s" } ' %
                          player.player.encode())).status == 200
    assert text(player) == b'{"event":"e","payload":[1]}'


OVERHEAD = len('{"event":"e","payload":""}')


@pytest.mark.parametrize("size", [
    OVERHEAD, 124, 125, 126, 127, 128, 255, 256, 4095, 4096, 65534, 65535,
    65536, 65537, 131072, 500000, 1048500])
def test_every_length_of_a_frame(player, size):
    """recv() checks that the length is in its shortest form."""
    payload = b"x" * (size - OVERHEAD)
    publish(player.gateway, player.player, b'"e"', b'"%s"' % payload)
    data = text(player)
    assert len(data) == size
    assert data == b'{"event":"e","payload":"' + payload + b'"}'


def test_messages_keep_their_order(player):
    with RawHTTP(player.gateway) as c:
        for n in range(200):
            c.send(post("/publish", b'{"player_id":"%s","event":"%d"}' %
                        (player.player.encode(), n)))
        for n in range(200):
            assert c.response().status == 200
    for n in range(200):
        assert text(player) == b'{"event":"%d","payload":null}' % n


def test_every_connection_gets_every_message(shared, connect):
    token, player = shared.fresh()
    second = shared.add_token("again", int(player))
    ws = [connect(shared, t) for t in (token, token, second, second, token)]
    for n in range(50):
        assert shared.publish(player, "n", n)["delivered"] == 5
    for one in ws:
        for n in range(50):
            assert json.loads(text(one)) == {"event": "n", "payload": n}


# -- what players send --------------------------------------------------------

@pytest.mark.parametrize("payload", [b"", b"x", b"x" * 125, b"x" * 126,
                                     b"x" * 65535, b"x" * 65536], ids=len)
@pytest.mark.parametrize("opcode", [TEXT, BINARY])
def test_what_players_send_is_read_and_dropped(player, opcode, payload):
    before = player.gateway.metrics()["ws_messages_received_total"]
    for _ in range(3):
        player.send(opcode, payload)
    player.settle()
    assert player.gateway.metrics()["ws_messages_received_total"] == \
        before + 3
    assert player.gateway.publish(player.player, "e")["delivered"] == 1
    assert text(player) == b'{"event":"e","payload":null}'


def test_fragmented_messages(player):
    player.send(TEXT, b"a", fin=False)
    player.send(CONT, b"", fin=False)
    player.send(CONT, b"b", fin=False)
    player.send(CONT, b"c")
    player.send(BINARY, b"", fin=False)
    player.send(CONT, b"")
    player.settle()


def test_control_frames_inside_a_fragmented_message(player):
    player.send(TEXT, "\u00e9".encode()[:1], fin=False)
    player.send(PING, b"now")
    assert player.recv() == (PONG, b"now")
    player.send(PONG, b"unasked")
    player.send(CONT, "\u00e9".encode()[1:])
    player.settle()


@pytest.mark.parametrize("payload", [b"", b"x", b"\xff\0", b"x" * 125])
def test_pings_are_answered(player, payload):
    player.send(PING, payload)
    assert player.recv() == (PONG, payload)


def test_many_pings_are_answered_in_order(player):
    player.sock.sendall(b"".join(frame(PING, b"%d" % n) for n in range(100)))
    for n in range(100):
        assert player.recv() == (PONG, b"%d" % n)


def test_unasked_pongs_are_no_matter(player):
    for _ in range(3):
        player.send(PONG, b"hello")
    player.settle()


def test_frames_byte_by_byte(player):
    data = frame(TEXT, "h\u00e9llo".encode(), fin=False) + \
        frame(PING, b"p") + frame(CONT, b"x" * 130) + frame(PING, b"q")
    for byte in data:
        player.sock.sendall(bytes([byte]))
    assert player.recv() == (PONG, b"p")
    assert player.recv() == (PONG, b"q")


@pytest.mark.parametrize("payload", [
    b"", close_payload(1000), close_payload(1001, b"bye"),
    close_payload(1000, "\u00e9".encode() * 61), close_payload(1003),
    close_payload(1011), close_payload(3000), close_payload(4999, b"x" * 123)],
    ids=repr)
def test_close_is_echoed(player, payload):
    player.send(CLOSE, payload)
    opcode, data = player.recv()
    assert opcode == CLOSE
    assert data == payload[:2]
    # The server closes the TCP connection first (RFC 6455, 7.1.1).
    assert player.at_eof()


def test_nothing_after_a_close(player):
    """What follows a close frame is not looked at."""
    player.sock.sendall(frame(CLOSE, close_payload(1000)) +
                        frame(PING, b"x") + b"\xff\xff\xff")
    assert player.recv() == (CLOSE, close_payload(1000))
    assert player.at_eof()


def test_who_has_closed_gets_nothing_more(shared, connect):
    token, player = shared.fresh()
    ws = connect(shared, token)
    ws.send(CLOSE, close_payload(1000))
    assert ws.recv() == (CLOSE, close_payload(1000))
    assert shared.publish(player, "e") == {"delivered": 0, "queued": 1}
    assert ws.at_eof()


def test_vanishing_without_a_close(shared, connect):
    token, player = shared.fresh()
    ws = connect(shared, token)
    ws.abort()
    wait_for(lambda: shared.publish(player, "e")["delivered"] == 0,
             "the end of the connection")


BAD = [
    ("unmasked", frame(TEXT, b"x", mask=False), 1002),
    ("unmasked control", frame(PING, b"x", mask=False), 1002),
    ("RSV1", frame(TEXT, b"x", rsv=4), 1002),
    ("RSV2", frame(TEXT, b"x", rsv=2), 1002),
    ("RSV3", frame(PING, b"x", rsv=1), 1002),
    ("opcode 3", frame(3, b"x"), 1002),
    ("opcode 7", frame(7, b"x"), 1002),
    ("opcode 11", frame(11, b"x"), 1002),
    ("opcode 15", frame(15, b""), 1002),
    ("fragmented ping", frame(PING, b"x", fin=False), 1002),
    ("fragmented close", frame(CLOSE, b"", fin=False), 1002),
    ("ping of 126", frame(PING, b"x" * 126), 1002),
    ("close of 126", frame(CLOSE, close_payload(1000, b"x" * 124)), 1002),
    ("continuation of nothing", frame(CONT, b"x"), 1002),
    ("continuation after the end",
     frame(TEXT, b"a", fin=False) + frame(CONT, b"b") + frame(CONT, b"c"),
     1002),
    ("start inside a message",
     frame(TEXT, b"a", fin=False) + frame(TEXT, b"b"), 1002),
    ("length not minimal, 16", frame(TEXT, b"x", length=16), 1002),
    ("length not minimal, 64", frame(TEXT, b"x" * 200, length=64), 1002),
    ("length of 64 bits", b"\x81\xff" + b"\xff" * 8 + b"mask", 1002),
    ("close of one byte", frame(CLOSE, b"\x03"), 1002),
    ("close 0", frame(CLOSE, close_payload(0)), 1002),
    ("close 999", frame(CLOSE, close_payload(999)), 1002),
    ("close 1004", frame(CLOSE, close_payload(1004)), 1002),
    ("close 1005", frame(CLOSE, close_payload(1005)), 1002),
    ("close 1006", frame(CLOSE, close_payload(1006)), 1002),
    ("close 1015", frame(CLOSE, close_payload(1015)), 1002),
    ("close 2999", frame(CLOSE, close_payload(2999)), 1002),
    ("close 5000", frame(CLOSE, close_payload(5000)), 1002),
    ("close 65535", frame(CLOSE, close_payload(65535)), 1002),
    ("bad UTF-8", frame(TEXT, b"\xff"), 1007),
    ("overlong", frame(TEXT, b"\xc0\x80"), 1007),
    ("surrogate", frame(TEXT, b"\xed\xa0\x80"), 1007),
    ("above U+10FFFF", frame(TEXT, b"\xf4\x90\x80\x80"), 1007),
    ("cut at the end", frame(TEXT, b"abc\xe2\x82"), 1007),
    ("cut over fragments", frame(TEXT, b"\xe2", fin=False) +
     frame(CONT, b"\x82", fin=False) + frame(CONT, b""), 1007),
    ("bad before the end of the message",
     frame(TEXT, b"a\xffb", fin=False), 1007),
    ("bad close reason", frame(CLOSE, close_payload(1000, b"\xff")), 1007),
    ("over 64K", frame(TEXT, b"x" * 65537), 1009),
    ("announced over 64K", b"\x82\xff" + (1 << 40).to_bytes(8, "big") +
     b"mask", 1009),
    ("over 64K in fragments", frame(BINARY, b"x" * 40000, fin=False) +
     frame(CONT, b"x" * 30000), 1009),
]


@pytest.mark.parametrize("data,code", [b[1:] for b in BAD],
                         ids=[b[0] for b in BAD])
def test_protocol_errors_close_with_their_code(player, data, code):
    name = {1002: "protocol", 1007: "bad_data", 1009: "too_big"}[code]
    name = 'ws_connections_closed_total{reason="%s"}' % name
    before = player.gateway.metrics()[name]
    try:
        player.sock.sendall(data)
    except (ConnectionResetError, BrokenPipeError):
        pass        # it was told before all was sent
    got, reason = player.recv_close()
    assert got == code
    assert reason.isprintable()
    # What comes after it is read and not looked at.
    player.send(PING, b"x")
    assert player.at_eof()
    assert player.gateway.metrics()[name] == before + 1
    assert player.gateway.publish(player.player, "e")["delivered"] == 0


def test_too_many_fragments(start, connect):
    g = start("players { max-fragments 10 }", wait=False)
    g.add_token("p", 1)
    g.start()
    ws = connect(g, "p")
    for n in range(3):
        ws.send(TEXT, b"x", fin=False)
        for _ in range(8):
            ws.send(CONT, b"", fin=False)
        ws.send(CONT, b"x")
    ws.settle()
    ws.send(TEXT, b"x", fin=False)
    for _ in range(10):
        ws.send(CONT, b"", fin=False)
    assert ws.recv_close()[0] == 1008


def test_max_message_can_be_set(start, connect):
    g = start("players { max-message 10 }", wait=False)
    g.add_token("p", 1)
    g.start()
    ws = connect(g, "p")
    ws.send(TEXT, b"x" * 10)
    ws.settle()
    ws.send(TEXT, b"x" * 11)
    assert ws.recv_close()[0] == 1009


def test_a_peer_that_does_not_answer_a_close(start, connect):
    """It is dropped after close-timeout."""
    g = start("players { close-timeout 100ms; revalidate-period 50ms }",
              wait=False)
    g.add_token("p", 1)
    g.start()
    ws = connect(g, "p")
    g.delete_token("p")
    assert ws.recv_close() == (1008, "token expired")
    assert ws.at_eof()
    wait_for(lambda: g.metrics()["ws_http_connections"] == 1, "the end")


# -- pings and pongs ----------------------------------------------------------

def lively(start, ping, pong):
    g = start("publishers { rate-limit 0 }\nplayers { ping-interval %s; "
              "pong-timeout %s; max-connections 20 }" % (ping, pong),
              wait=False)
    g.add_token("s1", subject="s", server=True)
    g.add_token("p", 1)
    return g.start()


def test_empty_pings_go_out_on_time(start, connect):
    g = lively(start, "100ms", "1h")
    ws = connect(g, "p")
    begin = time.monotonic()
    for _ in range(5):
        assert ws.recv() == (PING, b"")
    assert 0.4 < time.monotonic() - begin < 5


def test_no_pong_and_the_connection_is_dropped(start, connect):
    """Whatever else it sends."""
    g = lively(start, "50ms", "400ms")
    ws = connect(g, "p")
    begin = time.monotonic()
    pings = 0
    with pytest.raises((Closed, ConnectionError)):
        while True:
            opcode, _ = ws.recv()
            pings += opcode == PING
            # Text and pings of our own are no pongs.
            ws.send(TEXT, b"alive")
            ws.send(PING, b"alive")
    assert pings >= 2
    assert 0.35 < time.monotonic() - begin < 5
    assert g.metrics()[
        'ws_connections_closed_total{reason="pong_timeout"}'] == 1
    assert g.publish("1", "e") == {"delivered": 0, "queued": 1}


def test_pongs_keep_it_alive(start, connect):
    g = lively(start, "100ms", "800ms")
    ws = connect(g, "p")
    end = time.monotonic() + 1.8
    while time.monotonic() < end:
        assert ws.recv() == (PING, b"")
        ws.send(PONG)
    ws.settle()
    assert g.publish("1", "e") == {"delivered": 1, "queued": 0}


def test_pings_go_on_between_messages(start, connect):
    g = lively(start, "20ms", "1h")
    ws = connect(g, "p")
    seen = set()
    for n in range(1000):
        g.publish("1", "e", n)
        while True:
            opcode, data = ws.recv()
            seen.add(opcode)
            if opcode == TEXT:
                assert json.loads(data)["payload"] == n
                break
        if seen == {PING, TEXT}:
            break
    assert seen == {PING, TEXT}


# -- revalidation -------------------------------------------------------------

def checked(start, period):
    g = start("publishers { rate-limit 0 }\n"
              "tokens { cache 1h; lookup-timeout 500ms }\nplayers { "
              "revalidate-period %s }" % period, wait=False)
    g.add_token("s1", subject="s", server=True)
    for i in range(100):
        g.add_token("p%d" % i, i)
    return g.start()


@pytest.mark.parametrize("change", [
    "DELETE FROM ws_token WHERE token = 'p1'",
    "UPDATE ws_token SET expires_at = '2000-01-01 00:00:00' "
    "WHERE token = 'p1'",
    "UPDATE ws_token SET is_server = 1 WHERE token = 'p1'",
    "UPDATE ws_token SET token = 'other' WHERE token = 'p1'"])
def test_a_token_that_became_invalid_closes_its_connections(start, connect,
                                                            change):
    """With 1008 "token expired", within the period; nobody else's."""
    g = checked(start, "500ms")
    mine = [connect(g, "p1") for _ in range(3)]
    other = connect(g, "p2")
    begin = time.monotonic()
    g.execute(change)
    for ws in mine:
        assert ws.recv_close() == (1008, "token expired")
        ws.send(CLOSE, close_payload(1008))
        assert ws.at_eof()
    assert time.monotonic() - begin < 5
    other.settle()
    assert g.metrics()['ws_connections_closed_total{reason="token"}'] == 3
    assert g.publish("1", "e") == {"delivered": 0, "queued": 1}


def test_every_connection_is_looked_up_in_each_period(start, connect):
    """Spread over the period, in batches."""
    g = checked(start, "1s")
    players = [connect(g, "p%d" % i) for i in range(100)]
    before = g.metrics()
    begin = time.monotonic()
    seen = []

    def passed():
        m = g.metrics()
        n = m["ws_token_revalidations_total"] - \
            before["ws_token_revalidations_total"]
        seen.append(n)
        return n >= 200
    wait_for(passed, "two turns")
    elapsed = time.monotonic() - begin
    # Not more often than needed, nor all at once.
    assert elapsed > 1.2
    assert len(set(seen)) > 10
    g.execute("DELETE FROM ws_token WHERE is_server = 0")
    begin = time.monotonic()
    for ws in players:
        assert ws.recv_close() == (1008, "token expired")
    assert time.monotonic() - begin < 6


def test_revalidation_with_the_database_locked_keeps_players(start, connect):
    """And is made up when it is back."""
    g = checked(start, "100ms")
    stay, go = connect(g, "p1"), connect(g, "p2")
    g.publish("1", "cached")
    con = g.sql()
    con.execute("BEGIN EXCLUSIVE")
    con.execute("DELETE FROM ws_token WHERE token = 'p2'")
    wait_for(lambda: g.metrics()["ws_store_up"] == 0, "the bad news")
    assert g.broadcast("still") == {"delivered": 2, "queued": 0}
    go.settle()
    con.execute("COMMIT")
    con.close()
    assert go.recv_close() == (1008, "token expired")
    stay.settle()
    stay.settle()
