// What all options are checked for.

import { GondolinError } from './errors.js';

/** The error of an option that breaks its rule. */
export function invalid(message: string): GondolinError {
  return new GondolinError('INVALID_ARGUMENT', message);
}

/** Throws for an option that there is not: it may be a restriction, spelt wrongly. */
export function checkNames(what: string, options: object, known: ReadonlySet<string>): void {
  for (const name of Object.keys(options)) {
    if (!known.has(name)) throw invalid(`${what} has no option '${name}'`);
  }
}
