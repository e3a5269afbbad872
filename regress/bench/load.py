"""Runs wsload, pinned to the load's core and bounded in time."""
import json
import os
import subprocess

import machine
from servers import PROGRAMS, HERE

LIMIT = 60          # seconds that a run may take


class Lost(RuntimeError):
    """A run that failed, or in which something got lost."""


def build():
    """wsload and the floors, whichever make it was that called us."""
    PROGRAMS.mkdir(parents=True, exist_ok=True)
    env = {k: v for k, v in os.environ.items() if k != "MAKEFLAGS"}
    subprocess.run(["make", "-s", "-f", str(HERE / "bench.mk")], env=env,
                   cwd=PROGRAMS, check=True, stdout=subprocess.DEVNULL)


def pin():
    os.sched_setaffinity(0, {machine.cores()[1]})


def pin_urgent():
    """Before all others on that core: so it reads at once what has come."""
    pin()
    os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(1))


def command(server, kind, mode, limit, options):
    """KIND is what the server has arguments for; an option that is True has
    no value."""
    out = [str(PROGRAMS / "wsload"), mode, "--json",
           "--port", str(server.port), "--pid", str(server.pid()),
           "--core", str(machine.cores()[0]), "--timeout", str(limit),
           *server.load_args(kind)]
    for name, value in options.items():
        out.append("--" + name.replace("_", "-"))
        if value is not True:
            out.append(str(value))
    return out


def result(server, mode, code, out, err, lossless):
    """What wsload said, unless it failed or lost something."""
    if code != 0:
        raise Lost("%s: %s: exit code %d: %s" % (
            server.name, mode, code, err.strip()))
    said = json.loads(out)
    bad = {k: said[k] for k in ("failed", "lost", "dup", "misrouted",
                                "pub_errors", "closed")
           if mode != "life" and said.get(k)}
    if lossless and bad:
        raise Lost("%s: %s: %s" % (server.name, mode, bad))
    return said


def run(server, kind, mode, limit=LIMIT, lossless=True, urgent=False,
        **options):
    """One run of MODE against a server, before all others if URGENT."""
    try:
        out = subprocess.run(
            command(server, kind, mode, limit, options), capture_output=True,
            text=True, timeout=limit + 10, check=False,
            preexec_fn=pin_urgent if urgent else pin)
    except subprocess.TimeoutExpired:
        raise Lost("%s: %s: no end" % (server.name, mode)) from None
    except subprocess.SubprocessError as e:
        raise Lost("%s: %s: %s" % (server.name, mode, e)) from None
    return result(server, mode, out.returncode, out.stdout, out.stderr,
                  lossless)


class Beside:
    """A run that goes on while another is measured: its clients are there
    when the block begins, RESULT is set when it has ended."""

    def __init__(self, server, kind, mode, limit=LIMIT, **options):
        self.server, self.mode, self.limit = server, mode, limit
        self.command = command(server, kind, mode, limit,
                               {"announce": True, **options})
        self.result = None

    def __enter__(self):
        self.process = subprocess.Popen(
            self.command, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
            text=True, preexec_fn=pin)
        # wsload ends by itself, so this does, too.
        line = self.process.stderr.readline()
        if line != "open\n":
            raise Lost("%s: %s: %s" % (self.server.name, self.mode, line +
                                       self.end()[1]))
        return self

    def end(self):
        try:
            return self.process.communicate(timeout=self.limit + 10)
        except subprocess.TimeoutExpired:
            self.process.kill()
            return self.process.communicate()

    def __exit__(self, kind, *exc):
        if kind is not None:
            self.process.terminate()
        out, err = self.end()
        if kind is None:
            self.result = result(self.server, self.mode,
                                 self.process.returncode, out, err, True)
        return False


def disturbed(said):
    """Whether somebody else had much of the machine."""
    return said.get("other_cpu_s", 0) > 0.1 * max(said.get("secs", 0), 0.5)
