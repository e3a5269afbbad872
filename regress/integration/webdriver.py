"""Chromium without a window, by chromedriver's HTTP interface (W3C WebDriver
and two commands of Chromium's own)."""
import base64
import json
import os
import re
import shutil
import subprocess
import tempfile
import urllib.error
import urllib.request

import pytest

from gateway import LIMIT, wait_for

ELEMENT = "element-6066-11e4-a52e-4f735466cecf"     # WebDriver, 11
NO_PROXY = urllib.request.build_opener(urllib.request.ProxyHandler({}))
ARGUMENTS = [
    "--headless=new", "--disable-gpu", "--disable-dev-shm-usage",
    # Nothing but the page: no updates, no look-ups.
    "--disable-background-networking", "--disable-component-update",
    "--disable-sync", "--no-first-run", "--disable-extensions",
    "--proxy-server=direct://", "--lang=en-GB"]


class WebDriverError(Exception):
    pass


class Browser:
    """One chromedriver with one session."""

    def __init__(self):
        if shutil.which("chromedriver") is None or \
                shutil.which("chromium") is None:
            pytest.skip("no chromium and chromedriver")
        self.dir = tempfile.mkdtemp(prefix="wsg-browser.")
        # Whatever the browser keeps outside its profile goes there, too.
        env = dict(os.environ, HOME=self.dir, TMPDIR=self.dir)
        self.log = open(os.path.join(self.dir, "log"), "w+b")
        self.driver = subprocess.Popen(
            ["chromedriver", "--port=0"], env=env, stdin=subprocess.DEVNULL,
            stdout=self.log, stderr=subprocess.STDOUT)
        self.base = None
        try:
            port = wait_for(self.port, "chromedriver")
            self.base = "http://127.0.0.1:%d/session" % port
            self.open_session()
        except BaseException:
            self.quit()
            raise

    def port(self):
        assert self.driver.poll() is None, self.output()
        found = re.search(r"started successfully on port (\d+)",
                          self.output())
        return found and int(found.group(1))

    def output(self):
        self.log.seek(0)
        return self.log.read().decode(errors="replace")

    def open_session(self):
        arguments = list(ARGUMENTS)
        if os.getuid() == 0:
            arguments.append("--no-sandbox")
        session = self.call("POST", "", {"capabilities": {"alwaysMatch": {
            "browserName": "chrome",
            "goog:loggingPrefs": {"browser": "ALL"},
            "goog:chromeOptions": {"args": arguments}}}})
        self.base += "/" + session["sessionId"]

    def call(self, method, path, body=None):
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(
            self.base + path, data, {"Content-Type": "application/json"},
            method=method)
        try:
            with NO_PROXY.open(request, timeout=3 * LIMIT) as response:
                return json.load(response)["value"]
        except urllib.error.HTTPError as e:
            raise WebDriverError(e.read().decode()) from None

    def quit(self):
        if self.base is not None and not self.base.endswith("/session"):
            self.call("DELETE", "")
        self.driver.terminate()
        self.driver.wait(LIMIT)
        self.log.close()
        shutil.rmtree(self.dir, ignore_errors=True)

    # -- a page -----------------------------------------------------------

    def go(self, url):
        self.call("POST", "/url", {"url": url})

    def run(self, script, *args):
        """What the function body SCRIPT returns."""
        return self.call("POST", "/execute/sync",
                         {"script": script, "args": list(args)})

    def find(self, selector):
        found = self.call("POST", "/element", {
            "using": "css selector", "value": selector})
        return "/element/" + found[ELEMENT]

    def text(self, selector):
        return self.call("GET", self.find(selector) + "/text")

    def click(self, selector):
        self.call("POST", self.find(selector) + "/click", {})

    def type(self, selector, text):
        """In place of what is there."""
        element = self.find(selector)
        self.call("POST", element + "/clear", {})
        self.call("POST", element + "/value", {"text": text})

    def wait_text(self, selector, text, limit=LIMIT):
        """Until that element has exactly this text."""
        seen = None

        def look():
            nonlocal seen
            seen = self.text(selector)
            return seen == text
        try:
            wait_for(look, selector, limit)
        except AssertionError:
            raise AssertionError("%s is %r, not %r\n%s" % (
                selector, seen, text, self.console())) from None

    def console(self):
        """What the page has logged since it was last asked."""
        return self.call("POST", "/se/log", {"type": "browser"})

    def role(self, selector):
        """What it is for those who can't see it: role and name."""
        element = self.find(selector)
        return (self.call("GET", element + "/computedrole"),
                self.call("GET", element + "/computedlabel"))

    # -- the window and the network ---------------------------------------

    def size(self, width, height, touch=False):
        """Of the page itself, as a phone has it if TOUCH."""
        self.cdp("Emulation.setDeviceMetricsOverride", width=width,
                 height=height, deviceScaleFactor=1, mobile=touch)

    def scheme(self, name):
        """"light" or "dark"."""
        self.cdp("Emulation.setEmulatedMedia", features=[
            {"name": "prefers-color-scheme", "value": name}])

    def offline(self, yes):
        self.call("POST", "/chromium/network_conditions", {
            "network_conditions": {"offline": yes, "latency": 0,
                                   "download_throughput": -1,
                                   "upload_throughput": -1}})

    def cdp(self, command, **params):
        return self.call("POST", "/goog/cdp/execute",
                         {"cmd": command, "params": params})

    def screenshot(self):
        """PNG."""
        return base64.b64decode(self.call("GET", "/screenshot"))
