// VM: a micro-VM from its start to its end.

import { randomUUID } from 'node:crypto';

import { nativeDebug, type DebugSettings, type DebugTopic } from './debug.js';
import { GondolinError } from './errors.js';
import { ExecProcess, nativeCommand, type EnvInput, type ExecOptions } from './exec.js';
import { VmFs } from './fs.js';
import {
  nativeIngressOptions, type EnableIngressOptions, type IngressAccess, type IngressRoute,
  type IngressRoutesEvent,
} from './ingress.js';
import { cancellable, native, prebuilt, type NativeGateway, type NativeVm } from './native.js';
import { Mounts, type VmVfsOptions } from './mounts.js';
import {
  checkAmount, checkFunction, checkInteger, checkNames, checkObject, checkSignal, invalid,
} from './options.js';
import { normalizedRoutes } from './routes.js';

/** What happened to a VM that its user may want to hear of. */
export interface VmEvent {
  /**
   * The guest runs under emulation; the first boot hung and is tried again; a guest daemon
   * came back after its death, and its streams were reset; the guest broke the protocol on
   * a channel, which starts over; the guest ended by itself.
   */
  kind: 'emulation' | 'boot-retry' | 'daemon-restarted' | 'protocol-error' | 'guest-died';
  /** The same in a line. */
  message: string;
}

/** A TCP port that a program in the guest listens on. */
export interface ListeningPort {
  /** The port. */
  port: number;
  /** Which connections reach it; ingress reaches `loopback` and `any`. */
  scope: 'loopback' | 'any' | 'other';
  /** Whether its socket is an IPv6 one. */
  ipv6: boolean;
  /** A process in the guest that has it open; 0 if none was found. */
  pid: number;
  /** That process's name. */
  process: string;
}

/** What {@link VMOptions} has too, where the original has it. */
export interface SandboxOptions {
  /** As `image`. */
  imagePath?: string;
  /** As there. */
  memory?: string | number;
  /** As there. */
  cpus?: number;
  /** As there. */
  debug?: boolean | readonly DebugTopic[];
}

/** What VM to start, and how. */
export interface VMOptions extends DebugSettings {
  /** An image's tag or id; the default image is built where there is none. */
  image?: string;
  /** The guest's memory: `1G`, the default, `512M`, or a number of MiB. */
  memory?: string | number;
  /** Virtual CPUs, 1 to 64; 2 by default. */
  cpus?: number;
  /** What executes the guest's instructions; `auto` by default. */
  accelerator?: 'auto' | 'kvm' | 'tcg';
  /** Whether to copy a guest that was booted before, the default, or to boot. */
  startFrom?: 'template' | 'boot';
  /** Directories in the guest that this program serves. */
  vfs?: VmVfsOptions;
  /** Variables for every program. */
  env?: EnvInput;
  /** false: `start()` is yet to be called, by the user or by what needs the guest. */
  autoStart?: boolean;
  /** How long starting may take; without a bound by default, or where it is not positive. */
  startTimeoutMs?: number;
  /** Ends a start that is in progress. */
  signal?: AbortSignal;
  /** Hears of what happens to the VM. */
  onEvent?: (event: VmEvent) => void;
  /** A name for people; kept in {@link VM.label}. */
  sessionLabel?: string;
  /** The same options where the original has them. */
  sandbox?: SandboxOptions;
}

/** How to run a shell. */
export interface ShellOptions {
  /** What to run; `bash` by default. */
  command?: string | string[];
  /** Set on top of the VM's environment. */
  env?: EnvInput;
  /** The working directory. */
  cwd?: string;
  /** Kills it. */
  signal?: AbortSignal;
  /** Whether to connect it to this process's terminal; by default where there is one. */
  attach?: boolean;
}

const optionNames = new Set<string>([
  'image', 'memory', 'cpus', 'accelerator', 'startFrom', 'vfs', 'env', 'autoStart', 'startTimeoutMs',
  'signal', 'onEvent', 'sessionLabel', 'sandbox', 'debug', 'debugLog',
] satisfies (keyof VMOptions)[]);
const waitNames = new Set(['timeoutMs', 'signal']);
const longestWaitMs = 2 ** 31 - 1;  // twenty-four days
const sandboxNames = new Set(['imagePath', 'memory', 'cpus', 'debug']);
// Options of the original about a network that our guests do not have.
const networkNames = new Set([
  'fetch', 'httpHooks', 'dns', 'ssh', 'tcp', 'maxHttpBodyBytes', 'maxHttpResponseBodyBytes',
  'allowWebSockets',
]);

function memoryMib(memory: string | number | undefined): number | undefined {
  if (memory === undefined || typeof memory === 'number') return memory;
  const parts = /^(\d+)([MGT]?)$/i.exec(memory);
  if (!parts) throw invalid(`memory must be like '512M' or '1G', not '${memory}'`);
  const scale = { '': 1, M: 1, G: 1024, T: 1024 * 1024 }[(parts[2] ?? '').toUpperCase()] ?? 1;
  return Number(parts[1]) * scale;
}

function checkOptions(options: VMOptions): void {
  checkObject('the options of VM.create', options);
  for (const name of Object.keys(options)) {
    if (networkNames.has(name)) {
      throw invalid(`'${name}' is not supported: the guest has no network, but ingress`);
    }
  }
  checkNames('VM.create', options, optionNames);
  checkFunction('onEvent', options.onEvent);
  checkSignal(options.signal);
}

function nativeOptions(options: VMOptions, mounts: Mounts): object {
  const sandbox = options.sandbox ?? {};
  checkObject('sandbox', sandbox);
  checkNames('sandbox', sandbox, sandboxNames);
  const { onEvent } = options;
  const debug = options.debug ?? sandbox.debug;
  return {
    image: options.image ?? sandbox.imagePath,
    memoryMib: memoryMib(options.memory ?? sandbox.memory),
    cpus: options.cpus ?? sandbox.cpus,
    accelerator: options.accelerator,
    startFrom: options.startFrom,
    mounts: mounts.native,
    guestDirectory: process.env['GONDOLIN_GUEST_DIR'] ?? `${prebuilt}guest`,
    onEvent: onEvent && ((kind: VmEvent['kind'], message: string) => onEvent({ kind, message })),
    ...nativeDebug({ ...options, ...(debug === undefined ? {} : { debug }) }),
  };
}

function startSignal(options: VMOptions): AbortSignal | undefined {
  const timeout = options.startTimeoutMs ?? 0;
  const signals = [
    ...(options.signal ? [options.signal] : []),
    ...(timeout > 0 ? [AbortSignal.timeout(timeout)] : []),
  ];
  return signals.length > 1 ? AbortSignal.any(signals) : signals[0];
}

/** The gateway of a VM. */
class VmIngress implements IngressAccess {
  readonly host: string;
  readonly port: number;
  readonly url: string;
  readonly #close: () => Promise<void>;

  constructor(gateway: NativeGateway, close: () => Promise<void>) {
    this.host = gateway.host;
    this.port = gateway.port;
    this.url = gateway.url;
    this.#close = close;
  }

  close(): Promise<void> {
    return this.#close();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }
}

/**
 * A micro-VM, gone with all that is in it when it is closed. It keeps the process running
 * until then.
 */
export class VM implements AsyncDisposable {
  /** A UUID. */
  readonly id: string = randomUUID();
  /** The name that `sessionLabel` gave it. */
  readonly label: string | undefined;
  /** The files in the guest. */
  readonly fs: VmFs;
  readonly #options: VMOptions;
  readonly #native: object;
  readonly #mounts: Mounts;
  readonly #closing = new AbortController();
  readonly #gateways = new Set<NativeGateway>();
  #starting: Promise<NativeVm> | undefined;
  #routes: Required<IngressRoute>[] = [];
  #nextProgram = 1;

  private constructor(options: VMOptions) {
    checkOptions(options);
    this.#options = options;
    this.#mounts = new Mounts(options.vfs);
    this.#native = nativeOptions(options, this.#mounts);
    this.label = options.sessionLabel;
    this.fs = new VmFs(async () => (await this.#running()).fs());
  }

  /**
   * Starts a VM; resolves when programs can run in it. Builds the default image first where
   * there is none, which takes a minute or two and needs the network.
   *
   * @param options the VM, and how to start it
   */
  static async create(options: VMOptions = {}): Promise<VM> {
    const vm = new VM(options);
    if (options.autoStart !== false) await vm.start();
    return vm;
  }

  /** Starts the VM, if that was not done. */
  async start(): Promise<void> {
    await this.#running();
  }

  async #running(): Promise<NativeVm> {
    if (this.#closing.signal.aborted) throw new GondolinError('CANCELLED', 'the VM was closed');
    this.#starting ??= this.#start();
    return this.#starting;
  }

  async #start(): Promise<NativeVm> {
    const signal = startSignal(this.#options);
    const ends = signal ? [this.#closing.signal, signal] : [this.#closing.signal];
    try {
      return await cancellable(AbortSignal.any(ends),
        (cancellation) => native.createVm(this.#native, cancellation));
    } catch (error) {
      if ((signal?.reason as Error | undefined)?.name === 'TimeoutError') {
        throw new GondolinError('TIMEOUT',
          `the VM did not start within ${this.#options.startTimeoutMs} ms`);
      }
      throw error;
    }
  }

  /** Ends the VM at once, with its programs and its gateway. May be called again. */
  async close(): Promise<void> {
    this.#closing.abort();
    const vm = await this.#starting?.catch(() => undefined);
    await vm?.close();
    this.#mounts.end();
    await Promise.all([...this.#gateways].map((gateway) => this.#closeGateway(gateway)));
  }

  /** The same as `close()`. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  /**
   * Runs a program. A string is run by the shell, `/bin/sh -lc`; of an array, the first is
   * the program, looked up in the guest's PATH, and the others are its arguments.
   *
   * @param command what to run
   * @param options how to run it
   */
  exec(command: string | readonly string[], options: ExecOptions = {}): ExecProcess {
    const wanted = nativeCommand(command, options, this.#options.env);
    return new ExecProcess(this.#nextProgram++,
      async () => (await this.#running()).exec(wanted), options);
  }

  /**
   * Runs a shell on a terminal, connected to this process's where there is one.
   *
   * @param options what shell, and how
   */
  shell(options: ShellOptions = {}): ExecProcess {
    checkObject('the options of shell', options);
    const { command = ['bash'], attach = process.stdin.isTTY && process.stdout.isTTY, ...rest } = options;
    const shell = this.exec(command, { ...rest, pty: true, stdin: true, stdout: 'pipe', stderr: 'pipe' });
    if (attach) shell.attach(process.stdin, process.stdout, process.stderr);
    return shell;
  }

  /**
   * Opens the VM's HTTP servers to this machine, by the routes in `/etc/gondolin/listeners`
   * inside the guest. One gateway may be open at a time.
   *
   * @param options where to listen, what to allow, hooks
   */
  async enableIngress(options: EnableIngressOptions = {}): Promise<IngressAccess> {
    const ingress = nativeIngressOptions('enableIngress', options);
    checkFunction('onRoutes', options.onRoutes);
    const wanted = {
      ...ingress,
      onRoutes: (event: IngressRoutesEvent) => {
        this.#routes = event.routes;
        options.onRoutes?.(event);
      },
    };
    const gateway = await (await this.#running()).enableIngress(wanted);
    this.#gateways.add(gateway);
    return new VmIngress(gateway, () => this.#closeGateway(gateway));
  }

  async #closeGateway(gateway: NativeGateway): Promise<void> {
    await gateway.close();
    this.#gateways.delete(gateway);
  }

  /**
   * The routes, as this process knows them: those in force while the gateway is open, else
   * those that were given or known last. {@link VM.readIngressRoutes} asks the guest.
   */
  getIngressRoutes(): Required<IngressRoute>[] {
    return this.#routes.map((route) => ({ ...route }));
  }

  /**
   * The routes in force, whether the gateway is open or not. Rejects with `CANCELLED` once
   * the VM was closed.
   */
  async readIngressRoutes(): Promise<Required<IngressRoute>[]> {
    this.#routes = await (await this.#running()).routes();
    return this.getIngressRoutes();
  }

  /**
   * Writes `/etc/gondolin/listeners` anew with these routes. They are in force when the
   * promise is fulfilled; nobody has to wait for that. Rejects with `CANCELLED` once the VM
   * was closed.
   *
   * @param routes all routes
   */
  async setIngressRoutes(routes: readonly IngressRoute[]): Promise<void> {
    const wanted = normalizedRoutes(routes);
    const before = this.#routes;
    this.#routes = wanted;
    try {
      await (await this.#running()).setRoutes(wanted);
    } catch (error) {
      if (this.#routes === wanted) this.#routes = before;
      throw error;
    }
  }

  /** The TCP ports that listen in the guest, sorted. */
  async listeningPorts(): Promise<ListeningPort[]> {
    return (await this.#running()).listeningPorts();
  }

  /**
   * Waits until a program in the guest listens on `port` where ingress reaches it.
   *
   * @param port the port
   * @param options how long to wait, 30 s by default, and what ends that
   */
  async waitForPort(
    port: number, options: { timeoutMs?: number; signal?: AbortSignal } = {},
  ): Promise<ListeningPort> {
    checkNames('waitForPort', options, waitNames);
    const { timeoutMs = 30_000, signal } = options;
    checkInteger('port', port ?? null, 1, 65_535);
    checkSignal(signal);
    checkAmount('timeoutMs', timeoutMs);
    const vm = await this.#running();
    const waited = Math.min(timeoutMs, longestWaitMs);
    return cancellable(signal, (cancellation) => vm.waitForPort(port, waited, cancellation));
  }
}
