/** Close codes that have a meaning of their own for the client. */
export declare const CLOSE: Readonly<{
	GOING_AWAY: 1001;
	ABNORMAL: 1006;
	POLICY: 1008;
	RESTART: 1012;
	TRY_LATER: 1013;
}>;

export type State = "connecting" | "open" | "waiting" | "closed";

/** Payloads by the names of their events. */
export type EventMap = { [event: string]: unknown };

/** Nothing is known of the events. */
export type AnyEvents = Record<string, any>;

export interface Message<Payload = any> {
	readonly event: string;
	readonly payload: Payload;
	/** The text as it came: numbers with every digit. */
	readonly raw: string;
}

/** How a connection, or an attempt, has ended. */
export interface CloseInfo {
	/** 1006 without a close frame: refused, reset, timed out, offline. */
	readonly code: number;
	readonly reason: string;
	readonly wasClean: boolean;
	/** Of a refused handshake; only Node's "ws" tells. */
	readonly status?: number;
	/** Seconds that the refusal asked for; only Node's "ws" tells. */
	readonly retryAfter?: number;
	/** Why nothing could be tried at all: the token function's error. */
	readonly error?: unknown;
}

export interface StateChange {
	readonly state: State;
	readonly previous: State;
	/** When the next try is due (ms since 1970), if state is "waiting". */
	readonly retryAt: number | null;
	readonly close: CloseInfo | null;
}

export interface TokenRequest {
	/** Aborted when the attempt is over. */
	readonly signal: AbortSignal;
	/** Attempts that failed since a connection last was stable. */
	readonly failures: number;
}

export type TokenSource = string |
    ((request: TokenRequest) => string | Promise<string>);

/** The least that is asked of a WebSocket; a browser's and Node's "ws" do. */
export interface SocketLike {
	addEventListener(type: string, listener: (event: any) => void): void;
	close(code?: number, reason?: string): void;
}

/** What is else taken from the globals. */
export interface Environment {
	WebSocket?: new (url: string, protocols?: any) => SocketLike;
	now?: () => number;
	/** From 0 to below 1. */
	random?: () => number;
	setTimeout?: (fn: () => void, ms: number) => any;
	clearTimeout?: (id: any) => void;
	window?: any;
	document?: any;
	/** What a relative url is relative to. */
	base?: string;
	/** What a listener has thrown: becomes an uncaught error. */
	raise?: (error: unknown) => void;
}

export interface Options {
	/** ws:, wss:, http:, https: or relative to the page.  "/ws" */
	url?: string | URL;
	/** A token, or what gives one at each connect. */
	token: TokenSource;
	/**
	 * How the token is sent: as a subprotocol, which stays out of logs, or in
	 * the query.  "auto": as a subprotocol if it has only the characters of
	 * one.
	 */
	auth?: "auto" | "protocol" | "query";
	/** The first wait is random below this; each failure doubles it.  1000 */
	minDelay?: number;
	/** ... up to this.  30000 */
	maxDelay?: number;
	/** The least window after 1001 and 1012, the least wait after 1013.  5000 */
	restartDelay?: number;
	/** For the token and the handshake together.  15000 */
	connectTimeout?: number;
	/** A connection that was open for so long was no failure.  5000 */
	stableAfter?: number;
	/** End after so many failures in a row.  Infinity */
	maxFailures?: number;
	environment?: Environment;
}

export declare class GatewayClient<Events extends EventMap = AnyEvents> {
	constructor(options: Options);
	readonly state: State;
	readonly retryAt: number | null;
	readonly lastClose: CloseInfo | null;
	/** Messages of that event; call what it returns to unsubscribe. */
	on<E extends keyof Events & string>(event: E,
	    fn: (payload: Events[E], message: Message<Events[E]>) => void):
	    () => void;
	off<E extends keyof Events & string>(event: E,
	    fn: (payload: Events[E], message: Message<Events[E]>) => void):
	    void;
	onMessage(fn: (message: Message) => void): () => void;
	onState(fn: (change: StateChange) => void): () => void;
	onError(fn: (error: unknown) => void): () => void;
	/** Connect and stay connected; also after an end. */
	open(): this;
	close(): void;
}

/** A client that connects at once. */
export declare function connect<Events extends EventMap = AnyEvents>(
    options: Options): GatewayClient<Events>;
