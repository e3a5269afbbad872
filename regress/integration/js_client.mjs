// The players' client (clients/js) by Node, played by a test: says what happens,
// one JSON line each, and does what it is told, one JSON line each.
import { createRequire } from "node:module";
import { createInterface } from "node:readline";
import process from "node:process";

const { module: file, kind, ...options } = JSON.parse(process.argv[2]);
const { GatewayClient } = await import(file);
const WebSocket = kind === "ws" ?
    createRequire(import.meta.url)("ws") : globalThis.WebSocket;
const say = (o) => process.stdout.write(JSON.stringify(o) + "\n");
let token = options.token;

const client = new GatewayClient({ ...options, environment: { WebSocket },
    token: options.renew ? async () => {
	say({ asked: token });
	return token;
    } : token });

client.onState(({ state, close }) => say({ state, close }));
client.onMessage(({ event, payload, raw }) => say({ event, payload, raw }));
client.onError((error) => say({ error: String(error) }));
client.open();

for await (const line of createInterface({ input: process.stdin })) {
	const command = JSON.parse(line);

	if (command.token !== undefined)
		token = command.token;
	if (command.call !== undefined)
		client[command.call]();
}
