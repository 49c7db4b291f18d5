// A real browser on a real Vite dev server through the gateway: a file edited on
// disk changes the page without a reload; an EventSource gets its events at once.
import assert from 'node:assert/strict';
import { mkdir, writeFile } from 'node:fs/promises';
import path from 'node:path';
import test from 'node:test';
import { fileURLToPath } from 'node:url';

import { browserPage } from './browser.mjs';
import { accepting, freePort, gateway, httpServer, start, temporaryDirectory } from './harness.mjs';

const HERE = path.dirname(fileURLToPath(import.meta.url));
const VITE = path.join(HERE, 'node_modules/vite/bin/vite.js');

const PAGE = `<!doctype html>
<title>peer</title>
<p id="message"></p>
<script type="module" src="./main.js"></script>
`;

const MAIN = `import { message } from './message.js';
window.loads = Number(sessionStorage.getItem('loads') ?? 0) + 1;
sessionStorage.setItem('loads', window.loads);
const show = (text) => { document.querySelector('#message').textContent = text; };
show(message);
import.meta.hot.accept('./message.js', (module) => show(module.message));
`;

// A Vite project in a directory of its own, served with its own base path.
async function viteProject(t, base) {
  const project = path.join(await temporaryDirectory(t), 'project');
  await mkdir(project);
  await writeFile(path.join(project, 'index.html'), PAGE);
  await writeFile(path.join(project, 'main.js'), MAIN);
  await writeFile(path.join(project, 'message.js'), "export const message = 'before';\n");
  const port = await freePort();
  start(t, process.execPath, [VITE, '--host', '127.0.0.1', '--port', String(port), '--strictPort', '--base', base],
    { cwd: project });
  await accepting(port);
  return { project, port };
}

async function expectHotUpdate(page, address, project) {
  const connected = page.waitForEvent('console', (message) => message.text().includes('[vite] connected'));
  await page.goto(address);
  await connected;
  await page.waitForFunction(() => document.querySelector('#message').textContent === 'before');
  await writeFile(path.join(project, 'message.js'), "export const message = 'after';\n");
  await page.waitForFunction(() => document.querySelector('#message').textContent === 'after');
  assert.equal(await page.evaluate(() => window.loads), 1, 'the page was reloaded');
}

test('an edited file changes the page without a reload', { timeout: 60000 }, async (t) => {
  const { project, port } = await viteProject(t, '/');
  const url = await gateway(t, { '/': port });
  await expectHotUpdate(await browserPage(t), `${url}/`, project);
});

test('the same behind a prefix that is not stripped', { timeout: 60000 }, async (t) => {
  const { project, port } = await viteProject(t, '/app/');
  const url = await gateway(t, { '/app': `${port} strip_prefix=false` });
  await expectHotUpdate(await browserPage(t), `${url}/app/`, project);
});

test('an EventSource gets each event at once and reconnects', { timeout: 60000 }, async (t) => {
  let stream;
  let connections = 0;
  const port = await httpServer(t, (request, response) => {
    if (request.url !== '/events') {
      response.setHeader('Content-Type', 'text/html');
      response.end('<!doctype html><title>events</title>');
      return;
    }
    connections += 1;
    response.writeHead(200, { 'Content-Type': 'text/event-stream', 'Cache-Control': 'no-store' });
    response.write(`retry: 10\ndata: connection ${connections}\n\n`);
    stream = response;
  });
  const url = await gateway(t, { '/': port });
  const page = await browserPage(t);
  await page.goto(`${url}/`);
  await page.evaluate(() => {
    window.events = [];
    new EventSource('/events').onmessage = (event) => window.events.push(event.data);
  });
  await page.waitForFunction(() => window.events.includes('connection 1'));
  stream.write('data: hello\n\n');
  await page.waitForFunction(() => window.events.includes('hello'));
  stream.end();
  await page.waitForFunction(() => window.events.includes('connection 2'));
});

test('a WebSocket from another origin is refused', { timeout: 60000 }, async (t) => {
  const port = await httpServer(t, (request, response) => response.end('<!doctype html>'));
  const url = await gateway(t, { '/': port });
  const elsewhere = await httpServer(t, (request, response) => {
    response.setHeader('Content-Type', 'text/html');
    response.end('<!doctype html><title>elsewhere</title>');
  });
  const page = await browserPage(t);
  await page.goto(`http://localhost:${elsewhere}/`);
  const outcome = await page.evaluate((address) => new Promise((resolve) => {
    const socket = new WebSocket(address);
    socket.onopen = () => resolve('open');
    socket.onerror = () => resolve('refused');
  }), url.replace(/^http/, 'ws'));
  assert.equal(outcome, 'refused');
});
