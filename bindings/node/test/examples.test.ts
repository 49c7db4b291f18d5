// The examples of examples/typescript, each asked what it promises; Vite's is in vite.test.ts.

import assert from 'node:assert/strict';
import test, { after, before } from 'node:test';

import { compiledExamples, startedExample, type Ask } from './examples.js';
import { execFileAsync } from './support.js';

let project: string;
let cleanUp: () => Promise<void> = async () => undefined;
before(async () => {
  project = await compiledExamples({ after: (done) => { cleanUp = done; } });
}, { timeout: 300_000 });
after(() => cleanUp());

const withExample = (name: string, check: (ask: Ask) => Promise<void>): Promise<void> =>
  startedExample(project, [name], check);

test('quick start', { timeout: 120_000 }, () => withExample('quick_start', async (ask) => {
  assert.equal((await ask('/hostname')).body, 'gondolin\n');
}));

test('allow by path', { timeout: 120_000 }, () => withExample('allow_by_path', async (ask) => {
  assert.equal((await ask('/public/')).body, 'hello\n');
  assert.equal((await ask('/key')).status, 403);
  assert.equal((await ask('/public/../key')).status, 403);
  assert.equal((await ask('/%70ublic/')).status, 403);
  const refused = await ask('/reports/');
  assert.deepEqual([refused.status, refused.body], [401, 'a token, please\n']);
  const headers = { authorization: 'Bearer open-sesame' };
  assert.equal((await ask('/reports/', { headers })).body, 'figures\n');
}));

test('strip prefix', { timeout: 120_000 }, () => withExample('strip_prefix', async (ask) => {
  const first = await ask('/app');
  assert.equal(first.status, 302);
  assert.equal(first.headers.location, '/app/home');
  assert.deepEqual(first.headers['set-cookie'],
    ['session=1; Path=/app/; HttpOnly', 'theme=dark; path=/app/home']);
  assert.equal((await ask('/app/home')).body, 'home\n');
}));

test('CORS', { timeout: 120_000 }, () => withExample('cors', async (ask) => {
  const origin = 'http://localhost:5173';
  assert.equal((await ask('/', { headers: { origin } })).headers['access-control-allow-origin'], origin);
  const other = await ask('/', { headers: { origin: 'http://evil.example' } });
  assert.equal(other.headers['access-control-allow-origin'], undefined);
  const question = await ask('/', {
    method: 'OPTIONS', headers: { origin, 'access-control-request-method': 'PUT' },
  });
  assert.deepEqual([question.status, question.body], [204, '']);
  assert.equal(question.headers['access-control-allow-methods'], 'GET, POST, PUT, DELETE');
}));

test('rewrite HTML', { timeout: 120_000 }, () => withExample('rewrite_html', async (ask) => {
  const page = await ask('/', { headers: { 'accept-encoding': 'gzip' } });
  assert.equal(page.body,
    '<body><p>This page comes from a sandbox.</p><h1>Hello</h1></body>\n');
  assert.equal((await ask('/data.txt')).body, '<body>\n');
}));

for (const [name, wanted] of [
  ['switched_ingress', /The guest is called gondolin\nProgram 1 served 1 route\n$/],
  ['switched_files',
    /^from the host, color=green, yes\nRefused: 3\nfrom the guest\nOpened: true 1\n$/],
  ['switched_hooks', /^1 \{"NAME":"JSON"\}\n1 text\n403 Forbidden keep out\n$/],
] as [string, RegExp][]) {
  test(`the original's surface: ${name}`, { timeout: 120_000 }, async () => {
    const { stdout } = await execFileAsync(process.execPath, [`${name}.js`], { cwd: project });
    assert.match(stdout, wanted);
  });
}
