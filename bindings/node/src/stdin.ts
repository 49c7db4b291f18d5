// The stdin of a program: written in order, at the speed that the program reads.

import type { NativeProcess } from './native.js';

/** What a program may be given to read. */
export type StdinSource = string | Uint8Array | AsyncIterable<Uint8Array | string>;

const toBytes = (data: string | Uint8Array): Uint8Array =>
  (typeof data === 'string' ? Buffer.from(data) : data);

/** @internal */
export class StdinWriter {
  readonly #process: Promise<NativeProcess>;
  // Ends with the last write; a program that no longer reads is no error.
  #written: Promise<unknown> = Promise.resolve();

  constructor(process: Promise<NativeProcess>) {
    this.#process = process;
  }

  write(data: string | Uint8Array): void {
    this.#next((process) => process.writeStdin(toBytes(data)));
  }

  end(): void {
    this.#next((process) => process.closeStdin());
  }

  /** Rejects where the source does. For `true`, write() and end() are to follow. */
  async begin(source: boolean | StdinSource): Promise<void> {
    if (source === true) return;
    if (source === false) {
      this.end();
    } else if (typeof source === 'string' || source instanceof Uint8Array) {
      this.write(source);
      this.end();
    } else {
      await this.#copy(source);
    }
  }

  #next(action: (process: NativeProcess) => unknown): void {
    this.#written = this.#written.then(() => this.#process).then(action).catch(() => undefined);
  }

  async #copy(source: AsyncIterable<Uint8Array | string>): Promise<void> {
    const process = await this.#process;
    for await (const chunk of source) {
      if (!await process.writeStdin(toBytes(chunk))) return;
    }
    process.closeStdin();
  }
}
