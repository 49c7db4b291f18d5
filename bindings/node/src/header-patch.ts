// What a hook changes of the fields, from any form that JavaScript has for fields. A form
// that is not known is an error: its fields would be lost without a word.

import type { IngressHeaderValue } from './ingress.js';

type Change = IngressHeaderValue | null | undefined;

function isIterable(value: object): value is Iterable<unknown> {
  return typeof (value as Iterable<unknown>)[Symbol.iterator] === 'function';
}

/** Whether it is an object of no class, of whatever realm. */
function isPlain(value: object): boolean {
  const prototype: unknown = Object.getPrototypeOf(value);
  return prototype === null || Object.getPrototypeOf(prototype) === null;
}

function isPair(pair: unknown): pair is [string, Change] {
  return Array.isArray(pair) && pair.length === 2 && typeof pair[0] === 'string';
}

/** No values remove the field. */
function valuesOf(change: Change): unknown[] {
  if (change === null || change === undefined) return [];
  return Array.isArray(change) ? change : [change];
}

/** A name that comes several times has the values of all. */
function collected(hook: string, pairs: Iterable<unknown>): [string, unknown[]][] {
  const changes = new Map<string, [string, unknown[]]>();
  for (const pair of pairs) {
    if (!isPair(pair)) throw new TypeError(`${hook}: headers must be [name, value] pairs, if iterable`);
    const [name, change] = pair;
    if (change === undefined) continue;
    const known = changes.get(name.toLowerCase());
    if (known) known[1].push(...valuesOf(change));
    else changes.set(name.toLowerCase(), [name, [...valuesOf(change)]]);
  }
  return [...changes.values()];
}

/**
 * `[name, [value, ...], name, [value, ...], ...]`, as the addon wants the `headers` of a
 * patch of `hook`; no values remove a field.
 * @internal
 */
export function nativeHeaderPatch(hook: string, patch: unknown): unknown[] | undefined {
  if (patch === undefined || patch === null) return undefined;
  if (typeof patch === 'object' && isIterable(patch)) return collected(hook, patch).flat();
  if (typeof patch !== 'object' || !isPlain(patch)) {
    throw new TypeError(
      `${hook}: headers must be a plain object, a Headers, a Map or an iterable of [name, value] pairs`);
  }
  return Object.entries(patch as Record<string, Change>)
    .filter(([, change]) => change !== undefined)
    .flatMap(([name, change]) => [name, valuesOf(change)]);
}
