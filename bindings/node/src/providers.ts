// The file systems that this package brings along.

import type { VmFsStat } from './fs.js';
import { native, type NativeProvider } from './native.js';
import {
  readWhole, runLater, runNow, writeWhole, ProviderSteps, type Encoding, type FileData,
  type FileSteps,
} from './provider-files.js';
import {
  errnoError, ERRNO, isWriteFlag, type VfsStatfs, type VirtualEntry, type VirtualFileHandle,
  type VirtualProvider, type VirtualRead, type VirtualStats, type VirtualWritten,
} from './vfs.js';

/** The names in a directory, with what they stand for where that was asked. */
export type DirectoryNames = (string | VirtualEntry)[];

/** How to list a directory. */
export interface ReaddirOptions {
  /** Whether to say what each name stands for. */
  withFileTypes?: boolean;
}

/** How to make a directory. */
export interface MkdirOptions {
  /** Makes what is missing above it too, and takes one that exists for success. */
  recursive?: boolean;
  /** Its permissions; 0755 by default. */
  mode?: number;
}

/** An open file of a {@link RealFSProvider}. */
export class RealFile implements VirtualFileHandle {
  readonly #steps: FileSteps;
  /** The path that it was opened by. */
  readonly path: string;
  /** The flags that it was opened with. */
  readonly flags: string;

  /** @internal */
  constructor(steps: FileSteps, path: string, flags: string) {
    this.#steps = steps;
    this.path = path;
    this.flags = flags;
  }

  /** Whether it is closed. */
  get closed(): boolean { return this.#steps.closed; }

  /** Reads from a position, or where the last read or write ended. */
  async read(
    buffer: Buffer, offset: number, length: number, position?: number | null,
  ): Promise<VirtualRead> {
    return { bytesRead: await runLater(this.#steps.read(buffer, offset, length, position)), buffer };
  }
  /** Writes to a position, or where the last read or write ended. */
  async write(
    buffer: Buffer, offset: number, length: number, position?: number | null,
  ): Promise<VirtualWritten> {
    const piece = buffer.subarray(offset, offset + length);
    return { bytesWritten: await runLater(this.#steps.write(piece, position)), buffer };
  }
  /** The whole content. */
  readFile(options?: Encoding): Promise<Buffer | string> { return runLater(readWhole(this.#steps, options)); }
  /** Replaces the whole content. */
  writeFile(data: FileData, options?: Encoding): Promise<void> {
    return runLater(writeWhole(this.#steps, data, options));
  }
  /** What it is now. */
  stat(): Promise<VmFsStat> { return runLater(this.#steps.stat()); }
  /** Cuts it, or extends it with zeros. */
  truncate(length?: number): Promise<void> { return runLater(this.#steps.truncate(length)); }
  /** Waits until it is on the disk. */
  sync(): Promise<void> { return runLater(this.#steps.sync()); }
  /** Closes it. */
  close(): Promise<void> { return runLater(this.#steps.close()); }
}

/** An open file of a {@link MemoryProvider}, with the functions that return at once. */
export class MemoryFile extends RealFile {
  readonly #steps: FileSteps;

  /** @internal */
  constructor(steps: FileSteps, path: string, flags: string) {
    super(steps, path, flags);
    this.#steps = steps;
  }

  /** As `read`. */
  readSync(buffer: Buffer, offset: number, length: number, position?: number | null): number {
    return runNow(this.#steps.read(buffer, offset, length, position));
  }
  /** As `write`. */
  writeSync(buffer: Buffer, offset: number, length: number, position?: number | null): number {
    return runNow(this.#steps.write(buffer.subarray(offset, offset + length), position));
  }
  /** As `readFile`. */
  readFileSync(options?: Encoding): Buffer | string { return runNow(readWhole(this.#steps, options)); }
  /** As `writeFile`. */
  writeFileSync(data: FileData, options?: Encoding): void {
    runNow(writeWhole(this.#steps, data, options));
  }
  /** As `stat`. */
  statSync(): VmFsStat { return runNow(this.#steps.stat()); }
  /** As `truncate`. */
  truncateSync(length?: number): void { runNow(this.#steps.truncate(length)); }
  /** As `close`. */
  closeSync(): void { runNow(this.#steps.close()); }
}

/** What the file systems of the library have in common: the methods of a provider and some more. */
class LibraryProvider implements VirtualProvider {
  /** @internal */
  readonly steps: ProviderSteps;

  /** @internal */
  constructor(provider: () => NativeProvider | Promise<NativeProvider>) {
    this.steps = new ProviderSteps(provider);
  }

  /** Whether the guest may change nothing. */
  get readonly(): boolean { return false; }
  /** There are links. */
  get supportsSymlinks(): boolean { return true; }
  /** Nothing tells of changes. */
  get supportsWatch(): boolean { return false; }

  /** Opens a file, by the flags of `fs.open`: `r`, `w+` and so on. */
  async open(path: string, flags: string, mode?: number): Promise<RealFile> {
    return new RealFile(await runLater(this.steps.open(path, flags, mode)), path, flags);
  }
  /** As `lstat`: links are the guest's to follow. */
  stat(path: string): Promise<VmFsStat> { return runLater(this.steps.stat(path)); }
  /** What a name stands for. */
  lstat(path: string): Promise<VmFsStat> { return runLater(this.steps.stat(path)); }
  /** The names in a directory. */
  readdir(path: string, options?: ReaddirOptions): Promise<DirectoryNames> {
    return runLater(this.steps.readdir(path, options));
  }
  /** Makes a directory, with those above it where `options.recursive` says so. */
  mkdir(path: string, options?: MkdirOptions): Promise<void> { return runLater(this.steps.mkdir(path, options)); }
  /** Removes an empty directory. */
  rmdir(path: string): Promise<void> { return runLater(this.steps.rmdir(path)); }
  /** Removes what is no directory. */
  unlink(path: string): Promise<void> { return runLater(this.steps.unlink(path)); }
  /** Renames, over what has the new name. */
  rename(oldPath: string, newPath: string): Promise<void> {
    return runLater(this.steps.rename(oldPath, newPath));
  }
  /** What is written in a link. */
  readlink(path: string): Promise<string> { return runLater(this.steps.readlink(path)); }
  /** Makes a link. */
  symlink(target: string, path: string): Promise<void> { return runLater(this.steps.symlink(target, path)); }
  /** Cuts or extends a file. */
  truncate(path: string, length?: number): Promise<void> { return runLater(this.steps.truncate(path, length)); }
  /** Changes permissions. */
  chmod(path: string, mode: number): Promise<void> { return runLater(this.steps.chmod(path, mode)); }
  /** Changes the time of the last writing, in seconds. */
  utimes(path: string, atime: number, mtime: number): Promise<void> {
    return runLater(this.steps.utimes(path, atime, mtime));
  }
  /** How full it is. */
  statfs(): Promise<VfsStatfs> { return runLater(this.steps.statfs()); }
  /** Fails where there is nothing by that name. */
  async access(path: string): Promise<void> { await this.lstat(path); }
  /** A file's content. */
  readFile(path: string, options?: Encoding): Promise<Buffer | string> {
    return runLater(this.steps.readFile(path, options));
  }
  /** Makes a file with this content, or replaces it. */
  writeFile(path: string, data: FileData, options?: Encoding): Promise<void> {
    return runLater(this.steps.writeFile(path, data, options));
  }
  /** Adds to a file. */
  appendFile(path: string, data: FileData, options?: Encoding): Promise<void> {
    return runLater(this.steps.writeFile(path, data, options, 'a'));
  }
}

/** How much a {@link MemoryProvider} may hold. */
export interface MemoryProviderOptions {
  /** Bytes of content; 64 MiB by default. More is ENOSPC. */
  maxBytes?: number;
  /** Files and directories; 10,000 by default. More is ENOSPC. */
  maxFiles?: number;
}

/**
 * Files in memory, which this program and the guest share. They are there until neither has
 * them any more. Its functions return at once, those whose name ends with `Sync` without a
 * promise.
 */
export class MemoryProvider extends LibraryProvider {
  /** @internal */
  readonly native: NativeProvider;
  #readOnly = false;

  /** @param options how much it may hold */
  constructor(options: MemoryProviderOptions = {}) {
    const provider = native.memoryProvider(options.maxBytes ?? 64 * 1024 * 1024, options.maxFiles ?? 10_000);
    super(() => provider);
    this.native = provider;
  }

  override get readonly(): boolean { return this.#readOnly; }
  /** From the next VM that has it on, guests may change nothing. */
  setReadOnly(): void { this.#readOnly = true; }

  override async open(path: string, flags: string, mode?: number): Promise<MemoryFile> {
    return this.openSync(path, flags, mode);
  }
  /** As `open`. */
  openSync(path: string, flags: string, mode?: number): MemoryFile {
    return new MemoryFile(runNow(this.steps.open(path, flags, mode)), path, flags);
  }
  /** As `stat`. */
  statSync(path: string): VmFsStat { return runNow(this.steps.stat(path)); }
  /** As `lstat`. */
  lstatSync(path: string): VmFsStat { return runNow(this.steps.stat(path)); }
  /** As `readdir`. */
  readdirSync(path: string, options?: ReaddirOptions): DirectoryNames { return runNow(this.steps.readdir(path, options)); }
  /** As `mkdir`. */
  mkdirSync(path: string, options?: MkdirOptions): void { runNow(this.steps.mkdir(path, options)); }
  /** As `rmdir`. */
  rmdirSync(path: string): void { runNow(this.steps.rmdir(path)); }
  /** As `unlink`. */
  unlinkSync(path: string): void { runNow(this.steps.unlink(path)); }
  /** As `rename`. */
  renameSync(oldPath: string, newPath: string): void { runNow(this.steps.rename(oldPath, newPath)); }
  /** As `readlink`. */
  readlinkSync(path: string): string { return runNow(this.steps.readlink(path)); }
  /** As `symlink`. */
  symlinkSync(target: string, path: string): void { runNow(this.steps.symlink(target, path)); }
  /** As `readFile`. */
  readFileSync(path: string, options?: Encoding): Buffer | string {
    return runNow(this.steps.readFile(path, options));
  }
  /** As `writeFile`. */
  writeFileSync(path: string, data: FileData, options?: Encoding): void {
    runNow(this.steps.writeFile(path, data, options));
  }
  /** As `appendFile`. */
  appendFileSync(path: string, data: FileData, options?: Encoding): void {
    runNow(this.steps.writeFile(path, data, options, 'a'));
  }
  /** Whether there is something by that name. */
  existsSync(path: string): boolean {
    try {
      this.lstatSync(path);
      return true;
    } catch {
      return false;
    }
  }
}

/**
 * A directory of this machine. The guest reaches nothing outside it, by no name or link.
 * Its functions do the same from here.
 */
export class RealFSProvider extends LibraryProvider {
  /** Its path on this machine. */
  readonly directory: string;
  #native: Promise<NativeProvider> | undefined;

  /** @param directory its path on this machine */
  constructor(directory: string) {
    super(() => this.#opened());
    this.directory = directory;
  }

  /** As `directory`. */
  get rootPath(): string { return this.directory; }

  #opened(): Promise<NativeProvider> {
    this.#native ??= native.hostDirectory(this.directory);
    return this.#native;
  }
}

/** A provider that the guest may not change, nor who calls it. */
export class ReadonlyProvider implements VirtualProvider {
  /** What it may not change. */
  readonly provider: VirtualProvider;

  /** @param provider what it may not change */
  constructor(provider: VirtualProvider) {
    this.provider = provider;
  }

  /** The guest may change nothing. */
  get readonly(): boolean { return true; }

  /** Opens a file for reading. */
  async open(path: string, flags: string, mode?: number): Promise<VirtualFileHandle> {
    if (isWriteFlag(flags)) throw errnoError(ERRNO.EROFS, 'open', path);
    return this.provider.open(path, flags, mode);
  }
  /** As `lstat`. */
  stat(path: string): Promise<VirtualStats> { return this.lstat(path); }
  /** What a name stands for. */
  async lstat(path: string): Promise<VirtualStats> { return this.provider.lstat(path); }
  /** The names in a directory. */
  async readdir(path: string, options?: object): Promise<DirectoryNames> {
    return [...await this.provider.readdir(path, options)];
  }
  /** What is written in a link. */
  async readlink(path: string): Promise<string> {
    if (!this.provider.readlink) throw errnoError(ERRNO.EINVAL, 'readlink', path);
    return this.provider.readlink(path);
  }
  /** How full it is. */
  async statfs(path: string): Promise<VfsStatfs> {
    return await this.provider.statfs?.(path) ?? { bsize: 4096, blocks: 0, bfree: 0 };
  }
  /** Refused: EROFS. */
  async mkdir(path: string): Promise<void> { throw errnoError(ERRNO.EROFS, 'mkdir', path); }
  /** Refused: EROFS. */
  async rmdir(path: string): Promise<void> { throw errnoError(ERRNO.EROFS, 'rmdir', path); }
  /** Refused: EROFS. */
  async unlink(path: string): Promise<void> { throw errnoError(ERRNO.EROFS, 'unlink', path); }
  /** Refused: EROFS. */
  async rename(path: string): Promise<void> { throw errnoError(ERRNO.EROFS, 'rename', path); }
  /** Refused: EROFS. */
  async symlink(_target: string, path: string): Promise<void> { throw errnoError(ERRNO.EROFS, 'symlink', path); }
}
