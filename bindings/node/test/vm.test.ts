// A real guest. The tests share one VM, since a start costs seconds under emulation.

import assert from 'node:assert/strict';
import { once } from 'node:events';
import path from 'node:path';
import { Readable, Writable } from 'node:stream';
import test, { after, before } from 'node:test';
import { Worker } from 'node:worker_threads';

import { GondolinError, VM, type IngressRoutesEvent } from 'gondolin';

import {
  collectGarbage, execFileAsync, gate, packageDirectory, processHoldings, request, runScript,
} from './support.js';

let vm: VM;
before(async () => { vm = await VM.create(); }, { timeout: 300_000 });
after(() => vm?.close());

const cancelled = (error: unknown): boolean =>
  error instanceof GondolinError && error.code === 'CANCELLED';

test('a string is run by the shell', async () => {
  const result = await vm.exec('echo "hello $1"; echo err >&2; exit 7', { argv: ['there'] });
  assert.equal(result.exitCode, 7);
  assert.equal(result.ok, false);
  assert.equal(result.signal, undefined);
  assert.equal(result.stdout, 'hello there\n');
  assert.equal(result.stderr, 'err\n');
  assert.equal(String(result), 'hello there\n');
});

test('an array is run as it is', async () => {
  const result = await vm.exec(['printf', '%s|', 'a b', '$HOME', '']);
  assert.equal(result.stdout, 'a b|$HOME||');
  assert.equal(result.ok, true);
});

test('what a program writes can be bytes, lines and JSON', async () => {
  const bytes = await vm.exec(['printf', '\\377\\000x']);
  assert.deepEqual(bytes.stdoutBuffer, Buffer.from([0xff, 0, 0x78]));
  assert.deepEqual((await vm.exec('printf "a\\n\\nb\\n"')).lines(), ['a', 'b']);
  assert.deepEqual((await vm.exec(['echo', '{"a": [1]}'])).json(), { a: [1] });
});

test('a program gets its directory and its environment', async () => {
  const { stdout } = await vm.exec('pwd; echo $A-$B', { cwd: '/usr/lib', env: { A: '1', B: '2=3' } });
  assert.equal(stdout, '/usr/lib\n1-2=3\n');
  assert.equal((await vm.exec('echo $A', { env: ['A=x=y'] })).stdout, 'x=y\n');
  await assert.rejects(async () => vm.exec('true', { env: ['A'] }), { code: 'INVALID_ARGUMENT' });
});

test('a program that does not exist is an error', async () => {
  await assert.rejects(vm.exec(['/no/such/program']).result, { code: 'ENOENT' });
  await assert.rejects(vm.exec('true', { cwd: '/no/such' }).result, { code: 'ENOENT' });
  await assert.rejects(async () => vm.exec([]), { code: 'INVALID_ARGUMENT' });
  await assert.rejects(async () => vm.exec('true', { std_out: 'pipe' } as object), /no option 'std_out'/);
});

test('a program that is killed says by what', async () => {
  const result = await vm.exec('kill -TERM $$');
  assert.equal(result.signal, 15);
  assert.equal(result.exitCode, 143);
});

test('stdin can be text, bytes, a stream or nothing', async () => {
  assert.equal((await vm.exec(['cat'], { stdin: 'some text' })).stdout, 'some text');
  assert.deepEqual((await vm.exec(['cat'], { stdin: Buffer.from([0xfe, 0]) })).stdoutBuffer,
    Buffer.from([0xfe, 0]));
  const big = Buffer.alloc(300_000, 'abc');
  assert.deepEqual((await vm.exec(['cat'], { stdin: Readable.from([big, big]) })).stdoutBuffer,
    Buffer.concat([big, big]));
  assert.equal((await vm.exec(['cat'])).stdout, '');
  const failing = async function* (): AsyncGenerator<Buffer> {
    yield Buffer.from('x');
    throw new Error('no more');
  };
  await assert.rejects(vm.exec(['cat'], { stdin: failing() }).result, /no more/);
});

test('write and end', async () => {
  const program = vm.exec(['cat'], { stdin: true });
  program.write('one ');
  program.write(Buffer.from('two'));
  program.end();
  assert.equal((await program).stdout, 'one two');
  assert.throws(() => vm.exec(['cat']).write('x'), /stdin: true/);
});

test('output streams as it is written', async () => {
  const program = vm.exec('echo one; read line; echo $line', { stdout: 'pipe', stdin: true });
  const seen: string[] = [];
  for await (const text of program) {
    seen.push(text);
    if (seen.length === 1) program.write('two\n');
  }
  assert.deepEqual(seen, ['one\n', 'two\n']);
  const result = await program;
  assert.equal(result.exitCode, 0);
  assert.equal(result.stdout, '');
});

test('output streams by line, and with the stream it came from', async () => {
  const lines: string[] = [];
  for await (const line of vm.exec('printf "a\\n\\nb"', { stdout: 'pipe' }).lines()) lines.push(line);
  assert.deepEqual(lines, ['a', '', 'b']);
  const both: Record<string, string> = { stdout: '', stderr: '' };
  const program = vm.exec('echo out; echo err >&2', { stdout: 'pipe', stderr: 'pipe' });
  for await (const { stream, text } of program.output()) both[stream] += text;
  assert.deepEqual(both, { stdout: 'out\n', stderr: 'err\n' });
  assert.throws(() => vm.exec('true').lines(), /stdout: "pipe"/);
});

test('a stream that is not read holds the program, and one that is left ends it', async () => {
  const program = vm.exec(['yes'], { stdout: 'pipe' });
  for await (const text of program) {
    assert.match(text, /^y\n/);
    break;
  }
  const result = await program;
  assert.equal(result.signal, 13);
});

test('output goes to a writable stream at its speed, which stays open', async () => {
  let size = 0;
  const slow = new Writable({
    highWaterMark: 10,
    write: (chunk: Buffer, _, done) => { size += chunk.length; setImmediate(done); },
  });
  const result = await vm.exec('head -c 300000 /dev/zero; echo kept >&2', { stdout: slow });
  assert.equal(size, 300_000);
  assert.equal(slow.writableEnded, false);
  assert.equal(result.stdout, '');
  assert.equal(result.stderr, 'kept\n');
});

test('output that is not wanted is dropped, and kept output is bounded', async () => {
  const dropped = await vm.exec('head -c 300000 /dev/zero', { buffer: false });
  assert.equal(dropped.exitCode, 0);
  assert.equal(dropped.stdoutBuffer.length, 0);
  const bounded = await vm.exec('head -c 300000 /dev/zero', { maxBufferedBytes: 1000 });
  assert.equal(bounded.stdoutBuffer.length, 1000);
  assert.equal(bounded.truncated, true);
});

test('an abort kills the program', async () => {
  const controller = new AbortController();
  const program = vm.exec('echo $$; exec sleep 1000', { signal: controller.signal, stdout: 'pipe' });
  const [pid] = await once(program.stdout as Readable, 'data') as [Buffer];
  const ended = assert.rejects(program.result, cancelled);
  controller.abort();
  await ended;
  const gone = await vm.exec(`while kill -0 ${pid.toString().trim()} 2>&1; do sleep 0.05; done`);
  assert.equal(gone.exitCode, 0);
  assert.throws(() => vm.exec('true', { signal: AbortSignal.abort() }), { name: 'AbortError' });
});

test('a program on a terminal', async () => {
  const program = vm.exec('stty size; read x; stty size', { pty: true, stdin: true, stdout: 'pipe' });
  let seen = '';
  for await (const text of program) {
    seen += text;
    if (seen === '24 80\r\n') {
      program.resize(40, 100);
      program.write('\n');
    }
  }
  assert.match(seen, /40 100\r\n$/);
});

test('a shell', async () => {
  const shell = vm.shell({ attach: false, env: { PS1: 'ready> ' }, command: ['sh'] });
  let seen = '';
  for await (const text of shell) {
    seen += text;
    if (seen.endsWith('ready> ')) shell.write('exit 5\n');
  }
  assert.equal((await shell).exitCode, 5);
});

test('a shell on a terminal of this machine', { timeout: 240_000 }, async () => {
  await execFileAsync('python3', [path.join(packageDirectory, 'test', 'terminal.py'),
    process.execPath, '--input-type=module', '--eval', `
      import { VM } from 'gondolin';
      const vm = await VM.create({ memory: '256M' });
      const { exitCode } = await vm.shell({ command: ['sh'], env: { PS1: 'ready> ' } });
      console.log('ended ' + exitCode);
      await vm.close();
    `], { cwd: import.meta.dirname });
});

test('kill ends a program, or sends it a signal', async () => {
  const stopped = vm.exec('trap "exit 3" USR1; echo ready; while :; do sleep 0.05; done', { stdout: 'pipe' });
  await once(stopped.stdout as Readable, 'data');
  stopped.stdout?.resume();
  stopped.kill('SIGUSR1');
  assert.equal((await stopped).exitCode, 3);
  const killed = vm.exec(['sleep', '1000']);
  killed.kill();
  await assert.rejects(killed.result, cancelled);
});

test('JavaScript goes on while the guest works', async () => {
  let turns = 0;
  let done = false;
  const turn = (): void => { turns += 1; if (!done) setImmediate(turn); };
  turn();
  await vm.exec('sleep 0.3');
  done = true;
  assert.ok(turns > 100, `${turns} turns`);
});

test('ingress, its routes and its events', async () => {
  await vm.setIngressRoutes([{ prefix: '/pre/', port: 8001 }]);
  assert.deepEqual(vm.getIngressRoutes(), [{ prefix: '/pre', port: 8001, stripPrefix: true }]);
  assert.deepEqual(await vm.readIngressRoutes(), vm.getIngressRoutes());
  const events: IngressRoutesEvent[] = [];
  const two = gate();
  await using ingress = await vm.enableIngress({
    onRoutes: (event) => {
      events.push(event);
      if (event.routes.length === 2) two.open();
    },
    hooks: {
      isAllowed: ({ path }) => !path.startsWith('/secret'),
      onResponse: async () => ({ headers: { 'x-hooked': 'yes' } }),
    },
  });
  assert.equal(ingress.url, `http://127.0.0.1:${ingress.port}`);
  vm.setIngressRoutes([{ prefix: '/', port: 8000, stripPrefix: true }]);
  assert.deepEqual(vm.getIngressRoutes(), [{ prefix: '/', port: 8000, stripPrefix: true }]);
  const server = vm.exec('mkdir -p /srv && cd /srv && echo hello > index.html && exec python3 -m http.server 8000',
    { buffer: false });
  const listening = await vm.waitForPort(8000);
  assert.equal(listening.port, 8000);
  assert.ok((await vm.listeningPorts()).some(({ port }) => port === 8000));
  assert.deepEqual(await vm.readIngressRoutes(), [{ prefix: '/', port: 8000, stripPrefix: true }]);

  const page = await request(`${ingress.url}/`);
  assert.equal(page.body, 'hello\n');
  assert.equal(page.headers['x-hooked'], 'yes');
  assert.equal((await request(`${ingress.url}/secret`)).status, 403);
  await vm.exec('echo "/b :9000" >> /etc/gondolin/listeners');
  await two.promise;
  assert.deepEqual(vm.getIngressRoutes().map(({ prefix }) => prefix), ['/', '/b']);

  await assert.rejects(vm.enableIngress(), { code: 'INVALID_ARGUMENT' });
  await assert.rejects(vm.setIngressRoutes([{ prefix: 'x', port: 1 }]), { code: 'INVALID_ARGUMENT' });
  await assert.rejects(vm.waitForPort(9, { timeoutMs: 50 }), { code: 'TIMEOUT' });
  await assert.rejects(vm.waitForPort(9, { signal: AbortSignal.timeout(50) }), cancelled);
  server.kill();
});

test('options that cannot be are refused', async () => {
  const refused = (options: object, message: RegExp): Promise<void> =>
    assert.rejects(VM.create(options), { code: 'INVALID_ARGUMENT', message });
  await refused({ httpHooks: {} }, /no network/);
  await refused({ memroy: '1G' }, /no option 'memroy'/);
  await refused({ memory: 'much' }, /memory must be like/);
  await refused({ cpus: 0 }, /cpus/i);
  await refused({ accelerator: 'hvf' }, /accelerator must be/);
  await assert.rejects(VM.create({ image: 'no-such-image' }), { code: 'NOT_FOUND' });
});

test('a start can be aborted, or take too long', async () => {
  await assert.rejects(VM.create({ startTimeoutMs: 1 }), { code: 'TIMEOUT' });
  const controller = new AbortController();
  const starting = VM.create({ signal: controller.signal });
  controller.abort();
  await assert.rejects(starting, cancelled);
});

test('VMs come and go, and leave nothing behind', { timeout: 300_000 }, async () => {
  const round = async (): Promise<void> => {
    await using other = await VM.create({ memory: '256M', cpus: 1, autoStart: false });
    assert.equal((await other.exec('echo hi')).stdout, 'hi\n');
    await other.enableIngress({ hooks: { isAllowed: () => true } });
    const left = other.exec(['sleep', '1000']);
    await other.close();
    await assert.rejects(left.result, cancelled);
    await assert.rejects(other.exec('true').result, cancelled);
    await assert.rejects(other.setIngressRoutes([{ prefix: '/', port: 80 }]), cancelled);
    await assert.rejects(other.readIngressRoutes(), cancelled);
  };
  await round();
  await collectGarbage();
  const holdings = await processHoldings();
  await round();
  await round();
  await collectGarbage();
  const after = await processHoldings();
  assert.ok(after.descriptors <= holdings.descriptors + 2, `${holdings.descriptors} to ${after.descriptors}`);
  assert.ok(after.threads <= holdings.threads + 4, `${holdings.threads} to ${after.threads} threads`);
});

test('the process ends once the VM is closed', { timeout: 120_000 }, async () => {
  const output = await runScript(`
    import { VM } from 'gondolin';
    const vm = await VM.create({ memory: '256M' });
    vm.exec(['sleep', '1000'], { buffer: false });
    console.log((await vm.exec('echo done')).stdout.trim());
    await vm.close();
  `);
  assert.equal(output, 'done\n');
});

test('a worker that is terminated takes its VM with it', { timeout: 120_000 }, async () => {
  const source = new URL(`data:text/javascript,${encodeURIComponent(`
    import { parentPort, workerData } from 'node:worker_threads';
    const { VM } = await import(workerData);
    const vm = await VM.create({ memory: '256M' });
    vm.exec(['sleep', '1000']);
    const { stdout } = await vm.exec('echo up');
    parentPort.postMessage(stdout);
  `)}`);
  const before = await processHoldings();
  const worker = new Worker(source, { workerData: import.meta.resolve('gondolin') });
  const [text] = await once(worker, 'message') as [string];
  assert.equal(text, 'up\n');
  await worker.terminate();
  await collectGarbage();
  const after = await processHoldings();
  assert.ok(after.descriptors <= before.descriptors + 4, `${before.descriptors} to ${after.descriptors}`);
});
