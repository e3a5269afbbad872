/*
 * A player's connection to ws-gatewayd that comes back by itself.
 *
 * One attempt is live at a time.  Whatever arrives from another one (a socket
 * that was given up, a token that came too late) is not listened to.
 */

/** Close codes that have a meaning of their own here. */
export const CLOSE = Object.freeze({
	GOING_AWAY: 1001,	// the gateway stops
	ABNORMAL: 1006,		// no close frame: refused, reset, timed out
	POLICY: 1008,		// the token has expired, or the player was kicked
	RESTART: 1012,		// the gateway sends everybody away
	TRY_LATER: 1013,
});

const DEFAULTS = Object.freeze({
	url: "/ws",
	auth: "auto",
	minDelay: 1000,
	maxDelay: 30000,
	restartDelay: 5000,
	connectTimeout: 15000,
	stableAfter: 5000,
	maxFailures: Infinity,
});

const AUTH = ["auto", "protocol", "query"];
const MAX_RETRY_AFTER = 3600;	// seconds; more is not believed
const TICK = 15000;
/*
 * The gateway drops who has not answered a ping for a minute.  A hidden page's
 * timers may come a minute late without any sleep.
 */
const ASLEEP = 120000;

/** What a subprotocol may be made of: a token of RFC 9110, 5.6.2. */
function fitsProtocol(token) {
	return token !== "bearer" && /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/.test(token);
}

function gatewayUrl(url, base) {
	const u = new URL(url, base);

	if (u.protocol === "http:" || u.protocol === "https:")
		u.protocol = u.protocol.replace("http", "ws");
	if (u.protocol !== "ws:" && u.protocol !== "wss:")
		throw new TypeError(`not the address of a gateway: ${u}`);
	u.hash = "";
	return u;
}

/** Seconds of a Retry-After header (a number, or a date), 0 without one. */
function retryAfter(value, now) {
	let seconds = Number(value ?? 0);

	if (Number.isNaN(seconds))
		seconds = (Date.parse(value) - now) / 1000;
	return Math.min(Math.max(seconds || 0, 0), MAX_RETRY_AFTER);
}

function checkOptions(o) {
	if (!AUTH.includes(o.auth))
		throw new TypeError(`auth must be one of ${AUTH.join(", ")}`);
	if (typeof o.token !== "function" &&
	    (typeof o.token !== "string" || o.token === ""))
		throw new TypeError("token must be a string or a function");
	for (const name of ["minDelay", "maxDelay", "restartDelay",
	    "connectTimeout", "stableAfter", "maxFailures"]) {
		if (typeof o[name] !== "number" || !(o[name] >= 0))
			throw new TypeError(`${name} must be a number`);
	}
}

/** What a client takes from its surroundings; tests bring their own. */
function surroundings(given) {
	const g = globalThis;

	return {
		WebSocket: g.WebSocket,
		now: () => Date.now(),
		random: () => Math.random(),
		setTimeout: (fn, ms) => g.setTimeout(fn, ms),
		clearTimeout: (id) => g.clearTimeout(id),
		window: typeof g.addEventListener === "function" ? g : null,
		document: g.document ?? null,
		base: g.location?.href,
		raise: (error) => queueMicrotask(() => {
			throw error;
		}),
		...given,
	};
}

export class GatewayClient {
	#options;
	#env;
	#url;
	#state = "closed";
	#attempt = null;
	#timer = null;		// of the wait for the next attempt
	#retryAt = null;
	#notBefore = 0;		// the gateway has asked for that
	#triedAt = -Infinity;
	#failures = 0;		// since a connection last was stable
	#lastClose = null;
	#seenAt = 0;		// by the watch for a machine that slept
	#watch = null;
	#listeners = new Map();
	#messageListeners = new Set();
	#stateListeners = new Set();
	#errorListeners = new Set();

	constructor(options = {}) {
		const { environment, ...rest } = options;

		this.#options = { ...DEFAULTS };
		for (const [name, value] of Object.entries(rest)) {
			if (value !== undefined)
				this.#options[name] = value;
		}
		checkOptions(this.#options);
		this.#env = surroundings(environment);
		if (typeof this.#env.WebSocket !== "function")
			throw new TypeError("no WebSocket here: give one as " +
			    "environment.WebSocket");
		this.#url = gatewayUrl(this.#options.url, this.#env.base);
	}

	/** "connecting", "open", "waiting" (for the next try) or "closed". */
	get state() {
		return this.#state;
	}

	/** When the next try is due, in ms as Date.now() has it, or null. */
	get retryAt() {
		return this.#retryAt;
	}

	/** How the last connection or attempt ended, or null. */
	get lastClose() {
		return this.#lastClose;
	}

	/** Messages of that event: fn(payload, message). */
	on(event, fn) {
		const set = this.#listeners.get(event) ?? new Set();

		this.#listeners.set(event, set);
		set.add(fn);
		return () => this.off(event, fn);
	}

	off(event, fn) {
		const set = this.#listeners.get(event);

		if (set?.delete(fn) && set.size === 0)
			this.#listeners.delete(event);
	}

	/** Every message: fn(message). */
	onMessage(fn) {
		return GatewayClient.#subscribe(this.#messageListeners, fn);
	}

	/** Every change of the state: fn(change). */
	onState(fn) {
		return GatewayClient.#subscribe(this.#stateListeners, fn);
	}

	/** A token that could not be had, a message that is none: fn(error). */
	onError(fn) {
		return GatewayClient.#subscribe(this.#errorListeners, fn);
	}

	static #subscribe(set, fn) {
		set.add(fn);
		return () => {
			set.delete(fn);
		};
	}

	/** Connect and stay connected, until close() or until it is refused. */
	open() {
		if (this.#state !== "closed")
			return this;
		this.#failures = 0;
		this.#notBefore = 0;
		this.#lastClose = null;
		this.#listen("addEventListener");
		this.#connect();
		return this;
	}

	/** End it; open() begins anew. */
	close() {
		if (this.#state !== "closed")
			this.#end({ code: 1000, reason: "", wasClean: true });
	}

	// -- attempts ---------------------------------------------------------

	#connect() {
		const attempt = {
			socket: null,
			timer: null,
			openedAt: null,
			refusal: {},
			controller: new AbortController(),
		};

		this.#stopWaiting();
		this.#attempt = attempt;
		this.#triedAt = this.#env.now();
		attempt.timer = this.#env.setTimeout(() =>
		    this.#giveUp("timeout"), this.#options.connectTimeout);
		this.#setState("connecting");
		this.#dial(attempt).catch((error) => {
			if (this.#attempt !== attempt)
				return;
			this.#error(error);
			this.#lost(attempt, { code: CLOSE.ABNORMAL,
			    reason: "no connection could be tried",
			    wasClean: false, error });
		});
	}

	async #dial(attempt) {
		const { token } = this.#options;
		const current = typeof token !== "function" ? token :
		    await token({ signal: attempt.controller.signal,
			failures: this.#failures });

		if (this.#attempt !== attempt)
			return;
		if (typeof current !== "string" || current === "")
			throw new TypeError("the token function gave no token");
		attempt.socket = this.#socket(current);
		this.#attend(attempt, attempt.socket);
	}

	#socket(token) {
		const { auth } = this.#options;
		const url = new URL(this.#url);

		if (auth !== "query" && fitsProtocol(token))
			return new this.#env.WebSocket(url.href,
			    ["bearer", token]);
		if (auth === "protocol")
			throw new TypeError("this token can't be sent as a " +
			    "subprotocol");
		url.searchParams.set("token", token);
		return new this.#env.WebSocket(url.href);
	}

	#attend(attempt, socket) {
		socket.addEventListener("open", () => this.#opened(attempt));
		socket.addEventListener("message", (e) =>
		    this.#message(attempt, e.data));
		socket.addEventListener("error", () => this.#failed(attempt));
		socket.addEventListener("close", (e) => this.#lost(attempt,
		    { code: e.code, reason: e.reason, wasClean: e.wasClean }));
		// Node's "ws" tells what a browser keeps to itself.
		if (typeof socket.on !== "function")
			return;
		socket.on("unexpected-response", (request, response) => {
			attempt.refusal = {
				status: response.statusCode,
				retryAfter: retryAfter(
				    response.headers["retry-after"],
				    this.#env.now()),
			};
			socket.terminate();
		});
	}

	#opened(attempt) {
		if (this.#attempt !== attempt)
			return;
		this.#env.clearTimeout(attempt.timer);
		attempt.openedAt = this.#env.now();
		this.#startWatch();
		this.#setState("open");
	}

	/** A close follows and says more, but not in Node 20's own WebSocket. */
	#failed(attempt) {
		if (this.#attempt !== attempt || attempt.openedAt !== null)
			return;
		this.#env.clearTimeout(attempt.timer);
		attempt.timer = this.#env.setTimeout(() =>
		    this.#giveUp("no connection"), 0);
	}

	/** That attempt is over, by itself or given up: what next? */
	#lost(attempt, close) {
		const { openedAt, refusal } = attempt;
		const { stableAfter, maxFailures } = this.#options;
		const info = Object.freeze({ ...close, ...refusal });

		if (this.#attempt !== attempt)
			return;
		this.#release();
		if (openedAt !== null &&
		    this.#env.now() - openedAt >= stableAfter)
			this.#failures = 0;
		this.#failures++;
		if (this.#isFinal(info) || this.#failures > maxFailures) {
			this.#end(info);
			return;
		}
		this.#lastClose = info;
		this.#wait(this.#delay(info));
	}

	#isFinal({ code, status }) {
		const renewable = typeof this.#options.token === "function";

		return code === CLOSE.POLICY || status === 403 ||
		    status === 426 || (status === 401 && !renewable);
	}

	/** Full jitter in a window that doubles, after what was asked for. */
	#delay({ code, retryAfter: seconds = 0 }) {
		const { minDelay, maxDelay, restartDelay } = this.#options;
		const { now, random, window } = this.#env;
		let room = Math.min(maxDelay,
		    minDelay * 2 ** Math.min(this.#failures - 1, 30));
		let least = seconds * 1000;

		// Everybody is sent away at once then.
		if (code === CLOSE.GOING_AWAY || code === CLOSE.RESTART)
			room = Math.max(room, restartDelay);
		if (code === CLOSE.TRY_LATER)
			least = Math.max(least, restartDelay);
		this.#notBefore = now() + least;
		// "online" ends that; some say offline and reach the gateway.
		if (window?.navigator?.onLine === false)
			return Math.max(least, maxDelay);
		return least + random() * room;
	}

	#wait(ms) {
		this.#stopWaiting();
		this.#retryAt = this.#env.now() + ms;
		this.#timer = this.#env.setTimeout(() => this.#connect(), ms);
		this.#setState("waiting");
	}

	#stopWaiting() {
		this.#env.clearTimeout(this.#timer);
		this.#timer = null;
		this.#retryAt = null;
	}

	#release() {
		const attempt = this.#attempt;

		this.#attempt = null;
		this.#env.clearTimeout(this.#watch);
		this.#watch = null;
		if (attempt === null)
			return null;
		this.#env.clearTimeout(attempt.timer);
		attempt.controller.abort();
		return attempt.socket;
	}

	#end(info) {
		const socket = this.#release();

		this.#stopWaiting();
		this.#listen("removeEventListener");
		this.#lastClose = Object.freeze(info);
		socket?.close(1000);
		this.#setState("closed");
	}

	/** The connection is of no use any more, though nobody has said so. */
	#giveUp(reason) {
		const attempt = this.#attempt;

		if (attempt === null)
			return;
		this.#lost(attempt, { code: CLOSE.ABNORMAL, reason,
		    wasClean: false });
		attempt.socket?.close(1000);
	}

	// -- the page and its machine -----------------------------------------

	#onOffline = () => this.#giveUp("offline");

	#onOnline = () => this.#hurry();

	#onVisible = () => {
		if (this.#env.document?.visibilityState === "hidden")
			return;
		this.#lookAtClock();
		this.#hurry();
	};

	#listen(how) {
		const { window, document } = this.#env;

		window?.[how]("offline", this.#onOffline);
		window?.[how]("online", this.#onOnline);
		window?.[how]("pageshow", this.#onVisible);
		document?.[how]("visibilitychange", this.#onVisible);
	}

	/** Don't wait any longer than the gateway asked for. */
	#hurry() {
		const now = this.#env.now();
		const at = Math.max(this.#notBefore,
		    this.#triedAt + this.#options.minDelay);

		if (this.#state !== "waiting" || at >= this.#retryAt)
			return;
		if (at <= now)
			this.#connect();
		else
			this.#wait(at - now);
	}

	/** Who slept was dropped by the gateway, and won't be told. */
	#lookAtClock() {
		const now = this.#env.now();
		const slept = now - this.#seenAt > ASLEEP;

		this.#seenAt = now;
		if (slept && this.#state === "open") {
			this.#giveUp("asleep");
			this.#hurry();
		}
	}

	#startWatch() {
		const tick = () => {
			this.#watch = this.#env.setTimeout(tick, TICK);
			this.#lookAtClock();
		};

		this.#seenAt = this.#env.now();
		this.#watch = this.#env.setTimeout(tick, TICK);
	}

	// -- listeners --------------------------------------------------------

	#message(attempt, data) {
		let value;

		if (this.#attempt !== attempt)
			return;
		try {
			value = JSON.parse(data);
		} catch (error) {
			this.#error(error);
			return;
		}
		if (typeof value?.event !== "string") {
			this.#error(new TypeError("a message without event"));
			return;
		}
		const message = Object.freeze({ event: value.event,
		    payload: value.payload, raw: data });
		this.#call(this.#listeners.get(message.event) ?? [],
		    message.payload, message);
		this.#call(this.#messageListeners, message);
	}

	#setState(state) {
		const previous = this.#state;

		this.#state = state;
		this.#call(this.#stateListeners, Object.freeze({ state, previous,
		    retryAt: this.#retryAt, close: this.#lastClose }));
	}

	#error(error) {
		if (this.#errorListeners.size === 0)
			console.warn("ws-gateway-client:", error);
		this.#call(this.#errorListeners, error);
	}

	/** A listener that throws is its page's business, not the next one's. */
	#call(listeners, ...args) {
		for (const fn of [...listeners]) {
			try {
				fn(...args);
			} catch (error) {
				this.#env.raise(error);
			}
		}
	}
}

/** A client that connects at once. */
export function connect(options) {
	return new GatewayClient(options).open();
}
