"""The daemon by bare command lines: what it answers to those that end at once,
and those that go into the background."""
import contextlib
import os
import random
import select
import signal
import socket
import subprocess

from gateway import DAEMON, LIMIT, SANITIZER


def daemon(*args, cwd="/", limit=LIMIT, **kw):
    """Run it to its end (with -daemon, to that of the process started)."""
    return subprocess.run([str(DAEMON), *map(str, args)], cwd=cwd,
                          stdin=subprocess.DEVNULL, capture_output=True,
                          text=True, timeout=limit, check=False, **kw)


def assert_refused(res, *words):
    """Exit code 1, and one line on standard error that has all WORDS."""
    assert res.returncode == 1, res
    lines = res.stderr.splitlines()
    assert len(lines) == 1 and lines[0].startswith("ws-gatewayd: "), res
    for word in words:
        assert word in lines[0], (word, lines[0])


def free_port():
    """A port that nobody has, below those that the kernel hands out."""
    while True:
        port = random.randrange(20000, 32000)
        with socket.socket() as s:
            try:
                s.bind(("", port))
            except OSError:
                continue
        return port


def can_connect(host, port):
    with contextlib.suppress(OSError):
        socket.create_connection((host, port), LIMIT).close()
        return True
    return False


class Process:
    """A process that is not our child: awaited by its descriptor."""

    def __init__(self, pid):
        self.pid = pid
        self.fd = os.pidfd_open(pid)

    def wait(self, limit=LIMIT):
        """Until it has ended; whether it has."""
        poll = select.poll()
        poll.register(self.fd, select.POLLIN)
        return bool(poll.poll(limit * 1000))

    def signal(self, sig):
        with contextlib.suppress(ProcessLookupError):
            signal.pidfd_send_signal(self.fd, sig)

    def close(self):
        os.close(self.fd)


class Background:
    """A daemon started with -daemon: gone, and checked, at the end."""

    def __init__(self, pid_file, *args, cwd):
        self.process = None
        # Not through a pipe: whoever inherited it would keep it open.
        with open(os.path.join(cwd, "err"), "w+b") as err:
            res = subprocess.run([str(DAEMON), *map(str, args)], cwd=cwd,
                                 stdin=subprocess.DEVNULL,
                                 stdout=err, stderr=err, timeout=LIMIT,
                                 check=False)
            err.seek(0)
            self.output = err.read().decode(errors="replace")
        self.code = res.returncode
        if self.code == 0:
            with open(os.path.join(cwd, pid_file), encoding="ascii") as f:
                self.pid_text = f.read()
            self.process = Process(int(self.pid_text))

    def __enter__(self):
        assert self.code == 0, self.output
        return self

    def stop(self):
        self.process.signal(signal.SIGTERM)
        assert self.process.wait(), "did not stop on SIGTERM"

    def __exit__(self, *exc):
        self.process.signal(signal.SIGTERM)
        if not self.process.wait():
            self.process.signal(signal.SIGKILL)
        self.process.close()
        for word in SANITIZER:
            assert word not in self.output, self.output
