// What users of @earendil-works/gondolin write to give the guest files, with nothing but the
// import changed: files in memory, a directory that the guest may only read, a provider of
// their own, and hooks that see and refuse what the guest does.

import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';

import {
  ERRNO, isWriteFlag, MemoryProvider, ReadonlyProvider, RealFSProvider, VirtualProviderClass, VM,
  type VirtualFileHandle, type VirtualProvider,
} from 'gondolin';

function refusal(errno: number): Error {
  return Object.assign(new Error('refused'), { errno });
}

/** Shows all of another provider, and lets nothing be deleted. */
class KeepingProvider extends VirtualProviderClass implements VirtualProvider {
  constructor(private readonly backend: VirtualProvider) {
    super();
  }
  async open(entry: string, flags: string, mode?: number): Promise<VirtualFileHandle> {
    if (isWriteFlag(flags)) writes += 1;
    return this.backend.open(entry, flags, mode);
  }
  async stat(entry: string) { return this.backend.lstat(entry); }
  async lstat(entry: string) { return this.backend.lstat(entry); }
  async readdir(entry: string, options?: object) { return this.backend.readdir(entry, options); }
  async unlink() { throw refusal(ERRNO.EACCES); }
}

let writes = 0;
const hostDirectory = await mkdtemp(path.join(os.tmpdir(), 'switched-'));
await writeFile(path.join(hostDirectory, 'settings'), 'color=green\n');

const scratch = new MemoryProvider();
const handle = await scratch.open('/note.txt', 'w+');
await handle.writeFile('from the host\n');
await handle.close();

const opened: string[] = [];
const vm = await VM.create({
  vfs: {
    mounts: {
      '/': scratch,
      '/config': new ReadonlyProvider(new RealFSProvider(hostDirectory)),
      '/kept': new KeepingProvider(new MemoryProvider()),
    },
    hooks: {
      before: (ctx) => {
        if (ctx.op === 'open' && ctx.path === '/.env') throw refusal(ERRNO.EACCES);
      },
      after: async (ctx) => {
        if (ctx.op === 'open') opened.push(`${ctx.path}`);
      },
    },
  },
});

const result = await vm.exec(`
  cat /data/note.txt /config/settings
  echo 'from the guest' > /data/answer.txt
  echo secret > /data/.env
  echo no > /config/settings
  echo yes > /kept/file
  rm /kept/file
  cat /kept/file
`);
console.log(result.stdout.trim().replaceAll('\n', ', '));
console.log('Refused:', result.stderr.trim().split('\n').length);
console.log((await scratch.readFile('/answer.txt', { encoding: 'utf-8' })).toString().trim());
console.log('Opened:', opened.includes('/config/settings'), writes);

await vm.close();
await rm(hostDirectory, { recursive: true });
