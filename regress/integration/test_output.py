"""The ways out: through io_uring where the kernel has it, and plainly where it
has not, or has no more.  Whatever else is said of output holds for both:
test.sh runs the tests of it once more with OUTPUT=uring."""
import ctypes
import errno
import os
import pathlib

import pytest

import certs
from gateway import wait_for

URING = "publishers { rate-limit 0 }\nhttp { output uring }"
IN_USE = "output through io_uring"
NONE = "no io_uring, output is plain"
FAILED = "io_uring has failed, output is plain"
ALLOW, ERRNO = 0x7fff0000, 0x00050000


def refuse(call, error):
    """What makes the kernel answer CALL with ERROR from here on: a filter, as
    a container has it."""
    lib = ctypes.CDLL("libseccomp.so.2")
    lib.seccomp_init.restype = ctypes.c_void_p
    for name in ("seccomp_rule_add", "seccomp_load", "seccomp_release"):
        getattr(lib, name).argtypes = (ctypes.c_void_p,)
    number = lib.seccomp_syscall_resolve_name(call.encode())
    assert number >= 0

    def run():
        ctx = lib.seccomp_init(ctypes.c_uint32(ALLOW))
        if lib.seccomp_rule_add(ctx, ctypes.c_uint32(ERRNO | error),
                                ctypes.c_int(number), ctypes.c_uint(0)) or \
                lib.seccomp_load(ctx):
            os._exit(99)
        lib.seccomp_release(ctx)
    return run


@pytest.fixture
def kernel():
    """Not to be tried where there is none, or root has switched it off."""
    path = pathlib.Path("/proc/sys/kernel/io_uring_disabled")
    level = int(path.read_text()) if path.exists() else 0
    if level == 2 or level == 1 and os.getuid() != 0:
        pytest.skip("io_uring is switched off")


def messages(g):
    return [l["msg"] for l in g.log()]


def begin(start, settings=URING, players=50, **kw):
    g = start(settings, wait=False, **kw)
    g.add_token("s1", subject="s", server=True)
    for i in range(players):
        g.add_token("p%d" % i, i)
    return g.start()


def all_is_sent(g, connect, players=50):
    """To one, to all; several that wait, a large one, one that goes away."""
    them = [connect(g, "p%d" % i) for i in range(players)]
    big = "x" * 300000
    for n in range(5):
        assert g.broadcast("e", n)["delivered"] == players
        assert g.publish(str(n), "mine", n)["delivered"] == 1
    assert g.broadcast("big", big)["delivered"] == players
    for i, ws in enumerate(them):
        for n in range(5):
            assert ws.recv_text() == '{"event":"e","payload":%d}' % n
            if i == n:
                assert ws.recv_text() == '{"event":"mine","payload":%d}' % n
        assert ws.recv_text() == '{"event":"big","payload":"%s"}' % big
    them.pop().abort()
    wait_for(lambda: g.metrics()["ws_active_connections"] == players - 1,
             "the one that went")
    assert g.broadcast("e", "last")["delivered"] == players - 1
    for ws in them:
        assert ws.recv_text() == '{"event":"e","payload":"last"}'
        ws.settle()
    assert g.metrics()["ws_send_queue_bytes"] == 0


def rings(g):
    """The engine's descriptors of that kind; only root can look."""
    folder = "/proc/%d/fd" % g.pid_of("engine")
    return [fd for fd in os.listdir(folder) if
            "io_uring" in os.readlink("%s/%s" % (folder, fd))]


def test_through_the_ring(start, connect, kernel):
    g = begin(start)
    assert messages(g).count(IN_USE) == 1
    if os.getuid() == 0:
        assert len(rings(g)) == 1
    all_is_sent(g, connect)
    assert FAILED not in messages(g)


def test_without_being_asked_there_is_none(start, connect):
    g = begin(start, "publishers { rate-limit 0 }\nhttp { output plain }")
    assert not {IN_USE, NONE} & set(messages(g))
    if os.getuid() == 0:
        assert not rings(g)
    all_is_sent(g, connect)


@pytest.mark.parametrize("call,error", [
    ("io_uring_setup", errno.ENOSYS), ("io_uring_setup", errno.EPERM),
    ("io_uring_setup", errno.ENOMEM), ("io_uring_register", errno.EINVAL)])
def test_a_kernel_that_refuses(start, connect, kernel, call, error):
    """Too old, switched off, in a container, or without restrictions: one line
    and the plain way, with nothing of the ring left."""
    g = begin(start, preexec=refuse(call, error))
    lines = [l for l in g.log() if l["msg"].startswith(NONE)]
    assert len(lines) == 1 and lines[0]["level"] == "warn"
    assert os.strerror(error) in lines[0]["msg"]
    assert IN_USE not in messages(g)
    if os.getuid() == 0:
        assert not rings(g)
    all_is_sent(g, connect)


@pytest.mark.skipif(bool(certs.TLS), reason="a ring is for what is plain")
def test_a_ring_that_fails(start, connect, kernel):
    """What it did not take is sent all the same, and in the plain way from
    then on."""
    g = begin(start, preexec=refuse("io_uring_enter", errno.EPERM))
    assert IN_USE in messages(g)
    all_is_sent(g, connect)
    lines = [l for l in g.log() if l["msg"].startswith(FAILED)]
    assert len(lines) == 1 and lines[0]["level"] == "warn"
    if os.getuid() == 0:
        assert not rings(g)


def test_the_other_way_takes_a_restart(start):
    g = start("http { output plain }")
    g.settings = "http { output uring }"
    g.write_conf()
    assert "restart is needed for: http output" in g.ctl("reload").stderr
    assert "\toutput plain" in g.ctl("show", "config").stdout
