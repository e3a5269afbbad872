"""etc/api: every path, status, header and text that the OpenAPI document has,
and every message and close code of the AsyncAPI document, is brought about with
a running daemon, and looked at by what the document says of it."""
import base64
import json
import os
import re
import signal

import pytest

from gateway import ROOT, wait_for
from rawhttp import RawHTTP, request
from rawws import BINARY, CLOSE, TEXT, RawWS, Refused, close_payload

OPENAPI = json.loads((ROOT / "etc" / "api" / "openapi.json").read_text())
ASYNCAPI = json.loads((ROOT / "etc" / "api" / "asyncapi.json").read_text())
ORIGIN = "https://game.example"
SETTINGS = """
origins { "%s" }
players { max-connections 1; compress yes; max-message 1K; max-fragments 4 }
publishers { rate-limit 2; rate-period 1h; max-body 1K }
http { request-timeout 1s }
tokens { cache 0s; grace 0s; lookup-timeout 500ms }
""" % ORIGIN


def resolve(document, node):
    while isinstance(node, dict) and "$ref" in node:
        at = document
        for name in node["$ref"].removeprefix("#/").split("/"):
            at = at[name]
        node = at
    return node


TYPES = {"object": dict, "string": str, "integer": int, "array": list}


def fits(document, schema, value):
    """Whether VALUE is as SCHEMA wants it: the keywords that are used here,
    and a failure for any other."""
    schema = resolve(document, schema)
    known = {"type", "required", "properties", "additionalProperties", "enum",
             "const", "pattern", "minimum", "minLength", "maxLength", "oneOf",
             "description", "examples"}
    assert set(schema) <= known, set(schema) - known
    if "oneOf" in schema:
        return sum(fits(document, s, value) for s in schema["oneOf"]) == 1
    checks = [
        "type" not in schema or isinstance(value, TYPES[schema["type"]]),
        "enum" not in schema or value in schema["enum"],
        "const" not in schema or value == schema["const"]]
    if not all(checks):
        return False
    if isinstance(value, str):
        return (re.search(schema.get("pattern", ""), value) is not None and
                schema.get("minLength", 0) <= len(value) <=
                schema.get("maxLength", len(value)))
    if isinstance(value, int):
        return value >= schema.get("minimum", value)
    if isinstance(value, dict):
        properties = schema.get("properties", {})
        return (set(schema.get("required", ())) <= set(value) and
                (schema.get("additionalProperties", True) or
                 set(value) <= set(properties)) and
                all(fits(document, properties[k], v)
                    for k, v in value.items() if k in properties))
    return True


def documented():
    return {(path, method, status)
            for path, item in OPENAPI["paths"].items()
            for method, operation in item.items()
            for status in operation["responses"]}


class Api:
    """A gateway, and what has been seen of the document."""

    def __init__(self, g):
        self.g = g
        self.seen = set()
        self.headers = set()
        self.texts = set()
        self.serial = 0

    def server(self):
        """A server's token that has its whole rate."""
        self.serial += 1
        return self.g.add_token("server%d" % self.serial, server=True)

    def saw(self, path, method, status, headers, body):
        """An answer is as the document says."""
        operation = OPENAPI["paths"][path][method]
        response = operation["responses"].get(str(status))
        assert response is not None, (path, method, status, body)
        self.seen.add((path, method, str(status)))
        headers = {k.lower(): v for k, v in headers.items()}
        for name, header in response.get("headers", {}).items():
            value = headers.get(name.lower())
            if value is None:
                assert not header["required"], (path, status, name)
                continue
            self.headers.add((path, str(status), name))
            if header["schema"].get("type") == "integer":
                value = int(value)
            assert fits(OPENAPI, header["schema"], value), (name, value)
        # No header that says when to come back is kept from the reader.
        for name in ("retry-after", "www-authenticate"):
            assert (name in headers) == (name in [
                h.lower() for h in response.get("headers", {})])
        if method == "head" or "content" not in response:
            return
        ((kind, content),) = response["content"].items()
        assert headers["content-type"] == kind
        text = body.decode()
        value = json.loads(text) if kind == "application/json" else text
        assert fits(OPENAPI, content["schema"], value), (path, status, text)
        if "enum" in resolve(OPENAPI, content["schema"]):
            self.texts.add((path, str(status), text))

    def ask(self, method, path, body=None, headers=(), target=None, **kw):
        with RawHTTP(self.g) as c:
            res = c.ask(request(method.upper(), target or path, body,
                                headers, **kw), head=method == "head")
            self.saw(path, method, res.status, res.headers, res.body)
            return res.status

    def connect(self, token=None, protocol=None, **kw):
        """A handshake as the document's parameters want it, or less."""
        fields = {
            "Upgrade": "websocket", "Connection": "Upgrade",
            "Sec-WebSocket-Key": base64.b64encode(bytes(16)).decode(),
            "Sec-WebSocket-Version": "13", "Origin": ORIGIN,
            "Sec-WebSocket-Extensions": "permessage-deflate"}
        parameters = {p["name"] for p in
                      OPENAPI["paths"]["/ws"]["get"]["parameters"]}
        assert parameters == set(fields)
        if protocol is not None:
            fields["Sec-WebSocket-Protocol"] = "bearer, " + protocol
        fields.update(kw)
        lines = ["%s: %s" % f for f in fields.items() if f[1] is not None]
        c = RawHTTP(self.g)
        c.send(request("GET", "/ws" if token is None else
                       "/ws?token=" + token, headers=lines))
        head = self.head(c)
        if head.status != 101:
            c.sock.close()
        self.saw("/ws", "get", head.status, head.headers, head.body)
        return head.status, c

    @staticmethod
    def head(c):
        while b"\r\n\r\n" not in c.buf:
            c.fill()
        # The answer to a handshake has no length.
        if c.buf.startswith(b"HTTP/1.1 101"):
            c.buf = c.buf.replace(b"\r\n\r\n", b"\r\nContent-Length: 0"
                                  b"\r\n\r\n", 1)
        return c.response()


@pytest.fixture
def api(start):
    g = start(SETTINGS, wait=False)
    g.add_token("s1", subject="s", server=True)
    return Api(g.start())


def players(api):
    token, _ = api.g.fresh()
    status, c = api.connect(token)
    assert status == 101
    status, _ = api.connect(token)
    assert status == 429
    c.sock.close()
    token, _ = api.g.fresh()
    assert api.connect(None, token)[0] == 101
    token, _ = api.g.fresh()
    assert api.connect(Authorization="Bearer " + token)[0] == 101
    token, _ = api.g.fresh()
    assert api.connect()[0] == 401
    assert api.connect("nobody")[0] == 401
    assert api.connect(token, Origin=None)[0] == 403
    assert api.connect(token, Origin="https://other.example")[0] == 403
    assert api.connect(token, **{"Sec-WebSocket-Version": "12"})[0] == 426
    for name in ("Upgrade", "Connection", "Sec-WebSocket-Key",
                 "Sec-WebSocket-Version"):
        assert api.connect(token, **{name: None})[0] == 400
    assert api.connect(token, **{"Sec-WebSocket-Extensions": None})[0] == 101


def servers(api, path):
    example = OPENAPI["paths"][path]["post"]["requestBody"]["content"][
        "application/json"]["example"]
    schema = OPENAPI["paths"][path]["post"]["requestBody"]["content"][
        "application/json"]["schema"]
    assert fits(OPENAPI, schema, example)
    body = json.dumps(example).encode()

    def ask(body, token, **kw):
        return api.ask("post", path, body, [
            "Authorization: Bearer " + token], **kw)

    assert ask(body, api.server()) == 200
    for player in (21, "21"):
        more = {**example, "player_id": player, "more": 1}
        assert fits(OPENAPI, schema, more)
        assert ask(json.dumps(more).encode(), api.server()) == 200
    # What the schema refuses, so does the gateway.
    for bad in ({}, {**example, "event": 1}, {**example, "player_id": 1.5},
                {**example, "player_id": []}, "text",
                *([{**example, "player_id": ""}] if path == "/publish"
                  else [])):
        assert not fits(OPENAPI, schema, bad), bad
        if bad != "text":
            assert ask(json.dumps(bad).encode(), api.server()) == 400, bad
    assert ask(b"text", api.server()) == 400
    assert api.ask("post", path, body) == 401
    assert ask(body, "nobody") == 403
    assert ask(body, api.g.fresh()[0]) == 403
    assert ask(b"x" * 1025, api.server()) == 413
    assert ask(None, api.server(), length=False) == 411
    token = api.server()
    assert [ask(body, token) for _ in range(3)] == [200, 200, 429]
    # A part of a body, and no more.
    assert api.ask("post", path, b"", [
        "Authorization: Bearer " + api.server(), "Content-Length: 10"],
        length=False) == 408


def monitoring(api):
    for path in ("/metrics", "/healthz", "/readyz"):
        assert api.ask("get", path) == api.ask("head", path) == 200


def test_openapi(api):
    players(api)
    servers(api, "/publish")
    servers(api, "/broadcast")
    monitoring(api)
    # Without a database.
    token = api.server()
    pid = api.g.pid_of("store")
    os.kill(pid, signal.SIGSTOP)
    try:
        for path in ("/publish", "/broadcast"):
            assert api.ask("post", path, b"{}", [
                "Authorization: Bearer " + token]) == 503
        assert api.connect("nobody")[0] == 503
        wait_for(lambda: api.ask("get", "/readyz") == 503, "the silence")
    finally:
        os.kill(pid, signal.SIGCONT)
    wait_for(lambda: api.ask("get", "/readyz") == 200, "the store")
    # While it is drained.
    api.g.ctl("drain", "0s")
    assert api.ask("get", "/readyz") == api.ask("head", "/readyz") == 503
    assert api.connect(api.g.fresh()[0])[0] == 503
    assert api.seen == documented()
    headers = {(path, status, name)
               for path, item in OPENAPI["paths"].items()
               for operation in item.values()
               for status, response in operation["responses"].items()
               for name in response.get("headers", {})}
    assert api.headers == headers
    for path, status, texts in (
            ("/ws", "401", 2), ("/readyz", "503", 2), ("/ws", "503", 2)):
        assert len([t for t in api.texts if t[:2] == (path, status)]) >= \
            texts, (path, status)


def test_texts_are_the_daemons():
    """Those that take much to bring about are in the code, at least."""
    code = "".join((ROOT / "ws-gatewayd" / name).read_text().replace(
        '"\n\t\t    "', "").replace('" "\n', "")
        for name in ("reply.c", "endpoint.c", "request.c", "listener.c"))
    for item in OPENAPI["paths"].values():
        for operation in item.values():
            for response in operation["responses"].values():
                for content in response.get("content", {}).values():
                    for text in resolve(OPENAPI, content["schema"]).get(
                            "enum", ()):
                        assert text[:-1] in code, text


def test_other_methods_and_paths(api):
    """What the description says of what is not in the document."""
    for path, item in OPENAPI["paths"].items():
        for method in ("get", "post", "put", "delete"):
            if method in item:
                continue
            with RawHTTP(api.g) as c:
                res = c.ask(request(method.upper(), path + (
                    "?token=" + api.g.fresh()[0] if path == "/ws" else "")))
            assert res.status == 405, (path, method)
            assert res.headers["allow"].lower() in item
    with RawHTTP(api.g) as c:
        assert c.ask(request("GET", "/elsewhere")).status == 404


def test_versions():
    """Of the contract, not of the program: both documents are of one."""
    assert OPENAPI["info"]["version"] == ASYNCAPI["info"]["version"] == "1"


# -- AsyncAPI -----------------------------------------------------------------

def test_messages(api, connect):
    (channel,) = ASYNCAPI["channels"].values()
    assert {o["action"] for o in ASYNCAPI["operations"].values()} == \
        {"send", "receive"}
    token, player = api.g.fresh()
    ws = connect(api.g, path="%s?token=%s" % (channel["address"], token),
                 headers=["Origin: " + ORIGIN])
    schema = ASYNCAPI["components"]["messages"]["message"]["payload"]
    (example,) = ASYNCAPI["components"]["messages"]["message"]["examples"]
    assert fits(ASYNCAPI, schema, example["payload"])
    for payload in (None, 1, "x", [], example["payload"]["payload"]):
        api.g.publish(player, "target", payload, token=api.server())
        text = ws.recv_text()
        message = json.loads(text)
        assert fits(ASYNCAPI, schema, message)
        assert list(message) == list(schema["properties"])
        assert message["payload"] == payload
        assert text == '{"event":"target","payload":%s}' % json.dumps(payload)
    # "anything" is taken and has no answer.
    for opcode in (TEXT, BINARY):
        ws.send(opcode, b"anything")
    ws.settle()


def closed_by(g, connect, what):
    """The code that a player is closed with who does WHAT."""
    ws = connect(g, g.fresh()[0], headers=["Origin: " + ORIGIN])
    what(ws)
    while True:
        opcode, payload = ws.recv()
        if opcode == CLOSE:
            return int.from_bytes(payload[:2], "big")


def test_close_codes(api, connect):
    g = api.g
    seen = {closed_by(g, connect, what) for what in (
        lambda ws: ws.send(CLOSE, close_payload(1000)),
        lambda ws: ws.send(3),
        lambda ws: ws.send(TEXT, b"\xff"),
        lambda ws: ws.send(BINARY, b"x" * 1025),
        lambda ws: g.ctl("kick", "player", str(1000 + g.serial)),
        lambda ws: g.ctl("drain", "0s"))}
    # One who is there when the gateway stops can't have come after a drain.
    g.stop()
    assert seen == {1000, 1002, 1007, 1008, 1009, 1012}
    assert {str(c) for c in seen | {1001}} == set(ASYNCAPI["x-close-codes"])


def test_going_away(api, connect):
    ws = connect(api.g, api.g.fresh()[0], headers=["Origin: " + ORIGIN])
    api.g.signal(signal.SIGTERM)
    opcode, payload = ws.recv()
    assert (opcode, payload[:2]) == (CLOSE, (1001).to_bytes(2, "big"))


def test_ways_to_show_a_token(api, connect):
    """Those of the security schemes, in both documents."""
    schemes = OPENAPI["components"]["securitySchemes"]
    assert [list(s) for s in OPENAPI["paths"]["/ws"]["get"]["security"]] == \
        [["playerQuery"], ["playerToken"], ["playerProtocol"]]
    used = ASYNCAPI["servers"]["local"]["security"]
    others = [resolve(ASYNCAPI, s) for s in used]
    for name, other in zip(("playerQuery", "playerToken", "playerProtocol"),
                           others):
        mine = schemes[name]
        assert (mine.get("name"), mine["type"].lower()) == (
            other.get("name"), other["type"].lower().removeprefix("http") or
            "http")
        token, _ = api.g.fresh()
        if mine["type"] == "http":
            lines, path = ["Authorization: Bearer " + token], "/ws"
        elif mine["in"] == "query":
            lines, path = [], "/ws?%s=%s" % (mine["name"], token)
        else:
            lines, path = [mine["name"] + ": bearer, " + token], "/ws"
        connect(api.g, path=path, headers=[
            "Origin: " + ORIGIN, *lines]).settle()
    with pytest.raises(Refused):
        RawWS.connect(api.g, path="/ws", headers=["Origin: " + ORIGIN])
