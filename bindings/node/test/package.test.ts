// The package as it is published: packed, installed in an empty project, and used from
// there by a program and by the TypeScript compiler.

import assert from 'node:assert/strict';
import { readdir, readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import test, { type TestContext } from 'node:test';

import { consumerProject, execFileAsync, listenersFile, mirror, packageDirectory } from './support.js';

const builtGuestPrograms = path.join(packageDirectory, '..', '..', 'build', 'guest');

test('the package installs in an empty project and runs there', async (t) => {
  const project = await consumerProject(t);
  const installed = path.join(project, 'node_modules', 'gondolin');
  assert.deepEqual((await readdir(installed)).sort(),
    ['LICENSE', 'README.md', 'dist', 'package.json', 'prebuilt']);
  const carried = await readdir(path.join(installed, 'prebuilt', 'linux-x64', 'guest'));
  const built = (await readdir(builtGuestPrograms)).filter((name) => /^[a-z]+$/.test(name));
  assert.ok(built.includes('sandboxd'));
  assert.deepEqual(carried.sort(), built.sort());
  assert.deepEqual((await readdir(path.join(project, 'node_modules'))).filter((name) => !name.startsWith('.')),
    ['gondolin']);

  const listeners = await listenersFile(t, await mirror(t));
  await writeFile(path.join(project, 'main.js'), `
    import { openGateway } from 'gondolin';
    const gateway = await openGateway({
      listeners: process.argv[2],
      hooks: { onRequest: () => ({ headers: { 'x-seen': 'yes' } }) },
    });
    const echo = await (await fetch(gateway.url)).json();
    console.log(echo.headers['x-seen']);
    await gateway.close();
  `);
  const { stdout } = await execFileAsync(process.execPath, ['main.js', listeners], { cwd: project });
  assert.equal(stdout, 'yes\n');
});

test('the addon exports nothing but the module, and needs little of the machine', async () => {
  const addon = path.join(packageDirectory, 'prebuilt', 'linux-x64', 'gondolin.node');
  const { stdout: symbols } = await execFileAsync('nm', ['--dynamic', '--defined-only', '-j', addon]);
  assert.deepEqual(symbols.trim().split('\n').sort(),
    ['napi_register_module_v1', 'node_api_module_get_api_version_v1']);
  const { stdout: dynamic } = await execFileAsync('readelf', ['--dynamic', addon]);
  const needed = [...dynamic.matchAll(/\(NEEDED\).*\[(.*?)\]/g)].map((match) => match[1] ?? '');
  const allowed = /^(libfmt\.so|libstdc\+\+\.so|libgcc_s\.so|libm\.so|libc\.so|ld-linux)/;
  assert.deepEqual(needed.filter((name) => !allowed.test(name)), []);
});

/** Compiles `files`, the sources of modules, in a strict project of a user's. */
async function compile(t: TestContext, files: string[]): Promise<void> {
  const project = await consumerProject(t);
  // As a user has them: Node's types and the compiler, from wherever.
  const modules = path.join(packageDirectory, 'node_modules');
  const names = files.map((_, index) => `module${index}.ts`);
  await Promise.all(files.map((source, index) =>
    writeFile(path.join(project, names[index] as string), source)));
  await execFileAsync(process.execPath, [path.join(modules, 'typescript', 'bin', 'tsc'),
    '--noEmit', '--strict', '--exactOptionalPropertyTypes', '--skipLibCheck',
    '--target', 'es2022', '--lib', 'es2023,esnext.disposable', '--module', 'nodenext',
    '--types', 'node', '--typeRoots', path.join(modules, '@types'), ...names], { cwd: project })
    .catch((error: { stdout?: string }) => assert.fail(error.stdout ?? String(error)));
}

test('its types serve a strict project', async (t) => {
  await compile(t, [`
    import { openGateway, IngressRequestBlockedError, type IngressRoute } from 'gondolin';
    const routes: IngressRoute[] = [{ prefix: '/', port: 8000, stripPrefix: true }];
    await using gateway = await openGateway({
      listeners: '/tmp/listeners',
      hooks: {
        isAllowed: ({ path }) => {
          if (path === '/x') throw new IngressRequestBlockedError('no', 403, 'Forbidden', 'no');
          return true;
        },
        onResponse: async (response) => ({
          headers: { 'x-one': '1', 'x-none': null },
          body: response.body ? Buffer.from(response.body.toString('utf8').toUpperCase()) : undefined,
        }),
      },
    });
    await gateway.setRoutes(routes);
    const url: string = gateway.url;
    console.log(url);
  `]);
});

test('the snippets of its guide compile in a strict project', async (t) => {
  const guide = await readFile(
    path.join(packageDirectory, '..', '..', 'docs', 'sdk-typescript.md'), 'utf8');
  // Those that are whole; the others go on from one, or leave something out.
  const snippets = [...guide.matchAll(/^```ts\n(.*?)^```$/gms)].map((match) => match[1] ?? '')
    .filter((snippet) => snippet.includes("from 'gondolin'") && !snippet.includes('…'));
  assert.ok(snippets.length >= 4, `${snippets.length} snippets`);
  assert.ok(snippets.some((snippet) => snippet.includes('const hooks')));
  await compile(t, snippets);
});
