import { createHash } from 'node:crypto';
import { mkdirSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { BoardProfile } from '#firmware/contract/hal.ts';
import { UsageError } from '#firmware/core/errors.ts';
import { boardProblemsOf } from '#hal/board-check.ts';

/** The part of the settings that says which profile is in use. */
export interface BoardSettings {
  readonly board: BoardProfile;
  change(request: { readonly set: Readonly<Record<string, string>>; readonly unset: readonly string[] }): Promise<unknown>;
}

/**
 * Keeps a profile as a file of the state directory and uses it from now on. Lamps, relays and sound of the present profile stay if they are
 * wanted, since no lesson finds them. A profile that cannot work is refused.
 */
export async function keepBoard(
  directory: string,
  settings: BoardSettings,
  wish: { readonly profile: BoardProfile; readonly keepOutputs: boolean },
): Promise<{ path: string }> {
  const { leds, relays, sound } = settings.board;
  const learnt = wish.profile;
  // What was found now goes before what was there.
  const kept = { leds: { ...leds, ...learnt.leds }, relays: { ...relays, ...learnt.relays }, sound };
  const profile = wish.keepOutputs ? { ...learnt, ...kept } : learnt;
  const problems = boardProblemsOf(profile).filter(({ severity }) => severity === 'error');
  if (problems.length > 0) {
    throw new UsageError('invalid-board', problems.map(({ element, problem }) => `${element}: ${problem}`).join('; '));
  }
  const text = `${JSON.stringify(profile, null, 2)}\n`;
  // Another profile is another file: who goes back to the one before finds it.
  const path = join(directory, 'boards', `${profile.name}-${createHash('sha256').update(text).digest('hex').slice(0, 8)}.json`);
  mkdirSync(join(directory, 'boards'), { recursive: true, mode: 0o750 });
  writeFileSync(`${path}.fresh`, text, { mode: 0o640 });
  renameSync(`${path}.fresh`, path);
  await settings.change({ set: { 'board.profile': path }, unset: [] });
  return { path };
}
