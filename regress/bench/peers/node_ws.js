// The peer on Node: what one writes with ws in an afternoon.  It believes every
// client and parses the JSON of the publishers.
const http = require('http');
const { WebSocketServer } = require('ws');

const players = new Map();
const wss = new WebSocketServer({ noServer: true,
	perMessageDeflate: process.argv[3] === 'deflate' &&
	    { serverNoContextTakeover: true } });

function encode(message) {
	return JSON.stringify({ event: message.event, payload: message.payload });
}

function publish(path, message) {
	const text = encode(message);
	if (path === '/broadcast') {
		for (const client of wss.clients)
			client.send(text);
		return;
	}
	const client = players.get(message.player_id);
	if (client !== undefined)
		client.send(text);
}

const server = http.createServer((req, res) => {
	const parts = [];
	req.on('data', (part) => parts.push(part));
	req.on('end', () => {
		publish(req.url, JSON.parse(Buffer.concat(parts)));
		res.setHeader('Content-Length', 0);
		res.end();
	});
});
server.keepAliveTimeout = 0;
server.on('upgrade', (req, socket, head) => {
	const player = req.url.split('token=p')[1];
	wss.handleUpgrade(req, socket, head, (client) => {
		players.set(player, client);
		client.on('close', () => players.delete(player));
		client.on('error', () => client.terminate());
	});
});
server.listen({ port: Number(process.argv[2]), host: '127.0.0.1',
	backlog: 4096 });
