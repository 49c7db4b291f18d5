// The debug log: which topics, and where its lines go.

import { invalid } from './options.js';

/** A topic of the debug log; `all` is every one of them. */
export type DebugTopic = 'protocol' | 'ingress' | 'vfs' | 'exec' | 'all';

/** Gets a line of the debug log, without its newline. */
export type DebugLogFn = (topic: string, line: string) => void;

/** What to log, and where to. */
export interface DebugSettings {
  /**
   * The topics: true for all, false for none; by default those that the environment
   * variable `GONDOLIN_DEBUG` lists.
   */
  debug?: boolean | readonly DebugTopic[];
  /** Gets each line; by default they go to stderr. null turns the log off. */
  debugLog?: DebugLogFn | null;
}

function topicsOf(debug: DebugSettings['debug']): string {
  if (debug === undefined) return process.env['GONDOLIN_DEBUG'] ?? '';
  if (typeof debug === 'boolean') return debug ? 'all' : '';
  if (!Array.isArray(debug)) throw invalid('debug must be true, false or an array of topics');
  return debug.join(',');
}

/**
 * The settings as the addon wants them.
 * @internal
 */
export function nativeDebug(settings: DebugSettings): object {
  const debugTopics = topicsOf(settings.debug);
  if (debugTopics === '' || settings.debugLog === null) return {};
  const debugLog = settings.debugLog
    ?? ((topic, line) => process.stderr.write(`gondolin ${topic}: ${line}\n`));
  return { debugTopics, debugLog };
}
