import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { build } from 'esbuild';
import { keptConstants, nodeProgram } from '../node-program.ts';

const root = join(import.meta.dirname, '../..');

/** The path of this benchmark's program, bundled as `npm run build` bundles what the device runs: tsx would wrap each function. */
export async function bundled(name: string): Promise<string> {
  const entryPoint = join(import.meta.dirname, `${name}.ts`);
  const { outputFiles } = await build({ ...nodeProgram, absWorkingDir: root, entryPoints: [entryPoint], logLevel: 'warning' });
  // npm packages are looked for from where the program lies.
  const folder = join(root, 'dist/bench');
  mkdirSync(folder, { recursive: true });
  const path = join(folder, `${name}.js`);
  writeFileSync(path, await keptConstants(outputFiles[0]?.text ?? ''));
  return path;
}

/** What that program exports. */
export async function importBundled(name: string): Promise<object> {
  return (await import(pathToFileURL(await bundled(name)).href)) as object;
}
