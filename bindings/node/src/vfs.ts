// File systems that a program serves to the guest: what one is, and what helps to write one.

import { constants as files } from 'node:fs';
import { constants as system } from 'node:os';
import path from 'node:path';
import { getSystemErrorName } from 'node:util';

/** A value, or a promise of it. */
export type Promised<T> = T | Promise<T>;

/** What is known of a file: `fs.Stats` has all of it. */
export interface VirtualStats {
  /** Type and permissions, as `fs.Stats` has them. */
  mode: number;
  /** Bytes. */
  size: number;
  /** When it was written last, in milliseconds. */
  mtimeMs: number;
  /** The owner in the guest; root by default. */
  uid?: number;
  /** The group in the guest; root by default. */
  gid?: number;
}

/** A name in a directory, and what it stands for: `fs.Dirent` is one. */
export interface VirtualEntry {
  /** The name. */
  name: string;
  /** Whether it is a regular file. */
  isFile(): boolean;
  /** Whether it is a directory. */
  isDirectory(): boolean;
  /** Whether it is a symbolic link. */
  isSymbolicLink(): boolean;
}

/** How full a file system is: `fs.StatsFs` has all of it. */
export interface VfsStatfs {
  /** Bytes that the other numbers count in. */
  bsize: number;
  /** How many of them there are. */
  blocks: number;
  /** How many of these are free. */
  bfree: number;
}

/** What a read came to. */
export interface VirtualRead {
  /** How many bytes. */
  bytesRead: number;
  /** The buffer, where Node's functions give it too. */
  buffer?: Buffer;
}

/** What a write came to. */
export interface VirtualWritten {
  /** How many bytes. */
  bytesWritten: number;
  /** The buffer, where Node's functions give it too. */
  buffer?: Buffer;
}

/**
 * A file that the guest has open: `FileHandle` of `fs/promises` is one. It stays usable when
 * its name is changed or removed.
 */
export interface VirtualFileHandle {
  /**
   * Reads into `buffer`, beginning at its byte `offset`, `length` bytes at most of what is
   * at `position`. No bytes are the end of the file.
   */
  read(
    buffer: Buffer, offset: number, length: number, position: number | null,
  ): Promised<VirtualRead>;
  /** Writes `length` bytes of `buffer` to `position`, or at the end where that is null. */
  write(
    buffer: Buffer, offset: number, length: number, position: number | null,
  ): Promised<VirtualWritten>;
  /** What it is now, whatever it is called. */
  stat(): Promised<VirtualStats>;
  /** Cuts it, or extends it with zeros. */
  truncate(length?: number): Promised<unknown>;
  /** `fsync(2)`. */
  sync?(): Promised<unknown>;
  /** The guest has closed it for good. */
  close(): Promised<unknown>;
}

/**
 * A file system that the guest sees: those of this package, and whatever else has these
 * methods. Paths are those within it: `/` is its root. Links are followed by the guest,
 * never here.
 *
 * What a method throws or rejects with is what the guest's program gets: an error with an
 * `errno` or a `code` like `ENOENT`, as those of Node's have; any other is `EIO`, and a line
 * of the debug log (`vfs`). The calls of one mount come one at a time. What is not there is
 * not supported: a mount without `mkdir` is one where no directory can be made.
 */
export interface VirtualProvider {
  /** Whether the guest may change nothing. */
  readonly readonly?: boolean;
  /**
   * Opens a file. `flags` are `r`, `r+`, `w`, `w+`, `a`, `a+`, those of `fs.open`; the guest
   * truncates by `truncate()` of the handle.
   */
  open(path: string, flags: string, mode?: number): Promised<VirtualFileHandle>;
  /** What there is by that name, of a link the link itself. */
  lstat(path: string): Promised<VirtualStats>;
  /** The names in a directory. */
  readdir(path: string, options?: object): Promised<readonly (string | VirtualEntry)[]>;
  /** Makes a directory; `options.mode` are its permissions. */
  mkdir?(path: string, options?: object): Promised<unknown>;
  /** Removes an empty directory. */
  rmdir?(path: string): Promised<unknown>;
  /** Removes what is no directory. */
  unlink?(path: string): Promised<unknown>;
  /** Renames, over what has the new name. */
  rename?(oldPath: string, newPath: string): Promised<unknown>;
  /** What is written in a link. */
  readlink?(path: string): Promised<string>;
  /** Makes a link. */
  symlink?(target: string, path: string): Promised<unknown>;
  /** Cuts or extends a file; without it, that of an open file is called. */
  truncate?(path: string, length: number): Promised<unknown>;
  /** Changes permissions; without it, such a change has no effect. */
  chmod?(path: string, mode: number): Promised<unknown>;
  /** Changes times, in seconds; without it, such a change has no effect. */
  utimes?(path: string, atime: number, mtime: number): Promised<unknown>;
  /** How full it is. */
  statfs?(path: string): Promised<VfsStatfs>;
}

/** The system's error numbers: `ERRNO.ENOENT`. */
export const ERRNO: typeof system.errno = system.errno;

/** @internal */
export function errnoError(errno: number, call: string, where?: string): NodeJS.ErrnoException {
  const code = getSystemErrorName(-errno);
  const error: NodeJS.ErrnoException =
    new Error(`${code}: ${call}${where === undefined ? '' : ` '${where}'`}`);
  return Object.assign(error, {
    code, errno: -errno, syscall: call, ...(where === undefined ? {} : { path: where }),
  });
}

/**
 * The number of what a provider threw, 0 for none.
 * @internal
 */
export function errnoOf(error: unknown): number {
  const { errno, code } = (error ?? {}) as { errno?: unknown; code?: unknown };
  if (typeof errno === 'number' && errno !== 0) return Math.abs(errno);
  return ERRNO[code as keyof typeof ERRNO] ?? 0;
}

/**
 * Whether a file that is opened so may be written.
 *
 * @param flags as `fs.open` has them
 */
export function isWriteFlag(flags: string): boolean {
  return /[wa+]/.test(flags);
}

/**
 * A path as providers get it: absolute, without `.`, `..` and needless slashes.
 *
 * @param inputPath a path within a provider, beginning with a slash or not
 */
export function normalizeVfsPath(inputPath: string): string {
  const absolute = path.posix.resolve('/', inputPath);
  if (absolute.includes('\0')) throw errnoError(ERRNO.EINVAL, 'open', absolute);
  return absolute;
}

/** @internal */
export function typeOf(stats: VirtualStats): 'file' | 'directory' | 'symlink' | 'other' {
  switch (Number(stats.mode) & files.S_IFMT) {
    case files.S_IFREG: return 'file';
    case files.S_IFDIR: return 'directory';
    case files.S_IFLNK: return 'symlink';
    default: return 'other';
  }
}

/** What a provider of {@link VirtualProviderClass} starts from: there is nothing in it. */
class EmptyProvider implements VirtualProvider {
  get readonly(): boolean { return false; }
  get supportsSymlinks(): boolean { return false; }
  get supportsWatch(): boolean { return false; }

  async open(where: string): Promise<VirtualFileHandle> { throw errnoError(ERRNO.ENOSYS, 'open', where); }
  async stat(where: string): Promise<VirtualStats> { return this.lstat(where); }
  async lstat(where: string): Promise<VirtualStats> { throw errnoError(ERRNO.ENOSYS, 'lstat', where); }
  async readdir(where: string): Promise<string[]> { throw errnoError(ERRNO.ENOSYS, 'readdir', where); }
  async mkdir(where: string): Promise<void> { throw errnoError(ERRNO.EROFS, 'mkdir', where); }
  async rmdir(where: string): Promise<void> { throw errnoError(ERRNO.EROFS, 'rmdir', where); }
  async unlink(where: string): Promise<void> { throw errnoError(ERRNO.EROFS, 'unlink', where); }
  async rename(where: string): Promise<void> { throw errnoError(ERRNO.EROFS, 'rename', where); }
  async readlink(where: string): Promise<string> { throw errnoError(ERRNO.EINVAL, 'readlink', where); }
  async symlink(_target: string, where: string): Promise<void> {
    throw errnoError(ERRNO.EPERM, 'symlink', where);
  }
}

/** The type of {@link VirtualProviderClass}. */
export interface VirtualProviderConstructor {
  /** Makes one; its arguments are what a derived class wants. */
  // eslint-disable-next-line @typescript-eslint/no-explicit-any
  new (...args: any[]): any;
}

/**
 * A class to derive providers from: every method fails until it is overridden. Its members
 * have no types, as the original's have none; `implements VirtualProvider` says what is
 * wanted.
 */
export const VirtualProviderClass = EmptyProvider as unknown as VirtualProviderConstructor;

/**
 * A class to derive providers from whose files are only read, by functions that return at
 * once: `statSync`, `lstatSync`, `readdirSync` and `openReadonlySync` are all there is to
 * write.
 */
export abstract class ReadonlyVirtualProvider implements VirtualProvider {
  /** Opens a file for reading. */
  protected abstract openReadonlySync(path: string, flags: string, mode?: number): VirtualFileHandle;
  /** What a name stands for. */
  abstract statSync(path: string, options?: object): VirtualStats;
  /** The same, of a link the link itself. */
  abstract lstatSync(path: string, options?: object): VirtualStats;
  /** The names in a directory. */
  abstract readdirSync(path: string, options?: object): (string | VirtualEntry)[];

  /** The guest may change nothing. */
  get readonly(): boolean { return true; }
  /** Whether there are links. */
  get supportsSymlinks(): boolean { return false; }
  /** Never. */
  get supportsWatch(): boolean { return false; }

  /** As `openReadonlySync`, after a look at `flags`. */
  openSync(path: string, flags: string, mode?: number): VirtualFileHandle {
    if (isWriteFlag(flags)) throw errnoError(ERRNO.EROFS, 'open', path);
    return this.openReadonlySync(path, flags, mode);
  }
  /** As `openSync`. */
  async open(path: string, flags: string, mode?: number): Promise<VirtualFileHandle> {
    return this.openSync(path, flags, mode);
  }
  /** As `statSync`. */
  async stat(path: string, options?: object): Promise<VirtualStats> { return this.statSync(path, options); }
  /** As `lstatSync`. */
  async lstat(path: string, options?: object): Promise<VirtualStats> { return this.lstatSync(path, options); }
  /** As `readdirSync`. */
  async readdir(path: string, options?: object): Promise<(string | VirtualEntry)[]> {
    return this.readdirSync(path, options);
  }
}
