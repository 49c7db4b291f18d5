// Buffer and rewrite: HTML pages get a banner; everything else streams through untouched.

import { createInterface } from 'node:readline/promises';

import {
  VM, type IngressHookRequest, type IngressHookRequestPatch, type IngressHookResponse,
  type IngressHookResponsePatch,
} from 'gondolin';

const banner = '<p>This page comes from a sandbox.</p>';

function onRequest({ path }: IngressHookRequest): IngressHookRequestPatch | void {
  if (!/(\/|\.html)(\?|$)/.test(path)) return;
  // As text and not compressed, for onResponse is to read it.
  return { bufferResponseBody: true, headers: { 'accept-encoding': null } };
}

function onResponse({ headers, body }: IngressHookResponse): IngressHookResponsePatch | void {
  if (!body || !String(headers['content-type']).startsWith('text/html')) return;
  const page = body.toString().replace(/<body[^>]*>/i, (tag) => tag + banner);
  return { body: page, headers: { etag: null } };
}

await using vm = await VM.create();
await vm.exec(`
  mkdir -p /srv && cd /srv
  echo '<body><h1>Hello</h1></body>' > index.html; echo '<body>' > data.txt
`);
vm.exec(['python3', '-m', 'http.server', '8000'], { cwd: '/srv', buffer: false });
await vm.waitForPort(8000);

const ingress = await vm.enableIngress({ hooks: { onRequest, onResponse } });
await vm.setIngressRoutes([{ prefix: '/', port: 8000 }]);
console.log(`Open ${ingress.url} and press Enter here to end.`);

const terminal = createInterface({ input: process.stdin });
await terminal.question('');
terminal.close();
