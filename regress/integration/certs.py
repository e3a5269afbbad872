"""Certificates for the tests, made by openssl(1) once a run.

TLS (environment) has every test's daemon listen, and every test connect, by
TLS.
"""
import atexit
import functools
import os
import pathlib
import shutil
import socket
import ssl
import subprocess
import tempfile

import pytest

TLS = os.environ.get("TLS")
# What a connection that is cut says.
ENDED = (ConnectionError, ssl.SSLError)

# Who is refused when he comes is told so before he can speak TLS: he isn't.
no_refusal = pytest.mark.skipif(
    bool(TLS), reason="a refusal at once is not told by TLS")
# test_tls.py has a client that can.
no_half_close = pytest.mark.skipif(
    bool(TLS), reason="Python does not read on after its close_notify")

RSA = ["rsa:2048"]
EC = ["ec", "-pkeyopt", "ec_paramgen_curve:P-256"]
ED25519 = ["ed25519"]


class Pair:
    """A certificate and its key: files, as the daemon gets them."""

    def __init__(self, folder, name, kind, *args):
        self.name = name
        self.cert = folder / ("%s-%s.pem" % (name, kind[0][:3]))
        self.key = self.cert.with_suffix(".key")
        subprocess.run(
            ["openssl", "req", "-x509", "-newkey", *kind, "-noenc",
             "-keyout", str(self.key), "-out", str(self.cert), "-days", "30",
             "-subj", "/O=tests/CN=" + name, "-addext",
             "subjectAltName=DNS:" + name, *args],
            check=True, capture_output=True, timeout=60)
        self.cert.chmod(0o644)

    def setting(self):
        return 'certificate "%s" key "%s"' % (self.cert, self.key)


@functools.cache
def folder():
    path = pathlib.Path(tempfile.mkdtemp(prefix="wsg-certs."))
    path.chmod(0o755)
    atexit.register(shutil.rmtree, path)
    return path


@functools.cache
def pair(name="localhost", kind="ec"):
    """One that tests share; KIND is rsa, ec or ed25519."""
    return Pair(folder(), name,
                {"rsa": RSA, "ec": EC, "ed25519": ED25519}[kind])


class Socket(ssl.SSLSocket):
    """One whose end of sending does not end the reading, too."""

    def shutdown(self, how):
        limit = self.gettimeout()
        self.setblocking(False)
        try:
            # Sends a close_notify, and would then wait for the peer's.
            self._sslobj.shutdown()
        except ssl.SSLError:
            pass
        self.settimeout(limit)
        socket.socket.shutdown(self, how)


def client(**kw):
    """A context for a client, who looks at no name and no signer."""
    context = ssl.create_default_context()
    context.sslsocket_class = Socket
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    for name, value in kw.items():
        setattr(context, name, value)
    return context


@functools.cache
def plain_client():
    return client()


def block():
    """What a listener has behind its address."""
    if not TLS:
        return ""
    return " {\n\ttls {\n\t\t%s\n\t}\n}" % pair().setting()


def url(scheme, port, path):
    """Of a test's daemon, for a client that is none of ours."""
    if not TLS:
        return "%s://127.0.0.1:%d%s" % (scheme, port, path)
    # As curl, Node and Python find those whom they trust.
    for name in ("CURL_CA_BUNDLE", "NODE_EXTRA_CA_CERTS", "SSL_CERT_FILE"):
        os.environ[name] = str(pair().cert)
    return "%ss://localhost:%d%s" % (scheme, port, path)


def wrap(sock):
    """What a test's socket is, once it is connected."""
    if not TLS:
        return sock
    return plain_client().wrap_socket(sock, server_hostname="localhost")
