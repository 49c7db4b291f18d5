// The addon, and the types of what it exports (addon/module.cpp). For this package alone:
// everything here is as the C++ side wants it, and rejects with GondolinError.

import { existsSync } from 'node:fs';
import { createRequire } from 'node:module';
import { fileURLToPath } from 'node:url';

import { GondolinError } from './errors.js';
import type { IngressRoute } from './ingress.js';
import type { ListeningPort } from './vm.js';

/** `[name, value, name, value, ...]` */
export type FlatHeaders = string[];

export interface NativeRoute {
  prefix: string;
  port: number;
  stripPrefix: boolean;
}

export interface NativeRequest {
  clientIp: string;
  method: string;
  path: string;
  headers: FlatHeaders;
  route: NativeRoute;
  backendHost: string;
  backendPort: number;
  backendTarget: string;
}

export interface NativeResponse {
  statusCode: number;
  statusMessage: string;
  headers: FlatHeaders;
  body?: Buffer;
}

/** An open question of the gateway's; to be handed to one of the reply functions, once. */
export interface NativeReply {
  readonly reply: unique symbol;
}

export interface NativeHooks {
  isAllowed?: (request: NativeRequest, reply: NativeReply) => void;
  onRequest?: (request: NativeRequest, reply: NativeReply) => void;
  onResponse?: (response: NativeResponse, request: NativeRequest, reply: NativeReply) => void;
}

export interface NativeGateway {
  readonly host: string;
  readonly port: number;
  readonly url: string;
  readonly bindWarning: string;
  routes(): Promise<NativeRoute[]>;
  setRoutes(routes: readonly NativeRoute[]): Promise<void>;
  close(): Promise<void>;
}

export interface NativeProcess {
  /** At most `max` bytes; none at the end. */
  readStdout(max: number): Promise<Buffer>;
  readStderr(max: number): Promise<Buffer>;
  /** Whether the program still reads. */
  writeStdin(bytes: Uint8Array): Promise<boolean>;
  wait(): Promise<{ code: number; signal: number }>;
  closeStdin(): void;
  closeStdout(): void;
  closeStderr(): void;
  resize(size: { rows: number; columns: number }): void;
  signal(number: number): void;
  kill(): void;
}

export interface NativeFileInfo {
  type: 'file' | 'directory' | 'symlink' | 'other';
  permissions: number;
  uid: number;
  gid: number;
  size: number;
  modifiedMs: number;
}

export interface NativeFileReader {
  /** At most `max` bytes; none at the end. */
  read(max: number): Promise<Buffer>;
  close(): void;
}

export interface NativeFileWriter {
  write(bytes: Uint8Array): Promise<void>;
  finish(): Promise<void>;
}

export interface NativeFs {
  read(path: string, max: number): Promise<Buffer>;
  openReader(path: string): Promise<NativeFileReader>;
  write(path: string, bytes: Uint8Array): Promise<void>;
  openWriter(path: string): Promise<NativeFileWriter>;
  list(path: string): Promise<string[]>;
  stat(path: string): Promise<NativeFileInfo>;
  makeDirectory(path: string, options: object): Promise<void>;
  rename(from: string, to: string): Promise<void>;
  remove(path: string, options: object): Promise<void>;
}

export interface NativeFileEntry {
  name: string;
  type: NativeFileInfo['type'];
}

export interface NativeOpen {
  read: boolean;
  write: boolean;
  truncate: boolean;
  append: boolean;
}

export interface NativeChanges {
  permissions?: number;
  uid?: number;
  gid?: number;
  size?: number;
  modifiedMs?: number;
}

/** At once from a memory provider, as a promise from a directory of this machine. */
type Answer<T> = T | Promise<T>;

export interface NativeProviderFile {
  attributes(): Answer<NativeFileInfo>;
  /** Shorter than `length` only at the end. */
  read(offset: number, length: number): Answer<Buffer>;
  write(offset: number, bytes: Uint8Array): Answer<number>;
  truncate(size: number): Answer<void>;
  sync(): Answer<void>;
  close(): void;
}

/** A file system of the library's. */
export interface NativeProvider {
  attributes(path: string): Answer<NativeFileInfo>;
  list(path: string): Answer<NativeFileEntry[]>;
  open(path: string, how: NativeOpen): Answer<NativeProviderFile>;
  create(path: string, permissions: number, how: NativeOpen): Answer<NativeProviderFile>;
  makeDirectory(path: string, permissions: number): Answer<void>;
  removeFile(path: string): Answer<void>;
  removeDirectory(path: string): Answer<void>;
  rename(from: string, to: string, mode: NativeRename): Answer<void>;
  change(path: string, changes: NativeChanges): Answer<void>;
  readLink(path: string): Answer<string>;
  makeLink(path: string, target: string): Answer<void>;
  usage(): Answer<NativeUsage>;
}

export type NativeRename = 'replace' | 'no-replace' | 'exchange';

export interface NativeUsage {
  totalBytes: number;
  freeBytes: number;
}

/** An open call of a mount's; to be handed to vfsAnswer or vfsFail, once. */
export interface NativeVfsReply {
  readonly vfsReply: unique symbol;
}

/** Calls a provider of this program. */
export type NativeVfsCall = (operation: string, args: never[], reply: NativeVfsReply) => void;

/** What is at a path of the guest: one of the last three. */
export interface NativeMount {
  path: string;
  readOnly: boolean;
  provider?: NativeProvider;
  directory?: string;
  call?: NativeVfsCall;
}

/** What ends a call in progress. */
export interface NativeCancellation {
  readonly cancellation: unique symbol;
}

export interface NativeVm {
  fs(): NativeFs;
  exec(command: object): Promise<NativeProcess>;
  listeningPorts(): Promise<ListeningPort[]>;
  waitForPort(
    port: number, milliseconds: number, cancellation: NativeCancellation,
  ): Promise<ListeningPort>;
  enableIngress(options: object): Promise<NativeGateway>;
  routes(): Promise<NativeRoute[]>;
  setRoutes(routes: readonly NativeRoute[]): Promise<void>;
  close(): Promise<void>;
}

export interface NativeModule {
  initialize(errorClass: typeof GondolinError): void;
  openGateway(options: object): Promise<NativeGateway>;
  createVm(options: object, cancellation: NativeCancellation): Promise<NativeVm>;
  /** The routes as they will be in force; throws for those that cannot be. */
  normalizeRoutes(routes: readonly IngressRoute[]): NativeRoute[];
  newCancellation(): NativeCancellation;
  cancel(cancellation: NativeCancellation): void;
  replyAnswer(reply: NativeReply, value: unknown): void;
  replyFail(reply: NativeReply, message: string): void;
  replyBlock(reply: NativeReply, blocked: object): void;
  vfsAnswer(reply: NativeVfsReply, value: unknown): void;
  /** With the errno, or where that is 0 with a message for the debug log. */
  vfsFail(reply: NativeVfsReply, errno: number, message: string): void;
  memoryProvider(maxBytes: number, maxFiles: number): NativeProvider;
  hostDirectory(path: string): Promise<NativeProvider>;
}

/** The directory with what the package carries for this machine. */
export const prebuilt = fileURLToPath(
  new URL(`../prebuilt/${process.platform}-${process.arch}/`, import.meta.url),
);

function load(): NativeModule {
  const file = `${prebuilt}gondolin.node`;
  if (!existsSync(file)) {
    throw new GondolinError('UNAVAILABLE',
      `this package has no build for ${process.platform} on ${process.arch} (no ${file})`);
  }
  const loaded = createRequire(import.meta.url)(file) as NativeModule;
  loaded.initialize(GondolinError);
  return loaded;
}

/** What the addon exports. */
export const native = load();

/** Calls `call`, and cancels that call when `signal` is aborted. */
export async function cancellable<T>(
  signal: AbortSignal | undefined, call: (cancellation: NativeCancellation) => Promise<T>,
): Promise<T> {
  const cancellation = native.newCancellation();
  const cancel = (): void => native.cancel(cancellation);
  if (signal?.aborted) cancel();
  signal?.addEventListener('abort', cancel, { once: true });
  try {
    return await call(cancellation);
  } finally {
    signal?.removeEventListener('abort', cancel);
  }
}
