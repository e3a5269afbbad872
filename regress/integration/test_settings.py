"""The table of settings in ws-gatewayd.conf(5) against the daemon: all that
there is, with the defaults that it has, and what a reload changes."""
import pathlib
import re
import subprocess

import pytest

from gateway import DAEMON, ROOT

PAGE = ROOT / "ws-gatewayd" / "ws-gatewayd.conf.5"
# What is not said by -nv, or not the same everywhere.
LISTEN = ("listen roles", "listen proxy", "listen tls")
UNSAID = {"pid file": "none", "log file": "none", "origins": "all",
          "proxies": "none", "control": "see above"}
# For those that mean nothing without the others, or have few values.
OTHERS = {"http client-header": "forwarded", "http output": "uring",
          "log level": "warn", "players compress": "yes",
          "players compress-level": "5", "sandbox": "off",
          "tls key-isolation": "no", "tokens batch": "63"}


def table():
    """name -> (default, unit, reload)"""
    rows = {}
    text = PAGE.read_text().split(".Bl -column", 1)[1].split("\n.El", 1)[0]
    for line in text.split("\n")[2:]:
        name, default, unit, reload = line.removeprefix(".It ").split(" Ta ")
        assert name not in rows, "twice: " + name
        rows[name] = (default, unit, reload)
    return rows


def flat(lines):
    """What -nv and "show config" print: name -> value."""
    out, block = {}, None
    for line in lines:
        if line.endswith("{"):
            block = line.split()[0]
        elif block in ("origins", "proxies") and line != "}":
            out[block] = line.strip()
        elif line.startswith("\t"):
            name, value = line.split(None, 1)
            out["%s %s" % (block, name)] = value
        elif line != "}":
            name = re.match(r"((?:listen on|pid file|log file|log level|"
                            r"\w+)) (.*)", line)
            out[name[1]] = name[2].replace('"', "")
    return out


def test_names_and_defaults(tmp_path):
    (tmp_path / "conf").write_text("")
    out = subprocess.run([DAEMON, "-nvf", tmp_path / "conf"], check=True,
                         capture_output=True, text=True).stdout
    said = flat(out.splitlines())
    said.update(UNSAID)
    assert {n: row[0] for n, row in table().items()
            if not n.startswith(LISTEN)} == said


def test_names_in_a_listener(tmp_path):
    """Which there are, the daemon says to one that there is not."""
    named = set()
    for prefix, block in (("listen ", "none 1"),
                          ("listen tls ", "tls {\n none 1\n}")):
        (tmp_path / "conf").write_text('listen on ":1" {\n%s\n}\n' % block)
        err = subprocess.run([DAEMON, "-nf", tmp_path / "conf"], check=False,
                             capture_output=True, text=True).stderr
        names = re.search(r"no such setting \((.*?)\)", err)[1].split(", ")
        named.update(prefix + n for n in names if n != "tls")
    assert named == {n for n in table() if n.startswith(LISTEN)}


def test_units():
    shapes = {"duration": r"\d+(\.\d+)?(ms|s|m|h)", "size": r"\d+[KMGT]?",
              "number": r"\d+", "yes, no": r"yes|no"}
    for name, (default, unit, reload) in table().items():
        assert reload in ("yes", "no", "in part"), name
        if unit in shapes:
            assert re.fullmatch(shapes[unit], default), name
        else:
            assert unit in ("address", "DSN", "name", "path", "level", "mode",
                            "kind", "origins", "roles", "names", "networks",
                            "paths"), name


def another(name, default):
    """A value that is not the default; all of them together are good."""
    if name in OTHERS:
        return OTHERS[name]
    m = re.fullmatch(r"(\d+)(\D*)", default)
    return "%d%s" % (int(m[1]) + 1 if int(m[1]) else 7, m[2])


def test_reload(start, folder):
    """Everything changes, and what needs a restart is named: no more, no
    less.  What stands in a listener's block is for other tests."""
    rows = {n: r for n, r in table().items() if not n.startswith(LISTEN)}
    scalars = {n: another(n, r[0]) for n, r in rows.items()
               if r[1] in ("duration", "size", "number", "level", "kind",
                           "mode") or n in OTHERS}
    statements = {
        "user": "nobody", "chroot": "/", "daemonize": "yes",
        "control": '"%s/other.sock"' % folder.path,
        "pid file": '"%s/pid"' % folder.path,
        "log file": '"%s/log"' % folder.path,
        "listen on": '"127.0.0.1:1"',
        "database": 'sqlite "%s/other.db" create' % folder.path}
    assert set(scalars) | set(statements) | {"origins", "proxies"} == set(rows)
    g = start("sandbox prefer\nlog level info")
    before = flat(g.ctl("show", "config").stdout.splitlines())
    text = 'origins {\n "http://a.example"\n}\nproxies {\n 192.0.2.1\n}\n'
    for name, value in [*statements.items(), *scalars.items()]:
        if " " in name and name not in (*statements, "log level"):
            name = name.replace(" ", " {\n ", 1)
            value += "\n}"
        text += "%s %s\n" % (name, value)
    g.conf.write_text(text)
    res = g.ctl("reload")
    named = res.stderr.strip().split("restart is needed for: ")[1].split(", ")
    named = [n.split(" \"")[0] for n in named]
    after = flat(g.ctl("show", "config").stdout.splitlines())
    for name, (_, _, reload) in rows.items():
        assert (name in named) == (reload != "yes" and
                                   name != "http max-connections"), name
        if name in scalars and reload != "no":
            assert after[name] == scalars[name], name
        elif reload == "no":
            assert after.get(name) == before.get(name), name
    assert "other.db" in after["database"]
    assert "192.0.2.1" in after["proxies"] and "a.ex" in after["origins"]
    # A limit of open files can't be raised any more.
    g.conf.write_text(text.replace("max-connections 7",
                                   "max-connections 9999999"))
    res = g.ctl("reload")
    assert "http max-connections (over the limit" in res.stderr
    assert flat(g.ctl("show", "config").stdout.splitlines())[
        "http max-connections"] == "7"


@pytest.mark.parametrize("where", ["same", "other"])
def test_log_file(start, folder, where):
    """It goes on in another file of the folder; elsewhere after a restart."""
    path, new = folder.path / "a.log", folder.path / "b.log"
    if where == "other":
        new = pathlib.Path("/var/tmp/ws-gatewayd-test.log")
    g = start('log file "%s"' % path, wait=False).launch()
    g.log = lambda: [{"msg": l} for p in (path, new) if p.exists()
                     for l in p.read_text().splitlines()]
    g.wait_log(lambda l: '"started"' in l["msg"])
    g.settings = 'log file "%s"' % new
    g.write_conf()
    res = g.ctl("reload")
    if where == "other":
        assert "restart is needed for: log file" in res.stderr
        assert '"%s"' % path in g.ctl("show", "config").stdout
        assert not new.exists()
        return
    assert res.stderr == ""
    assert "the log goes on in %s" % new in path.read_text()
    size = path.stat().st_size
    g.wait_log(lambda l: "configuration reloaded" in l["msg"])
    assert "configuration reloaded" in new.read_text()
    assert path.stat().st_size == size
    g.stop()
    assert '"stopped"' in new.read_text()
