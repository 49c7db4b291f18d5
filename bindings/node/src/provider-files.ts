// The library's own file systems behind the methods that providers have: opening by Node's
// flags, positions, whole files at once.
//
// Each operation is written once, as steps that yield what the addon returns: those of a
// MemoryProvider, whose answers are there at once, run through; those of a directory, whose
// answers are promises, wait for each.

import { VmFsStat } from './fs.js';
import type { NativeFileEntry, NativeOpen, NativeProvider, NativeProviderFile } from './native.js';
import { errnoError, ERRNO, errnoOf, isWriteFlag, normalizeVfsPath, type VirtualEntry } from './vfs.js';

/** An operation; what it yields comes back settled. */
// eslint-disable-next-line @typescript-eslint/no-explicit-any
type Steps<T> = Generator<unknown, T, any>;

/** Runs steps whose answers are there. */
export function runNow<T>(steps: Steps<T>): T {
  let next = steps.next();
  while (!next.done) next = steps.next(next.value);
  return next.value;
}

/** Runs steps whose answers may be promises. */
export async function runLater<T>(steps: Steps<T>): Promise<T> {
  let next = steps.next();
  while (!next.done) {
    let value: unknown;
    try {
      value = await next.value;
    } catch (error) {
      next = steps.throw(error);
      continue;
    }
    next = steps.next(value);
  }
  return next.value;
}

const chunk = 64 * 1024;

function parseFlags(flags: string, where: string): NativeOpen & { create: boolean; exclusive: boolean } {
  const [, kind, exclusive, plus] = /^([rwa])([xs]*)(\+?)[xs]*$/.exec(flags) ?? [];
  if (kind === undefined) throw errnoError(ERRNO.EINVAL, 'open', where);
  return {
    read: kind === 'r' || plus === '+',
    write: isWriteFlag(flags),
    truncate: kind === 'w',
    append: kind === 'a',
    create: kind !== 'r',
    exclusive: exclusive?.includes('x') || /x$/.test(flags),
  };
}

/** A name in a directory of the library's. */
class Entry implements VirtualEntry {
  readonly name: string;
  readonly #type: NativeFileEntry['type'];
  constructor(entry: NativeFileEntry) {
    this.name = entry.name;
    this.#type = entry.type;
  }
  isFile(): boolean { return this.#type === 'file'; }
  isDirectory(): boolean { return this.#type === 'directory'; }
  isSymbolicLink(): boolean { return this.#type === 'symlink'; }
}

/** Text or bytes. */
export type FileData = string | Uint8Array;
/** Options that say how text is encoded. */
export interface EncodingOptions {
  /** The encoding; without one there are bytes. */
  encoding?: BufferEncoding | null;
}
/** How text is encoded, or an object that says so. */
export type Encoding = BufferEncoding | EncodingOptions | null;

function encodingOf(options: Encoding | undefined): BufferEncoding | undefined {
  return (typeof options === 'string' ? options : options?.encoding) ?? undefined;
}

/** An open file of the library's. */
export class FileSteps {
  readonly #file: NativeProviderFile;
  readonly #append: boolean;
  #position = 0;
  #closed = false;

  constructor(file: NativeProviderFile, append: boolean) {
    this.#file = file;
    this.#append = append;
  }

  get closed(): boolean { return this.#closed; }

  *read(buffer: Uint8Array, offset: number, length: number, position?: number | null): Steps<number> {
    const from = position ?? this.#position;
    const bytes = (yield this.#file.read(from, length)) as Buffer;
    buffer.set(bytes, offset);
    if (typeof position !== 'number') this.#position = from + bytes.length;
    return bytes.length;
  }

  *write(bytes: Uint8Array, position?: number | null): Steps<number> {
    let at = position ?? this.#position;
    if (this.#append) at = ((yield* this.stat())).size;
    for (let done = 0; done < bytes.length;) {
      const piece = bytes.subarray(done, done + chunk);
      done += (yield this.#file.write(at + done, piece)) as number;
    }
    if (typeof position !== 'number') this.#position = at + bytes.length;
    return bytes.length;
  }

  *readAll(): Steps<Buffer> {
    const pieces: Buffer[] = [];
    for (let at = 0; ;) {
      const piece = (yield this.#file.read(at, chunk)) as Buffer;
      if (piece.length === 0) return Buffer.concat(pieces);
      pieces.push(piece);
      at += piece.length;
    }
  }

  *stat(): Steps<VmFsStat> {
    return new VmFsStat(yield this.#file.attributes());
  }

  *truncate(length = 0): Steps<void> {
    yield this.#file.truncate(length);
  }

  *sync(): Steps<void> {
    yield this.#file.sync();
  }

  *close(): Steps<void> {
    this.#closed = true;
    this.#file.close();
  }
}

/** A file system of the library's; `provider` gives it, or a promise of it. */
export class ProviderSteps {
  readonly #provider: () => NativeProvider | Promise<NativeProvider>;

  constructor(provider: () => NativeProvider | Promise<NativeProvider>) {
    this.#provider = provider;
  }

  *#files(): Steps<NativeProvider> {
    return (yield this.#provider()) as NativeProvider;
  }

  *open(where: string, flags: string, mode = 0o644): Steps<FileSteps> {
    const path = normalizeVfsPath(where);
    const { create, exclusive, ...how } = parseFlags(flags, path);
    const files = yield* this.#files();
    let file: unknown;
    try {
      file = exclusive ? yield files.create(path, mode, how) : yield files.open(path, how);
    } catch (error) {
      if (!create || exclusive || errnoOf(error) !== ERRNO.ENOENT) throw error;
      file = yield files.create(path, mode, how);
    }
    return new FileSteps(file as NativeProviderFile, how.append);
  }

  *stat(where: string): Steps<VmFsStat> {
    // Links are the guest's to follow.
    return new VmFsStat(yield (yield* this.#files()).attributes(normalizeVfsPath(where)));
  }

  *readdir(where: string, options?: { withFileTypes?: boolean }): Steps<(string | VirtualEntry)[]> {
    const entries = (yield (yield* this.#files()).list(normalizeVfsPath(where))) as NativeFileEntry[];
    return options?.withFileTypes ? entries.map((entry) => new Entry(entry)) : entries.map(({ name }) => name);
  }

  *mkdir(where: string, options?: { recursive?: boolean; mode?: number }): Steps<void> {
    const files = yield* this.#files();
    const path = normalizeVfsPath(where);
    const mode = options?.mode ?? 0o755;
    if (!options?.recursive) {
      yield files.makeDirectory(path, mode);
      return;
    }
    for (let end = path.indexOf('/', 1); ; end = path.indexOf('/', end + 1)) {
      const above = end < 0 ? path : path.slice(0, end);
      try {
        yield files.makeDirectory(above, mode);
      } catch (error) {
        const there = errnoOf(error) === ERRNO.EEXIST || above === '/';
        if (!there || !(yield* this.stat(above)).isDirectory()) throw error;
      }
      if (end < 0) return;
    }
  }

  *rmdir(where: string): Steps<void> {
    yield (yield* this.#files()).removeDirectory(normalizeVfsPath(where));
  }

  *unlink(where: string): Steps<void> {
    yield (yield* this.#files()).removeFile(normalizeVfsPath(where));
  }

  *rename(from: string, to: string): Steps<void> {
    yield (yield* this.#files()).rename(normalizeVfsPath(from), normalizeVfsPath(to), 'replace');
  }

  *readlink(where: string): Steps<string> {
    return (yield (yield* this.#files()).readLink(normalizeVfsPath(where))) as string;
  }

  *symlink(target: string, where: string): Steps<void> {
    yield (yield* this.#files()).makeLink(normalizeVfsPath(where), target);
  }

  *truncate(where: string, length = 0): Steps<void> {
    yield (yield* this.#files()).change(normalizeVfsPath(where), { size: length });
  }

  *chmod(where: string, mode: number): Steps<void> {
    yield (yield* this.#files()).change(normalizeVfsPath(where), { permissions: mode & 0o7777 });
  }

  *utimes(where: string, _atime: number, mtime: number): Steps<void> {
    yield (yield* this.#files()).change(normalizeVfsPath(where), { modifiedMs: mtime * 1000 });
  }

  *statfs(): Steps<{ bsize: number; blocks: number; bfree: number; bavail: number }> {
    const { totalBytes, freeBytes } =
      (yield (yield* this.#files()).usage()) as { totalBytes: number; freeBytes: number };
    const bfree = Math.floor(freeBytes / 4096);
    return { bsize: 4096, blocks: Math.floor(totalBytes / 4096), bfree, bavail: bfree };
  }

  *readFile(where: string, options?: Encoding): Steps<Buffer | string> {
    const file = yield* this.open(where, 'r');
    const content = yield* closing(file, file.readAll());
    const encoding = encodingOf(options);
    return encoding ? content.toString(encoding) : content;
  }

  *writeFile(where: string, data: FileData, options?: Encoding, flags = 'w'): Steps<void> {
    const file = yield* this.open(where, flags);
    yield* closing(file, file.write(bytesOf(data, options)));
  }
}

function* closing<T>(file: FileSteps, work: Steps<T>): Steps<T> {
  try {
    return yield* work;
  } finally {
    yield* file.close();
  }
}

/** The bytes of a text, or bytes. */
export function bytesOf(data: FileData, options?: Encoding): Uint8Array {
  return typeof data === 'string' ? Buffer.from(data, encodingOf(options)) : data;
}

/** What is read whole, as text where an encoding is given. */
export function* readWhole(file: FileSteps, options?: Encoding): Steps<Buffer | string> {
  const content = yield* file.readAll();
  const encoding = encodingOf(options);
  return encoding ? content.toString(encoding) : content;
}

/** Replaces the whole content. */
export function* writeWhole(file: FileSteps, data: FileData, options?: Encoding): Steps<void> {
  yield* file.truncate(0);
  yield* file.write(bytesOf(data, options), 0);
}
