// A player by Node's "ws": prints what it gets, one JSON line each, and answers
// the message "echo" with text, "close" with a close.
'use strict';
const WebSocket = require('ws');

const [url, origin, ...protocols] = process.argv.slice(2);
const ws = new WebSocket(url, protocols, origin ? { origin } : {});
const say = (o) => process.stdout.write(JSON.stringify(o) + '\n');

ws.on('open', () => say({ open: ws.protocol, extensions: ws.extensions }));
ws.on('ping', (data) => say({ ping: data.toString() }));
ws.on('pong', (data) => say({ pong: data.toString() }));
ws.on('message', (data, binary) => {
	const text = data.toString();
	say({ message: text, binary });
	const { event } = JSON.parse(text);
	if (event === 'echo') {
		ws.send(text);
		ws.ping('x');
	} else if (event === 'close')
		ws.close(1000, 'bye');
});
ws.on('unexpected-response', (req, res) => {
	say({ status: res.statusCode });
	process.exit(0);
});
ws.on('error', (e) => say({ error: e.message }));
ws.on('close', (code, reason) => say({ close: code,
    reason: reason.toString() }));
