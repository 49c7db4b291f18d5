// The gateway without a VM.

import { nativeDebug, type DebugSettings } from './debug.js';
import {
  nativeIngressOptions, type EnableIngressOptions, type IngressAccess, type IngressRoute,
} from './ingress.js';
import { native, type NativeGateway } from './native.js';
import { checkObject } from './options.js';
import { normalizedRoutes } from './routes.js';

/** Options of {@link openGateway}. */
export interface GatewayOptions extends EnableIngressOptions, DebugSettings {
  /** The listeners file. It may come and go: no file means no routes. Its directory must exist. */
  listeners: string;
  /** Gets a sentence when the file changes into one that is refused or odd. */
  onWarning?: (message: string) => void;
}

/** An open gateway of a listeners file of this machine. */
export interface Gateway extends IngressAccess {
  /** A sentence for the user when the address is not the loopback, else empty. */
  readonly bindWarning: string;
  /** The routes in force. Rejects with `CANCELLED` once the gateway was closed. */
  getRoutes(): Promise<Required<IngressRoute>[]>;
  /**
   * Writes the listeners file anew with these routes and puts them in force. Rejects with
   * `CANCELLED` once the gateway was closed.
   */
  setRoutes(routes: readonly IngressRoute[]): Promise<void>;
}

class OpenGateway implements Gateway {
  readonly host: string;
  readonly port: number;
  readonly url: string;
  readonly bindWarning: string;
  readonly #native: NativeGateway;

  constructor(gateway: NativeGateway) {
    this.#native = gateway;
    this.host = gateway.host;
    this.port = gateway.port;
    this.url = gateway.url;
    this.bindWarning = gateway.bindWarning;
  }

  async getRoutes(): Promise<Required<IngressRoute>[]> {
    return this.#native.routes();
  }

  async setRoutes(routes: readonly IngressRoute[]): Promise<void> {
    await this.#native.setRoutes(normalizedRoutes(routes));
  }

  async close(): Promise<void> {
    await this.#native.close();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }
}

/**
 * Opens an ingress gateway without a VM: it routes to this machine's own loopback, by a
 * listeners file of this machine, which it watches. For trying routes and hooks,
 * containers, and tests.
 *
 * @param options where to listen, what to serve, hooks
 */
export async function openGateway(options: GatewayOptions): Promise<Gateway> {
  checkObject('the options of openGateway', options);
  const { listeners, onWarning, debug, debugLog, ...ingress } = options;
  const settings: DebugSettings = {};
  if (debug !== undefined) settings.debug = debug;
  if (debugLog !== undefined) settings.debugLog = debugLog;
  return new OpenGateway(await native.openGateway({
    ...nativeIngressOptions('openGateway', ingress), ...nativeDebug(settings), listeners, onWarning,
  }));
}
