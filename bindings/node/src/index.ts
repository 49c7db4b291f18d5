/**
 * Gondolin: throw-away micro-VMs for code you do not trust, with their web servers open in
 * your browser.
 *
 * @packageDocumentation
 */

export { type DebugLogFn, type DebugSettings, type DebugTopic } from './debug.js';
export { GondolinError, IngressRequestBlockedError, type GondolinErrorCode } from './errors.js';
export {
  ExecProcess, ExecResult, type EnvInput, type ExecOptions,
} from './exec.js';
export {
  VmFs, VmFsStat, type VmFsAccessOptions, type VmFsDeleteOptions, type VmFsMkdirOptions,
  type VmFsOptions, type VmFsReadFileOptions, type VmFsReadFileStreamOptions,
  type VmFsWriteFileInput, type VmFsWriteFileOptions,
} from './fs.js';
export { openGateway, type Gateway, type GatewayOptions } from './gateway.js';
export type {
  EnableIngressOptions, IngressAccess, IngressAllowInfo, IngressGatewayHooks, IngressHeaderPairs,
  IngressHeaderPatch, IngressHeaders, IngressHeaderValue, IngressHookRequest,
  IngressHookRequestPatch, IngressHookResponse, IngressHookResponsePatch, IngressRoute,
  IngressRoutesEvent, ListenersError,
} from './ingress.js';
export { type VmVfsOptions } from './mounts.js';
export {
  MemoryProvider, ReadonlyProvider, RealFSProvider, type DirectoryNames, type MemoryFile,
  type MemoryProviderOptions, type MkdirOptions, type ReaddirOptions, type RealFile,
} from './providers.js';
export { type ExecOutputMode, type OutputChunk } from './output.js';
export { type StdinSource } from './stdin.js';
export { type Encoding, type EncodingOptions, type FileData } from './provider-files.js';
export { type VfsHookContext, type VfsHooks } from './vfs-calls.js';
export {
  ERRNO, isWriteFlag, normalizeVfsPath, ReadonlyVirtualProvider, VirtualProviderClass,
  type Promised, type VfsStatfs, type VirtualEntry, type VirtualFileHandle, type VirtualProvider,
  type VirtualProviderConstructor, type VirtualRead, type VirtualStats, type VirtualWritten,
} from './vfs.js';
export {
  VM, type ListeningPort, type SandboxOptions, type ShellOptions, type VmEvent, type VMOptions,
} from './vm.js';
