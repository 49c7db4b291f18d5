// The hooks that users of @earendil-works/gondolin write, with nothing but the import
// changed: a refusal with an answer of its own, another target and fields for the backend,
// a body that is buffered for some requests and rewritten.

import { IngressRequestBlockedError, VM } from 'gondolin';

const vm = await VM.create();

await vm.exec(`mkdir -p /srv && cd /srv && echo '{"name":"json"}' > data.json && echo text > data.txt`);
vm.exec(['/bin/sh', '-lc', 'cd /srv && exec python -m http.server 8000'], { buffer: false });

const { url } = await vm.enableIngress({
  hooks: {
    isAllowed: ({ clientIp, path }) => {
      if (path.startsWith('/admin')) {
        throw new IngressRequestBlockedError(`no admin for ${clientIp}`, 403, 'Forbidden', 'keep out\n');
      }
      return true;
    },
    onRequest: ({ backendTarget }) => ({
      backendTarget: backendTarget.replace(/^\/api\//, '/'),
      headers: { 'x-added': '1', 'x-remove': null },
      bufferResponseBody: backendTarget.endsWith('.json'),
      maxBufferedResponseBodyBytes: 8 * 1024 * 1024,
    }),
    onResponse: (response) => ({
      headers: { 'x-ingress': '1' },
      body: response.body ? Buffer.from(response.body.toString('utf8').toUpperCase()) : undefined,
    }),
  },
});
vm.setIngressRoutes([{ prefix: '/', port: 8000, stripPrefix: true }]);

let buffered = await fetch(`${url}/api/data.json`);
while (buffered.status !== 200) buffered = await fetch(`${url}/api/data.json`);
console.log(buffered.headers.get('x-ingress'), (await buffered.text()).trim());

const streamed = await fetch(`${url}/data.txt`);
console.log(streamed.headers.get('x-ingress'), (await streamed.text()).trim());

const refused = await fetch(`${url}/admin`);
console.log(refused.status, refused.statusText, (await refused.text()).trim());

await vm.close();
