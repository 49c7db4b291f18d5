// Quick start: a VM, a program in it, a web server in it, open in your browser.

import { createInterface } from 'node:readline/promises';

import { VM } from 'gondolin';

await using vm = await VM.create();  // builds the guest image the first time, in a minute

const { stdout } = await vm.exec('uname -sr');
console.log(`The guest runs ${stdout.trim()}`);

vm.exec(['python3', '-m', 'http.server', '8000'], { cwd: '/etc', buffer: false });
await vm.waitForPort(8000);

const ingress = await vm.enableIngress();
await vm.setIngressRoutes([{ prefix: '/', port: 8000 }]);
console.log(`Open ${ingress.url} and press Enter here to end.`);

const terminal = createInterface({ input: process.stdin });
await terminal.question('');
terminal.close();
