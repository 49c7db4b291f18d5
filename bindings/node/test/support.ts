// What the tests share: backends, a gateway in front of them, what the process holds, and
// the garbage collector. Nothing here waits for time to pass.

import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import http from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import type { TestContext } from 'node:test';
import { promisify } from 'node:util';
import v8 from 'node:v8';
import vm from 'node:vm';

import { openGateway, type Gateway, type GatewayOptions } from 'gondolin';

/** Who sees to what is to be done in the end: a test, or several. */
export interface Cleanup {
  after(done: () => Promise<void>): void;
}

export const execFileAsync = promisify(execFile);

/** Where the package is put together. */
export const packageDirectory = path.dirname(import.meta.dirname);

/** An empty project with the packed package installed, offline and without scripts. */
export async function consumerProject(t: Cleanup): Promise<string> {
  const project = await temporaryDirectory(t);
  await execFileAsync('npm', ['pack', '--ignore-scripts', '--pack-destination', project],
    { cwd: packageDirectory });
  const [tarball] = (await readdir(project)).filter((name) => name.endsWith('.tgz'));
  if (!tarball) throw new Error('npm pack made nothing');
  await writeFile(path.join(project, 'package.json'), '{ "private": true, "type": "module" }\n');
  await execFileAsync('npm',
    ['install', '--offline', '--ignore-scripts', '--no-audit', '--no-fund', `./${tarball}`],
    { cwd: project });
  return project;
}

/** A directory that is gone with the test. */
export async function temporaryDirectory(t: Cleanup): Promise<string> {
  const directory = await mkdtemp(path.join(tmpdir(), 'gondolin-node-'));
  t.after(() => rm(directory, { recursive: true, force: true }));
  return directory;
}

/** The port of a server that is gone with the test. */
export async function backend(t: TestContext, listener: http.RequestListener): Promise<number> {
  const server = http.createServer(listener);
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.after(() => {
    server.close();
    server.closeAllConnections();
  });
  return (server.address() as AddressInfo).port;
}

/** A backend that answers with what it got, as JSON. */
export function mirror(t: TestContext): Promise<number> {
  return backend(t, (request, response) => {
    response.setHeader('Content-Type', 'application/json');
    const { method, url, headers } = request;
    request.resume().on('end', () => response.end(JSON.stringify({ method, url, headers })));
  });
}

/** A listeners file that sends everything to `port`. */
export async function listenersFile(t: TestContext, port: number): Promise<string> {
  const file = path.join(await temporaryDirectory(t), 'listeners');
  await writeFile(file, `/ :${port}\n`);
  return file;
}

/** A gateway in front of `port` that is closed with the test. */
export async function gatewayTo(
  t: TestContext, port: number, options: Partial<GatewayOptions> = {},
): Promise<Gateway> {
  const gateway = await openGateway({ listeners: await listenersFile(t, port), ...options });
  t.after(() => gateway.close());
  return gateway;
}

export interface Answer {
  status: number;
  statusText: string;
  headers: http.IncomingHttpHeaders;
  rawHeaders: string[];
  body: string;
}

/** One request, on a connection of its own unless `options.agent` says otherwise. */
export async function request(url: string, options: http.RequestOptions = {}): Promise<Answer> {
  const outgoing = http.request(url, { agent: false, ...options });
  outgoing.end();
  const [response] = await once(outgoing, 'response') as [http.IncomingMessage];
  response.setEncoding('latin1');
  let body = '';
  for await (const chunk of response) body += chunk as string;
  return {
    status: response.statusCode ?? 0, statusText: response.statusMessage ?? '',
    headers: response.headers, rawHeaders: response.rawHeaders, body,
  };
}

/** A promise and the functions that settle it. */
export function gate<T = void>(): { promise: Promise<T>; open: (value: T) => void } {
  let open: (value: T) => void = () => undefined;
  const promise = new Promise<T>((resolve) => { open = resolve; });
  return { promise, open };
}

v8.setFlagsFromString('--expose-gc');
const gc = vm.runInNewContext('gc') as () => void;

/** Collects garbage, and runs what is to be run for what was collected. */
export async function collectGarbage(): Promise<void> {
  for (let i = 0; i < 4; ++i) {
    gc();
    await new Promise(setImmediate);
  }
}

/** Collects garbage until `done`, and fails after a hundred times. */
export async function collectUntil(done: () => boolean): Promise<void> {
  for (let i = 0; i < 100 && !done(); ++i) await collectGarbage();
  if (!done()) throw new Error('it is not collected');
}

/** What the process has open. */
export async function processHoldings(): Promise<{ descriptors: number; threads: number }> {
  const [descriptors, threads] =
    await Promise.all([readdir('/proc/self/fd'), readdir('/proc/self/task')]);
  return { descriptors: descriptors.length, threads: threads.length };
}

/**
 * Runs `script`, a module, in a Node of its own to its end, with `environment` over this one's,
 * and returns what it wrote.
 */
export async function runScript(
  script: string, args: string[] = [], environment: NodeJS.ProcessEnv = {},
): Promise<string> {
  const { stdout } = await execFileAsync(
    process.execPath, ['--input-type=module', '--eval', script, ...args],
    { cwd: import.meta.dirname, env: { ...process.env, ...environment }, timeout: 120_000 });
  return stdout;
}

/** Starts `script` like runScript(); resolves with its first output. */
export async function startScript(t: TestContext, script: string, ...args: string[]): Promise<string> {
  const child = spawn(process.execPath, ['--input-type=module', '--eval', script, ...args],
    { cwd: import.meta.dirname, stdio: ['ignore', 'pipe', 'inherit'] });
  const exited = once(child, 'exit');
  t.after(async () => {
    child.kill();
    await exited;
  });
  const [chunk] = await once(child.stdout, 'data') as [Buffer];
  return chunk.toString().trim();
}
