// CORS: pages of one other origin may call the guest's server, which knows nothing of that.

import { createInterface } from 'node:readline/promises';

import {
  VM, type IngressHookRequest, type IngressHookResponse, type IngressHookResponsePatch,
} from 'gondolin';

const allowed = 'http://localhost:5173';

function onResponse(
  _: IngressHookResponse, { method, headers }: IngressHookRequest,
): IngressHookResponsePatch {
  if (headers['origin'] !== allowed) return { headers: { vary: 'Origin' } };
  const common = { 'vary': 'Origin', 'access-control-allow-origin': allowed };
  if (method !== 'OPTIONS' || headers['access-control-request-method'] === undefined) {
    return { headers: common };
  }
  // A browser asks before it sends: answered here, whatever the server said.
  return {
    statusCode: 204,
    headers: {
      ...common,
      'access-control-allow-methods': 'GET, POST, PUT, DELETE',
      'access-control-allow-headers': 'Content-Type',
      'access-control-max-age': '600',
    },
  };
}

await using vm = await VM.create();
vm.exec(['python3', '-m', 'http.server', '8000'], { cwd: '/etc', buffer: false });
await vm.waitForPort(8000);

const ingress = await vm.enableIngress({ hooks: { onResponse } });
await vm.setIngressRoutes([{ prefix: '/', port: 8000 }]);
console.log(`Open ${ingress.url} and press Enter here to end.`);

const terminal = createInterface({ input: process.stdin });
await terminal.question('');
terminal.close();
