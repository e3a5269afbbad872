"""A MariaDB server of our own: a folder, a port and a socket that nobody else
has, stopped by its pid.  And a gateway whose tokens are in it."""
import ctypes
import itertools
import os
import pathlib
import shutil
import signal
import subprocess
import tempfile

from gateway import ROOT, Gateway, wait_for
from launch import free_port

TOOLS = ROOT / "build" / "tools" / "usr"
SCHEMA = (ROOT / "etc" / "schema.mysql.sql").read_text()
PASSWORD = "p@ss/w:r%d(1)"


class DatabaseError(Exception):
    pass


def find(name, folders):
    found = shutil.which(name, path=os.environ["PATH"] + ":/usr/sbin")
    if found and (name != "mariadbd" or found.startswith("/usr")):
        return pathlib.Path(found), None
    for folder in folders:
        if (folder / name).exists():
            return folder / name, TOOLS
    raise AssertionError("no %s: run regress/mariadb.sh" % name)


def library():
    """The client library that the gateway itself is linked with."""
    lib = ctypes.CDLL("libmariadb.so.3")
    for name in ("mysql_init", "mysql_real_connect", "mysql_store_result"):
        getattr(lib, name).restype = ctypes.c_void_p
    lib.mysql_error.restype = ctypes.c_char_p
    lib.mysql_fetch_row.restype = ctypes.POINTER(ctypes.c_void_p)
    lib.mysql_fetch_lengths.restype = ctypes.POINTER(ctypes.c_ulong)
    return lib


class Connection:
    """Statements in, rows of bytes (or None) out."""

    lib = None

    def __init__(self, path, database=None, user="root", password=""):
        if Connection.lib is None:
            Connection.lib = library()
        lib = self.lib
        self.my = ctypes.c_void_p(lib.mysql_init(None))
        if not lib.mysql_real_connect(
                self.my, None, user.encode(), password.encode(),
                database.encode() if database else None, 0,
                str(path).encode(), ctypes.c_ulong(1 << 16)):
            text = lib.mysql_error(self.my).decode()
            self.close()
            raise DatabaseError(text)

    def execute(self, statement):
        lib, text = self.lib, statement.encode()
        if lib.mysql_real_query(self.my, text, ctypes.c_ulong(len(text))):
            raise DatabaseError(lib.mysql_error(self.my).decode())
        rows = []
        result = ctypes.c_void_p(lib.mysql_store_result(self.my))
        if not result:
            return rows
        fields = lib.mysql_num_fields(result)
        while True:
            row = lib.mysql_fetch_row(result)
            if not row:
                break
            lengths = lib.mysql_fetch_lengths(result)
            rows.append([ctypes.string_at(row[i], lengths[i])
                         if row[i] else None for i in range(fields)])
        lib.mysql_free_result(result)
        return rows

    def close(self):
        if self.my:
            self.lib.mysql_close(self.my)
            self.my = None


def literal(value):
    """A value in a statement, its bytes beyond doubt."""
    if value is None:
        return "NULL"
    if isinstance(value, bytes):
        return "x'%s'" % value.hex()
    if isinstance(value, (int, float)):
        return repr(value)
    return "CONVERT(x'%s' USING utf8mb4)" % value.encode().hex()


class Server:
    def __init__(self):
        self.path = pathlib.Path(tempfile.mkdtemp(prefix="wsg-mariadb."))
        os.chmod(self.path, 0o755)
        self.data = self.path / "data"
        self.socket = self.path / "db.sock"
        self.program, self.base = find("mariadbd", [TOOLS / "sbin"])
        self.plugins = pathlib.Path("%s/lib/mysql/plugin" %
                                    (self.base or "/usr"))
        self.process = None
        self.serial = itertools.count(1)
        self.as_user = {}
        self.env = dict(os.environ)
        if self.base:
            libs = [str(p) for p in self.base.glob("lib/*-linux-*")]
            self.env["LD_LIBRARY_PATH"] = ":".join(libs)
        # Nobody may not reach what is unpacked in root's own folder.
        if os.getuid() == 0 and self.base is None:
            self.as_user = {"user": "nobody", "group": "nogroup",
                            "extra_groups": []}
            shutil.chown(self.path, "nobody", "nogroup")
        self.certificate()
        self.install()
        # Its own while it is stopped, too: none that the kernel hands out.
        self.port = free_port()
        self.start()
        self.accounts()

    def base_args(self):
        args = ["--basedir=%s" % self.base] if self.base else []
        if os.getuid() == 0 and self.base:
            args.append("--user=root")
        return args

    def certificate(self):
        """Its own CA, for the name localhost."""
        self.ca = self.path / "ca.pem"
        key = self.path / "key.pem"
        subprocess.run(
            ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt",
             "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2",
             "-subj", "/CN=localhost", "-addext",
             "subjectAltName=DNS:localhost", "-keyout", key, "-out", self.ca],
            check=True, capture_output=True)
        os.chmod(key, 0o644)
        os.chmod(self.ca, 0o644)

    def install(self):
        script, _ = find("mariadb-install-db", [TOOLS / "bin"])
        subprocess.run(
            [script, "--no-defaults", "--datadir=%s" % self.data,
             "--auth-root-authentication-method=normal", "--skip-test-db",
             "--skip-name-resolve", "--innodb-log-file-size=4M",
             *self.base_args()],
            check=True, capture_output=True, env=self.env, cwd="/",
            **self.as_user)

    def start(self):
        with open(self.path / "log", "ab") as log:
            self.process = subprocess.Popen(
                [self.program, "--no-defaults", "--datadir=%s" % self.data,
                 "--socket=%s" % self.socket, "--port=%d" % self.port,
                 "--bind-address=127.0.0.1",
                 "--pid-file=%s/pid" % self.path,
                 "--default-time-zone=+00:00", "--skip-log-bin",
                 "--innodb-log-file-size=4M", "--innodb-buffer-pool-size=8M",
                 "--innodb-flush-log-at-trx-commit=0",
                 "--skip-name-resolve", "--max-connections=500",
                 "--plugin-dir=%s" % self.plugins,
                 "--plugin-load-add=auth_ed25519",
                 "--ssl-ca=%s" % self.ca, "--ssl-cert=%s" % self.ca,
                 "--ssl-key=%s" % (self.path / "key.pem"),
                 *self.base_args()],
                stdin=subprocess.DEVNULL, stdout=log, stderr=log, cwd="/",
                env=self.env, **self.as_user)
        wait_for(self.answers, "MariaDB: " + str(self.path / "log"))

    def answers(self):
        if self.process.poll() is not None:
            raise AssertionError((self.path / "log").read_text())
        try:
            self.connect().close()
        except DatabaseError:
            return False
        return True

    def accounts(self):
        self.execute("CREATE USER gw@'%%' IDENTIFIED BY '%s'" % PASSWORD)
        self.execute("CREATE USER ed@'%%' IDENTIFIED VIA ed25519 "
                     "USING PASSWORD('%s')" % PASSWORD)
        self.execute("CREATE USER nobody@'%'")
        self.execute("GRANT ALL ON `wsg%`.* TO gw@'%', ed@'%'")

    def stop(self):
        """As a service manager does."""
        self.thaw()
        self.process.send_signal(signal.SIGTERM)
        self.process.wait(20)

    def freeze(self):
        self.process.send_signal(signal.SIGSTOP)

    def thaw(self):
        self.process.send_signal(signal.SIGCONT)

    def running(self):
        return self.process.poll() is None

    def remove(self):
        if self.running():
            self.stop()
        shutil.rmtree(self.path, ignore_errors=True)

    def connect(self, database=None, **kw):
        return Connection(self.socket, database, **kw)

    def execute(self, statement, database=None):
        con = self.connect(database)
        try:
            return con.execute(statement)
        finally:
            con.close()

    def dsn(self, database, params="", user="gw"):
        return "%s:%s@tcp(127.0.0.1:%d)/%s%s" % (
            user, PASSWORD, self.port, database, params)


class MysqlGateway(Gateway):
    """A daemon with a database of its own in the server."""

    server = None       # of the session

    def __init__(self, folder, *args, params="", **kw):
        self.name = "wsg%d" % next(self.server.serial)
        self.server.execute("CREATE DATABASE " + self.name)
        kw.setdefault("database", 'database mysql "%s"' %
                      self.server.dsn(self.name, params))
        self.con = None
        super().__init__(folder, *args, **kw)

    def make_db(self):
        self.execute(SCHEMA)

    def execute(self, statement, *values):
        parts = statement.split("?")
        text = parts[0] + "".join(literal(v) + p
                                  for v, p in zip(values, parts[1:]))
        if self.con is None:
            self.con = self.server.connect(self.name)
        return self.con.execute(text)

    def disconnect(self):
        """Before the server is stopped."""
        if self.con is not None:
            self.con.close()
        self.con = None

    def stop(self):
        code = super().stop()
        self.disconnect()
        return code

    def connections(self):
        """The ids of the gateway's connections to the server."""
        return [int(r[0]) for r in self.server.execute(
            "SELECT id FROM information_schema.processlist "
            "WHERE db = '%s' AND user <> 'root'" % self.name)]
