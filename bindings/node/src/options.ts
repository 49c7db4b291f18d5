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

/** Throws unless `value`, where it is given, is an integer from `low` to `high`. */
export function checkInteger(
  name: string, value: unknown, low: number, high: number,
): void {
  if (value === undefined) return;
  if (!Number.isInteger(value) || (value as number) < low || (value as number) > high) {
    throw invalid(`${name} must be an integer from ${low} to ${high}`);
  }
}

/** Throws unless `value`, where it is given, is an amount; Infinity is one. */
export function checkAmount(name: string, value: unknown): void {
  if (value === undefined) return;
  if (typeof value !== 'number' || !(value >= 0)) {
    throw invalid(`${name} must be a number that is not negative`);
  }
}

/** Throws unless `value`, where it is given, is a function. */
export function checkFunction(name: string, value: unknown): void {
  if (value !== undefined && value !== null && typeof value !== 'function') {
    throw invalid(`${name} must be a function`);
  }
}

/** Throws unless `value`, where it is given, is an AbortSignal. */
export function checkSignal(value: unknown): void {
  if (value === undefined || value === null) return;
  const { aborted, addEventListener } = value as Partial<AbortSignal>;
  if (typeof aborted !== 'boolean' || typeof addEventListener !== 'function') {
    throw invalid('signal must be an AbortSignal');
  }
}
