import { execFileSync } from 'node:child_process';
import { rmSync } from 'node:fs';
import { basename, join } from 'node:path';
import t from 'tap';

const root = join(import.meta.dirname, '../..');
/** Where bundles of this test file go: below node_modules, so that the bundle finds the packages it leaves outside. */
export const bundleFolder = join(root, 'node_modules/.cache/hookswitch-test', String(process.pid));

/**
 * A main as it is built for the device, in one file, for tests that start it many times: a process starts three times as fast as from
 * sources. Gone when the test file ends.
 */
export function bundle(main: string, output: string = join(bundleFolder, `${basename(main, '.ts')}.mjs`)): string {
  const options = ['--bundle', '--platform=node', '--format=esm', '--target=node20', '--packages=external', '--log-level=warning'];
  execFileSync(join(root, 'node_modules/.bin/esbuild'), [main, ...options, `--outfile=${output}`], { cwd: root });
  t.teardown(() => rmSync(bundleFolder, { recursive: true, force: true }));
  return output;
}
