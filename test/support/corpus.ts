import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Test } from 'tap';

/**
 * Collected vectors and hostile messages live outside the project: in $HOOKSWITCH_CORPUS or beside the repository. The tests stand without
 * them and then say so.
 */
export function corpusFile(t: Test, name: string): Uint8Array | undefined {
  const beside = fileURLToPath(new URL('../../../shared/corpus', import.meta.url));
  const path = join(process.env.HOOKSWITCH_CORPUS ?? beside, name);
  if (existsSync(path)) return readFileSync(path);
  t.comment(`${name} is not there: only the project's own vectors were used (set HOOKSWITCH_CORPUS)`);
  return undefined;
}

/** The same as text. */
export function corpusText(t: Test, name: string): string | undefined {
  const bytes = corpusFile(t, name);
  return bytes && new TextDecoder('latin1').decode(bytes);
}
