"""What strace saw the confined processes do, against their seccomp lists.

usage: seccomp.py DAEMON FOLDER...

Each file in a FOLDER is what "strace -ff -e raw=!execve" wrote of one process.
Which one it was, its execve(2) tells; what it did counts from the moment that
it had loaded its filter.  Says for each role which entries of its list nothing
has used, and fails when one of them has no reason to be there all the same.
"""
import collections
import os
import pathlib
import re
import subprocess
import sys

ROLES = ("parent", "engine", "store", "store-net", "keys", "ctl")
CALL = re.compile(r"(\w+)\(([^)]*)")
EXEC = re.compile(r'execve\("[^"]*/(ws-gateway\w+)[^"]*", \[([^\]]*)\]')


def listed(daemon, role):
    """[(name, [(argument, mask, value)], what is said of it)]"""
    out = subprocess.run([daemon, "-selftest", role, "list"], check=True,
                         capture_output=True, text=True).stdout
    entries = []
    for line in out.splitlines():
        entry, _, reason = line.partition(" # ")
        f = [x for x in entry.split() if x != "refused"]
        numbers = [int(x, 0) for x in f[1:]]
        entries.append((f[0], list(zip(*[iter(numbers)] * 3)), reason))
    return entries


def role_of(lines):
    """From the last execve of a process, and what its store is; a parent that
    goes into the background has none of its own."""
    role = None
    for line in lines:
        if line.startswith("setsid("):
            role = "parent"
        elif m := EXEC.match(line):
            argv = [a.strip('"') for a in m[2].split(", ")]
            if m[1] == "ws-gatewayctl":
                role = "ctl"
            elif "-proc" in argv:
                role = argv[argv.index("-proc") + 1]
            elif "-selftest" in argv:
                role = None
            else:
                role = "parent"
    # Only the client of a server has a use for a socket of its own.
    if role == "store" and any(l.startswith("socket(") for l in lines):
        role = "store-net"
    return role


def confined(lines):
    """Name and arguments of each call after the filter."""
    inside = False
    for line in lines:
        if line.startswith("seccomp(0x1, ") and line.endswith(" = 0"):
            inside = True
        elif inside and (m := CALL.match(line)):
            args = []
            for arg in m[2].split(", "):
                try:
                    args.append(int(arg, 16))
                except ValueError:
                    args.append(None)
            yield m[1], args


def collect(folders):
    """role -> {(name, arguments)} and how many processes it was."""
    seen = collections.defaultdict(set)
    count = collections.Counter()
    for folder in folders:
        for path in pathlib.Path(folder).iterdir():
            lines = path.read_text(errors="replace").splitlines()
            if (role := role_of(lines)) is None:
                continue
            # Only their first four arguments are for a list to look at.
            calls = {(name, tuple(args[:4])) for name, args in
                     confined(lines)}
            count[role] += bool(calls)
            seen[role] |= calls
    return seen, count


def used(entry, calls):
    name, conds, _ = entry
    return any(call == name and all(
        arg < len(args) and args[arg] is not None and
        args[arg] & mask == value for arg, mask, value in conds)
        for call, args in calls)


def compare(daemon, folders, roles=ROLES, out=sys.stdout):
    """[(role, entry)] of what nothing has used and nothing explains."""
    seen, count = collect(folders)
    wrong = []
    for role in roles:
        entries = listed(daemon, role)
        unseen = [e for e in entries if not used(e, seen[role])]
        print("%s: %d processes, %d entries, %d used" % (
            role, count[role], len(entries), len(entries) - len(unseen)),
            file=out)
        for e in unseen:
            text = " ".join([e[0], *("%d=%#x" % (arg, value)
                                     for arg, _, value in e[1])])
            print("    %s: %s" % (text, e[2] or "NOT USED"), file=out)
            if not e[2]:
                wrong.append((role, text))
    return wrong


if __name__ == "__main__":
    if len(sys.argv) < 3 or not os.access(sys.argv[1], os.X_OK):
        sys.exit(__doc__)
    sys.exit(1 if compare(sys.argv[1], sys.argv[2:]) else 0)
