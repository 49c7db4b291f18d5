// Routes on their way to the addon, and what they will be once they are in force.

import type { IngressRoute } from './ingress.js';
import { native } from './native.js';
import { checkNames, checkObject, invalid } from './options.js';

const routeNames = new Set<string>(
  ['prefix', 'port', 'stripPrefix'] satisfies (keyof IngressRoute)[]);

/**
 * The routes as they will be in force: all that they may leave out is there, prefixes are
 * without the slash at their end. Throws for what can be no routes.
 * @internal
 */
export function normalizedRoutes(routes: readonly IngressRoute[]): Required<IngressRoute>[] {
  if (!Array.isArray(routes)) throw invalid('routes must be an array');
  for (const [index, route] of routes.entries()) {
    checkObject(`routes[${index}]`, route);
    checkNames(`routes[${index}]`, route as object, routeNames);
  }
  return native.normalizeRoutes(routes);
}
