import { type BuildOptions, transform } from 'esbuild';

/** How our own sources become one program for Node, on the device and where it is measured; npm packages stay outside. */
export const nodeProgram = {
  bundle: true,
  write: false,
  format: 'esm',
  platform: 'node',
  target: 'node20',
  packages: 'external',
} satisfies BuildOptions;

/**
 * esbuild makes every constant of a module a `var`. V8 builds the value of a constant into the code it compiles but looks a variable up each
 * time: with `const` put back, a loop over characters that asks a table takes half as long. Our modules have no top-level `let`; throws if
 * one of the names is assigned all the same.
 */
export async function keptConstants(program: string): Promise<string> {
  const kept = program.replaceAll(/^var ([A-Za-z_$][\w$]*) = /gm, 'const $1 = ');
  const { warnings } = await transform(kept, { format: 'esm', target: nodeProgram.target, logLevel: 'silent' });
  const assigned = warnings.find(({ id }) => id === 'assign-to-constant');
  if (assigned) throw new Error(`a top-level variable: ${assigned.text}`);
  return kept;
}
