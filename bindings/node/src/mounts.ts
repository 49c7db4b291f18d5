// Directories of this machine in a guest.

import { checkNames, invalid } from './options.js';

/** A directory of this machine. The guest reaches nothing outside it, by no name or link. */
export class RealFSProvider {
  /** Its path on this machine. */
  readonly directory: string;

  /** @param directory its path on this machine */
  constructor(directory: string) {
    this.directory = directory;
  }
}

/** A provider that the guest may not change. */
export class ReadonlyProvider {
  /** What it may not change. */
  readonly provider: RealFSProvider;

  /** @param provider what it may not change */
  constructor(provider: RealFSProvider) {
    this.provider = provider;
  }
}

/** What the guest's file system is made of besides its image. */
export interface VmVfsOptions {
  /** Providers, by the absolute path in the guest that they are mounted at. */
  mounts?: Record<string, RealFSProvider | ReadonlyProvider>;
}

const optionNames = new Set(['mounts']);

/**
 * The mounts as the addon wants them.
 * @internal
 */
export function nativeMounts(vfs: VmVfsOptions | undefined): object[] {
  if (!vfs) return [];
  checkNames('vfs', vfs, optionNames);
  return Object.entries(vfs.mounts ?? {}).map(([path, provider]) => {
    const readOnly = provider instanceof ReadonlyProvider;
    const real = readOnly ? provider.provider : provider;
    if (!(real instanceof RealFSProvider)) {
      throw invalid(`the mount at ${path} must be a RealFSProvider or a ReadonlyProvider of one`);
    }
    return { path, directory: real.directory, readOnly };
  });
}
