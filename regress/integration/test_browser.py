"""The demo's page (clients/js/demo) in Chromium, against the running daemon."""
import http.client
import json
import os
import re
import struct
import subprocess

import pytest

from gateway import BUILD, CTL, LIMIT, ROOT, SANITIZER, wait_for
from launch import can_connect, free_port
from webdriver import Browser

DEMO = ROOT / "clients" / "js" / "demo"
SETTINGS = """
origins { "%s" }
publishers { rate-limit 0 }
players { revalidate-period 200ms }
"""


class Demo:
    """The demo's server, beside a gateway that may come and go."""

    def __init__(self, start, folder):
        self.start_gateway = start
        self.gateway = None
        self.port = free_port()
        self.process = subprocess.Popen(
            ["/usr/bin/python3", "-B", str(DEMO / "serve.py"), "--port", "0",
             "--gateway", "127.0.0.1:%d" % self.port, "--ctl", str(CTL),
             "--control", str(folder.path / "control.sock")],
            env=dict(os.environ, SERVER_TOKEN="s1"), stdout=subprocess.PIPE,
            text=True)
        line = self.process.stdout.readline()
        self.page_port = int(re.search(r":(\d+)/$", line.strip()).group(1))
        self.origin = "http://127.0.0.1:%d" % self.page_port
        self.url = self.origin + "/"

    def start(self, origin=None):
        g = self.start_gateway(SETTINGS % (origin or self.origin),
                               listen="127.0.0.1:%d" % self.port, wait=False)
        if self.gateway is None:
            g.add_token("s1", subject="server-1", server=True)
        self.gateway = g.start()
        return self

    def stop(self):
        self.process.terminate()
        self.process.wait(LIMIT)
        self.process.stdout.close()


@pytest.fixture
def demo(start, folder):
    d = Demo(start, folder)
    try:
        yield d.start()
    finally:
        d.stop()


@pytest.fixture(scope="module")
def chromium():
    b = Browser()
    yield b
    b.quit()


@pytest.fixture
def browser(chromium):
    """The one browser, with nothing left of the last test."""
    yield chromium
    chromium.offline(False)
    chromium.size(1000, 800)
    chromium.scheme("light")
    chromium.go("about:blank")


@pytest.fixture
def page(demo, browser):
    """The page, connected as player 21."""
    browser.console()   # of the last test
    browser.go(demo.url)
    browser.wait_text("#state", "Connected")
    return browser


def first(page):
    """The latest message: event and payload as they are shown."""
    return page.run("""
        const item = document.querySelector("#messages li");
        return item && [item.querySelector("strong").textContent,
            item.querySelector("code").textContent];""")


def history(page):
    """Changes of the connection, the latest first, without times."""
    return page.run("""
        return [...document.querySelectorAll("#history li")]
            .map((e) => e.lastChild.textContent);""")


def remember(page):
    """From now on details(page) has each reason that is shown: one may be gone
    again before it is asked for."""
    page.run("""
        window.details = [];
        const e = document.querySelector("#detail");
        new MutationObserver(() => details.push(e.textContent))
            .observe(e, {childList: true});""")


def details(page):
    return page.run("return window.details;")


def arrives(page, event, payload):
    wait_for(lambda: first(page) == [event, payload], event)


def test_a_message_arrives(demo, page):
    assert page.text("#detail") == "as player 21"
    demo.gateway.publish("21", "target", {"hit": True})
    arrives(page, "target", '{"hit": true}')
    demo.gateway.broadcast("n", 9007199254740993)
    arrives(page, "n", "9007199254740993")
    demo.gateway.publish("21", 'odd ","payload":" name', [])
    arrives(page, 'odd ","payload":" name', "[]")
    assert page.text("#count") == "3"
    page.click("#clear")
    assert (page.text("#count"), first(page)) == ("0", None)


def test_markup_is_only_text(demo, page):
    demo.gateway.publish("21", "<b>x", "<script>document.title='!'</script>")
    arrives(page, "<b>x", "\"<script>document.title='!'</script>\"")
    assert page.run("return document.title") == "ws-gatewayd demo"


def test_many_messages_are_bounded(demo, page):
    for n in range(250):
        demo.gateway.publish("21", "e", n)
    arrives(page, "e", "249")
    assert page.text("#count") == "250"
    assert page.run(
        "return document.querySelectorAll('#messages li').length") == 200


def test_the_token_is_in_no_url(demo, page):
    urls = page.run("return performance.getEntriesByType('resource')"
                    ".map((e) => e.name)")
    assert urls and not any("token=" in u for u in urls)
    assert demo.gateway.ctl_json("show", "players")


def test_the_form_publishes(demo, page):
    page.type("#event", "hello")
    page.type("#payload", '{"big": 9007199254740993}')
    page.click("#publish button")
    page.wait_text("#result", "Delivered to 1 connection.")
    arrives(page, "hello", '{"big": 9007199254740993}')
    page.type("#receiver", "77")
    page.click("#publish button")
    page.wait_text("#result", "Nobody there: it waits in the offline queue.")


def test_the_form_broadcasts(demo, page, connect):
    demo.gateway.add_token("p1", 1)
    other = connect(demo.gateway, "p1", headers=["Origin: " + demo.origin])
    page.click("input[value=all]")
    assert page.run("return document.querySelector('#receiver').disabled")
    page.type("#event", "all")
    page.type("#payload", "[1]")
    page.click("#publish button")
    page.wait_text("#result", "Delivered to 2 connections.")
    assert other.recv_text() == '{"event":"all","payload":[1]}'
    arrives(page, "all", "[1]")


def test_the_form_says_what_was_wrong(demo, page):
    page.type("#payload", "{nope")
    page.click("#publish button")
    wait_for(lambda: page.text("#result").startswith("This is not JSON"),
             "not JSON")
    page.type("#payload", "1")
    page.type("#receiver", "x" * 256)
    page.click("#publish button")
    wait_for(lambda: page.text("#result").startswith(
        "Refused (400): bad request: "), "refused")
    assert first(page) is None


def test_the_gateway_restarts(demo, page):
    """The page comes back by itself, and gets what waited."""
    remember(page)
    assert demo.gateway.stop() == 0
    page.wait_text("#state", "Not connected")
    assert details(page)[0] == "the gateway is restarting"
    wait_for(lambda: page.text("#countdown").startswith("Next try in "),
             "the countdown")
    page.click("#publish button")
    wait_for(lambda: page.text("#result").startswith(
        "Refused (502): the gateway can't be reached"), "502")
    demo.start()
    page.wait_text("#state", "Connected", 2 * LIMIT)
    assert history(page)[0] == "Connected, as player 21"
    assert "Not connected, the gateway is restarting" in history(page)
    demo.gateway.publish("21", "back", 1)
    arrives(page, "back", "1")


def test_the_gateway_is_drained(demo, page):
    remember(page)
    demo.gateway.ctl("drain", "0s")
    wait_for(lambda: details(page), "1012")
    assert details(page)[0] == "the gateway is sending everybody away"
    page.wait_text("#detail", "the gateway can't be reached", 2 * LIMIT)


def stays_closed(page, reason):
    page.wait_text("#state", "Closed")
    assert page.text("#detail") == "by the gateway: " + reason
    # Neither of what would make another state hurry.
    page.run("dispatchEvent(new Event('online'));"
             "document.dispatchEvent(new Event('visibilitychange'))")
    assert page.text("#state") == "Closed"
    assert page.text("#countdown") == ""


def test_a_revoked_token_is_the_end(demo, page):
    demo.gateway.ctl("token", "revoke", "-p", "21")
    stays_closed(page, "token expired")
    before = demo.gateway.metrics()["ws_accepted_total"]
    # As long as the first wait might have been.
    page.call("POST", "/execute/async", {
        "script": "setTimeout(arguments[0], 1100)", "args": []})
    assert page.text("#state") == "Closed"
    # Only our own two looks at the metrics.
    assert demo.gateway.metrics()["ws_accepted_total"] == before + 1


def test_kicked_and_begun_anew(demo, page):
    demo.gateway.ctl("kick", "player", "21", "be", "nice")
    stays_closed(page, "be nice")
    page.type("#player", "22")
    page.click("#connect")
    page.wait_text("#state", "Connected")
    assert page.text("#detail") == "as player 22"
    demo.gateway.publish("22", "e", 1)
    arrives(page, "e", "1")


def test_disconnect_and_connect(demo, page):
    page.click("#disconnect")
    page.wait_text("#state", "Closed")
    line = demo.gateway.wait_log(lambda l: l.get("event") == "ws_disconnect")
    assert line["player_id"] == "21"
    page.click("#connect")
    page.wait_text("#state", "Connected")


def test_offline_and_online(demo, page):
    page.offline(True)
    page.wait_text("#state", "Not connected")
    assert page.text("#detail") == "waiting for the network"
    page.offline(False)
    page.wait_text("#state", "Connected")
    demo.gateway.publish("21", "e", 1)
    arrives(page, "e", "1")


def test_another_sites_page_may_not_connect(demo, browser):
    assert demo.gateway.stop() == 0
    demo.start("https://game.example.org")
    browser.go(demo.url)
    browser.wait_text("#state", "Not connected")
    line = demo.gateway.wait_log(lambda l: l.get("msg") == "refused")
    assert line["reason"] == "origin"


def test_nothing_is_logged_as_an_error(demo, page):
    demo.gateway.publish("21", "e", 1)
    arrives(page, "e", "1")
    assert [l for l in page.console() if l["level"] == "SEVERE"] == []


# -- how it looks -------------------------------------------------------------

def test_it_can_be_used_without_seeing_it(page):
    assert page.role("#status") == ("status", "")
    assert page.role("#messages") == ("log", "Messages 0")
    assert page.role("#player") == ("textbox", "Player")
    assert page.role("#payload") == ("textbox", "Payload, any JSON")
    assert page.role("#connect") == ("button", "Connect")
    assert page.run("return document.documentElement.lang") == "en"
    names = page.run("""
        return [...document.querySelectorAll("input, textarea, button")]
            .filter((e) => e.tagName !== "BUTTON" && !e.labels.length)
            .map((e) => e.id);""")
    assert names == []


CONTRAST = """
function channel(c) {
    c /= 255;
    return c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4;
}
function luminance(css) {
    const [r, g, b] = css.match(/[0-9.]+/g).map(Number).map(channel);
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
}
function ground(e) {
    for (; e; e = e.parentElement) {
        const c = getComputedStyle(e).backgroundColor;
        if (c !== "rgba(0, 0, 0, 0)")
            return c;
    }
}
return [...document.querySelectorAll(
    "h1, h2, p, label, legend, input, textarea, button, span, code, time")]
    .filter((e) => e.textContent.trim() && !e.matches(":disabled"))
    .map((e) => {
        const a = luminance(getComputedStyle(e).color);
        const b = luminance(ground(e));
        return [(Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05),
            e.outerHTML.slice(0, 80)];
    }).filter(([ratio]) => ratio < 4.5);
"""


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_contrast(demo, page, scheme):
    """WCAG 2.1, AA, in each state."""
    page.scheme(scheme)
    demo.gateway.publish("21", "e", 1)
    arrives(page, "e", "1")
    assert page.run(CONTRAST) == []
    page.click("#disconnect")
    page.wait_text("#state", "Closed")
    assert page.run(CONTRAST) == []
    page.run("document.querySelector('#status').dataset.state = 'waiting'")
    assert page.run(CONTRAST) == []


@pytest.mark.parametrize("width", [320, 390, 1000])
def test_it_fits(demo, page, width):
    """No scrolling to the side on a phone, with long words, too."""
    page.size(width, 700, touch=width < 700)
    demo.gateway.publish("21", "w" * 60, "x" * 300)
    arrives(page, "w" * 60, '"%s"' % ("x" * 300))
    assert page.run("return document.documentElement.scrollWidth") <= width
    small = page.run("""
        return [...document.querySelectorAll("button")]
            .filter((e) => e.getBoundingClientRect().height < 40)
            .map((e) => e.id);""")
    assert small == []


def test_a_picture(demo, page):
    """A PNG of that size; SCREENSHOT names a file to keep it in."""
    page.size(920, 780)
    page.click("#disconnect")
    page.wait_text("#state", "Closed")
    page.click("#connect")
    page.wait_text("#state", "Connected")
    for event, payload in (("hello", {"from": "the shop"}),
                           ("target", {"hit": True, "points": 25}),
                           ("score", {"team": "blue", "total": 340})):
        demo.gateway.publish("21", event, payload)
    arrives(page, "score", '{"team": "blue", "total": 340}')
    png = page.screenshot()
    assert len(png) < 150000
    assert png[:8] == b"\x89PNG\r\n\x1a\n"
    assert struct.unpack("!II", png[16:24]) == (920, 780)
    if "SCREENSHOT" in os.environ:
        with open(os.environ["SCREENSHOT"], "wb") as f:
            f.write(png)


# -- all of it, as "make demo" starts it ---------------------------------------

def test_make_demo(browser, folder):
    port, page_port = free_port(), free_port()
    with subprocess.Popen(
            ["sh", str(ROOT / "regress" / "demo.sh"), str(BUILD)],
            env=dict(os.environ, PORT=str(port), PAGE_PORT=str(page_port),
                     TMPDIR=str(folder.path)),
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT, text=True) as demo:
        try:
            said = []
            for line in demo.stdout:
                said.append(line)
                if line.startswith("The page is "):
                    break
            url = "http://127.0.0.1:%d/" % page_port
            assert said[-1] == "The page is %s\n" % url, said
            for address in (url, url.replace("127.0.0.1", "localhost")):
                browser.go(address)
                browser.wait_text("#state", "Connected")
                browser.click("#publish button")
                arrives(browser, "hello", '{\n  "from": "this form"\n}')
        finally:
            demo.terminate()
            said.append(demo.stdout.read())
        assert demo.wait(LIMIT) == 0, said
    assert not any(word in "".join(said) for word in SANITIZER), said
    assert list(folder.path.iterdir()) == []
    assert not can_connect("127.0.0.1", port)
    assert not can_connect("127.0.0.1", page_port)


# -- the demo's server --------------------------------------------------------

def ask(demo, method, path, body=None, **headers):
    con = http.client.HTTPConnection("127.0.0.1", demo.page_port,
                                     timeout=LIMIT)
    con.request(method, path, body, {
        "Origin": demo.origin, "Content-Type": "application/json",
        **{k.replace("_", "-"): v for k, v in headers.items()}})
    res = con.getresponse()
    text = res.read()
    con.close()
    return res.status, text


def test_the_server_serves_only_its_own_page(demo):
    message = json.dumps({"event": "e"})
    assert ask(demo, "POST", "/broadcast", message)[0] == 200
    for path in ("/publish", "/broadcast", "/token"):
        for headers in ({"Origin": "http://evil.example"},
                        {"Origin": "null"}, {"Host": "evil.example"},
                        {"Content_Type": "text/plain"}):
            status, _ = ask(demo, "POST", path, message, **headers)
            assert status in (403, 415, 421), (path, headers)
    assert ask(demo, "GET", "/", Host="evil.example")[0] == 421
    assert demo.gateway.metrics()["ws_messages_published_total"] == 1


def test_the_server_bears_nonsense(demo):
    for path in ("/../serve.py", "/serve.py", "/etc/passwd", "/x"):
        assert ask(demo, "GET", path)[0] == 404
    for body in ("", "[]", "{", '{"player":21}', '{"player":"-s"}',
                 '{"player":"1 2"}', "\xff"):
        assert ask(demo, "POST", "/token", body.encode("latin-1"))[0] == 400
    assert ask(demo, "POST", "/publish", "x" * 70000)[0] == 413
    assert ask(demo, "POST", "/publish", "{")[0] == 400
    assert ask(demo, "POST", "/nowhere", "{}")[0] == 404
    assert ask(demo, "PUT", "/publish", "{}")[0] == 501
