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


def run(server, kind, mode, limit=LIMIT, lossless=True, **options):
    """One run of MODE against a server: what wsload said.  KIND is what the
    server has arguments for."""
    command = [str(PROGRAMS / "wsload"), mode, "--json",
               "--port", str(server.port), "--pid", str(server.pid()),
               "--core", str(machine.cores()[0]), "--timeout", str(limit),
               *server.load_args(kind)]
    for name, value in options.items():
        command += ["--" + name.replace("_", "-"), str(value)]
    try:
        out = subprocess.run(command, capture_output=True, text=True,
                             timeout=limit + 10, preexec_fn=pin, check=False)
    except subprocess.TimeoutExpired:
        raise Lost("%s: %s: no end" % (server.name, mode)) from None
    if out.returncode != 0:
        raise Lost("%s: %s: exit code %d: %s" % (
            server.name, mode, out.returncode, out.stderr.strip()))
    result = json.loads(out.stdout)
    bad = {k: result[k] for k in ("failed", "lost", "dup", "misrouted",
                                  "pub_errors", "closed")
           if mode != "life" and result.get(k)}
    if lossless and bad:
        raise Lost("%s: %s: %s" % (server.name, mode, bad))
    return result


def disturbed(result):
    """Whether somebody else had much of the machine."""
    return result.get("other_cpu_s", 0) > 0.1 * max(
        result.get("secs", 0), 0.5)
