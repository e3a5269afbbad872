"""The daemon of "make static" with nothing around it: its binary, a
configuration and a folder to write to, as in a container FROM scratch."""
import json
import os
import pwd
import shutil
import stat
import subprocess

import pytest

from gateway import BUILD, Folder, Gateway, USER, children_of
from rawws import RawWS

STATIC = BUILD / "ws-gatewayd-static"

pytestmark = [
    pytest.mark.skipif(not STATIC.exists(), reason="make static comes first"),
    pytest.mark.skipif(os.getuid() != 0, reason="chroot(8) is for root")]


class Alone(Gateway):
    """One whose root folder is that of the test."""

    user = None

    def write_conf(self):
        super().write_conf()
        self.conf.write_text(self.conf.read_text().replace(str(self.dir), ""))

    def command(self):
        spec = ["--userspec=" + self.user] if self.user else []
        return ["chroot", *spec, str(self.dir), "/ws-gatewayd", "-f",
                "/" + self.conf.name]


def populate(path):
    shutil.copy(STATIC, path / "ws-gatewayd")
    dev = path / "dev"
    dev.mkdir()
    os.mknod(dev / "null", stat.S_IFCHR | 0o666, os.makedev(1, 3))
    (dev / "null").chmod(0o666)


@pytest.fixture(name="folder")
def fixture_folder():
    folder = Folder()
    populate(folder.path)
    yield folder
    folder.remove()


@pytest.mark.parametrize("who", ["root", "a user"])
def test_message_arrives(folder, who):
    entry = pwd.getpwnam(USER)
    g = Alone(folder)
    if who == "root":
        etc = folder.path / "etc"
        etc.mkdir()
        (etc / "passwd").write_text("%s:x:%d:%d::/:/none\n" % (
            USER, entry.pw_uid, entry.pw_gid))
        (folder.path / "var" / "empty").mkdir(parents=True)
    else:
        g.user = "%d:%d" % (entry.pw_uid, entry.pw_gid)
    g.add_token("p1", 21)
    g.add_token("s1", server=True)
    g.start()
    try:
        ws = RawWS.connect(g, "p1")
        assert g.publish(21, "e", 1) == {"delivered": 1, "queued": 0}
        assert json.loads(ws.recv_text()) == {"event": "e", "payload": 1}
        pids = [g.process.pid, *children_of(g.process.pid)]
        assert len(pids) == 4
        assert {os.stat("/proc/%d/exe" % pid).st_ino for pid in pids} == \
            {(folder.path / "ws-gatewayd").stat().st_ino}
        ws.close()
    finally:
        g.check()


def test_nothing_is_loaded():
    res = subprocess.run(["ldd", str(STATIC)], capture_output=True, text=True,
                         timeout=20, check=False)
    assert "statically linked" in res.stdout + res.stderr
