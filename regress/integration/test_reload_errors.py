"""A bad configuration changes nothing: whatever is wrong with it, reload fails
with the file and the line, and all goes on as it was."""
import os
import signal

import pytest

from gateway import Folder, Gateway, wait_for
from rawws import RawWS

# What is put behind the good settings: which of its lines is wrong (0: none can
# be named), and what is said of it.
WRONG = {
    "syntax": ("\nplayers ping-interval 1s\n", 2, "syntax error"),
    "no end": ("players {\n ping-interval 1s\n", 3, "is not closed"),
    "statement": ("nonsense here\n", 1, 'unknown setting "nonsense"'),
    "setting": ("\nplayers {\n no-such-thing 1\n}\n", 3, "no-such-thing"),
    "value": ("queue {\n ttl never\n}\n", 2, "is not a duration"),
    "range": ("players {\n max-connections 0\n}\n", 2, "too small"),
    "twice": ('pid file "/x"\npid file "/x"\n', 2, "given already"),
    "macro": ("\npid file $none\n", 2, "none"),
    "origin": ('origins {\n "http://a.example/path"\n}\n', 2, "origins"),
    "order": ("\nplayers {\n ping-interval 10m\n}\n", 3, "must not be below"),
    "paths": ('log file "/x/y"\npid file "/x/y"\n', 2, "are the same"),
    "quote": ('pid file "/x\n', 1, "string is not closed"),
    "byte": ("# fine\nuser \x01\n", 2, ""),
    "include": ('include "none.conf"\n', 1, "No such file"),
    "include of a folder": ('\ninclude "/tmp"\n', 2, "not a regular file|"
                            "Is a directory|restart"),
    "include of itself": ('include "ws-gatewayd.conf"\n', 1,
                          "includes itself"),
    "include elsewhere": ('include "/etc/hostname"\n', 1, "restart"),
    "too long": ('log file "%s"\n' % ("x" * 4090), 0, "too long"),
}


def config(g):
    return g.ctl("show", "config").stdout


def unchanged(g, ws, before, mark):
    assert config(g) == before
    lines = g.log()[mark:]
    assert any("not reloaded" in l["msg"] for l in lines)
    assert not any(l["msg"] == "configuration reloaded" for l in lines)
    ws.settle()
    RawWS.connect(g, "p1").close()
    assert g.request("GET", "/readyz")[0] == 200


def fails(g, ws, words, place=None):
    """By reload, and by a signal: the same, in the answer and in the log."""
    before = config(g)
    for way in ("ctl", "signal"):
        mark = len(g.log())
        if way == "ctl":
            res = g.ctl("reload", check=False)
            assert res.returncode == 1 and res.stdout == ""
            assert any(w in res.stderr for w in words.split("|")), res.stderr
            assert place is None or place in res.stderr, (place, res.stderr)
        else:
            g.signal(signal.SIGHUP)
            g.wait_log(lambda l: "not reloaded" in l["msg"], start=mark)
        line = [l for l in g.log()[mark:] if l["level"] == "error"][0]["msg"]
        assert any(w in line for w in words.split("|")), line
        assert place is None or place in line, (place, line)
        unchanged(g, ws, before, mark)


@pytest.fixture(scope="module")
def one():
    """None of these tests may do it any harm."""
    f = Folder()
    g = Gateway(f, "http {\n keepalive-timeout 5s\n}")
    g.add_token("p1", 1)
    g.start()
    yield g
    g.check()
    f.remove()


@pytest.fixture
def good(one):
    text = one.conf.read_text()
    yield text
    one.conf.write_text(text.replace("timeout 5s", "timeout 6s"))
    assert one.ctl("reload").stdout == "configuration reloaded\n"
    assert "\tkeepalive-timeout 6s" in config(one)
    one.conf.write_text(text)
    one.ctl("reload")


@pytest.mark.parametrize("kind", WRONG)
def test_wrong(one, good, connect, kind):
    text, line, words = WRONG[kind]
    one.conf.write_text(good + text)
    place = "%s:%d: " % (one.conf, len(good.splitlines()) + line)
    fails(one, connect(one, "p1"), words, place if line else None)


def test_in_an_included_file(one, good, connect):
    part = one.dir / "part.conf"
    part.write_text("\n\nplayers { ping-interval 0s }\n")
    one.conf.write_text(good + 'include "part.conf"\n')
    fails(one, connect(one, "p1"), "too small", "%s:3: " % part)
    part.write_text("")
    assert one.ctl("reload").stdout == "configuration reloaded\n"
    part.unlink()
    fails(one, connect(one, "p1"), "No such file",
          "%s:%d: " % (one.conf, len(good.splitlines()) + 1))


def test_the_file_is_gone(one, good, connect):
    one.conf.unlink()
    fails(one, connect(one, "p1"), "No such file", "%s: " % one.conf)
    one.conf.mkdir()
    fails(one, connect(one, "p1"), "Is a directory|read", "%s" % one.conf)
    one.conf.rmdir()


@pytest.mark.parametrize("content, words", [
    (None, "No such file"), ("", "is empty"), ("\nsecond\n", "is empty"),
    ("x" * 1000, "too long")])
def test_password_file(one, good, connect, content, words):
    path = one.dir / "secret"
    if content is None:
        path.unlink(missing_ok=True)
    else:
        path.write_text(content)
    lines = [l for l in good.splitlines() if not l.startswith("database")]
    block = ('database mysql {\n database "d"; user "u"\n'
             ' password file "%s"\n}\n' % path)
    one.conf.write_text("\n".join(lines) + "\n" + block)
    fails(one, connect(one, "p1"), words,
          "%s:%d: " % (one.conf, len(lines) + 1))


def test_what_was_included_at_the_start_can_be_read_again(start, connect):
    """From another folder than that of the file, through a link, too."""
    far = Folder()
    try:
        (far.path / "real").mkdir()
        (far.path / "real" / "far.conf").write_text("queue {\n ttl 8s\n}\n")
        os.symlink("real/far.conf", far.path / "link.conf")
        g = start('include "%s"' % (far.path / "link.conf"))
        assert "\tttl 8s" in config(g)
        (far.path / "real" / "far.conf").write_text("queue {\n ttl 9s\n}\n")
        assert g.ctl("reload").stdout == "configuration reloaded\n"
        assert "\tttl 9s" in config(g)
    finally:
        far.remove()


def test_a_signal_is_never_lost(start):
    """The last of many finds what the file has by then."""
    g = start()
    for n in range(1, 40):
        g.settings = "queue { ttl %ds }" % n
        g.write_conf()
        g.signal(signal.SIGHUP)
    wait_for(lambda: "\tttl 39s" in config(g), "the last one")
