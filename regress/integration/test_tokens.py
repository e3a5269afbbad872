"""The table of tokens: contract, section 1."""
import os
import pathlib
import sqlite3
import threading
import time

import pytest

from gateway import ROOT, Folder, Gateway, wait_for
from mariadb import MysqlGateway
from rawhttp import RawHTTP, post
from rawws import RawWS, Refused

BODY = b'{"player_id":"nobody","event":"e"}'
NO_CACHE = "publishers { rate-limit 0 }\ntokens { cache 0 }\n"

# As the contract has it, save for the one type that SQLite refuses.
CONTRACT = """
CREATE TABLE IF NOT EXISTS ws_token (
    token       %s NOT NULL PRIMARY KEY,
    player_id   INTEGER DEFAULT NULL,
    subject_id  %s NOT NULL,
    is_server   BOOLEAN NOT NULL,
    expires_at  DATETIME(6) NOT NULL
);
CREATE INDEX idx_ws_token_server_exp ON ws_token (is_server, expires_at);
"""
VARBINARY = CONTRACT % ("VARBINARY(32)", "VARBINARY(32)")


def query(token):
    if isinstance(token, str):
        token = token.encode()
    return "/ws?token=" + "".join("%%%02X" % b for b in token)


def status(gateway, token):
    """101, or what else a player's token gets."""
    try:
        RawWS.connect(gateway, path=query(token)).abort()
        return 101
    except Refused as e:
        assert e.status != 401 or e.body == b"invalid token\n"
        assert e.status != 503 or int(e.headers["retry-after"]) > 0
        return e.status


def is_mysql(gateway):
    return isinstance(gateway, MysqlGateway)


def is_text(token):
    try:
        token.decode()
    except UnicodeDecodeError:
        return False
    return True


def server_status(gateway, token="s1"):
    with RawHTTP(gateway) as c:
        res = c.ask(post("/publish", BODY, token))
        assert res.status != 503 or int(res.headers["retry-after"]) > 0
        return res.status


def daemon(settings=NO_CACHE, schema=None, **kw):
    """One that several tests share."""
    f = Folder()
    g = Gateway(f, settings, create_db=False, **kw)
    con = g.sql()
    con.executescript(schema)
    con.close()
    f.own(g.db)
    g.start()
    return g


def mysql_daemon(kind):
    """The same in MySQL, as the contract has it or with other columns."""
    g = MysqlGateway(Folder(), NO_CACHE)
    if kind != "mysql":
        g.execute("ALTER TABLE ws_token MODIFY token %s NOT NULL, "
                  "MODIFY subject_id %s NOT NULL" % (kind, kind))
    g.start()
    return g


# One whose collation takes "A" for "a", and leaves blanks at the end out.
MYSQL_TEXT = "VARCHAR(32) CHARACTER SET utf8mb4 COLLATE utf8mb4_general_ci"


@pytest.fixture(scope="module", params=["VARBINARY(32)", "BLOB", "TEXT",
                                        "mysql", MYSQL_TEXT],
                ids=["VARBINARY", "BLOB", "TEXT", "mysql", "mysql-VARCHAR"])
def typed(request):
    """A daemon for each type that the columns may have."""
    if request.param in ("mysql", MYSQL_TEXT):
        request.getfixturevalue("mariadb")
        g = mysql_daemon(request.param)
    else:
        g = daemon(schema=CONTRACT % (request.param, request.param))
    g.kind = request.param
    yield g
    g.check()
    g.folder.remove()


@pytest.fixture
def empty(typed):
    typed.execute("DELETE FROM ws_token")
    return typed


# -- the schemas --------------------------------------------------------------

def test_sqlite_refuses_the_statement_of_mysql():
    con = sqlite3.connect(":memory:")
    with pytest.raises(sqlite3.OperationalError):
        con.execute("CREATE TABLE t (i INTEGER(10) UNSIGNED DEFAULT NULL)")
    con.close()


def test_etc_has_a_schema_for_each():
    want = ["token", "player_id", "subject_id", "is_server", "expires_at"]
    con = sqlite3.connect(":memory:")
    text = (ROOT / "etc" / "schema.sqlite.sql").read_text()
    con.executescript(text)
    con.executescript(text.split("CREATE INDEX")[0])    # IF NOT EXISTS
    assert [r[1] for r in con.execute("PRAGMA table_info(ws_token)")] == want
    assert ("idx_ws_token_server_exp",) in con.execute(
        "SELECT name FROM sqlite_master WHERE type = 'index'").fetchall()
    con.close()
    words = (ROOT / "etc" / "schema.mysql.sql").read_text().split()
    text = " ".join(words)
    for column in ("token VARBINARY(32) NOT NULL PRIMARY KEY",
                   "player_id INTEGER(10) UNSIGNED DEFAULT NULL",
                   "subject_id VARBINARY(32) NOT NULL",
                   "is_server BOOLEAN NOT NULL",
                   "expires_at DATETIME(6) NOT NULL"):
        assert column in text


# -- bytes --------------------------------------------------------------------

@pytest.mark.parametrize("storage", ["text", "blob"])
@pytest.mark.parametrize("token", [
    b"abc", b"ABC", b"a b", b"%41", b"a'b\"c",
    b"d41d8cd98f00b204e9800998ecf8427e",
    b"0x1F", b"1e", b"e1", b"nan", b"inf", b"Inf", b"NULL", b"\xc3\xa9",
    b"\xe9", b"\xff\xfe", b"a\xffb", b"x" * 32])
def test_found_by_its_bytes(empty, storage, token):
    value = "CAST(? AS TEXT)" if storage == "text" else "?"
    if is_mysql(empty):
        value = "?"
        if empty.kind == MYSQL_TEXT and not is_text(token):
            pytest.skip("such a column can't hold it")
    empty.execute("INSERT INTO ws_token VALUES (%s, 1, 's', 0, "
                  "'2999-01-01 00:00:00')" % value, token)
    assert status(empty, token) == 101
    for other in (token + b"\0", token + b" ", b" " + token, token[:-1],
                  token.swapcase()):
        if other not in (token, b""):
            assert status(empty, other) == 401


@pytest.mark.parametrize("token", [b"a\0b", b"\0", b"\0\0\0", b"abc\0",
                                   b"7\0", bytes(32), bytes(range(32))])
def test_a_zero_byte_is_a_byte_like_others(empty, token):
    empty.add_token(token, 1, subject="s")
    assert status(empty, token) == 101
    assert status(empty, token + b"\0") == 401
    for other in (token[:-1], token.split(b"\0")[0]):
        if other:
            assert status(empty, other) == 401


@pytest.mark.parametrize("token", [b"7", b"42", b"-5", b"123456789",
                                   b"9223372036854775807"])
@pytest.mark.parametrize("storage", [str, int, bytes])
def test_text_integer_or_blob(empty, token, storage):
    """What an application stored in either way is found by its bytes."""
    value = token if storage is bytes else storage(token.decode())
    empty.add_token(value, 1)
    assert status(empty, token) == 101
    n = token.decode()
    for other in ("0" + n, n + ".0", n + "e0", "+" + n, " " + n, n + " ",
                  n + ".", "0x7", "00" + n, n[:-1] or "0"):
        assert status(empty, other) == 401, other


@pytest.mark.parametrize("token", [
    "0e4620", "0e462097431906509019562988736854", "00", "0.0", "-0", "0e0"])
def test_text_zero_opens_no_row_that_looks_like_zero(empty, token):
    empty.add_token(token, 1, subject="s")
    for other in ("0", "0.0", "00", "-0", "0e1", "+0"):
        if other != token:
            assert status(empty, other) == 401
    if is_mysql(empty):
        assert status(empty, token) == 101
        return
    # Where the column has kept its bytes, the token itself is good.
    kept = empty.sql().execute("SELECT CAST(token AS TEXT) FROM ws_token")
    if kept.fetchone()[0] == token:
        assert status(empty, token) == 101
    else:
        assert empty.kind == "VARBINARY(32)"


def test_zero_like_tokens_as_blobs(empty):
    tokens = [b"0", b"00", b"0.0", b"0e4620",
              b"0e462097431906509019562988736854"]
    for i, token in enumerate(tokens[1:], 1):
        empty.add_token(token, i, subject="s")
        for j, other in enumerate(tokens):
            assert status(empty, other) == (101 if 1 <= j <= i else 401)


def test_7_and_007_and_7_0_are_three_tokens(empty):
    tokens = [b"7", b"007", b"7.0", b"07", b"7e0"]
    for i, token in enumerate(tokens):
        assert status(empty, token) == 401
        empty.add_token(token, i)
    for token in tokens:
        assert status(empty, token) == 101
    empty.delete_token(b"007")
    assert [status(empty, t) for t in tokens] == [101, 401, 101, 101, 101]


@pytest.mark.parametrize("storage", [str, bytes])
def test_two_tokens_of_32_digits_are_never_equal(empty, storage):
    a = "12345678901234567890123456789012"
    b = "12345678901234567890123456789013"
    assert float(a) == float(b)
    empty.add_token(a if storage is str else a.encode(), 1, subject="s")
    assert status(empty, b) == 401
    assert status(empty, "1.23456789012346e+31") == 401
    if storage is bytes or empty.kind != "VARBINARY(32)":
        assert status(empty, a) == 101


@pytest.mark.parametrize("token", ["1e999", "12e99912345678901234567890123456"])
def test_a_token_that_looks_infinite(empty, token):
    empty.add_token(token, 1, subject="s")
    for other in ("Inf", "inf", "9e999", "1e1000"):
        assert status(empty, other) == 401


# -- identity -----------------------------------------------------------------

def reaches(gateway, token, player):
    """Whether a message to PLAYER reaches the holder of TOKEN."""
    ws = RawWS.connect(gateway, path=query(token))
    n = gateway.post("/broadcast", {"player_id": player, "event": "e"})
    assert n[0] == 200
    ws.close()
    return n[2] == b'{"delivered":1,"queued":0}\n'


def test_identity_is_player_id_if_there_is_one(empty):
    empty.add_token("s1", subject="server", server=True)
    empty.add_token("a", 21, subject="alice")
    empty.add_token("b", None, subject="bob")
    assert reaches(empty, "a", "21")
    assert reaches(empty, "a", 21)
    assert not reaches(empty, "a", "alice")
    assert reaches(empty, "b", "bob")
    assert not reaches(empty, "b", "None")
    assert not reaches(empty, "b", "null")


@pytest.mark.parametrize("player", [0, 1, 4294967295])
def test_player_id_is_compared_as_a_string(empty, player):
    empty.add_token("s1", subject="server", server=True)
    empty.add_token("a", player)
    assert reaches(empty, "a", str(player))
    assert reaches(empty, "a", player)
    for other in ("0%d" % player, "%d.0" % player, " %d" % player,
                  "+%d" % player):
        assert not reaches(empty, "a", other)


def test_subject_0042_is_read_back_as_0042(empty):
    empty.add_token("s1", subject="server", server=True)
    subject = "0042" if empty.kind != "VARBINARY(32)" else b"0042"
    empty.add_token("a", None, subject=subject)
    assert reaches(empty, "a", "0042")
    for other in ("42", 42, "042", "42.0"):
        assert not reaches(empty, "a", other)


@pytest.mark.parametrize("subject", [b"e\xcc\x81", b"a\nb", b"0e1", b"x" * 32,
                                     b"1e5", b"-0", b"a\0b"])
def test_subjects_are_bytes(empty, subject):
    empty.add_token("s1", subject="server", server=True)
    empty.add_token("a", None, subject=subject)
    assert reaches(empty, "a", subject.decode())


def test_a_subject_that_is_no_text(empty):
    """Nobody can name it in JSON; what goes to all reaches it."""
    if empty.kind == MYSQL_TEXT:
        pytest.skip("such a column can't hold it")
    empty.add_token("s1", subject="server", server=True)
    empty.add_token("a", None, subject=b"\xff\xfe")
    ws = RawWS.connect(empty, path=query("a"))
    assert empty.broadcast("e") == {"delivered": 1, "queued": 0}
    assert ws.recv_text() == '{"event":"e","payload":null}'
    ws.close()


def test_identity_of_a_server_is_its_subject(empty):
    empty.add_token("s1", 5, subject="the-server", server=True)
    start = len(empty.log())
    assert server_status(empty) == 200
    line = empty.wait_log(lambda l: l.get("msg") == "publish", start=start)
    assert line["subject_id"] == "the-server"


# -- validity -----------------------------------------------------------------

@pytest.fixture(scope="module")
def plain():
    g = daemon(schema=VARBINARY)
    yield g
    g.check()
    g.folder.remove()


@pytest.mark.parametrize("expiry,good", [
    ("%Y-%m-%d %H:%M:%S", True), ("%Y-%m-%d %H:%M:%S.5", True),
    ("%Y-%m-%d %H:%M:%S.123456", True), ("%Y-%m-%dT%H:%M:%S", True),
    ("%Y-%m-%d %H:%M:%SZ", True), ("%Y-%m-%dT%H:%M:%SZ", True),
    ("%Y-%m-%dT%H:%M:%S.123456Z", True), ("%Y-%m-%d %H:%M:%S.1Z", True),
])
@pytest.mark.parametrize("seconds", [3600, 86400 * 400, 5, -5, -3600])
def test_forms_of_expires_at(plain, expiry, good, seconds):
    """UTC text; a T and a Z are tolerated."""
    text = time.strftime(expiry, time.gmtime(time.time() + seconds))
    plain.execute("DELETE FROM ws_token")
    plain.add_token("a", 1, expires_at=text)
    plain.add_token("s", 1, server=True, expires_at=text)
    assert status(plain, "a") == (101 if seconds > 0 else 401)
    assert server_status(plain, "s") == (200 if seconds > 0 else 403)


@pytest.mark.parametrize("text", [
    "", "never", "now", "12:00", "2999", "2999-01-01", "2999-13-01 00:00:00",
    "2999-01-32 00:00:00", "2999-01-01 25:00:00", "2999-1-1 0:0:0",
    "2999-01-01 00:00", "2999-01-01 00:00:00 ", " 2999-01-01 00:00:00",
    "2999-01-01 00:00:00.", "2999-01-01 00:00:00+02:00",
    "2999-01-01 00:00:00junk", 32472144000, 2999.5, b"2999-01-01 00:00:00\0"],
    ids=repr)
def test_what_is_no_time_has_expired(plain, text):
    plain.execute("DELETE FROM ws_token")
    plain.add_token("a", 1, expires_at=text)
    assert status(plain, "a") == 401


def test_is_server_must_fit(empty):
    empty.add_token("player", 1)
    empty.add_token("server", subject="s", server=True)
    assert status(empty, "player") == 101
    assert status(empty, "server") == 401
    assert server_status(empty, "player") == 403
    assert server_status(empty, "server") == 200
    empty.execute("UPDATE ws_token SET is_server = 1 - is_server")
    assert status(empty, "player") == 401
    assert status(empty, "server") == 101


@pytest.mark.parametrize("value,player,server", [
    (0, 101, 403), (1, 401, 200), ("0", 101, 403), ("1", 401, 200)])
def test_is_server_as_number_or_text(plain, value, player, server):
    plain.execute("DELETE FROM ws_token")
    plain.execute("INSERT INTO ws_token VALUES ('t', 1, 's', ?, "
                  "'2999-01-01 00:00:00')", value)
    assert status(plain, "t") == player
    assert server_status(plain, "t") == server


def test_a_token_runs_out(start_each, connect):
    """A server's, in spite of the cache; a player's, in the period."""
    g = start_each("publishers { rate-limit 0 }\ntokens { cache 1h }\n"
              "players { revalidate-period 200ms }", wait=False)
    g.start()
    until = time.time() + 1.5
    text = time.strftime("%Y-%m-%d %H:%M:%S", time.gmtime(until)) + \
        (".%06d" % (until % 1 * 1000000))
    g.add_token("s1", subject="s", server=True, expires_at=text)
    g.add_token("p", 1, expires_at=text)
    ws = connect(g, "p")
    assert server_status(g) == 200
    assert ws.recv_close() == (1008, "token expired")
    assert time.time() >= until - 0.1
    wait_for(lambda: server_status(g) == 403, "the server's end", 2)
    assert status(g, "p") == 401


# -- rows that change ---------------------------------------------------------

def test_a_new_row_is_good_at_once(start_each):
    """Even if the token has just been refused."""
    g = start_each()
    for i in range(20):
        token = "new%d" % i
        assert status(g, token) == 401
        assert server_status(g, token) == 403
        g.add_token(token, i, server=i % 2 == 1)
        if i % 2:
            assert server_status(g, token) == 200
        else:
            assert status(g, token) == 101


def test_a_deleted_row_opens_nothing_more(start_each):
    g = start_each()
    for i in range(20):
        token = g.add_token("old%d" % i, i)
        assert status(g, token) == 101
        g.delete_token(token)
        assert status(g, token) == 401


def test_a_deleted_row_stops_a_server_within_the_cache_time(start_each):
    """1 s unless set."""
    g = start_each("publishers { rate-limit 0 }", wait=False)
    g.add_token("s1", subject="s", server=True)
    g.start()
    assert server_status(g) == 200
    g.delete_token("s1")
    end = time.monotonic() + 1.0
    # Busy or not: what is used often is not cached for longer.
    wait_for(lambda: server_status(g) == 403, "the end of the cache", 5)
    assert time.monotonic() < end + 2.0


def test_without_a_cache_it_stops_at_once(start_each):
    g = start_each(NO_CACHE, wait=False)
    g.add_token("s1", subject="s", server=True)
    g.start()
    assert server_status(g) == 200
    g.delete_token("s1")
    assert server_status(g) == 403


def test_the_table_may_be_created_while_it_runs(start, folder):
    g = start(NO_CACHE, wait=False, create_db=False)
    g.sql().execute("PRAGMA user_version = 1")      # an empty database
    folder.own(g.db)
    g.start()
    assert status(g, "p") in (401, 503)
    con = g.sql()
    con.executescript(VARBINARY)
    con.close()
    g.add_token("p", 1)
    assert status(g, "p") == 101


def test_the_table_may_be_made_anew(start):
    """With other types, while statements for the old one are prepared."""
    g = start(NO_CACHE, wait=False)
    g.add_token("p", 1)
    g.start()
    for kind in ("VARBINARY(32)", "BLOB", "TEXT"):
        assert status(g, "p") == 101
        con = g.sql()
        con.executescript("BEGIN IMMEDIATE; DROP TABLE ws_token;" +
                          CONTRACT % (kind, kind) + "COMMIT;")
        con.close()
        assert status(g, "p") == 401
        g.add_token("p", 1)
    assert status(g, "p") == 101


def test_a_database_in_wal_mode(start):
    g = start(NO_CACHE, wait=False)
    g.execute("PRAGMA journal_mode = WAL")
    for path in g.dir.glob("tokens.db*"):
        g.folder.own(path)
    g.start()
    con = g.sql()       # keeps its side files open
    for i in range(5):
        con.execute("INSERT INTO ws_token VALUES (?, 1, 's', 0, "
                    "'2999-01-01 00:00:00')", ("w%d" % i,))
        for path in g.dir.glob("tokens.db*"):
            g.folder.own(path)
        assert status(g, "w%d" % i) == 101
    con.close()


def test_rows_are_read_while_another_writes(start):
    """A transaction that is not committed shows nothing and blocks nobody."""
    g = start(NO_CACHE, wait=False)
    g.add_token("p", 1)
    g.start()
    con = g.sql()
    con.execute("BEGIN IMMEDIATE")
    con.execute("INSERT INTO ws_token VALUES ('q', 1, 's', 0, "
                "'2999-01-01 00:00:00')")
    assert status(g, "p") == 101
    assert status(g, "q") == 401
    con.execute("COMMIT")
    assert status(g, "q") == 101
    con.close()


def test_many_tokens_at_once(start):
    """They are merged and asked for in batches; each gets its own answer."""
    g = start(NO_CACHE + "players { max-connections 100 }", wait=False)
    con = g.sql()
    con.execute("BEGIN")
    for i in range(150):
        con.execute("INSERT INTO ws_token VALUES (?, ?, 's', 0, "
                    "'2999-01-01 00:00:00')", ("m%d" % i, i))
    con.execute("COMMIT")
    con.close()
    g.start()
    names = ["m%d" % (i // 2) for i in range(300)]
    names[::7] = ["nobody%d" % i for i in range(len(names[::7]))]
    clients = [RawHTTP(g) for _ in names]
    for c, name in zip(clients, names):
        c.send(b"GET /ws?token=%s HTTP/1.1\r\nHost: x\r\nUpgrade: websocket"
               b"\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
               b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n" %
               name.encode())
    for c, name in zip(clients, names):
        while b"\r\n\r\n" not in c.buf:
            c.fill()
        want = b" 101 " if name.startswith("m") else b" 401 "
        assert c.buf[8:13] == want, name
        c.sock.close()


# -- a database that is down --------------------------------------------------

class Lock:
    """An exclusive lock on the database, as of a long transaction."""

    def __init__(self, gateway):
        self.con = gateway.sql()

    def __enter__(self):
        self.con.execute("BEGIN EXCLUSIVE")
        return self

    def __exit__(self, *exc):
        self.con.execute("ROLLBACK")
        self.con.close()


def test_locked_for_ten_seconds(start, connect):
    """503 with Retry-After for new connections, the established ones stay and
    get their messages, and all is well again afterwards."""
    g = start("publishers { rate-limit 0 }\n"
              "tokens { cache 1m; lookup-timeout 1s }\n"
              "players { revalidate-period 1s; max-connections 50 }",
              wait=False)
    g.add_token("s1", subject="s", server=True)
    g.add_token("s2", subject="s", server=True)
    for i in range(10):
        g.add_token("p%d" % i, i)
    g.start()
    players = [connect(g, "p%d" % i) for i in range(10)]
    assert server_status(g) == 200
    with Lock(g):
        end = time.monotonic() + 10
        asked = 0
        while time.monotonic() < end:
            begin = time.monotonic()
            assert status(g, "p0") == 503
            # Nobody waits longer than lookup-timeout.
            assert time.monotonic() - begin < 3
            asked += 1
        assert asked >= 4
        assert server_status(g, "s2") == 503
        assert g.broadcast("still")["delivered"] == 10
        # The loop has not stalled.
        assert g.request("GET", "/healthz")[0] == 200
        code, headers, body = g.request("GET", "/readyz")
        assert code == 503 and int(headers["retry-after"]) > 0
        assert b"database" in body
    g.delete_token("p9")
    assert wait_for(lambda: status(g, "p0") == 101, "recovery", 10)
    assert server_status(g, "s2") == 200
    assert wait_for(lambda: g.request("GET", "/readyz")[0] == 200, "readyz")
    # The revalidation is made up.
    for ws in players:
        assert ws.recv_text() == '{"event":"still","payload":null}'
    assert players[9].recv_close() == (1008, "token expired")
    for ws in players[:9]:
        ws.settle()


def test_a_lock_while_players_connect(start):
    """Those who came while it was locked for a moment are not refused."""
    g = start(NO_CACHE, wait=False)
    g.add_token("p", 1)
    g.start()
    got = []
    with Lock(g):
        before = g.metrics()["ws_token_lookups_total"]
        t = threading.Thread(target=lambda: got.append(status(g, "p")))
        t.start()
        wait_for(lambda: g.metrics()["ws_token_lookups_total"] > before,
                 "lookup")
    t.join(20)
    assert got == [101]


def test_replaced_by_rename(start):
    """As a deployment does it."""
    g = start(NO_CACHE, wait=False)
    g.add_token("old", 1)
    g.add_token("s1", subject="s", server=True)
    g.start()
    assert status(g, "old") == 101
    assert server_status(g) == 200
    live = g.db
    g.db = g.dir / "new.db"
    g.make_db()
    g.add_token("new", 1)
    os.rename(g.db, live)
    g.db = live
    wait_for(lambda: status(g, "new") == 101, "the new file", 2)
    assert status(g, "old") == 401
    assert server_status(g) == 403


def test_corrupt(start, connect):
    g = start(NO_CACHE + "players { revalidate-period 200ms }", wait=False)
    g.add_token("p", 1)
    g.start()
    ws = connect(g, "p")
    good = g.db.read_bytes()
    bad = g.dir / "bad.db"
    bad.write_bytes(os.urandom(len(good)))
    g.folder.own(bad)
    os.rename(bad, g.db)
    wait_for(lambda: status(g, "p") == 503, "the bad file", 2)
    wait_for(lambda: g.metrics()["ws_store_up"] == 0, "the bad news")
    ws.settle()
    # In place, half of it.
    g.db.write_bytes(good[:len(good) // 2] + b"\xff" * (len(good) // 2))
    assert status(g, "p") in (401, 503)
    ws.settle()
    new = g.dir / "new.db"
    new.write_bytes(good)
    g.folder.own(new)
    os.rename(new, g.db)
    assert wait_for(lambda: status(g, "p") == 101, "recovery", 10)
    ws.settle()


def test_deleted_file(start, connect):
    """A database that is down is not a token that is invalid."""
    g = start(NO_CACHE + "players { revalidate-period 200ms }", wait=False)
    g.add_token("p", 1)
    g.add_token("s1", subject="s", server=True)
    g.start()
    ws = connect(g, "p")
    away = g.dir / "away.db"
    os.rename(g.db, away)
    wait_for(lambda: status(g, "p") == 503, "the loss", 2)
    assert status(g, "nobody") == 503
    assert server_status(g) == 503
    wait_for(lambda: g.metrics()["ws_store_up"] == 0, "the bad news")
    ws.settle()
    # The gateway only reads: it must not make an empty one in its place.
    assert not pathlib.Path(g.db).exists()
    os.rename(away, g.db)
    assert wait_for(lambda: status(g, "p") == 101, "recovery", 10)
    assert server_status(g) == 200
    ws.settle()


def test_the_gateway_only_reads(start):
    g = start(NO_CACHE, wait=False)
    g.add_token("p", 1)
    g.add_token("s1", subject="s", server=True)
    g.add_token("old", 2, ttl=-100)
    before = g.db.read_bytes()
    g.start()
    for token in ("p", "old", "nobody"):
        status(g, token)
    assert server_status(g) == 200
    assert g.stop() == 0
    assert g.db.read_bytes() == before
