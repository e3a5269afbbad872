"""The machine that the figures belong to."""
import os
import pathlib
import platform
import resource
import sqlite3
import subprocess


def cores():
    """The core of the server and that of the load; one and the same if there
    is only one."""
    usable = sorted(os.sched_getaffinity(0))
    return usable[0], usable[-1]


def file_limit():
    """Open files that a process may have; the soft limit is raised to it."""
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    return hard


def most_clients():
    """Clients that one process can hold, with room for its other files."""
    return min(file_limit() - 1000, int(os.environ.get("BENCH_MAX", 100000)))


def first_line(*command):
    try:
        out = subprocess.run(command, capture_output=True, text=True,
                             timeout=20, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return None
    text = (out.stdout or out.stderr).strip()
    return text.splitlines()[0] if text else None


def cpu():
    for line in pathlib.Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.split(":", 1)[1].strip()
    return platform.machine()


def system():
    for line in pathlib.Path("/etc/os-release").read_text().splitlines():
        if line.startswith("PRETTY_NAME="):
            return line.split("=", 1)[1].strip('"')
    return platform.system()


def describe():
    server, load = cores()
    root = pathlib.Path(__file__).resolve().parents[2]
    pages = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    return {
        "cpu": cpu(),
        "cores": len(os.sched_getaffinity(0)),
        "server core": server,
        "load core": load,
        "memory": "%.0f GiB" % (pages / 2**30),
        "kernel": platform.release(),
        "system": system(),
        "compiler": first_line("cc", "--version"),
        "node": first_line("node", "--version"),
        "nginx": first_line("nginx", "-v") or first_line(
            "/usr/sbin/nginx", "-v"),
        "sqlite": sqlite3.sqlite_version,
        "open files": file_limit(),
        "ws-gatewayd": first_line("git", "-C", str(root), "describe",
                                  "--always", "--dirty"),
        "load before": os.getloadavg()[0],
    }
