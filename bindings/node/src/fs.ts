// Files in the guest: vm.fs.

import { constants } from 'node:fs';
import { constants as system } from 'node:os';
import { Readable } from 'node:stream';

import { GondolinError } from './errors.js';
import type { NativeFileInfo, NativeFileReader, NativeFs } from './native.js';
import { checkAmount, checkInteger, checkNames, checkSignal, invalid } from './options.js';

/** What all calls take. */
export interface VmFsOptions {
  /** What a path that does not begin with `/` is relative to; root's home by default. */
  cwd?: string;
  /** Ends the waiting; what was begun in the guest may still be done. */
  signal?: AbortSignal;
}

/** Options of {@link VmFs.access}. */
export interface VmFsAccessOptions extends VmFsOptions {
  /** Of `fs.constants`: `F_OK`, the default, `R_OK`, `W_OK`, `X_OK`. */
  mode?: number;
}

/** Options of {@link VmFs.mkdir}. */
export interface VmFsMkdirOptions extends VmFsOptions {
  /** Makes what is missing above it too, and takes one that exists for success. */
  recursive?: boolean;
  /** Its permissions; 0755 by default. */
  mode?: number;
}

/** Options of {@link VmFs.readFile}. */
export interface VmFsReadFileOptions extends VmFsOptions {
  /** Text instead of bytes. */
  encoding?: BufferEncoding | null;
  /** Accepted for the original's sake. */
  chunkSize?: number;
  /** A longer file is an error, EFBIG; 64 MiB by default. */
  maxBytes?: number;
}

/** Options of {@link VmFs.readFileStream}. */
export interface VmFsReadFileStreamOptions extends VmFsOptions {
  /** How much is read at a time, at most 1 MiB; 64 KiB by default. */
  chunkSize?: number;
  /** How much may wait to be read. */
  highWaterMark?: number;
}

/** Options of {@link VmFs.writeFile}. */
export interface VmFsWriteFileOptions extends VmFsOptions {
  /** Of text; `utf-8` by default. */
  encoding?: BufferEncoding;
}

/** Options of {@link VmFs.deleteFile}. */
export interface VmFsDeleteOptions extends VmFsOptions {
  /** Nothing there is success. */
  force?: boolean;
  /** A directory goes with all that is in it. */
  recursive?: boolean;
}

/** What a file may be written from. */
export type VmFsWriteFileInput = string | Uint8Array | AsyncIterable<Uint8Array | string>;

const typeBits = {
  file: constants.S_IFREG, directory: constants.S_IFDIR, symlink: constants.S_IFLNK, other: 0,
};

/** What is known of a file, as `fs.Stats` has it. */
export class VmFsStat {
  /** Type and permissions. */
  readonly mode: number;
  /** Bytes. */
  readonly size: number;
  /** The owner. */
  readonly uid: number;
  /** The group. */
  readonly gid: number;
  /** When it was written last, in milliseconds. */
  readonly mtimeMs: number;
  /** The same as a date. */
  readonly mtime: Date;
  readonly #type: NativeFileInfo['type'];

  /** @internal */
  constructor(info: NativeFileInfo) {
    this.#type = info.type;
    this.mode = typeBits[info.type] | info.permissions;
    this.size = info.size;
    this.uid = info.uid;
    this.gid = info.gid;
    this.mtimeMs = info.modifiedMs;
    this.mtime = new Date(info.modifiedMs);
  }

  /** Whether it is a regular file. */
  isFile(): boolean { return this.#type === 'file'; }
  /** Whether it is a directory. */
  isDirectory(): boolean { return this.#type === 'directory'; }
  /** Whether it is a symbolic link. */
  isSymbolicLink(): boolean { return this.#type === 'symlink'; }
}

/** The path that the argument `name` gives. */
function resolve(path: string, options: VmFsOptions, name = 'path'): string {
  if (typeof path !== 'string') throw invalid(`${name} must be a string`);
  if (typeof (options.cwd ?? '') !== 'string') throw invalid('cwd must be a string');
  checkSignal(options.signal);
  return path.startsWith('/') ? path : `${options.cwd ?? '/root'}/${path}`;
}

/** What `work` comes to, or the abort of `signal`, whichever is first. */
async function abortable<T>(signal: AbortSignal | undefined, work: Promise<T>): Promise<T> {
  if (!signal) return work;
  let stop: () => void = () => undefined;
  const aborted = new Promise<never>((_, reject) => {
    stop = () => {
      const error = new GondolinError('CANCELLED', 'the call was aborted');
      error.cause = signal.reason;
      reject(error);
    };
  });
  if (signal.aborted) stop();
  signal.addEventListener('abort', stop, { once: true });
  try {
    return await Promise.race([work, aborted]);
  } finally {
    signal.removeEventListener('abort', stop);
    work.catch(() => undefined);
  }
}

/** A stream that reads from the guest as it is read itself. */
class FileStream extends Readable {
  readonly #reader: NativeFileReader;
  readonly #chunkSize: number;

  constructor(reader: NativeFileReader, options: VmFsReadFileStreamOptions) {
    const { highWaterMark, signal } = options;
    super({ ...(highWaterMark ? { highWaterMark } : {}), ...(signal ? { signal } : {}) });
    this.#reader = reader;
    this.#chunkSize = Math.min(options.chunkSize ?? 64 * 1024, 1024 * 1024);
  }

  override _read(): void {
    this.#reader.read(this.#chunkSize).then(
      (chunk) => this.push(chunk.length > 0 ? chunk : null),
      (error: Error) => this.destroy(error),
    );
  }

  override _destroy(error: Error | null, callback: (error: Error | null) => void): void {
    this.#reader.close();
    callback(error);
  }
}

const nameSets = {
  access: new Set(['mode', 'cwd', 'signal']),
  mkdir: new Set(['recursive', 'mode', 'cwd', 'signal']),
  readFile: new Set(['encoding', 'chunkSize', 'maxBytes', 'cwd', 'signal']),
  readFileStream: new Set(['chunkSize', 'highWaterMark', 'cwd', 'signal']),
  writeFile: new Set(['encoding', 'cwd', 'signal']),
  deleteFile: new Set(['force', 'recursive', 'cwd', 'signal']),
  plain: new Set(['cwd', 'signal']),
};

/**
 * The files in a guest. What fails there has the guest's errno as its code: `ENOENT`,
 * `EEXIST` and so on. Paths are resolved in the guest, as root.
 */
export class VmFs {
  readonly #fs: () => Promise<NativeFs>;

  /** @internal */
  constructor(fs: () => Promise<NativeFs>) {
    this.#fs = fs;
  }

  #call<T>(options: VmFsOptions, work: (fs: NativeFs) => Promise<T>): Promise<T> {
    return abortable(options.signal, this.#fs().then(work));
  }

  /** Rejects if there is nothing, or `mode` does not go; root may read and write all. */
  async access(path: string, options: VmFsAccessOptions = {}): Promise<void> {
    checkNames('access', options, nameSets.access);
    checkInteger('mode', options.mode, 0, 7);
    const stat = await this.#stat(path, options);
    const executable = stat.isDirectory() || (stat.mode & 0o111) !== 0;
    if (((options.mode ?? constants.F_OK) & constants.X_OK) !== 0 && !executable) {
      throw new GondolinError('FAILED', `${path}: permission denied`, system.errno.EACCES);
    }
  }

  /** Makes a directory. */
  async mkdir(path: string, options: VmFsMkdirOptions = {}): Promise<void> {
    checkNames('mkdir', options, nameSets.mkdir);
    checkInteger('mode', options.mode, 0, 0o7777);
    const { recursive, mode: permissions } = options;
    const wanted = resolve(path, options);
    await this.#call(options, (fs) => fs.makeDirectory(wanted, { recursive, permissions }));
  }

  /** The names in a directory, sorted, without `.` and `..`. */
  async listDir(path: string, options: VmFsOptions = {}): Promise<string[]> {
    checkNames('listDir', options, nameSets.plain);
    const wanted = resolve(path, options);
    return this.#call(options, (fs) => fs.list(wanted));
  }

  /** What there is by a name; of a symbolic link, what it leads to. */
  async stat(path: string, options: VmFsOptions = {}): Promise<VmFsStat> {
    checkNames('stat', options, nameSets.plain);
    return this.#stat(path, options);
  }

  async #stat(path: string, options: VmFsOptions): Promise<VmFsStat> {
    const wanted = resolve(path, options);
    return new VmFsStat(await this.#call(options, (fs) => fs.stat(wanted)));
  }

  /** Gives a file or directory another name, in place of what has that name. */
  async rename(from: string, to: string, options: VmFsOptions = {}): Promise<void> {
    checkNames('rename', options, nameSets.plain);
    const source = resolve(from, options, 'from');
    const target = resolve(to, options, 'to');
    await this.#call(options, (fs) => fs.rename(source, target));
  }

  /** The text of a regular file. */
  async readFile(
    path: string, options: VmFsReadFileOptions & { encoding: BufferEncoding },
  ): Promise<string>;
  /** The bytes of a regular file. */
  async readFile(
    path: string, options?: VmFsReadFileOptions & { encoding?: null },
  ): Promise<Buffer>;
  async readFile(path: string, options: VmFsReadFileOptions = {}): Promise<string | Buffer> {
    checkNames('readFile', options, nameSets.readFile);
    checkAmount('maxBytes', options.maxBytes);
    const max = Math.min(options.maxBytes ?? 64 * 1024 * 1024, Number.MAX_SAFE_INTEGER);
    const wanted = resolve(path, options);
    const bytes = await this.#call(options, (fs) => fs.read(wanted, max));
    return options.encoding ? bytes.toString(options.encoding) : bytes;
  }

  /** A regular file as a stream, which holds little of it at a time. */
  async readFileStream(path: string, options: VmFsReadFileStreamOptions = {}): Promise<Readable> {
    checkNames('readFileStream', options, nameSets.readFileStream);
    checkInteger('chunkSize', options.chunkSize, 1, Number.MAX_SAFE_INTEGER);
    checkAmount('highWaterMark', options.highWaterMark);
    const wanted = resolve(path, options);
    const reader = await this.#call(options, (fs) => fs.openReader(wanted));
    return new FileStream(reader, options);
  }

  /** Makes `data` the content of a regular file. Its directory must exist. */
  async writeFile(
    path: string, data: VmFsWriteFileInput, options: VmFsWriteFileOptions = {},
  ): Promise<void> {
    checkNames('writeFile', options, nameSets.writeFile);
    const toBytes = (piece: string | Uint8Array): Uint8Array =>
      (typeof piece === 'string' ? Buffer.from(piece, options.encoding) : piece);
    const target = resolve(path, options);
    const whole = typeof data === 'string' || data instanceof Uint8Array;
    if (!whole && typeof data?.[Symbol.asyncIterator] !== 'function') {
      throw invalid('data must be text, bytes or a stream of them');
    }
    await this.#call(options, async (fs) => {
      if (whole) {
        await fs.write(target, toBytes(data));
        return;
      }
      const writer = await fs.openWriter(target);
      for await (const piece of data) await writer.write(toBytes(piece));
      await writer.finish();
    });
  }

  /** Removes a file, a link itself, or a directory. */
  async deleteFile(path: string, options: VmFsDeleteOptions = {}): Promise<void> {
    checkNames('deleteFile', options, nameSets.deleteFile);
    const { recursive, force } = options;
    const wanted = resolve(path, options);
    await this.#call(options, (fs) => fs.remove(wanted, { recursive, mustExist: !force }));
  }
}
