// The example that runs a Vite project of this machine's. Needs an image with Node.js, which
// the ctest `vite_image` builds, and the project's packages, from `vite_packages`.

import assert from 'node:assert/strict';
import { cp, writeFile } from 'node:fs/promises';
import path from 'node:path';
import test from 'node:test';

import { compiledExamples, examplesDirectory, startedExample } from './examples.js';
import { temporaryDirectory } from './support.js';

test('a Vite project is served, and what is edited here is there', { timeout: 580_000 }, async (t) => {
  const examples = await compiledExamples(t);
  const project = path.join(await temporaryDirectory(t), 'project');
  await cp(path.join(examplesDirectory, 'vite-project'), project, { recursive: true, verbatimSymlinks: true });
  await startedExample(examples, ['vite', project], async (ask) => {
    const page = await ask('/');
    assert.match(page.body, /\/@vite\/client/);
    const module = await ask('/main.js');
    assert.equal(module.headers['content-type'], 'text/javascript');
    assert.match(module.body, /createHotContext/);
    assert.match((await ask('/greeting.js')).body, /Hello from a Vite project/);

    await writeFile(path.join(project, 'greeting.js'), "export const greeting = 'edited';\n");
    // Vite looks for changes some times a second.
    while (!(await ask('/greeting.js')).body.includes('edited'));
  });
});
