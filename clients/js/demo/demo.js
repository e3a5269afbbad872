// The demo: what a site's page does with the client, and a form that publishes.
import { CLOSE, GatewayClient } from "./ws-gateway-client.js";

const MAX_SHOWN = 200;
const MAX_HISTORY = 6;
const $ = (id) => document.getElementById(id);
const config = await (await fetch("config.json")).json();

function post(path, body) {
	return fetch(path, { method: "POST", body,
	    headers: { "Content-Type": "application/json" } });
}

function element(name, text) {
	const e = document.createElement(name);

	e.textContent = text;
	return e;
}

function timeNow() {
	const now = new Date();
	const e = element("time", now.toLocaleTimeString([],
	    { hourCycle: "h23" }));

	e.dateTime = now.toISOString();
	return e;
}

// -- the connection -----------------------------------------------------------

let player = new URLSearchParams(location.search).get("player") ?? "21";
let count = 0;

/** At each connect anew, so it may be short-lived. */
async function token({ signal }) {
	const response = await fetch("token", { method: "POST", signal,
	    headers: { "Content-Type": "application/json" },
	    body: JSON.stringify({ player }) });

	if (!response.ok)
		throw new Error((await response.text()).trim());
	return response.text();
}

const client = new GatewayClient({ url: config.url, token, maxDelay: 10000 });

const NAMES = { connecting: "Connecting", open: "Connected",
    waiting: "Not connected", closed: "Closed" };

function because(close) {
	if (close === null || close.code === 1000)
		return "";
	if (close.reason === "offline" && !navigator.onLine)
		return "waiting for the network";
	if (close.error !== undefined)
		return `there was no token: ${close.error.message}`;
	switch (close.code) {
	case CLOSE.POLICY:
		return `by the gateway: ${close.reason || "no reason given"}`;
	case CLOSE.GOING_AWAY:
	case CLOSE.RESTART:
		return `the gateway is ${close.code === CLOSE.RESTART ?
		    "sending everybody away" : "restarting"}`;
	default:
		return "the gateway can't be reached";
	}
}

function showState({ state, close }) {
	const detail = state === "open" ? `as player ${player}` :
	    state === "connecting" ? "" : because(close);

	$("status").dataset.state = state;
	$("state").textContent = NAMES[state];
	$("detail").textContent = detail;
	remember(NAMES[state], detail);
	$("connect").disabled = state !== "closed";
	$("disconnect").disabled = state === "closed";
	$("player").disabled = state !== "closed";
	showCountdown();
}

function remember(state, detail) {
	const item = document.createElement("li");

	item.append(timeNow(), detail === "" ? state : `${state}, ${detail}`);
	$("history").prepend(item);
	while ($("history").children.length > MAX_HISTORY)
		$("history").lastChild.remove();
}

function showCountdown() {
	const left = client.retryAt === null ? null :
	    Math.max(0, Math.ceil((client.retryAt - Date.now()) / 1000));

	$("countdown").textContent = left === null ? "" : `Next try in ${left} s`;
}

// -- messages -----------------------------------------------------------------

/**
 * The payload as it came: a number keeps every digit.  A quote in an event's
 * name would have a backslash before it.
 */
function payloadText(raw) {
	const key = ',"payload":';

	return raw.slice(raw.indexOf(key) + key.length, -1);
}

function showMessage({ event, raw }) {
	const list = $("messages");
	const item = document.createElement("li");

	item.append(timeNow(), element("strong", event || "(no name)"),
	    element("code", payloadText(raw)));
	list.prepend(item);
	while (list.children.length > MAX_SHOWN)
		list.lastChild.remove();
	showCount(count + 1);
}

function showCount(n) {
	count = n;
	$("count").textContent = n;
	$("empty").hidden = n > 0;
}

// -- the form -----------------------------------------------------------------

function toEverybody() {
	return $("publish").elements.to.value === "all";
}

/** The payload's text is sent as it was typed. */
function body() {
	const payload = $("payload").value.trim() || "null";
	const event = JSON.stringify($("event").value);

	JSON.parse(payload);
	return toEverybody() ? `{"event":${event},"payload":${payload}}` :
	    `{"player_id":${JSON.stringify($("receiver").value)},` +
	    `"event":${event},"payload":${payload}}`;
}

function result({ delivered, queued }) {
	if (queued > 0)
		return "Nobody there: it waits in the offline queue.";
	return `Delivered to ${delivered} connection${delivered === 1 ? "" :
	    "s"}.`;
}

async function publish() {
	const say = (text) => { $("result").textContent = text; };

	try {
		const response = await post(toEverybody() ? "broadcast" : "publish",
		    body());
		const text = await response.text();

		say(response.ok ? result(JSON.parse(text)) :
		    `Refused (${response.status}): ${text.trim()}`);
	} catch (error) {
		say(error instanceof SyntaxError ?
		    `This is not JSON: ${error.message}` :
		    "The demo's server can't be reached.");
	}
}

// -- all of it ----------------------------------------------------------------

client.onState(showState);
client.onMessage(showMessage);
client.onError((error) => console.info("no connection yet:", error.message));
setInterval(showCountdown, 250);

$("player").value = $("receiver").value = player;
$("who").addEventListener("submit", (e) => {
	e.preventDefault();
	player = $("player").value;
	client.open();
});
$("disconnect").addEventListener("click", () => client.close());
$("publish").addEventListener("submit", (e) => {
	e.preventDefault();
	publish();
});
$("publish").addEventListener("change", () => {
	$("receiver").disabled = toEverybody();
});
$("clear").addEventListener("click", () => {
	$("messages").replaceChildren();
	showCount(0);
});

if ($("player").checkValidity())
	client.open();
