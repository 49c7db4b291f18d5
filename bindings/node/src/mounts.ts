// The mounts of a VM: what is to be where in the guest, and who serves it.

import type { NativeMount } from './native.js';
import { checkNames, checkObject, invalid } from './options.js';
import { MemoryProvider, ReadonlyProvider, RealFSProvider } from './providers.js';
import { ProviderCalls, type VfsHooks } from './vfs-calls.js';
import type { VirtualProvider } from './vfs.js';

/** What the guest's file system is made of besides its image. */
export interface VmVfsOptions {
  /**
   * Providers, by the absolute path in the guest that they are mounted at. The one at `/`
   * is at `fuseMount`.
   */
  mounts?: Record<string, VirtualProvider>;
  /** Called around each operation of every mount. */
  hooks?: VfsHooks;
  /** Where the provider at `/` is; `/data` by default. */
  fuseMount?: string;
}

const optionNames = new Set(['mounts', 'hooks', 'fuseMount']);
const hookNames = new Set(['before', 'after']);

function checkProvider(path: string, provider: VirtualProvider): void {
  for (const name of ['open', 'lstat', 'readdir'] as const) {
    if (typeof provider?.[name] !== 'function') {
      throw invalid(`the mount at ${path} must be a provider, with open(), lstat() and readdir()`);
    }
  }
}

/** Whether nobody has put methods of their own in the place of those of `kind`. */
function isPlain<T extends VirtualProvider>(
  provider: VirtualProvider, kind: abstract new (...args: never[]) => T,
): provider is T {
  return Object.getPrototypeOf(provider) === kind.prototype &&
    !Object.values(provider).some((value) => typeof value === 'function');
}

/** The mounts as the addon wants them. */
export class Mounts {
  /** For the addon. */
  readonly native: NativeMount[];
  readonly #calls: ProviderCalls[] = [];

  constructor(vfs: VmVfsOptions = {}) {
    checkObject('vfs', vfs);
    checkNames('vfs', vfs, optionNames);
    checkObject('vfs.hooks', vfs.hooks ?? {});
    checkNames('vfs.hooks', vfs.hooks ?? {}, hookNames);
    const { mounts = {}, fuseMount = '/data', hooks } = vfs;
    checkObject('vfs.mounts', mounts);
    this.native = Object.entries(mounts).filter(([path]) => path !== '/' || !(fuseMount in mounts))
      .map(([path, provider]) => {
        checkProvider(path, provider);
        const at = { path: path === '/' ? fuseMount : path, readOnly: provider.readonly === true };
        return { ...at, ...this.#served(path, provider, hooks) };
      });
  }

  /** Files of the library's are served by it, all others by calls of the provider. */
  #served(path: string, provider: VirtualProvider, hooks: VfsHooks | undefined): Partial<NativeMount> {
    const inner = isPlain(provider, ReadonlyProvider) ? provider.provider : provider;
    if (!hooks && isPlain(inner, MemoryProvider)) return { provider: inner.native };
    if (!hooks && isPlain(inner, RealFSProvider)) return { directory: inner.directory };
    const calls = new ProviderCalls(provider, path, hooks ?? {});
    this.#calls.push(calls);
    return { call: (operation, args, reply) => calls.call(operation, args, reply) };
  }

  /** The VM is closed. */
  end(): void {
    for (const calls of this.#calls) calls.end();
  }
}
