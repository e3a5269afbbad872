import assert from "node:assert/strict";
import { describe, it } from "node:test";

import { CLOSE, GatewayClient, connect } from "../ws-gateway-client.js";
import { settle, world } from "./fakes.js";

/** A client in a world of its own, and what it says. */
function start(options = {}) {
	const w = world();
	const client = new GatewayClient({ token: "t1",
	    environment: w.environment, ...options });

	w.states = [];
	w.errors = [];
	client.onState((change) => w.states.push(change));
	client.onError((error) => w.errors.push(error));
	client.open();
	return { w, client };
}

function opened(options) {
	const s = start(options);

	s.w.last().accept();
	assert.equal(s.client.state, "open");
	return s;
}

const waits = ({ w, client }) => client.retryAt - w.clock.now();

describe("connecting", () => {
	it("sends the token as a subprotocol, out of the URL", () => {
		const { w, client } = start();

		assert.equal(client.state, "connecting");
		assert.equal(w.last().url, "wss://game.example.org/ws");
		assert.deepEqual(w.last().protocols, ["bearer", "t1"]);
	});

	it("puts a token into the query that a subprotocol can't carry", () => {
		for (const token of ["a b", "a,b", "é", "a/b", "a=", "bearer"]) {
			const { w } = start({ token });

			assert.equal(w.last().protocols, undefined);
			assert.equal(new URL(w.last().url).searchParams
			    .get("token"), token);
		}
	});

	it("does as it is told: query, protocol", async () => {
		const { w } = start({ auth: "query",
		    url: "ws://h:1/ws?a=b#c" });
		const s = start({ auth: "protocol", token: "a b" });

		assert.equal(w.last().url, "ws://h:1/ws?a=b&token=t1");
		await settle();
		assert.match(s.w.errors[0].message, /subprotocol/);
		assert.equal(s.client.state, "waiting");
	});

	it("takes addresses of all kinds", () => {
		for (const [url, full] of [
		    ["/x/ws", "wss://game.example.org/x/ws"],
		    ["http://h/ws", "ws://h/ws"],
		    ["https://h:8443/ws", "wss://h:8443/ws"],
		    [new URL("wss://h/ws"), "wss://h/ws"]])
			assert.equal(start({ url }).w.last().url, full);
	});

	it("refuses what can't be right", () => {
		const environment = world().environment;
		const bad = (options) => assert.throws(
		    () => new GatewayClient({ token: "t", environment,
			...options }), TypeError);

		bad({ token: "" });
		bad({ token: null });
		bad({ url: "ftp://h/" });
		bad({ url: "ws://" });
		bad({ auth: "cookie" });
		bad({ minDelay: -1 });
		bad({ maxDelay: "1" });
		bad({ stableAfter: NaN });
		bad({ environment: { ...environment, WebSocket: null } });
		assert.throws(() => new GatewayClient(), TypeError);
	});

	it("takes undefined for what was not given", () => {
		const { w } = start({ url: undefined, auth: undefined });

		assert.equal(w.last().url, "wss://game.example.org/ws");
	});

	it("connects at once by connect()", () => {
		const w = world();
		const client = connect({ token: "t",
		    environment: w.environment });

		assert.equal(client.state, "connecting");
		assert.equal(client.open(), client);
		assert.equal(w.sockets.length, 1);
	});

	it("gives up a handshake that takes too long", async () => {
		const { w, client } = start({ connectTimeout: 3000 });

		await w.clock.advance(2999);
		assert.equal(client.state, "connecting");
		await w.clock.advance(1);
		assert.equal(client.state, "waiting");
		assert.equal(client.lastClose.reason, "timeout");
		assert.deepEqual(w.sockets[0].closed, [1000]);
		w.sockets[0].accept();
		w.sockets[0].end();
		assert.equal(client.state, "waiting");
	});

	it("does not wait for a close that never comes", async () => {
		const { w, client } = start();

		w.last().dispatchEvent(new Event("error"));
		assert.equal(client.state, "connecting");
		await w.clock.advance(0);
		assert.equal(client.state, "waiting");
		assert.equal(client.lastClose.code, 1006);
	});

	it("survives a constructor that throws", async () => {
		const w = world();
		const errors = [];
		const client = new GatewayClient({ token: "t",
		    environment: w.environment });

		client.onError((e) => errors.push(e));
		w.refuse = new Error("mixed content");
		client.open();
		await settle();
		assert.deepEqual(errors, [w.refuse]);
		assert.equal(client.lastClose.error, w.refuse);
		w.refuse = null;
		await w.clock.advance(1000);
		assert.equal(client.state, "connecting");
	});
});

describe("the token function", () => {
	it("is asked at each connect", async () => {
		let n = 0;
		const { w } = start({ token: () => `n${++n}` });

		await settle();
		assert.deepEqual(w.last().protocols, ["bearer", "n1"]);
		w.last().accept();
		w.last().end();
		await w.clock.advance(1000);
		assert.deepEqual(w.last().protocols, ["bearer", "n2"]);
	});

	it("may fail for a while, and says how often", async () => {
		const asked = [];
		const { w, client } = start({ token: async ({ failures }) => {
			asked.push(failures);
			if (failures === 0)
				throw new Error("no network");
			return failures === 1 ? undefined : "good";
		} });

		await settle();
		assert.equal(client.state, "waiting");
		await w.clock.advance(1000);
		await w.clock.advance(2000);
		assert.deepEqual(asked, [0, 1, 2]);
		assert.deepEqual(w.errors.map((e) => e.message), ["no network",
		    "the token function gave no token"]);
		assert.deepEqual(w.last().protocols, ["bearer", "good"]);
	});

	it("is told when nobody waits for it any more", async () => {
		let signal, give;
		const { w, client } = start({ token: (request) => {
			signal = request.signal;
			return new Promise((resolve) => { give = resolve; });
		} });

		client.close();
		assert.equal(signal.aborted, true);
		give("late");
		await settle();
		assert.equal(w.sockets.length, 0);
		assert.equal(client.state, "closed");
	});

	it("counts for the time of an attempt", async () => {
		const { w, client } = start({ connectTimeout: 1000,
		    token: () => new Promise(() => {}) });

		await w.clock.advance(1000);
		assert.equal(client.state, "waiting");
	});
});

describe("messages", () => {
	it("go to the listeners of their event", () => {
		const { w, client } = opened();
		const got = [];
		const all = [];

		client.on("target", (payload, message) =>
		    got.push([payload, message]));
		client.onMessage((message) => all.push(message.event));
		w.last().say('{"event":"target","payload":{"n": 9007199254740993}}');
		w.last().say({ event: "other", payload: null });
		assert.equal(got.length, 1);
		assert.deepEqual(Object.keys(got[0][0]), ["n"]);
		assert.match(got[0][1].raw, /9007199254740993/);
		assert.deepEqual(all, ["target", "other"]);
	});

	it("of odd names are like others", () => {
		const { w, client } = opened();
		const got = [];

		for (const event of ["__proto__", "constructor", "", "*"]) {
			client.on(event, () => got.push(event));
			w.last().say({ event, payload: 1 });
		}
		assert.deepEqual(got, ["__proto__", "constructor", "", "*"]);
	});

	it("stop when one has unsubscribed, by either way", () => {
		const { w, client } = opened();
		let n = 0;
		const fn = () => n++;
		const offs = [client.on("e", fn), client.onMessage(fn)];

		client.on("e", fn);
		w.last().say({ event: "e", payload: 1 });
		assert.equal(n, 2);
		for (const off of offs)
			off();
		client.off("e", fn);
		client.off("never", fn);
		w.last().say({ event: "e", payload: 1 });
		assert.equal(n, 2);
	});

	it("reach the others when one listener leaves or throws", () => {
		const { w, client } = opened();
		const got = [];
		const off = client.on("e", () => { got.push(1); off(); });

		client.on("e", () => { throw new Error("mine"); });
		client.on("e", () => got.push(2));
		w.last().say({ event: "e", payload: 1 });
		assert.deepEqual(got, [1, 2]);
		assert.deepEqual(w.raised.map((e) => e.message), ["mine"]);
	});

	it("that are none are reported, and nothing else happens", () => {
		const { w, client } = opened();

		for (const bad of ["{", "null", "[]", "7", '{"event":7}'])
			w.last().say(bad);
		assert.equal(w.errors.length, 5);
		assert.equal(client.state, "open");
	});

	it("of a connection that was given up are not heard", () => {
		const { w, client } = opened();
		const got = [];

		client.onMessage((m) => got.push(m));
		w.page.online(false);
		w.last().say({ event: "e", payload: 1 });
		assert.deepEqual(got, []);
	});
});

describe("coming back", () => {
	it("waits at random below a window that doubles", async () => {
		const s = start({ minDelay: 100, maxDelay: 1000 });
		const seen = [];

		for (let i = 0; i < 6; i++) {
			s.w.last().end();
			seen.push(waits(s));
			await s.w.clock.advance(1000);
		}
		assert.deepEqual(seen, [50, 100, 200, 400, 500, 500]);
	});

	it("uses all of the window, down to nothing", async () => {
		for (const [random, ms] of [[0, 0], [0.25, 250], [0.999, 999]]) {
			const s = start();

			s.w.random = random;
			s.w.last().end();
			assert.equal(waits(s), ms);
			await s.w.clock.advance(ms);
			assert.equal(s.client.state, "connecting");
		}
	});

	it("is bounded after any number of failures", async () => {
		const s = start({ maxDelay: 2000 });

		for (let i = 0; i < 2000; i++) {
			s.w.last().end();
			assert.ok(waits(s) <= 2000);
			await s.w.clock.advance(2000);
		}
		assert.equal(s.w.sockets.length, 2001);
		assert.ok(s.w.clock.timers.size <= 2);
	});

	it("begins anew after a connection that was stable", async () => {
		const s = opened({ stableAfter: 5000 });

		s.w.last().end();
		await s.w.clock.advance(1000);
		s.w.last().accept();
		await s.w.clock.advance(4999);
		s.w.last().end();
		assert.equal(waits(s), 1000);
		await s.w.clock.advance(1000);
		s.w.last().accept();
		await s.w.clock.advance(5000);
		s.w.last().end();
		assert.equal(waits(s), 500);
	});

	it("spreads those whom the gateway sends away", () => {
		for (const code of [CLOSE.GOING_AWAY, CLOSE.RESTART]) {
			const s = opened();

			s.w.random = 0.9;
			s.w.last().end(code, "draining");
			assert.equal(waits(s), 4500);
			assert.equal(s.client.lastClose.code, code);
		}
	});

	it("leaves an overloaded gateway alone for a while", () => {
		const s = opened();

		s.w.random = 0;
		s.w.last().end(CLOSE.TRY_LATER);
		assert.equal(waits(s), 5000);
		s.w.document.fire("visibilitychange");
		assert.equal(waits(s), 5000);
	});

	it("does after every code but 1008", () => {
		for (const code of [1000, 1001, 1002, 1003, 1005, 1006, 1007, 1009,
		    1010, 1011, 1012, 1013, 1014, 1015, 3000, 4000]) {
			const { w, client } = opened();

			w.last().end(code);
			assert.equal(client.state, "waiting", code);
		}
	});

	it("says what happened, in order", async () => {
		const { w } = opened();

		w.last().end(1012, "draining");
		await w.clock.advance(5000);
		assert.deepEqual(w.states.map((s) => [s.previous, s.state]), [
		    ["closed", "connecting"], ["connecting", "open"],
		    ["open", "waiting"], ["waiting", "connecting"]]);
		assert.deepEqual(w.states[2].close, { code: 1012,
		    reason: "draining", wasClean: true });
		assert.ok(w.states[2].retryAt > 0);
		assert.equal(w.states[3].retryAt, null);
	});

	it("ends after as many failures as were allowed", async () => {
		const { w, client } = start({ maxFailures: 2 });

		w.last().end();
		await w.clock.advance(1000);
		w.last().end();
		assert.equal(client.state, "waiting");
		await w.clock.advance(2000);
		w.last().end();
		assert.equal(client.state, "closed");
		assert.equal(w.clock.timers.size, 0);
	});
});

describe("the end", () => {
	it("is 1008, with what the gateway said", async () => {
		const { w, client } = opened();

		w.last().end(1008, "token expired");
		assert.equal(client.state, "closed");
		assert.deepEqual(client.lastClose, { code: 1008,
		    reason: "token expired", wasClean: true });
		await w.clock.advance(3600000);
		w.page.online(true);
		w.document.fire("visibilitychange");
		assert.equal(w.sockets.length, 1);
		assert.equal(w.page.listeners + w.document.listeners, 0);
		assert.equal(w.clock.timers.size, 0);
	});

	it("is close(), in whatever state", async () => {
		const ways = {
			connecting: () => start(),
			open: () => opened(),
			waiting: () => {
				const s = start();

				s.w.last().end();
				return s;
			},
		};

		for (const [state, make] of Object.entries(ways)) {
			const { w, client } = make();

			assert.equal(client.state, state);
			client.close();
			client.close();
			assert.equal(client.state, "closed");
			assert.equal(w.states.filter((s) =>
			    s.state === "closed").length, 1);
			w.last().end(1000);
			await w.clock.advance(3600000);
			assert.equal(w.sockets.length, 1);
			assert.equal(w.clock.timers.size, 0);
			assert.equal(client.retryAt, null);
		}
	});

	it("may come in a listener", async () => {
		for (const when of ["connecting", "open", "waiting"]) {
			const w = world();
			const client = new GatewayClient({ token: "t",
			    environment: w.environment });

			client.onState(({ state }) => {
				if (state === when)
					client.close();
			});
			client.open();
			await settle();
			w.last()?.accept();
			w.last()?.end();
			await w.clock.advance(3600000);
			assert.equal(client.state, "closed");
			assert.ok(w.sockets.length <= 1);
			assert.equal(w.clock.timers.size, 0);
			assert.equal(w.page.listeners + w.document.listeners, 0);
		}
	});

	it("can be followed by open()", () => {
		const { w, client } = opened();
		const got = [];

		client.on("e", (payload) => got.push(payload));
		w.last().end(1008, "kicked");
		client.open();
		assert.equal(client.lastClose, null);
		w.last().accept();
		w.last().say({ event: "e", payload: 5 });
		assert.deepEqual(got, [5]);
		assert.equal(client.state, "open");
	});
});

describe("the page", () => {
	it("drops a connection when the network goes, and comes back with it",
	    async () => {
		const { w, client } = opened();

		await w.clock.advance(60000);
		w.page.online(false);
		assert.equal(client.state, "waiting");
		assert.equal(client.lastClose.reason, "offline");
		assert.deepEqual(w.sockets[0].closed, [1000]);
		await w.clock.advance(20000);
		assert.equal(w.sockets.length, 1);
		w.page.online(true);
		assert.equal(client.state, "connecting");
		assert.equal(w.sockets.length, 2);
	});

	it("tries now and then although it is said to be offline", async () => {
		const { w, client } = opened();

		w.page.online(false);
		await w.clock.advance(30000);
		assert.equal(client.state, "connecting");
		w.last().accept();
		assert.equal(client.state, "open");
	});

	it("tries at once when it is looked at", async () => {
		const { w, client } = start({ minDelay: 10000, maxDelay: 90000 });

		w.random = 0.99;
		w.last().end();
		await w.clock.advance(9900);
		w.last().end();
		w.document.visibilityState = "hidden";
		w.document.fire("visibilitychange");
		assert.equal(client.state, "waiting");
		await w.clock.advance(10000);
		w.document.visibilityState = "visible";
		w.document.fire("visibilitychange");
		assert.equal(client.state, "connecting");
	});

	it("can't be made to hammer", async () => {
		const { w } = start();

		w.random = 0.99;
		for (let i = 0; i < 100; i++) {
			w.last().end();
			w.document.fire("visibilitychange");
			w.page.online(true);
			await w.clock.advance(100);
		}
		assert.ok(w.sockets.length <= 11, w.sockets.length);
	});

	it("leaves an open connection alone", async () => {
		const { w, client } = opened();

		await w.clock.advance(600000);
		w.document.fire("visibilitychange");
		w.page.fire("pageshow");
		w.page.online(true);
		assert.equal(client.state, "open");
		assert.equal(w.sockets.length, 1);
	});

	it("knows that it slept too long for the gateway", async () => {
		for (const wake of [
		    (w) => w.clock.advance(0),
		    (w) => w.document.fire("visibilitychange"),
		    (w) => w.page.fire("pageshow")]) {
			const { w, client } = opened();

			await w.clock.advance(20000);
			w.clock.sleep(600000);
			await wake(w);
			assert.equal(client.state, "connecting");
			assert.equal(client.lastClose.reason, "asleep");
			assert.equal(w.sockets.length, 2);
		}
	});

	it("does not take a slow timer for sleep", async () => {
		const { w, client } = opened();

		w.clock.sleep(75000);
		await w.clock.advance(0);
		assert.equal(client.state, "open");
	});
});

describe("Node's ws", () => {
	/** A socket that says how its handshake was refused. */
	function refuse(s, statusCode, headers = {}) {
		const socket = s.w.last();

		socket.handlers["unexpected-response"]({},
		    { statusCode, headers });
	}

	function startNode(options) {
		const w = world();
		const Base = w.environment.WebSocket;

		w.environment.WebSocket = class extends Base {
			handlers = {};
			on(name, fn) {
				this.handlers[name] = fn;
			}
			terminate() {
				this.end();
			}
		};
		const client = new GatewayClient({ token: "t",
		    environment: w.environment, ...options }).open();

		return { w, client };
	}

	it("tells Retry-After, which is kept to", async () => {
		const s = startNode();

		refuse(s, 503, { "retry-after": "7" });
		assert.equal(waits(s), 7500);
		assert.equal(s.client.lastClose.status, 503);
		assert.equal(s.client.lastClose.retryAfter, 7);
		s.w.page.online(true);
		assert.equal(waits(s), 7000);
		await s.w.clock.advance(7000);
		assert.equal(s.client.state, "connecting");
	});

	it("tells it as a date, too, or as nonsense", () => {
		const s = startNode();
		const date = new Date(s.w.clock.now() + 9000).toUTCString();

		for (const [value, least] of [[date, 9000], ["soon", 0], ["-4", 0],
		    ["1e99", 3600000], [undefined, 0]]) {
			const one = startNode();

			one.w.random = 0;
			refuse(one, 429, { "retry-after": value });
			assert.equal(waits(one), least, value);
		}
	});

	it("tells what no waiting can mend", () => {
		for (const [status, state] of [
		    [401, "closed"], [403, "closed"], [426, "closed"],
		    [429, "waiting"], [503, "waiting"], [404, "waiting"],
		    [502, "waiting"]]) {
			const s = startNode();

			refuse(s, status);
			assert.equal(s.client.state, state, status);
			assert.equal(s.client.lastClose.status, status);
		}
	});

	it("does not end on 401 where the token can be another", async () => {
		const s = startNode({ token: () => "t" });

		await settle();
		refuse(s, 401);
		assert.equal(s.client.state, "waiting");
	});
});
