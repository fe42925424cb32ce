/**
 * Builds what runs on the device: one bundle per service (`services/NAME/main.ts` → `dist/services/NAME/main.js`, npm packages left
 * outside), the pages of the web service for the browser, and the files they read. Every file is written beside its place and renamed
 * into it, so a process that starts during a build never reads half a file; what no source makes any more is removed at the end.
 */
import { existsSync } from 'node:fs';
import { copyFile, mkdir, readdir, rename, rm, writeFile } from 'node:fs/promises';
import { dirname, join, relative } from 'node:path';
import { type BuildOptions, build } from 'esbuild';
import { keptConstants, nodeProgram } from './node-program.ts';

const root = join(import.meta.dirname, '..');
const output = join(root, 'dist');
const pages = 'services/web/ui';
/** Folders below a service whose files go to `dist` as they are. */
const assetFolders = ['sounds'];

const shared = {
  absWorkingDir: root,
  outdir: output,
  outbase: root,
  bundle: true,
  write: false,
  format: 'esm',
  sourcemap: 'linked',
  sourcesContent: false,
  logLevel: 'warning',
} satisfies BuildOptions;

const started = performance.now();
const services = (await readdir(join(root, 'services'))).filter((name) => existsSync(join(root, 'services', name, 'main.ts')));
const written = new Set([
  ...(await bundleServices()),
  ...(await bundlePages()),
  ...(await copyAssets(services.flatMap((name) => assetFolders.map((folder) => `services/${name}/${folder}`)))),
]);
await removeLeftovers(join(output, 'services'), written);
console.log(`built ${services.join(', ')} in ${Math.round(performance.now() - started)} ms`);

async function bundleServices(): Promise<string[]> {
  return await write({
    ...shared,
    ...nodeProgram,
    entryPoints: services.map((name) => `services/${name}/main.ts`),
    // Only our own sources are bundled, all of them ES modules: nothing needs `require`, and top-level `await` stays.
    banner: { js: '#!/usr/bin/env node' },
  });
}

async function bundlePages(): Promise<string[]> {
  const entry = `${pages}/main.tsx`;
  if (!existsSync(join(root, entry))) return [];
  const paths = await write({
    ...shared,
    // What runs apart from the page is loaded when it is needed.
    entryPoints: [entry, ...['worker', 'worklet'].map((part) => `${pages}/sound/sound-${part}.ts`)],
    platform: 'browser',
    target: 'es2022',
    jsx: 'automatic',
    jsxImportSource: 'preact',
    minify: true,
    loader: { '.svg': 'dataurl' },
  });
  return [...paths, ...(await copyAssets([pages], /\.(html|ico|webmanifest)$/))];
}

/** Runs one esbuild build and puts its files in place; gives their paths. */
async function write(options: typeof shared & BuildOptions): Promise<string[]> {
  const { outputFiles } = await build(options);
  for (const { path, contents } of outputFiles) {
    const isProgram = options.platform === 'node' && path.endsWith('.js');
    const bytes = isProgram ? Buffer.from(plainComments(await keptConstants(Buffer.from(contents).toString()))) : contents;
    await replace(path, (fresh) => writeFile(fresh, bytes, { mode: isProgram ? 0o755 : 0o644 }));
  }
  return outputFiles.map((file) => file.path);
}

/**
 * V8 keeps a program with any letter beyond Latin-1 in two bytes for each. Such letters stand in comments only, for esbuild escapes them
 * elsewhere; positions stay what they are.
 */
function plainComments(text: string): string {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: all that is ASCII is left alone.
  return text.replaceAll(/^\s*(?:\/\/|\/?\*).*$/gm, (comment) => comment.replaceAll(/[^\x00-\x7f]/g, '?'));
}

/** Copies the files of these folders that the pattern wants to the same place below `dist`; a folder that is not there has none. */
async function copyAssets(folders: readonly string[], wanted = /^[^.]/): Promise<string[]> {
  const paths: string[] = [];
  for (const folder of folders.filter((name) => existsSync(join(root, name)))) {
    for (const name of (await readdir(join(root, folder))).filter((file) => wanted.test(file))) {
      const path = join(output, folder, name);
      await replace(path, (fresh) => copyFile(join(root, folder, name), fresh));
      paths.push(path);
    }
  }
  return paths;
}

/** Makes the file under another name of the same folder, then renames it: atomic for readers and for builds that run side by side. */
async function replace(path: string, make: (fresh: string) => Promise<void>): Promise<void> {
  const fresh = `${path}.${process.pid}.fresh`;
  await mkdir(dirname(path), { recursive: true });
  try {
    await make(fresh);
    await rename(fresh, path);
  } catch (error) {
    await rm(fresh, { force: true });
    throw error;
  }
}

async function removeLeftovers(folder: string, keep: ReadonlySet<string>): Promise<void> {
  for (const entry of await readdir(folder, { withFileTypes: true, recursive: true })) {
    const path = join(entry.parentPath, entry.name);
    if (entry.isDirectory() || keep.has(path) || path.endsWith('.fresh')) continue;
    await rm(path, { force: true });
    console.log(`removed ${relative(root, path)}`);
  }
}
