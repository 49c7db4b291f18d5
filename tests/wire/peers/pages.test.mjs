// The gateway's own pages, in a real browser: they say what to do, refresh by
// themselves until the backend is up, and keep strangers' pages out.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { writeFile } from 'node:fs/promises';
import http from 'node:http';
import test from 'node:test';

import { browserPage } from './browser.mjs';
import { freePort, gateway, gatewayWithFile, httpServer, listen } from './harness.mjs';

const DONE = '<!doctype html><title>up</title><p id="up">the backend is up</p>';

function answer(request, response) {
  response.setHeader('Content-Type', 'text/html');
  response.end(DONE);
}

test('a refused port is named, and the page becomes the backend once it is up', { timeout: 60000 }, async (t) => {
  const port = await freePort();
  const url = await gateway(t, { '/app': port });
  const page = await browserPage(t);
  const response = await page.goto(`${url}/app/`);
  assert.equal(response.status(), 502);
  assert.match(await page.textContent('body'), new RegExp(`/app leads to port ${port}`));
  const server = http.createServer(answer).listen(port, '127.0.0.1');
  t.after(() => { server.closeAllConnections(); server.close(); });
  await once(server, 'listening');
  await page.waitForSelector('#up');
});

test('a missing route shows the table, and the page follows the file', { timeout: 60000 }, async (t) => {
  const port = await httpServer(t, answer);
  const { url, file } = await gatewayWithFile(t, { '/elsewhere': port });
  const page = await browserPage(t);
  const response = await page.goto(`${url}/here?<b>`);
  assert.equal(response.status(), 404);
  const text = await page.textContent('body');
  assert.match(text, /No prefix in the listeners file matches \/here/);
  assert.match(text, new RegExp(`/elsewhere +:${port}`));
  await writeFile(file, `/ :${port}\n`);
  await page.waitForSelector('#up');
});

test('a bad file is reported on the page with its line', { timeout: 60000 }, async (t) => {
  const { url, file } = await gatewayWithFile(t, {});
  const page = await browserPage(t);
  await page.goto(`${url}/`);
  await writeFile(file, '/ :80x\n');
  await page.waitForFunction(() => document.body.textContent.includes("line 1: invalid port ':80x'"));
});

// DNS rebinding: the attacker's name leads to 127.0.0.1, so the browser takes the
// gateway for the attacker's own origin.
test('a page whose name was rebound to the loopback reads nothing', { timeout: 60000 }, async (t) => {
  let requests = 0;
  const port = await httpServer(t, (request, response) => {
    requests += 1;
    response.end('secret');
  });
  const url = await gateway(t, { '/': port });
  const page = await browserPage(t, 'MAP attacker.test 127.0.0.1');
  const response = await page.goto(`${url.replace('127.0.0.1', 'attacker.test')}/`);
  assert.equal(response.status(), 421);
  assert.match(await page.textContent('body'), /--ingress-host/);
  const read = await page.evaluate(() => fetch('/secret').then((answer) => answer.status, () => 'blocked'));
  assert.ok(read === 421 || read === 'blocked', read);
  assert.equal(requests, 0);
});

// The same stranger, served from a server of its own, goes for the sandbox from there.
test('a page of another origin opens no WebSocket and reads nothing', { timeout: 60000 }, async (t) => {
  let upgrades = 0;
  const backend = http.createServer((request, response) => response.end('secret'));
  backend.on('upgrade', (request, socket) => {
    upgrades += 1;
    socket.destroy();
  });
  const gatewayPort = new URL(await gateway(t, { '/': await listen(t, backend) })).port;
  const strangerPort = await httpServer(t, answer);
  const page = await browserPage(t, 'MAP evil.test 127.0.0.1');
  await page.goto(`http://evil.test:${strangerPort}/`);
  const opened = (host) => page.evaluate((url) => new Promise((resolve) => {
    const socket = new WebSocket(url);
    socket.onopen = () => resolve(true);
    socket.onerror = () => resolve(false);
  }), `ws://${host}:${gatewayPort}/`);
  const status = async (host) => {
    const said = page.waitForEvent('console', (message) => message.text().includes('response code'));
    assert.equal(await opened(host), false, host);
    return /response code: (\d+)/.exec((await said).text())[1];
  };
  assert.equal(await status('127.0.0.1'), '403');
  assert.equal(await status('evil.test'), '421');
  assert.equal(upgrades, 0);
  const read = await page.evaluate((url) => fetch(url).then((response) => response.text(), () => 'blocked'),
    `http://127.0.0.1:${gatewayPort}/secret`);
  assert.equal(read, 'blocked');
});
