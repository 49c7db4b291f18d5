// The types of ingress, and options on their way to the addon.

import { nativeHooks } from './hooks.js';
import { checkNames } from './options.js';

/** One line of a listeners file. */
export interface IngressRoute {
  /**
   * Which requests: those whose path is this or goes on with a slash. Begins with `/`. Other
   * characters than those of ASCII are UTF-8 in a path.
   */
  prefix: string;
  /** The port of the loopback that they go to. */
  port: number;
  /** Whether the backend sees paths without the prefix; true by default. */
  stripPrefix?: boolean;
}

/** Why a listeners file was refused. */
export interface ListenersError {
  /** The line; 0 where it is the file as a whole. */
  line: number;
  /** What is wrong with it. */
  reason: string;
}

/** What a listeners file says now. */
export interface IngressRoutesEvent {
  /** The routes in force. */
  routes: Required<IngressRoute>[];
  /** Set when the file was refused: the last good one is in force. */
  error?: ListenersError;
  /** What is odd about what is in force. */
  warnings: string[];
}

/** A field's value; several where the field came several times. */
export type IngressHeaderValue = string | string[];

/** Fields of a message by their names in lower case. A character is a byte, up to U+00FF. */
export type IngressHeaders = Record<string, IngressHeaderValue>;

/** Fields to replace, by name in any case; null removes a field, undefined leaves it. */
export type IngressHeaderPatch = Record<string, IngressHeaderValue | null | undefined>;

/**
 * The same as pairs: a `Headers`, a `Map`, an array or any other iterable of them. A name
 * that comes several times has several values.
 */
export type IngressHeaderPairs =
  Iterable<readonly [name: string, value: IngressHeaderValue | null | undefined]>;

/** What `isAllowed` is asked about. */
export interface IngressAllowInfo {
  /** The client's address, without brackets. */
  clientIp: string;
  /** The method; case matters. */
  method: string;
  /** The path as it was routed, dot segments removed, with its query. A character is a byte. */
  path: string;
  /** The fields as the client sent them. */
  headers: IngressHeaders;
  /** The route that was chosen. */
  route: Required<IngressRoute>;
}

/** A request on its way to the backend. */
export interface IngressHookRequest extends IngressAllowInfo {
  /** Where it goes: `127.0.0.1`. */
  backendHost: string;
  /** The port that it goes to. */
  backendPort: number;
  /** Path and query that the backend gets, without the route's prefix if it is stripped. */
  backendTarget: string;
}

/** What to change of a request. */
export interface IngressHookRequestPatch {
  /** Another method, not CONNECT. */
  method?: string | undefined;
  /** `127.0.0.1`, `::1` or `localhost`: nothing but the loopback. */
  backendHost?: string | undefined;
  /** Another port, 1 to 65535. */
  backendPort?: number | undefined;
  /** Another path and query. */
  backendTarget?: string | undefined;
  /** Fields to replace or remove. */
  headers?: IngressHeaderPatch | IngressHeaderPairs | undefined;
  /** In place of the option of that name, for the response to this request. */
  bufferResponseBody?: boolean | undefined;
  /** In place of the option of that name, for the response to this request. */
  maxBufferedResponseBodyBytes?: number | undefined;
}

/** A response as the backend sent it. */
export interface IngressHookResponse {
  /** The status. */
  statusCode: number;
  /** The status message; may be empty. */
  statusMessage: string;
  /** The fields. */
  headers: IngressHeaders;
  /** The whole body, if it was buffered and there is one. */
  body?: Buffer;
}

/** What to change of a response. */
export interface IngressHookResponsePatch {
  /** Another status, 200 to 999. */
  statusCode?: number | undefined;
  /** Another status message. */
  statusMessage?: string | undefined;
  /** Fields to replace or remove. */
  headers?: IngressHeaderPatch | IngressHeaderPairs | undefined;
  /** Sent in place of the backend's body, with its Content-Length. */
  body?: Uint8Array | string | undefined;
}

/**
 * What a program has to say about each request and response. A hook may return a promise;
 * only its own request waits for it. One that throws or rejects is answered 502, or as an
 * {@link IngressRequestBlockedError} says.
 */
export interface IngressGatewayHooks {
  /** Whether the request may come in; whatever is not truthy is answered 403. */
  isAllowed?: (info: IngressAllowInfo) => Promise<boolean> | boolean;
  /** Changes the request before it goes to the backend. */
  onRequest?: (
    request: IngressHookRequest,
  ) => Promise<IngressHookRequestPatch | void> | IngressHookRequestPatch | void;
  /** Changes the response before it goes to the client. */
  onResponse?: (
    response: IngressHookResponse,
    request: IngressHookRequest,
  ) => Promise<IngressHookResponsePatch | void> | IngressHookResponsePatch | void;
}

/** How the gateway listens and what it allows. */
export interface EnableIngressOptions {
  /** The address to listen on; `127.0.0.1` by default. */
  listenHost?: string;
  /** The port; 0, the default, is any that is free. */
  listenPort?: number;
  /** Host names beyond loopback's own that requests may be for; `*` for all. */
  allowedHosts?: string[];
  /** Whether WebSockets may be opened; true by default. */
  allowWebSockets?: boolean;
  /** What the program has to say about requests and responses. */
  hooks?: IngressGatewayHooks;
  /** Gets what the listeners file says when the gateway opens, and whenever that changes. */
  onRoutes?: (event: IngressRoutesEvent) => void;
  /** Whether `onResponse` sees bodies, which are then read to their end first. */
  bufferResponseBody?: boolean;
  /** A longer body than this cannot be buffered and is answered 502; 2 MiB by default. */
  maxBufferedResponseBodyBytes?: number;
  /** How long a connection to the port may take; 2 s by default. */
  connectTimeoutMs?: number;
  /** How long the response's header may take; 60 s by default. */
  upstreamHeaderTimeoutMs?: number;
  /** How long a response's body may be silent; without a bound by default. */
  upstreamResponseTimeoutMs?: number;
  /** How long a request's header may take; 30 s by default. */
  requestHeaderTimeoutMs?: number;
  /** How long a connection may idle; 60 s by default. */
  idleTimeoutMs?: number;
  /** The longest header of a message; 64 KiB by default. */
  maxHeaderBytes?: number;
  /** The most fields of a header; 128 by default. */
  maxHeaderFields?: number;
  /** The longest request line; 16 KiB by default. */
  maxRequestLineBytes?: number;
  /** The most clients that are connected at a time; 1,024 by default. */
  maxConnections?: number;
}

/** An open gateway. Keeps the process running until it is closed. */
export interface IngressAccess extends AsyncDisposable {
  /** The address that it listens on, IPv6 without brackets. */
  readonly host: string;
  /** The port that it listens on. */
  readonly port: number;
  /** `http://127.0.0.1:58650` */
  readonly url: string;
  /**
   * Ends the gateway and all its connections within a second. May be called again. No hook
   * is called once the promise is fulfilled.
   */
  close(): Promise<void>;
}

const optionNames = new Set<string>([
  'listenHost', 'listenPort', 'allowedHosts', 'allowWebSockets', 'hooks', 'onRoutes', 'bufferResponseBody',
  'maxBufferedResponseBodyBytes', 'connectTimeoutMs', 'upstreamHeaderTimeoutMs',
  'upstreamResponseTimeoutMs', 'requestHeaderTimeoutMs', 'idleTimeoutMs', 'maxHeaderBytes',
  'maxHeaderFields', 'maxRequestLineBytes', 'maxConnections',
] satisfies (keyof EnableIngressOptions)[]);

/**
 * The options as the addon wants them.
 * @internal
 */
export function nativeIngressOptions(what: string, options: EnableIngressOptions): object {
  checkNames(what, options, optionNames);
  const hooks = options.hooks ?? undefined;
  return { ...options, hooks: hooks === undefined ? undefined : nativeHooks(hooks) };
}
