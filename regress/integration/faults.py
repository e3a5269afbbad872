"""The daemon of the test build whose allocations fail, and whose wall clock
jumps, when the test says so: by a page of memory that all of its processes
share with the test (regress/fault/fault.c)."""
import mmap
import struct

from gateway import BUILD, Gateway

ROLES = ("parent", "engine", "store", "starter")
COUNT, FIRST, LAST, FAILED = range(4)


class Page:
    def __init__(self, path):
        with open(path, "w+b") as f:
            f.truncate(mmap.PAGESIZE)
            self.map = mmap.mmap(f.fileno(), mmap.PAGESIZE)

    @staticmethod
    def at(role, field):
        return 8 + (ROLES.index(role) * 4 + field) * 8

    def get(self, role, field):
        return struct.unpack_from("=Q", self.map, self.at(role, field))[0]

    def put(self, role, field, value):
        struct.pack_into("=Q", self.map, self.at(role, field), value)

    def fail(self, role, first, last=None):
        """Count from here on; that allocation fails (and those to LAST)."""
        for field, value in ((FIRST, 0), (COUNT, 0), (FAILED, 0),
                             (LAST, last or first), (FIRST, first)):
            self.put(role, field, value)

    def count(self, role):
        return self.get(role, COUNT)

    def failed(self, role):
        return self.get(role, FAILED)

    def set_clock(self, seconds):
        """How far the wall clock is off."""
        struct.pack_into("=q", self.map, 0, int(seconds * 1e9))


class FaultGateway(Gateway):
    def __init__(self, folder, *args, **kw):
        self.page = Page(folder.path / "page")
        env = dict(kw.pop("env", None) or {})
        env["MALLOC_OPTIONS"] = "fault:%s" % (folder.path / "page")
        super().__init__(folder, *args, env=env, **kw)

    def command(self):
        return [str(BUILD / "ws-gatewayd-fault"), *super().command()[1:]]
