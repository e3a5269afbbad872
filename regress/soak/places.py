"""Where the daemon listens: plain, and by TLS with a certificate that the
operator renews under its players."""
import asyncio
import os
import random
import shutil
import ssl

import certs

LIMIT = 30.0        # seconds that a handshake may take
GOODBYE = 3.0       # and those that the end of TLS may
SECOND = "second.example"   # who asks for this name gets that certificate


class Plain:
    """Streams of asyncio, as all clients of ours want them."""

    def __init__(self, port):
        self.port = port

    async def open(self):
        return await asyncio.open_connection("127.0.0.1", self.port)


def certificate(writer):
    return writer.get_extra_info("ssl_object").getpeercert(True)


class Wrong(Exception):
    """Another certificate than one that is, or is about to be, in force."""


class Secure(Plain):
    """The certificates go round; each RELOAD makes the next one good."""

    def __init__(self, port, folder):
        super().__init__(port)
        self.cert = folder / "soak.pem"
        self.key = folder / "soak.key"
        self.pairs = [certs.pair(name, kind)
                      for name in ("one.example", "other.example")
                      for kind in ("ec", "rsa")]
        self.ders = [ssl.PEM_cert_to_DER_cert(p.cert.read_text())
                     for p in self.pairs]
        self.contexts = [certs.client(), certs.client(
            maximum_version=ssl.TLSVersion.TLSv1_2)]
        # Counted up: that in the files, and that which was last in force.
        self.written = self.in_force = 0
        self.write(0, 0)

    def setting(self):
        return """
listen on "127.0.0.1:%d" {
	roles player publish metrics
	tls {
		certificate "%s" key "%s"
		%s
		session-tickets yes
	}
}
tls { handshake-timeout 5s; signature-timeout 20s }
""" % (self.port, self.cert, self.key, certs.pair(SECOND).setting())

    def write(self, cert, key):
        """As a renewal does it: other files of those names."""
        for path, source in ((self.cert, self.pairs[cert % 4].cert),
                             (self.key, self.pairs[key % 4].key)):
            new = path.with_suffix(".new")
            shutil.copy(source, new)
            os.replace(new, path)

    def renew(self):
        """Before a reload."""
        self.written += 1
        self.write(self.written, self.written)

    def spoil(self):
        """Before a reload that has to fail."""
        self.write(self.written + random.randint(1, 2), self.written)

    def restore(self):
        self.write(self.written, self.written)

    async def renewed(self, told):
        """After a reload: who comes now sees what is new.  The log is ahead of
        that; whom the daemon has TOLD sees it at once."""
        if told:
            self.in_force = self.written
        async with asyncio.timeout(LIMIT):
            while await self.shown() != self.ders[self.written % 4]:
                pass
        self.in_force = self.written

    async def shown(self):
        _, writer = await self.open()
        writer.close()
        return certificate(writer)

    async def open(self):
        low = self.in_force
        reader, writer = await asyncio.open_connection(
            "127.0.0.1", self.port, ssl=random.choice(self.contexts),
            server_hostname="localhost", ssl_handshake_timeout=LIMIT,
            ssl_shutdown_timeout=GOODBYE)
        if certificate(writer) not in [
                self.ders[n % 4] for n in range(low, self.written + 1)]:
            writer.close()
            raise Wrong("%d to %d" % (low, self.written))
        return reader, writer
