// Hooks in JavaScript: what they are asked, what they may answer, and what happens when
// they answer late, wrongly or not at all.

import assert from 'node:assert/strict';
import http from 'node:http';
import net from 'node:net';
import test, { type TestContext } from 'node:test';

import {
  IngressRequestBlockedError, type Gateway, type IngressAllowInfo, type IngressGatewayHooks,
  type IngressHookRequest, type IngressHookRequestPatch, type IngressHookResponse,
} from 'gondolin';

import {
  backend, collectGarbage, collectUntil, gate, gatewayTo, mirror, request, type Answer,
} from './support.js';

const hooked = async (t: TestContext, hooks: IngressGatewayHooks): Promise<Gateway> =>
  gatewayTo(t, await mirror(t), { hooks });

const got = (answer: Answer): { method: string; url: string; headers: http.IncomingHttpHeaders } =>
  JSON.parse(answer.body) as { method: string; url: string; headers: http.IncomingHttpHeaders };

test('isAllowed is asked about the client\'s request', async (t) => {
  let seen: IngressAllowInfo | undefined;
  const gateway = await hooked(t, { isAllowed: (info) => { seen = info; return true; } });
  await request(`${gateway.url}/a/../b?c=%20d`, { headers: { 'X-One': '1', 'X-Two': ['a', 'b'] } });
  assert.ok(seen);
  assert.equal(seen.clientIp, '127.0.0.1');
  assert.equal(seen.method, 'GET');
  assert.equal(seen.path, '/b?c=%20d');
  assert.equal(seen.route.prefix, '/');
  assert.equal(seen.route.stripPrefix, true);
  assert.equal(seen.headers['x-one'], '1');
  assert.deepEqual(seen.headers['x-two'], ['a', 'b']);
  assert.equal(seen.headers['x-forwarded-for'], undefined);
});

for (const [what, answer, status] of [
  ['true', () => true, 200],
  ['a promise of true', async () => true, 200],
  ['false', () => false, 403],
  ['a promise of false', async () => false, 403],
  ['nothing', () => undefined, 403],
  ['an error', () => { throw new Error('on purpose'); }, 502],
  ['a rejection', async () => { throw new Error('on purpose'); }, 502],
  ['a rejection with nothing', () => Promise.reject(), 502],
] as [string, () => boolean, number][]) {
  test(`isAllowed answering ${what} means ${status}`, async (t) => {
    const gateway = await hooked(t, { isAllowed: answer });
    assert.equal((await request(gateway.url)).status, status);
  });
}

test('an IngressRequestBlockedError is the answer, thrown by any hook', async (t) => {
  const blocked = (): never => {
    throw new IngressRequestBlockedError('secret reason', 429, 'Slow Down', 'later\n');
  };
  for (const hooks of [{ isAllowed: blocked }, { onRequest: blocked }, { onResponse: blocked }]) {
    const answer = await request((await hooked(t, hooks)).url);
    assert.equal(answer.status, 429);
    assert.equal(answer.statusText, 'Slow Down');
    assert.equal(answer.body, 'later\n');
  }
});

test('an IngressRequestBlockedError has defaults', async (t) => {
  const gateway = await hooked(t, {
    isAllowed: async () => { throw new IngressRequestBlockedError(); },
  });
  const answer = await request(gateway.url);
  assert.equal(answer.status, 403);
  assert.equal(answer.body, 'forbidden\n');
});

test('what a hook throws is in the debug log, and not in the answer', async (t) => {
  const lines: string[] = [];
  const gateway = await gatewayTo(t, await mirror(t), {
    hooks: { isAllowed: () => Promise.reject(new RangeError('the reason')) },
    debug: ['ingress'],
    debugLog: (topic, line) => lines.push(`${topic} ${line}`),
  });
  const answer = await request(gateway.url);
  assert.equal(answer.body, 'bad gateway\n');
  await gateway.close();
  assert.ok(lines.some((line) => line.includes('RangeError: the reason')), lines.join('\n'));
});

test('onRequest changes what the backend gets', async (t) => {
  let seen: IngressHookRequest | undefined;
  const gateway = await hooked(t, {
    onRequest: async (asked) => {
      seen = asked;
      return {
        method: 'PUT',
        backendTarget: '/elsewhere?x=1',
        headers: { 'X-Added': '1', 'x-list': ['a', 'b'], 'X-Gone': null, 'x-kept': undefined },
      };
    },
  });
  const answer = got(await request(`${gateway.url}/x`, { headers: { 'x-gone': '1', 'x-kept': '2' } }));
  assert.equal(answer.method, 'PUT');
  assert.equal(answer.url, '/elsewhere?x=1');
  assert.equal(answer.headers['x-added'], '1');
  assert.equal(answer.headers['x-list'], 'a, b');
  assert.equal(answer.headers['x-gone'], undefined);
  assert.equal(answer.headers['x-kept'], '2');
  assert.ok(seen);
  assert.equal(seen.backendHost, '127.0.0.1');
  assert.equal(seen.backendTarget, '/x');
  assert.equal(seen.headers['x-forwarded-for'], '127.0.0.1');
});

// Every form that fields may have, with the same meaning.
const pairs: [string, string | string[] | null | undefined][] = [
  ['X-Added', '1'], ['x-list', 'a'], ['X-List', ['b', 'c']], ['X-Gone', null], ['x-kept', undefined],
];
const object = { 'X-Added': '1', 'x-list': ['a', 'b', 'c'], 'X-Gone': null, 'x-kept': undefined };
function* generated(): Generator<(typeof pairs)[number]> { yield* pairs; }
for (const [what, headers, removes] of [
  ['a plain object', object, true],
  ['an object without a prototype', Object.assign(Object.create(null), object), true],
  ['a Map', new Map(Object.entries(object)), true],
  ['an array of pairs', pairs, true],
  ['an iterator of pairs', undefined, true],
  ['a Headers', new Headers([['X-Added', '1'], ['x-list', 'a'], ['x-list', 'b'], ['x-list', 'c']]), false],
] as [string, IngressHookRequestPatch['headers'], boolean][]) {
  test(`fields may be changed by ${what}`, async (t) => {
    const gateway = await hooked(t, {
      onRequest: () => ({ headers: headers ?? generated() }),
      onResponse: () => ({ headers: headers ?? generated() }),
    });
    const answer = await request(`${gateway.url}/x`, { headers: { 'x-gone': '1', 'x-kept': '2' } });
    for (const seen of [got(answer).headers, answer.headers]) {
      assert.equal(seen['x-added'], '1');
      assert.equal(seen['x-list'], 'a, b, c');
    }
    assert.equal(got(answer).headers['x-gone'], removes ? undefined : '1');
    assert.equal(got(answer).headers['x-kept'], '2');
    assert.equal(answer.rawHeaders.filter((name) => name.toLowerCase() === 'x-list').length, removes ? 3 : 1);
  });
}

test('a Headers keeps its cookies apart', async (t) => {
  const headers = new Headers();
  headers.append('Set-Cookie', 'a=1');
  headers.append('Set-Cookie', 'b=2');
  const gateway = await hooked(t, { onResponse: () => ({ headers }) });
  assert.deepEqual((await request(gateway.url)).headers['set-cookie'], ['a=1', 'b=2']);
});

test('a patch may be the message with changes', async (t) => {
  const gateway = await hooked(t, {
    onRequest: (asked) => ({ ...asked, headers: { ...asked.headers, 'x-added': '1' } }),
    onResponse: (response) => ({ ...response, headers: new Headers({ 'x-added': '2' }), note: 'mine' }),
  });
  const answer = await request(`${gateway.url}/x`);
  assert.equal(got(answer).url, '/x');
  assert.equal(got(answer).headers['x-added'], '1');
  assert.equal(answer.headers['x-added'], '2');
});

test('onRequest chooses another port', async (t) => {
  const other = await backend(t, (_, response) => response.end('other'));
  const gateway = await hooked(t, { onRequest: () => ({ backendHost: 'localhost', backendPort: other }) });
  assert.equal((await request(gateway.url)).body, 'other');
});

test('onResponse changes what the client gets', async (t) => {
  let seen: [IngressHookResponse, IngressHookRequest] | undefined;
  const port = await backend(t, (_, response) => {
    response.setHeader('Set-Cookie', ['a=1', 'b=2']);
    response.setHeader('X-Gone', '1');
    response.end('from the backend');
  });
  const gateway = await gatewayTo(t, port, {
    hooks: {
      onResponse: (response, asked) => {
        seen = [response, asked];
        return {
          statusCode: 201, statusMessage: 'Made',
          headers: { 'set-cookie': ['c=3', 'd=4', 'e=5'], 'x-gone': null },
        };
      },
    },
  });
  const answer = await request(`${gateway.url}/p`);
  assert.equal(answer.status, 201);
  assert.equal(answer.statusText, 'Made');
  assert.deepEqual(answer.headers['set-cookie'], ['c=3', 'd=4', 'e=5']);
  assert.equal(answer.headers['x-gone'], undefined);
  assert.equal(answer.body, 'from the backend');
  assert.ok(seen);
  assert.equal(seen[0].statusCode, 200);
  assert.deepEqual(seen[0].headers['set-cookie'], ['a=1', 'b=2']);
  assert.equal(seen[0].body, undefined);
  assert.equal(seen[1].path, '/p');
});

test('a body is seen and replaced where it is buffered', async (t) => {
  const port = await backend(t, (_, response) => {
    response.write('ab');
    response.end(Buffer.from([0xff, 0x00]));
  });
  const bodies: (Buffer | undefined)[] = [];
  const gateway = await gatewayTo(t, port, {
    bufferResponseBody: true,
    hooks: {
      onRequest: ({ path }) => ({ bufferResponseBody: path !== '/stream' }),
      onResponse: ({ body }) => {
        bodies.push(body);
        return { body: body ? Buffer.concat([body, body]) : 'as text: \u00e9' };
      },
    },
  });
  const buffered = await request(`${gateway.url}/`);
  assert.deepEqual(bodies[0], Buffer.from([0x61, 0x62, 0xff, 0x00]));
  assert.equal(buffered.body, 'ab\u00ff\u0000ab\u00ff\u0000');
  assert.equal(buffered.headers['content-length'], '8');
  const streamed = await request(`${gateway.url}/stream`);
  assert.equal(bodies[1], undefined);
  assert.equal(Buffer.from(streamed.body, 'latin1').toString(), 'as text: é');
});

test('a body beyond the maximum is 502', async (t) => {
  const port = await backend(t, (_, response) => response.end('x'.repeat(100)));
  const gateway = await gatewayTo(t, port, {
    bufferResponseBody: true, maxBufferedResponseBodyBytes: 99, hooks: { onResponse: () => undefined },
  });
  assert.equal((await request(gateway.url)).status, 502);
});

test('a field called __proto__ is a field', async (t) => {
  const port = await backend(t, (_, response) => {
    response.writeHead(200, ['__proto__', 'x', 'constructor', 'y', 'Content-Length', '0']);
    response.end();
  });
  let names: string[] = [];
  const gateway = await gatewayTo(t, port, {
    hooks: {
      onResponse: ({ headers }) => {
        names = Object.keys(headers);
        return { headers: JSON.parse('{"__proto__": "changed"}') as Record<string, string> };
      },
    },
  });
  const answer = await request(gateway.url);
  assert.ok(names.includes('__proto__') && names.includes('constructor'), names.join());
  const at = answer.rawHeaders.indexOf('__proto__');
  assert.equal(answer.rawHeaders[at + 1], 'changed');
});

test('the bytes of a value pass through hooks as they are', async (t) => {
  const port = await backend(t, (_, response) => {
    response.setHeader('X-Bytes', 'caf\u00e9 \u0080\u00ff');
    response.end();
  });
  const gateway = await gatewayTo(t, port, {
    hooks: { onResponse: ({ headers }) => ({ headers: { 'x-copy': headers['x-bytes'] } }) },
  });
  const answer = await request(gateway.url);
  assert.equal(answer.headers['x-bytes'], 'caf\u00e9 \u0080\u00ff');
  assert.equal(answer.headers['x-copy'], 'caf\u00e9 \u0080\u00ff');
});

// Each of these would smuggle something, or is nonsense.
for (const [what, patch, reason] of [
  ['a line break in a value', { headers: { 'x-a': 'b\r\nX-Evil: 1' } }, /./],
  ['a NUL in a value', { headers: { 'x-a': 'b\0' } }, /./],
  ['a character whose low byte is a line break', { headers: { 'x-a': 'b\u010aX-Evil: 1' } }, /U\+00FF/],
  ['a name that is no token', { headers: { 'x a': 'b' } }, /./],
  ['a name with a line break', { headers: { 'x-a: 1\r\nx-b': 'b' } }, /./],
  ['a value that is a number', { headers: { 'x-a': 1 } }, /must be a string/],
  ['an object for a body', { body: {} }, /Uint8Array/],
  ['a status out of range', { statusCode: 42 }, /statusCode/],
  ['a line break in the status message', { statusMessage: 'OK\r\nX-Evil: 1' }, /./],
  ['a string', 'patch', /must return an object/],
  ['fields that are text', { headers: 'x-a: b' }, /headers must be/],
  ['fields that are a promise', { headers: Promise.resolve({}) }, /headers must be/],
  ['fields that are a date', { headers: new Date() }, /headers must be/],
  ['names and values in a row', { headers: ['x-a', 'b'] }, /headers must be .*pairs/],
  ['a pair of three', { headers: [['x-a', 'b', 'c']] }, /headers must be .*pairs/],
  ['a set of names', { headers: new Set(['ab']) }, /headers must be .*pairs/],
  ['a pair whose name is a number', { headers: new Map([[1, 'b']]) }, /headers must be .*pairs/],
  ['a pair whose value is a number', { headers: [['x-a', 1]] }, /header x-a must be a string/],
] as [string, object, RegExp][]) {
  test(`a response hook that returns ${what} is answered 502`, async (t) => {
    const lines: string[] = [];
    const gateway = await gatewayTo(t, await mirror(t), {
      hooks: { onResponse: () => patch }, debug: ['ingress'],
      debugLog: (_, line) => lines.push(line),
    });
    const answer = await request(gateway.url);
    assert.equal(answer.status, 502);
    assert.equal(answer.headers['x-evil'], undefined);
    await gateway.close();
    assert.ok(lines.some((line) => reason.test(line)), lines.join('\n'));
  });
}

for (const [what, patch] of [
  ['a host that is not the loopback', { backendHost: 'example.com' }],
  ['a port of 0', { backendPort: 0 }],
  ['a port that is no integer', { backendPort: 80.5 }],
  ['a target with a blank', { backendTarget: '/ HTTP/1.1' }],
  ['a target with a line break', { backendTarget: '/\r\nX: 1' }],
  ['CONNECT', { method: 'CONNECT' }],
] as [string, object][]) {
  test(`a request hook that returns ${what} is answered 502`, async (t) => {
    const gateway = await hooked(t, { onRequest: () => patch });
    assert.equal((await request(gateway.url)).status, 502);
  });
}

test('hooks do not touch the framing', async (t) => {
  const gateway = await hooked(t, {
    onRequest: () => ({ headers: { 'content-length': '99', 'transfer-encoding': 'chunked' } }),
    onResponse: () => ({ headers: { 'content-length': '1', connection: 'upgrade' } }),
  });
  const answer = await request(gateway.url);
  assert.equal(answer.status, 200);
  assert.equal(got(answer).headers['content-length'], undefined);
});

test('a slow hook holds its own request alone', async (t) => {
  const slow = gate<boolean>();
  const asked = gate();
  const gateway = await hooked(t, {
    isAllowed: ({ path }) => {
      if (path !== '/slow') return true;
      asked.open();
      return slow.promise;
    },
  });
  const waiting = request(`${gateway.url}/slow`);
  await asked.promise;
  for (let i = 0; i < 5; ++i) assert.equal((await request(gateway.url)).status, 200);
  slow.open(true);
  assert.equal((await waiting).status, 200);
});

test('an answer after the client has left, or the gateway has closed, does nothing', async (t) => {
  const slow = gate<boolean>();
  let asked = gate();
  const gateway = await hooked(t, { isAllowed: () => { asked.open(); return slow.promise; } });
  const connect = async (): Promise<net.Socket> => {
    asked = gate();
    const socket = net.connect(gateway.port, gateway.host);
    socket.on('error', () => undefined).resume();
    socket.write('GET / HTTP/1.1\r\nHost: localhost\r\n\r\n');
    await asked.promise;
    return socket;
  };
  (await connect()).destroy();
  const open = await connect();
  const closed = new Promise((resolve) => open.on('close', resolve));
  await gateway.close();
  await closed;
  slow.open(true);
  await collectGarbage();
});

test('a promise that is lost is an answer of 502', async (t) => {
  const asked = gate();
  const gateway = await hooked(t, {
    isAllowed: () => { asked.open(); return new Promise<boolean>(() => undefined); },
  });
  let status = 0;
  const waiting = request(gateway.url).then((answer) => { status = answer.status; });
  await asked.promise;
  await collectUntil(() => status !== 0);
  await waiting;
  assert.equal(status, 502);
});

test('ten thousand requests through hooks leave nothing behind', { timeout: 300_000 }, async (t) => {
  const port = await backend(t, (_, response) => response.end('a page'));
  const gateway = await gatewayTo(t, port, {
    bufferResponseBody: true,
    hooks: {
      isAllowed: async () => true,
      onRequest: () => ({ headers: { 'x-a': '1' } }),
      onResponse: async ({ body }) => ({ headers: { 'x-b': '2' }, body: `${body}!` }),
    },
  });
  const agent = new http.Agent({ keepAlive: true, maxSockets: 8 });
  t.after(() => agent.destroy());
  const send = async (times: number): Promise<void> => {
    await Promise.all(Array.from({ length: 8 }, async () => {
      for (let i = 0; i < times / 8; ++i) {
        const answer = await request(gateway.url, { agent });
        assert.equal(answer.body, 'a page!');
      }
    }));
    await collectGarbage();
  };
  await send(2_000);
  const before = process.memoryUsage();
  await send(10_000);
  const after = process.memoryUsage();
  const grown = (after.rss - before.rss) / 1024 / 1024;
  const heap = (after.heapUsed - before.heapUsed) / 1024 / 1024;
  t.diagnostic(`${grown.toFixed(1)} MiB RSS and ${heap.toFixed(1)} MiB heap grown`);
  assert.ok(grown < 24, `grown by ${grown} MiB`);
  assert.ok(heap < 4, `heap grown by ${heap} MiB`);
});
