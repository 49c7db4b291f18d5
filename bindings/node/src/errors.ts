// The errors of this package.

import { constants } from 'node:os';

/** What went wrong, for programs. */
export type GondolinErrorCode =
  /** an option or argument breaks its documented rule */
  | 'INVALID_ARGUMENT'
  /** the image, program, file or route named does not exist */
  | 'NOT_FOUND'
  /** something needed is missing: a program, a device, the guest */
  | 'UNAVAILABLE'
  /** a deadline passed */
  | 'TIMEOUT'
  /** closed or aborted while the call was in progress */
  | 'CANCELLED'
  /** the operating system or the guest reported a failure */
  | 'FAILED';

function errnoName(errno: number): string | undefined {
  return Object.entries(constants.errno).find(([, number]) => number === errno)?.[0];
}

/** What calls of this package reject with. The message is a sentence for people. */
export class GondolinError extends Error {
  /** What went wrong, for programs; where the operating system said it, `ENOENT` and so on. */
  readonly code: GondolinErrorCode | (string & {});
  /** The number that the operating system said it with, negative as Node has it. */
  readonly errno?: number;

  /**
   * @param code what went wrong, for programs
   * @param message the same for people
   * @param errno the number that the operating system said it with
   */
  constructor(code: GondolinErrorCode, message: string, errno = 0) {
    super(message);
    this.name = 'GondolinError';
    this.code = (errno > 0 ? errnoName(errno) : undefined) ?? code;
    if (errno > 0) this.errno = -errno;
  }
}

/**
 * Thrown by an ingress hook: the client is answered with this.
 *
 * `isAllowed` and `onRequest` refuse the request so, `onResponse` the response.
 */
export class IngressRequestBlockedError extends Error {
  /** The status of the answer, 400 to 599. */
  readonly statusCode: number;
  /** Its status message; empty for the status's own. */
  readonly statusMessage: string;
  /** Its body, as text/plain; without one the gateway writes what it does for the status. */
  readonly body: string | undefined;

  /**
   * @param message for the debug log alone
   * @param statusCode the status of the answer, 400 to 599
   * @param statusMessage its status message; empty for the status's own
   * @param body its body, as text/plain
   */
  constructor(message = 'request blocked', statusCode = 403, statusMessage = '', body?: string) {
    super(message);
    this.name = 'IngressRequestBlockedError';
    this.statusCode = statusCode;
    this.statusMessage = statusMessage;
    this.body = body;
  }
}
