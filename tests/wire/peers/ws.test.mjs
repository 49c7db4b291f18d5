// The `ws` library, client and server, through the gateway.
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import http from 'node:http';
import test from 'node:test';

import WebSocket, { WebSocketServer } from 'ws';

import { bodyOf, gateway, listen } from './harness.mjs';

// A server that echoes messages; resolves to its port.
async function echoServer(t, options = {}) {
  const server = http.createServer((request, response) => response.end('plain'));
  const sockets = new WebSocketServer({ server, ...options });
  sockets.on('connection', (socket) => {
    socket.on('message', (data, binary) => socket.send(data, { binary }));
  });
  t.after(() => sockets.clients.forEach((socket) => socket.terminate()));
  return listen(t, server);
}

async function connect(t, url, options = {}) {
  const socket = new WebSocket(url.replace(/^http/, 'ws'), options);
  t.after(() => socket.terminate());
  await once(socket, 'open');
  return socket;
}

async function echo(socket, message) {
  socket.send(message);
  const [data] = await once(socket, 'message');
  return data;
}

test('messages of every size come back', async (t) => {
  const url = await gateway(t, { '/': await echoServer(t) });
  const socket = await connect(t, `${url}/`);
  for (const size of [0, 1, 125, 126, 65_535, 65_536, 5_000_000]) {
    const message = randomBytes(size);
    assert.ok((await echo(socket, message)).equals(message), `${size} bytes`);
  }
  assert.equal(String(await echo(socket, 'gr\u00fc\u00dfe')), 'gr\u00fc\u00dfe');
});

test('compression passes', async (t) => {
  const url = await gateway(t, { '/': await echoServer(t, { perMessageDeflate: { threshold: 0 } }) });
  const socket = await connect(t, `${url}/`, { perMessageDeflate: true });
  assert.match(socket.extensions, /permessage-deflate/);
  assert.equal(String(await echo(socket, 'a'.repeat(100_000))), 'a'.repeat(100_000));
});

test('the subprotocol is negotiated', async (t) => {
  const url = await gateway(t, { '/': await echoServer(t, { handleProtocols: () => 'two' }) });
  const socket = new WebSocket(url.replace(/^http/, 'ws'), ['one', 'two']);
  t.after(() => socket.terminate());
  await once(socket, 'open');
  assert.equal(socket.protocol, 'two');
});

test('close codes pass both ways', async (t) => {
  const server = new WebSocketServer({ noServer: true });
  const plain = http.createServer();
  plain.on('upgrade', (request, socket, head) => server.handleUpgrade(request, socket, head, (peer) => {
    peer.on('close', (code) => plain.emit(`closed with ${code}`));
    if (request.url === '/bye') peer.close(4001, 'bye');
  }));
  const url = await gateway(t, { '/': await listen(t, plain) });
  const first = new WebSocket(`${url.replace(/^http/, 'ws')}/bye`);
  t.after(() => first.terminate());
  const [code, reason] = await once(first, 'close');
  assert.equal(code, 4001);
  assert.equal(String(reason), 'bye');
  const second = await connect(t, `${url}/`);
  const closed = once(plain, 'closed with 4002');
  second.close(4002);
  await Promise.all([once(second, 'close'), closed]);
});

test('a refused handshake is relayed', async (t) => {
  const server = http.createServer();
  server.on('upgrade', (request, socket) => {
    socket.end('HTTP/1.1 401 Unauthorized\r\nContent-Length: 6\r\nConnection: close\r\n\r\ndenied');
  });
  const url = await gateway(t, { '/': await listen(t, server) });
  const socket = new WebSocket(url.replace(/^http/, 'ws'));
  const [, response] = await once(socket, 'unexpected-response');
  assert.equal(response.statusCode, 401);
  assert.equal(String(await bodyOf(response)), 'denied');
  socket.on('error', () => {}); // "closed before the connection was established"
  socket.terminate();
});

test('pings pass', async (t) => {
  const url = await gateway(t, { '/': await echoServer(t) });
  const socket = await connect(t, `${url}/`);
  socket.ping('are you there');
  const [data] = await once(socket, 'pong');
  assert.equal(String(data), 'are you there');
});

test('a hundred sockets share a gateway', async (t) => {
  const url = await gateway(t, { '/app': await echoServer(t) });
  const sockets = await Promise.all(Array.from({ length: 100 }, () => connect(t, `${url}/app/ws`)));
  const answers = await Promise.all(sockets.map((socket, i) => echo(socket, `message ${i}`)));
  assert.deepEqual(answers.map(String), sockets.map((_, i) => `message ${i}`));
});

test('a client that vanishes closes the server\'s socket', async (t) => {
  const server = new WebSocketServer({ noServer: true });
  const plain = http.createServer();
  const closed = new Promise((resolve) => {
    plain.on('upgrade', (request, socket, head) => server.handleUpgrade(request, socket, head,
      (peer) => peer.on('close', (code) => resolve(code))));
  });
  const url = await gateway(t, { '/': await listen(t, plain) });
  const socket = await connect(t, `${url}/`);
  socket.terminate();
  assert.equal(await closed, 1006);
});
