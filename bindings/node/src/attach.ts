// A program connected to a terminal: keys go to it as they are typed, its output and the
// terminal's size follow, and the terminal is as before when it has ended.

import type { Readable } from 'node:stream';

/** What of an ExecProcess this needs. */
interface Attachable {
  readonly stdout: Readable | null;
  readonly stderr: Readable | null;
  readonly result: Promise<unknown>;
  write(data: Uint8Array): void;
  end(): void;
  resize(rows: number, columns: number): void;
}

/** @internal */
export function attachTerminal(
  program: Attachable, stdin: NodeJS.ReadStream, stdout: NodeJS.WriteStream,
  stderr: NodeJS.WriteStream,
): void {
  const typed = (chunk: Buffer): void => program.write(chunk);
  const ended = (): void => program.end();
  const resized = (): void => program.resize(stdout.rows, stdout.columns);
  const raw = stdin.isTTY && !stdin.isRaw;

  if (raw) stdin.setRawMode(true);
  stdin.on('data', typed).on('end', ended).resume();
  if (stdout.isTTY) {
    stdout.on('resize', resized);
    resized();
  }
  program.stdout?.pipe(stdout, { end: false });
  program.stderr?.pipe(stderr, { end: false });

  const detach = (): void => {
    stdin.off('data', typed).off('end', ended).pause();
    stdout.off('resize', resized);
    if (raw) stdin.setRawMode(false);
  };
  program.result.then(detach, detach);
}
