"""nginx and haproxy before a gateway, as children in the foreground, with a
configuration of their own.  Clients reach them by a Unix-domain socket, so no
port has to be free; or, when it counts where they come from, by TCP at a loopback
address that nobody else has."""
import os
import pathlib
import shutil
import signal
import socket
import subprocess
import sysconfig

import pytest

from gateway import LIMIT, ROOT, wait_for

TOOLS = ROOT / "build" / "tools"
PORT = 8000

NGINX = """
daemon off;
master_process off;
pid {dir}/nginx.pid;
error_log stderr;
events {{ worker_connections 512; }}
http {{
	access_log off;
	client_body_temp_path {dir}/nginx-body;
	proxy_temp_path {dir}/nginx-proxy;
	fastcgi_temp_path {dir}/nginx-fastcgi;
	scgi_temp_path {dir}/nginx-scgi;
	uwsgi_temp_path {dir}/nginx-uwsgi;
	client_max_body_size 0;
	keepalive_requests 100000;
	upstream gateway {{
		server {upstream};
		keepalive 4;
	}}
	server {{
		listen {listen};
		proxy_http_version 1.1;
		proxy_request_buffering off;
		location / {{
			proxy_pass http://gateway;
			proxy_set_header Connection "";
			{options}
		}}
		location /ws {{
			proxy_pass http://gateway;
			proxy_set_header Upgrade $http_upgrade;
			proxy_set_header Connection upgrade;
			{options}
		}}
	}}
}}
"""

HAPROXY = """
global
	maxconn 500
defaults
	mode http
	http-reuse always
	timeout connect 5s
	timeout client 60s
	timeout server 60s
	timeout tunnel 1h
frontend clients
	bind {listen}
	default_backend gateway
backend gateway
	server one {upstream} {options}
"""


def find(name):
    """The program, installed or unpacked; and what else it needs to run."""
    path = os.environ.get("PATH", "") + ":/usr/sbin:/sbin"
    installed = shutil.which(name, path=path)
    if installed:
        return installed, {}
    unpacked = TOOLS / "usr" / "sbin" / name
    if not unpacked.exists():
        pytest.skip("no " + name)
    lib = TOOLS / "usr" / "lib" / sysconfig.get_config_var("MULTIARCH")
    return str(unpacked), {"LD_LIBRARY_PATH": str(lib)}


class Proxy:
    """KIND is nginx or haproxy; UPSTREAM is "tcp", "unix" or the number of a
    port at 127.0.0.2; CLIENTS come by "unix" or "tcp"; OPTIONS are nginx's for
    each location, haproxy's for the server."""

    def __init__(self, kind, gateway, upstream, clients="unix", options=""):
        self.dir = pathlib.Path(gateway.dir)
        self.path = str(self.dir / (kind + ".sock"))
        self.address = None
        program, env = find(kind)
        address = "127.0.0.1:%d" % gateway.port
        if upstream == "unix":
            address = ("unix:%s" if kind == "nginx" else "unix@%s") % (
                self.dir / "http.sock")
        elif upstream != "tcp":
            address = "127.0.0.2:%d" % upstream
        listen = ("unix:%s" if kind == "nginx" else "unix@%s") % self.path
        if clients == "tcp":
            pid = os.getpid()
            self.address = "127.%d.%d.%d" % (64 + (pid >> 16) % 64,
                                             pid >> 8 & 255, pid & 255)
            listen = "%s:%d" % (self.address, PORT)
        conf = self.dir / (kind + ".conf")
        conf.write_text((NGINX if kind == "nginx" else HAPROXY).format(
            dir=self.dir, listen=listen, upstream=address, options=options))
        command = [program, "-c" if kind == "nginx" else "-f", str(conf)]
        if kind == "haproxy":
            command.insert(1, "-db")
        with open(self.dir / (kind + ".log"), "wb") as log:
            self.process = subprocess.Popen(
                command, cwd=self.dir, stdin=subprocess.DEVNULL, stdout=log,
                stderr=log, env={**os.environ, **env})
        wait_for(self.up, kind)

    def up(self):
        assert self.process.poll() is None, self.log()
        try:
            self.socket(LIMIT).close()
        except OSError:
            return False
        return True

    def log(self):
        return "\n".join(p.read_text() for p in self.dir.glob("*.log"))

    def socket(self, limit=LIMIT, source="127.0.0.1"):
        """A client's connection; by TCP it comes from SOURCE."""
        if self.address:
            return socket.create_connection((self.address, PORT), limit,
                                            (source, 0))
        s = socket.socket(socket.AF_UNIX)
        s.settimeout(limit)
        s.connect(self.path)
        return s

    def stop(self):
        self.process.send_signal(signal.SIGTERM)
        try:
            self.process.wait(LIMIT)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
            raise
