// Programs in the guest: what vm.exec() takes and returns.

import { constants } from 'node:os';
import type { Readable } from 'node:stream';

import { attachTerminal } from './attach.js';
import { GondolinError } from './errors.js';
import type { NativeProcess } from './native.js';
import { checkAmount, checkNames, checkSignal, invalid } from './options.js';
import {
  copyTo, drainInto, linesOf, merged, OutputBuffer, outputSource, OutputStream, textOf,
  type ExecOutputMode, type OutputChunk,
} from './output.js';
import { StdinWriter, type StdinSource } from './stdin.js';

/** Variables of the environment, by name or as `NAME=value`. */
export type EnvInput = string[] | Record<string, string>;

/** How to run a program. */
export interface ExecOptions {
  /** Where the command is a string: `$1`, `$2` and so on of the shell. */
  argv?: string[];
  /** Set on top of the VM's environment. */
  env?: EnvInput;
  /** The working directory; root's home by default. */
  cwd?: string;
  /** What the program reads; true for `write()` and `end()`, by default nothing. */
  stdin?: boolean | StdinSource;
  /** Whether to run it on a terminal, where all output is on stdout. */
  pty?: boolean;
  /** How text is made of output; `utf-8` by default. */
  encoding?: BufferEncoding;
  /** Kills the program and its session. */
  signal?: AbortSignal;
  /** What becomes of stdout; kept for the result by default. */
  stdout?: ExecOutputMode;
  /** What becomes of stderr; kept for the result by default. */
  stderr?: ExecOutputMode;
  /** How many bytes of a piped stream may wait to be read; 256 KiB by default. */
  windowBytes?: number;
  /** false: output that is not sent elsewhere is dropped. */
  buffer?: boolean;
  /** How much of each stream is kept for the result; 16 MiB by default. */
  maxBufferedBytes?: number;
}

const optionNames = new Set<string>([
  'argv', 'env', 'cwd', 'stdin', 'pty', 'encoding', 'signal', 'stdout', 'stderr', 'windowBytes',
  'buffer', 'maxBufferedBytes',
] satisfies (keyof ExecOptions)[]);

/** What a program did. */
export class ExecResult {
  /** The number of the program among those of its VM. */
  readonly id: number;
  /** Its exit status, or 128 plus the signal that killed it. */
  readonly exitCode: number;
  /** The signal that killed it, if one did. */
  readonly signal?: number;
  /** The bytes of stdout that were kept. */
  readonly stdoutBuffer: Buffer;
  /** The bytes of stderr that were kept. */
  readonly stderrBuffer: Buffer;
  /** Whether there was more output than `maxBufferedBytes` allows. */
  readonly truncated: boolean;
  readonly #encoding: BufferEncoding;

  /** @internal */
  constructor(
    id: number, status: { code: number; signal: number }, stdout: OutputBuffer,
    stderr: OutputBuffer, encoding: BufferEncoding,
  ) {
    this.id = id;
    this.exitCode = status.code;
    if (status.signal !== 0) this.signal = status.signal;
    this.stdoutBuffer = stdout.bytes();
    this.stderrBuffer = stderr.bytes();
    this.truncated = stdout.truncated || stderr.truncated;
    this.#encoding = encoding;
  }

  /** What the program wrote to stdout, as text. */
  get stdout(): string {
    return this.stdoutBuffer.toString(this.#encoding);
  }

  /** What the program wrote to stderr, as text. */
  get stderr(): string {
    return this.stderrBuffer.toString(this.#encoding);
  }

  /** Whether the program ended with status 0. */
  get ok(): boolean {
    return this.exitCode === 0;
  }

  /** stdout as the JSON that it is. */
  json<T = unknown>(): T {
    return JSON.parse(this.stdout) as T;
  }

  /** The lines of stdout that are not empty. */
  lines(): string[] {
    return this.stdout.split('\n').filter((line) => line !== '');
  }

  /** The same as `stdout`. */
  toString(): string {
    return this.stdout;
  }
}

/** The variables as pairs, in the addon's form. */
function flatEnvironment(env: EnvInput | undefined): string[] {
  if (env === undefined) return [];
  if (typeof env !== 'object' || env === null) throw invalid('env must be an object or an array');
  if (!Array.isArray(env)) return Object.entries(env).flat();
  return env.flatMap((entry) => {
    if (typeof entry !== 'string') throw invalid('env must be an array of text, if an array');
    const equals = entry.indexOf('=');
    if (equals < 1) throw invalid(`'${entry}' in env is not NAME=value`);
    return [entry.slice(0, equals), entry.slice(equals + 1)];
  });
}

function isTexts(value: unknown): boolean {
  return Array.isArray(value) && value.every((text) => typeof text === 'string');
}

/** What is run for a command: the shell for a string, the program itself for an array. */
function argvOf(command: string | readonly string[], options: ExecOptions): string[] {
  if (typeof command === 'string') {
    const extra = options.argv ?? [];
    return ['/bin/sh', '-lc', command, ...(extra.length > 0 ? ['sh', ...extra] : [])];
  }
  if (!isTexts(command)) throw invalid('command must be a string or an array of strings');
  if (command.length === 0) throw invalid('the command is empty');
  return [...command];
}

/**
 * The command as the addon wants it.
 * @internal
 */
export function nativeCommand(
  command: string | readonly string[], options: ExecOptions, env: EnvInput | undefined,
): object {
  checkNames('exec', options, optionNames);
  checkAmount('windowBytes', options.windowBytes);
  checkAmount('maxBufferedBytes', options.maxBufferedBytes);
  checkSignal(options.signal);
  if (!isTexts(options.argv ?? [])) throw invalid('argv must be an array of strings');
  return {
    argv: argvOf(command, options),
    env: [...flatEnvironment(env), ...flatEnvironment(options.env)],
    cwd: options.cwd,
    terminal: options.pty ? {} : undefined,
  };
}

/**
 * A program that runs, or is about to. Await it for its {@link ExecResult}, which there is
 * whatever its exit status; iterate over it for its stdout, where that is piped.
 */
export class ExecProcess implements PromiseLike<ExecResult>, AsyncIterable<string> {
  /** The number of the program among those of its VM. */
  readonly id: number;
  /** What it did, once it has ended. */
  readonly result: Promise<ExecResult>;
  /** Its stdout where that is `pipe`, else null. */
  readonly stdout: Readable | null;
  /** Its stderr where that is `pipe`, else null. */
  readonly stderr: Readable | null;
  readonly #process: Promise<NativeProcess>;
  readonly #stdin: StdinWriter;
  readonly #encoding: BufferEncoding;
  readonly #options: ExecOptions;
  #attached = false;

  /** @internal */
  constructor(id: number, start: () => Promise<NativeProcess>, options: ExecOptions) {
    this.id = id;
    this.#options = options;
    this.#encoding = options.encoding ?? 'utf-8';
    options.signal?.throwIfAborted();
    this.#process = start();
    this.#process.catch(() => undefined);  // the result says it
    this.stdout = this.#pipe('stdout');
    this.stderr = this.#pipe('stderr');
    this.#stdin = new StdinWriter(this.#process);
    this.result = this.#abortable(this.#run());
    this.result.catch(() => undefined);  // nobody has to wait for a server
  }

  #mode(name: 'stdout' | 'stderr'): ExecOutputMode {
    return this.#options[name] ?? (this.#options.buffer === false ? 'ignore' : 'buffer');
  }

  #pipe(name: 'stdout' | 'stderr'): Readable | null {
    if (this.#mode(name) !== 'pipe') return null;
    const source = this.#process.then((process) => outputSource(process, name));
    source.catch(() => undefined);
    return new OutputStream(source, this.#options.windowBytes ?? 256 * 1024);
  }

  /** Sees to one stream; resolves when nothing of it is left, or somebody else reads it. */
  async #consume(native: NativeProcess, name: 'stdout' | 'stderr', kept: OutputBuffer): Promise<void> {
    const mode = this.#mode(name);
    if (mode === 'pipe') return;
    const source = outputSource(native, name);
    if (mode === 'buffer') await drainInto(source, kept);
    else if (mode === 'ignore') await drainInto(source, null);
    else await copyTo(source, mode === 'inherit' ? process[name] : mode);
  }

  async #run(): Promise<ExecResult> {
    const native = await this.#process;
    const max = this.#options.maxBufferedBytes ?? 16 * 1024 * 1024;
    const kept = { stdout: new OutputBuffer(max), stderr: new OutputBuffer(max) };
    // Whoever gives the program its input may fail, but need not come to an end.
    const stdinFailed = new Promise<never>((_, reject) => {
      this.#stdin.begin(this.#options.stdin ?? false).catch(reject);
    });
    const ended = Promise.all([
      native.wait(), this.#consume(native, 'stdout', kept.stdout),
      this.#consume(native, 'stderr', kept.stderr),
    ]);
    const [status] = await Promise.race([ended, stdinFailed]).catch((error: unknown) => {
      native.kill();
      ended.catch(() => undefined);
      throw error;
    });
    return new ExecResult(this.id, status, kept.stdout, kept.stderr, this.#encoding);
  }

  async #abortable(run: Promise<ExecResult>): Promise<ExecResult> {
    const { signal } = this.#options;
    if (!signal) return run;
    let stop: () => void = () => undefined;
    const aborted = new Promise<never>((_, reject) => {
      stop = () => {
        this.kill();
        const error = new GondolinError('CANCELLED', 'exec aborted');
        error.cause = signal.reason;
        reject(error);
      };
    });
    signal.addEventListener('abort', stop, { once: true });
    try {
      return await Promise.race([run, aborted]);
    } finally {
      signal.removeEventListener('abort', stop);
      run.catch(() => undefined);
    }
  }

  /** Waits for the result; what `await` calls. */
  then<R = ExecResult, E = never>(
    fulfilled?: ((result: ExecResult) => R | PromiseLike<R>) | null,
    rejected?: ((reason: unknown) => E | PromiseLike<E>) | null,
  ): Promise<R | E> {
    return this.result.then(fulfilled, rejected);
  }

  /** As of a promise of the result. */
  catch<E = never>(
    rejected?: ((reason: unknown) => E | PromiseLike<E>) | null,
  ): Promise<ExecResult | E> {
    return this.result.catch(rejected);
  }

  /** As of a promise of the result. */
  finally(settled?: (() => void) | null): Promise<ExecResult> {
    return this.result.finally(settled);
  }

  /** Gives the program something to read; needs `stdin: true`. */
  write(data: string | Uint8Array): void {
    this.#manualStdin().write(data);
  }

  /** The program reads the end of its stdin after what was written; needs `stdin: true`. */
  end(): void {
    this.#manualStdin().end();
  }

  #manualStdin(): StdinWriter {
    if (this.#options.stdin !== true) throw invalid('write() and end() need { stdin: true }');
    return this.#stdin;
  }

  /** Tells a program on a terminal the terminal's new size. */
  resize(rows: number, columns: number): void {
    this.#process.then((native) => native.resize({ rows, columns }), () => undefined);
  }

  /** Sends a signal to the program; without one, kills it and all of its session. */
  kill(signal?: NodeJS.Signals | number): void {
    const number = typeof signal === 'string' ? constants.signals[signal] : signal;
    if (signal !== undefined && number === undefined) throw invalid(`there is no signal ${signal}`);
    this.#process.then(
      (native) => (number === undefined ? native.kill() : native.signal(number)),
      () => undefined,
    );
  }

  #pipedStdout(): Readable {
    if (!this.stdout) throw invalid('reading the output of a program needs { stdout: "pipe" }');
    return this.stdout;
  }

  /** The program's stdout as text, in the pieces that it comes in. */
  [Symbol.asyncIterator](): AsyncIterator<string> {
    return textOf(this.#pipedStdout(), this.#encoding);
  }

  /** The lines of the program's stdout, without their ends. */
  lines(): AsyncIterable<string> {
    return linesOf(textOf(this.#pipedStdout(), this.#encoding));
  }

  /** What the program writes to the streams that are piped, each piece with its stream. */
  output(): AsyncIterable<OutputChunk> {
    const streams: ['stdout' | 'stderr', Readable][] = [];
    if (this.stdout) streams.push(['stdout', this.stdout]);
    if (this.stderr) streams.push(['stderr', this.stderr]);
    if (streams.length === 0) throw invalid('output() needs { stdout: "pipe" } or { stderr: "pipe" }');
    return merged(streams, this.#encoding);
  }

  /**
   * Connects the program to a terminal or to other streams, until it ends: needs
   * `stdin: true`, and forwards the output that is piped. May be called once.
   */
  attach(
    stdin: NodeJS.ReadStream, stdout: NodeJS.WriteStream, stderr: NodeJS.WriteStream = stdout,
  ): void {
    if (this.#attached) throw invalid('attach() may be called once');
    this.#manualStdin();
    this.#attached = true;
    attachTerminal(this, stdin, stdout, stderr);
  }
}
