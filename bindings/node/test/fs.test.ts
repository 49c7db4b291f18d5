// vm.fs, and directories of this machine in a guest.

import assert from 'node:assert/strict';
import { constants } from 'node:fs';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { Readable } from 'node:stream';
import test, { after, before } from 'node:test';

import { ReadonlyProvider, RealFSProvider, VM } from 'gondolin';

import { temporaryDirectory } from './support.js';

let vm: VM;
let shared: string;
let cleanUp: () => Promise<void> = async () => undefined;
before(async () => {
  shared = await temporaryDirectory({ after: (done) => { cleanUp = done; } });
  await mkdir(path.join(shared, 'fixed'));
  await writeFile(path.join(shared, 'fixed', 'given'), 'from the host\n');
  vm = await VM.create({
    vfs: {
      mounts: {
        '/work': new RealFSProvider(shared),
        '/fixed': new ReadonlyProvider(new RealFSProvider(path.join(shared, 'fixed'))),
      },
    },
  });
}, { timeout: 300_000 });
after(async () => {
  await vm?.close();
  await cleanUp();
});

test('files are written and read, as text, bytes and streams', async () => {
  await vm.fs.writeFile('/tmp/text', 'h\u00e9llo\n');
  assert.equal(await vm.fs.readFile('/tmp/text', { encoding: 'utf-8' }), 'h\u00e9llo\n');
  assert.equal((await vm.exec('cat /tmp/text')).stdout, 'h\u00e9llo\n');
  const bytes = Buffer.from([0xff, 0, 0x0a]);
  await vm.fs.writeFile('bytes', bytes, { cwd: '/tmp' });
  assert.deepEqual(await vm.fs.readFile('/tmp/bytes'), bytes);
  const piece = Buffer.alloc(400_000, 'abc');
  await vm.fs.writeFile('/tmp/big', Readable.from([piece, piece]));
  const read: Buffer[] = [];
  for await (const chunk of await vm.fs.readFileStream('/tmp/big')) read.push(chunk as Buffer);
  assert.deepEqual(Buffer.concat(read), Buffer.concat([piece, piece]));
  await assert.rejects(vm.fs.readFile('/tmp/big', { maxBytes: 1000 }), { code: 'EFBIG' });
  assert.deepEqual(await vm.fs.readFile('/tmp/big', { maxBytes: Infinity }), await vm.fs.readFile('/tmp/big'));
});

test('a stream that is left stops reading', async () => {
  for await (const chunk of await vm.fs.readFileStream('/tmp/big', { chunkSize: 100 })) {
    assert.equal((chunk as Buffer).length, 100);
    break;
  }
  assert.equal((await vm.fs.stat('/tmp/big')).size, 800_000);
});

test('directories are made, listed, renamed and removed', async () => {
  await vm.fs.mkdir('/tmp/a/b', { recursive: true });
  await vm.fs.writeFile('/tmp/a/two', '');
  assert.deepEqual(await vm.fs.listDir('/tmp/a'), ['b', 'two']);
  await vm.fs.rename('/tmp/a/two', '/tmp/a/three');
  assert.deepEqual(await vm.fs.listDir('a', { cwd: '/tmp' }), ['b', 'three']);
  await assert.rejects(vm.fs.deleteFile('/tmp/a'), { code: 'ENOTEMPTY' });
  await vm.fs.deleteFile('/tmp/a', { recursive: true });
  await assert.rejects(vm.fs.deleteFile('/tmp/a'), { code: 'ENOENT', errno: -2 });
  await vm.fs.deleteFile('/tmp/a', { force: true });
});

test('stat and access', async () => {
  const stat = await vm.fs.stat('/etc/hostname');
  assert.equal(stat.isFile(), true);
  assert.equal(stat.isDirectory(), false);
  assert.equal(stat.mode & constants.S_IFMT, constants.S_IFREG);
  assert.equal(stat.uid, 0);
  assert.ok(stat.mtime instanceof Date);
  assert.equal((await vm.fs.stat('/etc')).isDirectory(), true);
  await vm.fs.access('/bin/sh', { mode: constants.X_OK });
  await assert.rejects(vm.fs.access('/etc/passwd', { mode: constants.X_OK }), { code: 'EACCES' });
  await assert.rejects(vm.fs.access('/no/such'), { code: 'ENOENT' });
});

test('a call can be aborted', async () => {
  await assert.rejects(vm.fs.readFile('/etc/hostname', { signal: AbortSignal.abort() }), { code: 'CANCELLED' });
});

test('a directory of the host is the guest\'s too, one that is read-only not to change', async () => {
  const { stdout } = await vm.exec('cat /work/fixed/given; echo made > /work/new; echo no > /fixed/given; cat /fixed/given');
  assert.equal(stdout, 'from the host\nfrom the host\n');
  assert.equal(await readFile(path.join(shared, 'new'), 'utf8'), 'made\n');
  assert.equal(await readFile(path.join(shared, 'fixed', 'given'), 'utf8'), 'from the host\n');
  await assert.rejects(VM.create({ vfs: { mounts: { '/x': {} as RealFSProvider } } }), /must be a provider/);
  await assert.rejects(VM.create({ vfs: { mounts: { '/x': new RealFSProvider('/no/such') } } }), { code: 'ENOENT' });
});
