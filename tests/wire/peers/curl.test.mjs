// curl through the gateway: the options people use.
import assert from 'node:assert/strict';
import { createHash, randomBytes } from 'node:crypto';
import { readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import test from 'node:test';

import { bodyOf, gateway, httpServer, run, temporaryDirectory } from './harness.mjs';

const sha256 = (bytes) => createHash('sha256').update(bytes).digest('hex');

// A server that answers with what it got.
function mirror(t) {
  return httpServer(t, async (request, response) => {
    const body = await bodyOf(request);
    response.setHeader('Content-Type', 'application/json');
    response.end(JSON.stringify({
      method: request.method, url: request.url, headers: request.headers, sha256: sha256(body), length: body.length,
    }));
  });
}

const curl = async (...args) => (await run('curl', ['--silent', '--show-error', '--max-time', '20', ...args])).stdout;

test('a plain GET arrives', async (t) => {
  const url = await gateway(t, { '/': await mirror(t) });
  const got = JSON.parse(await curl(`${url}/a?b=c`));
  assert.equal(got.method, 'GET');
  assert.equal(got.url, '/a?b=c');
  assert.equal(got.headers.connection, 'close');
  assert.equal(got.headers['x-forwarded-host'], new URL(url).host);
});

test('--http2 is served as HTTP/1.1', async (t) => {
  const url = await gateway(t, { '/': await mirror(t) });
  const got = JSON.parse(await curl('--http2', `${url}/`));
  assert.equal(got.headers.upgrade, undefined);
  assert.equal(got.headers['http2-settings'], undefined);
  assert.equal(await curl('--http2', '-o', '/dev/null', '-w', '%{http_code} %{http_version}', `${url}/`), '200 1.1');
});

test('--http2 with a POST is served as HTTP/1.1', async (t) => {
  const url = await gateway(t, { '/': await mirror(t) });
  const got = JSON.parse(await curl('--http2', '--data', 'hello', `${url}/`));
  assert.equal(got.sha256, sha256('hello'));
});

test('--http1.0 is served', async (t) => {
  const url = await gateway(t, { '/': await mirror(t) });
  assert.equal(JSON.parse(await curl('--http1.0', `${url}/x`)).url, '/x');
});

test('--head ends without a body', async (t) => {
  const url = await gateway(t, { '/': await mirror(t) });
  assert.match(await curl('--head', `${url}/`), /^HTTP\/1\.1 200 OK\r\n/);
});

test('-T uploads a file with Expect', async (t) => {
  const url = await gateway(t, { '/': await mirror(t) });
  const file = path.join(await temporaryDirectory(t), 'upload');
  const bytes = randomBytes(8 * 1024 * 1024 + 7);
  await writeFile(file, bytes);
  const got = JSON.parse(await curl('-T', file, '-H', 'Expect: 100-continue', `${url}/up`));
  assert.equal(got.method, 'PUT');
  assert.equal(got.headers['content-length'], String(bytes.length));
  assert.equal(got.sha256, sha256(bytes));
});

test('-T - uploads a stream in chunks', async (t) => {
  const url = await gateway(t, { '/': await mirror(t) });
  const file = path.join(await temporaryDirectory(t), 'upload');
  const bytes = randomBytes(3_000_000);
  await writeFile(file, bytes);
  const { stdout } = await run('sh', ['-c', 'curl --silent --max-time 20 -T - "$1" < "$2"', 'sh', `${url}/up`, file]);
  const got = JSON.parse(stdout);
  assert.equal(got.headers['transfer-encoding'], 'chunked');
  assert.equal(got.sha256, sha256(bytes));
});

test('a refusal during an upload is seen', async (t) => {
  const port = await httpServer(t, (request, response) => {
    response.writeHead(413, { Connection: 'close' });
    response.end('too big\n', () => request.destroy());
  });
  const url = await gateway(t, { '/': port });
  const file = path.join(await temporaryDirectory(t), 'upload');
  await writeFile(file, Buffer.alloc(20_000_000));
  const out = await curl('-T', file, '-w', '%{http_code}', `${url}/up`);
  assert.equal(out, 'too big\n413');
});

test('a large download arrives byte for byte', async (t) => {
  const bytes = randomBytes(16 * 1024 * 1024);
  const port = await httpServer(t, (request, response) => response.end(bytes));
  const url = await gateway(t, { '/': port });
  const file = path.join(await temporaryDirectory(t), 'download');
  await curl('-o', file, `${url}/`);
  assert.equal(sha256(await readFile(file)), sha256(bytes));
});

test('several URLs share one connection', async (t) => {
  const url = await gateway(t, { '/': await mirror(t) });
  const out = await curl('-o', '/dev/null', '-o', '/dev/null', '-o', '/dev/null', '-w', '%{num_connects} ',
    `${url}/1`, `${url}/2`, `${url}/3`);
  assert.equal(out.trim(), '1 0 0');
});

test('--path-as-is cannot leave its route', async (t) => {
  const secret = await httpServer(t, (request, response) => response.end('secret'));
  const url = await gateway(t, { '/': await mirror(t), '/private': secret });
  assert.equal(JSON.parse(await curl('--path-as-is', `${url}/private/../x`)).url, '/x');
});

test('a proxy-style request is served', async (t) => {
  const url = await gateway(t, { '/': await mirror(t) });
  assert.equal(JSON.parse(await curl('--proxy', url, 'http://localhost/x')).url, '/x');
});

test('a broken body is an error', async (t) => {
  const port = await httpServer(t, (request, response) => {
    response.writeHead(200, { 'Content-Length': '100' });
    response.write('part', () => response.destroy());
  });
  const url = await gateway(t, { '/': port });
  await assert.rejects(curl(`${url}/`), (error) => error.code === 18 || error.code === 56);
});
