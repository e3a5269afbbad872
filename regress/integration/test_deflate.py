"""permessage-deflate (RFC 7692): what is agreed on, what goes out, what comes in
and what it may cost.  The other side is Python's zlib, Python's websockets and
Node's ws."""
import asyncio
import itertools
import json
import random
import time
import zlib

import pytest
import websockets
from websockets.extensions.permessage_deflate import \
    ClientPerMessageDeflateFactory

from echo import EchoGateway, Player
from gateway import Folder, Gateway, wait_for
from rawws import (BINARY, CLOSE, CONT, PING, PONG, TEXT, RawWS, Refused,
                   close_payload, frame)
from test_real_clients import Node, publish, run, url

OFFER = "permessage-deflate"
NO = "server_no_context_takeover; client_no_context_takeover"
ANSWER = OFFER + "; " + NO
TAIL = b"\0\0\xff\xff"
RSV1 = 4
MAX = 1 << 20


def deflate(data, level=6, flush=zlib.Z_SYNC_FLUSH, bits=15, strategy=0):
    z = zlib.compressobj(level, zlib.DEFLATED, -bits, 8, strategy)
    out = z.compress(data) + z.flush(flush)
    if flush == zlib.Z_SYNC_FLUSH:
        assert out.endswith(TAIL)
        out = out[:-4]
    return out


def inflate(data):
    z = zlib.decompressobj(-15)
    return z.decompress(data + TAIL)


def letters(n, seed=1):
    return "".join(random.Random(seed).choices("0123456789abcdef", k=n))


class Squeezed(Player):
    """A player that speaks it; the last frame's RSV1 is in "squeezed"."""
    squeezed = False

    @classmethod
    def to(cls, gateway, token="echo", offer=OFFER, **kw):
        self = cls.connect(gateway, token, headers=[
            "Sec-WebSocket-Extensions: " + offer], **kw)
        assert self.headers["sec-websocket-extensions"].startswith(ANSWER)
        return self

    def recv(self):
        while len(self.buf) < 1:
            self.fill()
        self.squeezed = bool(self.buf[0] & 0x40)
        if self.squeezed:
            assert self.buf[0] & 15 in (TEXT, BINARY)
            self.buf = bytes([self.buf[0] & ~0x40]) + self.buf[1:]
        opcode, data = super().recv()
        return opcode, inflate(data) if self.squeezed else data

    def squeeze(self, data, opcode=TEXT, **kw):
        self.send(opcode, deflate(data), rsv=RSV1, **kw)


@pytest.fixture(scope="module")
def gateway():
    f = Folder()
    g = Gateway(f, "publishers { rate-limit 0 }\nplayers { compress yes; "
                "max-connections 1000 }")
    g.add_token("s1", subject="server-1", server=True)
    g.start()
    yield g
    g.check()
    f.remove()


@pytest.fixture(scope="module")
def echo():
    f = Folder()
    g = EchoGateway(f, "log level info\nplayers { compress yes; compress-min "
                    "1; max-connections 10000; max-message 1M; "
                    "max-fragments 20000 }")
    g.add_token("echo", 1)
    g.start()
    yield g
    g.check()
    f.remove()


# -- what is agreed on ----------------------------------------------------------

@pytest.mark.parametrize("offer, answer", [
    (OFFER, ANSWER),
    (OFFER + "; client_max_window_bits", ANSWER),
    (OFFER + "; client_max_window_bits=9; " + NO, ANSWER),
    (OFFER + "; server_max_window_bits=15",
     ANSWER + "; server_max_window_bits=15"),
    (OFFER + '; server_max_window_bits="15"',
     ANSWER + "; server_max_window_bits=15"),
    (OFFER + "; server_max_window_bits=12", None),
    (OFFER + "; server_max_window_bits=12, " + OFFER, ANSWER),
    (OFFER + "; server_max_window_bits", None),
    (OFFER + "; server_max_window_bits=16, x; y=z", None),
    (OFFER + "; client_max_window_bits; client_max_window_bits", None),
    (OFFER + "; server_no_context_takeover=1", None),
    (OFFER + "; foo, " + OFFER + "; bar", None),
    ("x-webkit-deflate-frame, " + OFFER, ANSWER),
    ("permessage-bzip2", None), ("", None)])
def test_offers(gateway, connect, offer, answer):
    token, _ = gateway.fresh()
    ws = connect(gateway, token,
                 headers=["Sec-WebSocket-Extensions: " + offer])
    assert ws.headers.get("sec-websocket-extensions") == answer
    if answer is None:
        ws.send(TEXT, deflate(b"x"), rsv=RSV1)
        assert ws.recv_close()[0] == 1002
    else:
        ws.send(TEXT, deflate(b"x"), rsv=RSV1)
        ws.settle()


def test_offers_on_several_lines(gateway, connect):
    token, _ = gateway.fresh()
    ws = connect(gateway, token, headers=[
        "Sec-WebSocket-Extensions: foo",
        "sec-websocket-extensions: " + OFFER + "; server_max_window_bits=8",
        "SEC-WEBSOCKET-EXTENSIONS: " + OFFER])
    assert ws.headers["sec-websocket-extensions"] == ANSWER


@pytest.mark.parametrize("offer", [
    OFFER + ";", OFFER + " foo", "; " + OFFER, OFFER + "; a=\"b c\"",
    OFFER + ", @"])
def test_offers_against_the_grammar(gateway, offer):
    token, _ = gateway.fresh()
    headers = ["Sec-WebSocket-Extensions: " + offer]
    with pytest.raises(Refused) as e:
        RawWS.connect(gateway, token, headers=headers)
    assert (e.value.status, e.value.body) == (400, b"bad handshake\n")
    with pytest.raises(Refused) as e:
        RawWS.connect(gateway, "nobody", headers=headers)
    assert e.value.status == 401


def test_nothing_is_agreed_with_a_stranger(gateway):
    with pytest.raises(Refused) as e:
        RawWS.connect(gateway, "nobody", headers=[
            "Sec-WebSocket-Extensions: " + OFFER])
    assert e.value.status == 401
    assert "sec-websocket-extensions" not in e.value.headers


def test_off_and_on_by_reload(start):
    g = start(wait=False)
    g.add_token("p1", 1)
    g.add_token("s1", subject="s", server=True)
    g.start()
    headers = ["Sec-WebSocket-Extensions: " + OFFER]
    assert "sec-websocket-extensions" not in \
        RawWS.connect(g, "p1", headers=headers).headers
    g.settings = "players { compress yes }"
    g.write_conf()
    g.ctl("reload")
    ws = Squeezed.to(g, "p1")
    g.settings = ""
    g.write_conf()
    g.ctl("reload")
    # What was agreed on stays.
    g.publish("1", "e", "x" * 2000)
    assert json.loads(ws.recv_text())["payload"] == "x" * 2000
    assert ws.squeezed
    ws.squeeze(b"hello")
    ws.settle()
    assert "sec-websocket-extensions" not in \
        RawWS.connect(g, "p1", headers=headers).headers


# -- what goes out ----------------------------------------------------------------

def compressed(g):
    m = g.metrics()
    return [m["ws_messages_compressed_total"],
            m["ws_compress_input_bytes_total"],
            m["ws_compress_output_bytes_total"]]


def test_a_broadcast_is_compressed_once(gateway):
    squeezed = [Squeezed.to(gateway, gateway.fresh()[0]) for _ in range(20)]
    plain = [RawWS.connect(gateway, gateway.fresh()[0]) for _ in range(20)]
    assert gateway.metrics()["ws_compressed_connections"] >= 20
    before = compressed(gateway)
    text = letters(2048)
    assert gateway.broadcast("e", text)["delivered"] >= 40
    want = '{"event":"e","payload":"%s"}' % text
    raw = []
    for ws in squeezed:
        while b"}" not in ws.buf and len(ws.buf) < 4:
            ws.fill()
        raw.append(ws.buf[:4])
        assert ws.recv() == (TEXT, want.encode())
        assert ws.squeezed
    assert len(set(raw)) == 1
    for ws in plain:
        assert ws.recv_text() == want
    after = compressed(gateway)
    assert after[0] - before[0] == 1
    assert after[1] - before[1] == len(want)
    assert 900 < after[2] - before[2] < 1400
    for ws in squeezed + plain:
        ws.close()


def test_small_messages_go_as_they_are(gateway):
    token, player = gateway.fresh()
    ws = Squeezed.to(gateway, token)
    frame_of = len('{"event":"e","payload":""}')
    for n in (0, 10, 255 - frame_of):
        gateway.publish(player, "e", "x" * n)
        ws.recv_text()
        assert not ws.squeezed
    for n in (256 - frame_of, 65536, 900000):
        gateway.publish(player, "e", "x" * n)
        assert json.loads(ws.recv_text())["payload"] == "x" * n
        assert ws.squeezed
    ws.close()


def test_what_can_not_get_smaller_goes_as_it_is(start):
    g = start("players { compress yes; compress-min 1; compress-level 9 }",
              wait=False)
    g.add_token("p1", 1)
    g.add_token("s1", subject="s", server=True)
    g.start()
    ws = Squeezed.to(g, "p1")
    g.publish("1", "e", 1)
    ws.recv_text()
    assert not ws.squeezed
    assert g.metrics()["ws_messages_compressed_total"] == 0
    ws.close()


def test_the_offline_queue_is_compressed_on_its_way(gateway):
    token, player = gateway.fresh()
    texts = [letters(n, n) for n in (5, 500, 5000)]
    for text in texts:
        assert gateway.publish(player, "e", text)["queued"] == 1
    ws = Squeezed.to(gateway, token)
    for text in texts:
        assert json.loads(ws.recv_text())["payload"] == text
        assert ws.squeezed == (len(text) > 5)
    # The next who comes gets them plain.
    ws.close()
    assert gateway.publish(player, "e", texts[2])["queued"] == 1
    ws = RawWS.connect(gateway, token)
    assert json.loads(ws.recv_text())["payload"] == texts[2]
    ws.close()


def test_one_player_with_both_kinds(gateway):
    token, player = gateway.fresh()
    plain = RawWS.connect(gateway, token)
    squeezed = Squeezed.to(gateway, token)
    for n in range(50):
        gateway.publish(player, "e", letters(1000, n))
    for n in range(50):
        for ws in (plain, squeezed):
            assert json.loads(ws.recv_text())["payload"] == letters(1000, n)
    plain.close()
    squeezed.close()


def test_send_queue_counts_what_goes_out(start):
    """Who does not read is closed by the bytes that wait for its socket; and
    nothing is left of them."""
    g = start("publishers { rate-limit 0 }\nplayers { compress yes; "
              "send-queue-hard 1M; send-queue-soft 512K }", wait=False)
    g.add_token("p1", 1)
    g.add_token("s1", subject="s", server=True)
    g.start()
    before = g.metrics()["ws_memory_bytes"]
    ws = Squeezed.to(g, "p1")
    text = letters(700000)
    for _ in range(100):
        if g.publish("1", "e", text)["delivered"] == 0:
            break
    else:
        raise AssertionError("never closed")
    closed = g.metrics()
    assert closed['ws_connections_closed_total{reason="slow"}'] == 1
    assert closed["ws_send_queue_bytes"] == 0
    ws.abort()
    left = g.metrics()
    # One message is in the offline queue, in both forms; the compressor stays.
    assert left["ws_memory_bytes"] - left["ws_queue_bytes"] - before < 750000


# -- what comes in -------------------------------------------------------------

SIZES = [0, 1, 2, 16, 64, 125, 126, 256, 1024, 4096, 8192, 16384, 32768,
         65535, 65536, 131072, MAX]


def content(n, kind=TEXT):
    if kind == BINARY:
        return random.Random(n).randbytes(n)
    return letters(n, n).encode()


@pytest.mark.parametrize("kind", [TEXT, BINARY], ids=["text", "binary"])
@pytest.mark.parametrize("n", SIZES)
def test_sizes(echo, n, kind):
    ws = Squeezed.to(echo)
    name = "text" if kind == TEXT else "binary"
    for level in (0, 1, 6, 9):
        ws.send(kind, deflate(content(n, kind), level), rsv=RSV1)
        ws.hear((name, content(n, kind)))
        assert ws.squeezed == (kind == TEXT and n > 16)
    ws.leave()


@pytest.mark.parametrize("chop", [1, 7, 1000])
@pytest.mark.parametrize("size", [1, 3, 100, 5000])
def test_fragments(echo, size, chop):
    data = deflate(content(20000))
    if size < 100 or chop == 1:
        data = deflate(content(3000))
    want = inflate(data)
    out = b""
    parts = [data[i:i + size] for i in range(0, len(data), size)]
    for i, part in enumerate(parts):
        out += frame(TEXT if i == 0 else CONT, part, fin=i == len(parts) - 1,
                     rsv=RSV1 if i == 0 else 0)
        if i % 50 == 1:
            out += frame(PING, b"%d" % i)
    ws = Squeezed.to(echo)
    ws.say(out, chop)
    for i in range(1, len(parts), 50):
        ws.hear(("pong", b"%d" % i))
    ws.hear(("text", want))
    ws.leave()


def test_many_messages_of_both_kinds(echo):
    ws = Squeezed.to(echo)
    rng = random.Random(5)
    data, want = b"", []
    for i in range(300):
        text = letters(rng.choice([0, 1, 20, 300, 3000]), i).encode()
        if rng.randrange(2):
            data += frame(TEXT, deflate(text, rng.randrange(10)), rsv=RSV1)
        else:
            data += frame(TEXT, text)
        want.append(("text", text))
    ws.say(data, 5000)
    ws.hear(*want)
    ws.leave()


HELLO = {
    "one": b"\xf2\x48\xcd\xc9\xc9\x07\x00",
    "stored": b"\x00\x05\x00\xfa\xff\x48\x65\x6c\x6c\x6f\x00",
    "final": b"\xf3\x48\xcd\xc9\xc9\x07\x00\x00",
    "final, cut": b"\xf3\x48\xcd\xc9\xc9\x07\x00",
    "two": b"\xf2\x48\x05\x00\x00\x00\xff\xff\xca\xc9\xc9\x07\x00",
    "huffman": deflate(b"Hello", strategy=zlib.Z_HUFFMAN_ONLY),
    "window": deflate(b"Hello", bits=9),
}


@pytest.mark.parametrize("name", HELLO)
def test_blocks_of_the_rfc(echo, name):
    """7.2.3: blocks of each kind, split over frames at each place."""
    data = HELLO[name]
    ws = Squeezed.to(echo)
    for at in range(len(data) + 1):
        ws.say(frame(TEXT, data[:at], fin=False, rsv=RSV1) +
               frame(CONT, data[at:]))
        ws.hear(("text", b"Hello"))
    ws.leave()


def test_the_context_is_not_kept(echo):
    """7.2.3.2: "Hello" by the one before it."""
    ws = Squeezed.to(echo)
    ws.send(TEXT, HELLO["one"], rsv=RSV1)
    ws.hear(("text", b"Hello"))
    ws.send(TEXT, b"\xf2\x00\x11\x00\x00", rsv=RSV1)
    ws.hear_close(1007)


@pytest.mark.parametrize("data, code", [
    (frame(CONT, b"", rsv=RSV1), 1002),
    (frame(TEXT, HELLO["one"][:3], fin=False, rsv=RSV1) +
     frame(CONT, HELLO["one"][3:], rsv=RSV1), 1002),
    (frame(TEXT, b"plain", fin=False) + frame(CONT, b"\0", rsv=RSV1), 1002),
    (frame(PING, b"", rsv=RSV1), 1002),
    (frame(PONG, b"", rsv=RSV1), 1002),
    (frame(CLOSE, close_payload(1000), rsv=RSV1), 1002),
    (frame(TEXT, b"\0", rsv=2), 1002),
    (frame(TEXT, b"\0", rsv=RSV1 | 1), 1002),
    (frame(3, b"\0", rsv=RSV1), 1002),
    (frame(TEXT, b"", rsv=RSV1), 1007),
    (frame(TEXT, b"\x07", rsv=RSV1), 1007),
    (frame(TEXT, b"\xff" * 100, fin=False, rsv=RSV1), 1007),
    (frame(BINARY, HELLO["one"][:4], rsv=RSV1), 1007),
    (frame(BINARY, HELLO["stored"][:7], rsv=RSV1), 1007),
    (frame(BINARY, deflate(b"x" * 5000)[:-3], rsv=RSV1), 1007),
    (frame(TEXT, deflate(b"\xff"), rsv=RSV1), 1007),
    (frame(TEXT, deflate(b"caf\xc3"), rsv=RSV1), 1007),
    (frame(TEXT, deflate(b"x" * (MAX - 1) + b"\xff"), rsv=RSV1), 1007),
    (frame(TEXT, deflate(b"x" * (MAX + 1)), rsv=RSV1), 1009),
    (frame(BINARY, b"\0" * (MAX + MAX // 8 + 65), rsv=RSV1), 1009),
], ids=map(str, itertools.count()))     # masks are random, names are not
def test_errors(echo, data, code):
    ws = Squeezed.to(echo)
    try:
        ws.sock.sendall(data)
    except (BrokenPipeError, ConnectionResetError):
        pass
    opcode, answer = ws.recv()
    assert opcode == CLOSE
    assert int.from_bytes(answer[:2], "big") == code, answer
    ws.abort()


def test_bad_text_is_seen_at_once(echo):
    """The rest is never sent."""
    data = deflate(b"x" * 100 + b"\xff" + letters(3000).encode(), 0)
    ws = Squeezed.to(echo)
    ws.say(frame(TEXT, data, rsv=RSV1)[:200])
    ws.hear_close(1007)


def test_text_over_all_boundaries(echo):
    """A character may be in two frames, two blocks, two pieces of output."""
    text = ("\u20ac\U0001f600\u00e9" * 50000)[:100000].encode()
    ws = Squeezed.to(echo)
    ws.squeeze(text)
    ws.hear(("text", text))
    z = zlib.compressobj(6, zlib.DEFLATED, -15)
    data = b"".join(z.compress(text[i:i + 1]) + z.flush(zlib.Z_SYNC_FLUSH)
                    for i in range(53))
    whole = text[:54]
    z2 = z.compress(text[53:54]) + z.flush(zlib.Z_SYNC_FLUSH)
    ws.say(frame(TEXT, (data + z2)[:-4], rsv=RSV1), 3)
    ws.hear(("text", whole))
    ws.leave()


def test_a_bomb(gateway, connect):
    """A thousand times what comes: refused past the limit, soon, and it costs
    nothing that stays."""
    token, _ = gateway.fresh()
    bomb = deflate(b"\0" * 60000000, 9)
    assert len(bomb) < 60000
    before = gateway.metrics()["ws_decompress_output_bytes_total"]
    began = time.monotonic()
    for _ in range(20):
        ws = Squeezed.to(gateway, token)
        ws.send(BINARY, bomb, rsv=RSV1)
        assert ws.recv_close()[0] == 1009
        ws.abort()
    assert time.monotonic() - began < 10
    after = gateway.metrics()
    assert after["ws_decompress_output_bytes_total"] - before <= 20 * 65536
    # Blocks with nothing in them are bounded by their own length.
    ws = Squeezed.to(gateway, token)
    ws.send(BINARY, b"\0\0\0\xff\xff" * 20000, rsv=RSV1)
    assert ws.recv_close()[0] == 1009
    ws.abort()
    ws = Squeezed.to(gateway, token)
    ws.send(BINARY, (b"\x03\0" * 30000), rsv=RSV1)
    ws.settle()
    ws.close()


# -- what it costs ----------------------------------------------------------------

def memory(g):
    return g.metrics()["ws_memory_bytes"]


def settled(g, want):
    wait_for(lambda: memory(g) == want, "memory_bytes %d" % want)


def test_idle_it_costs_what_others_do(start):
    g = start("players { compress yes; max-connections 100 }", wait=False)
    g.add_token("p1", 1)
    g.start()
    first = RawWS.connect(g, "p1")
    base = memory(g)
    plain = [RawWS.connect(g, "p1") for _ in range(30)]
    each = memory(g) - base
    squeezed = [Squeezed.to(g, "p1") for _ in range(30)]
    assert memory(g) - base == 2 * each
    # One message after the other needs one inflater, whoever sends them.
    for ws in squeezed:
        for _ in range(3):
            ws.squeeze(b"hello " * 1000)
        ws.settle()
    spare = memory(g) - base - 2 * each
    assert 32768 < spare < 49152
    # A message that is open needs one each, until it ends.
    data = deflate(letters(5000).encode())
    for ws in squeezed:
        ws.send(TEXT, data[:1000], fin=False, rsv=RSV1)
        ws.settle()
    assert memory(g) - base - 2 * each == 30 * spare
    for ws in squeezed[:10]:
        ws.send(CONT, data[1000:])
        ws.settle()
    # One is kept for the next.
    assert memory(g) - base - 2 * each == 21 * spare
    for ws in squeezed[10:20]:
        ws.close()
    for ws in squeezed[20:]:
        ws.abort()
    settled(g, base + each + each // 30 * 10 + spare)
    for ws in plain + squeezed[:10]:
        ws.close()
    settled(g, base + spare)
    first.close()
    assert g.metrics()["ws_compressed_connections"] == 0


def test_open_messages_stay_within_the_budget(start):
    g = start("players { compress yes; max-connections 1000 }\n"
              "limits { memory 4M }", wait=False)
    g.add_token("p1", 1)
    g.start()
    data = deflate(letters(5000).encode())
    opened = []
    for _ in range(200):
        ws = Squeezed.to(g, "p1")
        ws.send(TEXT, data[:1000], fin=False, rsv=RSV1)
        ws.settle()
        opened.append(ws)
        assert memory(g) <= 4 << 20
    assert g.metrics()['ws_connections_closed_total{reason="memory"}'] > 50
    for ws in opened:
        ws.abort()
    wait_for(lambda: g.metrics()["ws_active_connections"] == 0, "all gone")


# -- clients that there are ---------------------------------------------------------

@pytest.mark.parametrize("factory", [
    ClientPerMessageDeflateFactory(),
    ClientPerMessageDeflateFactory(True, True),
    ClientPerMessageDeflateFactory(client_max_window_bits=9),
    ClientPerMessageDeflateFactory(server_max_window_bits=15)],
    ids=["default", "takeover", "small", "bits"])
def test_python(gateway, echo, factory):
    token, player = gateway.fresh()

    async def session():
        async with websockets.connect(
                url(gateway, token), compression=None,
                extensions=[factory]) as ws:
            assert [e.name for e in ws.extensions] == [OFFER]
            for n in (1, 100, 1000, 100000):
                await publish(gateway, player, "e", letters(n))
                assert json.loads(await ws.recv())["payload"] == letters(n)
                await ws.send(letters(min(n, 60000)))
            await (await ws.ping())
        assert ws.close_code == 1000
        async with websockets.connect(
                url(echo, "echo"), compression=None, max_size=None,
                extensions=[factory]) as ws:
            for n in (0, 1, 100, 1000, 100000, MAX):
                await ws.send(letters(n))
                assert await ws.recv() == letters(n)
                await ws.send(content(n, BINARY))
                assert await ws.recv() == content(n, BINARY)
            await ws.send(["in ", "pieces ", letters(1000)])
            assert await ws.recv() == "in pieces " + letters(1000)
        assert ws.close_code == 1000
    run(session())


def test_python_as_it_comes(gateway):
    token, player = gateway.fresh()

    async def session():
        async with websockets.connect(url(gateway, token),
                                      compression="deflate") as ws:
            assert [e.name for e in ws.extensions] == [OFFER]
            await publish(gateway, player, "e", "x" * 1000)
            assert json.loads(await ws.recv())["payload"] == "x" * 1000
        assert ws.close_code == 1000
    asyncio.run(asyncio.wait_for(session(), 20))


def test_node(gateway):
    token, player = gateway.fresh()
    with Node(url(gateway, token)) as node:
        assert node.line("open", "error", "status") == \
            {"open": "", "extensions": OFFER}
        before = gateway.metrics()["ws_decompress_output_bytes_total"]
        for n in (1, 1000, 40000):
            gateway.publish(player, "echo", letters(n))
            got = json.loads(node.line("message", "error")["message"])
            assert got["payload"] == letters(n)
            assert node.line("pong") == {"pong": "x"}
        # Node compresses what is over 1 KiB.
        assert gateway.metrics()["ws_decompress_output_bytes_total"] - \
            before > 40000
        gateway.publish(player, "close")
        assert node.line("close") == {"close": 1000, "reason": ""}
        assert node.process.wait(20) == 0
