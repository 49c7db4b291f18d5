// What users of @earendil-works/gondolin write to open a server of the guest, with nothing
// but the import changed: routes without waiting, a server by the shell, both ends closed.

import { VM } from 'gondolin';

const vm = await VM.create();

const ingress = await vm.enableIngress({ listenHost: '127.0.0.1', listenPort: 0 });
vm.setIngressRoutes([{ prefix: '/', port: 8000, stripPrefix: true }]);

const server = vm.exec(['/bin/sh', '-lc', 'cd /etc && python -m http.server 8000'], {
  buffer: false,
  stdout: 'inherit',
  stderr: 'inherit',
});

let name = '';
while (name === '') {
  const response = await fetch(`${ingress.url}/hostname`);
  if (response.ok) name = await response.text();
}
console.log('The guest is called', name.trim());
console.log('Program', server.id, 'served', vm.getIngressRoutes().length, 'route');

await ingress.close();
await vm.close();
