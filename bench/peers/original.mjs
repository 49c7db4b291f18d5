// The original's gateway without its VM: node original.mjs PORT BACKEND ROUTES
//
// Its IngressGateway asks the sandbox for streams and the listeners for routes; here
// the streams are TCP connections to this machine's loopback. Run from the folder whose
// node_modules has the package.
import net from "node:net";
import { createRequire } from "node:module";
import path from "node:path";
import { pathToFileURL } from "node:url";

const [port, backend, count] = process.argv.slice(2).map(Number);
const require = createRequire(path.join(process.cwd(), "package.json"));
const { IngressGateway } = await import(pathToFileURL(require.resolve("@earendil-works/gondolin")));

const routes = Array.from({ length: count }, (_, i) => ({
  prefix: i === 0 ? "/" : `/route-${i}`,
  port: backend,
  stripPrefix: false,
}));
const sandbox = {
  openIngressStream: (target) =>
    new Promise((resolve, reject) => {
      const socket = net.connect({ host: target.host, port: target.port, noDelay: true });
      socket.once("error", reject);
      socket.once("connect", () => {
        socket.off("error", reject);
        resolve(socket);
      });
    }),
};
const gateway = new IngressGateway(sandbox, { getRoutes: () => routes });
await gateway.listen({ listenHost: "127.0.0.1", listenPort: port });
