// The original's gateway without its VM: node original.mjs PORT BACKEND ROUTES
//
// Its IngressGateway asks the sandbox for streams and the listeners for routes; here
// the streams are TCP connections to this machine's loopback. Runs as a copy beside the
// node_modules that has the package.
import net from "node:net";
import { IngressGateway } from "@earendil-works/gondolin";

const [port, backend, count] = process.argv.slice(2).map(Number);

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
