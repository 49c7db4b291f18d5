// A Vite project of this machine's, run by the guest's Node: edit a file here, and the page
// in your browser changes.
//
//   gondolin image build --package nodejs --tag nodejs
//   cd examples/vite-project && npm install
//   node vite.js examples/vite-project

import { createInterface } from 'node:readline/promises';

import { RealFSProvider, VM } from 'gondolin';

const [project] = process.argv.slice(2);
if (project === undefined) throw new Error('usage: node vite.js PROJECT');

await using vm = await VM.create({
  image: 'nodejs',
  vfs: { mounts: { '/project': new RealFSProvider(project) } },
});

vm.exec(['node', 'node_modules/vite/bin/vite.js', '--port', '5173', '--strictPort'],
  { cwd: '/project', buffer: false });
await vm.waitForPort(5173, { timeoutMs: 300_000 });  // some 20 s under emulation

const ingress = await vm.enableIngress();
await vm.setIngressRoutes([{ prefix: '/', port: 5173 }]);
console.log(`Open ${ingress.url} and press Enter here to end.`);

const terminal = createInterface({ input: process.stdin });
await terminal.question('');
terminal.close();
