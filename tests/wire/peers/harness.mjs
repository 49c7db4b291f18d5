// What every peer test needs: a gateway process in front of ports, child programs
// that are ended with the test, and waiting without sleeping.
//
// The gateway is the program named by the environment variable GONDOLIN_PROGRAM.
import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import http from 'node:http';
import net from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import readline from 'node:readline';
import { promisify } from 'node:util';

const execFileAsync = promisify(execFile);

// A directory that vanishes with the test `t`.
export async function temporaryDirectory(t) {
  const directory = await mkdtemp(path.join(tmpdir(), 'gondolin-peers-'));
  t.after(() => rm(directory, { recursive: true, force: true }));
  return directory;
}

// Starts `program`; it is ended, and its end awaited, with the test `t`.
export function start(t, program, args, options = {}) {
  const child = spawn(program, args, { stdio: ['ignore', 'pipe', 'pipe'], ...options });
  child.stderrText = '';
  child.stderr?.on('data', (data) => { child.stderrText += data; });
  t.after(async () => {
    if (child.exitCode !== null || child.signalCode !== null) return;
    const ended = once(child, 'exit');
    child.kill('SIGTERM');
    const hard = setTimeout(() => child.kill('SIGKILL'), 3000);
    await ended;
    clearTimeout(hard);
  });
  return child;
}

// The first line of the child's standard output that matches `pattern`.
export async function lineOf(child, pattern) {
  for await (const line of readline.createInterface({ input: child.stdout })) {
    const match = pattern.exec(line);
    if (match) {
      child.stdout.resume();
      return match;
    }
  }
  throw new Error(`the program ended without a line ${pattern}: ${child.stderrText}`);
}

// Starts a gateway whose table maps prefixes to ports; resolves to its URL without a
// slash at the end, and to the table's file.
export async function gatewayWithFile(t, routes) {
  const directory = await temporaryDirectory(t);
  const file = path.join(directory, 'listeners');
  await writeFile(file, Object.entries(routes).map(([prefix, port]) => `${prefix} :${port}\n`).join(''));
  const child = start(t, process.env.GONDOLIN_PROGRAM,
    ['gateway', '--listeners', file, '--listen', '127.0.0.1:0']);
  const [, url] = await lineOf(child, /^Ingress enabled: (http:\S+)$/);
  return { url, file };
}

// The same, for tests that need the URL alone.
export async function gateway(t, routes) {
  return (await gatewayWithFile(t, routes)).url;
}

// Listens with `server` on an ephemeral loopback port until the test `t` ends.
export async function listen(t, server) {
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.after(() => {
    server.closeAllConnections?.();
    server.close();
  });
  return server.address().port;
}

// A Node HTTP server with `handler`; resolves to its port.
export function httpServer(t, handler) {
  return listen(t, http.createServer(handler));
}

// A port that was free a moment ago, for programs that cannot choose one.
export async function freePort() {
  const server = net.createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address();
  server.close();
  await once(server, 'close');
  return port;
}

// Resolves once something accepts connections on the loopback port.
export async function accepting(port, deadline = Date.now() + 15000) {
  for (;;) {
    const socket = net.connect(port, '127.0.0.1');
    const outcome = await Promise.race([
      once(socket, 'connect').then(() => true, () => false),
      once(socket, 'close').then(() => false),
    ]);
    socket.destroy();
    if (outcome) return;
    if (Date.now() > deadline) throw new Error(`nothing listens on port ${port}`);
    await new Promise((resolve) => { setTimeout(resolve, 20); });
  }
}

// Runs `program` to its end; resolves to { stdout, stderr } as text, rejects if it
// fails.
export function run(program, args, options = {}) {
  return execFileAsync(program, args, { maxBuffer: 64 * 1024 * 1024, timeout: 30000, ...options });
}

// The whole body of a Node request or response, as a Buffer.
export async function bodyOf(stream) {
  const pieces = [];
  for await (const piece of stream) pieces.push(piece);
  return Buffer.concat(pieces);
}
