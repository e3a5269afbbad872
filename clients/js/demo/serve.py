"""The site of the demo: static pages, tokens for players, and a publisher that
hides its server token from the page.  Loopback only, and only for itself.

SERVER_TOKEN (environment) is the token that it publishes with.
"""
import argparse
import http.client
import http.server
import json
import os
import pathlib
import re
import subprocess
import sys
import urllib.parse

HERE = pathlib.Path(__file__).resolve().parent
FILES = {
    "/": (HERE / "index.html", "text/html"),
    "/demo.css": (HERE / "demo.css", "text/css"),
    "/demo.js": (HERE / "demo.js", "text/javascript"),
    "/ws-gateway-client.js":
        (HERE.parent / "ws-gateway-client.js", "text/javascript"),
}
MAX_BODY = 65536
LIMIT = 10          # seconds, for the gateway and for a page


class Refused(Exception):
    """An answer that is an error: status and text."""


class Site(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    timeout = 60
    options = None

    def log_message(self, format, *args):   # the base class's signature
        pass

    # -- requests ---------------------------------------------------------

    def do_GET(self):
        self.answer_by(self.get)

    def do_POST(self):
        self.answer_by(self.post)

    def answer_by(self, method):
        try:
            self.check_host()
            method()
        except Refused as e:
            self.close_connection = True
            self.answer(e.args[0], "text/plain", e.args[1] + "\n")

    def hosts(self):
        port = self.server.server_address[1]
        return ["127.0.0.1:%d" % port, "localhost:%d" % port]

    def check_host(self):
        """A name of somebody else's that leads here is not us."""
        if self.headers.get("Host") not in self.hosts():
            raise Refused(421, "not the host of this page")

    def check_origin(self):
        """Other sites' pages have no business with our tokens: their scripts
        can't send JSON here without being asked first, and are not from here.
        """
        origin = self.headers.get("Origin", "")
        if origin not in ["http://" + host for host in self.hosts()]:
            raise Refused(403, "not from this page")
        if self.headers.get_content_type() != "application/json":
            raise Refused(415, "JSON only")

    def get(self):
        path = urllib.parse.urlsplit(self.path).path
        if path == "/config.json":
            self.answer(200, "application/json", json.dumps(
                {"url": "ws://%s/ws" % self.options.gateway}))
            return
        if path not in FILES:
            raise Refused(404, "not found")
        file, kind = FILES[path]
        self.answer(200, kind, file.read_bytes())

    def post(self):
        self.check_origin()
        body = self.body()
        if self.path == "/token":
            self.answer(200, "text/plain", self.token(body))
        elif self.path in ("/publish", "/broadcast"):
            self.publish(body)
        else:
            raise Refused(404, "not found")

    def body(self):
        length = self.headers.get("Content-Length", "")
        if not re.fullmatch("[0-9]{1,9}", length):
            raise Refused(411, "length required")
        if int(length) > MAX_BODY:
            raise Refused(413, "too large")
        return self.rfile.read(int(length))

    # -- the gateway ------------------------------------------------------

    def token(self, body):
        """A real site would ask who this is, and write the row itself."""
        try:
            player = json.loads(body)["player"]
        except (ValueError, KeyError, TypeError):
            player = None
        if not isinstance(player, str) or \
                not re.fullmatch("[1-9][0-9]{0,8}", player):
            raise Refused(400, "player must be a number")
        try:
            res = subprocess.run(
                [self.options.ctl, "-s", self.options.control, "token",
                 "add", "-p", player, "-e", "1d"], capture_output=True,
                text=True, timeout=LIMIT, check=False)
        except subprocess.TimeoutExpired:
            raise Refused(503, "the gateway does not answer") from None
        if res.returncode != 0:
            raise Refused(503, "no token: " + res.stderr.strip())
        return res.stdout.strip()

    def publish(self, body):
        con = http.client.HTTPConnection(self.options.gateway, timeout=LIMIT)
        try:
            con.request("POST", self.path, body, {
                "Authorization": "Bearer " + os.environ["SERVER_TOKEN"],
                "Content-Type": "application/json"})
            res = con.getresponse()
            text = res.read()
        except (OSError, http.client.HTTPException) as e:
            raise Refused(502, "the gateway can't be reached: %s" % e) \
                from None
        finally:
            con.close()
        self.answer(res.status, res.headers.get_content_type(), text)

    # -- answers ----------------------------------------------------------

    def answer(self, status, kind, body):
        if isinstance(body, str):
            body = body.encode()
        self.send_response(status)
        self.send_header("Content-Type", kind + "; charset=utf-8")
        self.send_header("Content-Length", str(len(body)))
        self.send_header("Cache-Control", "no-store")
        self.send_header("X-Content-Type-Options", "nosniff")
        self.send_header("Referrer-Policy", "no-referrer")
        self.send_header(
            "Content-Security-Policy",
            "default-src 'none'; script-src 'self'; style-src 'self'; "
            "img-src data:; connect-src 'self' ws://%s; base-uri 'none'; "
            "form-action 'none'; frame-ancestors 'none'" %
            self.options.gateway)
        self.end_headers()
        self.wfile.write(body)


class Server(http.server.ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request, client_address):
        """A page that has gone is no error."""
        if not isinstance(sys.exc_info()[1], (OSError, TimeoutError)):
            super().handle_error(request, client_address)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, default=8090)
    parser.add_argument("--gateway", required=True, help="127.0.0.1:8080")
    parser.add_argument("--ctl", required=True, help="ws-gatewayctl")
    parser.add_argument("--control", required=True, help="its socket")
    Site.options = parser.parse_args()
    if not os.environ.get("SERVER_TOKEN"):
        sys.exit("serve.py: no SERVER_TOKEN in the environment")
    try:
        server = Server(("127.0.0.1", Site.options.port), Site)
    except OSError as e:
        sys.exit("serve.py: 127.0.0.1:%d: %s" % (
            Site.options.port, e.strerror))
    print("The page is http://127.0.0.1:%d/" % server.server_address[1],
          flush=True)
    try:
        server.serve_forever()
    except KeyboardInterrupt:
        pass


main()
