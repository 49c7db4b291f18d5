// Allow by path: everybody may see /public, who has the token /reports too, and nobody the
// rest.

import { createInterface } from 'node:readline/promises';

import { IngressRequestBlockedError, VM, type IngressAllowInfo } from 'gondolin';

function isAllowed({ path, headers }: IngressAllowInfo): boolean {
  // As it will be sent: dot segments are gone, and nothing else is decoded.
  if (path.startsWith('/public/')) return true;
  if (!path.startsWith('/reports/')) return false;
  if (headers['authorization'] !== 'Bearer open-sesame') {
    throw new IngressRequestBlockedError('a report without a token', 401, '', 'a token, please\n');
  }
  return true;
}

await using vm = await VM.create();
await vm.exec(`
  mkdir -p /srv/public /srv/reports && cd /srv
  echo hello > public/index.html; echo figures > reports/index.html; echo secret > key
`);
vm.exec(['python3', '-m', 'http.server', '8000'], { cwd: '/srv', buffer: false });
await vm.waitForPort(8000);

const ingress = await vm.enableIngress({ hooks: { isAllowed } });
await vm.setIngressRoutes([{ prefix: '/', port: 8000 }]);
console.log(`Open ${ingress.url}/public/ and press Enter here to end.`);

const terminal = createInterface({ input: process.stdin });
await terminal.question('');
terminal.close();
