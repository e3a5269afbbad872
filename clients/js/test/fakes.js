// A clock that only a test moves, and sockets that a test plays the server of.

export class Clock {
	constructor() {
		this.time = 1700000000000;
		this.timers = new Map();
		this.serial = 0;
	}

	now() {
		return this.time;
	}

	setTimeout(fn, ms) {
		this.timers.set(++this.serial, { at: this.time + ms, fn });
		return this.serial;
	}

	clearTimeout(id) {
		this.timers.delete(id);
	}

	/** Everything that is due within MS, in order; promises between. */
	async advance(ms) {
		const end = this.time + ms;

		for (;;) {
			const due = [...this.timers].filter(([, t]) => t.at <= end)
			    .sort((a, b) => a[1].at - b[1].at)[0];
			if (due === undefined)
				break;
			this.timers.delete(due[0]);
			this.time = Math.max(this.time, due[1].at);
			due[1].fn();
			await settle();
		}
		this.time = end;
	}

	/** The machine sleeps: time passes and no timer runs. */
	sleep(ms) {
		this.time += ms;
	}
}

/** Until all promises that can be have been kept. */
export function settle() {
	return new Promise((resolve) => setImmediate(resolve));
}

export class Page extends EventTarget {
	constructor() {
		super();
		this.navigator = { onLine: true };
		this.visibilityState = "visible";
		this.listeners = 0;
	}

	addEventListener(...args) {
		this.listeners++;
		super.addEventListener(...args);
	}

	removeEventListener(...args) {
		this.listeners--;
		super.removeEventListener(...args);
	}

	fire(type) {
		this.dispatchEvent(new Event(type));
	}

	online(yes) {
		this.navigator.onLine = yes;
		this.fire(yes ? "online" : "offline");
	}
}

/** An environment with its sockets; random gives the middle unless set. */
export function world() {
	const w = { clock: new Clock(), page: new Page(), document: new Page(),
	    sockets: [], random: 0.5, refuse: null, raised: [] };

	class FakeSocket extends EventTarget {
		constructor(url, protocols) {
			super();
			if (w.refuse !== null)
				throw w.refuse;
			this.url = url;
			this.protocols = protocols;
			this.closed = null;
			w.sockets.push(this);
		}

		close(...args) {
			this.closed = args;
		}

		accept() {
			this.dispatchEvent(new Event("open"));
		}

		say(value) {
			this.dispatchEvent(Object.assign(new Event("message"),
			    { data: typeof value === "string" ? value :
				JSON.stringify(value) }));
		}

		end(code = 1006, reason = "") {
			if (code === 1006)
				this.dispatchEvent(new Event("error"));
			this.dispatchEvent(Object.assign(new Event("close"),
			    { code, reason, wasClean: code !== 1006 }));
		}
	}

	w.environment = {
		WebSocket: FakeSocket,
		now: () => w.clock.now(),
		random: () => w.random,
		setTimeout: (fn, ms) => w.clock.setTimeout(fn, ms),
		clearTimeout: (id) => w.clock.clearTimeout(id),
		window: w.page,
		document: w.document,
		raise: (error) => w.raised.push(error),
		base: "https://game.example.org/play",
	};
	w.last = () => w.sockets[w.sockets.length - 1];
	return w;
}
