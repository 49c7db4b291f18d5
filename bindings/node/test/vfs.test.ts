// Providers of this program's: in memory, and written in JavaScript.

import assert from 'node:assert/strict';
import { once } from 'node:events';
import { constants } from 'node:fs';
import * as host from 'node:fs/promises';
import path from 'node:path';
import test, { after, before } from 'node:test';
import { Worker } from 'node:worker_threads';

import {
  ERRNO, MemoryProvider, ReadonlyProvider, ReadonlyVirtualProvider, RealFSProvider, VM,
  VirtualProviderClass, type VfsHookContext, type VirtualFileHandle, type VirtualProvider,
  type VirtualStats,
} from 'gondolin';

import { collectUntil, gate, runScript, temporaryDirectory } from './support.js';

function failure(code: keyof typeof ERRNO): Error {
  return Object.assign(new Error(code), { errno: ERRNO[code] });
}

const directoryStats = { mode: constants.S_IFDIR | 0o755, size: 0, mtimeMs: 0 };

/** A directory of this machine by way of Node's own functions, which does not answer at once. */
class OwnProvider implements VirtualProvider {
  readonly #root: string;
  opened = 0;
  constructor(root: string) { this.#root = root; }
  #at(name: string): string { return path.join(this.#root, name); }
  async open(name: string, flags: string, mode?: number): Promise<VirtualFileHandle> {
    const handle = await host.open(this.#at(name), flags, mode);
    this.opened += 1;
    return {
      read: (...args) => handle.read(...args),
      write: (...args) => handle.write(...args),
      stat: () => handle.stat(),
      truncate: (length) => handle.truncate(length),
      sync: () => handle.sync(),
      close: () => { this.opened -= 1; return handle.close(); },
    };
  }
  lstat(name: string): Promise<VirtualStats> { return host.lstat(this.#at(name)); }
  readdir(name: string): Promise<string[]> { return host.readdir(this.#at(name)); }
  mkdir(name: string, options: { mode: number }): Promise<unknown> { return host.mkdir(this.#at(name), options); }
  rmdir(name: string): Promise<void> { return host.rmdir(this.#at(name)); }
  unlink(name: string): Promise<void> { return host.unlink(this.#at(name)); }
  rename(from: string, to: string): Promise<void> { return host.rename(this.#at(from), this.#at(to)); }
  readlink(name: string): Promise<string> { return host.readlink(this.#at(name)); }
  symlink(target: string, name: string): Promise<void> { return host.symlink(target, this.#at(name)); }
  chmod(name: string, mode: number): Promise<void> { return host.chmod(this.#at(name), mode); }
}

/** Answers what it was made with, and nothing that it was not. */
class Answers implements VirtualProvider {
  readonly answers: Record<string, () => VirtualStats | Promise<VirtualStats>>;
  constructor(answers: Answers['answers']) { this.answers = answers; }
  open(): Promise<VirtualFileHandle> { throw failure('EACCES'); }
  lstat(name: string): VirtualStats | Promise<VirtualStats> {
    if (name === '/') return directoryStats;
    const answer = this.answers[name];
    if (!answer) throw failure('ENOENT');
    return answer();
  }
  readdir(): string[] { return Object.keys(this.answers).map((name) => name.slice(1)); }
}

const asked = gate();
const memory = new MemoryProvider();
const hidden = new MemoryProvider();
let vm: VM;
let root: string;
let own: OwnProvider;
const logged: string[] = [];
let cleanUp: () => Promise<void> = async () => undefined;
before(async () => {
  root = await temporaryDirectory({ after: (done) => { cleanUp = done; } });
  own = new OwnProvider(root);
  hidden.writeFileSync('/secret', 'fixed\n');
  vm = await VM.create({
    memory: '512M',
    debug: ['vfs'],
    debugLog: (_, line) => logged.push(line),
    vfs: {
      mounts: {
        '/data': memory,
        '/own': own,
        '/fixed': new ReadonlyProvider(hidden),
        '/odd': new Answers({
          '/denied': () => { throw failure('EACCES'); },
          '/late': () => Promise.reject(Object.assign(new Error('quota'), { code: 'EDQUOT' })),
          '/broken': () => { throw new TypeError('the provider is broken'); },
          '/nonsense': () => ({ mode: constants.S_IFREG, size: Number.NaN, mtimeMs: 0 }),
        }),
        '/lost': new Answers({ '/x': () => { asked.open(); return new Promise(() => undefined); } }),
      },
    },
  });
}, { timeout: 300_000 });
after(async () => {
  await vm?.close();
  await cleanUp();
});

test('files in memory are the guest\'s and this program\'s', async () => {
  await memory.writeFile('/greeting', 'from the host\n');
  const handle = await memory.open('/made/deep', 'w+').catch((error: NodeJS.ErrnoException) => error.code);
  assert.equal(handle, 'ENOENT');
  memory.mkdirSync('/made/of', { recursive: true });
  const { stdout } = await vm.exec(
    'cd /data; cat greeting; echo from the guest > made/of/it; printf more >> greeting; ls -R; ln -s it made/of/link');
  assert.equal(stdout, 'from the host\n.:\ngreeting\nmade\n\n./made:\nof\n\n./made/of:\nit\n');
  assert.equal(await memory.readFile('/made/of/it', 'utf8'), 'from the guest\n');
  assert.equal(memory.readFileSync('/greeting', { encoding: 'utf-8' }), 'from the host\nmore');
  assert.equal(memory.readlinkSync('/made/of/link'), 'it');
  assert.deepEqual((await memory.readdir('/made/of', { withFileTypes: true }))
    .map((entry) => typeof entry === 'object' && [entry.name, entry.isFile(), entry.isSymbolicLink()]),
  [['it', true, false], ['link', false, true]]);
  assert.equal((await vm.exec('cat /fixed/secret; echo no > /fixed/secret')).exitCode, 2);
  assert.equal(hidden.readFileSync('/secret', 'utf8'), 'fixed\n');
});

test('what fails in memory fails as Node\'s own files do', async () => {
  const files = new MemoryProvider({ maxBytes: 10, maxFiles: 2 });
  await assert.rejects(files.open('/x', 'r'), { code: 'ENOENT', errno: -ERRNO.ENOENT });
  await assert.rejects(files.open('/x', 'q'), { code: 'EINVAL' });
  assert.throws(() => files.writeFileSync('/x', 'more than ten bytes'), { code: 'ENOSPC' });
  files.mkdirSync('/d');
  assert.throws(() => files.mkdirSync('/e'), { code: 'ENOSPC' });
  assert.throws(() => files.mkdirSync('/d'), { code: 'EEXIST' });
  await assert.rejects(files.open('/x', 'wx'), { code: 'EEXIST' });
  await assert.rejects(files.rmdir('/x'), { code: 'ENOTDIR' });
  await assert.rejects(files.unlink('/d'), { code: 'EISDIR' });
  const handle = await files.open('/x', 'w+');
  await handle.writeFile('12345');
  await handle.close();
  await assert.rejects(handle.stat(), { code: 'EBADF' });
  const more = await files.open('/x', 'a');
  assert.equal((await more.write(Buffer.from('_67'), 1, 2, null)).bytesWritten, 2);
  assert.equal(files.readFileSync('/../x', 'latin1'), '1234567');
  assert.equal(files.existsSync('/y'), false);
  files.rmdirSync('/d');
  assert.throws(() => files.symlinkSync('too long', '/y'), { code: 'ENOSPC' });
  assert.equal(files.existsSync('/y'), false);
  assert.equal((await files.stat('/x')).mode, constants.S_IFREG | 0o644);
});

test('a directory of this machine can be used from here too', async () => {
  const files = new RealFSProvider(root);
  await files.mkdir('/a/b', { recursive: true });
  await files.writeFile('/a/b/c', 'text');
  assert.equal(await host.readFile(path.join(root, 'a/b/c'), 'utf8'), 'text');
  await host.symlink('/etc', path.join(root, 'out'));
  await assert.rejects(files.readFile('/out/passwd'), { code: /ELOOP|ENOTDIR/ });
  await assert.rejects(files.open('/a/b/c', 'wx'), { code: 'EEXIST' });
  const readOnly = new ReadonlyProvider(files);
  assert.equal((await (await readOnly.open('/a/b/c', 'r')).stat()).size, 4);
  await assert.rejects(readOnly.open('/a/b/c', 'r+'), { code: 'EROFS' });
  await assert.rejects(readOnly.mkdir('/x'), { code: 'EROFS' });
  await files.unlink('/out');
  await host.rm(path.join(root, 'a'), { recursive: true });
  await assert.rejects(new RealFSProvider('/no/such').readdir('/'), { code: 'ENOENT' });
});

test('a provider of the program\'s serves what the guest does', async () => {
  const big = Buffer.alloc(300_001, 'abcdefg');
  await host.writeFile(path.join(root, 'big'), big);
  await host.symlink('big', path.join(root, 'link'));
  const { stdout, stderr, exitCode } = await vm.exec(`set -e; cd /own
    cmp big link; wc -c < big
    mkdir new; echo one > new/file; printf two >> new/file; mv new/file new/moved; cat new/moved; echo
    truncate -s 2 new/moved; cat new/moved; echo; chmod 600 new/moved; stat -c %a new/moved
    touch new/moved; ln -s moved new/l; readlink new/l; rm new/l; cp big new/copy; cmp big new/copy; rm new/copy
    ls -l | grep -c ^; ls; rm new/moved; rmdir new; rm big link
    (ls gone 2>&1 || true)`);
  assert.equal(stderr, '');
  assert.equal(exitCode, 0);
  assert.equal(stdout,
    "300001\none\ntwo\non\n600\nmoved\n4\nbig\nlink\nnew\nls: cannot access 'gone': No such file or directory\n");
  assert.deepEqual(await host.readdir(root), []);
  assert.equal(own.opened, 0, 'every file is closed again');
});

test('JavaScript goes on while the guest waits for it', async () => {
  await host.writeFile(path.join(root, 'much'), Buffer.alloc(2_000_000));
  let turns = 0;
  let done = false;
  const turn = (): void => { turns += 1; if (!done) setImmediate(turn); };
  turn();
  assert.equal((await vm.exec('cat /own/much | wc -c')).stdout, '2000000\n');
  done = true;
  assert.ok(turns > 50, `${turns} turns`);
  await host.rm(path.join(root, 'much'));
});

test('what a provider throws is the errno that the guest gets', async () => {
  const { stderr } = await vm.exec(
    'cd /odd; for f in denied late broken nonsense missing; do LC_ALL=C stat -c %s $f; done; LC_ALL=C mkdir d');
  assert.deepEqual(stderr.trim().split('\n').map((line) => line.slice(line.lastIndexOf(': ') + 2)), [
    'Permission denied', 'Disk quota exceeded', 'Input/output error', 'Input/output error',
    'No such file or directory', 'Read-only file system',
  ]);
  assert.ok(logged.some((line) => line.includes('the provider is broken')), logged.join('\n'));
});

test('a name that is no text is refused, and is not taken for another', async () => {
  const { stderr } = await vm.exec('LC_ALL=C sh -c "echo x > /own/$(printf \'a\\377\')"');
  assert.match(stderr, /Invalid or incomplete multibyte|character/);
  assert.deepEqual(await host.readdir(root), []);
});

test('an answer that can never come is an error once it is collected', async () => {
  const stat = vm.exec('LC_ALL=C stat /lost/x');
  await asked.promise;
  let ended = false;
  void stat.result.then(() => { ended = true; });
  await collectUntil(() => ended).catch(() => undefined);
  assert.match((await stat).stderr, /Input\/output error/);
});

test('hooks see every operation, and can refuse it', async () => {
  const files = new MemoryProvider();
  const seen: string[] = [];
  await using other = await VM.create({
    memory: '256M',
    vfs: {
      mounts: { '/': files, '/app': new (class extends MemoryProvider {})() },
      hooks: {
        before: ({ op, path: name }: VfsHookContext) => {
          if (op === 'open' && name === '/blocked') throw failure('EACCES');
        },
        after: async ({ op, path: name, oldPath, newPath }) => {
          seen.push(`${op} ${name ?? `${oldPath} ${newPath}`}`);
        },
      },
    },
  });
  const { stderr } = await other.exec(`cd /data; mkdir d; echo x > d/f; cat d/f; mv d/f d/g; rm d/g
    echo y > /app/z; LC_ALL=C sh -c 'echo no > blocked'`);
  assert.match(stderr, /Permission denied/);
  for (const wanted of ['mkdir /d', 'open /d/f', 'write /d/f', 'read /d/f', 'rename /d/f /d/g', 'unlink /d/g',
    'open /app/z']) {
    assert.ok(seen.includes(wanted), `${wanted} in ${seen.join(', ')}`);
  }
  assert.ok(!files.existsSync('/blocked'));
});

test('providers as users of the original write them', async () => {
  class Greetings extends ReadonlyVirtualProvider {
    statSync(name: string): VirtualStats { return this.lstatSync(name); }
    lstatSync(name: string): VirtualStats {
      if (name === '/') return directoryStats;
      if (name !== '/hello') throw failure('ENOENT');
      return { mode: constants.S_IFREG | 0o444, size: 3, mtimeMs: 0 };
    }
    readdirSync(): string[] { return ['hello']; }
    protected openReadonlySync(): VirtualFileHandle {
      const content = Buffer.from('hi\n');
      return {
        read: (buffer, offset, length, position) =>
          ({ bytesRead: content.copy(buffer, offset, position ?? 0, (position ?? 0) + length) }),
        write: () => { throw failure('EBADF'); },
        stat: () => this.lstatSync('/hello'),
        truncate: () => { throw failure('EBADF'); },
        close: () => undefined,
      };
    }
  }
  class Upper extends VirtualProviderClass implements VirtualProvider {
    readonly #inner = new Greetings();
    async open(name: string, flags: string): Promise<VirtualFileHandle> { return this.#inner.open(name, flags); }
    async lstat(name: string): Promise<VirtualStats> { return this.#inner.lstat(name); }
    async readdir(name: string): Promise<string[]> { return this.#inner.readdir(name) as Promise<string[]>; }
  }
  await using other = await VM.create({
    memory: '256M', vfs: { mounts: { '/greetings': new Greetings(), '/upper': new Upper() } },
  });
  const { stdout, stderr } = await other.exec('cat /greetings/hello /upper/hello; LC_ALL=C rm /greetings/hello; LC_ALL=C mkdir /upper/x');
  assert.equal(stdout, 'hi\nhi\n');
  assert.match(stderr, /Read-only file system[^]*Read-only file system/);
  await assert.rejects(VM.create({ vfs: { mounts: { '/x': {} as VirtualProvider } } }), /must be a provider/);
  await assert.rejects(VM.create({ vfs: { mounts: { x: new MemoryProvider() } } }), /not absolute/);
});

/** A provider, as source text, whose file `/x` is never answered for; `asked()` is called then. */
const neverAnswers = `({
  lstat: (name) => name === '/' ? { mode: 0o40755, size: 0, mtimeMs: 0 }
    : (asked(), new Promise((resolve) => { (globalThis.held ??= []).push(resolve); })),
  readdir: () => ['x'],
  open: () => { throw new Error('no'); },
})`;

test('a VM closes, and its process ends, while a provider is asked', { timeout: 120_000 }, async () => {
  const output = await runScript(`
    import { VM } from 'gondolin';
    let asked;
    const question = new Promise((resolve) => { asked = resolve; });
    const vm = await VM.create({ memory: '256M', vfs: { mounts: { '/never': ${neverAnswers} } } });
    const left = vm.exec('stat /never/x').result.catch((error) => console.log(error.code));
    await question;
    const began = performance.now();
    await vm.close();
    await left;
    console.log(performance.now() - began < 2000);
  `);
  assert.equal(output, 'CANCELLED\ntrue\n');
});

test('a start can be aborted while a provider is asked', { timeout: 120_000 }, async () => {
  const controller = new AbortController();
  const provider = new Answers({});
  let first = true;
  Object.defineProperty(provider, 'lstat', {
    value: (name: string) => {
      if (name !== '/' || !first) return directoryStats;
      first = false;
      controller.abort();
      return new Promise(() => undefined);
    },
  });
  const starting = VM.create({ memory: '256M', signal: controller.signal, vfs: { mounts: { '/never': provider } } });
  // One that nobody asks while it starts is there before anything can be aborted.
  const outcome = await starting.then(async (started) => {
    const left = started.exec('ls /never').result.catch(() => undefined);
    await started.close();
    await left;
    return 'started';
  }, (error: NodeJS.ErrnoException) => error.code);
  assert.match(String(outcome), /CANCELLED|started/);
});

test('a worker is terminated while a provider of its own is asked', { timeout: 120_000 }, async () => {
  const source = new URL(`data:text/javascript,${encodeURIComponent(`
    import { parentPort, workerData } from 'node:worker_threads';
    const { VM } = await import(workerData);
    const asked = () => parentPort.postMessage('asked');
    const vm = await VM.create({ memory: '256M', vfs: { mounts: { '/never': ${neverAnswers} } } });
    vm.exec('stat /never/x');
  `)}`);
  const worker = new Worker(source, { workerData: import.meta.resolve('gondolin') });
  const [text] = await once(worker, 'message') as [string];
  assert.equal(text, 'asked');
  const exited = once(worker, 'exit');
  const began = performance.now();
  await worker.terminate();
  await exited;
  assert.ok(performance.now() - began < 5000);
});

test('a VM that nobody refers to keeps its provider', { timeout: 120_000 }, async () => {
  const output = await runScript(`
    import { VM } from 'gondolin';
    import v8 from 'node:v8';
    import nodeVm from 'node:vm';
    v8.setFlagsFromString('--expose-gc');
    const gc = nodeVm.runInNewContext('gc');
    let calls = 0;
    const start = async () => {
      const vm = await VM.create({ memory: '256M', vfs: { mounts: { '/mine': {
        lstat: () => { calls += 1; return { mode: 0o40755, size: 0, mtimeMs: 0 }; },
        readdir: () => [], open: () => { throw new Error('no'); },
      } } } });
      return () => vm.exec('while :; do ls /mine >&2; echo turn; sleep 0.2; done', { stdout: 'pipe' });
    };
    let turns = 0;
    for await (const line of (await start())().lines()) {
      gc();
      if (line === 'turn' && ++turns === 3) break;
    }
    console.log(calls > 0);
    process.exit(0);
  `);
  assert.equal(output, 'true\n');
});
