/** Tests as single files that run where there is nothing but Node.js and the packages that the device has. */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { build } from 'esbuild';

const root = join(import.meta.dirname, '../../..');
const device = JSON.parse(await readFile(join(root, 'package.json'), 'utf8')) as { dependencies: Record<string, string> };

/** Writes each test, named by its path in the project, to the directory as `PATH.mjs` (slashes as dots); gives those names. */
export async function bundleTests(paths: readonly string[], directory: string): Promise<string[]> {
  const entries = paths.map((path) => ({ in: path, out: path.replaceAll('/', '.').replace(/\.ts$/, '') }));
  await build({
    absWorkingDir: root,
    entryPoints: entries,
    outdir: directory,
    outExtension: { '.js': '.mjs' },
    bundle: true,
    platform: 'node',
    format: 'esm',
    target: 'node20',
    external: [...Object.keys(device.dependencies), 'epoll'],
    // tap and what it uses are partly CommonJS.
    banner: { js: "import { createRequire as requireOf } from 'node:module'; const require = requireOf(import.meta.url);" },
    plugins: [
      {
        name: 'without-react',
        setup: ({ onLoad }) => {
          // How tap shows elements of a page; it asks for the package in a way that no bundler sees.
          onLoad({ filter: /tcompare\/dist\/.*\/react-element-to-jsx-string\.js$/ }, () => ({
            contents: "export default () => '';",
            loader: 'js',
          }));
        },
      },
    ],
    logLevel: 'warning',
  });
  return entries.map(({ out }) => `${out}.mjs`);
}
