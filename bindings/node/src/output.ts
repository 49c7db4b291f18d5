// The output of a program: where each stream of it goes, and how text is made of it.

import { Readable } from 'node:stream';
import { StringDecoder } from 'node:string_decoder';

import type { NativeProcess } from './native.js';

/**
 * What becomes of an output stream:
 * `buffer` keeps it for the result, `pipe` makes a stream of it, `inherit` writes it to this
 * process's own, `ignore` drops it, and a writable stream gets it.
 */
export type ExecOutputMode = 'buffer' | 'pipe' | 'inherit' | 'ignore' | NodeJS.WritableStream;

/** A piece of output, and which stream it came from. */
export interface OutputChunk {
  /** The stream. */
  stream: 'stdout' | 'stderr';
  /** The bytes. */
  data: Buffer;
  /** The same as text. */
  text: string;
}

/**
 * One output stream of a program in the guest.
 * @internal
 */
export interface OutputSource {
  /** At most `max` bytes; none at the end. */
  read(max: number): Promise<Buffer>;
  /** Nobody reads any more. */
  close(): void;
}

/** @internal */
export function outputSource(process: NativeProcess, name: 'stdout' | 'stderr'): OutputSource {
  return name === 'stdout'
    ? { read: (max) => process.readStdout(max), close: () => process.closeStdout() }
    : { read: (max) => process.readStderr(max), close: () => process.closeStderr() };
}

/** How much is read at a time. */
const readSize = 64 * 1024;

/**
 * The beginning of a stream, up to a bound.
 * @internal
 */
export class OutputBuffer {
  readonly #chunks: Buffer[] = [];
  readonly #max: number;
  #size = 0;
  /** Whether there was more than the bound allows. */
  truncated = false;

  constructor(max: number) {
    this.#max = max;
  }

  add(chunk: Buffer): void {
    const kept = chunk.subarray(0, this.#max - this.#size);
    if (kept.length < chunk.length) this.truncated = true;
    if (kept.length > 0) this.#chunks.push(kept);
    this.#size += kept.length;
  }

  bytes(): Buffer {
    return Buffer.concat(this.#chunks, this.#size);
  }
}

/**
 * Reads to the end, into `buffer` or into nothing.
 * @internal
 */
export async function drainInto(source: OutputSource, buffer: OutputBuffer | null): Promise<void> {
  for (let chunk = await source.read(readSize); chunk.length > 0; chunk = await source.read(readSize)) {
    buffer?.add(chunk);
  }
}

/**
 * Writes everything to `target`, which stays open, at the speed that it takes it. If it is
 * closed or fails, the program is told that nobody reads any more.
 * @internal
 */
export async function copyTo(source: OutputSource, target: NodeJS.WritableStream): Promise<void> {
  let gone = false;
  let resume: () => void = () => undefined;
  const stop = (): void => { gone = true; resume(); };
  const drained = (): void => resume();
  target.on('error', stop).on('close', stop).on('drain', drained);
  try {
    for (let chunk = await source.read(readSize); chunk.length > 0 && !gone; chunk = await source.read(readSize)) {
      const waiting = new Promise<void>((resolve) => { resume = resolve; });
      if (!target.write(chunk) && !gone) await waiting;
    }
    if (gone) source.close();
  } finally {
    target.removeListener('error', stop).removeListener('close', stop).removeListener('drain', drained);
  }
}

/**
 * A stream that reads from the program as it is read itself. Destroyed early, it tells the
 * program that nobody reads any more. It ends when the program is killed or its VM closed;
 * that it did not end well is for the result to say.
 * @internal
 */
export class OutputStream extends Readable {
  readonly #source: Promise<OutputSource>;

  constructor(source: Promise<OutputSource>, highWaterMark: number) {
    super({ highWaterMark });
    this.#source = source;
  }

  override _read(): void {
    this.#source.then((source) => source.read(readSize)).then(
      (chunk) => this.push(chunk.length > 0 ? chunk : null),
      () => this.push(null),
    );
  }

  override _destroy(error: Error | null, callback: (error: Error | null) => void): void {
    if (!this.readableEnded) this.#source.then((source) => source.close(), () => undefined);
    callback(error);
  }
}

/**
 * The text of a stream in pieces.
 * @internal
 */
export async function* textOf(
  stream: AsyncIterable<Buffer>, encoding: BufferEncoding,
): AsyncGenerator<string, void, undefined> {
  const decoder = new StringDecoder(encoding);
  for await (const chunk of stream) {
    const text = decoder.write(chunk);
    if (text !== '') yield text;
  }
  const rest = decoder.end();
  if (rest !== '') yield rest;
}

/**
 * The lines of a text in pieces, without their ends.
 * @internal
 */
export async function* linesOf(
  text: AsyncIterable<string>,
): AsyncGenerator<string, void, undefined> {
  let rest = '';
  for await (const piece of text) {
    const lines = (rest + piece).split('\n');
    rest = lines.pop() ?? '';
    yield* lines;
  }
  if (rest !== '') yield rest;
}

/**
 * The pieces of both streams as they come.
 * @internal
 */
export async function* merged(
  streams: ['stdout' | 'stderr', Readable][], encoding: BufferEncoding,
): AsyncGenerator<OutputChunk, void, undefined> {
  const sources = streams.map(([stream, readable]) => ({
    stream, decoder: new StringDecoder(encoding),
    iterator: readable[Symbol.asyncIterator]() as AsyncIterator<Buffer>,
  }));
  type Source = (typeof sources)[number];
  const next = async (source: Source): Promise<{ source: Source; result: IteratorResult<Buffer> }> =>
    ({ source, result: await source.iterator.next() });
  const waiting = new Map(sources.map((source) => [source, next(source)]));
  try {
    while (waiting.size > 0) {
      const { source, result } = await Promise.race(waiting.values());
      if (result.done) {
        waiting.delete(source);
        continue;
      }
      waiting.set(source, next(source));
      const data = result.value;
      yield { stream: source.stream, data, text: source.decoder.write(data) };
    }
  } finally {
    for (const [, readable] of streams) readable.destroy();
  }
}
