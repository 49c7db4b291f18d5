// Node's HTTP client and server through the gateway.
import assert from 'node:assert/strict';
import { createHash, randomBytes } from 'node:crypto';
import { once } from 'node:events';
import http from 'node:http';
import test from 'node:test';

import { bodyOf, gateway, httpServer } from './harness.mjs';

// Sends a request; resolves to { response, body }.
async function request(url, options = {}, body = undefined) {
  const outgoing = http.request(url, options);
  outgoing.end(body);
  const [response] = await once(outgoing, 'response');
  return { response, body: await bodyOf(response) };
}

test('an agent that keeps connections alive reuses them', async (t) => {
  const port = await httpServer(t, (incoming, response) => response.end(incoming.url));
  const url = await gateway(t, { '/': port });
  const agent = new http.Agent({ keepAlive: true, maxSockets: 4 });
  t.after(() => agent.destroy());
  const sockets = new Set();
  const answers = await Promise.all(Array.from({ length: 200 }, async (_, i) => {
    const outgoing = http.get(`${url}/${i}`, { agent });
    outgoing.once('socket', (socket) => sockets.add(socket));
    const [response] = await once(outgoing, 'response');
    return String(await bodyOf(response));
  }));
  assert.deepEqual(answers, Array.from({ length: 200 }, (_, i) => `/${i}`));
  assert.ok(sockets.size <= 4, `${sockets.size} sockets`);
});

test('fetch uploads and downloads streams', async (t) => {
  const port = await httpServer(t, (incoming, response) => incoming.pipe(response));
  const url = await gateway(t, { '/': port });
  const bytes = randomBytes(5_000_000);
  const stream = new ReadableStream({
    start(controller) {
      for (let at = 0; at < bytes.length; at += 65_537) controller.enqueue(bytes.subarray(at, at + 65_537));
      controller.close();
    },
  });
  const response = await fetch(`${url}/`, { method: 'POST', body: stream, duplex: 'half' });
  const back = Buffer.from(await response.arrayBuffer());
  assert.equal(createHash('sha256').update(back).digest('hex'), createHash('sha256').update(bytes).digest('hex'));
});

test('several cookies stay several', async (t) => {
  const port = await httpServer(t, (incoming, response) => {
    response.setHeader('Set-Cookie', ['a=1; Expires=Wed, 09 Jun 2027 10:18:14 GMT', 'b=2']);
    response.end();
  });
  const url = await gateway(t, { '/': port });
  const { response } = await request(`${url}/`);
  assert.deepEqual(response.headers['set-cookie'], ['a=1; Expires=Wed, 09 Jun 2027 10:18:14 GMT', 'b=2']);
});

test('early hints and continue reach the client', async (t) => {
  const port = await httpServer(t, async (incoming, response) => {
    response.writeEarlyHints({ link: '</a.css>; rel=preload' });
    response.end(await bodyOf(incoming));
  });
  const url = await gateway(t, { '/': port });
  const outgoing = http.request(`${url}/`, { method: 'POST', headers: { Expect: '100-continue', 'Content-Length': 5 } });
  const information = [];
  outgoing.on('information', ({ statusCode }) => information.push(statusCode));
  outgoing.flushHeaders();
  await once(outgoing, 'continue');
  outgoing.end('hello');
  const [response] = await once(outgoing, 'response');
  assert.equal(String(await bodyOf(response)), 'hello');
  assert.ok(information.includes(103), `got ${information}`);
});

test('trailers end a body', async (t) => {
  const port = await httpServer(t, (incoming, response) => {
    response.writeHead(200, { Trailer: 'X-Sum' });
    response.write('body');
    response.addTrailers({ 'X-Sum': '1' });
    response.end();
  });
  const url = await gateway(t, { '/': port });
  assert.equal(String((await request(`${url}/`)).body), 'body');
});

test('a response that is destroyed is an error', async (t) => {
  const port = await httpServer(t, (incoming, response) => {
    response.write('part', () => response.destroy());
  });
  const url = await gateway(t, { '/': port });
  await assert.rejects(request(`${url}/`), { code: 'ECONNRESET' });
});

test('the server notices a client that aborts', async (t) => {
  let closed;
  const noticed = new Promise((resolve) => { closed = resolve; });
  const port = await httpServer(t, (incoming, response) => {
    response.on('close', closed);
    response.write('x');
  });
  const url = await gateway(t, { '/': port });
  const outgoing = http.get(`${url}/`);
  await once(outgoing, 'response');
  outgoing.destroy();
  await noticed;
});

test('the server sees no half-close before its answer', async (t) => {
  const port = await httpServer(t, (incoming, response) => {
    let ended = false;
    incoming.socket.once('end', () => { ended = true; });
    setTimeout(() => response.end(ended ? 'half-closed' : 'open'), 100);
  });
  const url = await gateway(t, { '/': port });
  assert.equal(String((await request(`${url}/`)).body), 'open');
});

test('raw header bytes survive', async (t) => {
  const port = await httpServer(t, (incoming, response) => {
    response.setHeader('X-Back', incoming.headers['x-there']);
    response.end();
  });
  const url = await gateway(t, { '/': port });
  const { response } = await request(`${url}/`, { headers: { 'X-There': 'caf\u00e9' } });
  assert.equal(response.headers['x-back'], 'caf\u00e9');
});
