// A provider of this program as the addon calls it: its operations on one side, the methods
// of the provider, which may throw and may return promises, on the other. Whatever those do,
// the call is answered; nothing is thrown back into the addon.
//
// The calls of a mount come one after the other, but that an open file is closed is not
// waited for there: it is here, by the call that comes next.

import type {
  NativeChanges, NativeFileEntry, NativeFileInfo, NativeOpen, NativeRename, NativeUsage,
  NativeVfsReply,
} from './native.js';
import { native } from './native.js';
import {
  errnoError, ERRNO, errnoOf, typeOf, type VirtualEntry, type VirtualFileHandle,
  type VirtualProvider, type VirtualStats,
} from './vfs.js';

/** What a hook of a mount's is told of an operation. */
export interface VfsHookContext {
  /** `open`, `read`, `write`, `release`, `stat`, `lstat`, `readdir`, `mkdir`, and so on. */
  op: string;
  /** The path, that of the mount included. */
  path?: string;
  /** Of a rename. */
  oldPath?: string;
  /** Of a rename. */
  newPath?: string;
  /** Of an open. */
  flags?: string;
  /** Permissions. */
  mode?: number;
  /** Of a read or write. */
  offset?: number;
  /** Of a read or write. */
  length?: number;
  /** Of a truncation. */
  size?: number;
  /** What was done, for `after`. */
  result?: unknown;
}

/** What is called around the operations of all mounts. What it throws fails the operation. */
export interface VfsHooks {
  /** Before the provider is asked. */
  before?: (context: VfsHookContext) => void | Promise<void>;
  /** When it was. */
  after?: (context: VfsHookContext) => void | Promise<void>;
}

interface OpenFile {
  handle: VirtualFileHandle;
  path: string;
  append: boolean;
}

type Operation = (...args: never[]) => Promise<unknown>;

function toInfo(stats: VirtualStats): NativeFileInfo {
  return {
    type: typeOf(stats),
    permissions: Number(stats.mode) & 0o7777,
    uid: Number(stats.uid ?? 0),
    gid: Number(stats.gid ?? 0),
    size: Number(stats.size),
    modifiedMs: Number(stats.mtimeMs),
  };
}

function typeOfEntry(entry: VirtualEntry): NativeFileEntry['type'] {
  if (entry.isSymbolicLink()) return 'symlink';
  if (entry.isDirectory()) return 'directory';
  return entry.isFile() ? 'file' : 'other';
}

function below(directory: string, name: string): string {
  return directory === '/' ? `/${name}` : `${directory}/${name}`;
}

const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

/** The guest names files by any bytes; what is no text must not be taken for another name. */
function pathOf(bytes: Uint8Array): string {
  try {
    return decoder.decode(bytes);
  } catch {
    throw errnoError(ERRNO.EILSEQ, 'decode');
  }
}

/** The calls of one mount. */
export class ProviderCalls {
  readonly #provider: VirtualProvider;
  readonly #mount: string;
  readonly #hooks: VfsHooks;
  readonly #files = new Map<number, OpenFile>();
  #nextFile = 1;
  #closing: Promise<unknown> = Promise.resolve();

  constructor(provider: VirtualProvider, mount: string, hooks: VfsHooks) {
    this.#provider = provider;
    this.#mount = mount === '/' ? '' : mount;
    this.#hooks = hooks;
  }

  /** Answers a call of the addon's. */
  call(operation: string, args: never[], reply: NativeVfsReply): void {
    this.#perform(operation, args).then(
      (value) => native.vfsAnswer(reply, value),
      (error: unknown) => native.vfsFail(reply, errnoOf(error), String(error)));
  }

  /** The VM is closed: so are the files that were left open. */
  end(): void {
    for (const file of this.#files.keys()) void this.#operations.close(file);
  }

  async #perform(operation: string, args: never[]): Promise<unknown> {
    const perform: Operation | undefined =
      (this.#operations as unknown as Record<string, Operation>)[operation];
    if (!perform) throw errnoError(ERRNO.ENOSYS, operation);
    if (operation !== 'close') await this.#closing;
    return perform(...args);
  }

  /** One operation, between the hooks. */
  async #hooked<T>(context: VfsHookContext, work: () => T | Promise<T>): Promise<T> {
    await this.#hooks.before?.(context);
    const result = await work();
    await this.#hooks.after?.({ ...context, result });
    return result;
  }

  #context(op: string, path: string): VfsHookContext {
    return { op, path: this.#mount + path };
  }

  /** A method of the provider, which there may not be. */
  #method<K extends keyof VirtualProvider>(name: K, missing: number): NonNullable<VirtualProvider[K]> {
    const method = this.#provider[name];
    if (typeof method !== 'function') throw errnoError(missing, name);
    return method.bind(this.#provider) as NonNullable<VirtualProvider[K]>;
  }

  #file(number: number): OpenFile {
    const file = this.#files.get(number);
    if (!file) throw errnoError(ERRNO.EBADF, 'read');
    return file;
  }

  #lstat(path: string): Promise<VirtualStats> {
    return this.#hooked(this.#context('lstat', path), () => this.#provider.lstat(path));
  }

  async #open(path: string, flags: string, how: NativeOpen, mode?: number): Promise<number> {
    const context = { ...this.#context('open', path), flags, ...(mode === undefined ? {} : { mode }) };
    const handle = await this.#hooked(context, () => this.#provider.open(path, flags, mode));
    const file = this.#nextFile++;
    this.#files.set(file, { handle, path, append: how.append });
    if (how.truncate) {
      try {
        await this.#truncate(file, 0);
      } catch (error) {
        void this.#operations.close(file);
        throw error;
      }
    }
    return file;
  }

  async #truncate(number: number, size: number): Promise<void> {
    const { handle, path } = this.#file(number);
    await this.#hooked({ ...this.#context('truncate', path), size }, () => handle.truncate(size));
  }

  async #resize(path: string, size: number): Promise<void> {
    if (this.#provider.truncate) {
      await this.#hooked({ ...this.#context('truncate', path), size },
        () => this.#provider.truncate?.(path, size));
      return;
    }
    const file = await this.#open(path, 'r+', { read: true, write: true, truncate: false, append: false });
    try {
      await this.#truncate(file, size);
    } finally {
      await this.#operations.close(file);
    }
  }

  async #typeOf(path: string): Promise<NativeFileEntry['type']> {
    try {
      return typeOf(await this.#lstat(path));
    } catch (error) {
      if (errnoOf(error) === ERRNO.ENOENT) return 'other';  // gone since, and not shown
      throw error;
    }
  }

  readonly #operations = {
    attributes: async (bytes: Uint8Array): Promise<NativeFileInfo> => toInfo(await this.#lstat(pathOf(bytes))),

    list: async (bytes: Uint8Array): Promise<NativeFileEntry[]> => {
      const path = pathOf(bytes);
      const names = await this.#hooked(this.#context('readdir', path),
        () => this.#provider.readdir(path, { withFileTypes: true }));
      const entries: NativeFileEntry[] = [];
      for (const entry of names) {
        entries.push(typeof entry === 'string'
          ? { name: entry, type: await this.#typeOf(below(path, entry)) }
          : { name: String(entry.name), type: typeOfEntry(entry) });
      }
      return entries;
    },

    open: async (bytes: Uint8Array, how: NativeOpen): Promise<number> =>
      this.#open(pathOf(bytes), how.write ? 'r+' : 'r', how),

    create: async (bytes: Uint8Array, mode: number, how: NativeOpen): Promise<number> => {
      const flags = `${how.append ? 'a' : 'w'}${how.read ? '+' : ''}`;
      return this.#open(pathOf(bytes), flags, { ...how, truncate: false }, mode);
    },

    makeDirectory: async (bytes: Uint8Array, mode: number): Promise<void> => {
      const path = pathOf(bytes);
      await this.#hooked({ ...this.#context('mkdir', path), mode },
        () => this.#method('mkdir', ERRNO.EROFS)(path, { mode }));
    },

    removeFile: async (bytes: Uint8Array): Promise<void> => {
      const path = pathOf(bytes);
      await this.#hooked(this.#context('unlink', path), () => this.#method('unlink', ERRNO.EROFS)(path));
    },

    removeDirectory: async (bytes: Uint8Array): Promise<void> => {
      const path = pathOf(bytes);
      await this.#hooked(this.#context('rmdir', path), () => this.#method('rmdir', ERRNO.EROFS)(path));
    },

    rename: async (from: Uint8Array, to: Uint8Array, mode: Uint8Array): Promise<void> => {
      const [oldPath, newPath] = [pathOf(from), pathOf(to)];
      const kind = pathOf(mode) as NativeRename;
      if (kind === 'exchange') throw errnoError(ERRNO.EINVAL, 'rename', newPath);
      if (kind === 'no-replace' && (await this.#typeOf(newPath)) !== 'other') {
        throw errnoError(ERRNO.EEXIST, 'rename', newPath);
      }
      await this.#hooked(
        { op: 'rename', oldPath: this.#mount + oldPath, newPath: this.#mount + newPath },
        () => this.#method('rename', ERRNO.EROFS)(oldPath, newPath));
    },

    change: async (bytes: Uint8Array, changes: NativeChanges): Promise<void> => {
      const path = pathOf(bytes);
      const { permissions, uid, gid, size, modifiedMs } = changes;
      if (uid !== undefined || gid !== undefined) {
        const now = toInfo(await this.#lstat(path));
        if ((uid ?? now.uid) !== now.uid || (gid ?? now.gid) !== now.gid) {
          throw errnoError(ERRNO.EPERM, 'chown', path);
        }
      }
      if (size !== undefined) await this.#resize(path, size);
      if (permissions !== undefined) await this.#provider.chmod?.(path, permissions);
      if (modifiedMs !== undefined) {
        await this.#provider.utimes?.(path, modifiedMs / 1000, modifiedMs / 1000);
      }
    },

    readLink: async (bytes: Uint8Array): Promise<string> =>
      this.#method('readlink', ERRNO.EINVAL)(pathOf(bytes)),

    makeLink: async (bytes: Uint8Array, target: Uint8Array): Promise<void> => {
      await this.#method('symlink', ERRNO.EPERM)(pathOf(target), pathOf(bytes));
    },

    usage: async (): Promise<NativeUsage> => {
      const usage = await this.#provider.statfs?.('/');
      if (!usage) return { totalBytes: 0, freeBytes: 0 };
      return { totalBytes: usage.blocks * usage.bsize, freeBytes: usage.bfree * usage.bsize };
    },

    fileAttributes: async (number: number): Promise<NativeFileInfo> => {
      const { handle, path } = this.#file(number);
      return toInfo(await this.#hooked(this.#context('stat', path), () => handle.stat()));
    },

    read: async (number: number, offset: number, length: number): Promise<Buffer> => {
      const { handle, path } = this.#file(number);
      const buffer = Buffer.alloc(length);
      let filled = 0;
      await this.#hooked({ ...this.#context('read', path), offset, length }, async () => {
        for (let got = 1; got > 0 && filled < length; filled += got) {
          got = (await handle.read(buffer, filled, length - filled, offset + filled)).bytesRead;
        }
        return filled;
      });
      return buffer.subarray(0, filled);
    },

    write: async (number: number, offset: number, bytes: Buffer): Promise<number> => {
      const { handle, path, append } = this.#file(number);
      const { length } = bytes;
      return this.#hooked({ ...this.#context('write', path), offset, length }, async () => {
        const at = append ? Number((await handle.stat()).size) : offset;
        return (await handle.write(bytes, 0, length, at)).bytesWritten;
      });
    },

    fileTruncate: async (number: number, size: number): Promise<void> => this.#truncate(number, size),

    sync: async (number: number): Promise<void> => {
      await this.#file(number).handle.sync?.();
    },

    // As of close(2) there is nobody whom what fails here could be told.
    close: (number: number): Promise<unknown> => {
      const file = this.#files.get(number);
      this.#files.delete(number);
      if (file) {
        this.#closing = this.#closing
          .then(() => this.#hooked(this.#context('release', file.path), () => file.handle.close()))
          .catch(() => undefined);
      }
      return this.#closing;
    },
  };
}
