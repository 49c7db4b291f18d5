// A stripped prefix: the guest's server believes that it is at "/", and is shown at "/app".
// Where it redirects to, and the paths of its cookies, are rewritten on the way out.

import { createInterface } from 'node:readline/promises';

import {
  VM, type IngressHookRequest, type IngressHookResponse, type IngressHookResponsePatch,
} from 'gondolin';

const server = `
from http.server import *
class Handler(BaseHTTPRequestHandler):
    def do_GET(self):
        if self.path == '/home':
            self.send_response(200)
            self.end_headers()
            self.wfile.write(b'home\\n')
        else:
            self.send_response(302)
            self.send_header('Location', '/home')
            self.send_header('Set-Cookie', 'session=1; Path=/; HttpOnly')
            self.send_header('Set-Cookie', 'theme=dark; path=/home')
            self.end_headers()
ThreadingHTTPServer(('127.0.0.1', 8000), Handler).serve_forever()
`;

// A path on the server as the browser must see it. "//host" is no path.
const underPrefix = (path: string, prefix: string): string =>
  (/^\/(?!\/)/.test(path) ? prefix + path : path);

const moveCookie = (cookie: string, prefix: string): string => cookie.replace(
  /(;\s*path=)([^;]*)/i, (_, name: string, path: string) => name + underPrefix(path, prefix));

function onResponse(
  { headers }: IngressHookResponse, { route }: IngressHookRequest,
): IngressHookResponsePatch | void {
  const { prefix, stripPrefix } = route;
  if (prefix === '/' || !stripPrefix) return;
  const location = headers['location'];
  const cookies = [headers['set-cookie'] ?? []].flat();
  return {
    headers: {
      'location': typeof location === 'string' ? underPrefix(location, prefix) : undefined,
      'set-cookie': cookies.length > 0 ? cookies.map((cookie) => moveCookie(cookie, prefix)) : undefined,
    },
  };
}

await using vm = await VM.create();
vm.exec(['python3', '-c', server], { buffer: false });
await vm.waitForPort(8000);

const ingress = await vm.enableIngress({ hooks: { onResponse } });
await vm.setIngressRoutes([{ prefix: '/app', port: 8000 }]);
console.log(`Open ${ingress.url}/app/ and press Enter here to end.`);

const terminal = createInterface({ input: process.stdin });
await terminal.question('');
terminal.close();
