// Routes from JavaScript and back: what a route may be, what refuses it, and what a closed
// gateway or VM says. The VMs here are closed before they have started.

import assert from 'node:assert/strict';
import { readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import test, { type TestContext } from 'node:test';

import { GondolinError, openGateway, VM, type IngressRoute } from 'gondolin';

import { gatewayTo, mirror, request, temporaryDirectory } from './support.js';

const failing = (code: string, message: RegExp) => (error: unknown): boolean => {
  assert.ok(error instanceof GondolinError, String(error));
  assert.equal(error.code, code);
  assert.match(error.message, message);
  return true;
};

const refused = (work: Promise<unknown>, message: RegExp): Promise<void> =>
  assert.rejects(work, failing('INVALID_ARGUMENT', message));

const closed = (work: Promise<unknown>): Promise<void> =>
  assert.rejects(work, failing('CANCELLED', /closed/));

/** A VM that has not been started, and never will be for long. */
async function idleVm(t: TestContext): Promise<VM> {
  const vm = await VM.create({ autoStart: false });
  t.after(() => vm.close());
  return vm;
}

test('a closed gateway takes no routes and has none', async (t) => {
  const gateway = await gatewayTo(t, 80);
  await gateway.close();
  await closed(gateway.setRoutes([{ prefix: '/', port: 81 }]));
  await closed(gateway.getRoutes());
});

test('a closed VM takes no routes and has none', async (t) => {
  const vm = await idleVm(t);
  await vm.close();
  await closed(vm.setIngressRoutes([{ prefix: '/', port: 81 }]));
  assert.deepEqual(vm.getIngressRoutes(), []);
  await closed(vm.readIngressRoutes());
  await closed(vm.exec('true').result);
});

// What cannot be routes, and what names the fault.
const faults: [string, unknown, RegExp][] = [
  ['null', null, /^routes must be an array$/],
  ['no array', { prefix: '/', port: 80 }, /^routes must be an array$/],
  ['a route that is null', [null], /^routes\[0\] must be an object$/],
  ['a hole', new Array(1), /^routes\[0\] must be an object$/],
  ['a route that is text', [{ prefix: '/', port: 80 }, '/ :80'], /^routes\[1\] must be an object$/],
  ['the file\'s strip_prefix', [{ prefix: '/api/', port: 8000, strip_prefix: false }],
    /^routes\[0\] has no option 'strip_prefix'$/],
  ['a misspelt key', [{ prefix: '/', port: 1 }, { prefix: '/a', port: 1, striPrefix: false }],
    /^routes\[1\] has no option 'striPrefix'$/],
  ['no prefix', [{ port: 80 }], /prefix/],
  ['a prefix without a slash', [{ prefix: 'x', port: 80 }], /invalid prefix 'x'/],
  ['a prefix with a blank', [{ prefix: '/a b', port: 80 }], /invalid prefix/],
  ['no port', [{ prefix: '/' }], /no port for '\/'/],
  ['a port of 0', [{ prefix: '/', port: 0 }], /port must be an integer from 1 to 65535/],
  ['a port that is text', [{ prefix: '/', port: '80' }], /port must be an integer/],
  ['a stripPrefix that is text', [{ prefix: '/', port: 80, stripPrefix: 'false' }],
    /stripPrefix must be true or false/],
  ['more than a listeners file holds', [{ prefix: `/${'a'.repeat(65_536)}`, port: 80 }], /64 KiB/],
];
for (const [what, routes, message] of faults) {
  test(`${what} for routes is refused by the promise`, async (t) => {
    const gateway = await gatewayTo(t, 80);
    await refused(gateway.setRoutes(routes as IngressRoute[]), message);
    assert.deepEqual(await gateway.getRoutes(), [{ prefix: '/', port: 80, stripPrefix: true }]);
    const vm = await idleVm(t);
    await refused(vm.setIngressRoutes(routes as IngressRoute[]), message);
    assert.deepEqual(vm.getIngressRoutes(), []);
  });
}

test('routes that are given are known at once as they will be in force', async (t) => {
  const vm = await idleVm(t);
  const setting = assert.rejects(vm.setIngressRoutes(
    [{ prefix: '/pre/', port: 80 }, { prefix: '/', port: 81, stripPrefix: false }, { prefix: '/pre', port: 82 }]),
  { code: 'CANCELLED' });
  assert.deepEqual(vm.getIngressRoutes(),
    [{ prefix: '/pre', port: 80, stripPrefix: true }, { prefix: '/', port: 81, stripPrefix: false }]);
  await vm.close();
  await setting;
});

test('prefixes are UTF-8 both ways', async (t) => {
  const port = await mirror(t);
  const file = path.join(await temporaryDirectory(t), 'listeners');
  await writeFile(file, `/zü :${port}\n`);
  let seen: string | undefined;
  const gateway = await openGateway({
    listeners: file, hooks: { isAllowed: ({ route }) => { seen = route.prefix; return true; } },
  });
  t.after(() => gateway.close());
  assert.deepEqual((await gateway.getRoutes()).map(({ prefix }) => prefix), ['/zü']);
  await gateway.setRoutes([{ prefix: '/zü/日本', port }]);
  assert.equal(await readFile(file, 'utf8'), `/zü/日本\t:${port}\n`);
  assert.deepEqual((await gateway.getRoutes()).map(({ prefix }) => prefix), ['/zü/日本']);
  const bytes = Buffer.from('/zü/日本/x').toString('latin1');
  assert.equal((await request(gateway.url, { path: bytes })).status, 200);
  assert.equal(seen, '/zü/日本');
});

// --- other arguments ----------------------------------------------------------------

test('what is no options object is refused by the promise', async (t) => {
  const vm = await idleVm(t);
  await refused(VM.create(null as never), /^the options of VM\.create must be an object$/);
  await refused(VM.create({ autoStart: false, vfs: null as never }), /^vfs must be an object$/);
  await refused(VM.create({ autoStart: false, debug: 'ingress' as never }), /^debug must be/);
  await refused(openGateway(null as never), /^the options of openGateway must be an object$/);
  await refused(vm.enableIngress(null as never), /^the options of enableIngress must be an object$/);
  await refused(vm.enableIngress({ onRoutes: 5 as never }), /^onRoutes must be a function$/);
  await refused(vm.enableIngress({ hooks: 5 as never }), /^hooks must be an object$/);
  await refused(vm.enableIngress({ hooks: 0 as never }), /^hooks must be an object$/);
  await refused(vm.waitForPort(null as never), /^port must be an integer from 1 to 65535$/);
  await refused(vm.waitForPort(65_536 + 80), /^port must be/);
  await refused(vm.waitForPort(80, null as never), /^the options of waitForPort must be an object$/);
  await refused(vm.waitForPort(80, { timeout: 5 } as never), /no option 'timeout'/);
  await refused(vm.waitForPort(80, { timeoutMs: '5' as never }), /^timeoutMs must be/);
  await refused(vm.fs.readFile(null as never), /^path must be a string$/);
  await refused(vm.fs.rename('/a', 5 as never), /^to must be a string$/);
  await refused(vm.fs.stat('/a', null as never), /^the options of stat must be an object$/);
  await refused(vm.fs.stat('/a', { cdw: '/' } as never), /stat has no option 'cdw'/);
  await refused(vm.fs.writeFile('/a', null as never), /^data must be/);
});

test('options of the wrong kind are refused by their names', async (t) => {
  const vm = await idleVm(t);
  const create = (options: object): Promise<VM> => VM.create({ autoStart: false, ...options });
  await refused(create({ onEvent: 5 }), /^onEvent must be a function$/);
  await refused(create({ signal: 5 }), /^signal must be an AbortSignal$/);
  await refused(create({ vfs: { mounts: null } }), /^vfs\.mounts must be an object$/);
  await refused(create({ vfs: { hooks: 5 } }), /^vfs\.hooks must be an object$/);
  await refused(vm.waitForPort(80, { signal: {} as never }), /^signal must be/);
  await refused(vm.fs.readFile('/a', { signal: 5 as never }), /^signal must be/);
  await refused(vm.fs.readFile('a', { cwd: 5 as never }), /^cwd must be a string$/);
  await refused(vm.fs.readFile('/a', { maxBytes: -1 }), /^maxBytes must be/);
  await refused(vm.fs.readFileStream('/a', { chunkSize: 0 }), /^chunkSize must be an integer from 1/);
  await refused(vm.fs.mkdir('/a', { mode: '0755' as never }), /^mode must be an integer from 0 to 4095$/);
  const exec = async (options: object): Promise<unknown> => vm.exec('true', options);
  await refused(exec({ argv: 5 }), /^argv must be an array of strings$/);
  await refused(exec({ signal: 5 }), /^signal must be/);
  await refused(exec({ windowBytes: -1 }), /^windowBytes must be/);
  await refused(exec({ maxBufferedBytes: '5' }), /^maxBufferedBytes must be/);
});

test('what is no command is refused with a sentence', async (t) => {
  const vm = await idleVm(t);
  await refused((async () => vm.exec(null as never))(), /^command must be/);
  await refused((async () => vm.exec([5] as never))(), /^command must be/);
  await refused((async () => vm.exec('true', null as never))(), /^the options of exec must be an object$/);
  await refused((async () => vm.exec('true', { env: null as never }))(), /^env must be/);
  await refused((async () => vm.exec('true', { env: [5] as never }))(), /^env must be/);
  await refused((async () => vm.shell(null as never))(), /^the options of shell must be an object$/);
});

test('a gateway\'s options are refused by their own names', async (t) => {
  const listeners = path.join(await temporaryDirectory(t), 'listeners');
  await refused(openGateway({} as never), /^listeners must be/);
  await refused(openGateway({ listeners: '' }), /^listeners must be/);
  await refused(openGateway({ listeners, listenHost: 'example.com' }), /^listenHost must be/);
  for (const name of ['connectTimeoutMs', 'upstreamHeaderTimeoutMs', 'requestHeaderTimeoutMs', 'idleTimeoutMs',
    'maxHeaderBytes', 'maxHeaderFields', 'maxRequestLineBytes', 'maxConnections', 'maxBufferedResponseBodyBytes']) {
    await refused(openGateway({ listeners, [name]: 0 }), new RegExp(`^${name} must be \\d+ to \\d+, not 0$`));
  }
  await refused(openGateway({ listeners, upstreamResponseTimeoutMs: -1 }),
    /^upstreamResponseTimeoutMs must be 0 to 86400000, not -1$/);
});
