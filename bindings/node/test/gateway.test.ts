// openGateway(): what it serves, how it closes, what it leaves behind, and what it is to
// the process, the garbage collector and workers.

import assert from 'node:assert/strict';
import { once } from 'node:events';
import { writeFile } from 'node:fs/promises';
import net from 'node:net';
import path from 'node:path';
import test from 'node:test';
import { Worker } from 'node:worker_threads';

import { GondolinError, openGateway } from 'gondolin';

import {
  backend, collectGarbage, collectUntil, gatewayTo, listenersFile, mirror, processHoldings,
  request, runScript, startScript, temporaryDirectory,
} from './support.js';

const inUse = (port: number): Promise<boolean> => new Promise((resolve) => {
  const socket = net.connect(port, '127.0.0.1');
  socket.on('connect', () => { socket.destroy(); resolve(true); });
  socket.on('error', () => resolve(false));
});

// Whatever ends it.
const closeOf = (socket: net.Socket): Promise<void> => new Promise((resolve) => {
  socket.on('error', () => undefined).on('close', () => resolve()).resume();
});

test('a gateway serves what its file routes', async (t) => {
  const gateway = await gatewayTo(t, await mirror(t));
  assert.equal(gateway.host, '127.0.0.1');
  assert.equal(gateway.url, `http://127.0.0.1:${gateway.port}`);
  assert.equal(gateway.bindWarning, '');
  const answer = await request(`${gateway.url}/a?b=c`);
  assert.equal(answer.status, 200);
  assert.equal(JSON.parse(answer.body).url, '/a?b=c');
});

test('routes can be read and written', async (t) => {
  const port = await mirror(t);
  const gateway = await gatewayTo(t, port);
  assert.deepEqual(await gateway.getRoutes(), [{ prefix: '/', port, stripPrefix: true }]);
  await gateway.setRoutes([{ prefix: '/api/', port }, { prefix: '/raw', port, stripPrefix: false }]);
  assert.deepEqual(await gateway.getRoutes(),
    [{ prefix: '/api', port, stripPrefix: true }, { prefix: '/raw', port, stripPrefix: false }]);
  assert.equal((await request(`${gateway.url}/`)).status, 404);
  assert.equal(JSON.parse((await request(`${gateway.url}/api/x`)).body).url, '/x');
  assert.equal(JSON.parse((await request(`${gateway.url}/raw/x`)).body).url, '/raw/x');
});

test('a file that is refused is a warning, and the routes stay', async (t) => {
  const port = await mirror(t);
  const file = path.join(await temporaryDirectory(t), 'listeners');
  await writeFile(file, `/ :${port}\n`);
  const warnings: string[] = [];
  let warned: () => void = () => undefined;
  const warning = new Promise<void>((resolve) => { warned = resolve; });
  const gateway = await openGateway({
    listeners: file,
    onWarning: (message) => { warnings.push(message); warned(); },
  });
  t.after(() => gateway.close());
  await writeFile(file, '/ :80x\n');
  await warning;
  assert.match(warnings[0] ?? '', /line 1: invalid port ':80x'/);
  assert.equal((await request(`${gateway.url}/`)).status, 200);
});

test('options out of range are refused', async (t) => {
  const listeners = await listenersFile(t, 80);
  const refused = async (options: object, message: RegExp): Promise<void> => {
    await assert.rejects(openGateway({ listeners, ...options }), (error) => {
      assert.ok(error instanceof GondolinError);
      assert.equal(error.code, 'INVALID_ARGUMENT');
      assert.match(error.message, message);
      return true;
    });
  };
  await refused({ listenPort: 65536 }, /listenPort must be an integer from 0 to 65535/);
  await refused({ listenPort: '80' }, /listenPort must be an integer/);
  await refused({ listenHost: 'example.com' }, /example\.com/);
  await refused({ allowWebsockets: false }, /no option 'allowWebsockets'/);
  await refused({ allowWebSockets: 0 }, /allowWebSockets must be true or false/);
  await refused({ maxHeaderFields: 0 }, /1 to 10000/);
  await refused({ hooks: { isAllowed: true } }, /hooks\.isAllowed must be a function/);
  await refused({ hooks: { isallowed: () => true } }, /hooks has no option 'isallowed'/);
  await refused({ debug: ['nonsense'] }, /nonsense/);
});

test('an address in use is a failure', async (t) => {
  const port = await backend(t, (_, response) => response.end());
  await assert.rejects(gatewayTo(t, 80, { listenPort: port }), { name: 'GondolinError', code: 'EADDRINUSE' });
});

test('it closes at once, whatever its clients do', async (t) => {
  const gateway = await gatewayTo(t, await backend(t, () => undefined));
  const idle = net.connect(gateway.port, gateway.host);
  const half = net.connect(gateway.port, gateway.host);
  await Promise.all([once(idle, 'connect'), once(half, 'connect')]);
  half.write('POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 10\r\n\r\nhalf');
  const gone = Promise.all([closeOf(idle), closeOf(half)]);
  const start = performance.now();
  await gateway.close();
  assert.ok(performance.now() - start < 1500);
  await gone;
  await gateway.close();
  assert.equal(await inUse(gateway.port), false);
});

test('await using closes it', async (t) => {
  const listeners = await listenersFile(t, 80);
  let port = 0;
  {
    await using gateway = await openGateway({ listeners });
    port = gateway.port;
    assert.equal(await inUse(port), true);
  }
  assert.equal(await inUse(port), false);
});

test('a thousand gateways leave nothing behind', async (t) => {
  // One arena of glibc's, since what the threads of a process spread over many is not a leak.
  const grown = JSON.parse(await runScript(`
    import v8 from 'node:v8';
    import vm from 'node:vm';
    import { readdirSync } from 'node:fs';
    import { openGateway } from 'gondolin';
    v8.setFlagsFromString('--expose-gc');
    const gc = vm.runInNewContext('gc');
    const hooks = { isAllowed: () => true, onResponse: () => undefined };
    const openAndClose = async (times) => {
      for (let i = 0; i < times; ++i) {
        const gateway = await openGateway({
          listeners: process.argv[1], hooks, debug: true, debugLog: () => undefined });
        await gateway.close();
      }
    };
    const held = async () => {
      for (let i = 0; i < 4; ++i) {
        gc();
        await new Promise(setImmediate);
      }
      return {
        descriptors: readdirSync('/proc/self/fd').length,
        threads: readdirSync('/proc/self/task').length,
        mebibytes: process.memoryUsage.rss() / 1024 / 1024,
      };
    };
    await openAndClose(1000);
    const before = await held();
    await openAndClose(1000);
    const after = await held();
    console.log(JSON.stringify(Object.keys(after).map((name) => after[name] - before[name])));
  `, [await listenersFile(t, 80)], { MALLOC_ARENA_MAX: '1' })) as number[];
  const [descriptors = NaN, threads = NaN, mebibytes = NaN] = grown;
  t.diagnostic(`grown by ${mebibytes.toFixed(1)} MiB, ${descriptors} descriptors, ${threads} threads`);
  assert.ok(descriptors <= 2, `${descriptors} more descriptors`);
  assert.ok(threads <= 4, `${threads} more threads`);
  assert.ok(mebibytes < 6, `grown by ${mebibytes} MiB`);
});

test('an open gateway outlives its last reference', async (t) => {
  const port = await mirror(t);
  const listeners = await listenersFile(t, port);
  let asked = 0;
  const url = await startScript(t, `
    import v8 from 'node:v8';
    import vm from 'node:vm';
    import { openGateway } from 'gondolin';
    v8.setFlagsFromString('--expose-gc');
    const gc = vm.runInNewContext('gc');
    const open = async () => (await openGateway({
      listeners: process.argv[1],
      hooks: { isAllowed: () => { gc(); return true; } },
    })).url;
    const url = await open();
    gc();
    console.log(url);
  `, listeners);
  for (; asked < 3; ++asked) assert.equal((await request(`${url}/`)).status, 200);
});

test('a closed gateway and its hooks are collected', async (t) => {
  const listeners = await listenersFile(t, await mirror(t));
  const collected = new Set<string>();
  const registry = new FinalizationRegistry<string>((name) => collected.add(name));
  const openAndClose = async (): Promise<void> => {
    const hooks = { isAllowed: () => hooks !== undefined };
    const gateway = await openGateway({ listeners, hooks });
    registry.register(gateway, 'gateway');
    registry.register(hooks, 'hooks');
    await request(gateway.url);
    await gateway.close();
  };
  await openAndClose();
  await collectUntil(() => collected.size === 2);
});

test('the process ends when the last gateway is closed', async (t) => {
  const listeners = await listenersFile(t, await mirror(t));
  const output = await runScript(`
    import { openGateway } from 'gondolin';
    const gateway = await openGateway({ listeners: process.argv[1] });
    const response = await fetch(gateway.url);
    console.log(response.status);
    await gateway.close();
  `, [listeners]);
  assert.equal(output, '200\n');
});

test('process.exit() ends an open gateway', async (t) => {
  const listeners = await listenersFile(t, 80);
  const output = await runScript(`
    import { openGateway } from 'gondolin';
    await openGateway({ listeners: process.argv[1], hooks: { isAllowed: () => true } });
    console.log('open');
    process.exit(0);
  `, [listeners]);
  assert.equal(output, 'open\n');
});

test('an exception that nobody catches ends the process', async (t) => {
  const listeners = await listenersFile(t, 80);
  await assert.rejects(runScript(`
    import { openGateway } from 'gondolin';
    await openGateway({ listeners: process.argv[1] });
    throw new Error('on purpose');
  `, [listeners]), (error: { code?: number; stderr?: string }) => {
    assert.equal(error.code, 1);
    assert.match(error.stderr ?? '', /on purpose/);
    return true;
  });
});

const workerScript = `
  import { parentPort, workerData } from 'node:worker_threads';
  const { openGateway } = await import(workerData.module);
  const gateway = await openGateway({
    listeners: workerData.listeners,
    hooks: {
      isAllowed: async () => {
        if (!workerData.hang) return true;
        parentPort.postMessage('asked');
        return globalThis.forever = new Promise(() => {});
      },
    },
  });
  parentPort.postMessage(gateway.port);
  parentPort.once('message', () => gateway.close());
`;

function startWorker(listeners: string, hang: boolean): Worker {
  const source = new URL(`data:text/javascript,${encodeURIComponent(workerScript)}`);
  return new Worker(source, { workerData: { module: import.meta.resolve('gondolin'), listeners, hang } });
}

test('a worker has gateways of its own, and ends when they are closed', async (t) => {
  const listeners = await listenersFile(t, await mirror(t));
  await gatewayTo(t, 80);
  const worker = startWorker(listeners, false);
  const [port] = await once(worker, 'message') as [number];
  assert.equal((await request(`http://127.0.0.1:${port}/`)).status, 200);
  worker.postMessage('close');
  const [code] = await once(worker, 'exit') as [number];
  assert.equal(code, 0);
  assert.equal(await inUse(port), false);
});

test('a worker that is terminated takes its gateways with it, hooks in progress included', async (t) => {
  const listeners = await listenersFile(t, await mirror(t));
  const before = await processHoldings();
  for (let i = 0; i < 10; ++i) {
    const worker = startWorker(listeners, true);
    const [port] = await once(worker, 'message') as [number];
    const asked = once(worker, 'message');
    // It may still be told that the hook has failed.
    const ended = request(`http://127.0.0.1:${port}/`)
      .then(({ status }) => assert.equal(status, 502), () => undefined);
    await asked;
    const idle = net.connect(port, '127.0.0.1');
    await once(idle, 'connect');
    const closed = closeOf(idle);
    await worker.terminate();
    await Promise.all([closed, ended]);
    assert.equal(await inUse(port), false);
  }
  await collectGarbage();
  const after = await processHoldings();
  assert.ok(after.threads <= before.threads + 4, `${before.threads} to ${after.threads} threads`);
  assert.ok(after.descriptors <= before.descriptors + 6, `${before.descriptors} to ${after.descriptors}`);
});
