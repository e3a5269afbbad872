"""Memory and descriptors of the daemon's processes over time."""
import math
import os
import pathlib
import time

PAGE = os.sysconf("SC_PAGE_SIZE")
WARM = 60           # seconds that are not looked at
# Bounds of the slope, from which twice its error is taken: what waits for the
# slow, and who is connected, differs from sample to sample.
KIB_PER_MINUTE = 64
FDS_PER_MINUTE = 0.5


def resident(pid):
    """Bytes."""
    return int(pathlib.Path("/proc/%d/statm" % pid).read_text().split()[1]) \
        * PAGE


def descriptors(pid):
    return len(os.listdir("/proc/%d/fd" % pid))


def slope(samples):
    """Of a line through (seconds, value), a minute, and its standard error."""
    n = len(samples)
    mean_t = sum(t for t, _ in samples) / n
    mean_v = sum(v for _, v in samples) / n
    square = sum((t - mean_t) ** 2 for t, _ in samples)
    a = sum((t - mean_t) * (v - mean_v) for t, v in samples) / square
    rest = sum((v - mean_v - a * (t - mean_t)) ** 2 for t, v in samples)
    return 60 * a, 60 * math.sqrt(rest / (n - 2) / square)


class Watch:
    def __init__(self, gateway, children=("engine", "store")):
        self.pids = {"parent": gateway.process.pid,
                     **{name: gateway.pid_of(name) for name in children}}
        self.start = time.monotonic()
        self.memory = {name: [] for name in self.pids}
        self.files = {name: [] for name in self.pids}

    def sample(self):
        now = time.monotonic() - self.start
        for name, pid in self.pids.items():
            self.memory[name].append((now, resident(pid)))
            self.files[name].append((now, descriptors(pid)))

    def line(self):
        return ", ".join("%s %.1f MiB %d files" % (
            name, self.memory[name][-1][1] / (1 << 20),
            self.files[name][-1][1]) for name in self.pids)

    def judge(self, fail):
        """Slopes after the first minute, if there was another: their text."""
        out = []
        for name in self.pids:
            late = [s for s in self.memory[name] if s[0] >= WARM]
            if not late or late[-1][0] - late[0][0] < WARM:
                return ["too short for a slope"]
            kib, kib_error = slope([(t, v / 1024) for t, v in late])
            files, files_error = slope([s for s in self.files[name]
                                        if s[0] >= WARM])
            out.append("%s: %+.1f (error %.1f) KiB and %+.3f (error %.3f) "
                       "descriptors a minute, at most %.1f MiB and %d "
                       "descriptors" % (
                           name, kib, kib_error, files, files_error,
                           max(v for _, v in late) / (1 << 20),
                           max(v for _, v in self.files[name])))
            if kib - 2 * kib_error > KIB_PER_MINUTE or \
                    files - 2 * files_error > FDS_PER_MINUTE:
                fail("growth: " + out[-1])
        return out
