// Python's http.server and the websockets library through the gateway.
import assert from 'node:assert/strict';
import { createHash, randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { writeFile } from 'node:fs/promises';
import path from 'node:path';
import test from 'node:test';

import WebSocket from 'ws';

import { accepting, freePort, gateway, lineOf, run, start, temporaryDirectory } from './harness.mjs';

// python3 -m http.server over `directory`; resolves to its port.
async function httpServerOver(t, directory) {
  const port = await freePort();
  start(t, 'python3', ['-m', 'http.server', String(port), '--bind', '127.0.0.1', '--directory', directory]);
  await accepting(port);
  return port;
}

// The Python that Debian's python3-websockets belongs to.
const DEBIAN_PYTHON = '/usr/bin/python3';

const ECHO_SERVER = `
import asyncio, websockets
async def echo(socket, path=None):
    async for message in socket:
        await socket.send(message)
async def main():
    async with websockets.serve(echo, "127.0.0.1", 0, max_size=None) as server:
        print("port", server.sockets[0].getsockname()[1], flush=True)
        await asyncio.Future()
asyncio.run(main())
`;

const ECHO_CLIENT = `
import asyncio, sys, websockets
async def main():
    async with websockets.connect(sys.argv[1], max_size=None) as socket:
        for size in (0, 1, 125, 126, 65536, 1000000):
            await socket.send(b"x" * size)
            assert await socket.recv() == b"x" * size
    print("ok")
asyncio.run(main())
`;

test('http.server answers GET', async (t) => {
  const directory = await temporaryDirectory(t);
  const bytes = randomBytes(900_000);
  await writeFile(path.join(directory, 'file.bin'), bytes);
  const url = await gateway(t, { '/': await httpServerOver(t, directory) });
  const response = await fetch(`${url}/file.bin`);
  const got = Buffer.from(await response.arrayBuffer());
  assert.equal(createHash('sha256').update(got).digest('hex'), createHash('sha256').update(bytes).digest('hex'));
});

test('http.server answers HEAD', async (t) => {
  const directory = await temporaryDirectory(t);
  await writeFile(path.join(directory, 'file.txt'), 'hello');
  const url = await gateway(t, { '/': await httpServerOver(t, directory) });
  const response = await fetch(`${url}/file.txt`, { method: 'HEAD' });
  assert.equal(response.status, 200);
  assert.equal(response.headers.get('content-length'), '5');
});

test('http.server answers 304', async (t) => {
  const directory = await temporaryDirectory(t);
  await writeFile(path.join(directory, 'file.txt'), 'hello');
  const url = await gateway(t, { '/': await httpServerOver(t, directory) });
  const since = new Date(Date.now() + 86_400_000).toUTCString();
  const response = await fetch(`${url}/file.txt`, { headers: { 'If-Modified-Since': since } });
  assert.equal(response.status, 304);
});

test('http.server lists a directory behind a prefix', async (t) => {
  const directory = await temporaryDirectory(t);
  await writeFile(path.join(directory, 'a name.txt'), 'hello');
  const url = await gateway(t, { '/files': await httpServerOver(t, directory) });
  assert.match(await (await fetch(`${url}/files/`)).text(), /a%20name\.txt/);
  assert.equal(await (await fetch(`${url}/files/a%20name.txt`)).text(), 'hello');
  assert.equal((await fetch(`${url}/files/none`)).status, 404);
});

test('a websockets server echoes to ws', async (t) => {
  const server = start(t, DEBIAN_PYTHON, ['-c', ECHO_SERVER]);
  const [, port] = await lineOf(server, /^port (\d+)$/);
  const url = await gateway(t, { '/': port });
  const socket = new WebSocket(url.replace(/^http/, 'ws'));
  t.after(() => socket.terminate());
  await once(socket, 'open');
  const message = randomBytes(300_000);
  socket.send(message);
  const [data] = await once(socket, 'message');
  assert.ok(data.equals(message));
});

test('a websockets client talks to a websockets server', async (t) => {
  const server = start(t, DEBIAN_PYTHON, ['-c', ECHO_SERVER]);
  const [, port] = await lineOf(server, /^port (\d+)$/);
  const url = await gateway(t, { '/py': port });
  const { stdout } = await run(DEBIAN_PYTHON, ['-c', ECHO_CLIENT, `${url.replace(/^http/, 'ws')}/py/echo`]);
  assert.equal(stdout, 'ok\n');
});

test('urllib and http.client read what Python serves', async (t) => {
  const directory = await temporaryDirectory(t);
  await writeFile(path.join(directory, 'file.txt'), 'hello');
  const url = await gateway(t, { '/': await httpServerOver(t, directory) });
  const { stdout } = await run('python3', ['-c', `
import http.client, urllib.request, sys
print(urllib.request.urlopen(sys.argv[1] + "/file.txt").read())
connection = http.client.HTTPConnection(sys.argv[1].removeprefix("http://"))
for _ in range(3):
    connection.request("GET", "/file.txt")
    print(connection.getresponse().read())
`, url]);
  assert.equal(stdout, 'b\'hello\'\n'.repeat(4));
});
