"""The search for leaks in a process that is locked up in an empty folder.

The run time of the sanitizers looks for the threads of a process in /proc and
gives up where there is none.  So with a build that has it, and root to chroot,
the tests are in a mount namespace of their own, in which the folder that the
engine is locked up in has a /proc, and nothing else.  It goes with the tests.
"""
import ctypes
import os
import warnings

from gateway import DAEMON, SANITIZER

CHROOT = "/var/empty"       # the default, where nothing else is configured
CLONE_NEWNS = 0x20000
MS_BIND, MS_REC, MS_PRIVATE = 0x1000, 0x4000, 0x40000
MS_NOSUID, MS_NODEV, MS_NOEXEC = 2, 4, 8
OFF = "leaks are not looked for"    # the run time says so where it gives up

prepared = False            # whether the engine's folder has a /proc

libc = ctypes.CDLL(None, use_errno=True)


def call(function, *args):
    if function(*args) == -1:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))


def mount(source, target, kind, flags, data=None):
    call(libc.mount, source, target, kind, ctypes.c_ulong(flags), data)


def sanitized():
    return b"__lsan_is_turned_off" in DAEMON.read_bytes()


def wanted():
    return "detect_leaks=0" not in os.environ.get("ASAN_OPTIONS", "")


def prepare():
    """Whether each process of a daemon looks for its leaks from now on; where
    it does, one that could not is an error of its test."""
    global prepared
    if not (sanitized() and wanted()):
        return False
    if os.getuid() == 0:
        os.makedirs(CHROOT, 0o755, exist_ok=True)
        try:
            call(libc.unshare, CLONE_NEWNS)
            mount(b"none", b"/", None, MS_REC | MS_PRIVATE)
            mount(b"tmpfs", CHROOT.encode(), b"tmpfs",
                  MS_NOSUID | MS_NODEV | MS_NOEXEC, b"mode=755,size=64k")
            os.mkdir(CHROOT + "/proc", 0o755)
            mount(b"/proc", (CHROOT + "/proc").encode(), None, MS_BIND)
        except OSError as e:
            warnings.warn("no mounts of our own (%s): leaks of the engine "
                          "are not looked for" % e)
            return False
        prepared = True
    SANITIZER.append(OFF)
    return True
