// What all options are checked for.

import { GondolinError } from './errors.js';

/** The error of an option that breaks its rule. */
export function invalid(message: string): GondolinError {
  return new GondolinError('INVALID_ARGUMENT', message);
}

/** Throws unless `value` is an object, which `what` names. */
export function checkObject(what: string, value: unknown): void {
  if (typeof value !== 'object' || value === null) throw invalid(`${what} must be an object`);
}

/** Throws for an option that there is not: it may be a restriction, spelt wrongly. */
export function checkNames(what: string, options: object, known: ReadonlySet<string>): void {
  checkObject(`the options of ${what}`, options);
  for (const name of Object.keys(options)) {
    if (!known.has(name)) throw invalid(`${what} has no option '${name}'`);
  }
}
