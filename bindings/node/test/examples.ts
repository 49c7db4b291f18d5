// The examples of examples/typescript in a project of their own, which has nothing but the
// installed package: compiled as strictly as can be, and started.

import assert from 'node:assert/strict';
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { copyFile, readdir } from 'node:fs/promises';
import http from 'node:http';
import path from 'node:path';
import readline from 'node:readline';

import {
  consumerProject, execFileAsync, packageDirectory, request, type Answer, type Cleanup,
} from './support.js';

/** Sends a request to a started example. */
export type Ask = (path: string, options?: http.RequestOptions) => Promise<Answer>;

/** Where the examples are. */
export const examplesDirectory = path.join(packageDirectory, '..', '..', 'examples');

/** The directory of a project with the examples, compiled. */
export async function compiledExamples(t: Cleanup): Promise<string> {
  const sources = path.join(examplesDirectory, 'typescript');
  const modules = path.join(packageDirectory, 'node_modules');
  const project = await consumerProject(t);
  for (const name of await readdir(sources)) {
    if (name.endsWith('.ts') || name === 'tsconfig.json') {
      await copyFile(path.join(sources, name), path.join(project, name));
    }
  }
  await execFileAsync(process.execPath, [path.join(modules, 'typescript', 'bin', 'tsc'), '-p', '.',
    '--typeRoots', path.join(modules, '@types')], { cwd: project });
  return project;
}

/**
 * Starts an example (its name and arguments), waits for its URL, lets `check` ask it, and sees
 * it end with Enter.
 */
export async function startedExample(
  project: string, [name, ...args]: [string, ...string[]], check: (ask: Ask) => Promise<void>,
): Promise<void> {
  const child: ChildProcess = spawn(process.execPath, [`${name}.js`, ...args],
    { cwd: project, stdio: ['pipe', 'pipe', 'inherit'] });
  const exited = once(child, 'exit');
  try {
    assert.ok(child.stdout && child.stdin);
    let url: string | undefined;
    for await (const line of readline.createInterface({ input: child.stdout })) {
      url = /Open (http:\/\/[\d.:]+)/.exec(line)?.[1];
      if (url) break;
    }
    assert.ok(url);
    const base = url;
    await check((where, options = {}) => request(base + where, options));
    child.stdin.write('\n');
    const [code] = await exited as [number];
    assert.equal(code, 0);
  } finally {
    child.kill();
  }
}
